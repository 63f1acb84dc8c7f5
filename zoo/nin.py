"""Network In Network (Lin, Chen, Yan; ICLR 2014): an MLP inside each receptive field, class maps read by global average.

Structure from the author's configuration for CIFAR-10 (mavenlin/cuda-convnet, folder NIN).
"""

from __future__ import annotations

import functools
from collections import OrderedDict

from torch import nn

from zoo._blocks import Classifier, conv_relu, global_average, max_pool_ceil, pooled_ceil
from zoo.registry import Claim, ModelSpec, Paper, Published, TrainingHints, register

NIN_PAPER = Paper(
    title="Network In Network",
    arxiv="1312.4400",
    bibtex="""@inproceedings{lin2014nin,
  title = {Network In Network},
  author = {Lin, Min and Chen, Qiang and Yan, Shuicheng},
  booktitle = {International Conference on Learning Representations},
  year = {2014},
  eprint = {1312.4400},
  archivePrefix = {arXiv}
}""",
)
NIN_CLAIMS = (
    Claim("cifar10", "none", 10.41, "table 1"),
    Claim("cifar10", "translation and flip", 8.81, "table 1"),
    Claim("cifar100", "none", 35.68, "table 2"),
    Claim("svhn", "none", 2.35, "table 3"),
    Claim("mnist", "none", 0.47, "table 4"),
)
NO_NORM_HINTS = TrainingHints(
    lr=0.06,
    warmup_fraction=0.25,
    clip_norm=1.0,
    dropout_scale=0.1,
    init="he",
    start_alive=("features.class_maps",),
    unless={"norm": "batch"},
    reason="without batch norm the ReLU over the class maps can die, and the loss then stays at ln(classes)",
)


def mlpconv(w_in: int, w_spatial: int, kernel: int, mlp: tuple[int, ...], norm: bool) -> list[nn.Module]:
    """An mlpconv layer (section 3.1): a spatial convolution, then a 1x1 convolution for each width in `mlp`, ReLU after each."""
    layers: list[nn.Module] = [conv_relu(w_in, w_spatial, kernel, norm=norm)]
    for w_before, w_out in zip((w_spatial, *mlp), mlp, strict=False):
        layers.append(conv_relu(w_before, w_out, 1, norm=norm))
    return layers


def mlp_widths(hidden: int, w_out: int, depth: int) -> tuple[int, ...]:
    """Widths of `depth` 1x1 layers that end in `w_out`; depth 2 is the paper's."""
    return (hidden,) * (depth - 1) + (w_out,) if depth else ()


def average_pool_ceil() -> nn.AvgPool2d:
    """Average pooling with the windows of `max_pool_ceil`."""
    return nn.AvgPool2d(3, 2, ceil_mode=True)


def nin_head(kind: str, num_classes: int, map_size: int) -> nn.Sequential:
    """Reads the class maps: their average, or a fully connected layer over all their places (section 4.6)."""
    if kind == "gap":
        return global_average()
    dropout = [nn.Dropout(0.5)] if kind == "fc_dropout" else []
    return nn.Sequential(nn.Flatten(), *dropout, nn.Linear(num_classes * map_size**2, num_classes))


def build_nin(
    num_classes: int,
    in_channels: int,
    image_size: int,
    *,
    mlp_depth: int = 2,
    head: str = "gap",
    pool2: str = "max",
    norm: str = "none",
) -> nn.Module:
    """Three mlpconv layers, pooling and dropout between them, one map a class at the end (figure 2)."""
    batch_norm = norm == "batch"
    block1 = mlpconv(in_channels, 192, 5, mlp_widths(160, 96, mlp_depth), batch_norm)
    block2 = mlpconv(96 if mlp_depth else 192, 192, 5, mlp_widths(192, 192, mlp_depth), batch_norm)
    w_last = 192 if mlp_depth else num_classes
    *block3, class_maps = mlpconv(192, w_last, 3, mlp_widths(192, num_classes, mlp_depth), batch_norm)
    layers: dict[str, nn.Module] = {
        "mlpconv1": nn.Sequential(*block1),
        "pool1": nn.Sequential(max_pool_ceil(), nn.Dropout(0.5)),
        "mlpconv2": nn.Sequential(*block2),
        "pool2": nn.Sequential(max_pool_ceil() if pool2 == "max" else average_pool_ceil(), nn.Dropout(0.5)),
        "mlpconv3": nn.Sequential(*block3),
        "class_maps": class_maps,
    }
    return Classifier(nn.Sequential(OrderedDict(layers)), nin_head(head, num_classes, pooled_ceil(pooled_ceil(image_size))))


register(
    ModelSpec(
        name="nin",
        title="NIN",
        family="nin",
        year=2014,
        paper=NIN_PAPER,
        parents=("alexnet", "maxout"),
        takes="The idea itself: an MLP of 1x1 convolutions in each receptive field, and class maps read by their average.",
        input_shape=(3, 32, 32),
        min_size=4,
        head_kind="gap",
        published=(
            Published(966_986, 222_486_528, "author's configuration; pytorchcv (parameters)"),
            Published(973_396, 222_492_928, "arithmetic: 640 inputs to 10 classes added", knobs={"head": "fc"}),
            Published(968_404, 222_486_528, "arithmetic: batch norm for the biases", knobs={"norm": "batch"}),
        ),
        claims=(
            *NIN_CLAIMS,
            Claim("cifar10", "none (fully connected head)", 11.59, "table 5"),
            Claim("cifar10", "none (fully connected head, dropout)", 10.88, "table 5"),
        ),
        knobs={
            "mlp_depth": (0, 1, 2, 3),
            "head": ("gap", "fc", "fc_dropout"),
            "pool2": ("max", "avg"),
            "norm": ("none", "batch"),
        },
        deviations=("The second pool is max, as in the author's configuration; the Caffe Model Zoo averages (pool2=avg).",),
        hints=NO_NORM_HINTS,
    )
)(build_nin)

register(
    ModelSpec(
        name="nin_bn",
        title="NIN + batch norm",
        family="nin",
        year=2015,
        paper=NIN_PAPER,
        parents=("nin",),
        takes="NIN whole; batch norm behind each of its nine convolutions is what later practice added.",
        input_shape=(3, 32, 32),
        min_size=4,
        head_kind="gap",
        published=(Published(968_404, 222_486_528, "arithmetic: nin without biases, two batch norm parameters a map"),),
        knobs={"mlp_depth": (0, 1, 2, 3), "head": ("gap", "fc", "fc_dropout"), "pool2": ("max", "avg")},
        deviations=("Batch norm (2015) is not in the paper; the convolutions lose their biases to it.",),
        hints=TrainingHints(dropout_scale=0.4, reason="batch norm regularises too; dropout 0.5 twice is too much in a short run"),
    )
)(functools.partial(build_nin, norm="batch"))


@register(
    ModelSpec(
        name="nin_tiny",
        title="NIN (tiny)",
        family="nin",
        year=2014,
        paper=NIN_PAPER,
        parents=("nin",),
        takes="One whole mlpconv layer and the class maps; the depth of the others is cut.",
        input_shape=(3, 32, 32),
        min_size=1,
        head_kind="gap",
        published=(Published(560_906, 189_825_024, "arithmetic from the layers named here"),),
        deviations=("Not in the paper: a small NIN for teaching and tests, with a padded pool and no dropout.",),
        hints=TrainingHints(lr=0.03, warmup_fraction=0.25, clip_norm=1.0, init="he", reason="no batch norm"),
    )
)
def build_nin_tiny(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
    """One mlpconv layer, a padded pool, 5x5 and 1x1, then class maps without a ReLU over them."""
    layers: dict[str, nn.Module] = {
        "mlpconv1": nn.Sequential(*mlpconv(in_channels, 192, 5, (160, 96), norm=False)),
        "pool1": nn.MaxPool2d(3, 2, padding=1),
        "mlpconv2": nn.Sequential(*mlpconv(96, 192, 5, (192,), norm=False)),
        "class_maps": nn.Conv2d(192, num_classes, 1),
    }
    return Classifier(nn.Sequential(OrderedDict(layers)), global_average())
