"""Xception (Chollet, 2017): depthwise convolutions look at space, pointwise ones mix channels."""

from __future__ import annotations

import torch
from torch import nn

from zoo._blocks import Classifier, average_and_linear, conv_norm, scaled
from zoo._claims import Claim
from zoo.registry import HALF, WIDTH, ModelSpec, Paper, Published, Weights, register

XCEPTION_PAPER = Paper(
    title="Xception: Deep Learning with Depthwise Separable Convolutions",
    arxiv="1610.02357",
    bibtex="""@inproceedings{chollet2017xception,
  title = {Xception: Deep Learning with Depthwise Separable Convolutions},
  author = {Chollet, Fran{\\c{c}}ois},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition},
  year = {2017},
  eprint = {1610.02357},
  archivePrefix = {arXiv}
}""",
)
DROPOUT = "the paper's has dropout of 0.5 before the last layer"
TAKES = "1x1 convolutions do all mixing of channels, with a 3x3 for each map alone before them: Inception's branches at their limit."


def separable(w_in: int, w_out: int, pointwise: str) -> nn.Sequential:
    """Depthwise 3x3, pointwise 1x1, batch norm; without its pointwise part one dense 3x3."""
    if pointwise == "off":
        return conv_norm(w_in, w_out, 3)
    return nn.Sequential(nn.Conv2d(w_in, w_in, 3, padding=1, groups=w_in, bias=False), *conv_norm(w_in, w_out, 1))


class Block(nn.Module):
    """Separable convolutions to each of `widths`, a ReLU before each but perhaps the first, a pool; the projected input is added."""

    def __init__(self, w_in: int, widths: tuple[int, ...], stride: int = 1, *, relu_first: bool = True, pointwise: str = "on") -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = w_in
        for w_out in widths:
            layers += [nn.ReLU(), separable(before, w_out, pointwise)]
            before = w_out
        pool = [nn.MaxPool2d(3, stride, 1)] if stride > 1 else []
        self.layers = nn.Sequential(*(layers if relu_first else layers[1:]), *pool)
        same = w_in == widths[-1] and stride == 1
        self.shortcut = nn.Identity() if same else conv_norm(w_in, widths[-1], 1 if pointwise == "on" else 3, stride)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        joined: torch.Tensor = self.layers(maps) + self.shortcut(maps)
        return joined


def exit_unit(w_in: int, w_out: int, pointwise: str = "on") -> nn.Sequential:
    """A separable convolution with ReLU behind it."""
    return nn.Sequential(*separable(w_in, w_out, pointwise), nn.ReLU(inplace=True))


@register(
    ModelSpec(
        name="xception",
        title="Xception (small)",
        family="xception",
        year=2016,
        paper=XCEPTION_PAPER,
        parents=("inception",),
        takes=TAKES,
        input_shape=(3, 32, 32),
        min_size=1,
        head_kind="gap+fc",
        published=(Published(5_513_006, 484_263_424, "arithmetic, layer by layer in the tests"),),
        knobs={"pointwise": ("on", "off"), "width": WIDTH},
        deviations=(
            "For 32x32: stem and first block keep the map's size, and the widths from 728 on are halved.",
            "pointwise=off makes each separable convolution a dense 3x3, shortcuts too.",
        ),
    )
)
def build_xception(num_classes: int, in_channels: int, image_size: int, *, pointwise: str = "on", width: float = 1.0) -> nn.Module:
    """The flows of figure 5 at maps of 32, 16, 8 and 4."""
    w32, w64, w128, w256, w364, w512, w768, w1024 = (scaled(w, width) for w in (32, 64, 128, 256, 364, 512, 768, 1024))
    features = nn.Sequential(
        conv_norm(in_channels, w32, 3, relu=True),
        conv_norm(w32, w64, 3, relu=True),
        Block(w64, (w128, w128), relu_first=False, pointwise=pointwise),
        Block(w128, (w256, w256), 2, pointwise=pointwise),
        Block(w256, (w364, w364), 2, pointwise=pointwise),
        *(Block(w364, (w364,) * 3, pointwise=pointwise) for _ in range(8)),
        Block(w364, (w364, w512), 2, pointwise=pointwise),
        exit_unit(w512, w768, pointwise),
        exit_unit(w768, w1024, pointwise),
    )
    return Classifier(features, average_and_linear(w1024, num_classes))


RENAME = (
    (r"^conv1\.", "features.conv1.0."),
    (r"^bn1\.", "features.conv1.1."),
    (r"^conv2\.", "features.conv2.0."),
    (r"^bn2\.", "features.conv2.1."),
    (r"^conv([34])\.conv1\.", r"features.conv\1.0."),
    (r"^conv([34])\.pointwise\.", r"features.conv\1.1."),
    (r"^bn([34])\.", r"features.conv\1.2."),
    (r"^(block\d+)\.skip\.", r"features.\1.shortcut.0."),
    (r"^(block\d+)\.skipbn\.", r"features.\1.shortcut.1."),
    # timm counts ReLU, separable convolution and norm one by one, we two by two; its first block has no leading ReLU
    (r"^block1\.rep\.0\.conv1\.", "features.block1.layers.0.0."),
    (r"^block1\.rep\.0\.pointwise\.", "features.block1.layers.0.1."),
    (r"^block1\.rep\.1\.", "features.block1.layers.0.2."),
    (r"^block1\.rep\.3\.conv1\.", "features.block1.layers.2.0."),
    (r"^block1\.rep\.3\.pointwise\.", "features.block1.layers.2.1."),
    (r"^block1\.rep\.4\.", "features.block1.layers.2.2."),
    *(
        rule
        for theirs, ours in ((1, 1), (4, 3), (7, 5))
        for rule in (
            (rf"^(block\d+)\.rep\.{theirs}\.conv1\.", rf"features.\1.layers.{ours}.0."),
            (rf"^(block\d+)\.rep\.{theirs}\.pointwise\.", rf"features.\1.layers.{ours}.1."),
            (rf"^(block\d+)\.rep\.{theirs + 1}\.", rf"features.\1.layers.{ours}.2."),
        )
    ),
    (r"^fc\.", "head.2."),
)


@register(
    ModelSpec(
        name="xception_imagenet",
        title="Xception",
        family="xception",
        year=2016,
        paper=XCEPTION_PAPER,
        parents=("inception_v3_imagenet",),
        takes=TAKES,
        input_shape=(3, 299, 299),
        num_classes=1000,
        min_size=7,
        head_kind="gap+fc",
        published=(Published(22_855_952, 8_357_403_496, "paper, table 3 (22,855,952 parameters); pytorchcv; timm"),),
        claims=(Claim("imagenet", "", 21.0, "table 1", network=DROPOUT, source="section 4.4"),),
        deviations=(
            "As in timm, batch norm adds 1e-5 where Keras' original adds 1e-3, and there is no dropout before the last layer (paper: 0.5).",
        ),
        weights=Weights("timm:legacy_xception", "tf_in1k", RENAME, mean=HALF, deviation=HALF, resize=333, bicubic=True),
    )
)
def build_xception_imagenet(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
    """Entry, middle and exit flow (figure 5)."""
    features = nn.Sequential()
    features.add_module("conv1", conv_norm(in_channels, 32, 3, 2, padding=0, relu=True))
    features.add_module("conv2", conv_norm(32, 64, 3, padding=0, relu=True))
    features.add_module("block1", Block(64, (128, 128), 2, relu_first=False))
    features.add_module("block2", Block(128, (256, 256), 2))
    features.add_module("block3", Block(256, (728, 728), 2))
    for number in range(4, 12):
        features.add_module(f"block{number}", Block(728, (728,) * 3))
    features.add_module("block12", Block(728, (728, 1024), 2))
    features.add_module("conv3", exit_unit(1024, 1536))
    features.add_module("conv4", exit_unit(1536, 2048))
    return Classifier(features, average_and_linear(2048, num_classes))
