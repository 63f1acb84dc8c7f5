"""AlexNet (Krizhevsky, Sutskever, Hinton; 2012), and in the small form of Zhang et al. 2017, appendix A."""

from __future__ import annotations

from torch import nn

from zoo._blocks import Classifier, average_and_linear, conv_relu, max_pool_ceil, named, pooled_ceil, pooled_floor, scaled
from zoo._claims import PIXEL_MEAN, TEN_CROPS, Claim
from zoo.registry import WIDTH, ModelSpec, Paper, Published, TrainingHints, Weights, register

ALEXNET_PAPER = Paper(
    title="ImageNet Classification with Deep Convolutional Neural Networks",
    doi="10.1145/3065386",
    bibtex="""@inproceedings{krizhevsky2012imagenet,
  title = {ImageNet Classification with Deep Convolutional Neural Networks},
  author = {Krizhevsky, Alex and Sutskever, Ilya and Hinton, Geoffrey E.},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {25},
  year = {2012}
}""",
)
ONE_TOWER_PAPER = Paper(
    title="One weird trick for parallelizing convolutional neural networks",
    arxiv="1404.5997",
    bibtex="""@article{krizhevsky2014one,
  title = {One weird trick for parallelizing convolutional neural networks},
  author = {Krizhevsky, Alex},
  journal = {arXiv preprint arXiv:1404.5997},
  year = {2014}
}""",
)
TAKES = "Nothing, it is the ancestor: large linear filters, and most parameters in the fully connected head."
HINTS = TrainingHints(lr=0.03, warmup_fraction=0.25, clip_norm=1.0, init="he", reason="no batch norm")


def local_response_norm() -> nn.LocalResponseNorm:
    """Normalisation over nine neighbouring maps, with the constants of TensorFlow's CIFAR-10 tutorial: 0.001 / 9 a map, not averaged."""
    return nn.LocalResponseNorm(9, alpha=1e-3, beta=0.75, k=1.0)


@register(
    ModelSpec(
        name="alexnet",
        title="AlexNet (small)",
        family="alexnet",
        year=2012,
        paper=ALEXNET_PAPER,
        parents=("lenet",),
        takes=TAKES,
        input_shape=(3, 32, 32),
        min_size=4,
        head_kind="fc",
        published=(
            Published(1_756_426, 32_778_112, "arithmetic from arXiv:1611.03530, appendix A, at 32x32"),
            Published(1_387_786, 25_113_472, "arXiv:1611.03530, table 1 (parameters)", image_size=28),
            Published(107_978, 31_130_240, "arithmetic: 64 means to 10 classes in the head's place", knobs={"head": "gap"}),
        ),
        knobs={"head": ("fc", "gap"), "width": WIDTH},
        deviations=(
            "The small AlexNet of arXiv:1611.03530 for 32x32 images; the original is for 224x224.",
            "The paper does not give the constants of its local response norm; these are those of TensorFlow's CIFAR-10 tutorial.",
        ),
        hints=HINTS,
    )
)
def build_alexnet(num_classes: int, in_channels: int, image_size: int, *, head: str = "fc", width: float = 1.0) -> nn.Module:
    """Two times convolution 5x5, pooling and local response norm; then 384 and 192 hidden units, or the average of each map."""
    maps, hidden1, hidden2 = scaled(64, width), scaled(384, width), scaled(192, width)
    features = nn.Sequential(
        conv_relu(in_channels, maps, 5),
        max_pool_ceil(),
        local_response_norm(),
        conv_relu(maps, maps, 5),
        max_pool_ceil(),
        local_response_norm(),
    )
    if head == "gap":
        return Classifier(features, average_and_linear(maps, num_classes))
    connected = nn.Sequential(
        nn.Flatten(),
        nn.Linear(maps * pooled_ceil(pooled_ceil(image_size)) ** 2, hidden1),
        nn.ReLU(inplace=True),
        nn.Linear(hidden1, hidden2),
        nn.ReLU(inplace=True),
        nn.Linear(hidden2, num_classes),
    )
    return Classifier(features, connected)


def connected_head(w_in: int, num_classes: int) -> nn.Sequential:
    """Two layers of 4096 hidden units with dropout before each, then the classes."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(w_in, 4096),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Linear(4096, 4096),
        nn.ReLU(inplace=True),
        nn.Linear(4096, num_classes),
    )


@register(
    ModelSpec(
        name="alexnet_imagenet",
        title="AlexNet (one tower)",
        aliases=("alexnet_owt",),
        family="alexnet",
        year=2014,
        paper=ONE_TOWER_PAPER,
        parents=("lenet",),
        takes=TAKES,
        input_shape=(3, 224, 224),
        num_classes=1000,
        min_size=63,
        head_kind="fc",
        published=(Published(61_100_840, 714_188_480, "torchvision"),),
        deviations=("256 maps in the fourth layer for the paper's 384, as in torchvision, and no local response norm.",),
        hints=HINTS,
        weights=Weights(
            "torchvision:alexnet",
            "IMAGENET1K_V1",
            (
                (r"^features\.0\.", "features.conv1.0."),
                (r"^features\.3\.", "features.conv2.0."),
                (r"^features\.6\.", "features.conv3.0."),
                (r"^features\.8\.", "features.conv4.0."),
                (r"^features\.10\.", "features.conv5.0."),
                (r"^classifier\.1\.", "head.2."),
                (r"^classifier\.4\.", "head.5."),
                (r"^classifier\.6\.", "head.7."),
            ),
        ),
    )
)
def build_alexnet_imagenet(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
    """Five convolutions, three pools that round down, the connected head."""
    map_size = pooled_floor(pooled_floor(pooled_floor((image_size + 4 - 11) // 4 + 1)))
    features = named(
        conv1=conv_relu(in_channels, 64, 11, 4, padding=2),
        pool1=nn.MaxPool2d(3, 2),
        conv2=conv_relu(64, 192, 5),
        pool2=nn.MaxPool2d(3, 2),
        conv3=conv_relu(192, 384, 3),
        conv4=conv_relu(384, 256, 3),
        conv5=conv_relu(256, 256, 3),
        pool5=nn.MaxPool2d(3, 2),
    )
    return Classifier(features, connected_head(256 * map_size**2, num_classes))


@register(
    ModelSpec(
        name="alexnet_grouped_imagenet",
        title="AlexNet (2012)",
        aliases=("bvlc_alexnet",),
        family="alexnet",
        year=2012,
        paper=ALEXNET_PAPER,
        parents=("lenet",),
        takes=TAKES,
        input_shape=(3, 227, 227),
        num_classes=1000,
        min_size=67,
        head_kind="fc",
        published=(Published(60_965_224, 724_406_816, "BVLC/caffe models/bvlc_alexnet"),),
        claims=(
            Claim(
                "imagenet",
                "random crop, flip and colour",
                40.7,
                "table 2 (one CNN)",
                network="the paper's normalises local responses with other constants",
                epochs=90,
                preprocessing=PIXEL_MEAN,
                tested=TEN_CROPS,
                source="sections 2 (preprocessing), 3.3, 4.1 and 5 (length)",
            ),
        ),
        deviations=(
            "The two towers are groups of one, as in Caffe; the input is 227, for which the paper's 224 is a slip.",
            "Caffe's local response norm: k = 1 for the paper's 2, alpha divided by the five maps, and before the pool as in the paper.",
        ),
        hints=HINTS,
    )
)
def build_alexnet_grouped_imagenet(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
    """Five convolutions, the second, fourth and fifth in two groups; local response norm behind the first two (sections 3.3 to 3.5)."""

    def response_norm() -> nn.LocalResponseNorm:
        return nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)

    map_size = pooled_floor(pooled_floor(pooled_floor((image_size - 11) // 4 + 1)))
    features = nn.Sequential(
        conv_relu(in_channels, 96, 11, 4, padding=0),
        response_norm(),
        nn.MaxPool2d(3, 2),
        conv_relu(96, 256, 5, groups=2),
        response_norm(),
        nn.MaxPool2d(3, 2),
        conv_relu(256, 384, 3),
        conv_relu(384, 384, 3, groups=2),
        conv_relu(384, 256, 3, groups=2),
        nn.MaxPool2d(3, 2),
    )
    return Classifier(features, connected_head(256 * map_size**2, num_classes))
