"""ResNeXt (Xie et al., 2017): 1x1 convolutions around a 3x3 that is split into groups."""

from __future__ import annotations

import functools

from torch import nn

from zoo._blocks import Classifier, average_and_linear
from zoo._claims import TORCH_RESNET, Claim
from zoo._residual import RENAME, Bottleneck, Stage, cifar_stem, imagenet_stages, imagenet_stem, trunk
from zoo.registry import ModelSpec, Paper, Published, Weights, register

RESNEXT_PAPER = Paper(
    title="Aggregated Residual Transformations for Deep Neural Networks",
    arxiv="1611.05431",
    bibtex="""@inproceedings{xie2017aggregated,
  title = {Aggregated Residual Transformations for Deep Neural Networks},
  author = {Xie, Saining and Girshick, Ross and Doll{\\'a}r, Piotr and Tu, Zhuowen and He, Kaiming},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition},
  year = {2017},
  eprint = {1611.05431},
  archivePrefix = {arXiv}
}""",
)
CODE = "facebookresearch/ResNeXt"
TAKES = "1x1 convolutions carry all mixing between groups of channels, around a 3x3 that looks at each group alone."
CIFAR_STAGES = (Stage(256, 3, 1), Stage(512, 3, 2), Stage(1024, 3, 2))


def grouped_bottleneck(w_in: int, w_out: int, stride: int, *, cardinality: int, group_width: int) -> nn.Module:
    """A bottleneck whose 3x3 has `cardinality` groups of `group_width` maps where `w_out` is 256, twice that at 512 (table 1)."""
    return Bottleneck(w_in, cardinality * group_width * w_out // 256, w_out, stride, groups=cardinality)


def build_resnext(num_classes: int, in_channels: int, image_size: int, *, cardinality: int, group_width: int) -> nn.Module:
    """A 3x3 stem of 64 maps and three stages of three blocks: 29 layers (section 5.3)."""
    block = functools.partial(grouped_bottleneck, cardinality=cardinality, group_width=group_width)
    return Classifier(trunk(cifar_stem(in_channels, 64), 64, CIFAR_STAGES, block), average_and_linear(1024, num_classes))


def spec(name: str, form: str, published: Published, claims: tuple[Claim, ...] = (), deviations: tuple[str, ...] = ()) -> ModelSpec:
    """The spec of one of the 29-layer networks."""
    return ModelSpec(
        name=name,
        title=f"ResNeXt-29 {form}",
        aliases=(f"resnext29_{form}",),
        family="resnext",
        year=2016,
        paper=RESNEXT_PAPER,
        parents=("resnet_bottleneck",),
        takes=TAKES,
        input_shape=(3, 32, 32),
        min_size=1,
        head_kind="gap+fc",
        published=(published,),
        claims=claims,
        deviations=deviations,
    )


def cifar_claims(cifar10_pct: float, cifar100_pct: float) -> tuple[Claim, ...]:
    """Errors of table 7."""
    return tuple(
        Claim(
            dataset,
            "translation and flip",
            error_pct,
            "table 7",
            epochs=300,
            preprocessing="normalise",
            translate=4,
            source=f"appendix A; {CODE} datasets/{dataset}.lua (preprocessing)",
        )
        for dataset, error_pct in (("cifar10", cifar10_pct), ("cifar100", cifar100_pct))
    )


register(
    spec(
        "resnext",
        "32x4d",
        Published(4_775_754, 774_055_936, "pytorchcv"),
        deviations=("The paper trains 8x64d and 16x64d on CIFAR; 32x4d is its ImageNet form in the same 29 layers.",),
    )
)(functools.partial(build_resnext, cardinality=32, group_width=4))
register(spec("resnext_8x64d", "8x64d", Published(34_426_698, 5_387_266_048, "prlz77/ResNeXt.pytorch"), cifar_claims(3.65, 17.77)))(
    functools.partial(build_resnext, cardinality=8, group_width=64)
)
register(spec("resnext_16x64d", "16x64d", Published(68_155_210, 10_688_866_304, "pytorchcv"), cifar_claims(3.58, 17.31)))(
    functools.partial(build_resnext, cardinality=16, group_width=64)
)


@register(
    ModelSpec(
        name="resnext_imagenet",
        title="ResNeXt-50 32x4d",
        aliases=("resnext50_32x4d",),
        family="resnext",
        year=2016,
        paper=RESNEXT_PAPER,
        parents=("resnet_bottleneck_imagenet",),
        takes=TAKES,
        input_shape=(3, 224, 224),
        num_classes=1000,
        min_size=1,
        head_kind="gap+fc",
        published=(Published(25_028_904, 4_230_479_872, "torchvision"),),
        claims=(
            Claim(
                "imagenet",
                TORCH_RESNET,
                22.2,
                "table 3",
                epochs=100,
                preprocessing="normalise",
                source=f"{CODE} opts.lua (length) and datasets/imagenet.lua",
            ),
        ),
        weights=Weights("torchvision:resnext50_32x4d", "IMAGENET1K_V1", RENAME),
    )
)
def build_resnext_imagenet(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
    """ResNet-50 with 32 groups of 4 in the first stage's 3x3 (table 1)."""
    block = functools.partial(grouped_bottleneck, cardinality=32, group_width=4)
    features = trunk(imagenet_stem(in_channels, 64), 64, imagenet_stages(), block)
    return Classifier(features, average_and_linear(2048, num_classes))
