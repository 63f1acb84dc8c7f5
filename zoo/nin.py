"""Network In Network (Lin, Chen, Yan; ICLR 2014): an MLP inside each receptive field, class maps read by global average.

Structure from the author's configuration for CIFAR-10 (mavenlin/cuda-convnet, folder NIN); its relatives are in nin_forms.py.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from torch import nn

from zoo._blocks import Classifier, MaxPieces, conv_norm, conv_relu, global_average, max_pool_ceil, named, pooled_ceil, scaled
from zoo._claims import Claim
from zoo.registry import WIDTH, ModelSpec, Paper, Published, TrainingHints, register

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
CODE = "mavenlin/cuda-convnet"
AS_MAXOUTS = f"{CODE} README.md (data as in the maxout paper)"
PIECES = 2  # linear pieces of a maxout unit, as in the maxout network


@dataclass(frozen=True)
class Local:
    """What stands in each receptive field: `kind` linear, maxout or mlp, `depth` 1x1 layers behind the spatial one, and norm."""

    kind: str = "mlp"
    depth: int = 2
    norm: bool = False

    def unit(self, w_in: int, w_out: int, kernel: int, padding: int | None = None, stride: int = 1) -> nn.Sequential:
        """A convolution, batch norm where there is any, ReLU; with maxout the largest of two pieces in ReLU's place."""
        if self.kind == "maxout":
            pieces = nn.Conv2d(w_in, PIECES * w_out, kernel, stride, kernel // 2 if padding is None else padding, bias=not self.norm)
            return nn.Sequential(pieces, *([nn.BatchNorm2d(PIECES * w_out)] if self.norm else []), MaxPieces(PIECES))
        if self.norm:
            return conv_norm(w_in, w_out, kernel, stride, padding=padding, relu=True)
        return conv_relu(w_in, w_out, kernel, stride, padding)

    def mlpconv(self, w_in: int, widths: tuple[int, int, int], kernel: int) -> list[nn.Module]:
        """An mlpconv layer (section 3.1): a spatial convolution, then 1x1 ones that end in the last of `widths`."""
        w_spatial, hidden, w_out = widths
        mlp = (*(hidden,) * (self.depth - 1), w_out) if self.depth else ()
        pairs = zip((w_spatial, *mlp), mlp, strict=False)
        return [self.unit(w_in, w_spatial, kernel), *(self.unit(before, after, 1) for before, after in pairs)]


def average_pool_ceil() -> nn.AvgPool2d:
    """Average pooling with the windows of `max_pool_ceil`."""
    return nn.AvgPool2d(3, 2, ceil_mode=True)


def nin_head(kind: str, num_classes: int, map_size: int) -> nn.Sequential:
    """Reads the class maps: their average, or a fully connected layer over all their places (section 4.6)."""
    if kind == "gap":
        return global_average()
    dropout = [nn.Dropout(0.5)] if kind == "fc_dropout" else []
    return nn.Sequential(nn.Flatten(), *dropout, nn.Linear(num_classes * map_size**2, num_classes))


Widths = tuple[tuple[int, int, int], tuple[int, int, int], tuple[int, int]]
CIFAR_WIDTHS: Widths = ((192, 160, 96), (192, 192, 192), (192, 192))


def build_nin(
    num_classes: int,
    in_channels: int,
    image_size: int,
    *,
    mlp_depth: int = 2,
    head: str = "gap",
    local: str = "mlp",
    pool2: str = "max",
    norm: str = "none",
    width: float = 1.0,
    widths: Widths = CIFAR_WIDTHS,
    last_kernel: int = 3,
) -> nn.Module:
    """Three mlpconv layers, pooling and dropout between them, one map a class at the end (figure 2).

    `local` other than mlp puts a single layer in each mlpconv's place: linear filters with ReLU, or maxout units.
    """
    depth = mlp_depth if local == "mlp" else 0
    form = Local(local, depth, norm == "batch")
    (s1, h1, o1), (s2, h2, o2), (s3, h3) = (tuple(scaled(maps, width) for maps in layer) for layer in widths)
    last = (s3, h3, num_classes) if depth else (num_classes, h3, num_classes)
    *block3, class_maps = form.mlpconv(o2 if depth else s2, last, last_kernel)
    features = named(
        mlpconv1=nn.Sequential(*form.mlpconv(in_channels, (s1, h1, o1), 5)),
        pool1=nn.Sequential(max_pool_ceil(), nn.Dropout(0.5)),
        mlpconv2=nn.Sequential(*form.mlpconv(o1 if depth else s1, (s2, h2, o2), 5)),
        pool2=nn.Sequential(max_pool_ceil() if pool2 == "max" else average_pool_ceil(), nn.Dropout(0.5)),
        mlpconv3=nn.Sequential(*block3),
        class_maps=class_maps,
    )
    return Classifier(features, nin_head(head, num_classes, pooled_ceil(pooled_ceil(image_size))))


register(
    ModelSpec(
        name="nin",
        title="NIN",
        family="nin",
        year=2014,
        paper=NIN_PAPER,
        parents=("alexnet", "hog_linear", "maxout"),
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
            Claim("cifar10", "none", 10.41, "tables 1, 5", epochs=260, preprocessing="gcn_zca", source=f"{CODE} README.md"),
            Claim(
                "cifar10",
                "translation and flip",
                8.81,
                "table 1",
                preprocessing="gcn_zca",
                translate=4,
                source=f"{AS_MAXOUTS}; Python/convnet.py (crop_border)",
            ),
            Claim("cifar100", "none", 35.68, "table 2", epochs=260, preprocessing="gcn_zca", source=f"{CODE} README.md"),
            Claim("cifar10", "none", 11.59, "table 5", {"head": "fc"}, preprocessing="gcn_zca", source=AS_MAXOUTS),
            Claim("cifar10", "none", 10.88, "table 5", {"head": "fc_dropout"}, preprocessing="gcn_zca", source=AS_MAXOUTS),
        ),
        knobs={
            "mlp_depth": (0, 1, 2, 3),
            "head": ("gap", "fc", "fc_dropout"),
            "local": ("mlp", "linear", "maxout"),
            "pool2": ("max", "avg"),
            "norm": ("none", "batch"),
            "width": WIDTH,
        },
        excludes={"local": ("mlp_depth",)},
        deviations=(
            "The second pool is max, as in the author's configuration; the Caffe Model Zoo averages (pool2=avg).",
            "Weights start as the recipe or the hints say; from N(0, 0.05) under the recipe paper.",
            "local=linear is the network of mlp_depth=0 by another name.",
        ),
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
        knobs={
            "mlp_depth": (0, 1, 2, 3),
            "head": ("gap", "fc", "fc_dropout"),
            "local": ("mlp", "linear", "maxout"),
            "pool2": ("max", "avg"),
            "width": WIDTH,
        },
        excludes={"local": ("mlp_depth",)},
        deviations=("Batch norm (2015) is not in the paper; the convolutions lose their biases to it.",),
        hints=TrainingHints(dropout_scale=0.4, reason="batch norm regularises too; dropout 0.5 twice is too much in a short run"),
    )
)(functools.partial(build_nin, norm="batch"))
