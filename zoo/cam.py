"""Class activation maps (Zhou et al., 2016): VGG with the head of *Network In Network*, so that class maps point at places."""

from __future__ import annotations

from torch import nn

from zoo._blocks import Classifier, average_and_linear, conv_norm, conv_relu
from zoo._claims import Claim
from zoo.registry import ModelSpec, Paper, Published, TrainingHints, register
from zoo.vgg import VGG_11, VGG_16, vgg_features

CAM_PAPER = Paper(
    title="Learning Deep Features for Discriminative Localization",
    arxiv="1512.04150",
    bibtex="""@inproceedings{zhou2016learning,
  title = {Learning Deep Features for Discriminative Localization},
  author = {Zhou, Bolei and Khosla, Aditya and Lapedriza, Agata and Oliva, Aude and Torralba, Antonio},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition},
  year = {2016},
  eprint = {1512.04150},
  archivePrefix = {arXiv}
}""",
)
TAKES = "The average in place of the connected layers; its class maps, which NIN only sums, are read as where the evidence lies."
MAPS = 1024
FINE_TUNED = "the paper's starts from a trained VGG-16"


@register(
    ModelSpec(
        name="cam",
        title="VGG-11-GAP (small)",
        family="cam",
        year=2016,
        paper=CAM_PAPER,
        parents=("nin", "vgg"),
        takes=TAKES,
        input_shape=(3, 32, 32),
        min_size=8,
        head_kind="gap+fc",
        published=(Published(13_957_898, 284_895_232, "arithmetic, layer by layer in the tests"),),
        deviations=("For 32x32: VGG-11 with batch norm, whose last two pools are dropped, in place of VGG-16 without its last.",),
    )
)
def build_cam(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
    """VGG-11's layers with three pools, a 3x3 layer of 1024 maps, their averages, one linear layer."""
    features = vgg_features(in_channels, VGG_11, norm=True, pools=3)
    features.add_module("cam", conv_norm(512, MAPS, 3, bias=True, relu=True))
    return Classifier(features, average_and_linear(MAPS, num_classes))


@register(
    ModelSpec(
        name="cam_imagenet",
        title="VGG-16-GAP",
        aliases=("vgg16_gap",),
        family="cam",
        year=2016,
        paper=CAM_PAPER,
        parents=("nin_imagenet", "vgg_16_imagenet"),
        takes=TAKES,
        input_shape=(3, 224, 224),
        num_classes=1000,
        min_size=16,
        head_kind="gap+fc",
        published=(Published(20_459_304, 16_272_498_688, "arithmetic from VGG-16's, in the tests"),),
        claims=(Claim("imagenet", "", 33.4, "table 1", network=FINE_TUNED, source="section 3.1"),),
        deviations=("The layer of 1024 maps is whole, as the text has it; the released files split it in two groups.",),
        hints=TrainingHints(lr=0.01, warmup_fraction=0.25, clip_norm=1.0, init="he", reason="no batch norm"),
    )
)
def build_cam_imagenet(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
    """VGG-16's layers without the last pool, a 3x3 layer of 1024 maps, their averages, one linear layer (section 3)."""
    features = vgg_features(in_channels, VGG_16, pools=4)
    features.add_module("cam", conv_relu(512, MAPS, 3))
    return Classifier(features, average_and_linear(MAPS, num_classes))
