"""A training spread over several devices of a Ray cluster by Ray Train's TorchTrainer, as a task like those of a device each."""

from __future__ import annotations

import dataclasses
import re
import tempfile
import time
from dataclasses import dataclass
from typing import Any

from archbench.device import Device
from archbench.engines import task
from archbench.engines.nodes import Need
from archbench.errors import ArchbenchError, brief
from archbench.job import Job, failure
from archbench.training.ranks import Ranks

OF_ANOTHER = re.compile("gloo|nccl|connection (closed|reset)|broken pipe", re.IGNORECASE)  # errors of who waits for a dead process
PATIENCE_S = 86_400  # with the first process, which tests while the others wait


class CompanionLostError(ArchbenchError):
    """That one of the processes, or its node, has died."""


class EndedEarlyError(Exception):
    """What the first process raises where the others may wait for it in vain: Ray ends them all."""


@dataclass(frozen=True)
class Portion:
    """What each process is given. `images` holds a reference, so that nothing is read before it is there."""

    job: Job
    images: list[Any]
    luggage: task.Luggage
    attempt: str
    need: Need
    mailbox: Any


def carry_out(portion: Portion, devices: int) -> task.Delivery:
    """Train on so many devices; what the first process came to. Raises CompanionLostError where it came to nothing."""
    import ray
    from ray.train import RunConfig, ScalingConfig, TrainingFailedError
    from ray.train.torch import TorchConfig, TorchTrainer

    need, lost = portion.need, "it came to nothing"
    asked = {"CPU": need.cores, "GPU": need.gpus, "memory": need.memory_bytes}
    with tempfile.TemporaryDirectory(prefix="archbench-") as folder:
        trainer = TorchTrainer(
            _train,
            train_loop_config={"portion": portion},
            torch_config=TorchConfig(timeout_s=PATIENCE_S),
            scaling_config=ScalingConfig(num_workers=devices, use_gpu=need.gpus > 0, resources_per_worker=asked),
            run_config=RunConfig(name=portion.attempt, storage_path=folder),
        )
        try:
            trainer.fit()
        except TrainingFailedError as error:  # also where the others may have waited in vain for the first, which has told more
            lost = brief(error)
    delivery: task.Delivery | None = ray.get(portion.mailbox.collected.remote(portion.attempt))
    if delivery is None:
        raise CompanionLostError(lost)
    failed = delivery.record.failure if delivery.record is not None else None
    if failed is not None and OF_ANOTHER.search(failed.message):
        raise CompanionLostError("one of its processes, or its node, has died")
    return delivery


def _train(told: dict[str, Portion]) -> None:
    """One of the processes."""
    import ray
    from ray.train import get_context
    from ray.train.torch import get_device

    portion, context = told["portion"], get_context()
    ranks = Ranks(context.get_world_rank(), context.get_world_size())
    index = get_device().index if portion.job.device.kind == "cuda" else 0
    job = dataclasses.replace(portion.job, device=Device(portion.job.device.kind, index or 0), engine="ray")
    images = ray.get(portion.images[0])
    if not ranks.leads:
        begun = time.perf_counter()
        try:
            task.follow(job, images, portion.luggage, portion.need.cores, ranks)
        except (Exception, SystemExit) as error:  # becomes the Record of the Job, whichever process it happens to
            failed = task.Delivery(failure(job, error, time.perf_counter() - begun), {})
            ray.get(portion.mailbox.deliver.remote(portion.attempt, failed))
            raise
        return

    def leave(letter: Any) -> bool:
        return bool(ray.get(portion.mailbox.post.remote(letter)))

    delivery = task.carry_out(job, images, portion.luggage, portion.attempt, portion.need.cores, leave, ranks)
    ray.get(portion.mailbox.deliver.remote(portion.attempt, delivery))
    if delivery.record is None or delivery.record.status != "ok":
        raise EndedEarlyError
