"""Time of maps of 10,000 images of 32 px beside a plain evaluation of them, batch by batch in turn: medians, and the middle half.

python benchmarks/maps_time.py [MODEL:METHOD...]
"""

from __future__ import annotations

import functools
import sys

import numpy as np
import torch

from archbench import device as devices
from archbench.explaining import places
from archbench.explaining.asked import BATCH
from archbench.explaining.centres import centres
from archbench.explaining.methods import METHODS, Target
from archbench.models import Input, parse

IMAGES, SIZE = 10_000, 32
PAIRS = ("nin:class_map", "nin:gradcam", "resnet_bottleneck:cam", "resnet_bottleneck:gradcam", "mobilenet:gradcam", "lenet:gradcam")


@torch.inference_mode()
def evaluated(target: Target, images: torch.Tensor) -> torch.Tensor:
    """The classes, on the CPU."""
    return target.network(images).argmax(1).cpu()


def mapped(method: str, target: Target, images: torch.Tensor) -> torch.Tensor:
    """The maps of the predicted classes, on the CPU."""
    return METHODS[method](target, images, lambda logits: logits.argmax(1)).maps.cpu()


def main() -> None:
    """Measure and print."""
    device, batches = devices.choose("auto"), IMAGES // BATCH
    print(f"{device.name}, {torch.get_num_threads()} threads, {batches} batches of {BATCH}; s for {IMAGES} images")
    for pair in sys.argv[1:] or PAIRS:
        name, _, method = pair.partition(":")
        network = parse([name])[0].build(Input(10, 3, SIZE)).eval().to(device.torch)
        images = torch.randn(BATCH, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)).to(device.torch)
        target = Target(network, name, places.target(network, images[:1], None, name))
        calls = [functools.partial(evaluated, target, images), functools.partial(mapped, method, target, images)]
        for call in calls:
            call()
        times = np.array([[device.time(call) for call in calls] for _ in range(batches)])
        once = device.time(functools.partial(centres, network, target.layer, images[:1]))
        low, ratio, high = np.quantile(times[:, 1] / times[:, 0], (0.25, 0.5, 0.75))
        plain, maps = np.median(times, axis=0) * batches
        print(f"  {pair:28} {plain:7.1f}  {maps:7.1f}   {ratio:.2f}x [{low:.2f} to {high:.2f}], centres once {once:.2f} s", flush=True)


if __name__ == "__main__":
    main()
