"""The nodes of a Ray cluster: which there are, whether they run the same archbench, what a Job may ask of them."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from archbench.errors import ArchbenchError
from archbench.job import Job
from archbench.measure import complexity
from archbench.plan import Plan

PROCESS_BYTES = 600 * 2**20  # of a process that has imported torch and all that a training takes, seen
FLOAT_BYTES, WEIGHT_COPIES, ACTIVATION_COPIES = 4, 6, 3  # weights, gradients, optimizer, checkpoint; forward, backward, workspace


class OtherVersionError(ArchbenchError):
    """That a node has no archbench or another one."""


@dataclass(frozen=True)
class Node:
    """A node that Jobs can run on; its name, cores, GPUs and bytes of memory as Ray counts them."""

    id: str
    name: str
    cores: float
    gpus: float
    memory_bytes: float

    @classmethod
    def alive(cls, told: Iterable[Mapping[str, Any]]) -> list[Node]:
        """Those of `ray.nodes()` that live and have cores."""
        nodes = []
        for each in told:
            resources = each["Resources"] if each["Alive"] else {}
            if resources.get("CPU", 0) > 0:
                sizes = (float(resources.get(name, 0)) for name in ("CPU", "GPU", "memory"))
                nodes.append(cls(each["NodeID"], each["NodeName"], *sizes))
        return nodes


@dataclass(frozen=True)
class Need:
    """What a task declares."""

    cores: int
    gpus: int
    memory_bytes: int

    def __str__(self) -> str:
        gpus = f", {self.gpus} GPU{'s' * (self.gpus != 1)}" if self.gpus else ""
        return f"{self.cores} core{'s' * (self.cores != 1)}{gpus} and {self.memory_bytes / 2**20:,.0f} MiB of memory are asked for"

    def fits(self, node: Node) -> int:
        """How many of such tasks a node runs at once."""
        kinds = ((node.cores, self.cores), (node.gpus, self.gpus), (node.memory_bytes, self.memory_bytes))
        return int(min(there // asked for there, asked in kinds if asked))


class Needs:
    """What the Jobs of a plan ask of a cluster: the same cores each, so that as many run at once as there are, GPUs one each."""

    def __init__(self, plan: Plan, nodes: list[Node], devices: int = 1) -> None:
        """Raises ArchbenchError where no node has what the plan's device takes, or all have fewer than `devices` for one training."""
        self.plan, self.gpus = plan, int(any(job.device.kind == "cuda" for job in plan.jobs))
        able = [node for node in nodes if node.gpus >= self.gpus]
        if not able:
            raise ArchbenchError("--engine ray: no node of the cluster has a GPU; --device cpu trains without")
        there = sum(Need(1, self.gpus, 0).fits(node) for node in able)
        if devices > there:
            raise ArchbenchError(f"--devices {devices}: the cluster has {there} {'GPU' if self.gpus else 'core'}{'s' * (there != 1)}")
        at_once = max(1, -(-devices * len(plan.jobs) // len(able)))  # processes on each node, if all ran at once
        self.cores = min(max(1, int(node.cores // (min(at_once, node.gpus) if self.gpus else at_once))) for node in able)
        sizes = [node.memory_bytes for node in able]
        self.most_bytes = int(max(sizes) if devices == 1 else min(sizes) // devices)  # all may come to lie on one node

    def of(self, job: Job) -> Need:
        """Of one Job; of memory at most what the largest node has, for whether that is too little only trying tells."""
        assert job.data is not None
        data = self.plan.datasets[job.data.fingerprint]
        images = sum(math.prod(split.shape) + 8 * len(split) for split in (data.train, data.test))
        network = 0 if self.gpus else _network_bytes(job)
        return Need(self.cores, self.gpus, min(PROCESS_BYTES + images + network, self.most_bytes))


def _network_bytes(job: Job) -> int:
    """Of a training on a CPU, about; nothing where the network cannot be counted."""
    counted = complexity.estimated(job.model, job.shape)
    if counted is None:
        return 0
    return FLOAT_BYTES * (WEIGHT_COPIES * counted.params + ACTIVATION_COPIES * counted.activations * (job.plan.micro_batch or job.batch))


def version() -> tuple[str, str] | None:
    """The version of archbench here and a hash of its code; None where it is not installed. Sent by value, since it may not be."""
    import hashlib
    import importlib.util
    from pathlib import Path

    if importlib.util.find_spec("archbench") is None or importlib.util.find_spec("zoo") is None:
        return None
    import archbench
    import zoo

    digest = hashlib.sha256()
    for package in (archbench, zoo):
        folder = Path(package.__file__ or "").parent
        for path in sorted(folder.rglob("*.py")):
            digest.update(f"{path.relative_to(folder).as_posix()}\n".encode() + path.read_bytes())
    return archbench.__version__, digest.hexdigest()[:8]


@functools.cache
def own_version() -> tuple[str, str]:
    """That of this process, which has archbench."""
    told = version()
    assert told is not None
    return told


def check_versions(told: Iterable[tuple[str, tuple[str, str] | None]], ours: tuple[str, str]) -> None:
    """Raise OtherVersionError, in one line, for nodes, each with its name and what it told, that have no archbench or another one."""
    for name, theirs in told:
        if theirs is None:
            raise OtherVersionError(f"--engine ray: the node {name} has no archbench; install archbench {ours[0]} there")
        if theirs != ours:
            what = f"archbench {theirs[0]}, not {ours[0]}" if theirs[0] != ours[0] else f"other code of archbench {ours[0]}"
            raise OtherVersionError(f"--engine ray: the node {name} has {what}; all nodes need the one that asks")
