"""Training images/s of archbench beside the plain loop of every tutorial: the same model, batch and augmentation, interleaved in one run.

The plain loop is a DataLoader with two workers, torchvision's transforms, fp32 and contiguous tensors. Each turn takes a few steps that
are not timed (they use up what the workers had prepared) and then `--steps` that are; the ratio is the median over rounds. After each round
the best matrix product of the training's precision is measured too; `of the peak` is what the images' multiply-adds take of it, a step
counted as three forward passes (the backward pass multiplies twice, but for the first layer's input).

    python benchmarks/side_by_side.py --models nin,resnet_bottleneck,mobilenet
    python benchmarks/side_by_side.py --models nin --compile
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

import zoo
from archbench.config import Settings
from archbench.data import Split
from archbench.data.preprocessing import Normaliser
from archbench.device import Device
from archbench.events import ignore
from archbench.execution import ExecutionPlan, can_retain_memory, choose_layout, resolve_precision, retained_memory
from archbench.measure import complexity, peaks
from archbench.models import Input, Model
from archbench.training import initial, recipe, recipe_file
from archbench.training.batches import Batches
from archbench.training.stepper import Stepper

CLASSES, WARM_UP = 10, 5
STEP_PASSES = 3  # a training step in forward passes
CPU, SHAPE = Device("cpu"), Input(CLASSES, 3, 32)
Turn = Callable[[int], float]


class Pictures(Dataset[tuple[torch.Tensor, int]]):
    """What torchvision.datasets.CIFAR10 does: an array to a PIL image, then the transforms."""

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self.images, self.labels = images, labels
        steps = [
            transforms.RandomCrop(32, padding=4),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize((0.5,) * 3, (0.25,) * 3),
        ]
        self.transform = transforms.Compose(steps)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        from PIL import Image

        return self.transform(Image.fromarray(self.images[index])), int(self.labels[index])


def plain_loop(name: str, batch: int, orders: Connection) -> None:
    """A process that takes as many steps as it is sent and answers with the seconds, until it is sent 0."""
    images, labels = noise()
    network = zoo.create(name).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9, nesterov=True, weight_decay=5e-4)
    loader = DataLoader(Pictures(images, labels), batch, shuffle=True, num_workers=2, drop_last=True, persistent_workers=True)

    def forever() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        while True:
            yield from loader

    stream = forever()
    while steps := orders.recv():
        start = time.perf_counter()
        for _ in range(steps):
            pictures, targets = next(stream)
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(pictures), targets).backward()
            optimizer.step()
        orders.send(time.perf_counter() - start)


def plain_turn(name: str, batch: int) -> Turn:
    """Seconds that the plain loop takes for a number of steps, in a process of its own, so that neither's settings touch the other."""
    ours, theirs = get_context("spawn").Pipe()
    get_context("spawn").Process(target=plain_loop, args=(name, batch, theirs)).start()

    def take(steps: int) -> float:
        ours.send(steps)
        return float(ours.recv()) if steps else 0.0

    return take


def archbench_turn(name: str, split: Split, batch: int, precision: str, compiled: bool) -> Turn:
    """Seconds that archbench's own loop takes for a number of steps, its layout chosen as in a run."""
    model = Model(name)
    config = recipe.resolve(recipe_file.load("modern"), model.hints, mirror_safe=True, settings=Settings.of(batch_size=batch))
    plan = ExecutionPlan(precision=resolve_precision(precision, CPU, training=True), compiled=compiled)
    network = initial.build(model, SHAPE, config, seed=0)
    plan = choose_layout(network, SHAPE.example(batch), CPU, plan)
    plan.place(network, CPU).train()
    normalise = Normaliser.fitted(split)
    stepper = Stepper(network, config, plan, CPU, len(split) // batch, ignore)
    stream = (each for epoch in itertools.count() for each in Batches(split, config, 0, epoch, plan.memory_format, normalise).after(0))

    def take(steps: int) -> float:
        start = time.perf_counter()
        for _ in range(steps):
            stepper.step(*next(stream), number=0)
        return time.perf_counter() - start

    return take


def noise() -> tuple[np.ndarray, np.ndarray]:
    """20,000 images of noise, NHWC bytes, and labels."""
    random = np.random.default_rng(0)
    return random.integers(0, 256, (20_000, 32, 32, 3), dtype=np.uint8), random.integers(0, CLASSES, 20_000)


def compare(name: str, turns: dict[str, Turn], batch: int, steps: int, rounds: int) -> None:
    """Interleave the turns; print images/s, the ratio to the first, and the share of the peak of the precision that `auto` chooses."""
    precision = resolve_precision("auto", CPU, training=True)
    first_s = {how: turn(1) for how, turn in turns.items()}
    times: dict[str, list[float]] = {how: [] for how in turns}
    products = []
    for _ in range(rounds):
        for how, turn in turns.items():
            turn(WARM_UP)
            times[how].append(turn(steps))
        products.append(peaks.macs_per_s(CPU, precision))
    peak = statistics.median(products)
    image_macs = STEP_PASSES * complexity.count(Model(name), SHAPE).macs
    print(f"  a matrix product in {precision} reaches {peak / 1e9:.0f} GMAC/s")
    base = next(iter(times))
    for how, taken in times.items():
        ratio = statistics.median(b / t for b, t in zip(times[base], taken, strict=True))
        rate = batch * steps / statistics.median(taken)
        share = 100 * rate * image_macs / peak
        print(f"  {how:<28} {rate:7.0f} images/s  {ratio:5.2f}x  {share:3.0f} % of the peak  (first step {first_s[how]:.1f} s)", flush=True)


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="nin,resnet_bottleneck,mobilenet")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compile", action="store_true", help="add archbench --compile")
    options = parser.parse_args()
    images, labels = noise()
    split = Split(torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(labels))
    print(f"{CPU.name}, {torch.get_num_threads()} threads, torch {torch.__version__}, batch {options.batch}")
    for name in options.models.split(","):
        print(name)
        turns = {
            "plain loop": plain_turn(name, options.batch),
            "archbench --precision fp32": archbench_turn(name, split, options.batch, "fp32", False),
            "archbench": archbench_turn(name, split, options.batch, "auto", False),
        }
        if options.compile:
            turns["archbench --compile"] = archbench_turn(name, split, options.batch, "auto", True)
        with retained_memory(ExecutionPlan(retain_memory=can_retain_memory(CPU))):
            compare(name, turns, options.batch, options.steps, options.rounds)
        turns["plain loop"](0)


if __name__ == "__main__":
    main()
