"""The models as people read about them: rows, the lineage as a tree, one model in full, and the zoo's README."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import zoo
from archbench import budget
from archbench.errors import ArchbenchError
from archbench.measure import complexity
from archbench.models import Input, Model, parse
from archbench.publish.claimed import in_words
from archbench.publish.writing.markdown import table_lines


@dataclass(frozen=True)
class Node:
    """A model in the lineage: under the first of its parents, `others` being the rest of them."""

    name: str
    year: int | None
    title: str
    others: tuple[str, ...]
    children: tuple[Node, ...]


def rows(names: Iterable[str]) -> list[dict[str, Any]]:
    """Models with what their specs say and their counts at their own input, by year."""
    return [_row(model) for model in sorted(parse(names), key=lambda model: model.spec.year or 9999)]


def _row(model: Model) -> dict[str, Any]:
    spec, shape = model.spec, model.native_input
    counted = complexity.count(budget.settled(model, shape), shape)
    return {
        "name": model.label,
        "title": spec.title,
        "family": spec.family,
        "year": spec.year,
        "parents": list(spec.parents),
        "head": model.head_kind,
        "input": shape.size,
        "params": counted.params,
        "macs": counted.macs,
        "uncounted": [each.operator for each in counted.uncounted()],
        "aliases": list(spec.aliases),
        "knobs": {key: knob_values(values) for key, values in spec.knobs.items()},
    }


def knob_values(values: Sequence[Any] | zoo.Range) -> list[Any] | dict[str, float]:
    """The valid values of a knob; `low` and `high` of a range."""
    return {"low": values.low, "high": values.high} if isinstance(values, zoo.Range) else list(values)


def tree(names: Iterable[str]) -> tuple[Node, ...]:
    """The lineage of the chosen models, oldest first: each under the first of its parents that is chosen too."""
    specs = {model.name: model.spec for model in parse(names)}
    above = {name: tuple(parent for parent in spec.parents if parent in specs) for name, spec in specs.items()}

    def node(name: str) -> Node:
        spec = specs[name]
        mine = (other for other, parents in above.items() if parents[:1] == (name,) and not _in_a_circle(other, above))
        below = sorted(mine, key=lambda other: specs[other].year or 0)
        return Node(name, spec.year, spec.title, above[name][1:], tuple(node(child) for child in below))

    return tuple(
        node(name) for name in sorted(specs, key=lambda name: specs[name].year or 0) if not above[name] or _in_a_circle(name, above)
    )


def _in_a_circle(name: str, above: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether a model is its own ancestor by first parents, as a faulty package may have it; no branch would show it."""
    seen: list[str] = []
    while above[name] and name not in seen:
        seen.append(name)
        name = above[name][0]
    return bool(seen) and name == seen[0]


def describe(name: str, num_classes: int | None = None, in_channels: int | None = None, image_size: int | None = None) -> dict[str, Any]:
    """One model in full: its spec, its counts for an input (its own unless given), and a line a layer."""
    model, shape = shaped(name, num_classes, in_channels, image_size)
    counted = complexity.count(model, shape)
    spec = dataclasses.asdict(model.spec)
    return {
        **spec,
        "name": model.label,
        "head_kind": model.head_kind,
        "knobs": {key: knob_values(values) for key, values in model.spec.knobs.items()}
        | ({"source": ["RECORD_ID"]} if model.spec.frozen_from else {}),
        "claims": [{**dataclasses.asdict(each), "with": _augmentation(each), "trained": _trained(each)} for each in model.spec.claims],
        "published": [{**dataclasses.asdict(each), "form": _of_knobs(each)} for each in model.spec.published],
        "input": dataclasses.asdict(shape),
        "size": shape.size,
        "width": model.width,
        "params": counted.params,
        "macs": counted.macs,
        "activations": counted.activations,
        "macs_by_class": counted.by_class("macs"),
        "layers": [dataclasses.asdict(layer) for layer in counted.layers],
        "uncounted": [row.model_dump() for row in counted.uncounted()],
    }


def layers(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Of each network of the zoo the hash of its code, its own input, and a list for each layer: what `zoo/layers.json` holds."""
    found = {}
    for name in names:
        model, shape = shaped(name)
        made = [[each.name, each.operator_class, each.shape[1:], each.params, each.macs] for each in complexity.count(model, shape).layers]
        source = model.snapshot(shape).source_sha256
        found[name] = {"source_sha256": source, "input": f"{shape.size}, {shape.num_classes} classes", "layers": made}
    return found


def shaped(name: str, num_classes: int | None = None, in_channels: int | None = None, image_size: int | None = None) -> tuple[Model, Input]:
    """One model and the input it is asked for. Raises ArchbenchError for more than one, or where they do not fit."""
    model = one(name)
    given = {"num_classes": num_classes, "in_channels": in_channels, "image_size": image_size}
    shape = dataclasses.replace(model.native_input, **{key: value for key, value in given.items() if value is not None})
    model.check(shape)
    return budget.settled(model, shape), shape


def one(name: str) -> Model:
    """The model behind a name that stands for one alone."""
    if not isinstance(name, str):
        raise ArchbenchError(f"a model is named by a text, as 'nin+head=fc' (got {name!r})")
    found = parse([name])
    if len(found) != 1:
        raise ArchbenchError(f"{name} stands for {len(found)} models; name one")
    return found[0]


def markdown() -> str:
    """zoo/README.md: the lineage as a table, then what each network takes from NIN and where it departs from its paper."""
    listed = rows(["all"])
    lines = [HEADING, *table_lines(COLUMNS, map(_in_brief, listed)), ""]
    for row in listed:
        lines += _section(zoo.get(row["name"]))
    return "\n".join(lines) + "\n"


HEADING = """# The zoo

Made by `archbench list --out zoo/README.md` from the specs beside the networks; a test fails when it lags behind them.
Parameters include frozen ones; one multiply-add is one MAC; both at the input that is named, with the classes of the paper. Weights start
as PyTorch draws them, or as a recipe or a network's hints say; the recipe `paper` has NIN's own, N(0, 0.05), and no other paper's
are built in.
"""
COLUMNS = ("name", "network", "year", "from", "input", "params", "MACs", "head")


def _in_brief(row: dict[str, Any]) -> list[str]:
    parents, counts = ", ".join(row["parents"]), [f"{row['params']:,}", f"{row['macs']:,}"]
    return [f"[`{row['name']}`](#{row['name']})", row["title"], str(row["year"]), parents, row["input"], *counts, row["head"]]


def _section(spec: zoo.ModelSpec) -> list[str]:
    if spec.paper is None:
        return [f"## {spec.name}", "", f"{spec.title}.", ""]
    where = f"[arXiv:{spec.paper.arxiv}](https://arxiv.org/abs/{spec.paper.arxiv})" if spec.paper.arxiv else f"doi:{spec.paper.doi}"
    lines = [f"## {spec.name}", "", f"{spec.title}: *{spec.paper.title}*, {where}.", f"Takes: {spec.takes}", ""]
    lines += [f"- counts{_of_knobs(each)}: {each.params:,} and {each.macs:,} ({each.source})" for each in spec.published]
    for claim in spec.claims:
        lines.append(f"- claim: {claim.error_pct:g} % on {claim.dataset}, {_augmentation(claim)} ({claim.where}); {_trained(claim)}")
    lines += [f"- knob `{key}`: {_of_values(values)}" for key, values in spec.knobs.items()]
    lines += [f"- departs: {deviation}" for deviation in spec.deviations]
    if spec.aliases:
        lines.append(f"- also called {', '.join(f'`{alias}`' for alias in spec.aliases)}")
    return [*lines, ""]


def _augmentation(claim: zoo.Claim) -> str:
    """`no augmentation` for the papers' none; else as the paper says; then the form of the network."""
    of = "".join(f", {key}={value}" for key, value in claim.knobs.items())
    return in_words(claim.augmentation) + of


def _trained(claim: zoo.Claim) -> str:
    """What a training must share with it: `164 epochs, per-pixel mean, translation by 4 pixels [section 4.2]`, and what is not known."""
    facts = (
        (claim.epochs, "{} epochs"),
        (claim.preprocessing, "{}"),
        (claim.translate, "translation by {} pixels"),
        (claim.train_images, "{:,} training images"),
        (claim.tested, "tested on {}"),
        (claim.network, "{}"),
    )
    told = [form.format(fact) for fact, form in facts if fact not in (None, "")]
    parts = [f"{', '.join(told)} [{claim.source}]"] * bool(told) + [f"not known: {', '.join(claim.unknown)}"] * bool(claim.unknown)
    return "; ".join(parts)


def _of_values(values: Sequence[Any] | zoo.Range) -> str:
    return str(values) if isinstance(values, zoo.Range) else ", ".join(map(str, values))


def _of_knobs(published: zoo.Published) -> str:
    size = {"image size": published.image_size} if published.image_size else {}
    named = ", ".join(f"{key}={value}" for key, value in {**published.knobs, **size}.items())
    return f" with {named}" if named else ""
