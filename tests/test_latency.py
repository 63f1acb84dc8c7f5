"""Rounds over models, launches and doubts, with processes that answer what they are told; then a real one."""

from __future__ import annotations

import itertools
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import archbench.measure.forward as forwards
from archbench.device import Device
from archbench.errors import ArchbenchError, Terminated
from archbench.execution import ExecutionPlan
from archbench.measure import latency, process
from archbench.measure.forward import Forward
from archbench.measure.latency import Launch, Series
from archbench.measure.process import ModelError, Subject, Worker
from archbench.models import Input, Model

CPU, PLAIN = Device("cpu"), ExecutionPlan()


class Told:
    """Stands for a process: answers a round with the calls it is given, and fails from a round on."""

    def __init__(self, name: str, asked: list[str], calls: tuple[float, ...] = (0.001,), fails_at: int | None = None) -> None:
        self.name, self.asked, self.calls, self.fails_at = name, asked, calls, fails_at
        self.rounds = 0

    def ask(self, question: str, **details: Any) -> Any:
        if question == "warm_up":
            return {"calls": 3}
        self.asked.append(self.name)
        self.rounds += 1
        if self.rounds == self.fails_at:
            raise ModelError("RuntimeError", "no more")
        return [self.calls[self.rounds % len(self.calls)]] * 3


def test_each_round_goes_once_over_all_models_in_an_order_of_its_own() -> None:
    asked: list[str] = []
    names = [f"model{number}" for number in range(5)]
    latency.measure([(Series(1, "eager"), Told(name, asked, (0.001, 0.002))) for name in names], limit_s=0)  # type: ignore[misc]
    rounds = [asked[start : start + 5] for start in range(0, 5 * latency.LEAST_ROUNDS, 5)]
    assert all(sorted(each) == names for each in rounds)
    assert len({tuple(each) for each in rounds}) > 1


def test_a_steady_time_settles_after_the_least_rounds_and_one_that_jumps_goes_on_until_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock goes on by a second each time it is read: once a round, after the least number of them."""
    clock = itertools.count()
    monkeypatch.setattr(latency.time, "perf_counter", lambda: next(clock))
    asked: list[str] = []
    steady, jumping = Series(1, "eager"), Series(1, "eager")
    pairs = [(steady, Told("steady", asked)), (jumping, Told("jumping", asked, (0.001, 0.002)))]
    latency.measure(pairs, limit_s=5)  # type: ignore[arg-type]
    assert len(steady.launches[0].rounds) == latency.LEAST_ROUNDS
    assert len(jumping.launches[0].rounds) == latency.LEAST_ROUNDS + 10  # two series of five seconds each
    assert [doubt.code for doubt in steady.doubts()] == []
    assert [doubt.code for doubt in jumping.doubts()] == ["noisy"]


def test_a_model_that_fails_keeps_its_error_and_the_others_are_timed() -> None:
    asked: list[str] = []
    broken, sound = Series(1, "eager"), Series(1, "eager")
    latency.measure([(broken, Told("broken", asked, fails_at=2)), (sound, Told("sound", asked))], limit_s=0)  # type: ignore[list-item]
    assert str(broken.error) == "no more"
    assert len(sound.launches[0].rounds) == latency.LEAST_ROUNDS
    latency.measure([(broken, Told("broken", asked))], limit_s=0)  # type: ignore[list-item]
    assert len(broken.launches) == 1  # it is not launched again


def test_each_launch_counts_once_however_many_rounds_it_took() -> None:
    """Medians of 1 ms and 4 ms: the geometric mean is 2 ms. One launch alone has the interval of its rounds, and says so."""
    series = Series(1, "eager", [Launch([], [0.001] * 5), Launch([], [0.004] * 40)])
    assert (series.seconds.value, series.seconds.n) == (pytest.approx(0.002), 2)
    assert [doubt.code for doubt in series.doubts()] == ["noisy"]
    assert [len(launch["rounds"]) for launch in series.samples()["launches"]] == [5, 40]
    alone = Series(1, "eager", [Launch([], [0.001] * 5)])
    assert alone.seconds == (0.001, 0.001, 0.001, 5)
    assert "says nothing about others" in alone.method


def test_a_time_that_rises_in_each_process_is_a_drift() -> None:
    """From 1.00 to 1.14 ms in steps of a hundredth: medians of the first and last five are 1.02 and 1.12."""
    series = Series(8, "compiled", [Launch([], [0.001 * (1 + step / 100) for step in range(15)])])
    drift = next(doubt for doubt in series.doubts() if doubt.code == "drift")
    assert drift.message == "the time at batch 8, compiled, rose by 10 % while it was measured"
    assert drift.at == {"batch": 8, "mode": "compiled"}


def test_a_warm_up_that_found_no_rest_is_a_doubt() -> None:
    series = Series(1, "eager", [Launch([], [0.001] * 5, {"stable": False})])
    assert [doubt.code for doubt in series.doubts()] == ["not_warm"]


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        assert not torch.is_grad_enabled()
        assert not self.training
        self.calls += 1
        return images


class Clock(Device):
    """A CPU on which each call takes a stated time."""

    seconds = 0.001

    def time(self, call: Any) -> float:
        before = network.calls
        call()
        return self.seconds * (network.calls - before)


network = Counting()


@pytest.mark.parametrize(
    ("call_s", "repeats", "samples"),
    [
        (0.0001, 20, 25),  # 20 calls make a sample of 2 ms; 25 of them are a round of 50 ms
        (0.004, 1, 13),  # the thirteenth call passes 50 ms
        (0.2, 1, 1),  # one call is longer than a round
    ],
)
def test_a_round_takes_about_50_ms_in_samples_of_at_least_2_ms(
    monkeypatch: pytest.MonkeyPatch, call_s: float, repeats: int, samples: int
) -> None:
    monkeypatch.setattr(Clock, "seconds", call_s)
    timed = Forward(network, torch.zeros(1), Clock("cpu"), PLAIN, "eager")
    assert timed.warm_up()["stable"]
    assert timed.repeats == repeats
    assert timed.round() == [call_s] * samples


def test_a_mode_that_the_device_lacks_is_refused() -> None:
    with pytest.raises(ArchbenchError, match="cpu has no CUDA graphs"):
        Forward(nn.Identity(), torch.zeros(1), CPU, PLAIN, "cuda_graph")
    assert pytest.approx(forwards.ROUND_S) == forwards.MOST_SAMPLES * forwards.SAMPLE_S


def test_a_process_times_and_weighs_its_model_and_survives_its_own_mistakes() -> None:
    """Weights, gradients and momentum of plain_cnn's 7,565,450 parameters take four bytes each."""
    with Worker(Subject.of(Model("plain_cnn"), Input(10, 3, 32), CPU, PLAIN)) as worker:
        with pytest.raises(ModelError) as caught:
            worker.ask("warm_up", batch=1, mode="cuda_graph")
        assert (caught.value.reason, str(caught.value)) == ("ArchbenchError", "cpu has no CUDA graphs")
        weighed = worker.ask("memory", batch=2)
        assert worker.ask("warm_up", batch=1, mode="eager")["calls"] >= forwards.LEAST_CALLS
        assert all(seconds > 0 for seconds in worker.ask("round", batch=1, mode="eager"))
    weights = 4 * 7_565_450
    assert weighed["train_bytes"] | {"activations": 0, "workspace": 0} == {
        **dict.fromkeys(("parameters", "gradients", "optimizer"), weights),
        "activations": 0,
        "workspace": 0,
    }
    assert weighed["infer_peak_bytes"]["process"] >= weights
    assert weighed["train_peak_bytes"]["process"] >= weighed["train_peak_bytes"]["allocated"] >= 3 * weights


ODD = """
import os, signal, sys
import torch
from torch import nn

class Odd(nn.Module):
    def __init__(self, what):
        super().__init__()
        self.what, self.layer = what, nn.Conv2d(3, 10, 1)

    def forward(self, images):
        if images.device.type != "meta":
            self.what(images)
        return self.layer(images).mean((2, 3))

def prints(): return Odd(lambda images: (print("{}", flush=True), os.write(1, b"raw")))
def starves(): return Odd(lambda images: torch.empty(10**14))
def leaves(): return Odd(lambda images: os._exit(7))
def reads(): return Odd(lambda images: sys.stdin.read() and 1 / 0)
def waits(): return Odd(lambda images: signal.pause())
def forks(): return Odd(fork)
def forks_and_leaves(): return Odd(lambda images: (fork(images), os._exit(7)))

def fork(images):
    child = os.fork() or signal.pause()
    with open(__file__ + ".children", "a") as file:
        print(child, file=file)

def forks_and_waits(): return Odd(lambda images: (fork(images), signal.pause()))
def is_killed(): return Odd(lambda images: os.kill(os.getpid(), signal.SIGKILL))
"""


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    path = tmp_path / "odd.py"
    path.write_text(ODD)
    return path


def ask(name: str, heed: Callable[[], object] = lambda: None) -> Any:
    """The answer of a process to a first question."""
    with Worker(Subject.of(Model(name), Input(10, 3, 8), CPU, PLAIN), heed) as worker:
        return worker.ask("warm_up", batch=1, mode="eager")


def has_ended(process_id: int) -> bool:
    """Whether a process ends, at the latest while this waits for it."""
    try:
        watched = os.pidfd_open(process_id)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([watched], [], [], 20)[0])
    finally:
        os.close(watched)


def children(odd: Path) -> list[int]:
    return [int(line) for line in odd.with_name("odd.py.children").read_text().split()]


linux = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waits for processes that are not its children, as Linux can")


@linux
def test_what_a_model_starts_holds_up_nothing_and_ends_with_its_process(odd: Path) -> None:
    assert ask(f"{odd}:forks")["calls"] >= forwards.LEAST_CALLS
    with pytest.raises(ModelError, match=r"odd\.py:forks_and_leaves ended with 7"):
        ask(f"{odd}:forks_and_leaves")
    assert all(map(has_ended, children(odd)))


def test_a_model_does_not_read_its_questions(odd: Path) -> None:
    assert ask(f"{odd}:reads")["calls"] >= forwards.LEAST_CALLS


def test_waiting_for_a_model_is_ended_by_who_heeds_and_by_a_limit(odd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def end() -> None:
        raise Terminated

    with pytest.raises(Terminated):
        ask(f"{odd}:waits", end)
    monkeypatch.setattr(process, "LIMIT_S", 0.0)
    with pytest.raises(ModelError, match=r"odd\.py:waits gave no answer within 0 minutes, the most that one may take") as caught:
        ask(f"{odd}:waits")
    assert caught.value.reason == "NoAnswer"


KILLED = """
import os, signal, sys
from archbench.device import Device
from archbench.execution import ExecutionPlan
from archbench.measure.process import Subject, Worker
from archbench.models import Input, Model

def die():
    if os.path.exists(sys.argv[1] + ".children"):
        print(worker._process.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

worker = Worker(Subject.of(Model(sys.argv[1] + ":forks_and_waits"), Input(10, 3, 8), Device("cpu"), ExecutionPlan()), die)
worker.ask("warm_up", batch=1, mode="eager")
"""


@linux
def test_nothing_outlives_the_process_that_measures(odd: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(odd)], capture_output=True, text=True, check=False, timeout=120)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert all(map(has_ended, [int(killed.stdout), *children(odd)]))


def test_what_a_model_does_to_its_process_is_said_in_one_line(odd: Path) -> None:
    assert ask(f"{odd}:prints")["calls"] >= forwards.LEAST_CALLS
    with pytest.raises(ModelError, match="can't allocate memory") as caught:
        ask(f"{odd}:starves")
    assert caught.value.out_of_memory
    with pytest.raises(ModelError, match=r"odd\.py:leaves ended with 7"):
        ask(f"{odd}:leaves")
    with pytest.raises(ModelError, match=r"odd\.py:is_killed was ended by signal 9, perhaps for want of memory"):
        ask(f"{odd}:is_killed")
