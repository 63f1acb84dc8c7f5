"""`shapes`: images made by a seed, of which it is known where the object is, and whether the background gives its class away.

Ten classes of textured objects (drawing.py) of any size, place, slant and colour stand on ten kinds of textured ground. Parameters ride on
the name as knobs on a model's, `shapes+px=64+link=95`:

- `px`: 32 or 64 pixels a side. - `seed`: of all that is drawn.
- `two`: percent of images with a second, smaller object of another class (default 20). The label is the class of the larger one.
- `link`: percent of training images that stand on their own class's ground (default 0); in the others the ground is any.
- `test`: `kept`, grounds as in the training images; `broken`, any ground whatever the class; `reversed`, always that of the next class.
  The objects of a test image are the same in all three, and at every `link`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray

from archbench.config import LARGEST_SEED
from archbench.data.boxes import around
from archbench.data.dataset import Dataset, Shape
from archbench.data.drawing import CLASS_NAMES, GROUNDS, Dice, Numbers, ground_colours, object_colours, outline, pattern, textured
from archbench.data.request import DataRequest
from archbench.data.split import Split
from archbench.errors import ArchbenchError, unknown
from archbench.events import Listener

NAME, MARK = "shapes", "+"
COUNTS = {"train": 10_000, "test": 2_000}
AT_ONCE = 200  # images made at a time; the draws of each such part are its own
ALONE, FIRST, SECOND = (0.16, 0.34), (0.22, 0.30), (0.13, 0.17)  # least and largest radius, in sides of the image
SLANT = 0.25  # of an object, as the tangent of half its angle: 28 degrees either way
SplitName = Literal["train", "test"]


@dataclass(frozen=True)
class Shapes:
    """The parameters, whose defaults need not be written."""

    px: int = 32
    seed: int = 0
    two: int = 20
    link: int = 0
    test: str = "kept"

    @classmethod
    def parse(cls, name: str) -> Self:
        """Those of a name as `shapes+px=64+link=95`. Raises ArchbenchError in one line for what is not known or not valid."""
        given: dict[str, Any] = {}
        for assignment in name.split(MARK)[1:]:
            key, equals, text = assignment.partition("=")
            if not equals:
                raise ArchbenchError(f"--dataset: a parameter of {NAME} is written KEY=VALUE, as in {NAME}+px=64 (got {assignment!r})")
            if key not in VALID:
                raise unknown(f"parameter of {NAME}", key, VALID)
            if key in given:
                raise ArchbenchError(f"--dataset: {NAME} has {key!r} twice")
            given[key] = _value(key, text)
        return cls(**given)

    @property
    def label(self) -> str:
        """The name with what departs from the defaults, in one order: `shapes+link=95`."""
        changed = [(field.name, getattr(self, field.name)) for field in dataclasses.fields(self)]
        return MARK.join([NAME, *(f"{key}={value}" for key, value in changed if value != getattr(DEFAULTS, key))])


DEFAULTS = Shapes()
VALID: dict[str, range | tuple[Any, ...]] = {
    "px": (32, 64),
    "seed": range(LARGEST_SEED + 1),
    "two": range(101),
    "link": range(101),
    "test": ("kept", "broken", "reversed"),
}


def _value(key: str, text: str) -> int | str:
    """A valid value from how it is written."""
    valid = VALID[key]
    value: int | str = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST_SEED)) else text
    if (isinstance(value, str) and isinstance(valid, range)) or value not in valid:  # a text would be sought in all of a range
        known = f"{valid[0]} to {valid[-1]}" if isinstance(valid, range) else ", ".join(map(str, valid))
        raise ArchbenchError(f"--dataset: {key} of {NAME} cannot be {text!r}; valid: {known}")
    return value


def is_asked_for(text: str) -> bool:
    """Whether `--dataset` means this set."""
    return text == NAME or text.startswith(NAME + MARK)


def shape_of(wanted: DataRequest) -> Shape:
    """Ten classes of three channels."""
    return Shape(len(CLASS_NAMES), 3, Shapes.parse(wanted.name).px)


def load(wanted: DataRequest, _: Listener) -> Dataset:
    """10,000 training images, none where the test alone is asked for, and 2,000 test images, as many of each class but for one.

    Raises ArchbenchError for a parameter that is not valid.
    """
    asked = Shapes.parse(wanted.name)
    test = _split(asked, "test")
    train = test.take(torch.arange(0)) if wanted.test_only else _split(asked, "train")
    return Dataset.of(asked.label, train, test, CLASS_NAMES, mirror_safe=True)


def _split(asked: Shapes, split: SplitName) -> Split:
    parts = list(scenes(asked, split))
    images, labels = (np.concatenate([getattr(part, name) for part in parts]) for name in ("images", "labels"))
    return Split(torch.from_numpy(images), torch.from_numpy(labels))


@dataclass(frozen=True)
class Scenes:
    """Some images in order, `(N, 3, H, W)` uint8, their labels and grounds, `(N,)` int64, and of each the two objects, the larger first.

    Where there is no second, its class is -1 and its mask and box are empty. `masks`, `(N, 2, H, W)`, say which pixels are the object's;
    `boxes`, `(N, 2, 4)` int64, are left, top, right and bottom in pixels, the last two being the first pixels behind it.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    grounds: NDArray[np.int64]
    classes: NDArray[np.int64]
    masks: NDArray[np.bool_]

    @property
    def boxes(self) -> NDArray[np.int64]:
        """Of every object, from its mask."""
        return around(self.masks)


def scenes(asked: Shapes, split: SplitName, count: int | None = None) -> Iterator[Scenes]:
    """A split with its objects, two hundred images at a time; its first `count` alone, if that is given."""
    whole, number = COUNTS[split] if count is None else min(count, COUNTS[split]), list(COUNTS).index(split)
    for part, start in enumerate(range(0, whole, AT_ONCE)):
        made = _part(asked, split, Dice(asked.seed, number, part))
        kept = min(AT_ONCE, whole - start)
        yield made if kept == AT_ONCE else Scenes(*(getattr(made, field.name)[:kept] for field in dataclasses.fields(made)))


def _part(asked: Shapes, split: SplitName, dice: Dice) -> Scenes:
    """What is drawn is drawn in one order whatever is asked for, so that the same objects come of the same seed."""
    n, px, kinds = AT_ONCE, asked.px, len(CLASS_NAMES)
    labels = np.argsort(dice.real(n), kind="stable") % kinds
    others = (labels + 1 + dice.whole(kinds - 1, n)) % kinds
    has_second = dice.real(n) * 100 < asked.two
    grounds = _grounds(asked, split, labels, dice)
    places, radii = _placed(dice, has_second)
    masks = np.stack([_mask(dice, kind, places[:, i] * px, radii[:, i] * px, px) for i, kind in enumerate((labels, others))], axis=1)
    masks[~has_second, 1] = False
    images = _textured(dice, ground_colours(dice, grounds), grounds, px)
    for i in range(2):
        drawn = _textured(dice, object_colours(dice, n), dice.whole(len(GROUNDS), n), px)
        images = np.where(masks[:, i, None], drawn, images)
    return Scenes(images.astype(np.uint8), labels, grounds, np.stack([labels, np.where(has_second, others, -1)], axis=1), masks)


def _grounds(asked: Shapes, split: SplitName, labels: Numbers, dice: Dice) -> NDArray[np.int64]:
    linked, any_ground = dice.real(len(labels)) * 100 < asked.link, dice.whole(len(GROUNDS), len(labels))
    how = asked.test if split == "test" else "kept"
    if how == "reversed":
        return (labels + 1) % len(GROUNDS)
    return np.where(linked & (how == "kept"), labels, any_ground)


def _placed(dice: Dice, has_second: Numbers) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres `(n, 2, 2)`, down and right, and radii `(n, 2)` in sides of the image, of objects that lie inside and apart.

    Two are laid beside each other on one axis, which is drawn with its direction, and anywhere on the other.
    """
    n = len(has_second)
    along, free, swap, turn = dice.real(n, 2), dice.real(n, 2), dice.real(n) < 0.5, dice.real(n) < 0.5
    size = dice.real(n, 2)
    single, first, second = (low + (high - low) * size[:, i] for i, (low, high) in ((0, ALONE), (0, FIRST), (1, SECOND)))
    radii = np.stack([np.where(has_second, first, single), second], axis=1)
    needed = np.where(has_second, 2 * second, 0.0)
    at_first = radii[:, 0] + along[:, 0] * (1 - needed - 2 * radii[:, 0])
    from_here = at_first + radii[:, 0] + second
    at_second = from_here + along[:, 1] * (1 - second - from_here)
    on_axis = np.stack([at_first, at_second], axis=1)
    on_axis = np.where(turn[:, None], 1 - on_axis, on_axis)
    across = radii + free * (1 - 2 * radii)
    places = np.stack([on_axis, across], axis=2)
    return np.where(swap[:, None, None], places[..., ::-1], places), radii


def _mask(dice: Dice, kinds: Numbers, centres: Numbers, radii: Numbers, px: int) -> NDArray[np.bool_]:
    """The pixels of an object of each class, `(n, px, px)`, whose centres lie in its slanted outline."""
    half = (2 * dice.real(len(kinds)) - 1) * SLANT
    cosine, sine = ((number / (1 + half * half))[:, None, None] for number in (1 - half * half, 2 * half))
    pixel = np.arange(px) + 0.5
    down, right = ((pixel - centres[:, axis, None]) / radii[:, None] for axis in (0, 1))
    down, right = down[:, :, None], right[:, None, :]
    return outline(kinds, right * cosine + down * sine, down * cosine - right * sine)


def _textured(dice: Dice, colour: Numbers, kinds: Numbers, px: int) -> NDArray[np.int64]:
    """Whole images `(n, 3, px, px)` of patterns of these kinds, whose parts are two to four pixels wide in 32."""
    scales, offsets = (2 + dice.whole(3, len(kinds))) * (px // 32), dice.whole(px, len(kinds), 2)
    texture = pattern(kinds, scales, offsets, dice, px)
    return textured(colour, texture, 2 * dice.real(len(kinds), px, px) - 1)
