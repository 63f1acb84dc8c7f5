"""LeNet-5 (LeCun et al., 1998): convolution, pooling, a fully connected end."""

from __future__ import annotations

from torch import nn

from zoo._blocks import Classifier
from zoo._claims import Claim
from zoo.registry import ModelSpec, Paper, Published, TrainingHints, register

NETWORK = "the paper's has a sparse C3, pooling with parameters and radial basis outputs"
RANGE = "white -0.1, black 1.175"
LENET_PAPER = Paper(
    title="Gradient-Based Learning Applied to Document Recognition",
    doi="10.1109/5.726791",
    bibtex="""@article{lecun1998gradient,
  title = {Gradient-Based Learning Applied to Document Recognition},
  author = {LeCun, Yann and Bottou, L{\\'e}on and Bengio, Yoshua and Haffner, Patrick},
  journal = {Proceedings of the IEEE},
  volume = {86},
  number = {11},
  pages = {2278--2324},
  year = {1998},
  doi = {10.1109/5.726791}
}""",
)


@register(
    ModelSpec(
        name="lenet",
        title="LeNet-5",
        aliases=("lenet5",),
        family="lenet",
        year=1998,
        paper=LENET_PAPER,
        takes="Nothing, it is the ancestor of all: linear filters, pooling, and layers that see every place at once.",
        input_shape=(3, 32, 32),
        min_size=16,
        head_kind="fc",
        published=(Published(62_006, 651_720, "arithmetic from section II.B with dense C3 and parameter-free pooling"),),
        claims=(
            Claim(
                "mnist",
                "none",
                0.95,
                "section III.C",
                network=NETWORK,
                epochs=20,
                preprocessing=RANGE,
                source="sections II.B (network, pixels) and III.B (length)",
            ),
        ),
        deviations=(
            "C3 sees all maps of S2, pooling has no parameters, and the output layer is linear in place of radial basis functions.",
            "The paper's input has one channel, and its sigmoid is 1.7159 tanh(2x/3) in place of tanh.",
        ),
        hints=TrainingHints(lr=0.05, warmup_fraction=0.25, clip_norm=1.0, reason="no batch norm"),
    )
)
def build_lenet(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
    """C1 to S4, then C5, F6 and the output (figure 2); tanh between them."""
    map_size = ((image_size - 4) // 2 - 4) // 2
    features = nn.Sequential(
        nn.Conv2d(in_channels, 6, 5),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.Tanh(),
        nn.AvgPool2d(2),
    )
    head = nn.Sequential(
        nn.Flatten(),
        nn.Linear(16 * map_size**2, 120),
        nn.Tanh(),
        nn.Linear(120, 84),
        nn.Tanh(),
        nn.Linear(84, num_classes),
    )
    return Classifier(features, head)
