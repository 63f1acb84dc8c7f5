"""The live view and the plain lines, drawn into text."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable

import pytest
from rich.cells import cell_len
from rich.console import Console

from archbench.cli.live import LiveView, duration_text, memory_text, shortened
from archbench.cli.progress import Progress
from archbench.cli.time_left import TimeLeft
from archbench.events import Epoch, Event, Finished, Loading, Memory, Notice, Started, Step

LONG = "timm:a_model_with_a_rather_long_name+head=fc+equal=macs"


def training(job: str) -> list[Event]:
    """Half of a training."""
    return [
        Started(job, 20),
        Step(job, 5, 1.234, 1234.4, 0.1, Memory("resident", 3 * 2**29)),
        Epoch(job, 1, 4, 1.234, 1234.4, 45.67),
        Step(job, 10, 0.987, 1234.4, 0.1, Memory("resident", 3 * 2**29)),
    ]


def drawn(events: Iterable[Event], width: int, height: int = 24, planned: dict[str, float] | None = None) -> list[str]:
    """The view's lines after the events, which take no time."""
    console = Console(file=io.StringIO(), force_terminal=True, width=width, height=height, color_system=None)
    view = LiveView(console, clock=lambda: 0.0)
    if planned is not None:
        view.time_left = TimeLeft(planned)
    for event in events:
        view.follow(event)
    with console.capture() as captured:
        console.print(view.drawing())
    return [line.rstrip() for line in captured.get().splitlines()]


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (140, ["epoch 1/4", "loss 0.987", "val. err. 45.7 %", "1,234 images/s", "50%", "· seed 3", "1.5 GiB resident"]),
        (80, ["loss 0.987", "val. err. 45.7 %", "1,234 images/s", "50%", "… · seed 3", "1.5 GiB resident"]),
        (40, ["loss 0.987", "50%", "1.5 GiB resident"]),
        (12, ["50%"]),
    ],
)
def test_a_bar_says_what_its_width_has_room_for(width: int, shown: list[str]) -> None:
    lines = drawn(training(f"{LONG} · seed 3"), width)
    assert len(lines) == 2
    assert max(map(cell_len, lines)) < width
    assert [part for part in shown if part not in "\n".join(lines)] == []


def test_many_models_fit_the_screen() -> None:
    lines = drawn([Started(f"model {number} · profile", 4) for number in range(53)], 80, height=12, planned={})
    assert len(lines) == 10  # a line is left for the cursor, and one for a message that wraps
    assert lines[-1] == "and 44 more"


def test_what_has_ended_has_no_bar_and_images_count_while_they_load() -> None:
    assert drawn([*training("a"), Finished("a", "ok", "0123", 1.0, "")], 80) == []
    assert "500 of 1,000 images" in drawn([Loading("cifar10", 500, 1000)], 80)[0]
    assert drawn([Loading("cifar10", 500, 1000), Loading("cifar10", 1000, 1000)], 80) == []


def test_the_line_below_counts_jobs_and_time() -> None:
    """Four planned seconds took none: with the prior of 5, a pace of (0 + 5) / (4 + 5) for the other 8, 4.4 s."""
    events = [Started("a", 2), Step("a", 1), Step("a", 2), Finished("a", "ok", "0123", 1.0, "")]
    assert drawn(events, 80, planned={"a": 4.0, "b": 4.0, "c": 4.0}) == ["1 of 3 done · about 4 s left"]


def test_it_is_drawn_at_most_four_times_a_second() -> None:
    """A hundred events, ten milliseconds apart: at 0, 0.25, 0.5 and 0.75 s."""
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    times = itertools.count()
    view = LiveView(console, clock=lambda: next(times) / 100)
    drawings = []
    view.live.refresh = lambda: drawings.append(1)  # type: ignore[method-assign]
    for _ in range(100):
        view.follow(Notice(""))
    assert len(drawings) == 4


def test_a_terminal_gets_bars_and_a_pipe_gets_lines() -> None:
    said = {}
    for is_terminal in (True, False):
        console = Console(file=io.StringIO(), force_terminal=is_terminal, width=80, _environ={"TERM": "xterm"})
        with Progress(quiet=False, console=console) as progress:
            progress.expect({"a": 1.0})
            for event in [*training("a"), Finished("a", "ok", "0123", 61.0, "test error 12.30 %")]:
                progress.listen(event)
        assert isinstance(console.file, io.StringIO)
        said[is_terminal] = console.file.getvalue()
    result = "a: test error 12.30 % (1 min 1 s) · Record 0123\n"
    assert said[False] == f"a: epoch 1/4 · loss 1.234 · validation error 45.67 % · 1,234 images/s\n{result}"
    assert "━" in said[True]
    assert "epoch 1/4 · loss 1.234 · validation error" not in said[True]
    assert result.strip() in said[True]


def test_a_terminal_that_goes_away_ends_no_run() -> None:
    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError

    for is_terminal in (True, False):
        progress = Progress(quiet=False, console=Console(file=Gone(), force_terminal=is_terminal, _environ={"TERM": "xterm"}))
        for event in training("a"):
            progress.listen(event)
        progress.__exit__()


def test_time_left_is_what_was_planned_at_the_pace_that_was_measured() -> None:
    """Of 100 + 200 planned seconds, 95 are done in 195: with the prior of 5, a pace of (195 + 5) / (95 + 5) = 2 for the other 205."""
    left = TimeLeft({"a": 100.0, "b": 200.0})
    assert left.seconds(1000.0) is None
    left.started("a", 100, 0, 1000.0)
    assert left.seconds(1000.0) == 300
    left.stepped("a", 95)
    assert left.seconds(1195.0) == pytest.approx(2 * 205)
    left.finished("a")
    left.started("b", 10, 5, 1200.0)  # half was done before: not planned, and nothing of the pace, (200 + 5) / (100 + 5)
    assert left.seconds(1200.0) == pytest.approx(205 / 105 * 200)
    left.stepped("b", 9)
    left.started("b", 10, 8, 1200.0)  # its process has died: three of the five steps are done
    assert left.seconds(1200.0) == pytest.approx(205 / (100 + 120 + 5) * 80)
    left.started("c", 10, 0, 1200.0)  # not in the plan
    left.stepped("c", 5)
    left.finished("c")
    assert left.seconds(1200.0) == pytest.approx(205 / (100 + 120 + 5) * 80)


def test_words() -> None:
    assert [duration_text(seconds) for seconds in (42.4, 200, 7500)] == ["42 s", "3 min 20 s", "2 h 5 min"]
    assert memory_text(Memory("GPU peak", 870 * 2**20)) == "870 MiB GPU peak"
    assert shortened("resnet_bottleneck · seed 3", 16) == "resnet… · seed 3"
    assert [shortened(label, 8) for label in ("nin · seed 0", "resnet_bottleneck")] == ["nin · seed 0", "resnet_bottleneck"]
