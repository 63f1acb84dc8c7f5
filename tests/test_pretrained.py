"""Weights of torchvision's and timm's networks, carried over by the mapping that each spec writes down."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from conftest import enlivened
from torch import nn
from torchvision import models

import zoo
from archbench.errors import ArchbenchError
from archbench.models import Input, entries, parse, pretrained

CARRIED = [name for name in zoo.names() if zoo.get(name).weights]
TOLERANCE = 1e-4  # of the largest logit; the same float32 operations in another order
# of the networks whose weights others publish: those that the lineage's questions name
EXPECTED = {
    *("alexnet_imagenet", "vgg_11_imagenet", "vgg_16_imagenet", "inception_imagenet", "inception_v3_imagenet"),
    *("resnet_bottleneck_imagenet", "squeezenet_imagenet", "squeezenet_1_1_imagenet", "densenet_imagenet", "xception_imagenet"),
    *("resnext_imagenet", "mobilenet_v2_imagenet", "senet_imagenet", "convnext_imagenet", "mixer_imagenet", "mixer_b16_imagenet"),
}


def theirs_of(origin: str, images: torch.Tensor, classes: int = 10) -> nn.Module:
    """The other library's network, with weights under which its logits depend on the image."""
    if origin.startswith("timm:"):
        network = timm.create_model(origin.removeprefix("timm:"), num_classes=classes)
    else:
        network = entries.entry(origin).build(classes, 3, images.shape[-1])
    return enlivened(network, images)


def test_every_network_that_others_build_has_a_mapping() -> None:
    assert set(CARRIED) == EXPECTED


@pytest.mark.slow
@pytest.mark.parametrize("name", CARRIED)
def test_carried_weights_give_the_same_logits(name: str) -> None:
    weights = zoo.get(name).weights
    images = torch.randn(2, *zoo.get(name).input_shape, generator=torch.Generator().manual_seed(1))
    theirs, ours = theirs_of(weights.origin, images), zoo.create(name).eval()
    pretrained.carry_over(theirs.state_dict(), weights.rename, ours)
    with torch.inference_mode():
        expected = theirs(images)
        assert ours(images).allclose(expected, atol=TOLERANCE * max(1.0, expected.abs().max().item()))


def test_auxiliary_heads_of_published_weights_are_carried_or_left_out() -> None:
    weights = zoo.get("googlenet").weights
    theirs = models.googlenet(weights=None, num_classes=10, aux_logits=True, init_weights=False)
    pretrained.carry_over(theirs.state_dict(), weights.rename, zoo.create("googlenet"))
    with_heads = zoo.create("googlenet", aux="on")
    pretrained.carry_over(theirs.state_dict(), weights.rename, with_heads)
    assert torch.equal(with_heads.auxiliary["inception4d"][6].weight, theirs.aux2.fc2.weight)


def test_weights_that_do_not_fit_are_refused() -> None:
    state = models.squeezenet1_1(weights=None, num_classes=10).state_dict()
    with pytest.raises(ArchbenchError, match="do not fit the network: classifier"):
        pretrained.carry_over(state, (), zoo.create("squeezenet1_1"))


def test_published_weights_come_from_the_cache_and_are_fetched_only_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    model = parse(["squeezenet1_1"])[0]
    network = model.build(Input(1000, 3, 224))
    with pytest.raises(ArchbenchError, match=r"torchvision:squeezenet1_1 .* are not in .*: --download fetches them"):
        pretrained.load(model, network, download=False)
    state = models.squeezenet1_1(weights=None).state_dict()
    cached = tmp_path / "checkpoints" / Path(models.SqueezeNet1_1_Weights.IMAGENET1K_V1.url).name
    cached.parent.mkdir()
    torch.save(state, cached)
    with pytest.raises(ArchbenchError, match="is damaged: its hash is"):
        pretrained.load(model, network, download=False)
    monkeypatch.setattr(pretrained, "verified", lambda file: file)
    cached.write_bytes(b"")
    with pytest.raises(ArchbenchError, match="cannot be had"):
        pretrained.load(model, network, download=False)
    torch.save([1], cached)
    with pytest.raises(ArchbenchError, match="are no state dict but a list"):
        pretrained.load(model, network, download=False)
    torch.save(state, cached)
    pretrained.load(model, network, download=False)
    assert torch.equal(network.features.class_maps[0].weight, state["classifier.1.weight"])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nin", "there are no published weights for nin"),
        ("mixer_s16", "there are no published weights for mixer_imagenet"),
        ("resnet50+stride=1x1", "without knobs"),
    ],
)
def test_models_without_published_weights_say_so(name: str, message: str) -> None:
    with pytest.raises(ArchbenchError, match=message):
        pretrained.weights_of(parse([name])[0])
