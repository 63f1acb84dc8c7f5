from __future__ import annotations

import os
import pickle
import typing
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import save_image
from PIL import Image
from scipy.io import savemat

from archbench.config import Settings
from archbench.data import Dataset, Shape, Split, load, request, shape_of
from archbench.data.dataset import parts, stratified
from archbench.data.memory import GIB
from archbench.data.sources import SOURCES
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


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "svhn", "cifar10", "cifar100"])
def test_a_set_that_is_not_there_says_how_to_get_it(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archbench.data.torchvision_sets.DEBIAN_FASHION_MNIST", tmp_path / "nothing")
    with pytest.raises(ArchbenchError, match=f"{name} is not in .*--download fetches it, --data-dir looks elsewhere"):
        load(request(Settings.of(dataset=name, data_dir=tmp_path)), ignore)


def test_fashion_mnist_is_found_where_debian_puts_it(tmp_path: Path) -> None:
    from archbench.data.torchvision_sets import DEBIAN_FASHION_MNIST

    if not DEBIAN_FASHION_MNIST.is_dir():
        pytest.skip("Debian's package dataset-fashion-mnist is not installed")
    fashion = load(request(Settings.of(dataset="fashion_mnist", data_dir=tmp_path)), ignore)
    assert fashion.train.images.shape == (60_000, 1, 28, 28)
    assert fashion.test.labels.bincount().tolist() == [1000] * 10
    assert fashion.padded(32).test.images[:, :, 2:-2, 2:-2].equal(fashion.test.images)


def gradient(n: int) -> np.ndarray:
    """`(n, 3, 32, 32)` bytes: red is the image's position, green the row, blue 100 + the column."""
    red, row, column = np.meshgrid(np.arange(n), np.arange(32), np.arange(32), indexing="ij")
    return np.stack([red, row, 100 + column], axis=1).astype(np.uint8)


def write_cifar(path: Path, images: np.ndarray, **entries: object) -> None:
    """A batch of CIFAR: a row an image, its red bytes before the green and the blue ones."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps({"data": images.reshape(-1, 3072), **entries}))


def write_idx(path: Path, array: np.ndarray) -> None:
    """MNIST's format: two zeros, 8 for bytes, the number of axes, each length in four bytes, the bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lengths = b"".join(length.to_bytes(4, "big") for length in array.shape)
    path.write_bytes(bytes([0, 0, 8, array.ndim]) + lengths + array.astype(np.uint8).tobytes())


@pytest.fixture
def trusting_torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    """torchvision takes any file that is there, whatever its MD5."""
    for module in ("cifar", "svhn"):
        monkeypatch.setattr(f"torchvision.datasets.{module}.check_integrity", lambda path, md5=None: Path(path).is_file())


def loaded(name: str, data_dir: Path) -> Dataset:
    """The set, which must have the shape that `shape_of` promises."""
    wanted = request(Settings.of(dataset=name, data_dir=data_dir))
    found = load(wanted, ignore)
    assert shape_of(wanted).channels == found.shape.channels
    assert shape_of(wanted).size == found.shape.size
    return found


def test_cifar10_is_read_from_its_batches_in_order(tmp_path: Path, trusting_torchvision: None) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    images = gradient(10)
    for batch in range(5):
        write_cifar(folder / f"data_batch_{batch + 1}", images[2 * batch : 2 * batch + 2], labels=[batch, 9 - batch])
    write_cifar(folder / "test_batch", images[7:9], labels=[4, 2])
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list("abcdefghij")}))
    cifar = loaded("cifar10", tmp_path)
    assert cifar.train.images.equal(torch.from_numpy(images))
    assert cifar.train.labels.tolist() == [0, 9, 1, 8, 2, 7, 3, 6, 4, 5]
    assert cifar.test.images.equal(torch.from_numpy(images[7:9]))
    assert cifar.test.labels.tolist() == [4, 2]
    assert cifar.class_names == tuple("abcdefghij")
    assert cifar.mirror_safe


def test_labels_that_no_class_has_are_refused(tmp_path: Path, trusting_torchvision: None) -> None:
    folder = tmp_path / "cifar-100-python"
    write_cifar(folder / "train", gradient(3), fine_labels=[99, 0, 100], coarse_labels=[1, 2, 3])
    write_cifar(folder / "test", gradient(1), fine_labels=[7], coarse_labels=[4])
    (folder / "meta").write_bytes(pickle.dumps({"fine_label_names": [f"fine{label}" for label in range(100)]}))
    with pytest.raises(ArchbenchError, match="cifar100: the training labels are not those of its 100 classes; fetch the files anew"):
        loaded("cifar100", tmp_path)


def test_cifar100_has_the_fine_labels(tmp_path: Path, trusting_torchvision: None) -> None:
    folder = tmp_path / "cifar-100-python"
    names = [f"fine{label}" for label in range(100)]
    write_cifar(folder / "train", gradient(3), fine_labels=[99, 0, 50], coarse_labels=[1, 2, 3])
    write_cifar(folder / "test", gradient(1), fine_labels=[7], coarse_labels=[4])
    (folder / "meta").write_bytes(pickle.dumps({"fine_label_names": names, "coarse_label_names": ["coarse"] * 20}))
    cifar = loaded("cifar100", tmp_path)
    assert cifar.train.images.equal(torch.from_numpy(gradient(3)))
    assert (cifar.train.labels.tolist(), cifar.test.labels.tolist()) == ([99, 0, 50], [7])
    assert cifar.class_names == tuple(names)
    assert cifar.mirror_safe


def test_mnist_is_read_from_its_idx_files(tmp_path: Path) -> None:
    raw = tmp_path / "MNIST" / "raw"
    images = gradient(3)[:, 2, :28, :28]
    for split, part, labels in (("train", images, [7, 0, 9]), ("t10k", images[:, ::-1], [1, 2, 3])):
        write_idx(raw / f"{split}-images-idx3-ubyte", part)
        write_idx(raw / f"{split}-labels-idx1-ubyte", np.array(labels))
    mnist = loaded("mnist", tmp_path)
    assert mnist.train.images.equal(torch.from_numpy(images)[:, None])
    assert mnist.test.images.equal(torch.from_numpy(images).flip(1)[:, None])
    assert (mnist.train.labels.tolist(), mnist.test.labels.tolist()) == ([7, 0, 9], [1, 2, 3])
    assert mnist.class_names == tuple("0123456789")
    assert not mnist.mirror_safe


def test_svhn_is_read_from_its_matlab_files(tmp_path: Path, trusting_torchvision: None) -> None:
    """The files hold rows x columns x channels x images, and 10 for the digit 0."""
    for split, n, labels in (("train", 3, [10, 1, 9]), ("test", 2, [3, 10])):
        savemat(tmp_path / f"{split}_32x32.mat", {"X": gradient(n).transpose(2, 3, 1, 0), "y": np.array(labels, dtype=np.uint8)[:, None]})
    svhn = loaded("svhn", tmp_path)
    assert svhn.train.images.equal(torch.from_numpy(gradient(3)))
    assert svhn.train.images.is_contiguous()
    assert svhn.test.images.equal(torch.from_numpy(gradient(2)))
    assert (svhn.train.labels.tolist(), svhn.test.labels.tolist()) == ([0, 1, 9], [3, 0])
    assert svhn.class_names == tuple("0123456789")
    assert not svhn.mirror_safe


def test_the_help_names_every_set() -> None:
    hints = typing.get_type_hints(Settings, include_extras=True)
    named = typing.get_args(hints["dataset"])[1].partition("  ")[0].replace(" or ", ", ").split(", ")
    assert named == [*SOURCES, "imagefolder:DIR", "NAME=imagefolder:DIR"]


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


def test_decoding_is_reported_part_by_part(class_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = dataset_of(class_folders, tmp_path / "at_once")
    monkeypatch.setattr("archbench.data.decoding.REPORT_EVERY", 5)
    events: list[Event] = []
    assert dataset_of(class_folders, tmp_path / "in_parts", events).fingerprint == at_once.fingerprint
    assert [event.done for event in events if isinstance(event, Loading)] == [5, 10, 12, 4]


def cut(cache: Path) -> None:
    cache.write_bytes(cache.read_bytes()[:100])


def without_arrays(cache: Path) -> None:
    np.savez(cache, other=np.zeros(3))


def with_one_label(cache: Path) -> None:
    with np.load(cache) as stored:
        arrays = dict(stored)
    np.savez(cache, **{**arrays, "labels": arrays["labels"] + 50})


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


def test_an_image_that_holds_nan_is_broken(class_folders: Path, tmp_path: Path) -> None:
    values = np.full((32, 32), 128, dtype=np.float32)
    path = class_folders / "test" / "cat" / "floats.tiff"
    Image.fromarray(values).save(path)
    assert dataset_of(class_folders, tmp_path).test.images.max() > 0
    values[3, 5] = np.nan
    Image.fromarray(values).save(path)
    with pytest.raises(ArchbenchError, match=r"cannot read .*floats\.tiff: it holds NaN.*--skip-broken"):
        dataset_of(class_folders, tmp_path)


@pytest.mark.parametrize("content", [b"", b"not an image"])
def test_a_broken_file_is_named_or_left_out_on_request(content: bytes, class_folders: Path, tmp_path: Path) -> None:
    intact = dataset_of(class_folders, tmp_path).train.images
    broken = class_folders / "train" / "cat" / "3.png"
    broken.write_bytes(content)
    with pytest.raises(ArchbenchError, match=r"cannot read .*cat/3\.png.*--skip-broken"):
        dataset_of(class_folders, tmp_path)
    events: list[Event] = []
    kept = dataset_of(class_folders, tmp_path, events, skip_broken=True)
    assert (kept.train.labels.tolist(), kept.skipped) == ([0] * 5 + [1] * 6, 1)
    assert kept.train.images.equal(torch.cat([intact[:3], intact[4:]]))
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


def test_a_test_alone_needs_no_images_to_learn_from(class_folders: Path, tmp_path: Path) -> None:
    whole = dataset_of(class_folders, tmp_path)
    (class_folders / "train").rename(tmp_path / "away")
    wanted = request(Settings(dataset=f"pets=imagefolder:{class_folders}", data_dir=tmp_path), test_only=True)
    alone = load(wanted, ignore)
    assert (len(alone.train), alone.class_names) == (0, whole.class_names)
    assert torch.equal(alone.test.loaded().images, whole.test.loaded().images)
    with pytest.raises(ArchbenchError, match="needs train/ with test/ or val/"):
        dataset_of(class_folders, tmp_path)


def test_val_stands_in_for_test(class_folders: Path, tmp_path: Path) -> None:
    (class_folders / "test").rename(class_folders / "val")
    assert len(dataset_of(class_folders, tmp_path).test) == 4


@pytest.fixture
def imagenet(tmp_path: Path) -> Path:
    """Two of ImageNet's classes, five training and two test images each, no two of one size; a test/ without labels beside them."""
    for split, count in (("train", 5), ("val", 2)):
        for label, name in enumerate(("n02000000", "n01000000")):
            for index in range(count):
                save_image(tmp_path / "imagenet" / split / name / f"{index}.JPEG", seed=label, size=(40 + 7 * index, 61 - 9 * label))
    save_image(tmp_path / "imagenet" / "test" / "0.JPEG")
    return tmp_path / "imagenet"


def imagenet_of(folder: Path, events: list[Event] | None = None, test_only: bool = False, **settings: object) -> Dataset:
    wanted = request(Settings.of(dataset="imagenet", data_dir=folder.parent, **{"image_size": 32, **settings}), test_only=test_only)
    found = load(wanted, ignore if events is None else events.append)
    assert shape_of(wanted) == found.shape
    return found


def decoded_files(events: list[Event]) -> dict[str, int]:
    """Files that were decoded, by split."""
    return {event.what: event.total for event in events if isinstance(event, Loading)}


def test_imagenet_has_its_classes_in_the_order_of_their_folders(imagenet: Path) -> None:
    found = imagenet_of(imagenet)
    assert found.class_names == ("n01000000", "n02000000")
    assert found.train.images.shape == (10, 3, 32, 32)
    assert found.train.labels.tolist() == [0] * 5 + [1] * 5
    assert found.test.labels.tolist() == [0, 0, 1, 1]
    assert found.mirror_safe


def test_imagenet_is_224_pixels_wide_unless_asked_otherwise(imagenet: Path, tmp_path: Path) -> None:
    assert imagenet_of(imagenet, image_size=None).test.images.shape == (4, 3, 224, 224)
    away = request(Settings.of(dataset="imagenet", data_dir=tmp_path / "away"))
    assert shape_of(away) == Shape(1000, 3, 224)


def test_an_imagenet_image_is_resized_to_256_and_cropped_to_224(imagenet: Path) -> None:
    """300x100 becomes 768x256; columns 272 to 495 and rows 16 to 239 remain, which were columns 106.25 to 193.75 and rows 6.25 to 93.75."""
    pixels = np.full((100, 300, 3), (0, 255, 0), dtype=np.uint8)
    pixels[5:95, 105:150] = (255, 0, 0)
    pixels[5:95, 150:195] = (0, 0, 255)
    Image.fromarray(pixels).save(imagenet / "val" / "n01000000" / "0.JPEG", format="PNG")  # ImageNet has one such file
    image = imagenet_of(imagenet, image_size=224).test.images[0]
    red, blue = image[:, :, :110], image[:, :, 114:]  # bilinear: a mixture within 256 / 100 pixels of the middle
    assert red.flatten(1).unique(dim=1).tolist() == [[255], [0], [0]]
    assert blue.flatten(1).unique(dim=1).tolist() == [[0], [0], [255]]


def test_limit_train_leaves_the_other_files_undecoded(imagenet: Path) -> None:
    events: list[Event] = []
    found = imagenet_of(imagenet, events, limit_train=4)
    assert found.train.labels.tolist() == [0, 0, 1, 1]
    assert decoded_files(events) == {"imagenet train": 4, "imagenet test": 4}


def test_more_files_than_imagenet_has_are_refused_undecoded(imagenet: Path) -> None:
    events: list[Event] = []
    with pytest.raises(ArchbenchError, match="a part of 11 images cannot be drawn from 10 images"):
        imagenet_of(imagenet, events, limit_train=11)
    assert not events


def test_without_training_imagenet_needs_its_test_images_alone(imagenet: Path) -> None:
    whole = imagenet_of(imagenet)
    for cache in (imagenet.parent / "decoded").iterdir():
        cache.unlink()
    (imagenet / "train").rename(imagenet / "away")
    events: list[Event] = []
    found = imagenet_of(imagenet, events, test_only=True)
    assert found.train.images.shape == (0, 3, 32, 32)
    assert found.train.labels.shape == (0,)
    assert found.test.images.equal(whole.test.images)
    assert decoded_files(events) == {"imagenet test": 4}
    assert found.resized(16).shape == Shape(2, 3, 16)


def test_other_sets_have_training_images_in_any_case() -> None:
    assert len(load(request(Settings.of(), test_only=True), ignore).train) == 1437


def test_test_images_are_decoded_once_for_every_limit(imagenet: Path) -> None:
    events: list[Event] = []
    imagenet_of(imagenet, limit_train=4)
    imagenet_of(imagenet, events, limit_train=6)
    assert decoded_files(events) == {"imagenet train": 6}


def test_the_same_folders_read_as_another_set_are_not_taken_from_its_cache(imagenet: Path) -> None:
    (imagenet / "test" / "0.JPEG").unlink()
    (imagenet / "test").rmdir()
    cropped = imagenet_of(imagenet)
    filled = load(request(Settings.of(dataset=f"imagefolder:{imagenet}", data_dir=imagenet.parent)), ignore)
    assert not filled.test.images.equal(cropped.test.images)


def test_images_too_large_to_cache_are_decoded_again(imagenet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archbench.data.decoded.LARGEST_BYTES", 4 * 3 * 32 * 32)  # what the four test images take
    first: list[Event] = []
    second: list[Event] = []
    assert imagenet_of(imagenet, first).fingerprint == imagenet_of(imagenet, second).fingerprint
    assert decoded_files(second) == {"imagenet train": 10}
    assert [event.message.partition(": ")[0] for event in first if isinstance(event, Notice)] == ["imagenet train"]


@pytest.mark.parametrize(
    ("test_only", "message"),
    [
        (False, "needs 2.6 GiB of memory for its decoded images, 512.0 MiB are free: use --limit-train N or a smaller --image-size"),
        (True, "needs 768.0 MiB of memory for its decoded images, 512.0 MiB are free: choose a smaller --image-size"),
    ],
)
def test_images_that_memory_cannot_hold_are_refused(test_only: bool, message: str, imagenet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image of 8192x8192 takes 3 x 64 MiB: 14 take 2.625 GiB, the four of the test split 0.75 GiB."""
    monkeypatch.setattr("archbench.data.choice.available_bytes", lambda: GIB // 2)
    with pytest.raises(ArchbenchError) as caught:
        imagenet_of(imagenet, test_only=test_only, image_size=8192, images_from="memory")
    assert str(caught.value) == f"imagenet {message}"


def test_a_missing_imagenet_says_where_it_must_be(imagenet: Path) -> None:
    (imagenet / "val").rename(imagenet / "validation")
    with pytest.raises(ArchbenchError) as caught:
        imagenet_of(imagenet)
    assert str(caught.value) == (
        f"there is no folder {imagenet}/val: imagenet must be in {imagenet}/train/nXXXXXXXX/*.JPEG and "
        f"{imagenet}/val/nXXXXXXXX/*.JPEG, fetched by hand from image-net.org; --data-dir looks elsewhere"
    )


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
