"""Every Job a task on a Ray cluster. What it needs is sent to it, what it leaves comes back, so no folder need be shared."""

from __future__ import annotations

import contextlib
import time
import types
import uuid
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, Self

from archbench import device as devices
from archbench.config import Settings
from archbench.engines import nodes, reaching, spread, task
from archbench.engines.base import HEED_S, TRIES, Engine
from archbench.engines.bench import placed_here
from archbench.engines.mailbox import Kept, Letter, Mailbox
from archbench.engines.nodes import Needs, Node
from archbench.errors import ArchbenchError, brief
from archbench.events import Listener, Notice, Waiting
from archbench.job import Job, failure
from archbench.measure.process import ModelError
from archbench.placing import Placing
from archbench.plan import Plan
from archbench.records.schema import Record
from archbench.records.store import Store, write_atomically

AHEAD = 2  # tasks sent for each that can run, so that none of the cluster's cores waits for us
LEAVE_S, PROBE_S = 30.0, 120.0  # that trainings have to leave a checkpoint, that a node has to tell its version
RETURN_S = 300.0  # that a Job waits for a node with room for it to come back


@dataclass
class Errand:
    """A Job that was sent out: which of its tries this is, and since when."""

    job: Job
    attempt: str
    tries: int
    begun_s: float


class Cluster(Engine):
    """A Ray cluster, reached when the context is entered. Raises ArchbenchError where there is none, or where it is not fit for it."""

    def __init__(self, placing: Placing, settings: Settings) -> None:
        self.placing = placing
        if settings.pretrained:
            raise ArchbenchError("--pretrained reads weights that lie on this machine: --engine local or workers tests them")
        if devices.choose(settings.device).kind == "mps":
            raise ArchbenchError("--engine ray: Ray does not share Apple GPUs out; --device cpu trains without")
        if settings.images_from in ("mapped", "files"):
            raise task.not_sent(f"those of --images-from {settings.images_from}")
        reaching.check_installed(together=settings.devices > 1)
        self.devices = settings.devices
        self.is_ours = False

    def __enter__(self) -> Self:
        self.is_ours = reaching.reach(self.placing.address)
        try:
            self._check_versions()
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        import ray

        if self.is_ours:
            self.is_ours = False
            ray.shutdown()

    def check(self, plan: Plan) -> None:
        for dataset in plan.datasets.values():
            task.Images.of(dataset)

    def records(self, jobs: Iterator[Job], plan: Plan, store: Store, emit: Listener) -> Generator[Record, None, None]:
        import ray

        run = Run(plan, store, emit, self.devices)
        try:
            yield from run.records(jobs)
        except ray.exceptions.RayError as error:
            raise ArchbenchError(f"--engine ray: the cluster is gone ({brief(error)}); the same command goes on") from None
        finally:
            with contextlib.suppress(ray.exceptions.RayError):
                run.end()

    def _check_versions(self) -> None:
        """Raise ArchbenchError where a node has no archbench, or another."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        by_value = types.FunctionType(nodes.version.__code__, {"__builtins__": __builtins__}, "version")
        probe = ray.remote(num_cpus=0, max_retries=0)(by_value)
        there = {node: NodeAffinitySchedulingStrategy(node.id, soft=False) for node in Node.alive(ray.nodes())}
        asked = {node: probe.options(scheduling_strategy=place).remote() for node, place in there.items()}
        told = []
        for node, answer in asked.items():
            try:
                told.append((node.name, ray.get(answer, timeout=PROBE_S)))
            except ray.exceptions.RayError as error:
                if any(alive.id == node.id for alive in Node.alive(ray.nodes())):  # one that has died meanwhile is not asked for any more
                    raise ArchbenchError(f"--engine ray: the node {node.name} cannot run Python for this run: {brief(error)}") from None
        nodes.check_versions(told, nodes.own_version())


class Run:
    """The tasks of one plan, and what they tell. With `devices` each is one training on so many."""

    def __init__(self, plan: Plan, store: Store, emit: Listener, devices: int) -> None:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        self.ray, self.plan, self.store, self.emit, self.devices = ray, plan, store, emit, devices
        self.needs = Needs(plan, Node.alive(ray.nodes()), devices)
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self.mailbox = ray.remote(Mailbox).options(num_cpus=0, max_concurrency=1000, scheduling_strategy=here).remote()
        self.carry_out = ray.remote(max_retries=0)(_carry_out)
        self.carry_out_together = ray.remote(max_retries=0, num_cpus=0, scheduling_strategy=here)(spread.carry_out)
        self.images: dict[str, Any] = {}
        self.running: dict[Any, Errand] = {}
        self.again: deque[Errand] = deque()
        self.begun: set[str] = set()  # tries that have told something
        self.unfit: dict[nodes.Need, float] = {}  # since when too few nodes live that could meet it

    def records(self, jobs: Iterator[Job]) -> Iterator[Record]:
        """A Record of each Job."""
        while self._filled(jobs):
            if not self._delivered():
                self.emit(Waiting())
            for reference in self.ray.wait(list(self.running), num_returns=len(self.running), timeout=0)[0]:
                self._delivered()
                errand = self.running.pop(reference)
                record = self._record(reference, errand)
                if record is not None:
                    yield record
            yield from self._without_node()

    def end(self) -> None:
        """Let what runs leave its checkpoint, within half a minute, and take back what has not begun."""
        if self.running:
            self.mailbox.end.remote()
            self.emit = lambda event: None
            deadline = time.perf_counter() + LEAVE_S
            for reference in [each for each, errand in self.running.items() if errand.attempt not in self.begun]:
                self.ray.cancel(reference)
            while self.running and time.perf_counter() < deadline:
                self._delivered()
                for reference in self.ray.wait(list(self.running), num_returns=len(self.running), timeout=0)[0]:
                    self._delivered()  # its checkpoint may have come since, and counts as long as it runs
                    del self.running[reference]
        self.ray.kill(self.mailbox)

    def _filled(self, jobs: Iterator[Job]) -> bool:
        """Send Jobs out as long as there is room for them; whether any is out."""
        while self.again:
            self._send(self.again.popleft())
        ahead = AHEAD if self.devices == 1 else 1  # processes that must all start at once wait for each other, not in line
        while len(self.running) < ahead * self._at_once() and (job := next(jobs, None)) is not None:
            self._send(Errand(job, "", 0, 0.0))
        return bool(self.running)

    def _at_once(self) -> int:
        """How many tasks run at once, about, now."""
        need = nodes.Need(self.needs.cores, self.needs.gpus, 0)
        return max(1, sum(need.fits(node) for node in Node.alive(self.ray.nodes())) // self.devices)

    def _send(self, errand: Errand) -> None:
        job, need = errand.job, self.needs.of(errand.job)
        assert job.data is not None
        fingerprint = job.data.fingerprint
        if fingerprint not in self.images:
            self.images[fingerprint] = self.ray.put(task.Images.of(self.plan.datasets[fingerprint]))
        errand = Errand(job, uuid.uuid4().hex, errand.tries + 1, time.perf_counter())
        if self.devices > 1 and job.kind == "train":
            luggage = task.Luggage.of(job, self.store)
            portion = spread.Portion(job, [self.images[fingerprint]], luggage, errand.attempt, need, self.mailbox)
            self.running[self.carry_out_together.options(name=job.label).remote(portion, self.devices)] = errand
            return
        options = {"num_cpus": need.cores, "num_gpus": need.gpus, "memory": need.memory_bytes, "name": job.label}
        arguments = (job, self.images[fingerprint], task.Luggage.of(job, self.store), errand.attempt, need.cores, self.mailbox)
        self.running[self.carry_out.options(**options).remote(*arguments)] = errand

    def _delivered(self) -> bool:
        """Take the letters in; whether there were any. One from a try that was given up means nothing any more.

        Checkpoints are kept first: whoever listens to an event may end the run.
        """
        letters: list[Letter] = self.ray.get(self.mailbox.take.remote(HEED_S))
        self.begun |= {letter.attempt for letter in letters}
        attempts = {errand.attempt for errand in self.running.values()}
        contents = [letter.content for letter in letters if letter.attempt in attempts]
        for content in contents:
            if isinstance(content, Kept):
                self.store.keep_checkpoint(content.key, content.content)
        for content in contents:
            if not isinstance(content, Kept):
                self.emit(content)
        return bool(letters)

    def _record(self, reference: Any, errand: Errand) -> Record | None:
        """What a task that has ended came to; None where it is tried again."""
        errors = self.ray.exceptions
        try:
            delivery: task.Delivery = self.ray.get(reference)
        except errors.RayTaskError as error:
            if isinstance(error.cause, spread.CompanionLostError):
                return self._lost(errand, str(error.cause))
            return self._failure(errand, error.cause if isinstance(error.cause, Exception) else error)
        except errors.RayError as error:
            return self._lost(errand, self._why(error))
        assert delivery.record is not None
        failed = delivery.record.failure
        if failed is not None and failed.reason == nodes.OtherVersionError.__name__:
            raise ArchbenchError(f"{failed.message}; the same command goes on without it")
        for path, content in delivery.files.items():
            write_atomically(self.store.root / path, lambda file, content=content: file.write(content))  # type: ignore[misc]
        return delivery.record

    def _without_node(self) -> Iterator[Record]:
        """The failures of Jobs that for a while no node that lives could take, were it idle, for which Ray waits without end."""
        now, alive = time.perf_counter(), Node.alive(self.ray.nodes())
        for reference, errand in list(self.running.items()):
            need = self.needs.of(errand.job)
            at_once = self.devices if errand.job.kind == "train" else 1
            if sum(need.fits(node) for node in alive) >= at_once:
                self.unfit.pop(need, None)
            elif errand.attempt not in self.begun and now - self.unfit.setdefault(need, now) >= RETURN_S:
                self.ray.cancel(reference)
                del self.running[reference]
                times = f", {at_once} times" * (at_once > 1)
                yield self._failure(errand, ModelError("NoNode", f"the nodes that the cluster has left cannot run it: {need}{times}"))

    def _lost(self, errand: Errand, why: str) -> Record | None:
        """None where it is tried again; its failure after the last try."""
        lost = ModelError("WorkerDied", f"the task of {errand.job.label} was lost: {why}")
        if errand.tries >= TRIES:
            return self._failure(errand, lost)
        self.emit(Notice(f"{lost}; it goes on from its checkpoint"))
        self.again.append(errand)
        return None

    def _why(self, error: Exception) -> str:
        """In our words what Ray takes several lines to say."""
        errors = self.ray.exceptions
        if isinstance(error, errors.NodeDiedError | errors.ObjectLostError):
            return "its node has died"
        if isinstance(error, errors.OutOfMemoryError):
            return "its node ran out of memory"
        return "its process has died" if isinstance(error, errors.WorkerCrashedError) else brief(error)

    def _failure(self, errand: Errand, error: Exception) -> Record:
        return failure(errand.job, error, time.perf_counter() - errand.begun_s)


def _carry_out(job: Job, images: task.Images, luggage: task.Luggage, attempt: str, threads: int, mailbox: Any) -> task.Delivery:
    """The task: a Job, and letters to the mailbox."""
    import ray

    placed = placed_here(job, "ray")
    return task.carry_out(placed, images, luggage, attempt, threads, lambda letter: bool(ray.get(mailbox.post.remote(letter))))
