"""What the zoo's claims say of the papers' trainings, held against the papers and their authors' code."""

from __future__ import annotations

import pytest

import zoo
from archbench import claiming
from archbench.data.crop import RANDOM_RESIZED_CROP

BOTH_CIFARS = (("cifar10", True), ("cifar100", True))
# What sources tell: (data set, augmented) -> epochs, preprocessing, pixels of translation. None and "" where none tells.
AS_TOLD: dict[str, dict[tuple[str, bool], tuple[int | None, str, int | None]]] = {
    # sections II.B and III.B
    "lenet": {("mnist", False): (20, "white -0.1, black 1.175", None)},
    # pylearn2 scripts/papers/maxout: README (785, 474; 142 and 9), mnist.yaml, cifar10.yaml, svhn_preprocessing.py
    "maxout": {
        ("mnist", False): (None, "pixels from 0 to 1", None),
        ("cifar10", False): (785, "gcn_zca", None),
        ("cifar10", True): (474, "gcn_zca", 8),
        ("cifar100", False): (None, "gcn_zca", None),
        ("svhn", False): (151, "local contrast normalisation", None),
    },
    # mavenlin/cuda-convnet README.md: 200, 230, 260; CIFAR-100 alike; SVHN and MNIST "coming soon". Python/convnet.py: border of 4
    "nin": {
        ("cifar10", False): (260, "gcn_zca", None),
        ("cifar10", True): (None, "gcn_zca", 4),
        ("cifar100", False): (260, "gcn_zca", None),
    },
    "nin_svhn": {("svhn", False): (None, "local contrast normalisation", None)},
    "nin_mnist": {("mnist", False): (None, "per-pixel mean", None)},
    # section 4.2, and arXiv:1603.05027's appendix: 64,000 x 128 / 50,000 = 163.84
    "resnet_basic": {("cifar10", True): (164, "per-pixel mean", 4)},
    "resnet_basic_56": {("cifar10", True): (164, "per-pixel mean", 4)},
    "resnet_basic_110": {("cifar10", True): (164, "per-pixel mean", 4)},
    "resnet_bottleneck_164": {("cifar10", True): (164, "per-pixel mean", 4)},
    "preresnet_164": dict.fromkeys(BOTH_CIFARS, (164, "per-pixel mean", 4)),
    # sections 4.1, 4.2; datasets/cifar10.lua
    "densenet": {
        ("cifar10", False): (300, "normalise", None),
        ("cifar10", True): (300, "normalise", 4),
        ("cifar100", False): (300, "normalise", None),
        ("cifar100", True): (300, "normalise", 4),
        ("svhn", False): (40, "pixels from 0 to 1", None),
    },
    # appendix A; datasets/cifar10.lua
    "resnext_8x64d": dict.fromkeys(BOTH_CIFARS, (300, "normalise", 4)),
    "resnext_16x64d": dict.fromkeys(BOTH_CIFARS, (300, "normalise", 4)),
    # arXiv:1709.01507v3, section 5.1: as the baseline's authors, but mean and deviation
    "senet_164": dict.fromkeys(BOTH_CIFARS, (164, "normalise", 4)),
}
# And on ImageNet, where the augmentation differs each time: epochs, preprocessing, whether the paper tests on one crop.
IMAGENET: dict[str, tuple[int | None, str, bool]] = {
    "alexnet_grouped_imagenet": (90, "per-pixel mean", False),  # sections 2, 4.1, 5
    "vgg_11_imagenet": (74, "channel mean", False),  # sections 2.1, 3.1, 3.2
    "vgg_16_imagenet": (74, "channel mean", False),
    "nin_imagenet": (None, "", True),
    "resnet_bottleneck_imagenet": (120, "per-pixel mean", False),  # section 3.4: 600,000 x 256 / 1,281,167 = 119.9; ten crops
    "inception_v3_imagenet": (100, "", True),  # section 8
    "cam_imagenet": (None, "", True),
    "squeezenet_imagenet": (68, "channel mean", True),  # solver.prototxt: 85,000 x 32 x 32 / 1,281,167 = 67.9
    "xception_imagenet": (None, "", True),
    "densenet_imagenet": (90, "normalise", True),  # section 4.2; datasets/imagenet.lua
    "resnext_imagenet": (100, "normalise", True),  # opts.lua; datasets/imagenet.lua
    "mobilenet_imagenet": (None, "", True),
    "senet_imagenet": (100, "channel mean", True),  # section 5.1
    "mobilenet_v2_imagenet": (420, "pixels from -1 to 1", True),  # slim: 700,000 x 8 x 96 / 1,281,167 = 419.6
    "convnext_imagenet": (300, "normalise", True),  # appendix A.1
}


def claims_of(name: str) -> list[zoo.Claim]:
    """Those of a network, and not of its other heads."""
    return [claim for claim in zoo.get(name).claims if not str(claim.knobs.get("head", "")).startswith("fc")]


@pytest.mark.parametrize("name", AS_TOLD)
def test_claims_on_small_images_have_the_conditions_that_sources_tell(name: str) -> None:
    found = {(each.dataset, each.augmentation != "none"): (each.epochs, each.preprocessing, each.translate) for each in claims_of(name)}
    assert found == AS_TOLD[name]
    assert all(each.augmentation in ("none", "translation and flip") for each in claims_of(name))


@pytest.mark.parametrize("name", IMAGENET)
def test_claims_on_imagenet_have_the_conditions_that_sources_tell(name: str) -> None:
    (claim,) = claims_of(name)
    assert (claim.epochs, claim.preprocessing, not claim.tested) == IMAGENET[name]


def test_each_claim_of_the_zoo_is_held_against_a_source_that_it_names() -> None:
    claiming = {name for name in zoo.names() if zoo.get(name).claims}
    assert claiming == {*AS_TOLD, *IMAGENET}
    for claim in (claim for name in claiming for claim in zoo.get(name).claims):
        told = claim.network or claim.preprocessing or claim.tested or any((claim.epochs, claim.translate, claim.train_images))
        assert bool(claim.source) == bool(told), claim


def test_svhn_was_learnt_from_both_its_training_sets_less_six_thousand() -> None:
    """As NIN, maxout and DenseNet say: ten times 400 of the one and 200 of the other held out."""
    told = {claim.train_images for name in ("nin_svhn", "maxout", "densenet") for claim in zoo.get(name).claims if claim.dataset == "svhn"}
    assert told == {73_257 + 531_131 - 10 * (400 + 200)}


def test_heads_of_nin_were_trained_for_a_time_that_no_source_tells() -> None:
    heads = [claim for claim in zoo.get("nin").claims if claim.knobs]
    assert [claim.unknown for claim in heads] == [["length"]] * 2


def test_a_claim_is_of_the_form_that_its_authors_trained() -> None:
    """Strides on the first 1x1 (KaimingHe/resnet-1k-layers, hujie-frank/SENet), an auxiliary head, Caffe's padding."""
    forms = {name: [dict(claim.knobs) for claim in zoo.get(name).claims] for name in zoo.names()}
    for name in ("resnet_bottleneck_164", "preresnet_164", "resnet_bottleneck_imagenet", "senet_imagenet"):
        assert all(knobs == {"stride": "1x1"} for knobs in forms[name])
    assert forms["inception_v3_imagenet"] == [{"aux": "on"}]
    assert forms["squeezenet_imagenet"] == [{"form": "caffe"}]


def test_claims_name_the_resized_crop_as_records_do() -> None:
    (senet,) = zoo.get("senet_imagenet").claims
    assert senet.augmentation == f"{RANDOM_RESIZED_CROP} and flip"


def test_the_zoo_has_nins_five_results_its_three_heads_and_maxouts() -> None:
    """The paper's tables 1 to 5."""
    of = {name: {(c.dataset, c.augmentation, *c.knobs.values()): c.error_pct for c in zoo.get(name).claims} for name in ("nin", "maxout")}
    assert of["nin"] == {
        ("cifar10", "none"): 10.41,
        ("cifar10", "translation and flip"): 8.81,
        ("cifar100", "none"): 35.68,
        ("cifar10", "none", "fc"): 11.59,
        ("cifar10", "none", "fc_dropout"): 10.88,
    }
    assert of["maxout"] == {
        ("cifar10", "none"): 11.68,
        ("cifar10", "translation and flip"): 9.38,
        ("cifar100", "none"): 38.57,
        ("svhn", "none"): 2.47,
        ("mnist", "none"): 0.45,
    }
    assert [zoo.get(name).claims[0].error_pct for name in ("nin_svhn", "nin_mnist")] == [2.35, 0.47]


def test_every_claim_is_of_a_form_that_the_zoo_can_build() -> None:
    for each in claiming.claiming():
        for claim in each["claims"]:
            zoo.registry.check_knobs(zoo.get(each["name"]), claim["knobs"])
            assert claim["augmentation"] == claim["augmentation"].strip("()")
