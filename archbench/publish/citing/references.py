"""The papers that a Record has to do with: of its network, its data set, its recipe, and the libraries that carried it out."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from typing import Any

from archbench import remaking
from archbench.publish.citing import bibtex
from archbench.publish.citing.bibtex import Entry
from archbench.publish.claimed import is_named_after
from archbench.records.schema import Record

OF_DATA = {
    "digits": "alpaydin1998optical",
    "mnist": "lecun1998gradient",
    "fashion_mnist": "xiao2017fashion",
    "svhn": "netzer2011reading",
    "cifar10": "krizhevsky2009learning",
    "cifar100": "krizhevsky2009learning",
    "imagenet": "russakovsky2015imagenet",
}
OF_OPTIMIZERS = {"adam": "kingma2015adam", "adamax": "kingma2015adam", "adamw": "loshchilov2019decoupled", "timm:muon": "jordan2024muon"}
OF_LIBRARIES = {"timm": "wightman2019timm", "torchvision": "torchvision2016"}
TORCH = "paszke2019pytorch"
BATCH_NORM, NORMED = "ioffe2015batch", "nin_bn"  # which the network, and the knob norm=batch, add to a paper that has none


def papers(records: Iterable[Record]) -> list[Entry]:
    """Each paper once: those of networks in the order of the Records, then of data sets, of recipes, of libraries."""
    records = list(records)
    parts = (_of_network, _of_data, _of_recipe, _of_libraries)
    return [entry for part in parts for record in records for entry in part(record)]


@functools.cache
def _known() -> dict[str, Entry]:
    """Those of our own list, by their keys."""
    text = resources.files(__package__).joinpath("references.bib").read_text(encoding="utf-8")
    return {entry.key: entry for entry in bibtex.entries(text)}


def _of_network(record: Record) -> Iterator[Entry]:
    paper = record.model.spec.get("paper")
    if isinstance(paper, Mapping):
        yield _of_paper({name: value for name, value in paper.items() if isinstance(value, str)}, record.model.spec.get("year"))
    if record.model.name == NORMED or record.model.knobs.get("norm") == "batch":
        yield _known()[BATCH_NORM]
    library = record.model.name.partition(":")[0]
    if library in OF_LIBRARIES and ".py:" not in record.model.name:
        yield _known()[OF_LIBRARIES[library]]


def _of_paper(paper: Mapping[str, str], year: Any) -> Entry:
    """The entry that a spec holds, with its numbers; one made of the title where it holds none that can be read."""
    numbers = {"doi": paper.get("doi", ""), "eprint": paper.get("arxiv", ""), "archivePrefix": "arXiv" if paper.get("arxiv") else ""}
    try:
        entry = bibtex.read(paper.get("bibtex", ""))
    except ValueError:
        title = paper.get("title", "")
        return Entry.of_text("misc", f"paper-{title}", title=title, year=str(year or ""), **numbers)
    return entry.beside(Entry.of_text("misc", "", **numbers).fields)


def _of_data(record: Record) -> Iterator[Entry]:
    for data in (record.config.get("data"), record.config.get("trained_on")):
        name = data.get("name") if isinstance(data, Mapping) else None
        yield from (_known()[key] for known, key in OF_DATA.items() if isinstance(name, str) and is_named_after(name, known))


def _of_recipe(record: Record) -> Iterator[Entry]:
    """Where the parts of a recipe come from, as far as they have a paper of their own."""
    if not isinstance(record.config.get("training"), Mapping) or not isinstance(record.config.get("recipe"), Mapping):
        return
    recipe, training = remaking.recipe_of(record), remaking.as_written_now(record.config["training"])
    used = {
        "lin2014nin": recipe.get("name") == "paper" and remaking.is_shipped(recipe),
        "goodfellow2013maxout": training.get("preprocessing") == "gcn_zca",
        "jordan2024airbench": bool(training.get("flip_alternates") or training.get("whiten_first_layer")),
        OF_OPTIMIZERS.get(str(training.get("optimizer")), ""): True,
        "loshchilov2017sgdr": training.get("schedule") == "cosine",
        "goyal2017accurate": bool(training.get("warmup_fraction")),
        "szegedy2016rethinking": bool(training.get("label_smoothing")),
        "he2015delving": training.get("init") == "he",
    }
    yield from (_known()[key] for key, is_used in used.items() if key and is_used)


def _of_libraries(record: Record) -> Iterator[Entry]:
    yield _known()[TORCH]
