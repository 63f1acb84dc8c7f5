"""What a plan will take, group by group of runs that differ in the seed alone: seconds as planned, memory of one training step."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from archbench.device import Device
from archbench.execution import TrainingStep, numerics, preserved_random_state
from archbench.job import Job
from archbench.measure import live
from archbench.memory import resident_bytes
from archbench.models.isolation import preserved_settings
from archbench.plan import Plan
from archbench.records.schema import Record

Group = tuple[str, str, str, str, float]  # label, kind, data, recipe, fraction


@dataclass(frozen=True)
class Planned:
    """Runs of one network on one data set: `todo` of them, and those that are `there`; seconds of all to do, and bytes.

    `bytes` is what the process will hold, its data sets included, or a GPU's tensors; None where nothing is to be trained or it cannot be
    told.
    """

    model: str
    kind: str
    data: str
    recipe: str
    train_fraction: float
    todo: int
    there: int
    seconds: float
    bytes: int | None


def planned(plan: Plan) -> list[Planned]:
    """A row for each group, in the order of the plan, then those that are wholly there. Takes a training step of each model."""
    todo: dict[Group, list[tuple[Job, float]]] = {}
    for job, seconds in zip(plan.jobs, plan.seconds, strict=True):
        todo.setdefault(_of_job(job), []).append((job, seconds))
    for job, data, seconds in plan.to_follow:
        todo.setdefault((job.model.label, "explain", data, "", 1.0), []).append((job, seconds))
    there = Counter(map(_of_record, plan.done))
    held: dict[Any, int | None] = {}
    rows = []
    for group in dict.fromkeys([*todo, *there]):
        jobs = todo.get(group, [])
        size = _bytes(jobs[0][0], held) if jobs and group[1] == "train" else None
        rows.append(Planned(*group, len(jobs), there[group], sum(seconds for _, seconds in jobs), size))
    return rows


def _of_job(job: Job) -> Group:
    data = job.data
    recipe = job.training.name if job.training else ""
    return job.model.label, job.kind, data.name if data else "", recipe, data.train_fraction if data else 1.0


def _of_record(record: Record) -> Group:
    data, training = record.config.get("data") or {}, (record.config.get("training") or {}) if record.kind == "train" else {}
    return record.model.label, record.kind, data.get("name", ""), training.get("name", ""), data.get("train_fraction", 1.0)


def _bytes(job: Job, held: dict[Any, int | None]) -> int | None:
    """What a step of the job's network holds beside what the process holds now; each network, batch and precision once."""
    step = (job.model, job.shape, job.batch, job.plan.precision)
    if step not in held:
        try:
            with preserved_settings(), preserved_random_state(job.device), numerics(job.plan):
                held[step] = _step_bytes(job)
        except Exception:  # the network cannot take a step: the plan has said so, and its Record will
            held[step] = None
        job.device.release_memory()
    found = held[step]
    return found if found is None or job.device.has_allocator_peak else found + resident_bytes()


def _step_bytes(job: Job) -> int:
    """Bytes of tensors alive at once in a training step, momentum and input included."""
    device: Device = job.device
    network = job.plan.place(job.model.build(job.shape), device)
    images = job.plan.lay_out(job.shape.example(job.plan.micro_batch or job.batch, device.torch))
    step = TrainingStep(network, images, device, job.plan.model_copy(update={"compiled": False}))
    held = [*network.parameters(), *network.buffers(), images]
    momentum = sum(parameter.nbytes for parameter in network.parameters() if parameter.requires_grad)
    return live.peak_bytes(step.step, lambda: held) + momentum
