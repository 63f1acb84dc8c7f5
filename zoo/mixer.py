"""MLP-Mixer (Tolstikhin et al., 2021): one MLP mixes places, another mixes channels, fully apart."""

from __future__ import annotations

import torch
from torch import nn

from zoo._blocks import Classifier, named
from zoo.registry import HALF, ModelSpec, Paper, Published, TrainingHints, Weights, ZooError, register

MIXER_PAPER = Paper(
    title="MLP-Mixer: An all-MLP Architecture for Vision",
    arxiv="2105.01601",
    bibtex="""@inproceedings{tolstikhin2021mlp,
  title = {{MLP-Mixer}: An all-{MLP} Architecture for Vision},
  author = {Tolstikhin, Ilya and Houlsby, Neil and Kolesnikov, Alexander and Beyer, Lucas and Zhai, Xiaohua and Unterthiner, Thomas
            and Yung, Jessica and Steiner, Andreas and Keysers, Daniel and Uszkoreit, Jakob and Lucic, Mario and Dosovitskiy, Alexey},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {34},
  year = {2021},
  eprint = {2105.01601},
  archivePrefix = {arXiv}
}""",
)
TAKES = "NIN's MLP over the channels of each place; a second MLP, over places, takes the spatial filter's part."
HINTS = TrainingHints(lr=0.05, warmup_fraction=0.25, clip_norm=1.0, reason="made for Adam")
RENAME = (
    (r"^stem\.proj\.", "features.stem.0."),
    (r"^blocks\.", "features.blocks."),
    (r"\.norm1\.", ".norm_tokens."),
    (r"\.norm2\.", ".norm_channels."),
    (r"\.mlp_(tokens|channels)\.fc1\.", r".\1.0."),
    (r"\.mlp_(tokens|channels)\.fc2\.", r".\1.2."),
    (r"^norm\.", "features.norm."),
    (r"^head\.", "head.1."),
)


def mlp(width: int, hidden: int) -> nn.Sequential:
    """Two linear layers with GELU between them, over the last axis."""
    return nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))


class MixerBlock(nn.Module):
    """An MLP over places for each channel, then one over channels at each place, each behind a norm and added (figure 1)."""

    def __init__(self, places: int, channels: int) -> None:
        super().__init__()
        self.norm_tokens, self.norm_channels = nn.LayerNorm(channels, eps=1e-6), nn.LayerNorm(channels, eps=1e-6)
        self.tokens = mlp(places, channels // 2)
        self.channels = mlp(channels, 4 * channels)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        tokens = tokens + self.tokens(self.norm_tokens(tokens).transpose(1, 2)).transpose(1, 2)
        mixed: torch.Tensor = tokens + self.channels(self.norm_channels(tokens))
        return mixed


class MeanOverPlaces(nn.Module):
    """`(N, places, C)` to `(N, C)`."""

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return tokens.mean(1)


class ToTokens(nn.Module):
    """`(N, C, H, W)` to `(N, H * W, C)`."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return maps.flatten(2).transpose(1, 2)


def mixer(num_classes: int, in_channels: int, image_size: int, patch: int, depth: int, channels: int) -> nn.Module:
    """Patches of `patch` pixels, `depth` blocks, a norm, the mean over places and one linear layer. Raises ZooError for a part patch."""
    if image_size % patch:
        raise ZooError(f"mixer cuts its image into patches of {patch}x{patch}: {image_size} is no multiple of {patch}")
    places = (image_size // patch) ** 2
    features = named(
        stem=nn.Sequential(nn.Conv2d(in_channels, channels, patch, patch), ToTokens()),
        blocks=nn.Sequential(*(MixerBlock(places, channels) for _ in range(depth))),
        norm=nn.LayerNorm(channels, eps=1e-6),
    )
    return Classifier(features, nn.Sequential(MeanOverPlaces(), nn.Linear(channels, num_classes)))


@register(
    ModelSpec(
        name="mixer",
        title="MLP-Mixer (small)",
        family="mixer",
        year=2021,
        paper=MIXER_PAPER,
        parents=("nin",),
        takes=TAKES,
        input_shape=(3, 32, 32),
        min_size=4,
        head_kind="gap+fc",
        published=(Published(4_360_970, 302_778_880, "arithmetic, layer by layer in the tests"),),
        deviations=("For 32x32: patches of 4x4 pixels, eight blocks of 256 channels.",),
        hints=HINTS,
    )
)
def build_mixer(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
    """64 places of 256 channels, eight blocks."""
    return mixer(num_classes, in_channels, image_size, patch=4, depth=8, channels=256)


def imagenet_spec(name: str, form: str, published: Published, weights: Weights) -> ModelSpec:
    """The spec of one of the paper's networks with patches of 16x16 pixels."""
    return ModelSpec(
        name=name,
        title=f"MLP-Mixer {form}/16",
        aliases=(f"mixer_{form.lower()}16",),
        family="mixer",
        year=2021,
        paper=MIXER_PAPER,
        parents=("nin_imagenet",),
        takes=TAKES,
        input_shape=(3, 224, 224),
        num_classes=1000,
        min_size=16,
        head_kind="gap+fc",
        published=(published,),
        hints=HINTS,
        weights=weights,
    )


@register(imagenet_spec("mixer_imagenet", "S", Published(18_528_264, 3_776_958_464, "timm"), Weights("timm:mixer_s16_224", "", RENAME)))
def build_mixer_imagenet(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
    """196 places of 512 channels, eight blocks (table 1, S/16)."""
    return mixer(num_classes, in_channels, image_size, patch=16, depth=8, channels=512)


@register(
    imagenet_spec(
        "mixer_b16_imagenet",
        "B",
        Published(59_880_472, 12_601_767_936, "timm"),
        Weights("timm:mixer_b16_224", "goog_in21k_ft_in1k", RENAME, mean=HALF, deviation=HALF, bicubic=True),
    )
)
def build_mixer_b16_imagenet(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
    """196 places of 768 channels, twelve blocks (table 1, B/16)."""
    return mixer(num_classes, in_channels, image_size, patch=16, depth=12, channels=768)
