"""What papers claim, from specs as Records keep them, and what a training would have to share with each claim."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import zoo
from archbench.publish.formats import epochs_text
from archbench.publish.grouping import last_of_each
from archbench.records.schema import Record, Scalar
from archbench.records.store import by_age

OLD_FORM = re.compile(r"(none) \((.+)\)")  # of the augmentation, before claims had knobs: `none (fully connected head)`
NEEDED = {"dataset", "augmentation", "error_pct", "where"}  # of a claim; what it lacks beside these is empty
ONCE, MIRRORED = "each image once", "each image and its mirror image"  # seen in a test
PLAIN = "normalise"  # what a Record of before recipes had a preprocessing was trained with


@dataclass(frozen=True, kw_only=True)
class Claimed(zoo.Claim):
    """A claim and the network that it is of. `pixels` is the side of the network's own images."""

    model: str
    title: str
    year: float
    pixels: int | None

    @property
    def label(self) -> str:
        """`nin+head=fc`."""
        return label_of(self.model, self.knobs)

    @property
    def row(self) -> dict[str, Any]:
        """The beginning of a table's row."""
        return {
            "model": self.label,
            "title": self.title,
            "year": self.year,
            "claim": f"{self.label}, {self.dataset}, {in_words(self.augmentation)}: {self.error_pct:.2f} %",
            "dataset": self.dataset,
            "augmentation": self.augmentation,
            "preprocessing": self.preprocessing,
            "claimed_epochs": math.nan if self.epochs is None else self.epochs,
            "claimed_error_pct": self.error_pct,
            "where": self.where,
            "source": self.source,
        }

    def differing(self, record: Record) -> list[str]:
        """In what a training is not the paper's: `data: cifar10-jpeg`, `length: 8 epochs, the paper's 260`."""
        training, data, size = record.config["training"] or {}, record.config["data"], record.model.image_size
        apart = [f"network: {self.network}"] * bool(self.network)
        apart += [f"data: {data['name']}"] * (data["name"] != self.dataset)
        apart += [f"input: {size} pixels, the network's own {self.pixels}"] * (self.pixels not in (None, size))
        seen, theirs = MIRRORED if training.get("test_flip") else ONCE, self.tested or ONCE
        apart += [f"test: {seen}, the paper's {theirs}"] * (seen != theirs)
        if not training:
            return [*apart, "weights: published ones, not trained here"]
        epochs, prepared = training["epochs"], training.get("preprocessing", PLAIN)
        apart += [f"length: {epochs_text(epochs)}, the paper's {self.epochs}"] * (self.epochs not in (None, epochs))
        apart += self._share(data)
        apart += [f"preprocessing: {prepared}, the paper's {self.preprocessing}"] * (self.preprocessing not in ("", prepared))
        return apart + self._moved(training, data)

    def _moved(self, training: Mapping[str, Any], data: Mapping[str, Any]) -> list[str]:
        """How its images were moved and mirrored, where that is not the paper's."""
        done, pixels = _augmentation(training, data), training.get("translate")
        if self.augmentation not in ("", done):
            return [f"augmentation: {done}, the paper's {self.augmentation}"]
        apart = self.translated and self.translate not in (None, pixels)
        return [f"translation: {pixels} pixels, the paper's {self.translate}"] * apart

    def _share(self, data: Mapping[str, Any]) -> list[str]:
        """What part of the training images it had, where that is not the paper's."""
        images = data["train_images"]
        if self.train_images is not None:
            return [f"training images: {images:,}, the paper's {self.train_images:,}"] * (self.train_images != images)
        part = data["train_fraction"] < 1 or data["val_fraction"] > 0 or data.get("limit_train") is not None or data.get("skipped", 0) > 0
        return [f"training images: {images:,}, the paper's all"] * part


def claims(records: Sequence[Record], specs: Iterable[Mapping[str, Any]]) -> list[Claimed]:
    """The claims of all specs, by year: those given, and of other networks the newest that a Record keeps."""
    known = {str(spec["name"]): spec for spec in specs}
    kept = {record.model.name: record.model.spec for record in sorted(last_of_each(records), key=by_age)}
    found = [claim for name, spec in {**kept, **known}.items() for claim in _of_spec(name, spec)]
    return sorted(found, key=lambda claim: (math.isnan(claim.year), claim.year, claim.model))


def _of_spec(name: str, spec: Mapping[str, Any]) -> list[Claimed]:
    year, shape = spec["year"], spec.get("input_shape")
    common = {"model": name, "title": spec["title"], "year": math.nan if year is None else year, "pixels": shape[1] if shape else None}
    kept = spec.get("claims")
    return [Claimed(**common, **_migrated(claim)) for claim in (kept if isinstance(kept, list | tuple) else ()) if _is_claim(claim)]


def _is_claim(claim: Any) -> bool:
    """Whether a Record of anybody's keeps a claim there, and not something else."""
    if not isinstance(claim, Mapping) or not claim.keys() >= NEEDED:
        return False
    return isinstance(claim["error_pct"], int | float) and isinstance(claim["augmentation"], str)


def _migrated(claim: Mapping[str, Any]) -> dict[str, Any]:
    """A claim in today's form: what was added since is empty, and words about the network move from the augmentation to their place."""
    known = {name: value for name, value in claim.items() if name in Claimed.__dataclass_fields__}
    old = OLD_FORM.fullmatch(claim["augmentation"])
    return {**known, **({"augmentation": old[1], "network": f"the paper's has a {old[2]}"} if old else {})}


def label_of(model: str, knobs: Mapping[str, Scalar]) -> str:
    """`nin+head=fc`, as a user would name this form of a network."""
    return "+".join([model, *(f"{key}={value}" for key, value in knobs.items())])


def is_named_after(data: str, dataset: str) -> bool:
    """Whether a set is this one, or bears its name with more behind it: `cifar10-jpeg` and `cifar10`, not `cifar100`."""
    return re.match(rf"{re.escape(dataset)}(?![A-Za-z0-9])", data) is not None


def in_words(augmentation: str) -> str:
    """`no augmentation` for the papers' none; else as the paper says, if it does."""
    return {"none": "no augmentation", "": "augmentation not known"}.get(augmentation, augmentation)


def _augmentation(training: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    """What a training did to its images, in the words of claims; a crop that was drawn anew each time stands in place of translation."""
    moved = [data["crop"]] if data.get("crop") else ["translation"] * bool(training.get("translate"))
    return " and ".join(moved + ["flip"] * bool(training.get("flip"))) or "none"
