"""DeCAF (Donahue et al., 2014): a linear classifier on the frozen activations of a trained AlexNet's fully connected layers."""

from __future__ import annotations

from torch import nn

from zoo.alexnet import build_alexnet
from zoo.registry import ModelSpec, Paper, Published, register

DECAF_PAPER = Paper(
    title="DeCAF: A Deep Convolutional Activation Feature for Generic Visual Recognition",
    arxiv="1310.1531",
    bibtex="""@inproceedings{donahue2014decaf,
  title = {{DeCAF}: A Deep Convolutional Activation Feature for Generic Visual Recognition},
  author = {Donahue, Jeff and Jia, Yangqing and Vinyals, Oriol and Hoffman, Judy and Zhang, Ning and Tzeng, Eric
            and Darrell, Trevor},
  booktitle = {International Conference on Machine Learning},
  year = {2014},
  eprint = {1310.1531},
  archivePrefix = {arXiv}
}""",
)
CLASSIFIER = "head.5"


@register(
    ModelSpec(
        name="decaf",
        title="DeCAF",
        family="decaf",
        year=2013,
        paper=DECAF_PAPER,
        parents=("alexnet",),
        takes="Nothing, it shows the habit: what the fully connected layers say, kept as a description of any image.",
        input_shape=(3, 32, 32),
        min_size=4,
        head_kind="fc",
        published=(Published(1_756_426, 32_778_112, "arithmetic: alexnet's, of which 1,930 parameters are trained"),),
        deviations=(
            "The features are those of the small AlexNet, whatever it was trained on, not of one trained on ImageNet.",
            "The classifier is softmax regression; the paper uses logistic regression and a support vector machine.",
        ),
        frozen_from="alexnet",
    )
)
def build_decaf(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
    """AlexNet whose layers are frozen up to the penultimate one; `load_state_dict` of a trained one gives the features."""
    network = build_alexnet(num_classes, in_channels, image_size)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name.startswith(CLASSIFIER))
    return network
