"""Inception-v3 (Szegedy et al., 2016): wide kernels split into thin ones, 1x1 reductions before each."""

from __future__ import annotations

from torch import nn

from zoo._blocks import Branches, Size, WithAuxiliary, average_and_linear, conv_norm
from zoo._claims import Claim
from zoo.registry import HALF, ModelSpec, Paper, Published, Weights, ZooError, register

INCEPTION_V3_PAPER = Paper(
    title="Rethinking the Inception Architecture for Computer Vision",
    arxiv="1512.00567",
    bibtex="""@inproceedings{szegedy2016rethinking,
  title = {Rethinking the Inception Architecture for Computer Vision},
  author = {Szegedy, Christian and Vanhoucke, Vincent and Ioffe, Sergey and Shlens, Jonathon and Wojna, Zbigniew},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition},
  year = {2016},
  eprint = {1512.00567},
  archivePrefix = {arXiv}
}""",
)
Chain = tuple[tuple[int, Size], ...]  # (maps, kernel) of layers one after the other


def unit(w_in: int, w_out: int, kernel: Size, stride: int = 1, padding: Size | None = None) -> nn.Sequential:
    """Convolution, batch norm, ReLU."""
    return conv_norm(w_in, w_out, kernel, stride, padding=padding, eps=1e-3, relu=True)


def chain(w_in: int, layers: Chain) -> nn.Sequential:
    """Units one after the other."""
    widths = (w_in, *(w_out for w_out, _ in layers))
    return nn.Sequential(*(unit(before, w_out, kernel) for before, (w_out, kernel) in zip(widths, layers, strict=False)))


def shrinking(w_in: int, layers: Chain, w_out: int) -> nn.Sequential:
    """A chain that ends in a 3x3 of stride 2 without padding."""
    return nn.Sequential(*chain(w_in, layers), unit(layers[-1][0] if layers else w_in, w_out, 3, 2, padding=0))


def pooled(w_in: int, w_out: int) -> nn.Sequential:
    """The average of 3x3 places, then 1x1."""
    return nn.Sequential(nn.AvgPool2d(3, 1, 1), unit(w_in, w_out, 1))


def fork(w_in: int, layers: Chain) -> nn.Sequential:
    """A chain, then 1x3 and 3x1 side by side."""
    w_out = layers[-1][0]
    return nn.Sequential(*chain(w_in, layers), Branches(unit(w_out, w_out, (1, 3)), unit(w_out, w_out, (3, 1))))


def module_5(w_in: int, w_pool: int) -> Branches:
    """At 35x35: 1x1, 5x5, twice 3x3, pool (figure 5)."""
    return Branches(unit(w_in, 64, 1), chain(w_in, ((48, 1), (64, 5))), chain(w_in, ((64, 1), (96, 3), (96, 3))), pooled(w_in, w_pool))


def module_6(w_in: int, w: int) -> Branches:
    """At 17x17: 7x7 as 1x7 and 7x1, once and twice (figure 6)."""
    once = ((w, 1), (w, (1, 7)), (192, (7, 1)))
    twice = ((w, 1), (w, (7, 1)), (w, (1, 7)), (w, (7, 1)), (192, (1, 7)))
    return Branches(unit(w_in, 192, 1), chain(w_in, once), chain(w_in, twice), pooled(w_in, 192))


def module_7(w_in: int) -> Branches:
    """At 8x8: the last layers fork into 1x3 and 3x1 (figure 7)."""
    return Branches(unit(w_in, 320, 1), fork(w_in, ((384, 1),)), fork(w_in, ((448, 1), (384, 3))), pooled(w_in, 192))


def reduce_6(w_in: int) -> Branches:
    """35x35 to 17x17 (figure 10)."""
    return Branches(shrinking(w_in, (), 384), shrinking(w_in, ((64, 1), (96, 3)), 96), nn.MaxPool2d(3, 2))


def reduce_7(w_in: int) -> Branches:
    """17x17 to 8x8 (figure 10)."""
    factored = ((192, 1), (192, (1, 7)), (192, (7, 1)))
    return Branches(shrinking(w_in, ((192, 1),), 320), shrinking(w_in, factored, 192), nn.MaxPool2d(3, 2))


def auxiliary_head(num_classes: int) -> nn.Sequential:
    """The classifier at 17x17, for training alone (section 4)."""
    return nn.Sequential(nn.AvgPool2d(5, 3), unit(768, 128, 1), unit(128, 768, 5, padding=0), *average_and_linear(768, num_classes))


AUXILIARY_SIZE = 299  # the auxiliary head's 5x5 needs the 17x17 maps that this gives
RENAME = (
    (r"^Conv2d_(.*?)_\dx\d\.", r"body.conv\1."),
    (r"^Mixed_", "body.mixed"),
    (r"^AuxLogits\.conv0\.", "auxiliary.mixed6e.1."),
    (r"^AuxLogits\.conv1\.", "auxiliary.mixed6e.2."),
    (r"^AuxLogits\.fc\.", "auxiliary.mixed6e.5."),
    (r"(mixed5.)\.branch1x1\.", r"\1.branches.0."),
    (r"(mixed5.)\.branch5x5_1\.", r"\1.branches.1.0."),
    (r"(mixed5.)\.branch5x5_2\.", r"\1.branches.1.1."),
    (r"(mixed5.)\.branch3x3dbl_1\.", r"\1.branches.2.0."),
    (r"(mixed5.)\.branch3x3dbl_2\.", r"\1.branches.2.1."),
    (r"(mixed5.)\.branch3x3dbl_3\.", r"\1.branches.2.2."),
    (r"(mixed6a)\.branch3x3\.", r"\1.branches.0.0."),
    (r"(mixed6a)\.branch3x3dbl_1\.", r"\1.branches.1.0."),
    (r"(mixed6a)\.branch3x3dbl_2\.", r"\1.branches.1.1."),
    (r"(mixed6a)\.branch3x3dbl_3\.", r"\1.branches.1.2."),
    (r"(mixed6.)\.branch1x1\.", r"\1.branches.0."),
    (r"(mixed6.)\.branch7x7_1\.", r"\1.branches.1.0."),
    (r"(mixed6.)\.branch7x7_2\.", r"\1.branches.1.1."),
    (r"(mixed6.)\.branch7x7_3\.", r"\1.branches.1.2."),
    (r"(mixed6.)\.branch7x7dbl_1\.", r"\1.branches.2.0."),
    (r"(mixed6.)\.branch7x7dbl_2\.", r"\1.branches.2.1."),
    (r"(mixed6.)\.branch7x7dbl_3\.", r"\1.branches.2.2."),
    (r"(mixed6.)\.branch7x7dbl_4\.", r"\1.branches.2.3."),
    (r"(mixed6.)\.branch7x7dbl_5\.", r"\1.branches.2.4."),
    (r"(mixed7a)\.branch3x3_1\.", r"\1.branches.0.0."),
    (r"(mixed7a)\.branch3x3_2\.", r"\1.branches.0.1."),
    (r"(mixed7a)\.branch7x7x3_1\.", r"\1.branches.1.0."),
    (r"(mixed7a)\.branch7x7x3_2\.", r"\1.branches.1.1."),
    (r"(mixed7a)\.branch7x7x3_3\.", r"\1.branches.1.2."),
    (r"(mixed7a)\.branch7x7x3_4\.", r"\1.branches.1.3."),
    (r"(mixed7.)\.branch1x1\.", r"\1.branches.0."),
    (r"(mixed7.)\.branch3x3_1\.", r"\1.branches.1.0."),
    (r"(mixed7.)\.branch3x3_2a\.", r"\1.branches.1.1.branches.0."),
    (r"(mixed7.)\.branch3x3_2b\.", r"\1.branches.1.1.branches.1."),
    (r"(mixed7.)\.branch3x3dbl_1\.", r"\1.branches.2.0."),
    (r"(mixed7.)\.branch3x3dbl_2\.", r"\1.branches.2.1."),
    (r"(mixed7.)\.branch3x3dbl_3a\.", r"\1.branches.2.2.branches.0."),
    (r"(mixed7.)\.branch3x3dbl_3b\.", r"\1.branches.2.2.branches.1."),
    (r"(mixed..)\.branch_pool\.", r"\1.branches.3.1."),
    (r"\.conv\.", ".0."),
    (r"\.bn\.", ".1."),
    (r"^fc\.", "head.3."),
)


@register(
    ModelSpec(
        name="inception_v3_imagenet",
        title="Inception-v3",
        aliases=("inception_v3",),
        family="inception",
        year=2015,
        paper=INCEPTION_V3_PAPER,
        parents=("inception_imagenet",),
        takes="1x1 convolutions as reductions before every branch, whose kernels are now split along their axes; an averaged head.",
        input_shape=(3, 299, 299),
        num_classes=1000,
        min_size=75,
        head_kind="gap+fc",
        published=(
            Published(23_834_568, 5_713_216_096, "pytorchcv; torchvision"),
            Published(27_161_264, 5_713_216_096, "torchvision, auxiliary head", knobs={"aux": "on"}),
        ),
        claims=(Claim("imagenet", "", 21.2, "abstract", {"aux": "on"}, epochs=100, source="section 8; table 3 (auxiliary head)"),),
        knobs={"aux": ("off", "on")},
        deviations=("The auxiliary head is left out; aux=on adds it to the loss at 0.4 in training.",),
        weights=Weights("torchvision:inception_v3", "IMAGENET1K_V1", RENAME, mean=HALF, deviation=HALF, resize=342),
    )
)
def build_inception_v3_imagenet(num_classes: int, in_channels: int, image_size: int, *, aux: str = "off") -> nn.Module:
    """Five convolutions, then modules at 35x35, 17x17 and 8x8 (table 1). Raises ZooError for the auxiliary head on a small image."""
    if aux == "on" and image_size < AUXILIARY_SIZE:
        raise ZooError(f"inception_v3_imagenet with aux=on needs images of at least {AUXILIARY_SIZE}x{AUXILIARY_SIZE} (got {image_size})")
    body = nn.ModuleDict(
        {
            "conv1a": unit(in_channels, 32, 3, 2, padding=0),
            "conv2a": unit(32, 32, 3, padding=0),
            "conv2b": unit(32, 64, 3),
            "pool2": nn.MaxPool2d(3, 2),
            "conv3b": unit(64, 80, 1),
            "conv4a": unit(80, 192, 3, padding=0),
            "pool4": nn.MaxPool2d(3, 2),
            "mixed5b": module_5(192, 32),
            "mixed5c": module_5(256, 64),
            "mixed5d": module_5(288, 64),
            "mixed6a": reduce_6(288),
            **{f"mixed6{letter}": module_6(768, w) for letter, w in zip("bcde", (128, 160, 160, 192), strict=True)},
            "mixed7a": reduce_7(768),
            "mixed7b": module_7(1280),
            "mixed7c": module_7(2048),
        }
    )
    heads = {"mixed6e": auxiliary_head(num_classes)} if aux == "on" else {}
    return WithAuxiliary(body, average_and_linear(2048, num_classes, dropout=0.5), heads, weight=0.4)
