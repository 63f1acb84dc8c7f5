"""The habit that *Network In Network* argues with: one linear filter a receptive field, and a heavy fully connected head."""

from __future__ import annotations

from torch import nn

from zoo._blocks import Classifier, average_and_linear, conv_relu, max_pool_ceil, pooled_ceil, scaled
from zoo.nin import NIN_PAPER
from zoo.registry import WIDTH, ModelSpec, Published, TrainingHints, register


@register(
    ModelSpec(
        name="plain_cnn",
        title="Plain CNN",
        family="plain_cnn",
        year=2013,
        paper=NIN_PAPER,
        parents=("alexnet",),
        takes="Nothing: NIN's spatial convolutions without their 1x1 layers, under the head that NIN does away with.",
        input_shape=(3, 32, 32),
        min_size=4,
        head_kind="fc",
        published=(
            Published(7_565_450, 278_205_440, "arithmetic from NIN's spatial layers and the head of 512"),
            Published(1_270_282, 271_910_784, "arithmetic: 192 means to 10 classes in the head's place", knobs={"head": "gap"}),
        ),
        knobs={"head": ("fc", "gap"), "width": WIDTH},
        deviations=("No paper gives this network: it is NIN's control, with NIN's widths, pools and dropout.",),
        hints=TrainingHints(lr=0.03, warmup_fraction=0.25, clip_norm=1.0, dropout_scale=0.4, init="he", reason="no batch norm"),
    )
)
def build_plain_cnn(num_classes: int, in_channels: int, image_size: int, *, head: str = "fc", width: float = 1.0) -> nn.Module:
    """NIN's three spatial convolutions and two pools, then 512 hidden units with dropout, or the average of each map."""
    maps, hidden = scaled(192, width), scaled(512, width)
    features = nn.Sequential(
        conv_relu(in_channels, maps, 5),
        max_pool_ceil(),
        nn.Dropout(0.5),
        conv_relu(maps, maps, 5),
        max_pool_ceil(),
        nn.Dropout(0.5),
        conv_relu(maps, maps, 3),
    )
    if head == "gap":
        return Classifier(features, average_and_linear(maps, num_classes))
    connected = nn.Sequential(
        nn.Flatten(),
        nn.Linear(maps * pooled_ceil(pooled_ceil(image_size)) ** 2, hidden),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Linear(hidden, num_classes),
    )
    return Classifier(features, connected)
