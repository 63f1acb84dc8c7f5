"""Networks that change what is not theirs, or cannot run: named, and without effect on the rest."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import torch
from conftest import CommandLine

from archbench import api, counting
from archbench import plan as planning
from archbench.config import Settings
from archbench.engines import carrying
from archbench.engines.local import Local
from archbench.errors import ArchbenchError
from archbench.events import ignore
from archbench.measure import complexity, crosscheck
from archbench.models import Input, Model
from archbench.models.isolation import preserved_settings
from archbench.records.store import Store

ODD = """
import os, signal
import torch
from torch import nn

class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 10, 1)

    def forward(self, images):
        return self.layer(images).mean((2, 3))

class Pair(Network):
    def forward(self, images):
        return super().forward(images), images

class Named(Network):
    def forward(self, images):
        return {"logits": super().forward(images)}

class TwoInputs(Network):
    def forward(self, images, more):
        return super().forward(images)

def good(): return Network()
def pair(): return Pair()
def named(): return Named()
def two_inputs(): return TwoInputs()
def lazy(): return nn.Sequential(nn.LazyConv2d(10, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
def breaks(): raise ValueError("no such weights\\nin two lines")

class Meddles(Network):
    def forward(self, images):
        meddle()
        return super().forward(images.expand(-1, 3, -1, -1))

def meddles_later(): return Meddles()

def in_a_device():
    torch.set_default_device("cpu")
    return Network()

def meddles():
    meddle()
    return Network()

def meddle():
    torch.set_num_threads(torch.get_num_threads() + 1)
    torch.set_grad_enabled(False)
    torch.use_deterministic_algorithms(True)
    torch.set_float32_matmul_precision("medium")
    torch.backends.cudnn.benchmark = not torch.backends.cudnn.benchmark
    torch.backends.cudnn.enabled = not torch.backends.cudnn.enabled
    torch.backends.mkldnn.enabled = not torch.backends.mkldnn.enabled
    torch.set_anomaly_enabled(True, check_nan=False)
    torch.set_default_device("cpu")
    torch.set_warn_always(True)
    torch.set_autocast_enabled("cpu", True)
    torch.set_autocast_dtype("cpu", torch.float16)
    torch.manual_seed(torch.get_num_threads())
    os.chdir("/")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

def in_doubles():
    torch.set_default_dtype(torch.float64)
    return Network()
"""


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    path = tmp_path / "odd.py"
    path.write_text(ODD)
    return path


def settings() -> tuple[object, ...]:
    return (
        torch.get_default_dtype(),
        torch.get_num_threads(),
        torch.is_grad_enabled(),
        torch.get_deterministic_debug_mode(),
        torch.get_float32_matmul_precision(),
        torch.backends.cudnn.benchmark,
        torch.backends.cudnn.enabled,
        torch.backends.mkldnn.enabled,
        torch.is_anomaly_enabled(),
        torch.is_anomaly_check_nan_enabled(),
        torch._C._len_torch_function_stack(),  # a default device that was named stands over every call
        torch.is_warn_always_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.get_autocast_dtype("cpu"),
        Path.cwd(),
        signal.getsignal(signal.SIGINT),
        signal.getsignal(signal.SIGTERM),
    )


def test_global_settings_that_a_network_changes_are_restored(odd: Path) -> None:
    before = settings()
    assert Model(f"{odd}:meddles").build(Input(10, 3, 8)) is not None
    with pytest.raises(ArchbenchError, match="in_doubles cannot take images of 3x8x8"):
        Model(f"{odd}:in_doubles").check(Input(10, 3, 8))
    assert settings() == before


def test_what_a_forward_pass_changes_is_restored_wherever_one_runs(odd: Path) -> None:
    before, model, shape = settings(), Model(f"{odd}:meddles_later"), Input(10, 3, 8)
    counted = complexity.count(model, shape)
    assert settings() == before
    network, image = model.weightless(shape)
    crosscheck.compare(network, image, counted.operations)
    assert settings() == before
    counting.of_module(network, image)
    assert settings() == before


def test_counting_by_name_draws_no_random_number_of_the_callers(odd: Path) -> None:
    before, state = settings(), torch.get_rng_state()
    api.count_models(f"{odd}:good,{odd}:meddles", num_classes=10, in_channels=3, image_size=8)
    assert settings() == before
    assert torch.equal(torch.get_rng_state(), state)


def test_a_network_that_names_the_default_device_leaves_none(odd: Path) -> None:
    before = settings()
    Model(f"{odd}:in_a_device").weightless(Input(10, 3, 8))
    assert settings() == before


def test_a_training_restores_what_its_forward_passes_change(odd: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "r")
    wanted = Settings.of(models=f"{odd}:meddles_later", limit_train=64, epochs=1, results=store.root)
    with preserved_settings():  # it chooses a layout
        plan = planning.make(wanted, ("train",), store, ignore)
    before = settings()
    (record,) = carrying.execute(plan, Local(), store, ignore)
    assert settings() == before
    assert record.failure is not None
    assert "does not require grad" in record.failure.message  # its forward passes turn gradients off


@pytest.mark.parametrize(
    ("function", "complaint"),
    [
        ("pair", "gives tuple for one image, not logits of shape (1, 10)"),
        ("named", "gives dict for one image, not logits of shape (1, 10)"),
        ("two_inputs", "cannot take images of 3x8x8: TypeError: TwoInputs.forward() missing 1 required positional argument: 'more'"),
        ("breaks", "cannot take images of 3x8x8: ValueError: no such weights in two lines"),
    ],
)
def test_a_network_that_cannot_be_measured_is_named_in_one_line(odd: Path, function: str, complaint: str) -> None:
    with pytest.raises(ArchbenchError) as caught:
        Model(f"{odd}:{function}").check(Input(10, 3, 8))
    assert str(caught.value).removesuffix("; its function takes no image_size (here 8)") == f"{odd}:{function} {complaint}"


def test_the_others_go_on_and_the_run_says_1(archbench: CommandLine, odd: Path) -> None:
    models = ",".join(f"odd.py:{function}" for function in ("pair", "lazy", "breaks"))
    answer = archbench("profile", "--models", models, "--image-size", "8", "--batch-size", "2", "--launches", "1", "-q")
    assert answer.returncode == 1
    assert "odd.py:lazy" in answer.stdout
    assert "odd.py:pair gives tuple" in answer.stderr
    assert "odd.py:breaks cannot take images" in answer.stderr


def test_where_none_can_run_it_is_a_mistake(archbench: CommandLine, odd: Path) -> None:
    answer = archbench("profile", "--models", "odd.py:pair,odd.py:breaks", "--image-size", "8")
    assert answer.returncode == 2
    assert answer.stderr.startswith("archbench: none of the models can run; odd.py:pair gives tuple")


def test_a_file_that_raises_a_kind_of_its_own_or_has_no_home_is_named_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text("class Own(BaseException):\n    def __str__(self): raise ValueError\nraise Own()\n")
    with pytest.raises(ArchbenchError, match=r"own\.py cannot be run: Own: Own$"):
        Model(f"{file}:make").check(Input(10, 3, 8))
    with pytest.raises(ArchbenchError, match="there is no such home directory"):
        Model("~no-such-user/own.py:make").check(Input(10, 3, 8))
