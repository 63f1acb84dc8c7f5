"""What the maps of a trained network are worth, image by image, and the measurements that come of it.

The scores lie beside the Record as numpy's npz: `predicted` and `label` of every test image, those that were explained first, `place` of
each in the test split, `size` of the object on each that was explained, and of each source of maps the scores, as `map_pointing`.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from archbench.records.schema import Measurement, Record, Scalar
from archbench.stats import Interval, mean_t, wilson

FILE = "scores.npz"
SOURCES = ("map", "centre", "random", "untrained")  # whose maps are scored: the network's own, then the baselines
SIZES = ("small", "medium", "large")
THRESHOLDS = (0.15, 0.3, 0.5)  # of a map's maximum: what lies above is boxed
SHARES = {"pointing": "pointing_pct", "pointing_mask": "pointing_mask_pct", "silent": "silent_pct"}
ENERGIES = {"energy": "energy_object_pct", "ground": "energy_ground_pct"}
FAITHFUL = ("deletion", "insertion", "road")
NAMES = (*SHARES, "iou", *ENERGIES, *FAITHFUL)
OVER_IMAGES = "mean over images, Student's t"
Strata = Mapping[tuple[str, str | bool] | None, NDArray[np.bool_]]  # parts of the images, by what qualifies them


@dataclass(frozen=True)
class Scores:
    """Of all test images `predicted`, `labels` and `places` in the split, `(T,)`; of the first N of them `sizes`, 0 to 2, and the scores.

    The scores are by source and name.
    They are `(N,)`, `iou` `(N, thresholds)`, and those of `FAITHFUL` of the first images alone, which may be fewer.
    """

    predicted: NDArray[np.int64]
    labels: NDArray[np.int64]
    places: NDArray[np.int64]
    sizes: NDArray[np.int64]
    by: Mapping[str, Mapping[str, NDArray[Any]]]

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """Which of all test images are taken for another class, `(T,)`."""
        wrong: NDArray[np.bool_] = self.predicted != self.labels
        return wrong

    def write(self, file: IO[bytes]) -> None:
        """As they lie beside a Record."""
        arrays: dict[str, Any] = {f"{source}_{name}": each for source, scores in self.by.items() for name, each in scores.items()}
        whole = {"predicted": self.predicted, "label": self.labels, "size": self.sizes}
        arrays |= {name: each.astype(np.uint16) for name, each in whole.items()} | {"place": self.places.astype(np.uint32)}
        np.savez_compressed(file, **arrays)


def read(content: bytes) -> Scores:
    """The scores of a file. Raises ValueError where it holds none that go together."""
    wanted = ("predicted", "label", "size", *(f"{source}_{name}" for source in SOURCES for name in NAMES))
    try:
        with np.load(io.BytesIO(content)) as stored:
            arrays = {name: stored[name] for name in wanted}
            arrays["place"] = (
                stored["place"] if "place" in stored else np.arange(len(arrays["label"]))
            )  # the first were in the split's order
    except (ValueError, KeyError, TypeError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError("it holds no scores") from error
    if odd := [name for name, each in arrays.items() if not _is_sound(name, each)]:
        raise ValueError(f"its {odd[0]} is none that scores have")
    predicted, labels, places, sizes = (arrays[name].astype(np.int64) for name in ("predicted", "label", "place", "size"))
    by = {source: {name: arrays[f"{source}_{name}"] for name in NAMES} for source in SOURCES}
    lengths = {len(each) for scores in by.values() for name, each in scores.items() if name not in FAITHFUL}
    if not len(predicted) == len(labels) == len(places) or lengths != {len(sizes)} or not 0 < len(sizes) <= len(labels):
        raise ValueError("its scores do not go together")
    if sizes.max() >= len(SIZES):
        raise ValueError("its sizes are none that objects have")
    return Scores(predicted, labels, places, sizes, by)


def _is_sound(name: str, values: NDArray[Any]) -> bool:
    """Whether an array is as `Scores.write` leaves it: whole numbers of images, and of a source, as `map_iou`, finite scores."""
    score = name.partition("_")[2]
    if not score:
        return values.ndim == 1 and values.dtype.kind in "iu"
    fits = values.ndim == 1 if score != "iou" else values.shape[1:] == (len(THRESHOLDS),)
    if not (fits and len(values) and values.dtype.kind == "f" and np.isfinite(values).all()):
        return False
    return score not in SHARES or bool(np.isin(values, (0, 1)).all())


def measurements(scores: Scores) -> list[Measurement]:
    """All that a Record says of them."""
    error = wilson(int(scores.wrong.sum()), len(scores.wrong))
    return [_row("test_error_pct", error, "top-1, Wilson interval", {"split": "test"}), *_of_sources(scores)]


def _of_sources(scores: Scores) -> Iterator[Measurement]:
    right = ~scores.wrong[: len(scores.sizes)]
    everywhere = np.ones(len(scores.sizes), dtype=np.bool_)
    whole: Strata = {None: everywhere}
    by_size: Strata = {**whole, **{("size", name): scores.sizes == number for number, name in enumerate(SIZES)}}
    for source in SOURCES:
        found = scores.by[source]
        speaks = found["silent"] == 0
        by_answer: Strata = {
            **by_size,
            ("silent", False): speaks,
            ("answer", "right"): speaks & right,
            ("answer", "wrong"): speaks & ~right,
        }
        for name, called in SHARES.items():
            yield from _means(found[name], called, source, whole if name == "silent" else by_size, _share)
        for place, threshold in enumerate(THRESHOLDS):
            yield _row("iou", mean_t(found["iou"][:, place].tolist()), OVER_IMAGES, {"of": source, "threshold": threshold})
        for name, called in ENERGIES.items():
            yield from _means(found[name], called, source, by_answer if source == "map" else whole, _percent)
        for name in FAITHFUL:
            yield _row(name, mean_t(found[name].tolist()), OVER_IMAGES, {"of": source})


def _means(
    values: NDArray[Any],
    name: str,
    source: str,
    strata: Strata,
    mean: Callable[[NDArray[Any]], tuple[Interval, str]],
) -> Iterator[Measurement]:
    """A row for each part of the images that is not empty; of right and wrong answers those whose maps say anything at all."""
    for stratum, chosen in strata.items():
        if chosen.any():
            at: dict[str, Scalar] = {"of": source, **dict([stratum] if stratum else [])}
            yield _row(name, *mean(values[chosen]), at)


def _share(values: NDArray[Any]) -> tuple[Interval, str]:
    return wilson(int(values.sum()), len(values)), "share of images, Wilson interval"


def _percent(values: NDArray[Any]) -> tuple[Interval, str]:
    return mean_t((100 * values.astype(np.float64)).tolist()), OVER_IMAGES


def _row(name: str, found: Interval, method: str, at: dict[str, Scalar]) -> Measurement:
    return Measurement(name=name, value=found.value, low=found.low, high=found.high, n=found.n, method=method, at=at)


def in_words(record: Record) -> str:
    """How maps were scored, as a sentence for a paper."""
    explain, row = record.config["explain"], record.measurement("energy_object_pct", of="map")
    boxes = explain.get("boxes")
    which = f"{explain['n']:,} test images whose objects {boxes['name']} tells" if boxes else f"the first {explain['n']:,} test images"
    images = f"{which}, step by step on the first {explain['n_faithful']:,}"
    how = f"; {row.method} (95 %)" if row is not None else ""
    return (
        f"Maps of each image's own class by {explain['method']} at {explain['layer'] or 'no layer'} were scored on {images}, beside a "
        f"Gaussian about the middle, random maps, and those of the network with weights that nobody trained{how}."
    )
