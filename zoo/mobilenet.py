"""MobileNet (Howard et al., 2017), version 1: pointwise convolutions do nearly all of the computing."""

from __future__ import annotations

import functools

from torch import nn

from zoo._blocks import Classifier, average_and_linear, conv_norm, scaled
from zoo._claims import Claim
from zoo.registry import WIDTH, ModelSpec, Paper, Published, register

MOBILENET_PAPER = Paper(
    title="MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications",
    arxiv="1704.04861",
    bibtex="""@article{howard2017mobilenets,
  title = {MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications},
  author = {Howard, Andrew G. and Zhu, Menglong and Chen, Bo and Kalenichenko, Dmitry and Wang, Weijun and Weyand, Tobias
            and Andreetto, Marco and Adam, Hartwig},
  journal = {arXiv preprint arXiv:1704.04861},
  year = {2017}
}""",
)
TAKES = "1x1 convolutions do nearly all of the mixing of channels; 3x3 ones only look, one channel each."
PLAIN = "pointwise=off makes each separable convolution a dense 3x3."
# (width, stride) of the thirteen separable blocks, table 1
BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))


def separable(w_in: int, w_out: int, stride: int, pointwise: str) -> nn.Sequential:
    """Depthwise 3x3, then pointwise 1x1, each with batch norm and ReLU (figure 3, right); without pointwise one dense 3x3."""
    if pointwise == "off":
        return conv_norm(w_in, w_out, 3, stride, relu=True)
    return nn.Sequential(*conv_norm(w_in, w_in, 3, stride, groups=w_in, relu=True), *conv_norm(w_in, w_out, 1, relu=True))


def build_mobilenet(
    num_classes: int, in_channels: int, image_size: int, *, pointwise: str = "on", width: float = 1.0, stem_stride: int = 1
) -> nn.Module:
    """A 3x3 stem and thirteen separable blocks, global average, one linear layer (table 1)."""
    widths = [scaled(w, width) for w in (32, *(w_out for w_out, _ in BLOCKS))]
    zipped = zip(widths, widths[1:], BLOCKS, strict=False)
    blocks = [separable(w_in, w_out, stride, pointwise) for w_in, w_out, (_, stride) in zipped]
    features = nn.Sequential(conv_norm(in_channels, widths[0], 3, stem_stride, relu=True), *blocks)
    return Classifier(features, average_and_linear(widths[-1], num_classes))


register(
    ModelSpec(
        name="mobilenet",
        title="MobileNet v1 (small)",
        family="mobilenet",
        year=2017,
        paper=MOBILENET_PAPER,
        parents=("xception",),
        takes=TAKES,
        input_shape=(3, 32, 32),
        min_size=1,
        head_kind="gap+fc",
        published=(Published(3_217_226, 46_354_432, "kuangliu/pytorch-cifar"),),
        knobs={"pointwise": ("on", "off"), "width": WIDTH},
        deviations=("For 32x32: the stem has stride 1.", PLAIN),
    )
)(build_mobilenet)

register(
    ModelSpec(
        name="mobilenet_imagenet",
        title="MobileNet v1",
        aliases=("mobilenet_v1",),
        family="mobilenet",
        year=2017,
        paper=MOBILENET_PAPER,
        parents=("xception_imagenet",),
        takes=TAKES,
        input_shape=(3, 224, 224),
        num_classes=1000,
        min_size=1,
        head_kind="gap+fc",
        published=(Published(4_231_976, 568_740_352, "pytorchcv; 569 M in the paper, table 4"),),
        claims=(Claim("imagenet", "", 29.4, "table 8"),),
        knobs={"pointwise": ("on", "off"), "width": WIDTH},
        deviations=(PLAIN,),
    )
)(functools.partial(build_mobilenet, stem_stride=2))
