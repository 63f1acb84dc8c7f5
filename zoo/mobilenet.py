"""MobileNet (Howard et al., 2017), version 1, for 32x32 images."""

from __future__ import annotations

from torch import nn

from zoo._blocks import Classifier, average_and_linear, conv_norm
from zoo.registry import ModelSpec, Paper, Published, register

MOBILENET_PAPER = Paper(
    title="MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications",
    arxiv="1704.04861",
    bibtex="""@article{howard2017mobilenets,
  title = {{MobileNets}: Efficient Convolutional Neural Networks for Mobile Vision Applications},
  author = {Howard, Andrew G. and Zhu, Menglong and Chen, Bo and Kalenichenko, Dmitry and Wang, Weijun and Weyand, Tobias
            and Andreetto, Marco and Adam, Hartwig},
  journal = {arXiv preprint arXiv:1704.04861},
  year = {2017}
}""",
)
# (width, stride) of the thirteen separable blocks, table 1
BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))


def separable(w_in: int, w_out: int, stride: int) -> nn.Sequential:
    """Depthwise 3x3, then pointwise 1x1, each with batch norm and ReLU (figure 3, right)."""
    return nn.Sequential(
        *conv_norm(w_in, w_in, 3, stride, groups=w_in),
        nn.ReLU(inplace=True),
        *conv_norm(w_in, w_out, 1),
        nn.ReLU(inplace=True),
    )


@register(
    ModelSpec(
        name="mobilenet",
        title="MobileNet v1 (small)",
        family="mobilenet",
        year=2017,
        paper=MOBILENET_PAPER,
        parents=("xception",),
        takes="1x1 convolutions do nearly all of the mixing of channels; 3x3 ones only look, one channel each.",
        input_shape=(3, 32, 32),
        min_size=1,
        head_kind="gap+fc",
        published=(Published(3_217_226, 46_354_432, "kuangliu/pytorch-cifar"),),
        deviations=("For 32x32: the stem has stride 1.",),
    )
)
def build_mobilenet(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
    """A 3x3 stem and thirteen separable blocks, global average, one linear layer (table 1)."""
    widths = (32, *(width for width, _ in BLOCKS))
    blocks = [separable(w_in, w_out, stride) for w_in, (w_out, stride) in zip(widths, BLOCKS, strict=False)]
    features = nn.Sequential(conv_norm(in_channels, 32, 3), nn.ReLU(inplace=True), *blocks)
    return Classifier(features, average_and_linear(1024, num_classes))
