"""ResNet (He et al., 2016): residual paths, and in the bottleneck 1x1 convolutions around each 3x3."""

from __future__ import annotations

import functools

from torch import nn

from zoo._blocks import Classifier, average_and_linear, scaled
from zoo._claims import PIXEL_MEAN, TEN_CROPS, Claim, imagenet_epochs
from zoo._residual import (
    RENAME,
    BasicBlock,
    Bottleneck,
    cifar_stages,
    cifar_stem,
    imagenet_stages,
    imagenet_stem,
    trunk,
)
from zoo.registry import WIDTH, ModelSpec, Paper, Published, Weights, register

RESNET_PAPER = Paper(
    title="Deep Residual Learning for Image Recognition",
    arxiv="1512.03385",
    bibtex="""@inproceedings{he2016deep,
  title = {Deep Residual Learning for Image Recognition},
  author = {He, Kaiming and Zhang, Xiangyu and Ren, Shaoqing and Sun, Jian},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition},
  year = {2016},
  eprint = {1512.03385},
  archivePrefix = {arXiv}
}""",
)
EXPANSION = 4
CIFAR_EPOCHS = 164  # 64,000 iterations of 128 of 50,000 images (section 4.2)
AS_RESNET = "arXiv:1603.05027, appendix; arXiv:1512.03385, section 4.2; KaimingHe/resnet-1k-layers (stride)"
CIFAR_BOTTLENECK = "The paper's CIFAR networks use basic blocks; these are its bottlenecks in the same three stages."
STRIDE = "The stride sits on the 3x3, as in later practice; stride=1x1 is the paper's placement."
BOTTLENECK_TAKES = "1x1 convolutions squeeze the channels before each 3x3 and restore them after; the head averages the last maps."
PLAIN = "pointwise=off puts the paper's basic block of two 3x3 in each bottleneck's place, with shortcuts that have no 1x1."


def build_resnet_basic(
    num_classes: int, in_channels: int, image_size: int, *, depth: int, shortcut: str = "pad", width: float = 1.0
) -> nn.Module:
    """A 3x3 stem and three stages of `depth` basic blocks, 16, 32 and 64 maps (section 4.2)."""
    stages = cifar_stages(depth, width=width)
    block = functools.partial(BasicBlock, shortcut_kind=shortcut)
    features = trunk(cifar_stem(in_channels, stages[0].w_out), stages[0].w_out, stages, block)
    return Classifier(features, average_and_linear(stages[-1].w_out, num_classes))


def bottleneck(w_in: int, w_out: int, stride: int, *, stride_on: str, pointwise: str) -> nn.Module:
    """A bottleneck whose 3x3 has a quarter of the maps, or without its 1x1 layers a basic block of the same input and output."""
    if pointwise == "off":
        return BasicBlock(w_in, w_out, stride)
    return Bottleneck(w_in, max(1, w_out // EXPANSION), w_out, stride, stride_on=stride_on)


def build_resnet_bottleneck(
    num_classes: int, in_channels: int, image_size: int, *, depth: int, stride: str = "3x3", pointwise: str = "on", width: float = 1.0
) -> nn.Module:
    """A 3x3 stem and three stages of `depth` bottlenecks, widths 16, 32, 64 times four."""
    stages, w_stem = cifar_stages(depth, EXPANSION, width), scaled(16, width)
    block = functools.partial(bottleneck, stride_on=stride, pointwise=pointwise)
    features = trunk(cifar_stem(in_channels, w_stem), w_stem, stages, block)
    return Classifier(features, average_and_linear(stages[-1].w_out, num_classes))


def cifar_claim(error_pct: float, where: str, dataset: str = "cifar10", source: str = "section 4.2", **knobs: str) -> Claim:
    """An error on small images after the paper's 64,000 iterations."""
    return Claim(
        dataset,
        "translation and flip",
        error_pct,
        where,
        knobs,
        epochs=CIFAR_EPOCHS,
        preprocessing=PIXEL_MEAN,
        translate=4,
        source=source,
    )


def basic_spec(name: str, layers: int, published: tuple[Published, ...], error_pct: float, where: str) -> ModelSpec:
    """The spec of one of the paper's CIFAR networks."""
    return ModelSpec(
        name=name,
        title=f"ResNet-{layers}",
        aliases=(f"resnet{layers}",),
        family="resnet",
        year=2015,
        paper=RESNET_PAPER,
        parents=("vgg", "nin"),
        takes="Only the averaged head: its blocks have no 1x1 convolution, which makes it the control for the bottleneck.",
        input_shape=(3, 32, 32),
        min_size=1,
        head_kind="gap+fc",
        published=published,
        claims=(cifar_claim(error_pct, where),),
        knobs={"shortcut": ("pad", "projection"), "width": WIDTH},
    )


def both_shortcuts(params: int, macs: int) -> tuple[Published, ...]:
    """The counts with projection shortcuts, and without: 16 x 32 + 64 and 32 x 64 + 128 weights, twice 131,072 MACs less."""
    padded = Published(params - 2_752, macs - 262_144, "arithmetic: pytorchcv's less two projections")
    return padded, Published(params, macs, "pytorchcv", knobs={"shortcut": "projection"})


def register_basic(name: str, depth: int, published: tuple[Published, ...], error_pct: float, where: str = "table 6") -> None:
    """Enter the network of `depth` blocks a stage: 6 depth + 2 layers."""
    register(basic_spec(name, 6 * depth + 2, published, error_pct, where))(functools.partial(build_resnet_basic, depth=depth))


register_basic("resnet_basic", 3, both_shortcuts(272_474, 40_813_184), 8.75)
register_basic("resnet_basic_56", 9, both_shortcuts(855_770, 125_747_840), 6.97)
register_basic("resnet_basic_110", 18, both_shortcuts(1_730_714, 253_149_824), 6.43, "table 6, the best of five runs")


def bottleneck_spec(name: str, layers: int, published: tuple[Published, ...], claims: tuple[Claim, ...] = ()) -> ModelSpec:
    """The spec of a bottleneck network for 32x32."""
    return ModelSpec(
        name=name,
        title=f"ResNet-{layers} bottleneck",
        aliases=(f"resnet{layers}",),
        family="resnet",
        year=2015,
        paper=RESNET_PAPER,
        parents=("nin", "inception"),
        takes=BOTTLENECK_TAKES,
        input_shape=(3, 32, 32),
        min_size=1,
        head_kind="gap+fc",
        published=published,
        claims=claims,
        knobs={"stride": ("3x3", "1x1"), "pointwise": ("on", "off"), "width": WIDTH},
        excludes={"pointwise": ("stride",)},
        deviations=(CIFAR_BOTTLENECK, STRIDE, PLAIN),
    )


register(
    bottleneck_spec(
        "resnet_bottleneck",
        29,
        (
            Published(313_114, 47_106_560, "arithmetic from the layers named here"),
            Published(313_114, 43_960_832, "arithmetic, stride as in the paper", knobs={"stride": "1x1"}),
        ),
    )
)(functools.partial(build_resnet_bottleneck, depth=3))
register(
    bottleneck_spec(
        "resnet_bottleneck_164",
        164,
        (
            Published(1_704_154, 247_646_720, "pytorchcv"),
            Published(1_704_154, 244_500_992, "arithmetic, stride as in the paper", knobs={"stride": "1x1"}),
        ),
        (cifar_claim(5.93, "arXiv:1603.05027, table 4", source=AS_RESNET, stride="1x1"),),
    )
)(functools.partial(build_resnet_bottleneck, depth=18))


@register(
    ModelSpec(
        name="resnet_bottleneck_imagenet",
        title="ResNet-50",
        aliases=("resnet50",),
        family="resnet",
        year=2015,
        paper=RESNET_PAPER,
        parents=("nin_imagenet", "inception_imagenet"),
        takes=BOTTLENECK_TAKES,
        input_shape=(3, 224, 224),
        num_classes=1000,
        min_size=1,
        head_kind="gap+fc",
        published=(
            Published(25_557_032, 4_089_184_256, "torchvision"),
            Published(25_557_032, 3_857_973_248, "arithmetic, stride as in the paper", knobs={"stride": "1x1"}),
        ),
        claims=(
            Claim(
                "imagenet",
                "random crop at a scale of 256 to 480 pixels, flip and colour",
                22.85,
                "table 3",
                {"stride": "1x1"},
                epochs=imagenet_epochs(600_000, 256),
                preprocessing=PIXEL_MEAN,
                tested=TEN_CROPS,
                source="section 3.4",
            ),
        ),
        knobs={"stride": ("3x3", "1x1"), "pointwise": ("on", "off"), "width": WIDTH},
        excludes={"pointwise": ("stride",)},
        deviations=(STRIDE, PLAIN),
        weights=Weights("torchvision:resnet50", "IMAGENET1K_V1", RENAME),
    )
)
def build_resnet_bottleneck_imagenet(
    num_classes: int, in_channels: int, image_size: int, *, stride: str = "3x3", pointwise: str = "on", width: float = 1.0
) -> nn.Module:
    """A 7x7 stem, pooling, and stages of 3, 4, 6 and 3 bottlenecks (table 1)."""
    stages, w_stem = imagenet_stages(EXPANSION, width), scaled(64, width)
    block = functools.partial(bottleneck, stride_on=stride, pointwise=pointwise)
    features = trunk(imagenet_stem(in_channels, w_stem), w_stem, stages, block)
    return Classifier(features, average_and_linear(stages[-1].w_out, num_classes))
