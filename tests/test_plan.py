from __future__ import annotations

import dataclasses
import platform
import statistics
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import make_record

from archbench import choosing, duration, environment, models, running
from archbench import plan as planning
from archbench.config import Settings
from archbench.device import Device
from archbench.errors import ArchbenchError, Terminated
from archbench.events import Epoch, Event, Notice, ignore
from archbench.execution import ExecutionPlan
from archbench.job import Job
from archbench.measure import complexity
from archbench.models import Input
from archbench.plan import Plan, Planner
from archbench.records.schema import Record
from archbench.records.store import Store

QUICK = {"models": "alexnet,nin_tiny", "limit_train": 64, "epochs": 2, "deterministic": True}


def make(tmp_path: Path, kinds: tuple[str, ...] = ("train", "profile"), emit: object = ignore, **settings: object) -> Plan:
    return planning.make(Settings.of(**{**QUICK, **settings}), kinds, Store(tmp_path), emit)  # type: ignore[arg-type]


def test_every_model_and_seed_is_a_training_and_every_model_a_profile(tmp_path: Path) -> None:
    jobs = make(tmp_path, seeds="0-2").jobs
    assert [(job.kind, job.model.name, job.seed) for job in jobs] == [
        *(("train", name, seed) for name in ("alexnet", "nin_tiny") for seed in (0, 1, 2)),
        ("profile", "alexnet", 0),
        ("profile", "nin_tiny", 0),
    ]


def test_seeds_share_a_group_and_nothing_shares_a_key(tmp_path: Path) -> None:
    jobs = make(tmp_path, ("train",), models="alexnet", seeds="0,1").jobs
    assert jobs[0].group == jobs[1].group
    assert jobs[0].key != jobs[1].key


@pytest.mark.parametrize("change", [{"epochs": 3}, {"batch_size": 16}, {"precision": "fp32"}, {"limit_train": 96}, {"flip": True}])
def test_whatever_changes_the_result_changes_the_key(tmp_path: Path, change: dict[str, object]) -> None:
    plain = make(tmp_path, ("train",), models="lenet", precision="bf16").jobs[0]
    changed = make(tmp_path, ("train",), **{"models": "lenet", "precision": "bf16", **change}).jobs[0]
    assert plain.key != changed.key


def test_muons_limit_is_in_the_record_and_in_the_key_once_it_is_another(tmp_path: Path) -> None:
    job = make(tmp_path, ("train",), models="lenet").jobs[0]
    assert job.training is not None
    assert job.training.model_dump()["muon_inputs"] == 4096
    assert "muon_inputs" not in job.identity["training"]
    other = dataclasses.replace(job, training=job.training.model_copy(update={"muon_inputs": 1024}))
    assert other.key != job.key


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_freed_memory_is_kept_unless_memory_is_limited(tmp_path: Path) -> None:
    for limit, kept in ((None, True), ("8GB", False)):
        assert make(tmp_path, ("train",), models="lenet", device="cpu", memory_limit=limit).jobs[0].plan.retain_memory is kept


def test_a_limit_that_a_set_in_memory_does_not_keep_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchbenchError, match=r"^a batch of 32 images of digits takes 64\.2 MiB .* images may take 0\.0 MiB of memory: "):
        make(tmp_path, ("train",), models="lenet", memory_limit="1KB")


def test_a_resumed_training_keeps_freed_memory_as_is_asked_now() -> None:
    kept, limited = ExecutionPlan(retain_memory=True, step_s={"contiguous": 1.0}), ExecutionPlan(retain_memory=False)
    assert kept.on(limited) == limited.model_copy(update={"step_s": {"contiguous": 1.0}})


def test_the_estimate_is_steps_times_the_measured_step(tmp_path: Path) -> None:
    """64 images in batches of 32 for 2 epochs: 4 steps; 360 test and 64 training images to evaluate at a third of a step; 0.3 s beside."""
    job = make(tmp_path, ("train",), models="alexnet").jobs[0]
    timed = duration.seconds(dataclasses.replace(job, plan=ExecutionPlan(step_s={"contiguous": 3.0})))
    assert timed == pytest.approx(0.3 + 3.0 * (4 + (360 + 64) / 32 / 3))


def test_the_recipes_optimizer_is_counted_once_a_step(tmp_path: Path) -> None:
    """4 steps of two parts of 3 s and an update of 5 s each; an evaluation has no update."""
    job = make(tmp_path, ("train",), models="alexnet", micro_batch="16").jobs[0]
    plan = ExecutionPlan(step_s={"contiguous": 3.0}, update_s=5.0, micro_batch=16)
    assert duration.seconds(dataclasses.replace(job, plan=plan)) == pytest.approx(0.3 + 2 * 3.0 * (4 + (360 + 64) / 32 / 3) + 4 * 5.0)


def test_the_estimate_of_a_profile_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network of 1,000 multiply-adds and elements written, together 11,000 at 70 each, in 10 operations; 0.7 of the peak does 5,500.

    A pass of 4 images takes 8 s and 250 us. Two launches of 3 s and a series each: 0.15 s, 4 passes until warm and 5.5 in rounds; with
    operators 36 more and 12 ms for each of 10. Compiling takes 13 s. 4 s and 20 passes once.
    """
    monkeypatch.setattr(duration, "_macs_per_s", lambda device, precision: 5500 / 0.7)
    monkeypatch.setattr(duration, "_work", lambda job: (11_000, 10))
    job = make(tmp_path, ("profile",), models="lenet", batch_sizes="4", launches=2, batch_size=4).jobs[0]
    one = 8 + 250e-6
    series, once = 3 + 0.15 + 9.5 * one, 4 + 20 * one
    assert duration.seconds(dataclasses.replace(job, time=False)) == pytest.approx(once + 2 * series)
    assert duration.seconds(dataclasses.replace(job, time=True)) == pytest.approx(once + 2 * (series + 36 * one + 0.12))
    both = dataclasses.replace(job, time=False, modes=("eager", "compiled"))
    assert duration.seconds(both) == pytest.approx(once + 2 * (2 * series + 13))


def test_a_network_that_cannot_run_takes_little_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise ArchbenchError("lenet cannot run: no kernel for it")

    complexity.estimated.cache_clear()
    monkeypatch.setattr(complexity, "count", refuse)
    job = make(tmp_path, ("profile",), models="lenet", launches=2).jobs[0]
    assert duration.seconds(job) == pytest.approx(4 + 2 * (3 + len(job.batches) * (0.15 + 0.8)))
    complexity.estimated.cache_clear()


@pytest.mark.slow
def test_the_committed_profiles_took_what_is_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    """All together within a factor of 1.25 and half of them within 1.15, at the rate of products that a Record tells, else 100 GMAC/s."""
    measured, expected = [], []
    for record in Store(Path(__file__).parents[1] / "results").load()[0]:
        if record.kind == "profile" and record.config.get("launches") == 3 and "equal" not in record.model.knobs:
            measured.append(record.duration_s)
            expected.append(estimated_again(record, monkeypatch))
    ratios = [max(a / b, b / a) for a, b in zip(measured, expected, strict=True)]
    assert len(ratios) > 60
    assert 1 / 1.25 < sum(measured) / sum(expected) < 1.25
    assert statistics.median(ratios) < 1.15


def estimated_again(record: Record, monkeypatch: pytest.MonkeyPatch) -> float:
    """Seconds for a profile of the same network, batches and launches."""
    rate = next((row.value for row in record.measurements if row.name == "peak_macs_per_s"), 100e9)
    monkeypatch.setattr(duration, "_macs_per_s", lambda device, precision: rate)
    snapshot, config = record.model, record.config
    model, shape = models.parse([snapshot.label])[0], Input(snapshot.num_classes, snapshot.in_channels, snapshot.image_size)
    job = Job("profile", model, shape, Device("cpu"), ExecutionPlan(), config["batch"], launches=config["launches"])
    job = dataclasses.replace(job, batches=tuple(config["batches"]), modes=tuple(config["modes"]))
    return duration.seconds(dataclasses.replace(job, time="time_s" in record.samples))


@pytest.mark.parametrize(("recipe", "steps"), [("modern", []), ("fast", ["Muon", "Muon"])])
def test_a_recipes_optimizer_is_timed_once_for_a_model_unless_its_steps_have_it(
    recipe: str, steps: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that says 5 s of the first step, in which the optimizer makes its state, and 3 s of the second, which counts."""
    timed: list[str] = []

    def clock(device: Device, call: Callable[[], object]) -> float:
        call()
        if not isinstance(owner := getattr(call, "__self__", None), torch.optim.Optimizer):
            return 1.0
        timed.append(type(owner).__name__)
        return 3.0 if len(timed) == 2 else 5.0

    monkeypatch.setattr(Device, "time", clock)
    jobs = make(tmp_path, ("train",), models="lenet", recipe=recipe, seeds="0,1").jobs
    assert [job.plan.update_s for job in jobs] == [3.0 if steps else None] * 2
    assert timed == steps


def test_what_a_checkpoint_holds_is_not_counted_again(tmp_path: Path) -> None:
    """Ended after the first of two epochs: two of four steps are to be made."""

    def end(event: Event) -> None:
        if isinstance(event, Epoch):
            raise Terminated

    with pytest.raises(Terminated):
        running.execute(running.asked({**QUICK, "models": "lenet", "results": tmp_path}, ()), ("train",), end)
    job = make(tmp_path, ("train",), models="lenet").jobs[0]
    assert (job.made, job.steps) == (2, 4)
    timed = duration.seconds(dataclasses.replace(job, plan=ExecutionPlan(step_s={"contiguous": 3.0})))
    assert timed == pytest.approx(0.3 + 3.0 * (2 + (360 + 64) / 32 / 3))


def test_a_model_that_cannot_take_a_step_does_not_stop_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise RuntimeError("no kernel for it")

    monkeypatch.setattr(choosing, "choose_layout", refuse)
    events: list[Event] = []
    assert len(make(tmp_path, ("train",), emit=events.append).jobs) == 2
    assert Notice("alexnet cannot take a training step: no kernel for it") in events


def test_28_pixels_are_padded_to_the_models_32(tmp_path: Path) -> None:
    planner = Planner(Settings.of(dataset="fashion_mnist"), Device("cpu"), Store(tmp_path), ignore)
    assert [job.shape.image_size for job in planner.profile_jobs(planning.models.parse(["nin"]), with_data=True)] == [32]


def test_planning_leaves_the_callers_random_numbers_alone(tmp_path: Path) -> None:
    before = torch.random.get_rng_state()
    make(tmp_path, ("train",), models="alexnet")
    assert torch.random.get_rng_state().equal(before)


def test_the_environment_names_versions_threads_and_processor_but_no_person_or_folder() -> None:
    described = environment.describe(Device("cpu"))
    assert described["libraries"]["torch"] == torch.__version__.split("+")[0]
    assert described["threads"] == torch.get_num_threads()
    assert described["cpu"]
    assert str(Path.home()) not in str(described)


def test_a_notebook_is_warned_of_a_model_that_cannot_run(tmp_path: Path) -> None:
    """A network for colours, given grey digits: the other is trained, and a warning says why this one is not."""
    import archbench

    odd = tmp_path / "odd.py"
    odd.write_text(
        "from torch import nn\n\ndef colours(num_classes):\n    return nn.Sequential(nn.Flatten(), nn.Linear(3072, num_classes))\n"
    )
    with pytest.warns(UserWarning, match=r"odd\.py:colours cannot take images of 1x32x32"):
        records = archbench.train(models=[f"{odd}:colours", "lenet"], limit_train=64, epochs=1, results=tmp_path)
    assert [record.model.label for record in records] == ["lenet"]


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plans whose jobs are executed as they come, so that no step is timed."""
    monkeypatch.setattr(choosing.Chooser, "laid_out", lambda self, job: job)


@pytest.mark.usefixtures("unmeasured")
def test_shards_are_disjoint_and_together_everything(tmp_path: Path) -> None:
    """Two networks, three seeds: 6 trainings and 2 profiles; 8 jobs in 3 parts are 3, 3 and 2."""
    whole = [job.key for job in make(tmp_path, seeds="0-2").jobs]
    parts = [[job.key for job in make(tmp_path, seeds="0-2", shard=f"{number}/3").jobs] for number in (1, 2, 3)]
    assert [len(part) for part in parts] == [3, 3, 2]
    assert sorted(key for part in parts for key in part) == sorted(whole)


@pytest.mark.usefixtures("unmeasured")
def test_a_shard_is_the_same_whatever_has_its_record_and_whatever_the_precision(tmp_path: Path) -> None:
    """Of jobs 1 to 4 the first part of two is 1 and 3; with a Record of 1 there it is still 3 alone that is left of it."""

    def left(precision: str) -> list[tuple[str, int]]:
        return [(job.model.name, job.seed) for job in make(tmp_path, ("train",), seeds="0,1", shard="1/2", precision=precision).jobs]

    assert left("bf16") == left("fp32") == [("alexnet", 0), ("nin_tiny", 0)]
    first = make(tmp_path, ("train",), seeds="0,1", precision="bf16").jobs[0]
    Store(tmp_path).save(make_record("alexnet", key=first.key))
    assert left("bf16") == [("nin_tiny", 0)]


def test_more_shards_than_jobs_leave_some_without_any(tmp_path: Path) -> None:
    events: list[Event] = []
    plan = make(tmp_path, ("train",), emit=events.append, shard="7/16")
    assert (plan.jobs, plan.done, plan.estimate_s) == ((), (), 0)
    assert Notice("part 7 of 16: 0 of 2 jobs") in events
    assert Store(tmp_path).runs.is_dir()
