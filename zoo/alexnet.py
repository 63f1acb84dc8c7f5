"""AlexNet (Krizhevsky, Sutskever, Hinton; 2012), in the small form of Zhang et al. 2017, appendix A."""

from __future__ import annotations

from torch import nn

from zoo._blocks import Classifier, conv_relu, max_pool_ceil, pooled_ceil
from zoo.registry import ModelSpec, Paper, Published, TrainingHints, register

ALEXNET_PAPER = Paper(
    title="ImageNet Classification with Deep Convolutional Neural Networks",
    bibtex="""@inproceedings{krizhevsky2012imagenet,
  title = {ImageNet Classification with Deep Convolutional Neural Networks},
  author = {Krizhevsky, Alex and Sutskever, Ilya and Hinton, Geoffrey E.},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {25},
  year = {2012}
}""",
)


def local_response_norm() -> nn.LocalResponseNorm:
    """Normalisation over nine neighbouring maps, with the constants of the small AlexNet's released code."""
    return nn.LocalResponseNorm(9, alpha=1e-3, beta=0.75, k=1.0)


@register(
    ModelSpec(
        name="alexnet",
        title="AlexNet (small)",
        family="alexnet",
        year=2012,
        paper=ALEXNET_PAPER,
        parents=("lenet",),
        takes="Nothing, it is the ancestor: large linear filters, and most parameters in the fully connected head.",
        input_shape=(3, 32, 32),
        min_size=4,
        head_kind="fc",
        published=(
            Published(1_756_426, 32_778_112, "arithmetic from arXiv:1611.03530, appendix A, at 32x32"),
            Published(1_387_786, 25_113_472, "arXiv:1611.03530, table 1 (parameters)", image_size=28),
        ),
        deviations=("The small AlexNet of arXiv:1611.03530 for 32x32 images; the original is for 224x224.",),
        hints=TrainingHints(lr=0.03, warmup_fraction=0.25, clip_norm=1.0, init="he", reason="no batch norm"),
    )
)
def build_alexnet(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
    """Two times convolution 5x5, pooling and local response norm; then 384 and 192 hidden units."""
    map_size = pooled_ceil(pooled_ceil(image_size))
    features = nn.Sequential(
        conv_relu(in_channels, 64, 5),
        max_pool_ceil(),
        local_response_norm(),
        conv_relu(64, 64, 5),
        max_pool_ceil(),
        local_response_norm(),
    )
    head = nn.Sequential(
        nn.Flatten(),
        nn.Linear(64 * map_size**2, 384),
        nn.ReLU(inplace=True),
        nn.Linear(384, 192),
        nn.ReLU(inplace=True),
        nn.Linear(192, num_classes),
    )
    return Classifier(features, head)
