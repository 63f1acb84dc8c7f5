"""No time: how often two architectures that err equally often are called different at the 5 % level, in simulated pairs.

Each image has its own share of seeds that get it wrong (Beta: 10 % on average, most never, some always); `apart` is by how much a seed is
better or worse as a whole, on the logit. `alike`: both err on the same images, so every call is false. `elsewhere`: each errs on images of
its own, and these are drawn anew for each pair: the bootstrap speaks of such, Welch's test does not.

    python benchmarks/false_calls.py --pairs 2000
"""

from __future__ import annotations

import argparse
import itertools

import numpy as np
from numpy.typing import NDArray

from archbench import stats

HARD, LEVEL = (0.05, 0.45), 0.05


def trained(draw: np.random.Generator, wrong: NDArray[np.float64], seeds: int, apart: float) -> stats.Wrong:
    """Networks of one architecture `(seeds, images)`: whether each is wrong."""
    with np.errstate(divide="ignore"):
        logit = np.log(wrong / (1 - wrong)) + apart * draw.standard_normal((seeds, 1))
    found: stats.Wrong = draw.random((seeds, len(wrong))) < 1 / (1 + np.exp(-logit))
    return found


def called(draw: np.random.Generator, seeds: int, images: int, apart: float, elsewhere: bool) -> tuple[bool, bool]:
    """Whether the bootstrap, and Welch's test, call one pair different."""
    shares = draw.beta(*HARD, images)
    others = draw.beta(*HARD, images) if elsewhere else shares
    before, after = trained(draw, shares, seeds, apart), trained(draw, others, seeds, apart)
    welch = stats.difference_t(*((100 * side.mean(axis=1)).tolist() for side in (before, after)))
    return stats.difference_over_images(before, after).p < LEVEL, welch.p < LEVEL


def main() -> None:
    """Print the share of calls of both tests for each setting."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=2000)
    options = parser.parse_args()
    print(f"{options.pairs:,} pairs each, {stats.DRAWS:,} draws of the bootstrap")
    for seeds, images, apart, elsewhere in itertools.product((5, 10), (200, 500, 2000), (0.0, 0.3), (False, True)):
        draw = np.random.default_rng([seeds, images, round(10 * apart), elsewhere])
        bootstrap, welch = np.mean([called(draw, seeds, images, apart, elsewhere) for _ in range(options.pairs)], axis=0)
        setting = f"{seeds:>2} seeds, {images:>4} images, apart {apart}, {'elsewhere' if elsewhere else 'alike':<9}"
        print(f"  {setting}  bootstrap {100 * bootstrap:4.1f} %  Welch {100 * welch:4.1f} %", flush=True)


if __name__ == "__main__":
    main()
