"""SqueezeNet (Iandola et al., 2016), version 1.1, for 32x32 images."""

from __future__ import annotations

import torch
from torch import nn

from zoo._blocks import Classifier, conv_relu, global_average, max_pool_ceil
from zoo.registry import ModelSpec, Paper, Published, TrainingHints, register

SQUEEZENET_PAPER = Paper(
    title="SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model size",
    arxiv="1602.07360",
    bibtex="""@article{iandola2016squeezenet,
  title = {{SqueezeNet}: {AlexNet}-level accuracy with 50x fewer parameters and $<$0.5{MB} model size},
  author = {Iandola, Forrest N. and Han, Song and Moskewicz, Matthew W. and Ashraf, Khalid and Dally, William J.
            and Keutzer, Kurt},
  journal = {arXiv preprint arXiv:1602.07360},
  year = {2016}
}""",
)


class Fire(nn.Module):
    """A 1x1 layer squeezes, a 1x1 and a 3x3 layer expand side by side (figure 1): `2 * expand` maps."""

    def __init__(self, w_in: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = conv_relu(w_in, squeeze, 1)
        self.expand_1x1 = conv_relu(squeeze, expand, 1)
        self.expand_3x3 = conv_relu(squeeze, expand, 3)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        squeezed = self.squeeze(maps)
        return torch.cat([self.expand_1x1(squeezed), self.expand_3x3(squeezed)], dim=1)


@register(
    ModelSpec(
        name="squeezenet",
        title="SqueezeNet 1.1 (small)",
        family="squeezenet",
        year=2016,
        paper=SQUEEZENET_PAPER,
        parents=("nin", "inception"),
        takes="Both of NIN's ideas: 1x1 layers squeeze and expand in every Fire, and 1x1 class maps are read by their average.",
        input_shape=(3, 32, 32),
        min_size=8,
        head_kind="gap",
        published=(Published(727_626, 23_511_040, "arithmetic: version 1.1's 1,235,496 with 10 classes for 1,000; MACs layer by layer"),),
        deviations=("For 32x32: the stem has stride 1 and padding 1, so that the maps are 32-16-8-4.",),
        hints=TrainingHints(
            lr=0.03,
            warmup_fraction=0.25,
            clip_norm=1.0,
            dropout_scale=0.1,
            init="he",
            start_alive=("features.class_maps",),
            reason="no batch norm, and as in NIN a ReLU over the class maps",
        ),
    )
)
def build_squeezenet(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
    """A 3x3 stem, eight Fire modules and three pools, dropout, 1x1 class maps, their average."""
    features = nn.Sequential(
        conv_relu(in_channels, 64, 3),
        max_pool_ceil(),
        Fire(64, 16, 64),
        Fire(128, 16, 64),
        max_pool_ceil(),
        Fire(128, 32, 128),
        Fire(256, 32, 128),
        max_pool_ceil(),
        Fire(256, 48, 192),
        Fire(384, 48, 192),
        Fire(384, 64, 256),
        Fire(512, 64, 256),
        nn.Dropout(0.5),
    )
    features.add_module("class_maps", conv_relu(512, num_classes, 1))
    return Classifier(features, global_average())
