"""One network trained by two processes, as on two GPUs; here they share the cores of a CPU."""

from __future__ import annotations

import contextlib
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from archbench import environment, running
from archbench.data import Split
from archbench.data.preprocessing import Normaliser
from archbench.device import Device
from archbench.engines.together import listening
from archbench.engines.torchrun import check_devices
from archbench.errors import ArchbenchError, Terminated
from archbench.events import Epoch, Event, Notice, Step, ignore
from archbench.execution import ExecutionPlan
from archbench.job import Job
from archbench.models import Input, Model
from archbench.records.schema import Record
from archbench.training.batches import Batches
from archbench.training.ranks import Ranks
from archbench.training.recipe import TrainingConfig

QUICK: dict[str, Any] = {"models": "lenet", "limit_train": 96, "batch_size": 32, "epochs": 12, "precision": "fp32", "deterministic": True}
TWO, PARTS = {"devices": 2}, {"micro_batch": 16}
CORES = environment.cores_to_use()
needs_cores = pytest.mark.skipif(environment.cores_to_use() < 2, reason="two processes take two cores")
FLOAT = 1e-4  # sums of some thousand products in another order, after 36 steps


def train(results: Path, emit: Any = ignore, **changes: Any) -> Record:
    settings = {**QUICK, "device": "cpu", "results": results, **changes}
    return running.execute(running.asked(settings, ()), ("train",), emit).records[0]


def end_after_the_first_epoch(event: Event) -> None:
    if isinstance(event, Epoch):
        raise Terminated


@pytest.fixture(scope="module")
def in_parts(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """One process, each batch of 32 in two parts of 16."""
    return train(tmp_path_factory.mktemp("parts"), **PARTS)


@dataclass
class Killer:
    """Kills the second of the two processes when the training has first told of a step."""

    heard: list[Event] = field(default_factory=list)

    def listen(self, event: Event) -> None:
        has_begun = any(isinstance(each, Step) for each in self.heard)
        self.heard.append(event)
        if isinstance(event, Step) and not has_begun:
            next(each for each in ranks() if each.environ()["RANK"] == "1").send_signal(signal.SIGKILL)


def ranks() -> list[psutil.Process]:
    found = []
    for each in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            found += [each] * ("LOCAL_RANK" in each.environ())
    return found


def check_same_run(record: Record, undisturbed: Record) -> None:
    assert record.key == undisturbed.key
    assert 0 < record.config["resumed_from_step"] < 36  # 96 images are three batches of 32, twelve times
    assert record.samples["curves"]["loss"] == pytest.approx(undisturbed.samples["curves"]["loss"], rel=FLOAT)


@needs_cores
def test_two_devices_learn_what_one_does_in_two_parts(in_parts: Record, tmp_path: Path) -> None:
    """From its checkpoint, with one of the two processes killed on the way."""
    killer = Killer()
    with pytest.raises(Terminated):
        train(tmp_path, end_after_the_first_epoch, **PARTS)
    record = train(tmp_path, killer.listen, **TWO)
    check_same_run(record, in_parts)
    assert [each.message for each in killer.heard if isinstance(each, Notice)][-1] == (
        "a process of lenet · seed 0 was ended by signal 9; it goes on from its checkpoint"
    )
    assert ranks() == []
    assert (record.config["execution"]["devices"], record.config["execution"]["micro_batch"]) == (2, 16)
    told = {doubt.code: doubt.message for doubt in record.warnings}["micro_batch"]
    assert told == "each batch of 32 went through the network in parts of 16 on 2 devices"
    assert record.environment["engine"] == "torchrun"


@needs_cores
def test_one_device_goes_on_from_what_two_have_left(in_parts: Record, tmp_path: Path) -> None:
    with pytest.raises(Terminated):
        train(tmp_path, end_after_the_first_epoch, **TWO)
    assert len(list((tmp_path / "checkpoints").iterdir())) == 1
    check_same_run(train(tmp_path, **PARTS), in_parts)


@needs_cores
def test_two_devices_remember_for_batch_norm_what_one_does_in_two_parts(tmp_path: Path) -> None:
    """Two steps alone: small differences of such a network's sums grow tenfold with each. Tests take the running statistics."""
    asked = {"models": "resnet_basic+width=0.25", "epochs": 2, "limit_train": 32}
    records = [train(tmp_path / name, **asked, **how) for name, how in (("parts", PARTS), ("devices", TWO))]
    assert [record.config.get("norm_statistics") for record in records] == [None, "local"]
    losses = [record.samples["curves"]["loss"] for record in records]
    assert losses[1] == pytest.approx(losses[0], rel=FLOAT)
    logits = [np.load(tmp_path / name / record.files[0].path)["logits"] for name, record in zip(("parts", "devices"), records, strict=True)]
    assert logits[1] == pytest.approx(logits[0], abs=0.004)  # they are kept in float16, and lie within 4


@needs_cores
def test_what_two_devices_drop_is_drawn_again_alike_after_an_interruption(tmp_path: Path) -> None:
    """NIN drops half of what two pools let through, on each device other parts of it, and one process others of the same images."""
    asked = {"models": "nin+width=0.05", "epochs": 3}
    with pytest.raises(Terminated):
        train(tmp_path / "ended", end_after_the_first_epoch, **asked, **TWO)
    resumed, undisturbed, alone = (
        train(tmp_path / name, **asked, **how) for name, how in (("ended", TWO), ("whole", TWO), ("alone", PARTS))
    )
    assert resumed.config["resumed_from_step"] > 0
    losses = [record.samples["curves"]["loss"] for record in (resumed, undisturbed, alone)]
    assert losses[0] == losses[1]
    assert losses[1] != pytest.approx(losses[2], rel=FLOAT)
    logits = [np.load(tmp_path / name / record.files[0].path)["logits"] for name, record in (("ended", resumed), ("whole", undisturbed))]
    assert np.array_equal(*logits)


def test_devices_share_a_batch_and_draw_as_one_does() -> None:
    """Two halves of each batch of 8 from 24 images are, side by side, the batch of one process: images, order and augmentation."""
    images = torch.randint(0, 256, (24, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    split = Split(images, torch.arange(24))
    config = TrainingConfig(name="small", epochs=1, batch_size=8, lr=0.1, translate=2, flip=True)
    seen = [
        Batches(split, config, 0, 1, "contiguous", Normaliser.fitted(split), ranks=each) for each in (Ranks(), Ranks(0, 2), Ranks(1, 2))
    ]
    for whole, *halves in zip(*(batches.after(0) for batches in seen), strict=True):
        for all_of_it, *parts in zip(whole, *halves, strict=True):
            assert torch.cat(parts).equal(all_of_it)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"devices": 2, "batch_size": 33}, "--devices 2 cannot share a batch of 33 out equally; --batch-size 32 can"),
        ({"devices": 2, "micro_batch": "auto"}, "--micro-batch auto finds its size on one device; with --devices name a number"),
        ({"devices": 2, "micro_batch": 5}, "--micro-batch 5 does not divide the 16 images of each device"),
        ({"devices": 2, "micro_batch": 17}, "--micro-batch 17 is larger than the part of each device of 16"),
        ({"devices": 2, "sync_norm": True}, "--sync-norm joins the batch norms of several GPUs: it needs --devices 2 or more, and CUDA"),
        ({"devices": 2, "engine": "workers"}, "--devices gives a training several devices, --engine workers shares them out"),
        ({"devices": 0}, "--devices: input should be greater than or equal to 1 (got 0)"),
        ({"devices": 1000}, f"--devices 1000: there {'is' if CORES == 1 else 'are'} {CORES} core{'s' * (CORES != 1)} here"),
    ],
)
def test_what_cannot_be_shared_out_is_one_line(asked: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ArchbenchError) as raised:
        train(tmp_path, **asked)
    assert str(raised.value) == message


def test_a_named_gpu_has_no_others_beside_it() -> None:
    with pytest.raises(
        ArchbenchError, match=r"^--devices 2 takes the first 2 GPUs: --device cuda; CUDA_VISIBLE_DEVICES says which these are$"
    ):
        check_devices(2, Device("cuda", 1), "cuda:1")


def test_a_key_says_what_batch_norm_sees_and_not_on_how_many_devices() -> None:
    """Of a batch of 32: two devices see 16 each, as one does in two parts; two whose norms are joined see all, as one does in one."""
    asked = [
        ExecutionPlan(micro_batch=16, devices=2).asked(32),
        ExecutionPlan(micro_batch=16).asked(32),
        ExecutionPlan(micro_batch=16, devices=2, norm_over_devices=True).asked(32),
        ExecutionPlan().asked(32),
        ExecutionPlan(micro_batch=8, devices=2, norm_over_devices=True).asked(32),
    ]
    assert asked[0] == asked[1] == asked[4] == {**asked[3], "micro_batch": 16}
    assert asked[2] == asked[3]


def test_a_step_on_gpus_goes_through_the_network_side_by_side() -> None:
    """A batch of 32 in parts of 8 is four passes; two GPUs make them two at a time, two processes of a CPU share its cores."""
    plan = ExecutionPlan(micro_batch=8, devices=2)
    shape = Input(10, 1, 32)
    assert Job("train", Model("lenet"), shape, Device("cuda"), plan, 32).parts == 2
    assert Job("train", Model("lenet"), shape, Device("cpu"), plan, 32).parts == 4


def test_a_temporary_folder_with_a_long_path_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ArchbenchError, match=r"^--devices: no socket in the temporary folder \(AF_UNIX path too long\); TMPDIR names"):
        listening(str(tmp_path / ("x" * 120)), 2)
