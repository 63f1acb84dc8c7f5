"""DenseNet (Huang et al., 2017): each layer sees all maps before it, through a 1x1 bottleneck."""

from __future__ import annotations

import torch
from torch import nn

from zoo._blocks import Classifier, average_and_linear, named, scaled
from zoo._claims import SVHN_TRAINED_ON, TORCH_RESNET, ZERO_TO_ONE, Claim
from zoo._residual import imagenet_stem
from zoo.registry import WIDTH, ModelSpec, Paper, Published, Weights, register

DENSENET_PAPER = Paper(
    title="Densely Connected Convolutional Networks",
    arxiv="1608.06993",
    bibtex="""@inproceedings{huang2017densely,
  title = {Densely Connected Convolutional Networks},
  author = {Huang, Gao and Liu, Zhuang and van der Maaten, Laurens and Weinberger, Kilian Q.},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition},
  year = {2017},
  eprint = {1608.06993},
  archivePrefix = {arXiv}
}""",
)
TAKES = "1x1 bottlenecks before each 3x3, 1x1 transitions between blocks, and an averaged head."
PLAIN = "pointwise=off leaves the bottlenecks out, as the paper's DenseNet without B, and makes the transitions 3x3."
DROPOUT = "the paper's has dropout of 0.2"
CODE = "liuzhuang13/DenseNet"
BOTTLENECK, COMPRESSION = 4, 2  # maps of a bottleneck in growth rates; a transition halves the maps


def cifar_claim(dataset: str, error_pct: float, *, augmented: bool) -> Claim:
    """An error of table 2; without augmentation the network has dropout."""
    return Claim(
        dataset,
        "translation and flip" if augmented else "none",
        error_pct,
        "table 2",
        network="" if augmented else DROPOUT,
        epochs=300,
        preprocessing="normalise",
        translate=4 if augmented else None,
        source=f"sections 4.1 and 4.2; {CODE} datasets/{dataset}.lua",
    )


def conv(w_in: int, w_out: int, kernel: int) -> nn.Conv2d:
    """A convolution without bias that keeps the map's size."""
    return nn.Conv2d(w_in, w_out, kernel, padding=kernel // 2, bias=False)


class DenseLayer(nn.Module):
    """Norm, ReLU, 1x1 to `4 * growth` maps, norm, ReLU, 3x3 to `growth`, joined to the input (section 3)."""

    def __init__(self, w_in: int, growth: int, pointwise: str) -> None:
        super().__init__()
        inner = BOTTLENECK * growth if pointwise == "on" else w_in
        bottleneck = {"norm1": nn.BatchNorm2d(w_in), "relu1": nn.ReLU(), "conv1": conv(w_in, inner, 1)} if pointwise == "on" else {}
        self.layers = named(**bottleneck, norm2=nn.BatchNorm2d(inner), relu2=nn.ReLU(), conv2=conv(inner, growth, 3))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return torch.cat([maps, self.layers(maps)], dim=1)


def transition(w_in: int, w_out: int, pointwise: str) -> nn.Sequential:
    """Norm, ReLU, 1x1 to half the maps, average pooling 2x2."""
    kernel = 1 if pointwise == "on" else 3
    return named(norm=nn.BatchNorm2d(w_in), relu=nn.ReLU(inplace=True), conv=conv(w_in, w_out, kernel), pool=nn.AvgPool2d(2))


def dense_network(
    num_classes: int, stem: nn.Module, w_stem: int, depths: tuple[int, ...], growth: float, pointwise: str = "on"
) -> nn.Module:
    """Dense blocks with transitions between them, a last norm and ReLU, the averaged head.

    A growth rate that is no whole number alternates between the two next to it.
    """
    layers, maps, made = {"stem": stem}, w_stem, 0
    for number, depth in enumerate(depths, start=1):
        block = named()
        for index in range(1, depth + 1):
            grown = max(1, round((made + 1) * growth) - round(made * growth))
            block.add_module(f"layer{index}", DenseLayer(maps, grown, pointwise))
            maps, made = maps + grown, made + 1
        layers[f"block{number}"] = block
        if number < len(depths):
            layers[f"transition{number}"] = transition(maps, maps // COMPRESSION, pointwise)
            maps //= COMPRESSION
    features = named(**layers, norm=nn.BatchNorm2d(maps), relu=nn.ReLU(inplace=True))
    return Classifier(features, average_and_linear(maps, num_classes))


@register(
    ModelSpec(
        name="densenet",
        title="DenseNet-BC-100-12",
        aliases=("densenet_bc_100_12",),
        family="densenet",
        year=2016,
        paper=DENSENET_PAPER,
        parents=("resnet_bottleneck",),
        takes=TAKES,
        input_shape=(3, 32, 32),
        min_size=4,
        head_kind="gap+fc",
        published=(Published(769_162, 287_929_692, "pytorchcv; hysts; bearpaw"),),
        claims=(
            cifar_claim("cifar10", 5.92, augmented=False),
            cifar_claim("cifar10", 4.51, augmented=True),
            cifar_claim("cifar100", 24.15, augmented=False),
            cifar_claim("cifar100", 22.27, augmented=True),
            Claim(
                "svhn",
                "none",
                1.76,
                "table 2",
                network=DROPOUT,
                epochs=40,
                preprocessing=ZERO_TO_ONE,
                train_images=SVHN_TRAINED_ON,
                source="sections 4.1 and 4.2",
            ),
        ),
        knobs={"pointwise": ("on", "off"), "width": WIDTH},
        deviations=(PLAIN, "No dropout; the paper's figures without augmentation (and on SVHN) come with 0.2 behind each convolution."),
    )
)
def build_densenet(num_classes: int, in_channels: int, image_size: int, *, pointwise: str = "on", width: float = 1.0) -> nn.Module:
    """A 3x3 stem of 24 maps and three blocks of sixteen layers, growth rate 12."""
    maps = scaled(24, width)
    return dense_network(num_classes, conv(in_channels, maps, 3), maps, (16, 16, 16), 12 * width, pointwise)


@register(
    ModelSpec(
        name="densenet_imagenet",
        title="DenseNet-121",
        aliases=("densenet121",),
        family="densenet",
        year=2016,
        paper=DENSENET_PAPER,
        parents=("resnet_bottleneck_imagenet",),
        takes=TAKES,
        input_shape=(3, 224, 224),
        num_classes=1000,
        min_size=29,
        head_kind="gap+fc",
        published=(Published(7_978_856, 2_834_161_664, "torchvision"),),
        claims=(
            Claim(
                "imagenet",
                TORCH_RESNET,
                25.02,
                "table 3",
                epochs=90,
                preprocessing="normalise",
                source=f"sections 4.1 and 4.2; {CODE} datasets/imagenet.lua",
            ),
        ),
        weights=Weights(
            "torchvision:densenet121",
            "IMAGENET1K_V1",
            (
                (r"^features\.conv0\.", "features.stem.0."),
                (r"^features\.norm0\.", "features.stem.1."),
                (r"denseblock(\d)\.denselayer(\d+)\.(norm|conv)\.?([12])\.", r"block\1.layer\2.layers.\3\4."),
                (r"^features\.norm5\.", "features.norm."),
                (r"^classifier\.", "head.2."),
            ),
        ),
    )
)
def build_densenet_imagenet(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
    """A 7x7 stem, pooling, blocks of 6, 12, 24 and 16 layers, growth rate 32 (table 1)."""
    return dense_network(num_classes, imagenet_stem(in_channels, 64), 64, (6, 12, 24, 16), 32)
