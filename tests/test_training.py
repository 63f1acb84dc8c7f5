from __future__ import annotations

import dataclasses
import errno
import json
import math
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import zoo
from archbench.config import Settings
from archbench.data import Dataset, Split, load, request
from archbench.data.dataset import stratified
from archbench.data.preprocessing import Normaliser
from archbench.device import Device
from archbench.errors import ArchbenchError, Terminated
from archbench.events import Epoch, Event, Finished, Notice, Step, ignore
from archbench.execution import ExecutionPlan, choose_layout, numerics, preserved_random_state, resolve_precision
from archbench.models import Input, Model
from archbench.training import checkpoint, initial, loop, recipe, recipe_file
from archbench.training.batches import Batches
from archbench.training.evaluate import predict
from archbench.training.recipe import TrainingConfig

CPU = Device("cpu")


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load(request(Settings.of()), ignore)


def config(name: str, digits: Dataset, **settings: object) -> TrainingConfig:
    return recipe.resolve(recipe_file.load("modern"), Model(name).hints, digits.mirror_safe, Settings.of(**settings))


def test_the_users_wish_goes_before_the_data_sets_and_that_before_the_recipes(digits: Dataset) -> None:
    assert (config("nin", digits).batch_size, config("nin", digits).epochs) == (32, 8)
    assert config("nin", digits, batch_size=16, epochs=2).model_dump().items() >= {"batch_size": 16, "epochs": 2}.items()


def test_a_networks_hints_are_used_and_recorded(digits: Dataset) -> None:
    hinted, plain = config("nin", digits), config("resnet_bottleneck", digits)
    assert hinted.lr == zoo.get("nin").hints.lr != plain.lr
    assert hinted.hints["lr"] == hinted.lr
    assert hinted.hints["reason"]
    assert plain.hints == {}


def test_digits_are_never_mirrored(digits: Dataset) -> None:
    assert not config("nin", digits).flip


def test_he_weights_and_a_positive_class_map_bias(digits: Dataset) -> None:
    """He: variance 2 / fan-in; the second 5x5 convolution has 96 x 25 inputs."""
    network = initial.build(Model("nin"), Input(10, 1, 32), config("nin", digits), seed=0)
    convolution = network.features.mlpconv2[0][0]
    assert convolution.weight.std().item() == pytest.approx(math.sqrt(2 / (96 * 25)), rel=0.01)
    assert convolution.bias.abs().max() == 0
    assert network.features.class_maps[0].bias.tolist() == [1.0] * 10
    scale = zoo.get("nin").hints.dropout_scale
    assert scale is not None
    assert network.features.pool1[1].p == 0.5 * scale


def tiny_task(digits: Dataset, seed: int = 0, epochs: int = 2, **changes: object) -> loop.Task:
    part = digits.train.take(stratified(digits.train.labels, 96, 0))
    settings = config("resnet_bottleneck", digits, epochs=epochs).model_copy(update=changes)
    return loop.Task("tiny", "k", settings, ExecutionPlan(), CPU, seed, part, None)


def train(task: loop.Task, start: checkpoint.Checkpoint | None = None, keep: Callable[..., None] = ignore) -> tuple[nn.Module, loop.Fit]:
    network = initial.build(Model("resnet_bottleneck"), Input(10, 1, 32), task.config, task.seed)
    return network, loop.fit(network, task, Normaliser.fitted(task.train), ignore, start, keep)


def weights(network: nn.Module) -> torch.Tensor:
    return torch.cat([parameter.flatten() for parameter in network.parameters()])


def test_one_seed_gives_one_network(digits: Dataset) -> None:
    first, second, other = (weights(train(tiny_task(digits, seed))[0]) for seed in (0, 0, 1))
    assert first.equal(second)
    assert not first.equal(other)


def test_every_model_of_a_seed_sees_the_same_batches(digits: Dataset) -> None:
    task = tiny_task(digits)
    normalise = Normaliser.fitted(task.train)

    def batches(epoch: int) -> Batches:
        return Batches(task.train, task.config, 0, epoch, "contiguous", normalise)

    first = list(batches(0).after(0))
    torch.manual_seed(99)
    second = list(batches(0).after(0))
    assert len(first) == 3
    assert all(a.equal(c) and b.equal(d) for (a, b), (c, d) in zip(first, second, strict=True))
    assert not first[0][0].equal(next(batches(1).after(0))[0])


def test_alternating_flips_show_both_sides_of_each_image_in_two_epochs(digits: Dataset) -> None:
    """Image by image: the one epoch has it as it is and the other mirrored, whatever place it is drawn at."""
    task = tiny_task(digits, translate=0, flip=True, flip_alternates=True)
    seen: list[torch.Tensor] = []
    for epoch in (0, 1):
        batches = Batches(task.train, task.config, 0, epoch, "contiguous", Normaliser.fitted(task.train))
        images = torch.cat([images for images, _ in batches.after(0)])
        seen.append(torch.empty_like(images).index_copy_(0, batches.order, images))
    assert seen[0].equal(seen[1].flip(-1))
    changed = (seen[0] != seen[1]).flatten(1).any(1)
    mirrored = (seen[0] == Normaliser.fitted(task.train)(task.train.images.flip(-1), torch.contiguous_format)).flatten(1).all(1)
    assert changed.all()
    assert 24 < mirrored.sum() < 72  # 48 expected of 96, five deviations of 5


def test_a_resumed_training_ends_where_the_undisturbed_one_does(digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "KEEPING_SHARE", 1e9)
    kept: list[checkpoint.Checkpoint] = []
    task = tiny_task(digits, epochs=3)

    def keep(state: checkpoint.Checkpoint) -> None:
        (tmp_path / f"{state.epoch}.pt").write_bytes(state.stored())

    whole, _ = train(task, keep=keep)
    kept.append(checkpoint.load(tmp_path / "2.pt", "k") or pytest.fail("no checkpoint"))
    resumed, result = train(task, start=kept[0])
    assert result.resumed_from_step == 2 * task.steps_per_epoch
    assert len(result.curves["loss"]) == 3
    assert weights(resumed).equal(weights(whole))


def test_a_training_resumed_between_two_steps_ends_where_the_undisturbed_one_does(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint after each step of an epoch, dropout, flips, translations and averaged weights in it: whichever one is taken, not a
    bit differs.
    """
    monkeypatch.setattr(loop, "REPORT_EVERY_S", 0.0)
    monkeypatch.setattr(loop, "KEEP_EVERY_S", 0.0)
    monkeypatch.setattr(loop, "KEEPING_SHARE", 1e9)
    task = tiny_task(digits, epochs=2, flip=True, flip_alternates=True, average=0.5)
    kept: list[Path] = []

    def keep(state: checkpoint.Checkpoint) -> None:
        kept.append(tmp_path / f"{len(kept)}.pt")
        kept[-1].write_bytes(state.stored())

    def trained(start: checkpoint.Checkpoint | None = None, keep: Callable[..., None] = ignore) -> tuple[nn.Module, loop.Fit]:
        network = initial.build(Model("alexnet"), Input(10, 1, 32), task.config, task.seed)
        return network, loop.fit(network, task, Normaliser.fitted(task.train), ignore, start, keep)

    whole, undisturbed = trained(keep=keep)
    assert len(kept) == 2 * task.steps_per_epoch  # after each step, or the epoch's end in its place
    for number, path in enumerate(kept, start=1):  # the last one is that of a run whose test alone is left
        resumed, result = trained(checkpoint.load(path, "k"))
        assert result.micro_batch == undisturbed.micro_batch == task.config.batch_size
        assert result.resumed_from_step == number
        assert weights(resumed).equal(weights(whole))
        assert result.curves["loss"] == undisturbed.curves["loss"]


@pytest.mark.parametrize("last", [2, 3])
def test_a_training_that_must_end_leaves_a_checkpoint_of_the_step_it_took(
    last: int, digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the second of an epoch's three steps, and after its third, where no step of the epoch is left for the resumed run."""
    monkeypatch.setattr(loop, "REPORT_EVERY_S", 0.0)
    task, kept = tiny_task(digits, epochs=2), []
    assert task.steps_per_epoch == 3

    def end(event: object) -> None:
        if isinstance(event, Step) and event.done == last:
            raise Terminated

    def trained(start: checkpoint.Checkpoint | None, emit: Callable[[object], None]) -> tuple[nn.Module, loop.Fit]:
        network = initial.build(Model("resnet_bottleneck"), Input(10, 1, 32), task.config, task.seed)
        return network, loop.fit(network, task, Normaliser.fitted(task.train), emit, start, kept.append)

    with pytest.raises(Terminated):
        trained(None, end)
    (left,) = kept
    assert (left.epoch, left.position.step) == (0, last)
    (tmp_path / "k.pt").write_bytes(left.stored())
    resumed, result = trained(checkpoint.load(tmp_path / "k.pt", "k"), ignore)
    whole, undisturbed = trained(None, ignore)
    assert weights(resumed).equal(weights(whole))
    assert result.curves["loss"] == undisturbed.curves["loss"]


def test_checkpoints_take_at_most_a_hundredth_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes 2 s: at the first epoch's end after 20 s, then 200 s after each, also at an epoch's end, but for the last one."""
    clock, kept = [0.0], []
    monkeypatch.setattr(loop.time, "perf_counter", lambda: clock[0])
    pace = loop.Pace()

    def keep() -> None:
        kept.append(clock[0])
        clock[0] += 2

    for second in range(1, 301):
        clock[0] += 1
        pace.keep(keep, 0.0 if second % 20 == 0 else 30.0)
    pace.keep(keep, None)
    assert kept == [20, 222, 304]


def test_an_epoch_is_told_before_its_checkpoint_is_kept_and_kept_where_that_ends_the_run(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that who is killed between the two hears of it again. One epoch's end costs too much to be kept; the last one is kept."""
    monkeypatch.setattr(loop, "KEEPING_SHARE", 1e-9)
    said: list[tuple[str, int]] = []

    def run(ends_at: int) -> list[tuple[str, int]]:
        said.clear()

        def told(event: Event) -> None:
            if isinstance(event, Epoch):
                said.append(("told", event.epoch))
                if event.epoch == ends_at:
                    raise Terminated

        task = tiny_task(digits, epochs=3)
        network = initial.build(Model("lenet"), Input(10, 1, 32), task.config, task.seed)
        loop.fit(network, task, Normaliser.fitted(task.train), told, None, lambda state: said.append(("kept", state.epoch)))
        return said

    assert run(0) == [("told", 1), ("kept", 1), ("told", 2), ("told", 3), ("kept", 3)]
    with pytest.raises(Terminated):
        run(2)
    assert said == [("told", 1), ("kept", 1), ("told", 2), ("kept", 2)]


def test_a_network_may_draw_from_numpy_and_python(digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is built and at each step: one seed is one network, whatever was drawn before, and resumed between two steps it is the same."""
    monkeypatch.setattr(loop, "REPORT_EVERY_S", 0.0)
    monkeypatch.setattr(loop, "KEEP_EVERY_S", 0.0)
    monkeypatch.setattr(loop, "KEEPING_SHARE", 1e9)

    class Noisy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(32 * 32, 10)
            nn.init.constant_(self.layer.bias, np.random.rand() + random.random())

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.layer(images.flatten(1)) * (1 + np.random.rand() + np.random.randn() * random.random())

    monkeypatch.setattr(Model, "build", lambda self, shape: Noisy())
    before = random.getstate()
    with preserved_random_state(CPU):
        initial.build(Model("lenet"), Input(10, 1, 32), tiny_task(digits).config, 0)
    assert random.getstate() == before
    kept: list[Path] = []

    def keep(state: checkpoint.Checkpoint) -> None:
        kept.append(tmp_path / f"{len(kept)}.pt")
        kept[-1].write_bytes(state.stored())

    whole = weights(train(tiny_task(digits), keep=keep)[0])
    assert weights(train(tiny_task(digits))[0]).equal(whole)
    assert weights(train(tiny_task(digits), start=checkpoint.load(kept[1], "k"))[0]).equal(whole)


def test_a_checkpoint_that_is_damaged_or_another_runs_is_refused(digits: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "k.pt"
    train(tiny_task(digits), keep=lambda state: path.write_bytes(state.stored()))
    with pytest.raises(ArchbenchError, match="belongs to another run"):
        checkpoint.load(path, "other")
    whole = path.read_bytes()
    flipped = whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:]
    for damaged in (whole[:1000], flipped, b"", b"hello world"):
        path.write_bytes(damaged)
        with pytest.raises(ArchbenchError, match="is damaged; --rerun starts over"):
            checkpoint.load(path, "k")
        assert checkpoint.readable(path, "k") is None


def test_a_full_disk_ends_the_run_and_is_no_failure_of_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import archbench
    from archbench.errors import StorageError
    from archbench.records import store

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store.os, "fsync", full)
    with pytest.raises(StorageError, match="no space left on the disk"):
        archbench.train(models="alexnet", epochs=1, limit_train=64, results=tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_loss_that_is_not_finite_ends_the_training_and_keeps_the_curve(digits: Dataset) -> None:
    _, result = train(tiny_task(digits, epochs=3, lr=1e30, warmup_fraction=0.0, clip_norm=None))
    assert result.diverged
    assert 1 <= len(result.curves["loss"]) < 3
    assert not math.isfinite(result.curves["loss"][-1])


def test_weights_that_are_not_finite_after_the_last_step_end_it_as_diverged_too(digits: Dataset) -> None:
    """One step, whose loss is that of the weights before it: a rate of 3e38 times a decay of 1000 is infinite in fp32."""
    _, result = train(tiny_task(digits, epochs=1, batch_size=96, lr=3e38, weight_decay=1e3, warmup_fraction=0.0, clip_norm=None))
    assert result.diverged
    assert math.isfinite(*result.curves["loss"])


def test_predictions_are_in_order_and_leave_the_mode_alone(digits: Dataset) -> None:
    class Oracle(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return nn.functional.one_hot(images[:, 0, 0, 0].round().long(), 10).float() * 50

    labels = torch.arange(10).repeat(3)
    split = Split(labels.to(torch.uint8).view(-1, 1, 1, 1), labels)
    model = Oracle().train()
    said = predict(model, split, lambda images, layout: images.float(), ExecutionPlan(), CPU, batch=7)
    assert said.predicted.equal(labels)
    assert said.error_pct.value == 0
    assert said.nll.max() < 1e-6
    assert model.training


def test_choosing_a_layout_touches_neither_weights_nor_norms_nor_random_state() -> None:
    network = zoo.create("resnet_bottleneck")
    before = {key: value.clone() for key, value in network.state_dict().items()}
    images = torch.randn(4, 3, 32, 32)
    state = torch.random.get_rng_state()
    plan = choose_layout(network, images, CPU, ExecutionPlan())
    assert set(plan.step_s) == {"contiguous", "channels_last"}
    assert plan.memory_format == min(plan.step_s, key=plan.step_s.__getitem__)
    assert torch.random.get_rng_state().equal(state)
    assert all(value.equal(before[key]) for key, value in network.state_dict().items())


def test_a_deterministic_plan_keeps_its_layout() -> None:
    plan = choose_layout(zoo.create("alexnet"), torch.randn(2, 3, 32, 32), CPU, ExecutionPlan(deterministic=True))
    assert plan.memory_format == "contiguous"
    assert set(plan.step_s) == {"contiguous"}


def test_global_switches_are_as_before() -> None:
    before = torch.backends.cuda.matmul.allow_tf32, torch.are_deterministic_algorithms_enabled()
    with numerics(ExecutionPlan(precision="tf32", deterministic=True)):
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.backends.cuda.matmul.allow_tf32
    assert (torch.backends.cuda.matmul.allow_tf32, torch.are_deterministic_algorithms_enabled()) == before


def test_auto_precision_is_bf16_where_it_is_native_and_fp32_for_profiles() -> None:
    class Chip(Device):
        native_bf16 = True

    assert resolve_precision("auto", Chip("cpu"), training=True) == "bf16"
    assert resolve_precision("auto", Chip("cpu"), training=False) == "fp32"
    with pytest.raises(ArchbenchError, match="--precision tf32"):
        resolve_precision("tf32", CPU, training=True)


def test_a_missing_compiler_is_a_notice_and_eager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from archbench import choosing
    from archbench import plan as planning
    from archbench.records.store import Store

    monkeypatch.setattr(choosing, "missing_compiler", lambda device: "no C++ compiler was found")
    events: list[Event] = []
    made = planning.make(Settings.of(models="alexnet", compile="yes"), ("train",), Store(tmp_path), events.append)
    assert not made.jobs[0].plan.compiled
    assert Notice("--compile: no C++ compiler was found; running without compilation") in events


def planned_with_compile_auto(store: Path, events: list[Event], **settings: object) -> ExecutionPlan:
    from archbench import plan as planning
    from archbench.records.store import Store

    (job,) = planning.make(Settings.of(models="lenet", compile="auto", **settings), ("train",), Store(store), events.append).jobs
    return job.plan


def test_a_compiler_that_fails_is_a_notice_and_what_trying_took_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from archbench import choosing

    def fails(*arguments: object) -> None:
        raise RuntimeError("no such header")

    monkeypatch.setattr(choosing, "missing_compiler", lambda device: None)
    monkeypatch.setattr(choosing, "choose_compilation", fails)
    events: list[Event] = []
    plan = planned_with_compile_auto(tmp_path, events)
    assert (plan.compile_auto, plan.compiled) == (True, False)
    assert plan.compile_s is not None
    assert Notice("--compile auto: lenet cannot be compiled (no such header); running without") in events


def test_time_is_not_chosen_by_where_a_run_is_to_be_the_same_each_time(tmp_path: Path) -> None:
    events: list[Event] = []
    assert not planned_with_compile_auto(tmp_path, events, deterministic=True).compile_auto
    assert Notice("--compile auto chooses by time, which --deterministic rules out; running without compilation") in events


def test_a_resumed_training_keeps_what_was_chosen_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is timed again: what compiling cost is what the first process found."""
    import archbench
    from archbench import choosing

    def chosen(network: object, images: object, device: object, plan: ExecutionPlan, steps: int) -> ExecutionPlan:
        return plan.model_copy(update={"compile_s": 7.0})

    def end(event: Event) -> None:
        if isinstance(event, Epoch):
            raise Terminated

    asked = {"models": "lenet", "epochs": 2, "limit_train": 64, "compile": "auto", "results": tmp_path}
    monkeypatch.setattr(choosing, "missing_compiler", lambda device: None)
    monkeypatch.setattr(choosing, "choose_compilation", chosen)
    with pytest.raises(Terminated):
        archbench.train(**asked, emit=end)
    monkeypatch.setattr(choosing, "choose_layout", None)
    monkeypatch.setattr(choosing, "choose_compilation", None)
    events: list[Event] = []
    (record,) = archbench.train(**asked, emit=events.append)
    assert (record.config["resumed_from_step"], record.config["execution"]["compile_s"]) == (2, 7.0)
    assert not any(isinstance(event, Notice) and "timing" in event.message for event in events)


def test_the_recipe_fast_goes_on_from_a_checkpoint_to_the_same_predictions(tmp_path: Path) -> None:
    """Whitened first layer, Muon's momentum, NAdamW's averages, alternating flips and the weights' average, all of it."""
    pytest.importorskip("timm")
    import archbench

    def end(event: Event) -> None:
        if isinstance(event, Epoch) and event.epoch == 1:
            raise Terminated

    asked = {"models": "lenet", "recipe": "fast", "epochs": 2, "batch_size": 32, "limit_train": 96, "device": "cpu", "deterministic": True}
    with pytest.raises(Terminated):
        archbench.train(**asked, results=tmp_path / "cut", emit=end)
    (resumed,) = archbench.train(**asked, results=tmp_path / "cut")
    (whole,) = archbench.train(**asked, results=tmp_path / "whole")
    assert (resumed.config["resumed_from_step"], whole.config["resumed_from_step"]) == (3, 0)
    predictions = [(tmp_path / name / record.files[0].path) for name, record in (("cut", resumed), ("whole", whole))]
    one, other = map(np.load, predictions)
    assert all(np.array_equal(one[name], other[name]) for name in one.files)


def test_a_record_of_a_training_holds_evidence(tmp_path: Path) -> None:
    """Predictions in the file give the error in the Record, and the hashes fit the files."""
    import hashlib

    import archbench

    record = archbench.train(models="alexnet", epochs=1, limit_train=96, val_fraction=0.2, results=tmp_path)[0]
    assert record.status == "ok"
    assert len(record.samples["curves"]["val_error_pct"]) == 1
    for file in record.files:
        assert hashlib.sha256((tmp_path / file.path).read_bytes()).hexdigest() == file.sha256
    stored = np.load(tmp_path / record.files[0].path)
    error = record.measurement("test_error_pct")
    assert error is not None
    assert error.value == pytest.approx(100 * np.mean(stored["predicted"] != stored["label"]))
    assert not list((tmp_path / "checkpoints").glob("*"))
    assert json.loads(next((tmp_path / "runs").glob("*.json")).read_text())["id"] == record.id


def test_a_run_that_must_end_when_it_tells_of_its_record_has_saved_and_tagged_it(tmp_path: Path) -> None:
    import archbench
    from archbench.records import tags
    from archbench.records.store import Store

    def end(event: Event) -> None:
        if isinstance(event, Finished):
            raise Terminated

    with pytest.raises(Terminated):
        archbench.train(models="lenet", epochs=1, limit_train=64, tag="mine", results=tmp_path, emit=end)
    (record,) = archbench.load(tmp_path)
    assert tags.load(Store(tmp_path)) == {record.id: ("mine",)}


def test_a_rerun_that_is_interrupted_goes_on_and_counts_all_of_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the same command, not by one that finds the Record of the first run there; of both processes the Record tells."""
    import archbench
    from archbench.records import checkpoints
    from archbench.records.store import Store

    asked, store = {"models": "lenet", "epochs": 3, "limit_train": 64, "results": tmp_path}, Store(tmp_path)
    (first,) = archbench.train(**asked)

    def end(event: Event) -> None:
        if isinstance(event, Epoch) and event.epoch == 1:
            raise Terminated

    with pytest.raises(Terminated):
        archbench.train(**asked, rerun=True, emit=end)
    path = store.checkpoint_path(first.key)
    assert [each.state for each in checkpoints.kept(store, [first], datetime.now(UTC))] == ["waiting"]
    assert archbench.train(**asked) == [first]
    kept = checkpoint.load(path, first.key)
    assert kept is not None
    path.write_bytes(dataclasses.replace(kept, spent_s=1000.0).stored())
    (second,) = archbench.train(**asked, rerun=True)
    assert second.config["resumed_from_step"] == 2  # of two steps an epoch
    assert 1000 < second.duration_s < 1000 + 600
    assert [part["from_step"] for part in second.environment["parts"]] == [0, 2]
    assert {part["torch"] for part in second.environment["parts"]} == {second.environment["libraries"]["torch"]}
    assert "parts" not in first.environment
    path.write_bytes(kept.stored())  # as one is left that is killed once its Record is saved
    assert [each.state for each in checkpoints.kept(store, archbench.load(tmp_path), datetime.now(UTC))] == ["finished"]
    archbench.train(**asked)
    assert not path.exists()


def test_a_run_that_is_there_is_skipped_and_rerun_adds_another(tmp_path: Path) -> None:
    import archbench

    settings = {"models": "alexnet", "epochs": 1, "limit_train": 64, "results": tmp_path}
    first, again = archbench.train(**settings), archbench.train(**settings)
    assert first == again
    rerun = archbench.train(**settings, rerun=True)
    assert rerun[0].key == first[0].key
    assert rerun[0].id != first[0].id
    assert len(archbench.load(tmp_path)) == 2


def test_a_network_that_learned_nothing_is_ok_with_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import archbench

    class Blind(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bias = nn.Parameter(torch.zeros(10))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.bias.expand(len(images), 10)

    monkeypatch.setattr(initial, "build", lambda *arguments: Blind())
    record = archbench.train(models="alexnet", epochs=1, limit_train=32, batch_size=32, results=tmp_path)[0]
    assert record.status == "ok"
    assert [doubt.code for doubt in record.warnings] == ["at_chance"]


def test_one_models_failure_costs_the_others_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import archbench

    sound = initial.build

    def sometimes(model: Model, *rest: object) -> nn.Module:
        if model.name == "nin_tiny":
            raise torch.OutOfMemoryError("no more of it")
        return sound(model, *rest)

    monkeypatch.setattr(initial, "build", sometimes)
    with pytest.warns(UserWarning, match=r"nin_tiny \(train\) out of memory: no more of it"):
        records = archbench.train(models="nin_tiny,alexnet", epochs=1, limit_train=32, results=tmp_path)
    assert [record.status for record in records] == ["out_of_memory", "ok"]
    assert records[0].failure is not None
    assert records[0].failure.message == "no more of it"


def test_what_departs_from_the_recipes_letter_is_in_the_record(tmp_path: Path) -> None:
    """A recipe of the user's own with a flip at the test, and a batch of 16 in parts of 4; a recipe of whitened images beside it."""
    import archbench

    mine = tmp_path / "mine.toml"
    mine.write_text("epochs = 1\nbatch_size = 16\nlr = 0.01\nflip = true\ntest_flip = true\n")
    archbench.train(models="lenet", recipe=str(mine), limit_train=64, epochs=1, flip=True, micro_batch=4, batch_size=16, results=tmp_path)
    archbench.train(models="lenet", recipe="paper", limit_train=64, epochs=1, results=tmp_path)
    records = {record.config["training"]["name"]: record for record in archbench.load(tmp_path)}
    told = {doubt.code: doubt.message for doubt in records["mine"].warnings}
    assert told["micro_batch"] == "each batch of 16 went through the network in parts of 4"
    assert told["test_flip"] == "its test error is of logits averaged over an image and its mirror image"
    assert not {"micro_batch", "test_flip"} & {doubt.code for doubt in records["paper"].warnings}
    assert records["paper"].config["normalisation"]["method"] == "gcn_zca"


def test_images_cannot_be_moved_out_of_their_frame(tmp_path: Path) -> None:
    from archbench import plan as planning
    from archbench.records.store import Store

    far = tmp_path / "far.toml"
    far.write_text("epochs = 1\nbatch_size = 16\nlr = 0.01\ntranslate = 32\n")
    with pytest.raises(ArchbenchError, match="recipe far moves images by 32 pixels; they have 32 a side"):
        planning.make(Settings.of(models="lenet", recipe=str(far)), ("train",), Store(tmp_path), ignore)
