"""`pytest --archbench MODELS`: forward and training steps under pytest-benchmark's fixture, the facts of the machine attached.

Every run of pytest loads this module, so that what is heavy waits until the option is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from archbench.device import Device
    from archbench.models import Model

SUITE = Path(__file__).with_name("pytest_suite.py")
BATCH = 32


@dataclass(frozen=True)
class Asked:
    """What the command line asks to be benchmarked."""

    models: tuple[Model, ...]
    batch: int
    device: Device


ASKED = pytest.StashKey[Asked]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options `--archbench`, `--archbench-batch` and `--archbench-device`."""
    group = parser.getgroup("archbench", "benchmarks of networks, through pytest-benchmark")
    text = "Benchmark a forward pass and a training step of these models, named as in archbench profile --models"
    group.addoption("--archbench", metavar="MODELS", help=text)
    group.addoption("--archbench-batch", metavar="N", type=int, default=BATCH, help="Images a step (default: %(default)s)")
    group.addoption("--archbench-device", metavar="DEVICE", default="auto", help="auto, cpu, cuda, cuda:N or mps (default: %(default)s)")


def pytest_configure(config: pytest.Config) -> None:
    """Add the suite to what is collected, or take it alone where no path was given. Raises UsageError in one line."""
    if config.getoption("archbench") is None:
        return
    if not config.pluginmanager.hasplugin("benchmark"):
        raise pytest.UsageError("--archbench needs pytest-benchmark: pip install pytest-benchmark")
    config.stash[ASKED] = _asked(config)
    given = config.args if config.args_source is config.ArgsSource.ARGS else []
    config.args[:] = [*given, str(SUITE)]


def _asked(config: pytest.Config) -> Asked:
    from archbench import device as devices
    from archbench.config import split_names
    from archbench.errors import ArchbenchError
    from archbench.models import parse

    batch = config.getoption("archbench_batch")
    try:
        models, device = parse(split_names(config.getoption("archbench"))), devices.choose(config.getoption("archbench_device"))
    except ArchbenchError as error:
        raise pytest.UsageError(f"{error}".replace("--device", "--archbench-device")) from None
    if not models:
        raise pytest.UsageError("--archbench names no model; write --archbench nin,mobilenet")
    if batch < 1:
        raise pytest.UsageError(f"--archbench-batch takes a number from 1 on (got {batch})")
    return Asked(tuple(models), batch, device)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """The suite's tests are called `archbench::test_forward[nin]` wherever the package lies."""
    return pytest.Module.from_parent(parent, path=module_path, nodeid="archbench") if module_path == SUITE else None


def pytest_report_header(config: pytest.Config) -> str | None:
    """What is benchmarked, and on what."""
    asked = config.stash.get(ASKED, None)
    return f"archbench: {len(asked.models)} models, batch {asked.batch}, {asked.device.name}" if asked else None


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    """Attach what a Record says of its environment, under `archbench`."""
    asked = config.stash.get(ASKED, None)
    if asked is not None:
        from archbench.environment import describe

        machine_info["archbench"] = describe(asked.device)
