"""A Ray cluster of two nodes on this machine, started and ended here."""

from __future__ import annotations

import base64
import importlib.util
import marshal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import archbench
from archbench import plan as planning
from archbench import running
from archbench.config import Settings
from archbench.data import load, request
from archbench.engines import cluster as ray_engine
from archbench.engines import nodes, reaching
from archbench.engines.mailbox import Kept, Letter
from archbench.engines.nodes import Need, Node
from archbench.engines.task import Images, Luggage, Post, carry_out
from archbench.errors import ArchbenchError, Terminated
from archbench.events import Epoch, Event, Finished, Notice, Started, Step, ignore
from archbench.measure.complexity import count
from archbench.models import entries, user_file
from archbench.plan import Plan
from archbench.records.schema import Record
from archbench.records.store import Store

QUICK = {"limit_train": 64, "epochs": 40, "precision": "fp32", "deterministic": True, "device": "cpu", "models": "lenet", "seeds": "0,1"}
needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 2**27})
    made.add_node(num_cpus=1, object_store_memory=2**27)
    yield made
    made.shutdown()


def train(engine: str, results: Path, emit: Callable[[Event], None] = ignore, **changes: object) -> running.Executed:
    return running.execute(running.asked({**QUICK, **changes, "engine": engine, "results": results}, ()), ("train",), emit)


def predicted(record: Record, results: Path) -> bytes:
    with np.load(results / next(file.path for file in record.files if file.path.endswith("predictions.npz"))) as stored:
        return stored["logits"].tobytes()


@needs_ray
def test_a_training_on_two_nodes_learns_what_one_process_does_in_two_parts(cluster: Any, tmp_path: Path) -> None:
    """On the cores of both nodes at once, ended after an epoch, gone on with by one process; and the other way round."""
    parts = {"seeds": "0", "batch_size": 32, "epochs": 12}

    def end(event: Event) -> None:
        if isinstance(event, Epoch):
            raise Terminated

    ways: list[tuple[str, dict[str, int]]] = [(f"ray:{cluster.address}", {"devices": 2}), ("local", {"micro_batch": 16})]
    undisturbed = train(*ways[1][:1], tmp_path / "undisturbed", **parts, **ways[1][1]).records[0]
    for (engine, how), (other, then) in (ways, ways[::-1]):
        with pytest.raises(Terminated):
            train(engine, tmp_path / engine[:3], end, **parts, **how)
        record = train(other, tmp_path / engine[:3], **parts, **then).records[0]
        assert record.key == undisturbed.key
        assert record.config["resumed_from_step"] > 0
        assert record.samples["curves"]["loss"] == pytest.approx(undisturbed.samples["curves"]["loss"], rel=1e-4)
        assert record.config["execution"]["devices"] == then.get("devices", 1)


@needs_ray
def test_a_node_that_dies_costs_no_record_and_an_interrupted_run_goes_on(cluster: Any, tmp_path: Path) -> None:
    """Two trainings on two nodes of a core each: asked to end; then one node killed when both have begun; then all is there."""
    engine, store, events = f"ray:{cluster.address}", Store(tmp_path / "ray"), []

    def have_begun() -> bool:
        return len({event.job for event in events if isinstance(event, Step)}) == 2

    def end_both(event: Event) -> None:
        events.append(event)
        if have_begun():
            raise Terminated

    with pytest.raises(Terminated):
        train(engine, store.root, end_both)
    assert len(list(store.checkpoints.iterdir())) == 2
    assert store.load() == ([], [])
    events.clear()
    lost = []

    def kill_a_node(event: Event) -> None:
        events.append(event)
        if not lost and have_begun():
            lost.extend(cluster.worker_nodes)
            cluster.remove_node(lost[0], allow_graceful=False)

    done = train(engine, store.root, kill_a_node)
    records = {record.config["seed"]: record for record in done.records}
    assert sorted(records) == [0, 1]
    assert {record.id for record in store.load()[0]} == {record.id for record in done.records} == set(ids_of_finished(events))
    assert len(store.load()[0]) == len(ids_of_finished(events)) == 2
    assert [isinstance(event, Started) for event in events].count(True) == 3
    assert any(isinstance(event, Notice) and event.message.endswith("it goes on from its checkpoint") for event in events)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as on the nodes: another number sums in another order
    undisturbed_runs = archbench.train(**QUICK, results=tmp_path / "local")
    torch.set_num_threads(threads)
    for undisturbed in undisturbed_runs:
        ours = records[undisturbed.config["seed"]]
        assert predicted(ours, store.root) == predicted(undisturbed, tmp_path / "local")
        assert ours.config["resumed_from_step"] > 0
        assert [(file.bytes, (store.root / file.path).stat().st_size) for file in ours.files] == [(file.bytes,) * 2 for file in ours.files]
        assert (ours.environment["engine"], ours.environment["threads"]) == ("ray", 1)
    assert list(store.checkpoints.iterdir()) == list(store.leases.iterdir()) == []


def ids_of_finished(events: list[Event]) -> list[str]:
    return [event.record_id for event in events if isinstance(event, Finished)]


def test_a_run_that_was_told_to_end_still_leaves_its_checkpoint() -> None:
    left: list[Event | Kept] = []

    def leave(letter: Letter) -> bool:
        left.append(letter.content)
        return True

    with Post("first", leave) as post:
        for content in (Notice("the answer to this says that it must end"), Kept("key", b"checkpoint")):
            post.send(content)
    assert left[1:] == [Kept("key", b"checkpoint")]


@needs_ray
def test_a_node_with_another_version_is_named(cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "own_version", lambda: ("9.9", "abc"))
    with pytest.raises(
        ArchbenchError, match=r"^--engine ray: the node \S+ has archbench \d\S+, not 9\.9; all nodes need the one that asks$"
    ):
        train(f"ray:{cluster.address}", tmp_path)
    assert list(tmp_path.iterdir()) == []


@needs_ray
def test_a_job_that_no_node_can_take_any_more_fails_after_a_while(cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen cores are asked for where nodes have one each."""
    monkeypatch.setattr(ray_engine, "RETURN_S", 0.0)
    monkeypatch.setattr(nodes.Needs, "of", lambda self, job: Need(16, 0, 2**20))
    records = train(f"ray:{cluster.address}", tmp_path).records
    message = "the nodes that the cluster has left cannot run it: 16 cores and 1 MiB of memory are asked for"
    assert [(each.status, each.failure and each.failure.message) for each in records] == [("failed", message)] * 2


def test_a_node_that_joined_later_with_another_version_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (job,) = planned("lenet", tmp_path)
    luggage, away = Luggage.of(job, Store(tmp_path)), Store(tmp_path / "away")
    luggage.unpack(job, away)
    monkeypatch.setattr(nodes, "own_version", lambda: ("9.9", "abc"))
    with pytest.raises(ArchbenchError, match=rf"^--engine ray: the node {socket.gethostname()} has archbench 9\.9, not \d"):
        luggage.unpack(job, away)
    images = Images.of(load(request(Settings.of()), ignore))
    failed = carry_out(job, images, luggage, "first", torch.get_num_threads(), lambda letter: False).record
    assert failed is not None
    assert failed.failure is not None
    assert failed.failure.reason == nodes.OtherVersionError.__name__  # which ends the command


def test_a_node_without_the_package_or_with_other_code_is_named() -> None:
    ours = ("0.1.0", "abc")
    nodes.check_versions([("a", ours)], ours)
    with pytest.raises(ArchbenchError, match=r"the node b has no archbench; install archbench 0\.1\.0 there$"):
        nodes.check_versions([("a", ours), ("b", None)], ours)
    with pytest.raises(ArchbenchError, match=r"the node b has other code of archbench 0\.1\.0"):
        nodes.check_versions([("a", ours), ("b", ("0.1.0", "abd"))], ours)


def test_a_node_without_the_package_tells_so() -> None:
    """As it is sent, by its code alone, to a Python that finds nothing but its own library."""
    sent = base64.b64encode(marshal.dumps(nodes.version.__code__)).decode()
    function = f"types.FunctionType(marshal.loads(base64.b64decode({sent!r})), {{'__builtins__': __builtins__}})"
    run = f"import base64, marshal, types; print({function}())"
    answer = subprocess.run([sys.executable, "-I", "-S", "-c", run], capture_output=True, text=True, check=True)
    assert answer.stdout == "None\n"


def answered_once(server: socket.socket, answer: bytes) -> None:
    with server.accept()[0] as connection:
        connection.sendall(answer)


@needs_ray
@pytest.mark.parametrize("answer", [None, b"HTTP/1.0 400 Bad request\r\n\r\n"])
def test_an_address_where_no_ray_is_takes_seconds(answer: bytes | None, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        said = "what answers there is not the head of a Ray cluster" if answer else "nothing answers there"
        if answer:
            threading.Thread(target=answered_once, args=(server, answer), daemon=True).start()
        else:
            server.close()
        begun = time.perf_counter()
        with pytest.raises(ArchbenchError, match=f"^--engine ray:127.0.0.1:{port}: {said}"):
            train(f"ray:127.0.0.1:{port}", tmp_path)
        assert time.perf_counter() - begun < 2 * reaching.ANSWER_S


def test_images_that_do_not_lie_in_memory_are_refused_before_the_work(class_folders: Path, tmp_path: Path) -> None:
    asked = {"dataset": f"imagefolder:{class_folders}", "data_dir": tmp_path / "data"}
    with pytest.raises(ArchbenchError, match=r"^--engine ray sends images, and those of --images-from mapped do not lie in memory"):
        train("ray", tmp_path / "r", **asked, images_from="mapped")
    assert not (tmp_path / "data").exists()
    mapped = load(request(Settings.of(**asked, images_from="mapped")), ignore)
    with pytest.raises(ArchbenchError, match=r"^--engine ray sends images, and those of images do not lie in memory"):
        Images.of(mapped)
    in_memory = load(request(Settings.of(**asked)), ignore)
    assert Images.of(in_memory).dataset().train.images.equal(in_memory.train.images)


def test_without_the_extra_the_way_to_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "ray" else find(name, *more))
    with pytest.raises(ArchbenchError, match=r"^--engine ray needs ray: pip install 'archbench\[ray\]'$"):
        train("ray", tmp_path)


def test_what_a_job_asks_of_a_node(tmp_path: Path) -> None:
    """Two trainings on nodes of 8 and 4 cores: one on each, with as many cores as the smaller has; 600 MiB, the images, what is counted.

    The images: 1,437 of digits to learn from and 360 to test on, of 32 x 32 bytes, with a label of 8 bytes each. Weights are there six
    times, activations three times for each of 32 images, in 4 bytes each.
    """
    job, *_ = jobs = planned("lenet", tmp_path, seeds="0,1")
    plan = Plan(jobs, (), {job.data.fingerprint: load(request(Settings.of()), ignore)}, (0.0, 0.0))
    large, small = Node("a", "a", 8, 0, 10e9), Node("b", "b", 4, 0, 5e9)
    need = nodes.Needs(plan, [large, small]).of(job)
    images = (1437 + 360) * (32 * 32 + 8)
    network = 4 * (6 * count(job.model, job.shape).params + 3 * count(job.model, job.shape).activations * 32)
    assert need == Need(4, 0, 600 * 2**20 + images + network)
    assert str(need).startswith("4 cores and 6")
    assert nodes.Needs(plan, [Node("c", "c", 4, 0, 1e6)]).of(job).memory_bytes == 1_000_000
    with pytest.raises(ArchbenchError, match=r"^--devices 13: the cluster has 12 cores$"):
        nodes.Needs(plan, [large, small], 13)


def test_what_a_node_runs_at_once() -> None:
    """Of 16 cores, 2 GPUs and 10 GB: of tasks with 4 cores 4, with a GPU each 2, with 6 GB each 1."""
    node = Node("id", "a", 16, 2, 10e9)
    assert [Need(*need).fits(node) for need in ((4, 0, 0), (4, 1, 0), (4, 1, 6_000_000_000), (17, 0, 0))] == [4, 2, 1, 0]


def test_a_file_of_the_users_own_travels(tmp_path: Path) -> None:
    """On the other machine it is not where it was, so that the copy is read; the Record's hash of the code stays."""
    file, away = tmp_path / "own.py", Store(tmp_path / "away")
    file.write_text("from torch import nn\ndef travels(): return nn.Sequential(nn.Flatten(), nn.Linear(1024, 10))\n")
    name = f"{file}:travels"
    (job,) = planned(name, tmp_path)
    luggage, source = Luggage.of(job, Store(tmp_path)), entries.entry(name).source_sha256
    file.unlink()
    del user_file._read[name]
    away.root.mkdir()
    luggage.unpack(job, away)
    assert entries.entry(name).source_sha256 == source
    assert sum(each.numel() for each in job.model.build(job.shape).parameters()) == 1024 * 10 + 10


def planned(name: str, results: Path, seeds: str = "0") -> tuple[Any, ...]:
    return planning.make(Settings.of(**{**QUICK, "models": name, "seeds": seeds}), ("train",), Store(results), ignore).jobs
