"""The networks of the Records: what their specs say, their layers, where their operations lie, and which Records are of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from archbench.publish import grouping
from archbench.publish.claimed import in_words
from archbench.publish.lineage import texts
from archbench.publish.report.stored import shown
from archbench.publish.shares import COORDINATE, QUANTITIES, by_class, class_shares, coordinate_shares
from archbench.records.schema import Record

Layers = Mapping[str, Mapping[str, Any]]


def models(records: Iterable[Record], layers: Layers) -> list[dict[str, Any]]:
    """A network each, knobs included, by year; those whose year is not known last."""
    found = grouping.by(records, lambda record: record.model.label)
    made = [_model(members, layers) for members in found.values()]
    return sorted(made, key=lambda model: (model["year"] is None, model["year"] or 0, model["label"]))


def _model(members: Sequence[Record], layers: Layers) -> dict[str, Any]:
    """The spec is the newest Record's; the records come newest first."""
    model = members[-1].model
    spec = model.spec
    facts = {name: str(spec.get(name) or "") for name in ("takes", "head_kind")}
    counted = [record for record in members if record.kind == "profile" and by_class(record, "macs")]
    return {
        **shown(facts),
        "label": shown(model.label),
        "name": shown(model.name),
        "title": shown(str(spec["title"])),
        "year": spec["year"] if isinstance(spec["year"], int) else None,
        "parents": shown(texts(spec, "parents")),
        "paper": shown(_paper(spec)),
        "deviations": shown(texts(spec, "deviations")),
        "published": shown([_published(each) for each in _entries(spec, "published")]),
        "claims": shown([_claim(each) for each in _entries(spec, "claims")]),
        "is_member": not model.knobs and isinstance(spec["year"], int),
        "shares": _shares(counted[-1]) if counted else None,
        "layers": _layers(members[-1], layers),
        "records": [record.id for record in reversed(members)],
    }


def _entries(spec: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = spec.get(name)
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list | tuple) else []


def _paper(spec: Mapping[str, Any]) -> dict[str, str]:
    paper = spec.get("paper")
    known = paper if isinstance(paper, Mapping) else {}
    return {name: str(known[name]) for name in ("title", "arxiv", "doi") if known.get(name)}


def _published(each: Mapping[str, Any]) -> dict[str, Any]:
    counts = {name: each[name] if isinstance(each.get(name), int) else None for name in ("params", "macs")}
    return {**counts, "of": _knobs(each), "source": str(each.get("source") or "")}


def _knobs(each: Mapping[str, Any]) -> str:
    """`head=fc, norm=batch`."""
    knobs = each.get("knobs")
    return ", ".join(f"{name}={value}" for name, value in knobs.items()) if isinstance(knobs, Mapping) else ""


def _claim(each: Mapping[str, Any]) -> dict[str, Any]:
    knobs = f", {_knobs(each)}" if _knobs(each) else ""
    text = f"{each.get('error_pct')} % on {each.get('dataset')}, {in_words(str(each.get('augmentation') or ''))}{knobs}"
    return {"text": text, "where": str(each.get("where") or "")}


def _shares(profile: Record) -> dict[str, Any]:
    """Of each quantity the percent in each operator class that has any, and the share that mixes channels only."""
    amounts = {quantity: by_class(profile, quantity) for quantity in QUANTITIES}
    return {
        "record": profile.id,
        "channels": coordinate_shares(amounts["macs"]).get("channels"),
        "rows": [
            {"of": QUANTITIES[quantity], "classes": [[kind, COORDINATE[kind], round(share, 2)] for kind, share in found.items() if share]}
            for quantity, amount in amounts.items()
            if (found := class_shares(amount))
        ],
    }


def _layers(record: Record, layers: Layers) -> dict[str, Any] | None:
    """The layers of the network without knobs, at its own input, and whether they are of the code that the Record is of."""
    kept = None if record.model.knobs else layers.get(record.model.name)
    if kept is None:
        return None
    return {"input": kept["input"], "rows": kept["layers"], "same_code": kept["source_sha256"] == record.model.source_sha256}
