"""SqueezeNet (Iandola et al., 2016): 1x1 layers squeeze before each 3x3, and 1x1 class maps are averaged as in NIN."""

from __future__ import annotations

import torch
from torch import nn

from zoo._blocks import Classifier, conv_relu, global_average, max_pool_ceil, scaled
from zoo._claims import CHANNEL_MEAN, Claim, imagenet_epochs
from zoo.registry import WIDTH, ModelSpec, Paper, Published, TrainingHints, Weights, register

SQUEEZENET_PAPER = Paper(
    title="SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model size",
    arxiv="1602.07360",
    bibtex="""@article{iandola2016squeezenet,
  title = {{SqueezeNet}: {AlexNet}-level accuracy with 50x fewer parameters and $<$0.5{MB} model size},
  author = {Iandola, Forrest N. and Han, Song and Moskewicz, Matthew W. and Ashraf, Khalid and Dally, William J.
            and Keutzer, Kurt},
  journal = {arXiv preprint arXiv:1602.07360},
  year = {2016}
}""",
)
CLAIM = Claim(
    "imagenet",
    "random crop",
    42.5,
    "table 2",
    {"form": "caffe"},
    network="the paper's sees 227 pixels",
    epochs=imagenet_epochs(85_000, 32 * 32),
    preprocessing=CHANNEL_MEAN,
    source="forresti/SqueezeNet SqueezeNet_v1.0/solver.prototxt and train_val.prototxt",
)
TAKES = "Both of NIN's ideas: 1x1 layers squeeze and expand in every Fire, and 1x1 class maps are read by their average."
HINTS = TrainingHints(
    lr=0.03,
    warmup_fraction=0.25,
    clip_norm=1.0,
    dropout_scale=0.1,
    init="he",
    start_alive=("features.class_maps",),
    reason="no batch norm, and as in NIN a ReLU over the class maps",
)
FIRES = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))  # (squeeze, expand), table 1


class Fire(nn.Module):
    """A 1x1 layer squeezes, a 1x1 and a 3x3 layer expand side by side (figure 1): `2 * expand` maps."""

    def __init__(self, w_in: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = conv_relu(w_in, squeeze, 1)
        self.expand_1x1 = conv_relu(squeeze, expand, 1)
        self.expand_3x3 = conv_relu(squeeze, expand, 3)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        squeezed = self.squeeze(maps)
        return torch.cat([self.expand_1x1(squeezed), self.expand_3x3(squeezed)], dim=1)


def squeezenet(
    num_classes: int,
    stem: nn.Sequential,
    w_stem: int,
    pools_before: tuple[int, ...],
    *,
    pointwise: str = "on",
    width: float = 1.0,
    padding: int | None = None,
) -> nn.Module:
    """The stem, eight Fire modules with a pool before those in `pools_before`, dropout, class maps, their average.

    With `pointwise` off each Fire is one 3x3 layer of as many maps, and the class maps are 3x3 too. `padding` is that of the class maps.
    """
    layers: list[nn.Module] = [*stem]
    w_in = w_stem
    for number, (squeeze, expand) in enumerate(FIRES, start=2):
        narrow, wide = scaled(squeeze, width), scaled(expand, width)
        layers += [max_pool_ceil()] if number in pools_before else []
        layers.append(Fire(w_in, narrow, wide) if pointwise == "on" else conv_relu(w_in, 2 * wide, 3))
        w_in = 2 * wide
    features = nn.Sequential(*layers, nn.Dropout(0.5))
    features.add_module("class_maps", conv_relu(w_in, num_classes, 1 if pointwise == "on" else 3, padding=padding))
    return Classifier(features, global_average())


@register(
    ModelSpec(
        name="squeezenet",
        title="SqueezeNet 1.1 (small)",
        family="squeezenet",
        year=2016,
        paper=SQUEEZENET_PAPER,
        parents=("nin", "inception"),
        takes=TAKES,
        input_shape=(3, 32, 32),
        min_size=8,
        head_kind="gap",
        published=(Published(727_626, 23_511_040, "arithmetic: version 1.1's 1,235,496 with 10 classes for 1,000; MACs layer by layer"),),
        knobs={"pointwise": ("on", "off"), "width": WIDTH},
        deviations=(
            "For 32x32: the stem has stride 1 and padding 1, so that the maps are 32-16-8-4.",
            "pointwise=off makes each Fire one 3x3 layer, and the class maps 3x3.",
        ),
        hints=HINTS,
    )
)
def build_squeezenet(num_classes: int, in_channels: int, image_size: int, *, pointwise: str = "on", width: float = 1.0) -> nn.Module:
    """A 3x3 stem of 64 maps that keeps the size; pools before Fire 2, 4 and 6."""
    maps = scaled(64, width)
    return squeezenet(num_classes, conv_relu(in_channels, maps, 3), maps, (2, 4, 6), pointwise=pointwise, width=width)


def imagenet_spec(name: str, version: str, *published: Published) -> ModelSpec:
    """The spec of one of the two released versions."""
    rename = (
        (r"squeeze\.", "squeeze.0."),
        (r"expand(\dx\d)\.", r"expand_\1.0."),
        (r"^classifier\.1\.", "features.class_maps.0."),
    )
    return ModelSpec(
        name=name,
        title=f"SqueezeNet {version}",
        aliases=(f"squeezenet{version.replace('.', '_')}",),
        family="squeezenet",
        year=2016,
        paper=SQUEEZENET_PAPER,
        parents=("nin_imagenet", "inception_imagenet"),
        takes=TAKES,
        input_shape=(3, 224, 224),
        num_classes=1000,
        min_size=21 if version == "1.0" else 17,
        head_kind="gap",
        published=published,
        claims=(CLAIM,) if version == "1.0" else (),
        knobs={"form": ("torchvision", "caffe")} if version == "1.0" else {},
        deviations=("The class maps are not padded, as in torchvision; form=caffe pads them by one.",) if version == "1.0" else (),
        hints=HINTS,
        weights=Weights(f"torchvision:squeezenet{version.replace('.', '_')}", "IMAGENET1K_V1", rename),
    )


@register(
    imagenet_spec(
        "squeezenet_imagenet",
        "1.0",
        Published(1_248_424, 818_924_576, "torchvision"),
        Published(1_248_424, 832_667_936, "arithmetic at Caffe's size", image_size=227),
        Published(1_248_424, 861_339_936, "Caffe's padding", knobs={"form": "caffe"}, image_size=227),
    )
)
def build_squeezenet_imagenet(num_classes: int, in_channels: int, image_size: int, *, form: str = "torchvision") -> nn.Module:
    """A 7x7 stem of 96 maps; pools before Fire 2, 5 and 9 (table 1)."""
    padding = 1 if form == "caffe" else 0
    return squeezenet(num_classes, conv_relu(in_channels, 96, 7, 2, padding=0), 96, (2, 5, 9), padding=padding)


@register(imagenet_spec("squeezenet_1_1_imagenet", "1.1", Published(1_235_496, 349_151_936, "torchvision")))
def build_squeezenet_1_1_imagenet(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
    """A 3x3 stem of 64 maps; pools before Fire 2, 4 and 6."""
    return squeezenet(num_classes, conv_relu(in_channels, 64, 3, 2, padding=0), 64, (2, 4, 6))
