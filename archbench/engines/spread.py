"""A training spread over several devices of a Ray cluster by Ray Train's TorchTrainer, as a task like those of a device each."""

from __future__ import annotations

import dataclasses
import tempfile
from dataclasses import dataclass
from typing import Any

from archbench.device import Device
from archbench.engines import task
from archbench.engines.nodes import Need
from archbench.errors import ArchbenchError, brief
from archbench.job import Job
from archbench.training.ranks import Ranks

PATIENCE_S = 86_400  # with the first process, which tests while the others wait


class CompanionLostError(ArchbenchError):
    """That one of the processes, or its node, has died."""


class EndedEarlyError(Exception):
    """What the first process raises where the others may wait for it in vain: Ray ends them all."""


@dataclass(frozen=True)
class Shared:
    """What each process is given. `images` holds a reference, so that nothing is read before it is there."""

    job: Job
    images: list[Any]
    luggage: task.Luggage
    attempt: str
    need: Need
    mailbox: Any


def carry_out(shared: Shared, devices: int) -> task.Delivery:
    """Train on so many devices; what the first process came to. Raises CompanionLostError where it came to nothing."""
    import ray
    from ray.train import RunConfig, ScalingConfig, TrainingFailedError
    from ray.train.torch import TorchConfig, TorchTrainer

    need, lost = shared.need, "it came to nothing"
    asked = {"CPU": need.cores, "GPU": need.gpus, "memory": need.memory_bytes}
    with tempfile.TemporaryDirectory(prefix="archbench-") as folder:
        trainer = TorchTrainer(
            _train,
            train_loop_config={"shared": shared},
            torch_config=TorchConfig(timeout_s=PATIENCE_S),
            scaling_config=ScalingConfig(num_workers=devices, use_gpu=need.gpus > 0, resources_per_worker=asked),
            run_config=RunConfig(name=shared.attempt, storage_path=folder),
        )
        try:
            trainer.fit()
        except TrainingFailedError as error:
            failures = getattr(error, "worker_failures", {})
            died = [each for each in failures.values() if isinstance(each, ray.exceptions.RayError)]
            lost = brief(died[0] if died else error)
            if died:
                raise CompanionLostError(f"one of its processes has died ({lost})") from None
    delivery: task.Delivery | None = ray.get(shared.mailbox.collected.remote(shared.attempt))
    if delivery is None:
        raise CompanionLostError(lost)
    return delivery


def _train(told: dict[str, Shared]) -> None:
    """One of the processes."""
    import ray
    from ray.train import get_context
    from ray.train.torch import get_device

    shared, context = told["shared"], get_context()
    ranks = Ranks(context.get_world_rank(), context.get_world_size())
    index = get_device().index if shared.job.device.kind == "cuda" else 0
    job = dataclasses.replace(shared.job, device=Device(shared.job.device.kind, index or 0), engine="ray")
    images = ray.get(shared.images[0])
    if not ranks.leads:
        task.follow(job, images, shared.luggage, shared.need.cores, ranks)
        return

    def leave(letter: Any) -> bool:
        return bool(ray.get(shared.mailbox.post.remote(letter)))

    delivery = task.carry_out(job, images, shared.luggage, shared.attempt, shared.need.cores, leave, ranks)
    ray.get(shared.mailbox.deliver.remote(shared.attempt, delivery))
    if delivery.record is None or delivery.record.status != "ok":
        raise EndedEarlyError
