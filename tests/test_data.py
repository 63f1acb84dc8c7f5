from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import save_image
from PIL import Image

from archbench.config import Settings
from archbench.data import Dataset, load, request
from archbench.data.dataset import Split, parts, stratified
from archbench.errors import ArchbenchError
from archbench.events import Event, Loading, Notice, ignore


def dataset_of(folder: Path, tmp_path: Path, events: list[Event] | None = None, **settings: object) -> Dataset:
    wanted = request(Settings.of(dataset=f"imagefolder:{folder}", data_dir=tmp_path / "cache", **settings))
    return load(wanted, ignore if events is None else events.append)


def test_digits_are_the_1797_images_scaled_to_32() -> None:
    digits = load(request(Settings.of()), ignore)
    assert digits.train.images.shape == (1437, 1, 32, 32)
    assert digits.test.images.shape == (360, 1, 32, 32)
    assert digits.train.images.dtype == torch.uint8
    per_class = torch.bincount(digits.test.labels)
    assert per_class.min() >= 35  # 174 to 183 images a class, a fifth of each
    assert not digits.mirror_safe


def test_one_data_set_has_one_fingerprint() -> None:
    first, second = (load(request(Settings.of()), ignore) for _ in range(2))
    assert first.fingerprint == second.fingerprint
    assert first.padded(36).fingerprint != first.fingerprint


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "fashion_mnist"])
def test_a_set_that_is_not_there_says_how_to_get_it(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archbench.data.sources.DEBIAN_FASHION_MNIST", tmp_path / "nothing")
    with pytest.raises(ArchbenchError, match=f"{name} is not in .*--download fetches it, --data-dir looks elsewhere"):
        load(request(Settings.of(dataset=name, data_dir=tmp_path)), ignore)


def test_fashion_mnist_is_found_where_debian_puts_it(tmp_path: Path) -> None:
    from archbench.data.sources import DEBIAN_FASHION_MNIST

    if not DEBIAN_FASHION_MNIST.is_dir():
        pytest.skip("Debian's package dataset-fashion-mnist is not installed")
    fashion = load(request(Settings.of(dataset="fashion_mnist", data_dir=tmp_path)), ignore)
    assert fashion.train.images.shape == (60_000, 1, 28, 28)
    assert fashion.test.labels.bincount().tolist() == [1000] * 10
    assert fashion.padded(32).test.images[:, :, 2:-2, 2:-2].equal(fashion.test.images)


@pytest.mark.parametrize(
    ("name", "message"),
    [("digit", "did you mean 'digits'"), ("imagefolder:", "needs a folder"), ("x=digits", "unknown dataset"), ("x=y", "unknown dataset")],
)
def test_an_unknown_set_is_refused(name: str, message: str) -> None:
    with pytest.raises(ArchbenchError, match=message):
        request(Settings.of(dataset=name))


def test_class_folders_become_a_set_named_by_the_user(class_folders: Path, tmp_path: Path) -> None:
    wanted = request(Settings.of(dataset=f"pets=imagefolder:{class_folders}", data_dir=tmp_path))
    pets = load(wanted, ignore)
    assert pets.name == "pets"
    assert pets.class_names == ("cat", "dog")
    assert pets.train.images.shape == (12, 3, 32, 32)
    assert pets.train.labels.tolist() == [0] * 6 + [1] * 6


def test_images_are_decoded_once_and_again_when_one_changes(class_folders: Path, tmp_path: Path) -> None:
    first: list[Event] = []
    second: list[Event] = []
    third: list[Event] = []
    before = dataset_of(class_folders, tmp_path, first)
    assert dataset_of(class_folders, tmp_path, second).fingerprint == before.fingerprint
    save_image(class_folders / "train" / "cat" / "0.png", seed=99)
    assert dataset_of(class_folders, tmp_path, third).fingerprint != before.fingerprint
    decoded = [any(isinstance(event, Loading) for event in events) for events in (first, second, third)]
    assert decoded == [True, False, True]


def cut(cache: Path) -> None:
    cache.write_bytes(cache.read_bytes()[:100])


def without_arrays(cache: Path) -> None:
    np.savez(cache, other=np.zeros(3))


def with_one_label(cache: Path) -> None:
    with np.load(cache) as stored:
        arrays = dict(stored)
    np.savez(cache, **{**arrays, "train_labels": arrays["train_labels"] + 50})


@pytest.mark.parametrize("damage", [cut, without_arrays, with_one_label])
def test_a_damaged_cache_is_made_anew(damage: Callable[[Path], None], class_folders: Path, tmp_path: Path) -> None:
    before = dataset_of(class_folders, tmp_path)
    for cache in (tmp_path / "cache").rglob("*.npz"):
        damage(cache)
    assert dataset_of(class_folders, tmp_path).fingerprint == before.fingerprint


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "LA", "1"])
def test_every_kind_of_image_becomes_rgb(mode: str, class_folders: Path, tmp_path: Path) -> None:
    suffix = "jpg" if mode == "CMYK" else "png"
    save_image(class_folders / "train" / "cat" / f"odd.{suffix}", mode=mode, size=(17, 90))
    assert dataset_of(class_folders, tmp_path).train.images.shape == (13, 3, 32, 32)


def test_what_is_transparent_becomes_white(class_folders: Path, tmp_path: Path) -> None:
    Image.new("RGBA", (32, 32), (255, 0, 0, 0)).save(class_folders / "test" / "cat" / "0.png")
    assert dataset_of(class_folders, tmp_path).test.images[0].min() == 255


def test_sixteen_bit_grey_keeps_its_high_byte(class_folders: Path, tmp_path: Path) -> None:
    Image.fromarray(np.full((32, 32), 0x4080, dtype=np.uint16)).save(class_folders / "test" / "cat" / "0.png")
    assert dataset_of(class_folders, tmp_path).test.images[0].unique().tolist() == [0x40]


@pytest.mark.parametrize("content", [b"", b"not an image"])
def test_a_broken_file_is_named_or_left_out_on_request(content: bytes, class_folders: Path, tmp_path: Path) -> None:
    broken = class_folders / "train" / "dog" / "3.png"
    broken.write_bytes(content)
    with pytest.raises(ArchbenchError, match=r"cannot read .*dog/3\.png.*--skip-broken"):
        dataset_of(class_folders, tmp_path)
    events: list[Event] = []
    kept = dataset_of(class_folders, tmp_path, events, skip_broken=True)
    assert (len(kept.train), kept.skipped) == (11, 1)
    assert any(isinstance(event, Notice) and "1 image file" in event.message for event in events)


def test_what_is_no_file_is_broken_and_not_waited_for(class_folders: Path, tmp_path: Path) -> None:
    os.mkfifo(class_folders / "train" / "dog" / "pipe.png")
    (class_folders / "train" / "dog" / "gone.png").symlink_to("nowhere.png")
    with pytest.raises(ArchbenchError, match=r"gone\.png: not a file, or a link that leads nowhere \(and 1 more\)"):
        dataset_of(class_folders, tmp_path)
    assert dataset_of(class_folders, tmp_path, skip_broken=True).skipped == 2


def test_hidden_files_and_folders_are_not_looked_at(class_folders: Path, tmp_path: Path) -> None:
    save_image(class_folders / "train" / ".ipynb_checkpoints" / "0.png")
    (class_folders / "train" / "dog" / "._1.png").write_bytes(b"")
    assert len(dataset_of(class_folders, tmp_path).train) == 12


def test_a_known_sets_name_and_an_unreadable_one_are_refused(class_folders: Path) -> None:
    for name, message in (("cifar10", "name of a known data set"), (" ", "readable name"), ("a\nb", "readable name")):
        with pytest.raises(ArchbenchError, match=message):
            request(Settings.of(dataset=f"{name}=imagefolder:{class_folders}"))


def test_a_truncated_file_is_broken(class_folders: Path, tmp_path: Path) -> None:
    path = class_folders / "train" / "dog" / "3.png"
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(ArchbenchError, match=r"dog/3\.png"):
        dataset_of(class_folders, tmp_path)


def test_folders_that_are_no_classes_are_refused(class_folders: Path, tmp_path: Path) -> None:
    def complaint() -> str:
        with pytest.raises(ArchbenchError) as caught:
            dataset_of(class_folders, tmp_path)
        return str(caught.value)

    (class_folders / "test" / "dog").rename(class_folders / "test" / "fox")
    assert "the classes of train/ and test/ differ: 'dog' is only in train/" in complaint()
    for path in (class_folders / "test" / "fox").iterdir():
        path.unlink()
    (class_folders / "test" / "fox").rename(class_folders / "test" / "dog")
    assert "test/dog has no image" in complaint()
    (class_folders / "train" / "dog").rename(tmp_path / "away")
    assert "one class folder (cat)" in complaint()
    (class_folders / "train" / "cat").rename(tmp_path / "away2")
    assert "no class folder" in complaint()
    (class_folders / "test").rename(class_folders / "tests")
    assert "needs train/ with test/ or val/" in complaint()


def test_val_stands_in_for_test(class_folders: Path, tmp_path: Path) -> None:
    (class_folders / "test").rename(class_folders / "val")
    assert len(dataset_of(class_folders, tmp_path).test) == 4


LABELS = torch.tensor([0] * 60 + [1] * 30 + [2] * 10)


def test_a_stratified_part_keeps_the_shares_of_the_classes() -> None:
    assert LABELS[stratified(LABELS, 20, seed=0)].bincount().tolist() == [12, 6, 2]


def test_a_stratified_part_is_drawn_by_its_seed() -> None:
    assert stratified(LABELS, 20, seed=1).equal(stratified(LABELS, 20, seed=1))
    assert not stratified(LABELS, 20, seed=1).equal(stratified(LABELS, 20, seed=2))


@pytest.mark.parametrize("n", range(3, 101))
def test_a_stratified_part_has_the_size_asked_for_and_every_class(n: int) -> None:
    counts = LABELS[stratified(LABELS, n, seed=0)].bincount(minlength=3)
    assert counts.sum() == n
    assert counts.min() >= 1


def test_validation_images_are_held_out_of_training() -> None:
    train = Split(torch.arange(100, dtype=torch.uint8).view(100, 1, 1, 1), LABELS)
    whole = Dataset("x", train, train, ("a", "b", "c"), False, "f")
    made = parts(whole, seed=0, limit=50, fraction=1.0, val_fraction=0.2)
    assert (len(made.train), len(made.validation or [])) == (40, 10)
    assert made.validation is not None
    assert not set(made.train.images.flatten().tolist()) & set(made.validation.images.flatten().tolist())


def test_more_images_than_there_are_is_a_mistake() -> None:
    train = Split(torch.zeros(100, 1, 1, 1, dtype=torch.uint8), LABELS)
    with pytest.raises(ArchbenchError, match="--limit-train 101: x has 100 training images"):
        parts(Dataset("x", train, train, ("a", "b", "c"), False, "f"), 0, 101, 1.0, 0.0)
