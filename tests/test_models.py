from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import pytest
import torch

import zoo
from archbench.errors import ArchbenchError
from archbench.measure.complexity import count
from archbench.models import Input, Model, is_several, parse, source, source_hash

CIFAR = Input(10, 3, 32)
USER_FILE = """
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

class Wrong:
    pass

def tiny(num_classes, in_channels=3):
    body = [nn.Conv2d(in_channels, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*body, nn.Linear(8, num_classes))

def nothing(num_classes):
    return "a network"

def fails(num_classes):
    raise RuntimeError("no such layer")

def asks_for_values(num_classes):
    depths = [x.item() for x in torch.linspace(0, 1, 3)]
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, num_classes))

def any_options(**options):
    return tiny(options["num_classes"])

def tall(num_classes, in_channels):
    return nn.Sequential(nn.Conv2d(in_channels, 4, 5), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, num_classes))

@dataclass
class Settings:
    width: "int" = 8

def ends_wide(num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 5))
"""


@pytest.fixture
def user_file(tmp_path: Path) -> Path:
    path = tmp_path / "c++" / "nets.py"
    path.parent.mkdir()
    path.write_text(USER_FILE)
    return path


def labels(*names: str) -> list[str]:
    return [model.label for model in parse(names)]


def test_names_aliases_globs_and_groups() -> None:
    assert labels("nin", "resnet29") == ["nin", "resnet_bottleneck"]
    assert labels("nin*") == ["nin", "nin_imagenet", "nin_mnist", "nin_svhn", "nin_tiny", "nin_bn"]
    assert labels("all") == zoo.names()
    assert set(labels("lineage")) | set(labels("imagenet")) == set(zoo.names())


def test_each_model_once_in_the_order_asked_for() -> None:
    assert labels("mobilenet", "nin", "mobilenet") == ["mobilenet", "nin"]


def test_knobs_ride_on_the_name_and_keep_their_type() -> None:
    model = parse(["nin+mlp_depth=1+head=fc"])[0]
    assert model == Model("nin", (("head", "fc"), ("mlp_depth", 1)))
    assert model.label == "nin+head=fc+mlp_depth=1"
    assert parse(["nin+width=0.5"])[0] == Model("nin", (("width", 0.5),))


def test_a_knob_at_its_default_is_no_knob() -> None:
    assert parse(["nin+mlp_depth=2+width=1"]) == [Model("nin")]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nim", "unknown model 'nim'; did you mean 'nin'"),
        ("vit*", r"no model matches 'vit\*'"),
        ("nin+hed=fc", "nin has no knob 'hed'"),
        ("nin+head=fx", "head cannot be 'fx'"),
        ("nin+head", "a knob is written KEY=VALUE"),
        ("nin+head=fc+head=gap", "the knob 'head' is given twice"),
        ("nin+width=wide", r"width cannot be 'wide'; valid: 0.01 to 16"),
        ("nin+local=maxout+mlp_depth=1", "mlp_depth=1 means nothing with local=maxout"),
        ("nin+local=maxout+mlp_depth=2", "mlp_depth=2 means nothing with local=maxout"),
        ("nin+equal=macs", "equal=macs stands beside another knob"),
        ("nin+head=fc+equal=flops", "equal cannot be 'flops'; valid: macs, params"),
        ("nin+width=2+equal=macs", "equal=macs finds the width, so width cannot be given too"),
        ("senet_imagenet+stride=1x1+equal=macs", "senet_imagenet has no width"),
        ("nin+source=abc", "nin takes no trained weights, so it has no knob 'source'"),
        ("", "empty name"),
        ("timm:resnet1800", "unknown model 'timm:resnet1800'; did you mean 'timm:resnet18"),
        ("timm:resnet18+head=fc", "timm:resnet18 has no knob 'head'"),
        ("torchvision:resnet", "unknown model 'torchvision:resnet'"),
        ("torchvision:nothing*", "no model matches"),
        ("missing.py:tiny", "there is no file missing.py"),
    ],
)
def test_what_is_not_there_is_said_in_a_line(name: str, message: str) -> None:
    with pytest.raises(ArchbenchError, match=message) as caught:
        parse([name])
    assert "\n" not in str(caught.value)


def test_names_from_a_file_stand_beside_others(tmp_path: Path) -> None:
    listed = tmp_path / "names.txt"
    listed.write_text("# the first two\nnin  # Network In Network\n\nresnet29\nnin*\nnin+head=fc\n")
    expected = ["mobilenet", "nin", "resnet_bottleneck", "nin_imagenet", "nin_mnist", "nin_svhn", "nin_tiny", "nin_bn", "nin+head=fc"]
    assert labels("mobilenet", f"@{listed}") == expected


@pytest.mark.parametrize(("names", "several"), [("nin\n", False), ("nin\nlineage\n", True), ("resnet*\n", True)])
def test_a_file_stands_for_whatever_there_is_if_one_of_its_names_does(names: str, several: bool, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text(names)
    assert is_several(f"@{tmp_path / 'names.txt'}") is several


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no file .*names.txt; @FILE holds names of models, one a line"),
        (b"# nothing\n\n", "names.txt names no model; @FILE holds"),
        (b"\x80\x81", "names.txt is not text; @FILE holds"),
        (b"nin\0", "names.txt is not text; @FILE holds"),
        (b"nin\nnim\n", "names.txt, line 2: unknown model 'nim'; did you mean 'nin'"),
        (b"nin,mobilenet\n", "names.txt, line 1: unknown model 'nin,mobilenet'"),
    ],
)
def test_a_faulty_file_of_names_is_one_line(content: bytes | None, message: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "names.txt").write_bytes(content)
    with pytest.raises(ArchbenchError, match=message) as caught:
        parse([f"@{tmp_path / 'names.txt'}"])
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_file_of_names(tmp_path: Path) -> None:
    with pytest.raises(ArchbenchError, match="cannot be read: Is a directory"):
        parse([f"@{tmp_path}"])


def test_an_image_too_small_names_the_smallest() -> None:
    with pytest.raises(ArchbenchError, match="squeezenet needs images of at least 8x8"):
        Model("squeezenet").check(Input(10, 3, 7))


def test_source_hash_tells_families_apart() -> None:
    assert len({source_hash(name) for name in zoo.names()}) == len(zoo.names())


BLOCKS = """
def used(width):
    return width + 1

def unused(width):
    return width + 2
"""
FAMILY = '''
from functools import partial
from zoo.registry import Range
from added import more
from added.blocks import used

DEPTH = 3
LIMITS = Range(0, 1)

def build(classes):
    """A network."""
    return more.twice(used(DEPTH))  # as deep as it goes
'''


@pytest.mark.parametrize(
    ("file", "before", "after", "changes"),
    [
        ("family", "# as deep as it goes", "", False),
        ("family", "A network.", "A network of ours.", False),
        ("family", "Range(0, 1)", "Range(0, 2)", False),
        ("family", "def build(classes):", "def build( classes ) :", False),
        ("blocks", "width + 2", "width + 3", False),
        ("more", "* 2", "* 3", True),
        ("family", "DEPTH = 3", "DEPTH = 4", True),
        ("family", "used(DEPTH)", "used(DEPTH + 1)", True),
        ("blocks", "width + 1", "width + 5", True),
    ],
)
def test_the_source_hash_follows_what_the_builder_reaches_and_nothing_else(
    file: str, before: str, after: str, changes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "added"
    package.mkdir()
    texts = {"__init__": "", "blocks": BLOCKS, "family": FAMILY, "more": "def twice(width):\n    return width * 2\n"}
    assert before in texts[file]
    monkeypatch.syspath_prepend(str(tmp_path))
    codes = []
    for changed in (texts, {**texts, file: texts[file].replace(before, after)}):
        for name, text in changed.items():
            (package / f"{name}.py").write_text(text)
        for cached in (source._tree, source._definitions, source._imports):
            cached.cache_clear()
        for name in [name for name in sys.modules if name.partition(".")[0] == "added"]:
            monkeypatch.delitem(sys.modules, name)
        importlib.invalidate_caches()
        codes.append(sorted(each.code for each in source._reached("added.family", "build")))
    assert (codes[0] != codes[1]) == changes


def test_a_snapshot_says_which_head_the_knob_made() -> None:
    assert parse(["nin+head=fc"])[0].snapshot(CIFAR).spec["head_kind"] == "fc"


def test_timm_and_torchvision_models_count_as_their_authors_say() -> None:
    """11,689,512 parameters of ResNet-18 (torchvision's page of weights); timm builds the same network."""
    theirs, again = parse(["torchvision:resnet18", "timm:resnet18"])
    counted = count(theirs, theirs.native_input)
    assert counted.params == 11_689_512
    assert counted.by_class("macs")["head"] == 512 * 1000
    assert count(again, again.native_input).by_class("macs") == counted.by_class("macs")


def test_patterns_reach_other_libraries() -> None:
    assert labels("torchvision:resnet1*") == ["torchvision:resnet101", "torchvision:resnet152", "torchvision:resnet18"]
    assert "timm:mixer_s16_224" in labels("timm:mixer_s*")


def test_other_libraries_models_take_other_channels_and_classes() -> None:
    for name in ("torchvision:resnet18", "timm:resnet18"):
        network = parse([name])[0].build(Input(7, 1, 32)).eval()
        assert network(torch.randn(2, 1, 32, 32)).shape == (2, 7)


def test_a_foreign_model_that_cannot_take_the_image_says_so_in_a_line() -> None:
    with pytest.raises(ArchbenchError, match="torchvision:inception_v3 cannot take images of 3x32x32") as caught:
        parse(["torchvision:inception_v3"])[0].check(CIFAR)
    assert "\n" not in str(caught.value)


def test_a_users_function_is_a_model(user_file: Path) -> None:
    """3 x 8 x 9 + 8 and 8 x 10 + 10 parameters; 216 MACs at 1,024 places and 80 in the head."""
    model = parse([f"{user_file}:tiny"])[0]
    counted = count(model, CIFAR)
    assert (counted.params, counted.by_class("macs")) == (224 + 90, {"head": 80, "dense_conv": 216 * 1024})


def test_a_users_file_is_hashed_whole(user_file: Path) -> None:
    name = f"{user_file}:tiny"
    before = parse([name])[0].snapshot(CIFAR).source_sha256
    user_file.write_text(USER_FILE + "# a remark\n")
    assert parse([name])[0].snapshot(CIFAR).source_sha256 != before


@pytest.mark.parametrize("function", ["asks_for_values", "any_options"])
def test_functions_of_many_kinds_are_models(user_file: Path, function: str) -> None:
    """One that asks for values, as the meta device cannot give, and one that takes whatever there is."""
    model = parse([f"{user_file}:{function}"])[0]
    model.check(CIFAR)
    assert count(model, CIFAR).params > 0


def test_an_edit_during_a_run_changes_nothing(user_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does bytecode of before it come instead, though the edited file is as long and of the same second."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    os.utime(user_file, (1e9, 1e9))
    name = f"{user_file}:tiny"
    model = parse([name])[0]
    before = count(model, CIFAR).params
    user_file.write_text(USER_FILE.replace("8, 3, padding=1", "9, 3, padding=1").replace("Linear(8", "Linear(9"))
    os.utime(user_file, (1e9, 1e9))
    assert count(model, CIFAR).params == before
    assert count(parse([name])[0], CIFAR).params == 9 * 28 + 9 * 10 + 10


def test_a_pattern_over_a_users_file_finds_its_functions(user_file: Path) -> None:
    assert labels(f"{user_file}:[at]*s") == [f"{user_file}:asks_for_values", f"{user_file}:any_options"]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("tinny", "has no function 'tinny'; did you mean 'tiny'"),
        ("nothing", "returned str, not a torch.nn.Module"),
        ("Wrong", "returned Wrong, not a torch.nn.Module"),
        ("fails", "cannot take images of 3x32x32: RuntimeError: no such layer"),
        ("ends_wide", r"gives \(1, 5\) for one image, not logits of shape \(1, 10\)"),
    ],
)
def test_a_users_mistake_is_one_line(user_file: Path, function: str, message: str) -> None:
    with pytest.raises(ArchbenchError, match=message) as caught:
        parse([f"{user_file}:{function}"])[0].check(CIFAR)
    assert "\n" not in str(caught.value)


def test_a_file_without_its_function_names_those_that_it_has(user_file: Path) -> None:
    name = str(user_file)
    for asked in (name, f"{name}+head=fc"):
        with pytest.raises(ArchbenchError, match=r"named FILE.py:FUNCTION; .*nets.py has tiny, nothing, fails, asks_for_values,"):
            parse([asked])
    with pytest.raises(ArchbenchError, match=r"^missing.py: there is no file missing.py in /.*; a model of your own is named FILE.py:"):
        parse(["missing.py"])


def test_an_argument_that_a_function_does_not_take_is_said(user_file: Path) -> None:
    (model,) = parse([f"{user_file}:asks_for_values"])
    with pytest.raises(ArchbenchError, match=r"cannot take images of 1x32x32: .*; its function takes no in_channels \(here 1\)$"):
        model.check(Input(10, 1, 32))
    with pytest.raises(ArchbenchError, match=r"; its function takes no in_channels \(here 1\) and no image_size \(here 16\)$"):
        model.check(Input(10, 1, 16))
    with pytest.raises(ArchbenchError, match=r"cannot take images of 3x2x2: [^;]*; its function takes no image_size \(here 2\)$"):
        parse([f"{user_file}:tall"])[0].check(Input(10, 3, 2))


def test_where_a_file_of_names_was_looked_for_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArchbenchError, match=f"there is no file names.txt in {tmp_path}; @FILE holds .* taken from the current directory"):
        parse(["@names.txt"])


@pytest.mark.parametrize(
    ("text", "message"),
    [("def tiny(:\n", "nets.py, line 1: "), ("import nothing_like_it\n", "cannot be run: ModuleNotFoundError: No module named")],
)
def test_a_users_file_that_is_wrong_is_named_with_its_line(user_file: Path, text: str, message: str) -> None:
    user_file.write_text(text)
    with pytest.raises(ArchbenchError, match=message):
        parse([f"{user_file}:tiny"])
