"""The habit that *Network In Network* argues with: one linear filter a receptive field, and a heavy fully connected head."""

from __future__ import annotations

from torch import nn

from zoo._blocks import Classifier, conv_relu, max_pool_ceil, pooled_ceil
from zoo.nin import NIN_PAPER
from zoo.registry import ModelSpec, Published, TrainingHints, register


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
        published=(Published(7_565_450, 278_205_440, "arithmetic from NIN's spatial layers and the head of 512"),),
        deviations=("No paper gives this network: it is NIN's control, with NIN's widths, pools and dropout.",),
        hints=TrainingHints(lr=0.03, warmup_fraction=0.25, clip_norm=1.0, dropout_scale=0.4, init="he", reason="no batch norm"),
    )
)
def build_plain_cnn(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
    """NIN's three spatial convolutions and two pools, then 512 hidden units with dropout."""
    map_size = pooled_ceil(pooled_ceil(image_size))
    features = nn.Sequential(
        conv_relu(in_channels, 192, 5),
        max_pool_ceil(),
        nn.Dropout(0.5),
        conv_relu(192, 192, 5),
        max_pool_ceil(),
        nn.Dropout(0.5),
        conv_relu(192, 192, 3),
    )
    head = nn.Sequential(
        nn.Flatten(),
        nn.Linear(192 * map_size**2, 512),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Linear(512, num_classes),
    )
    return Classifier(features, head)
