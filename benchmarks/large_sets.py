"""The input path for sets that do not fit into memory, beside torchvision's DataLoader with the same transforms: images/s and memory.

    OMP_NUM_THREADS=1 python benchmarks/large_sets.py --images 100000
    OMP_NUM_THREADS=1 python benchmarks/large_sets.py --images 4000 --steps 6 --rounds 5

Makes so many JPEGs of 256 pixels in ten class folders below a temporary folder (--folder: on which disk), which it removes at the end; with
the cache they take about 175 kB each. No network is trained: batches of 224 pixels, augmented and normalised, are taken as fast as they
come. Each side is a process of its own. Its turn is a few batches that are not timed, which use up what was read ahead, and then `--steps`
that are; turns alternate, and the ratio is the median over rounds. Memory is the peak of the resident size, that of a side's
workers added, from the first import to the end of the last turn: archbench's includes looking at every file once, and making the cache.
"""

from __future__ import annotations

import argparse
import io
import itertools
import statistics
import tempfile
import time
from collections.abc import Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import psutil

BATCH, SIZE, SIDE, CLASSES, TEST_IMAGES, WARM_UP, DIFFERENT = 128, 224, 256, 10, 500, 6, 400
MB = 1e6
Way = str


def make(root: Path, images: int) -> None:
    """Class folders of JPEGs: smooth shapes with noise, about 25 kB each as photographs of that size have."""
    from PIL import Image

    random, contents = np.random.default_rng(0), []
    for _ in range(DIFFERENT):
        shapes = Image.fromarray(random.integers(0, 256, (12, 12, 3), dtype=np.uint8)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        noisy = np.asarray(shapes, dtype=np.int16) + random.normal(0, 8, (SIDE, SIDE, 1)).astype(np.int16)
        buffer = io.BytesIO()
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=85)
        contents.append(buffer.getvalue())
    for split, count in (("train", images), ("test", TEST_IMAGES)):
        for label in range(CLASSES):
            (root / split / f"class{label}").mkdir(parents=True)
        for number in range(count):
            (root / split / f"class{number % CLASSES}" / f"{number:07}.jpg").write_bytes(contents[number % DIFFERENT])


def archbench_side(way: Way, root: Path, limit: str) -> Iterator[object]:
    """Batches as a training takes them, for ever."""
    from archbench.config import Settings
    from archbench.data import load, request
    from archbench.data.preprocessing import Normaliser
    from archbench.events import ignore
    from archbench.training import recipe_file
    from archbench.training.batches import Batches
    from archbench.training.recipe import TrainingConfig

    where = {"dataset": f"imagefolder:{root / 'images'}", "data_dir": root / "cache", "images_from": way, "memory_limit": limit}
    config = TrainingConfig(**{**recipe_file.load("modern").model_dump(), "batch_size": BATCH})  # first, as a plan does
    train = load(request(Settings.of(image_size=SIZE, device="cpu", **where)), ignore).train
    normalise = Normaliser.fitted(train)
    for epoch in itertools.count():
        yield from Batches(train, config, 0, epoch, "contiguous", normalise).after(0)


def torchvision_side(way: Way, root: Path, limit: str) -> Iterator[object]:
    """torchvision's own references for ImageNet: ImageFolder, v2 transforms, a DataLoader with a worker a core."""
    import torch
    from torch.utils.data import DataLoader
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import v2

    steps = [
        v2.RandomResizedCrop(SIZE),
        v2.RandomHorizontalFlip(),
        v2.PILToTensor(),
        v2.ToDtype(torch.float, scale=True),
        v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ]
    images = ImageFolder(root / "images" / "train", v2.Compose(steps))
    workers = len(psutil.Process().cpu_affinity())
    loader = DataLoader(images, BATCH, shuffle=True, num_workers=workers, drop_last=True, persistent_workers=True)
    while True:
        yield from loader


SIDES = {"files": archbench_side, "mapped": archbench_side, "torchvision": torchvision_side}


def serve(way: Way, root: Path, limit: str, orders: Connection) -> None:
    """A process that takes as many batches as it is told and answers with the seconds, until it is told 0."""
    stream = SIDES[way](way, root, limit)
    while count := orders.recv():
        begun = time.perf_counter()
        for _ in range(count):
            next(stream)
        orders.send(time.perf_counter() - begun)


class Side:
    """One side in a process of its own, and the peak of its memory so far."""

    def __init__(self, way: Way, root: Path, limit: str) -> None:
        self.way, (self.orders, theirs) = way, get_context("spawn").Pipe()
        self.process = get_context("spawn").Process(target=serve, args=(way, root, limit, theirs))
        self.process.start()
        self.peak_bytes = 0

    def take(self, count: int) -> float:
        """Seconds that so many batches take."""
        self.orders.send(count)
        while not self.orders.poll(0.05):
            assert self.process.is_alive(), f"{self.way} has ended"
            self.peak_bytes = max(self.peak_bytes, self.resident_bytes())
        return float(self.orders.recv())

    def resident_bytes(self) -> int:
        """Of the process and its workers."""
        total, process = 0, psutil.Process(self.process.pid)
        for each in (process, *process.children(recursive=True)):
            try:
                total += each.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        return total

    def end(self) -> None:
        self.orders.send(0)
        self.process.join()


def main() -> None:
    """Make the images, measure, print, clean up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--ways", default="files,mapped")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--memory-limit", default="1GB")
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        root = Path(folder)
        make(root / "images", asked.images)
        sides = []
        try:
            measure([*asked.ways.split(","), "torchvision"], root, asked, sides)
        finally:
            for side in sides:
                side.end()


def measure(ways: list[Way], root: Path, asked: argparse.Namespace, sides: list[Side]) -> None:
    """Start the sides one after the other, let them take turns, print."""
    for way in ways:
        sides.append(Side(way, root, asked.memory_limit))
        print(f"  {way:12} {sides[-1].take(1):8.1f} s to the first batch of {asked.images} images", flush=True)
    rounds: list[dict[Way, float]] = []
    for _ in range(asked.rounds):
        seconds = {}
        for side in sides:
            side.take(WARM_UP)
            seconds[side.way] = side.take(asked.steps)
        rounds.append(seconds)
    for side in sides:
        rate = statistics.median(asked.steps * BATCH / seconds[side.way] for seconds in rounds)
        ratios = sorted(seconds["torchvision"] / seconds[side.way] for seconds in rounds)
        middle = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        print(f"  {side.way:12} {rate:8.0f} images/s   {middle:22} times torchvision's   peak {side.peak_bytes / MB:6.0f} MB")


if __name__ == "__main__":
    main()
