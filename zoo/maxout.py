"""Maxout (Goodfellow et al., 2013): units that take the largest of several linear functions, trained with dropout."""

from __future__ import annotations

import math

from torch import nn

from zoo._blocks import Classifier, MaxPieces
from zoo._claims import LOCAL_CONTRAST, SVHN_TRAINED_ON, ZERO_TO_ONE, Claim
from zoo.registry import ModelSpec, Paper, Published, TrainingHints, register

MAXOUT_PAPER = Paper(
    title="Maxout Networks",
    arxiv="1302.4389",
    bibtex="""@inproceedings{goodfellow2013maxout,
  title = {Maxout Networks},
  author = {Goodfellow, Ian J. and Warde-Farley, David and Mirza, Mehdi and Courville, Aaron and Bengio, Yoshua},
  booktitle = {International Conference on Machine Learning},
  year = {2013},
  eprint = {1302.4389},
  archivePrefix = {arXiv}
}""",
)
OTHER_WIDTHS = "the paper's has other widths"
RELEASED = "pylearn2 scripts/papers/maxout"
SVHN_EPOCHS = 142 + 9  # to the least validation error, then at a lower rate
CONV_PIECES, LINEAR_PIECES = 2, 5
# (maps, kernel, padding, pool); every pool has stride 2 and rounds up
LAYERS = ((96, 8, 4, 4), (192, 8, 3, 4), (192, 5, 3, 2))


def maxout_conv(w_in: int, w_out: int, kernel: int, padding: int) -> list[nn.Module]:
    """A convolution of two linear pieces a map, and the larger of them."""
    return [nn.Conv2d(w_in, CONV_PIECES * w_out, kernel, padding=padding), MaxPieces(CONV_PIECES)]


def map_size(image_size: int) -> int:
    """The side of the last map."""
    size = image_size
    for _, kernel, padding, pool in LAYERS:
        size = math.ceil((size + 2 * padding - kernel + 1 - pool) / 2) + 1
    return size


@register(
    ModelSpec(
        name="maxout",
        title="Maxout + dropout",
        family="maxout",
        year=2013,
        paper=MAXOUT_PAPER,
        parents=("plain_cnn",),
        takes="A stronger unit than a linear filter, as NIN wants; the map it gives and the heavy head stay as they were.",
        input_shape=(3, 32, 32),
        min_size=8,
        head_kind="fc",
        published=(Published(16_247_830, 732_290_696, "arithmetic from pylearn2 scripts/papers/maxout/cifar10.yaml"),),
        claims=(
            Claim(
                "mnist",
                "none",
                0.45,
                "table 2",
                network=OTHER_WIDTHS,
                preprocessing=ZERO_TO_ONE,
                source=f"{RELEASED}/mnist.yaml; pylearn2 utils/mnist_ubyte.py",
            ),
            Claim("cifar10", "none", 11.68, "table 3", epochs=785, preprocessing="gcn_zca", source=f"{RELEASED}/README"),
            Claim(
                "cifar10",
                "translation and flip",
                9.38,
                "table 3",
                epochs=474,
                preprocessing="gcn_zca",
                translate=8,
                source=f"{RELEASED}/README and cifar10.yaml (pad_randomized)",
            ),
            Claim(
                "cifar100",
                "none",
                38.57,
                "table 4",
                network=OTHER_WIDTHS,
                preprocessing="gcn_zca",
                source="pylearn2 scripts/datasets/make_cifar100_gcn_whitened.py",
            ),
            Claim(
                "svhn",
                "none",
                2.47,
                "table 5",
                network=OTHER_WIDTHS,
                epochs=SVHN_EPOCHS,
                preprocessing=LOCAL_CONTRAST,
                train_images=SVHN_TRAINED_ON,
                source=f"{RELEASED}/README, svhn.yaml and svhn_preprocessing.py",
            ),
        ),
        deviations=(
            "The norm of each filter is not bounded in training; the released file bounds it.",
            "The released files for MNIST, CIFAR-100 and SVHN have other widths; their claims are of those.",
        ),
        hints=TrainingHints(
            lr=0.03, warmup_fraction=0.25, clip_norm=1.0, dropout_scale=0.4, init="he", reason="no batch norm; dropout four times"
        ),
    )
)
def build_maxout(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
    """Three maxout convolutions with pooling, 500 maxout units of five pieces, the classifier; dropout before each."""
    layers: list[nn.Module] = [nn.Dropout(0.2)]
    w_in = in_channels
    for w_out, kernel, padding, pool in LAYERS:
        layers += [*maxout_conv(w_in, w_out, kernel, padding), nn.MaxPool2d(pool, 2, ceil_mode=True), nn.Dropout(0.5)]
        w_in = w_out
    head = nn.Sequential(
        nn.Flatten(),
        nn.Linear(w_in * map_size(image_size) ** 2, LINEAR_PIECES * 500),
        MaxPieces(LINEAR_PIECES),
        nn.Dropout(0.5),
        nn.Linear(500, num_classes),
    )
    return Classifier(nn.Sequential(*layers), head)
