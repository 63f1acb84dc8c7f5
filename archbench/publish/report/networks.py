"""The networks of the Records: what their specs say, their layers, where their operations lie, and which Records are of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from archbench.publish import notes
from archbench.publish.claimed import in_words
from archbench.publish.report.stored import shown
from archbench.publish.shares import COORDINATE, QUANTITIES, by_class, class_shares, coordinate_shares
from archbench.records.schema import Record

Layers = Mapping[str, Mapping[str, Any]]


def models(records: Iterable[Record], layers: Layers) -> list[dict[str, Any]]:
    """A network each, knobs included, by year; those whose year is not known last."""
    found = notes.by(records, lambda record: record.model.label)
    made = [_model(members, layers) for members in found.values()]
    return sorted(made, key=lambda model: (model["year"] is None, model["year"] or 0, model["label"]))


def _model(members: Sequence[Record], layers: Layers) -> dict[str, Any]:
    """The spec is the newest Record's; the records come newest first."""
    model = members[-1].model
    spec = model.spec
    facts = {name: spec.get(name) or "" for name in ("takes", "family", "head_kind")}
    counted = [record for record in members if record.kind == "profile" and by_class(record, "macs")]
    return {
        **shown(facts),
        "label": shown(model.label),
        "name": shown(model.name),
        "title": shown(str(spec["title"])),
        "year": spec["year"] if isinstance(spec["year"], int) else None,
        "parents": shown(list(spec.get("parents") or ())),
        "paper": shown({name: text for name, text in (spec.get("paper") or {}).items() if text and name in ("title", "arxiv", "doi")}),
        "deviations": shown(list(spec.get("deviations") or ())),
        "published": shown([_published(each) for each in spec.get("published") or ()]),
        "claims": shown([_claim(each) for each in spec.get("claims") or ()]),
        "is_member": not model.knobs and isinstance(spec["year"], int),
        "shares": _shares(counted[-1]) if counted else None,
        "layers": _layers(members[-1], layers),
        "records": [record.id for record in reversed(members)],
    }


def _published(each: Mapping[str, Any]) -> dict[str, Any]:
    knobs = ", ".join(f"{name}={value}" for name, value in (each.get("knobs") or {}).items())
    return {"params": each.get("params"), "macs": each.get("macs"), "of": knobs, "source": each.get("source") or ""}


def _claim(each: Mapping[str, Any]) -> dict[str, Any]:
    knobs = "".join(f", {name}={value}" for name, value in (each.get("knobs") or {}).items())
    text = f"{each['error_pct']} % on {each['dataset']}, {in_words(str(each.get('augmentation') or ''))}{knobs}"
    return {"text": text, "where": each.get("where") or ""}


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
