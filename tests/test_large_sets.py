"""Image sets that lie on the disk: mapped from a cache, or decoded anew in each epoch."""

from __future__ import annotations

import errno
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import save_image
from torch import nn

from archbench import api
from archbench.config import Settings, parse_bytes
from archbench.data import Dataset, choice, load, load_again, request
from archbench.data.crop import drawn_box
from archbench.data.dataset import parts
from archbench.data.decoding import Part
from archbench.data.feed import Feed, Wanted, ahead_within
from archbench.data.memory import GIB, MIB
from archbench.data.preprocessing import ContrastAndZca, Normaliser, channel_statistics
from archbench.data.request import DataRequest
from archbench.data.split import Images, Rate
from archbench.device import Device
from archbench.errors import ArchbenchError, StorageError
from archbench.events import Epoch, Event, Input, Notice, ignore
from archbench.execution import ExecutionPlan
from archbench.models import Input as ModelInput
from archbench.models import Model
from archbench.records.schema import Record
from archbench.training import checkpoint, initial, loop, recipe, recipe_file
from archbench.training.ranks import Ranks

ON_DISK = ("mapped", "files")
WAYS = ("memory", *ON_DISK)


def dataset_of(folder: Path, tmp_path: Path, images_from: str, events: list[Event] | None = None, **settings: object) -> Dataset:
    asked = Settings.of(dataset=f"imagefolder:{folder}", data_dir=tmp_path / "cache", images_from=images_from, **settings)
    return load(request(asked), ignore if events is None else events.append)


def trained(folder: Path, tmp_path: Path, images_from: str, **settings: object) -> tuple[Record, bytes, bytes]:
    """The Record of a training, and the bytes of its predictions and weights."""
    results = tmp_path / f"results-{images_from}"
    fixed = {"models": ["lenet"], "epochs": 2, "batch_size": 4, "deterministic": True, "device": "cpu", "val_fraction": 0.25}
    where = {"dataset": f"imagefolder:{folder}", "data_dir": tmp_path / "cache", "results": results, "images_from": images_from}
    (record,) = api.train(**{**fixed, **where, **settings})
    first, second = ((results / file.path).read_bytes() for file in record.files)
    return record, first, second


def notices(events: list[Event]) -> list[str]:
    return [event.message for event in events if isinstance(event, Notice)]


def pixels(split: Images) -> torch.Tensor:
    return split.loaded().images


def test_a_training_is_the_same_from_memory_and_mapped_bit_for_bit(class_folders: Path, tmp_path: Path) -> None:
    memory, mapped = (trained(class_folders, tmp_path, way) for way in ("memory", "mapped"))
    assert memory[1:] == mapped[1:]
    assert memory[0].key == mapped[0].key
    assert "crop" not in mapped[0].config["data"]
    assert [record.config["images"]["kept"] for record, *_ in (memory, mapped)] == ["memory", "mapped"]


def test_files_are_another_run_that_says_what_it_saw_and_how_fast(class_folders: Path, tmp_path: Path) -> None:
    memory, files = (trained(class_folders, tmp_path, way)[0] for way in ("memory", "files"))
    assert memory.key != files.key
    assert files.config["data"] == {**memory.config["data"], "crop": "random resized crop, area 0.08 to 1, ratio 3/4 to 4/3"}
    assert [doubt.code for doubt in files.warnings if doubt.code == "crop"] == ["crop"]
    for name in ("input_images_per_s", "model_images_per_s"):
        row = files.measurement(name, images="files", batch=4)
        assert row is not None
        assert row.n == 2  # epochs
        assert memory.measurement(name) is None


def test_crops_do_not_depend_on_the_number_of_threads(class_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    for workers in (1, 5):
        monkeypatch.setattr("archbench.data.feed.num_workers", lambda workers=workers: workers)
        split = dataset_of(class_folders, tmp_path, "files").train
        orders = list(torch.arange(12).flip(0).split(4))
        seen.append(torch.cat([batch.images for batch in split.stream(orders, 7, lambda: None)]))
    assert seen[0].equal(seen[1])
    again = torch.cat([batch.images for batch in split.stream(orders, 8, lambda: None)])
    assert not seen[0].equal(again)


@pytest.mark.parametrize("way", ON_DISK)
def test_a_training_resumed_at_any_step_ends_where_the_undisturbed_one_does(
    way: str, class_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "REPORT_EVERY_S", 0.0)
    monkeypatch.setattr(loop, "KEEP_EVERY_S", 0.0)
    monkeypatch.setattr(loop, "KEEPING_SHARE", 1e9)
    train = dataset_of(class_folders, tmp_path, way).train
    settings = Settings.of(epochs=2, batch_size=4)
    config = recipe.resolve(recipe_file.load("modern"), Model("lenet").hints, mirror_safe=True, settings=settings)
    task = loop.Task("lenet", "k", config, ExecutionPlan(), Device("cpu"), 0, train, None)
    kept: list[Path] = []

    def keep(state: checkpoint.Checkpoint) -> None:
        kept.append(tmp_path / f"{len(kept)}.pt")
        kept[-1].write_bytes(state.stored())

    def run(start: checkpoint.Checkpoint | None, keep: Callable[..., None] = ignore) -> tuple[torch.Tensor, list[float]]:
        network = initial.build(Model("lenet"), ModelInput(2, 3, 32), config, 0)
        result = loop.fit(network, task, Normaliser.fitted(train), ignore, start, keep)
        return nn.utils.parameters_to_vector(network.parameters()), result.curves["loss"]

    whole, losses = run(None, keep)
    assert len(kept) == 6  # two epochs of three steps
    for path in kept[:-1]:
        weights, again = run(checkpoint.load(path, "k"))
        assert weights.equal(whole)
        assert again == losses


@pytest.mark.parametrize("way", ON_DISK)
def test_a_test_sees_the_same_images_wherever_they_lie(way: str, class_folders: Path, tmp_path: Path) -> None:
    memory, stored = (dataset_of(class_folders, tmp_path, each) for each in ("memory", way))
    assert stored.fingerprint == memory.fingerprint
    assert stored.shape == memory.shape
    ours, theirs = (parts(dataset, 3, 8, 1.0, 0.25) for dataset in (stored, memory))  # two of eight images are held out
    assert ours.validation is not None
    assert theirs.validation is not None
    for one, other in ((ours.train, theirs.train), (ours.validation, theirs.validation), (ours.test, theirs.test)):
        assert pixels(one).equal(pixels(other))
        assert one.labels.equal(other.labels)
    assert len(ours.train) == 6


def test_another_process_has_the_images_where_this_one_has_them(
    class_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory that has become short would else mean other images there, crops of files, under the same key."""
    dataset = dataset_of(class_folders, tmp_path, "auto")
    monkeypatch.setattr(choice, "room_bytes", lambda wanted: 0)
    assert dataset_of(class_folders, tmp_path, "auto").train.kept == "mapped"
    assert (dataset.train.kept, load_again(dataset.origin).train.kept) == ("memory", "memory")


@pytest.mark.parametrize("way", ON_DISK)
def test_broken_files_are_named_or_left_out_as_in_memory(way: str, class_folders: Path, tmp_path: Path) -> None:
    (class_folders / "train" / "dog" / "1.png").write_bytes(b"no image")
    with pytest.raises(ArchbenchError, match=r"cannot read .*dog/1\.png: not an image, or damaged; --skip-broken"):
        dataset_of(class_folders, tmp_path, way)
    memory, *stored = (dataset_of(class_folders, tmp_path, each, skip_broken=True) for each in ("memory", way, way))
    for each in stored:  # found out, and remembered
        assert (each.fingerprint, each.skipped) == (memory.fingerprint, 1)
        assert pixels(each.train).equal(pixels(memory.train))


def test_a_file_that_breaks_later_is_named(class_folders: Path, tmp_path: Path) -> None:
    split = dataset_of(class_folders, tmp_path, "files").train
    (class_folders / "train" / "cat" / "0.png").unlink()
    with pytest.raises(ArchbenchError, match=r"cannot read .*cat/0\.png: not a file"):
        pixels(split)


def of_another_version(cache: Path) -> None:
    _change(cache, version=np.array(1))


def without_labels(cache: Path) -> None:
    with np.load(cache) as stored:
        rest = {name: stored[name] for name in stored.files if name != "labels"}
    np.savez(cache, **rest)


def with_cut_pixels(cache: Path) -> None:
    content = cache.with_suffix(".pixels")
    content.write_bytes(content.read_bytes()[:-1])


def _change(cache: Path, **arrays: np.ndarray) -> None:
    with np.load(cache) as stored:
        told = dict(stored)
    np.savez(cache, **{**told, **arrays})


@pytest.mark.parametrize(
    ("harm", "said"), [(of_another_version, "is of another version"), (without_labels, "is damaged"), (with_cut_pixels, "is damaged")]
)
@pytest.mark.parametrize("way", ["memory", "mapped"])
def test_a_cache_that_cannot_be_used_is_made_anew_with_a_line(
    way: str, harm: Callable[[Path], None], said: str, class_folders: Path, tmp_path: Path
) -> None:
    before = dataset_of(class_folders, tmp_path, way)
    images = pixels(before.train)
    for cache in (tmp_path / "cache" / "decoded").glob("*.npz"):
        harm(cache)
    events: list[Event] = []
    after = dataset_of(class_folders, tmp_path, way, events)
    assert after.fingerprint == before.fingerprint
    assert notices(events) == [f"images {split}: the cache of decoded images {said}: it is made anew" for split in ("train", "test")]
    assert pixels(after.train).equal(images)


def test_a_byte_that_changed_on_the_disk_is_seen_when_the_cache_is_read_whole(class_folders: Path, tmp_path: Path) -> None:
    before = dataset_of(class_folders, tmp_path, "memory")
    for cache in (tmp_path / "cache" / "decoded").glob("*.pixels"):
        content = bytearray(cache.read_bytes())
        content[77] ^= 1
        cache.write_bytes(content)
    assert pixels(dataset_of(class_folders, tmp_path, "memory").train).equal(pixels(before.train))


@pytest.mark.parametrize("way", WAYS)
def test_changed_files_take_the_place_of_the_old_cache(way: str, class_folders: Path, tmp_path: Path) -> None:
    before = dataset_of(class_folders, tmp_path, way)
    caches = sorted((tmp_path / "cache" / "decoded").glob("*.npz"))
    save_image(class_folders / "test" / "cat" / "0.png", seed=77)
    events: list[Event] = []
    assert dataset_of(class_folders, tmp_path, way, events).fingerprint != before.fingerprint
    assert notices(events) == ["images test: the cache of decoded images is of files that have changed since: it is made anew"]
    assert sorted((tmp_path / "cache" / "decoded").glob("*.npz")) == caches


def test_a_full_disk_stops_cleanly_and_what_was_half_written_goes(
    class_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Iterator[Part]:
        yield Part(np.zeros((2, 3, 32, 32), dtype=np.uint8), {})
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("archbench.data.decoded.decode_parts", full)
        with pytest.raises(StorageError, match="no space left on the disk"):
            dataset_of(class_folders, tmp_path, "mapped")
    assert list((tmp_path / "cache" / "decoded").iterdir()) == []
    dataset_of(class_folders, tmp_path, "mapped")
    cache = next((tmp_path / "cache" / "decoded").glob("*.npz"))
    cache.unlink()
    killed = cache.with_name(f".writing-{cache.stem}.pixels-abc")
    killed.write_bytes(b"half")
    dataset_of(class_folders, tmp_path, "mapped")
    assert not killed.exists()


def test_preprocessing_is_fitted_to_the_same_values(class_folders: Path, tmp_path: Path) -> None:
    memory, mapped, files = (dataset_of(class_folders, tmp_path, way).train for way in WAYS)
    some = torch.tensor([0, 3, 8])
    for ours, theirs in zip(channel_statistics(mapped.take(some)), channel_statistics(memory.take(some)), strict=True):
        assert ours.equal(theirs)
    for ours, theirs in zip(channel_statistics(files.take(some)), channel_statistics(memory.take(some)), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=0)  # sums of squares in place of a histogram: rounding
    white = [pixels(ContrastAndZca.fitted(split).once(split)) for split in (_small(memory), _small(mapped))]
    assert white[0].equal(white[1])
    with pytest.raises(ArchbenchError, match="--images-from mapped"):
        ContrastAndZca.fitted(files)


def _small(split: Images) -> Images:
    """8 x 8 pixels, so that whitening takes no time; where the split lies on the disk, on the disk too."""
    return split.changed(lambda images: images[:, :, ::4, ::4].contiguous())


def wanted(**changes: object) -> DataRequest:
    return DataRequest(**{"name": "pets", "source": "imagefolder", "root": Path("/data"), **changes})


@pytest.mark.parametrize(
    ("limit", "needed", "to_write", "where"),
    [
        (None, 4 * GIB, 0, "memory"),  # half of the 8 GiB that are free
        (None, 4 * GIB + 1, 4 * GIB, "mapped"),
        (
            3 * GIB,
            2 * GIB - 96 * MIB,
            0,
            "memory",
        ),  # the process takes 1 GiB already, 64 MiB what is beside batches, 32 what decoding leaves
        (3 * GIB, 2 * GIB - 96 * MIB + 1, 0, "mapped"),
        (90 * GIB, 9 * GIB, 9 * GIB, "mapped"),  # never more than is free
        (None, 99 * GIB, 9 * GIB, "mapped"),  # nine tenths of the 10 GiB of the disk; the rest is cached already
        (None, 99 * GIB, 9 * GIB + 1, "files"),
    ],
)
def test_the_rule(limit: int | None, needed: int, to_write: int, where: str, machine: None) -> None:
    assert choice.choose(wanted(memory_limit=limit), needed, to_write, MIB, "", ignore) == where


@pytest.mark.parametrize(("more", "where"), [(0, "memory"), (1, "mapped")])
def test_a_limit_leaves_room_for_copies_and_batches(more: int, where: str, machine: None) -> None:
    """3 GiB, of which the process takes 1; 512 MiB of images and twice as many of copies are 1,536; a batch of 52 images of 1 MiB takes
    64 + 8 x 52 = 480 MiB, and decoding leaves 32. Without a limit half of what is free leaves room enough.
    """
    asked = {"batch_size": 52, "copies": 2.0}
    assert choice.choose(wanted(memory_limit=3 * GIB, **asked), 512 * MIB + more, 0, MIB, "", ignore) == where
    assert choice.choose(wanted(**asked), 4 * GIB, 0, MIB, "", ignore) == "memory"


@pytest.mark.parametrize(
    ("settings", "whitened", "times"),
    [
        ({}, False, 0.0),
        ({"train_fraction": 0.5}, False, 0.5),
        ({"limit_train": 10}, False, 1.0),
        ({"train_fraction": 0.5, "val_fraction": 0.1}, False, 1.0),  # the half, and once more the two parts of it
        ({"train_fraction": 0.5}, True, 2.5),  # four bytes of each value besides
    ],
)
def test_what_a_training_copies(settings: dict[str, object], whitened: bool, times: float) -> None:
    assert choice.copies(Settings.of(**settings), whitened) == times


LIMITED = """
import dataclasses, pathlib, re, sys
from archbench.config import Settings
from archbench.data import choice, load, request
from archbench.data.preprocessing import Normaliser
from archbench.events import ignore
from archbench.memory import resident_bytes
from archbench.training import recipe_file
from archbench.training.batches import Batches
from archbench.training.recipe import TrainingConfig

folder, cache, more, batch = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
config = TrainingConfig(**{**recipe_file.load("modern").model_dump(), "batch_size": batch})
limit = resident_bytes() + more
asked = Settings.of(dataset=f"imagefolder:{folder}", data_dir=cache, image_size=224, device="cpu", memory_limit=f"{limit}B")
dataset = load(dataclasses.replace(request(asked), batch_size=batch), ignore)
choice.check_batch(dataset, batch)
for _ in Batches(dataset.train, config, 0, 0, "contiguous", Normaliser.fitted(dataset.train)).after(0):
    pass
peak = re.search(r"VmHWM:\\s+(\\d+) kB", pathlib.Path("/proc/self/status").read_text())  # getrusage tells the peak of who started it, too
print(dataset.train.kept, limit - 1024 * int(peak[1]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc/self/status")
@pytest.mark.parametrize(("more_mib", "where"), [(171 + 20, "mapped"), (171 + 137 + 32 + 5, "memory")])
def test_the_peak_stays_below_the_limit(more_mib: int, where: str, tmp_path: Path) -> None:
    """1,190 images of 147 KiB are 171 MiB, eight batches of 64 and 64 MiB another 137, and decoding leaves up to 32.

    The images alone would fit into the smaller limit.
    """
    for number in range(20):
        save_image(tmp_path / "one" / f"{number}.jpg", number, (224, 224))
    files = sorted((tmp_path / "one").iterdir())
    for split, count in (("train", 1_000), ("test", 190)):
        for label in "ab":
            (tmp_path / "set" / split / label).mkdir(parents=True)
        for number in range(count):
            (tmp_path / "set" / split / "ab"[number % 2] / f"{number}.jpg").hardlink_to(files[number % 20])
    given = [str(tmp_path / "set"), str(tmp_path / "cache"), str(more_mib * MIB), "64"]
    answer = subprocess.run([sys.executable, "-c", LIMITED, *given], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    kept, left = answer.stdout.split()
    assert (kept, int(left) > 0) == (where, True)


def test_processes_that_each_hold_the_images_share_the_memory(machine: None) -> None:
    """8 GiB are free: of three processes each may take half of a third; a limit is each one's own. A worker asks for itself alone."""
    third = 8 * GIB // 3
    assert choice.choose(wanted(processes=3), third // 2, 0, MIB, "", ignore) == "memory"
    assert choice.choose(wanted(processes=3), third // 2 + 1, 0, MIB, "", ignore) == "mapped"
    assert choice.choose(wanted(processes=3, memory_limit=3 * GIB), 2 * GIB - 96 * MIB, 0, MIB, "", ignore) == "memory"
    with pytest.raises(ArchbenchError, match=r"needs 3\.0 GiB of memory for its decoded images, 2\.7 GiB are free"):
        choice.choose(wanted(processes=3, images_from="memory"), 3 * GIB, 0, MIB, "", ignore)
    of = [request(Settings.of(**each)).processes for each in ({}, {"engine": "workers:2"}, {"devices": 4}, {"engine": "ray"})]
    assert of == [1, 3, 5, 1]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """8 GiB of memory free, 1 GiB taken by the process, 10 GiB of disk."""
    monkeypatch.setattr("archbench.data.choice.available_bytes", lambda: 8 * GIB)
    monkeypatch.setattr("archbench.device.available_bytes", lambda: 8 * GIB)
    monkeypatch.setattr("archbench.data.choice.resident_bytes", lambda: GIB)
    monkeypatch.setattr("archbench.data.choice._free_disk_bytes", lambda folder: 10 * GIB)


def test_what_cannot_be_done_is_a_line(machine: None) -> None:
    for images_from, limit, message in (
        ("mapped", None, "pets takes 20.0 GiB decoded, and its cache 20.0 GiB of the disk of /data, where 10.0 GiB are free"),
        ("memory", None, "pets needs 20.0 GiB of memory for its decoded images, 8.0 GiB are free: a smaller set"),
        ("memory", 3 * GIB, "pets needs 20.1 GiB of memory for its decoded images, 2.0 GiB are free: a smaller set"),
        ("auto", GIB // 2, "--memory-limit: 512.0 MiB are less than the 1.0 GiB that the process takes before any image"),
    ):
        with pytest.raises(ArchbenchError) as caught:
            choice.choose(wanted(images_from=images_from, memory_limit=limit), 20 * GIB, 20 * GIB, MIB, "a smaller set", ignore)
        assert str(caught.value).startswith(message)


def test_a_limit_below_what_a_batch_takes_is_a_line(class_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """4 images are 4 x 3 x 32 x 32 = 12,288 bytes. They, the last and the next, augmented, and 4 times as many as floats: 8 x 12,288, and
    64 MiB beside them.
    """
    monkeypatch.setattr("archbench.data.choice.room_bytes", lambda wanted: 64 * 2**20 + 8 * 12_288 - 1)
    mapped = dataset_of(class_folders, tmp_path, "mapped")
    with pytest.raises(ArchbenchError, match=r"a batch of 4 images of images takes 64\.1 MiB"):
        choice.check_batch(mapped, 4)
    choice.check_batch(mapped, 3)


@pytest.mark.parametrize(
    ("text", "size"), [("8GB", 8_000_000_000), ("512MiB", 512 * 2**20), ("1.5 gb", 1_500_000_000), ("700B", 700), ("2KB", 2000)]
)
def test_sizes_have_units(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        *(({"memory_limit": text}, "takes a size with its unit, as 8GB") for text in ("lots", "8", "-1GB", "8 GB GB", "", "٣GB", "1e9B")),
        ({"memory_limit": "0GB"}, "leaves no memory"),
        ({"images_from": "map"}, "did you mean 'mapped'"),
    ],
)
def test_nonsense_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ArchbenchError, match=message):
        Settings.of(**settings)


def test_sets_that_always_lie_in_memory_say_so() -> None:
    with pytest.raises(ArchbenchError, match="--images-from files is for imagefolder and imagenet; digits always lies in memory"):
        request(Settings.of(images_from="files"))


def test_a_box_is_drawn_as_the_defaults_of_torchvision_say() -> None:
    """On 200 x 100 pixels: 8 to 100 % of 20,000, sides in a ratio of 3/4 to 4/3, each rounded by half a pixel at most."""
    boxes = [drawn_box(200, 100, np.random.default_rng((1, row))) for row in range(300)]
    for top, left, height, width in boxes:
        assert 0 <= top <= 200 - height
        assert 0 <= left <= 100 - width
        assert (width + 0.5) * (height + 0.5) >= 0.08 * 20_000
        assert (width + 0.5) / (height - 0.5) >= 3 / 4
        assert (width - 0.5) / (height + 0.5) <= 4 / 3
    assert len(set(boxes)) > 290
    # nothing of 80 pixels or more and such a ratio fits into 1 x 1000: round(1 x 4/3) columns from the middle
    assert drawn_box(1, 1000, np.random.default_rng(0)) == (0, 499, 1, 1)
    assert drawn_box(1000, 3, np.random.default_rng(0)) == (498, 0, 4, 3)


def test_rates_say_who_waits() -> None:
    assert Rate(images=10, busy_s=2.0, workers=4, waited_s=0.0).images_per_s == 20  # 0.2 s of one thread each, four threads
    rate = Rate(100, 50.0, 1, waited_s=8.0)
    assert loop._input(rate, 10.0, Ranks()) == Input(images_per_s=2, model_images_per_s=50)
    assert loop._input(rate, 10.0, Ranks(1, 3)) == Input(images_per_s=6, model_images_per_s=150)  # three such processes side by side
    assert loop._input(None, 10.0, Ranks()) is None
    overhead = 64 * 2**20
    assert [ahead_within(room, 100) for room in (None, overhead + 10_000, overhead + 900, overhead + 899, 1)] == [2, 2, 2, 1, 1]


def test_a_feed_waits_only_after_the_device_is_done() -> None:
    """Nothing is read until `release`, which is called when the first batch is not there: the wait begins behind it."""
    import threading

    gate, asked = threading.Event(), []

    def fill(out: torch.Tensor, rows: list[int]) -> None:
        gate.wait(60)
        out[:] = torch.tensor(rows).view(-1, 1, 1, 1)

    def release() -> None:
        asked.append(1)
        gate.set()

    wanted = [Wanted(rows, 10 * rows) for rows in torch.arange(10).split(4)]
    feed = Feed(fill, (1, 2, 2), torch.uint8, wanted, 2, torch.device("cpu"), release)
    batches = list(feed)
    assert torch.cat([batch.images[:, 0, 0, 0] for batch in batches]).tolist() == list(range(10))
    assert torch.cat([batch.labels for batch in batches]).tolist() == [10 * row for row in range(10)]
    assert feed.rate.images == 10
    assert asked[0] == 1


def test_the_line_of_an_epoch_shows_both_rates() -> None:
    from rich.console import Console

    from archbench.cli.progress import Progress

    console = Console(width=200, force_terminal=False)
    with console.capture() as captured:
        Progress(quiet=False, console=console).listen(Epoch("nin · seed 0", 1, 4, 1.5, 210.0, None, Input(212.4, 1234.0)))
    assert captured.get() == "nin · seed 0: epoch 1/4 · loss 1.500 · 210 images/s (input 212, model 1,234)\n"


# how many blocks are mapped, by glibc's mallinfo2: a block of 8 MiB beside what was there, before and behind `map_large`
MAPPED = """
import ctypes
from archbench import memory

glibc = ctypes.CDLL(None)
names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
info = type("Info", (ctypes.Structure,), {"_fields_": [(name, ctypes.c_size_t) for name in names]})
glibc.mallinfo2.restype, glibc.malloc.restype = info, ctypes.c_void_p
glibc.malloc.argtypes, glibc.free.argtypes = [ctypes.c_size_t], [ctypes.c_void_p]


def added(size):
    before = glibc.mallinfo2().hblks
    block = glibc.malloc(size)
    found = glibc.mallinfo2().hblks - before
    glibc.free(block)
    return found


print(added(16 * 2**20), added(8 * 2**20))
memory.map_large()
print(added(8 * 2**20), added(2**19))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_large_blocks_are_mapped_again_although_one_was_freed() -> None:
    """glibc raises its threshold to the 16 MiB that were freed first, so that 8 MiB are not mapped; then they are, half a MiB is not."""
    done = subprocess.run([sys.executable, "-c", MAPPED], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["1", "0", "1", "0"]
