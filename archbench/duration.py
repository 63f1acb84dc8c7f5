"""About how long a Job takes, for the estimate of a plan.

A training's steps were timed. What else runs is told from what its network counts and from how fast the device multiplies matrices, with
constants fitted to the profiles of `results/`, which took 13 to 313 s on two cores. What reading images from files takes is in none of it.
"""

from __future__ import annotations

import functools

from archbench.device import Device
from archbench.job import Job
from archbench.measure import complexity, peaks

RUN_S = 0.3  # of a training beside its steps: to build, to keep and to write
EVALUATION_SHARE = 1 / 3  # a forward pass beside a whole training step
EXPLANATION_S = 0.03  # an image whose maps are scored
# of a profile
PROFILE_S, LAUNCH_S, COMPILE_S = 4.0, 3.0, 13.0  # once; a launch and mode; compiling for a batch size, of 9 and 17 s seen
SERIES_S, WARM_UP, ROUNDS, LEAST_ROUNDS_S = (
    0.15,
    4.0,
    5.5,
    0.8,
)  # a series beside its passes; passes until warm; passes or seconds of rounds
STEPS, PROFILED_S, MEMORY = 36.0, 0.012, 20.0  # training steps of a launch, in passes; their events, an operation; passes of weighing
# of a forward pass
SHARE_OF_PEAK, WRITTEN = 0.7, 70  # of a large product's multiply-adds a second; multiply-adds that an element costs which is written
OPERATION_S = 25e-6  # what each operation costs beside them


def seconds(job: Job) -> float:
    """In seconds; of a training its plan holds the time of a step, and what its checkpoint holds is done."""
    if job.kind == "profile":
        return _profile(job)
    if job.explaining is not None:
        return EXPLANATION_S * job.explaining.n
    assert job.data is not None
    if job.kind == "imported":
        return job.data.test_images / job.batch * _pass(job, job.batch)
    evaluated = job.data.test_images + min(job.data.test_images, job.data.train_images)
    steps = job.steps - job.made
    forth_and_back = job.parts * job.plan.step_seconds * (steps + EVALUATION_SHARE * evaluated / job.batch)
    return RUN_S + forth_and_back + steps * (job.plan.update_s or 0.0)


def _profile(job: Job) -> float:
    compiled = COMPILE_S * job.modes.count("compiled") * len(job.batches)
    passes = {batch: _pass(job, batch) for batch in job.batches}
    series = sum(SERIES_S + WARM_UP * taken + max(ROUNDS * taken, LEAST_ROUNDS_S) for taken in passes.values())
    launch = len(job.modes) * (LAUNCH_S + series) + compiled
    whole = _pass(job, job.batch)
    if job.time:
        launch += STEPS * whole + PROFILED_S * _work(job)[1]
    return PROFILE_S + job.launches * launch + MEMORY * whole


def _pass(job: Job, batch: int) -> float:
    """Seconds of a forward pass of a batch."""
    work, operations = _work(job)
    return operations * OPERATION_S + batch * work / (SHARE_OF_PEAK * _macs_per_s(job.device, job.plan.precision))


def _work(job: Job) -> tuple[int, int]:
    """What an image costs in multiply-adds, and operations; none of a network that cannot run, which fails at once."""
    counted = complexity.estimated(job.model, job.shape)
    if counted is None:
        return 0, 0
    return counted.macs + WRITTEN * counted.activations, len(counted.operations)


@functools.cache
def _macs_per_s(device: Device, precision: str) -> float:
    """Of a large matrix product; without end where there is no memory for one."""
    try:
        return peaks.macs_per_s(device, precision)
    except (RuntimeError, MemoryError):
        return float("inf")
    finally:
        device.release_memory()
