"""What is told of two sides of Records, and the command that tells it."""

from __future__ import annotations

import json
import math
import subprocess
from pathlib import Path

import pytest
from conftest import CommandLine, make_record

from archbench.errors import ArchbenchError
from archbench.publish import compare, differences, formats
from archbench.records.schema import Measurement, Record
from archbench.records.sources import records_of
from archbench.records.store import Store


def profile(launches: tuple[float, ...], macs: int = 100, conditions: object = None, batch: int = 1, created: str = "2026-01-01") -> Record:
    """A profile of nin whose launches took these medians."""
    middle = sorted(launches)[len(launches) // 2]
    rows = (
        Measurement(name="macs", value=macs, method="m"),
        Measurement(name="latency_s", value=middle, method="m", at={"batch": batch, "mode": "eager"}),
        Measurement(name="train_peak_bytes", value=1000 * middle, method="m", at={"batch": 32, "part": "process"}),
    )
    samples = {"latency": [{"batch": batch, "mode": "eager", "launches": [{"rounds": [each] * 5} for each in launches]}]}
    environment = {**make_record().environment, "conditions": conditions}
    config = {**make_record(kind="profile").config, "data": None}
    return make_record(kind="profile", measurements=rows, samples=samples, environment=environment, config=config, created=created)


def latency(found: list[compare.Difference]) -> compare.Difference:
    return next(each for each in found if each.name == "latency_s")


def test_a_slow_down_that_launches_agree_on_is_real_and_worse() -> None:
    """Ten percent in each of four launches that scatter by one."""
    found = latency(compare.compare([profile((1.0, 1.01, 1.0, 1.01))], [profile((1.1, 1.11, 1.1, 1.11))]))
    assert (found.real, found.worse) == (True, True)
    assert found.change == pytest.approx(100 * (math.sqrt(1.1 * 1.11 / 1.01) - 1))
    assert found.low < found.change < found.high


def test_launches_that_scatter_more_than_they_differ_tell_nothing_apart() -> None:
    found = latency(compare.compare([profile((1.0, 1.2, 1.1))], [profile((1.05, 1.25, 1.1))]))
    assert found.real is False


def test_launches_of_one_interleaved_run_are_pairs() -> None:
    """Each launch is 5 % slower than its neighbour, while the machine drifts by a factor of two."""
    before, after = (1.0, 1.5, 2.0), (1.05, 1.57, 2.11)
    assert latency(compare.compare([profile(before, conditions={"seconds": 1})], [profile(after, conditions={"seconds": 2})])).real is False
    together = latency(compare.compare([profile(before, conditions={"seconds": 1})], [profile(after, conditions={"seconds": 1})]))
    assert together.real
    assert "paired" in together.method


def test_one_launch_tells_nothing_and_neither_does_one_process() -> None:
    found = compare.compare([profile((1.0,))], [profile((2.0,))])
    assert {each.name: each.real for each in found} == {"macs": False, "latency_s": None, "train_peak_bytes": None}


def test_a_count_that_changed_is_real_whatever_its_size() -> None:
    found = compare.compare([profile((1.0, 1.0), macs=100)], [profile((1.0, 1.1), macs=101)])
    macs = next(each for each in found if each.name == "macs")
    assert (macs.change, macs.real, macs.worse) == (pytest.approx(1.0), True, True)


def test_errors_of_seeds_go_through_welch_and_those_of_one_through_newcombe() -> None:
    seeds = [make_record(seed=seed, error_pct=10.0 + seed / 10) for seed in range(5)]
    worse = [make_record(seed=seed, error_pct=15.0 + seed / 10) for seed in range(5)]
    several, alone = compare.compare(seeds, worse)[0], compare.compare(seeds[:1], worse[:1])[0]
    assert (several.change, several.real, several.method) == (pytest.approx(5.0), True, "Welch's t over seeds")
    # 36 and 54 of 360 images: 5 points, the score test gives p = 0.04
    assert (alone.change, alone.real) == (pytest.approx(5.0), True)
    assert "says nothing about other seeds" in alone.method


def test_many_comparisons_make_each_harder_to_call() -> None:
    """A p of about 0.03 is real alone and not beside nine others that show nothing."""
    before, after = (1.00, 1.02, 1.04), (1.05, 1.07, 1.09)
    pair = [profile(before)], [profile(after)]
    assert latency(compare.compare(*pair)).real
    p = latency(compare.compare(*pair)).p
    crowd = [make_record(f"m{number}", seed=0, error_pct=10.0) for number in range(20)]
    found = latency(compare.compare([*pair[0], *crowd], [*pair[1], *crowd]))
    assert 0.05 / 21 < p < 0.05
    assert found.real is False


def test_only_runs_of_the_same_network_and_settings_are_compared() -> None:
    other = make_record("mobilenet")
    assert compare.compare([make_record(), make_record(seed=1)], [other, make_record("vgg")]) == []
    assert len(compare.compare([make_record()], [other])) == 1  # two single Records were chosen by hand


def test_the_limit_concerns_what_is_real_and_worse() -> None:
    found = compare.compare([profile((1.0, 1.01, 1.0))], [profile((1.1, 1.11, 1.1))])
    assert [each.name for each in compare.worse_than(found, 5)] == ["latency_s"]
    assert compare.worse_than(found, 20) == []
    assert compare.worse_than(compare.compare([profile((1.1, 1.11, 1.1))], [profile((1.0, 1.01, 1.0))]), 5) == []


def test_the_table_shows_what_is_real_and_counts_the_rest() -> None:
    found = compare.compare([profile((1.0, 1.01, 1.0))], [profile((1.1, 1.11, 1.1))])
    table = differences.table(found, ["threads differs: 1 before, 2 after"])
    assert formats.cells(table).to_dict("records") == [
        {
            "model": "nin",
            "measurement": "latency, batch 1",
            "before": "1000 ms",
            "after": "1100 ms",
            "change": "+10.0 %",
            "interval": formats.cells(table)["interval"][0],
            "verdict": "real, worse",
        }
    ]
    assert "1 further measurements do not differ; --json lists them" in table.notes
    assert "threads differs: 1 before, 2 after" in table.notes


@pytest.fixture
def two_stores(tmp_path: Path) -> Path:
    for name, launches in (("before", (1.0, 1.01, 1.0)), ("after", (1.1, 1.11, 1.1))):
        Store(tmp_path / name).runs.mkdir(parents=True)
        Store(tmp_path / name).save(profile(launches))
    return tmp_path


def test_the_command_fails_where_something_got_worse_by_more_than_it_may(archbench: CommandLine, two_stores: Path) -> None:
    answer = archbench("compare", "before", "after", "--fail-above", "5%")
    assert answer.returncode == 1
    assert "nin: latency_s is worse by 10.0 %, more than 5 %" in answer.stderr
    assert archbench("compare", "before", "after", "--fail-above", "20").returncode == 0
    found = json.loads(archbench("compare", "after", "before", "--fail-above", "5%", "--json").stdout)
    assert [(each["name"], each["real"], each["worse"]) for each in found][:2] == [("macs", False, False), ("latency_s", True, False)]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("before", "nowhere"), "'nowhere' is no file, results folder, Record id or COMMIT:FOLDER"),
        (("before", "abcd1234"), "no Record in archbench-runs with an id that begins with abcd1234"),
        (("before", "empty"), "empty holds no Records; they lie in its folder runs"),
        (("before", "nocommit:results"), "nocommit:results cannot be read"),
        (("before", "after", "--fail-above", "much"), "--fail-above takes a share as 5% (got 'much')"),
        (("before", "other"), "before and other have no run of the same network under the same settings in common"),
    ],
)
def test_bad_sides_get_one_line(archbench: CommandLine, two_stores: Path, arguments: tuple[str, ...], complaint: str) -> None:
    (two_stores / "empty").mkdir()
    Store(two_stores / "other").save(make_record("vgg"))
    answer = archbench("compare", *arguments)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith(f"archbench: {complaint}")
    assert len(answer.stderr.splitlines()) == 1


def test_records_are_found_by_file_id_folder_and_commit(two_stores: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(two_stores)
    path = next((two_stores / "before" / "runs").iterdir())
    record = records_of("before", Path("before"))[0]
    assert records_of(str(path), Path("before")) == records_of(record.id[:6], Path("before")) == [record]
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=n", "-c", "user.email=e@e", "commit", "-qm", "one"]):
        subprocess.run(["git", *command], check=True)
    path.unlink()
    assert records_of("HEAD:before", Path("before")) == [record]
    with pytest.raises(ArchbenchError, match="HEAD:nothing cannot be read"):
        records_of("HEAD:nothing", Path("before"))
