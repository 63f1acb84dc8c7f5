"""Time of counting the whole zoo with operator classes beside fvcore's own, interleaved model by model; the ratio of sums.

python benchmarks/counting_time.py
"""

from __future__ import annotations

import time
import warnings

import torch

import zoo
from archbench.measure.complexity import complexity_of
from archbench.measure.crosscheck import COUNTERS
from archbench.models import Model


def main() -> None:
    """Measure and print."""
    warnings.simplefilter("ignore")
    spent = {"archbench": 0.0, "fvcore": 0.0}
    for name in zoo.names():
        model = Model(name)
        network, image = model.weightless(model.native_input)
        work = {
            "archbench": lambda network=network, image=image: complexity_of(network, (image,)),
            "fvcore": lambda network=network, image=image: COUNTERS["fvcore"][1](network, image),
        }
        for counter, count in work.items():
            start = time.perf_counter()
            with torch.no_grad():
                count()
            spent[counter] += time.perf_counter() - start
    for counter, seconds in spent.items():
        print(f"  {counter:10} {seconds:6.2f} s for {len(zoo.names())} networks   {seconds / spent['fvcore']:.2f}x")


if __name__ == "__main__":
    main()
