"""What `pytest --archbench MODELS` runs: a forward pass and a training step of each model, on its own input.

Networks run eager in fp32 with weights drawn by seed 0, the device waited for after each step. There are at least six rounds: the median
of fewer has no interval.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from archbench import catalogue
from archbench.errors import ArchbenchError, brief
from archbench.execution import ExecutionPlan, TrainingStep, numerics, preserved_random_state
from archbench.measure import complexity
from archbench.models import Input, Model
from archbench.pytest_plugin import ASKED, Asked

PLAN = ExecutionPlan()
WARM_UP_CALLS, LEAST_ROUNDS = 2, 6

Step = Callable[[], object]
Prepare = Callable[[nn.Module, torch.Tensor], Step]

pytestmark = [
    pytest.mark.filterwarnings("default"),  # what a network warns of is not wrong with its speed
    pytest.mark.filterwarnings("ignore:Benchmark fixture was not used"),  # its model cannot run, which the test says
]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test of each kind for each model that is asked for."""
    asked = metafunc.config.stash.get(ASKED, None)
    labels = [model.label for model in asked.models] if asked is not None else []
    rounds = max(LEAST_ROUNDS, metafunc.config.getoption("benchmark_min_rounds", LEAST_ROUNDS))
    phase = metafunc.function.__name__.removeprefix("test_")
    marks = pytest.mark.benchmark(group=phase, min_rounds=rounds)
    metafunc.parametrize("model", [pytest.param(label, id=label, marks=marks) for label in labels])


def test_forward(model: str, benchmark: Any, pytestconfig: pytest.Config) -> None:
    """A forward pass in evaluation mode, nothing kept for a backward pass."""

    def prepare(network: nn.Module, images: torch.Tensor) -> Step:
        network.eval()
        return torch.inference_mode()(lambda: network(images))

    _time(model, benchmark, pytestconfig.stash[ASKED], "forward", prepare)


def test_training_step(model: str, benchmark: Any, pytestconfig: pytest.Config) -> None:
    """A forward pass, the loss, a backward pass and a step of SGD with momentum."""
    asked = pytestconfig.stash[ASKED]

    def prepare(network: nn.Module, images: torch.Tensor) -> Step:
        return TrainingStep(network, images, asked.device, PLAN).step

    _time(model, benchmark, asked, "training_step", prepare)


def _time(label: str, benchmark: Any, asked: Asked, phase: str, prepare: Prepare) -> None:
    """Benchmark what `prepare` makes of the network and its images; a model that cannot run fails the test in one line."""
    try:
        with numerics(PLAN), preserved_random_state(asked.device):
            _timed(label, benchmark, asked, phase, prepare)
    except Exception as error:  # whatever a network raises fails its own test alone
        said = str(error) if isinstance(error, ArchbenchError) else f"{label} cannot run: {type(error).__name__}: {brief(error)}"
        raise pytest.fail.Exception(said, pytrace=False) from None
    finally:
        asked.device.release_memory()


def _timed(label: str, benchmark: Any, asked: Asked, phase: str, prepare: Prepare) -> None:
    torch.manual_seed(0)
    model, shape = catalogue.shaped(label)
    benchmark.extra_info["archbench"] = _facts(model, shape, asked, phase)
    network = PLAN.place(model.build(shape), asked.device)
    step = prepare(network, PLAN.lay_out(shape.example(asked.batch, asked.device.torch)))

    def call() -> None:
        step()
        asked.device.synchronise()

    for _ in range(WARM_UP_CALLS):
        call()
    benchmark(call)


def _facts(model: Model, shape: Input, asked: Asked, phase: str) -> dict[str, Any]:
    """What `archbench import` needs to make a Record of the benchmark."""
    counted = complexity.count(model, shape)
    return {
        "phase": phase,
        "model": model.snapshot(shape).model_dump(mode="json"),
        "batch": asked.batch,
        "precision": PLAN.precision,
        "memory_format": PLAN.memory_format,
        "mode": "eager",
        "threads": torch.get_num_threads(),
        "device": {"kind": asked.device.kind, "name": asked.device.name},
        "params": counted.params,
        "macs": counted.macs,
    }
