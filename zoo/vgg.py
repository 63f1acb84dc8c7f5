"""VGG (Simonyan and Zisserman, 2015): depth of 3x3 filters, the heavy head kept. CAM's VGG-GAP (Zhou et al., 2016) is in cam.py."""

from __future__ import annotations

import functools

from torch import nn

from zoo._blocks import Classifier, average_and_linear, conv_norm, conv_relu, scaled
from zoo._claims import CHANNEL_MEAN, Claim
from zoo.registry import WIDTH, ModelSpec, Paper, Published, TrainingHints, Weights, register

VGG_PAPER = Paper(
    title="Very Deep Convolutional Networks for Large-Scale Image Recognition",
    arxiv="1409.1556",
    bibtex="""@inproceedings{simonyan2015very,
  title = {Very Deep Convolutional Networks for Large-Scale Image Recognition},
  author = {Simonyan, Karen and Zisserman, Andrew},
  booktitle = {International Conference on Learning Representations},
  year = {2015},
  eprint = {1409.1556},
  archivePrefix = {arXiv}
}""",
)
TAKES = "Nothing, it takes the other road: the local function grows by depth of 3x3 filters, and the heavy head stays."
POOLED = "head=gap drops the last pool and reads the average of each map."
# maps of each 3x3 layer, a pool behind each group (table 1, columns A and D)
VGG_11 = ((64,), (128,), (256, 256), (512, 512), (512, 512))
VGG_16 = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
Groups = tuple[tuple[int, ...], ...]


def vgg_features(in_channels: int, groups: Groups, *, norm: bool = False, pools: int = 5, width: float = 1.0) -> nn.Sequential:
    """Groups of 3x3 layers, a pool behind each of the first `pools`; batch norm, if any, leaves the convolutions their biases."""
    layers: list[nn.Module] = []
    w_in = in_channels
    for number, group in enumerate(groups, start=1):
        for maps in group:
            w_out = scaled(maps, width)
            layers += conv_norm(w_in, w_out, 3, bias=True, relu=True) if norm else conv_relu(w_in, w_out, 3)
            w_in = w_out
        layers += [nn.MaxPool2d(2)] if number <= pools else []
    return nn.Sequential(*layers)


def build_vgg(num_classes: int, in_channels: int, image_size: int, *, groups: Groups, head: str = "fc", width: float = 1.0) -> nn.Module:
    """3x3 layers with batch norm and five pools; one linear layer over all places, or the average of each map."""
    maps = scaled(groups[-1][-1], width)
    features = vgg_features(in_channels, groups, norm=True, pools=5 if head == "fc" else 4, width=width)
    if head == "gap":
        return Classifier(features, average_and_linear(maps, num_classes))
    return Classifier(features, nn.Sequential(nn.Flatten(), nn.Linear(maps * (image_size // 32) ** 2, num_classes)))


def build_vgg_imagenet(
    num_classes: int, in_channels: int, image_size: int, *, groups: Groups, head: str = "fc", width: float = 1.0
) -> nn.Module:
    """3x3 layers and five pools; two layers of 4096 hidden units and the classes, or the average of each map."""
    maps, hidden = scaled(groups[-1][-1], width), scaled(4096, width)
    features = vgg_features(in_channels, groups, pools=5 if head == "fc" else 4, width=width)
    if head == "gap":
        return Classifier(features, average_and_linear(maps, num_classes))
    connected = nn.Sequential(
        nn.Flatten(),
        nn.Linear(maps * (image_size // 32) ** 2, hidden),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Linear(hidden, hidden),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Linear(hidden, num_classes),
    )
    return Classifier(features, connected)


def small_spec(name: str, layers: int, published: Published) -> ModelSpec:
    """The spec of a VGG for 32x32."""
    return ModelSpec(
        name=name,
        title=f"VGG-{layers} + batch norm (small head)",
        aliases=(f"vgg{layers}_bn",),
        family="vgg",
        year=2014,
        paper=VGG_PAPER,
        parents=("alexnet",),
        takes=TAKES,
        input_shape=(3, 32, 32),
        min_size=32,
        head_kind="fc",
        published=(published,),
        knobs={"head": ("fc", "gap"), "width": WIDTH},
        deviations=("For 32x32: batch norm, and one linear layer in place of three, as is usual for CIFAR.", POOLED),
    )


def imagenet_spec(layers: int, published: Published, error_pct: float, scales: str) -> ModelSpec:
    """The spec of one of the paper's networks; `scales` are the lengths of an image's shorter side in training, in pixels."""
    return ModelSpec(
        name=f"vgg_{layers}_imagenet",
        title=f"VGG-{layers}",
        aliases=(f"vgg{layers}",),
        family="vgg",
        year=2014,
        paper=VGG_PAPER,
        parents=("alexnet_imagenet",),
        takes=TAKES,
        input_shape=(3, 224, 224),
        num_classes=1000,
        min_size=32,
        head_kind="fc",
        published=(published,),
        claims=(
            Claim(
                "imagenet",
                f"random crop at a scale of {scales} pixels, flip and colour",
                error_pct,
                "table 3",
                epochs=74,
                preprocessing=CHANNEL_MEAN,
                tested="the whole image at one scale and its mirror image",
                source="sections 2.1, 3.1 and 3.2",
            ),
        ),
        knobs={"head": ("fc", "gap"), "width": WIDTH},
        deviations=(POOLED,),
        hints=TrainingHints(lr=0.01, warmup_fraction=0.25, clip_norm=1.0, init="he", reason="no batch norm"),
        weights=Weights(
            f"torchvision:vgg{layers}",
            "IMAGENET1K_V1",
            ((r"^classifier\.0\.", "head.1."), (r"^classifier\.3\.", "head.4."), (r"^classifier\.6\.", "head.7.")),
        ),
    )


register(small_spec("vgg", 11, Published(9_231_114, 152_769_536, "kuangliu/pytorch-cifar")))(functools.partial(build_vgg, groups=VGG_11))
register(small_spec("vgg_16", 16, Published(14_728_266, 313_201_664, "kuangliu/pytorch-cifar")))(
    functools.partial(build_vgg, groups=VGG_16)
)
register(imagenet_spec(11, Published(132_863_336, 7_609_090_048, "torchvision"), 29.6, "256"))(
    functools.partial(build_vgg_imagenet, groups=VGG_11)
)
register(imagenet_spec(16, Published(138_357_544, 15_470_264_320, "torchvision"), 25.6, "256 to 512"))(
    functools.partial(build_vgg_imagenet, groups=VGG_16)
)
