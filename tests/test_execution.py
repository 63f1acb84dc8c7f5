from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from archbench import choosing, execution
from archbench import plan as planning
from archbench.config import Settings
from archbench.device import Device
from archbench.events import ignore
from archbench.execution import ExecutionPlan, choose_compilation
from archbench.records.store import Store


class Clock(Device):
    """A device on which a call takes what it returns."""

    def time(self, call: Callable[[], object]) -> float:
        return float(call())  # type: ignore[arg-type]


class Trial:
    """A training step that takes 0.1 s, or compiled 0.07 s and 40 s before it is."""

    def __init__(self, plan: ExecutionPlan) -> None:
        self.seconds = [40.0] if plan.compiled else []
        self.each = 0.07 if plan.compiled else 0.1

    def step(self) -> float:
        return self.seconds.pop() if self.seconds else self.each


@pytest.mark.parametrize(
    ("steps", "tried", "compiled"),
    [
        (2000, False, False),  # 200 s: compiling is not even tried
        (3010, True, True),  # 301 s eager; 40 + 3010 x 0.07 = 250.7 s are still to come
        (3002, True, True),  # 300.2 s eager; a compiling of 89 s and 3002 x 0.07: 299.1 s
        (3000, True, False),  # 300 s eager; a compiling of 91 s and 3000 x 0.07: 301 s
    ],
)
def test_compiling_is_tried_where_the_run_is_long_and_kept_where_it_pays(
    steps: int, tried: bool, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trial(model: nn.Module, images: torch.Tensor, device: Device, plan: ExecutionPlan) -> Trial:
        made = Trial(plan)
        if plan.compiled:
            made.seconds = [{3000: 91.0, 3002: 89.0}.get(steps, 40.0)]
        return made

    monkeypatch.setattr(execution, "_trial", trial)
    plan = ExecutionPlan(compile_auto=True, step_s={"contiguous": 0.1})
    chosen = choose_compilation(nn.Identity(), torch.zeros(1), Clock("cpu"), plan, steps)
    assert (chosen.compile_s is not None, chosen.compiled) == (tried, compiled)
    assert chosen.step_seconds == pytest.approx(0.07 if compiled else 0.1)
    assert chosen.asked(32) == plan.asked(32) == {"precision": "fp32", "compiled": "auto", "deterministic": False}
    if tried:
        assert chosen.step_s["contiguous compiled"] == pytest.approx(0.07)


def test_the_probe_halves_parts_that_do_not_fit_where_it_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch of 32 of which 8 fit: tried with 32, 16 and 8. Where the parts were not to be halved it stays as it was asked."""
    tried: list[int] = []

    def layout(model: nn.Module, images: torch.Tensor, device: Device, plan: ExecutionPlan) -> ExecutionPlan:
        tried.append(len(images))
        if len(images) > 8:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return plan.model_copy(update={"step_s": {"contiguous": 0.1}})

    monkeypatch.setattr(choosing, "choose_layout", layout)

    def planned(micro_batch: str | None) -> ExecutionPlan:
        asked = Settings.of(models="lenet", batch_size=32, limit_train=64, micro_batch=micro_batch)
        return planning.make(asked, ("train",), Store(tmp_path), ignore).jobs[0].plan

    plan = planned("auto")
    assert (plan.micro_batch, plan.micro_batch_auto, plan.step_seconds) == (8, True, 0.1)
    assert planned(None).micro_batch is None
    assert tried == [32, 16, 8, 32]


@pytest.mark.parametrize(("precision", "computed"), [("fp32", torch.float32), ("tf32", torch.float32), ("bf16", torch.bfloat16)])
@pytest.mark.parametrize("compiled", [False, True])
def test_a_precision_is_computed_in_whatever_autocast_was_on(precision: str, computed: torch.dtype, compiled: bool) -> None:
    layer = nn.Linear(2, 2)
    forward = torch.compile(layer, backend="eager") if compiled else layer
    with torch.autocast("cpu", torch.float16), ExecutionPlan(precision=precision).autocast(Device("cpu")):
        assert forward(torch.zeros(1, 2)).dtype == computed
