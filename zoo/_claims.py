"""What a paper claims of a network, and the words for how it prepared, moved and tested images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoo.registry import KnobValue

CHANNEL_MEAN, PIXEL_MEAN = "channel mean", "per-pixel mean"  # subtracted, and nothing divided
ZERO_TO_ONE, MINUS_ONE_TO_ONE = "pixels from 0 to 1", "pixels from -1 to 1"
LOCAL_CONTRAST = "local contrast normalisation"
RESIZED_CROP = "random resized crop, area 0.08 to 1, ratio 3/4 to 4/3"  # as a Record of a run says it
TORCH_RESNET = f"{RESIZED_CROP}, flip, colour jitter and lighting"  # facebook/fb.resnet.torch datasets/imagenet.lua
TEN_CROPS = "ten crops"
IMAGENET_IMAGES = 1_281_167
SVHN_TRAINED_ON = 598_388  # 73,257 of the training split and 531,131 extra ones, less 6,000 held out


def imagenet_epochs(iterations: int, batch: int) -> int:
    """Of how many passes over ImageNet's training images so many iterations are, to the nearest whole one."""
    return round(iterations * batch / IMAGENET_IMAGES)


@dataclass(frozen=True)
class Claim:
    """An error that a paper reports, in percent, where it stands, and what a training must share to be set beside it.

    `augmentation` is `none` or what was done, as `translation and flip`, and `translate` by how many pixels; `tested` says how a test
    image was seen, if not once, whole or its centre. `knobs` make the form of the network that it is of, and `network` says how that one
    departs from ours all the same. `epochs` is the length of the training, `preprocessing` a recipe's word for it (`normalise`,
    `gcn_zca`) or another, `train_images` the training images, if not those of the data set's training split; `source` says where all
    these stand, sections and tables being the paper's. None and empty: no source tells.
    """

    dataset: str
    augmentation: str
    error_pct: float
    where: str
    knobs: Mapping[str, KnobValue] = field(default_factory=dict)
    network: str = ""
    epochs: int | None = None
    preprocessing: str = ""
    train_images: int | None = None
    translate: int | None = None
    tested: str = ""
    source: str = ""

    @property
    def unknown(self) -> list[str]:
        """What no source tells of the paper's training."""
        told = {
            "length": self.epochs is not None,
            "preprocessing": bool(self.preprocessing),
            "augmentation": bool(self.augmentation),
            "translation": self.translate is not None or not self.translated,
        }
        return [what for what, known in told.items() if not known]

    @property
    def translated(self) -> bool:
        """Whether images were moved by a number of pixels, as a recipe's `translate` does."""
        return self.augmentation.startswith("translation")
