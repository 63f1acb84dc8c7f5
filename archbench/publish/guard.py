"""The guard of tables: what must be equal for errors to stand in one ranking, and what is said where it is not."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from archbench.errors import ArchbenchError
from archbench.publish import grouping
from archbench.publish.captioning import of_device, of_input
from archbench.records.schema import Record

Facts = dict[str, Any]
RECIPES_OWN = "recipe: "  # how the facts begin that tell recipes of one name apart
OVERRIDDEN = {"name", "epochs", "batch_size", "lr_batch"}  # of a recipe: said, or resolved, elsewhere
MOST_SAID = 4
SHARE = "share of the training set"
# what moves with an axis of an experiment; a recipe has a length and a batch of its own
VARIED = {
    "recipe": ("recipe", "epochs", "batch", "mirrored", "mirrored at the test"),
    "train_fraction": (SHARE, "training images"),
}
SAID_ABOVE = ("data", SHARE, "recipe", "epochs", "precision", "device")


def facts(record: Record) -> Facts:
    """Of a training, or of a test of published weights: everything that two errors must share to be compared."""
    environment, config = record.environment, record.config
    data, training, execution = config["data"], config["training"] or {}, config["execution"]
    recipe = config["recipe"] or {}
    return {
        "data": data["name"],
        "data's fingerprint": data["fingerprint"][:12],
        "training images": data["train_images"],
        "test images": data["test_images"],
        "training crop": data.get("crop"),
        SHARE: data["train_fraction"],
        "held out": data["val_fraction"],
        "input": of_input(record),
        "weights": "published" if record.kind == "imported" else "trained",
        "learned from": (config.get("trained_on") or data)["name"] if record.kind != "imported" else None,
        "recipe": training.get("name"),
        "epochs": training.get("epochs"),
        "batch": config["batch"],
        **{RECIPES_OWN + name: str(value) for name, value in _at(config["batch"], recipe).items() if name not in OVERRIDDEN},
        "mirrored": training.get("flip"),
        "mirrored at the test": training.get("test_flip"),
        "precision": execution["precision"],
        "micro-batch": "auto" if execution.get("micro_batch_auto") else _part(execution, config["batch"]),
        "compiled": "where it is faster" if execution.get("compile_auto") else execution["compiled"],
        "deterministic": execution["deterministic"],
        "device": of_device(environment["device"]),
        "torch": environment["libraries"]["torch"],
        "archbench": environment["archbench"].rpartition(".")[0],
        "protocol": config["protocol"],
    }


def _at(batch: int, recipe: Facts) -> Facts:
    """A recipe's keys with the rate that it has at this batch."""
    rate, of = recipe.get("lr"), recipe.get("lr_batch")
    return {**recipe, "lr": rate * batch / of} if isinstance(rate, float) and isinstance(of, int) and of > 0 else recipe


def _part(execution: dict[str, Any], batch: int) -> int | None:
    """The images of a batch that batch norm saw at once; None where it saw all of them."""
    part = (execution.get("micro_batch") or batch) * (execution.get("devices", 1) if execution.get("norm_over_devices") else 1)
    return part if part < batch else None


def condition(record: Record, varied: Collection[str] = ()) -> tuple[Any, ...]:
    """The facts as a key: Records that share it may stand in one ranking, but for what an experiment varies and asks about."""
    return as_key(shared(record, varied))


def shared(record: Record, varied: Collection[str]) -> Facts:
    """The facts but for what these axes of an experiment move."""
    free = {name for axis in varied for name in VARIED[axis]}
    own = "recipe" in varied
    return {name: fact for name, fact in facts(record).items() if name not in free and not (own and name.startswith(RECIPES_OWN))}


def as_key(known: Facts) -> tuple[Any, ...]:
    """Facts that can be compared and looked up by."""
    return tuple((name, grouping.hashable(fact)) for name, fact in known.items())


def differing(records: Sequence[Record], told: Callable[[Record], Facts] = facts) -> list[str]:
    """Names of the facts that are not the same in all; of recipes that differ in name, the name alone."""
    found = [told(record) for record in grouping.one_of_each(records)]
    names = [
        name
        for name in dict.fromkeys(name for each in found for name in each)
        if len({grouping.hashable(each.get(name)) for each in found}) > 1
    ]
    return [name for name in names if "recipe" not in names or not name.startswith(RECIPES_OWN)]


def said(record: Record, names: Sequence[str], told: Callable[[Record], Facts] = facts) -> str:
    """`epochs 2, precision bf16`: these facts of a Record in words."""
    known = told(record)
    return ", ".join(f"{name} {_in_words(known.get(name))}" for name in names)


def shared_caption(record: Record, moved: Collection[str]) -> str:
    """A caption of Records that share all but these facts; the whole training set is not said."""
    known = facts(record)
    return " · ".join(said(record, [name]) for name in SAID_ABOVE if name not in moved and not (name == SHARE and known[name] == 1))


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def distinct(captions: Sequence[str], firsts: Sequence[Record], told: Callable[[Record], Facts] = facts, fewest: bool = False) -> list[str]:
    """A caption for each table; those that would be equal go on with what sets the tables apart, of each the first Record.

    Of several facts that do, `fewest` takes those that come first, as many as it takes.
    """
    alike = {caption: [first for each, first in zip(captions, firsts, strict=True) if each == caption] for caption in captions}
    apart = {caption: differing(together, told) for caption, together in alike.items()}
    if fewest:
        apart = {caption: _fewest(apart[caption], [told(record) for record in together]) for caption, together in alike.items()}
    return [
        f"{caption} · {said(first, apart[caption], told)}" if apart[caption] else caption
        for caption, first in zip(captions, firsts, strict=True)
    ]


def _fewest(names: Sequence[str], known: Sequence[Facts]) -> list[str]:
    """Those that tell more of these apart than the ones before them."""
    kept: list[str] = []
    count = 1
    for name in names:
        now = len({tuple(each.get(one) for one in (*kept, name)) for each in known})
        if now > count:
            kept, count = [*kept, name], now
    return kept


def one_ranking(rows: Sequence[Record], names: Sequence[str]) -> None:
    """Raise ArchbenchError where these networks, named one by one, stand in no ranking together: it would have to mix."""
    of = {name: [record for record in rows if name in (record.model.label, record.model.name)] for name in names}
    trained = {name: records for name, records in of.items() if records}
    together = set.intersection(*({condition(record) for record in records} for records in trained.values())) if trained else set()
    if len(trained) < 2 or together:
        return
    newest = [records[-1] for records in trained.values()]
    apart = differing(newest)
    values = "; ".join(f"{name}: {said(record, apart[:MOST_SAID])}" for name, record in zip(trained, newest, strict=True))
    raise ArchbenchError(
        f"no table holds {', '.join(trained)} together, since errors are ranked under equal settings alone ({values}); "
        "--mix ranks them all the same and footnotes each row"
    )
