"""About how long a Job takes, for the estimate of a plan: from the steps that were timed, and from what was seen on two cores."""

from __future__ import annotations

from archbench.job import Job

RUN_S = 0.3  # of a training beside its steps: to build, to keep and to write
PROFILE_S, LAUNCH_S, SERIES_S = 6.0, 2.5, 0.7  # of a profile
EVALUATION_S = 0.05  # an image through a network for ImageNet
EVALUATION_SHARE = 1 / 3  # a forward pass beside a whole training step
EXPLANATION_S = 0.03  # an image whose maps are scored


def seconds(job: Job) -> float:
    """In seconds; of a training its plan holds the time of a step, and what its checkpoint holds is done."""
    if job.kind == "profile":
        series = len(job.batches) * len(job.modes)
        return PROFILE_S + job.launches * (LAUNCH_S * len(job.modes) + SERIES_S * series)
    if job.explaining is not None:
        return EXPLANATION_S * job.explaining.n
    if job.kind == "imported":
        return EVALUATION_S * (job.data.test_images if job.data else 0)
    assert job.data is not None
    evaluated = job.data.test_images + min(job.data.test_images, job.data.train_images)
    steps = job.steps - job.made
    forth_and_back = job.parts * job.plan.step_seconds * (steps + EVALUATION_SHARE * evaluated / job.batch)
    return RUN_S + forth_and_back + steps * (job.plan.update_s or 0.0)
