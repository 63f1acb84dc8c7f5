"""What is told of two sides of Records, and the command that tells it."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
from conftest import CommandLine, from_source, make_record, make_tested

import archbench as package
from archbench.publish import compare, differences, formats, gate, sides
from archbench.publish.predictions import Kept
from archbench.records.schema import Measurement, Record
from archbench.records.store import Store


def profile(launches: tuple[float, ...], macs: int = 100, conditions: object = None, batch: int = 1, **changes: object) -> Record:
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
    fields = {"measurements": rows, "samples": samples, "environment": environment, "config": config, **changes}
    return make_record(kind="profile", **fields)  # type: ignore[arg-type]


def elsewhere(kind: str = "cpu", threads: int = 2) -> dict[str, object]:
    return {**make_record().environment, "device": {"kind": kind, "name": "a device"}, "threads": threads}


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


def test_direction_and_size_are_those_of_the_launches_and_not_of_the_row() -> None:
    """The row says 2.0 on the earlier side and 1.0 on the later; the launches, whose test it is, say 10 % slower."""
    row = Measurement(name="latency_s", value=2.0, method="m", at={"batch": 1, "mode": "eager"})
    found = latency(compare.compare([profile((1.0, 1.01, 1.0, 1.01), measurements=(row,))], [profile((1.1, 1.11, 1.1, 1.11))]))
    assert (found.real, found.worse) == (True, True)
    assert (found.before, found.after) == (pytest.approx(math.sqrt(1.01)), pytest.approx(math.sqrt(1.1 * 1.11)))
    assert found.relative_pct == found.change == pytest.approx(100 * (found.after / found.before - 1))
    assert compare.worse_than([found], 5) == [found]


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


def test_two_networks_with_predictions_are_compared_image_by_image(tmp_path: Path) -> None:
    """Of 100 images 2 are wrong before and 10 others after: p = 158 / 4096, as test_stats derives; as two samples it would be 0.017."""
    labels, place = np.arange(100) % 10, np.arange(100)
    sides_of = [(tmp_path / "before", place < 2), (tmp_path / "after", place >= 90)]
    (before, after), kept = (
        [make_tested(root, "nin", wrong[None], labels) for root, wrong in sides_of],
        [Kept(root) for root, _ in sides_of],
    )
    found = compare.compare(before, after, kept)[0]
    assert (found.p, found.method) == (pytest.approx(158 / 4096), compare.ON_THE_SAME_IMAGES)
    assert compare.compare(before, after)[0].method == compare.TWO_NETWORKS


def test_errors_over_nobody_knows_how_many_images_tell_nothing() -> None:
    rows = (Measurement(name="test_error_pct", value=10.0, method="m", at={"split": "test"}),)
    (found,) = compare.compare([make_record(measurements=rows)], [make_record(measurements=rows, seed=1)])
    assert found.real is None


def test_settings_that_differ_between_two_records_chosen_by_hand_are_said() -> None:
    config = make_record().config
    other = make_record("vgg", config={**config, "training": {"name": "modern", "epochs": 2}})
    assert sides.circumstances([make_record()], [other]) == ["epochs differs: 8 before, 2 after"]
    assert sides.circumstances([make_record()], [make_record(error_pct=20.0)]) == []


def test_the_limit_takes_errors_relative_to_before() -> None:
    """From 10.2 to 15.2 % are 5 points, or 100 x 5 / 10.2 = 49 % of what it was."""
    seeds, worse = ([make_record(seed=seed, error_pct=start + seed / 10) for seed in range(5)] for start in (10.0, 15.0))
    found = compare.compare(seeds, worse)
    assert found[0].relative_pct == pytest.approx(100 * 5 / 10.2)
    assert (len(compare.worse_than(found, 45)), len(compare.worse_than(found, 50))) == (1, 0)


def timed(launches: tuple[float, ...]) -> Record:
    """A profile whose launches spent this in pointwise convolutions, and twice as much in the whole forward pass."""
    at = {"phase": "forward", "batch": 32}
    rows = [Measurement(name="time_s", value=1.0, method="m", at={**at, "operator_class": "pointwise"})]
    rows += [Measurement(name="time_s", value=1.0, method="m", at=at)]
    taken = [
        {"by_class": {"forward": {"pointwise": [each, each, 9.0]}}, "whole": {"forward": [2 * each, 2 * each, 0.1]}} for each in launches
    ]
    return profile((1.0,), measurements=tuple(rows), samples={"time_s": {"launches": taken}})


def test_time_by_class_is_told_over_launches() -> None:
    by_class, whole = compare.compare([timed((1.0, 1.01, 1.0, 1.01))], [timed((1.1, 1.11, 1.1, 1.11))])
    assert (by_class.real, by_class.worse, by_class.before) == (True, True, pytest.approx(math.sqrt(1.01)))
    assert (whole.real, whole.before) == (True, pytest.approx(2 * math.sqrt(1.01)))
    assert by_class.method.startswith("t over launches")


def test_time_without_launches_or_of_nothing_tells_nothing() -> None:
    older = {"time_s": {"by_class": {"forward": {"pointwise": [1.0]}}, "whole": {"forward": [2.0]}}}
    before = profile((1.0,), measurements=timed((1.0,)).measurements, samples=older)
    assert {each.real for each in compare.compare([before], [timed((1.0, 1.1))])} == {None}
    assert {each.real for each in compare.compare([timed((0.0, 0.0))], [timed((1.0, 1.1))])} == {None}


@pytest.mark.parametrize(("kind", "real"), [("cpu", True), ("cuda", None)])
def test_allocated_memory_is_exact_on_a_cpu_alone(kind: str, real: bool | None) -> None:
    before, after = (
        profile((1.0,), measurements=(Measurement(name="infer_peak_bytes", value=value, method="m", at={"part": "allocated"}),))
        for value in (100, 101)
    )
    before, after = (make_record(kind="profile", measurements=side.measurements, environment=elsewhere(kind)) for side in (before, after))
    assert [each.real for each in compare.compare([before], [after])] == [real]


def test_a_training_step_got_worse_where_it_takes_longer_or_gives_fewer_images() -> None:
    before, after = (
        make_record(
            kind="imported",
            measurements=(
                Measurement(name="train_step_s", value=seconds, method="m", at={"batch": 8}),
                Measurement(name="train_images_per_s", value=8 / seconds, method="m", at={"batch": 8}),
            ),
        )
        for seconds in (1.0, 2.0)
    )
    found = compare.compare([before], [after])
    assert [(each.name, each.worse, each.real) for each in found] == [("train_step_s", True, None), ("train_images_per_s", True, None)]
    assert formats.cells(differences.table(found, []))["measurement"].tolist() == ["train step, batch 8, digits"]


def test_a_call_of_anybody_has_no_batch() -> None:
    calls = [make_record(kind="imported", measurements=(Measurement(name="latency_s", value=1.0, method="m"),)) for _ in range(2)]
    shown = formats.cells(differences.table(compare.compare(calls[:1], calls[1:]), []))
    assert shown["measurement"].tolist() == ["latency, digits"]


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


def test_other_threads_and_other_kinds_of_device_are_other_settings() -> None:
    both = [make_record(), make_record("vgg")]
    assert len(compare.compare(both, both)) == 2
    for environment in (elsewhere(threads=1), elsewhere("cuda")):
        assert compare.compare(both, [make_record(environment=environment), make_record("vgg", environment=environment)]) == []


def test_the_newest_record_of_a_run_stands_in_whatever_order_they_come() -> None:
    """The later measurement says 1.2 s; another key, as after an edit of the code, makes it no other run."""
    old, new = profile((1.0,), created="2026-01-01"), profile((1.2,), created="2026-02-01", key="edited")
    for side in ([old, new], [new, old]):
        assert latency(compare.compare([old, make_record()], [*side, make_record()])).after == 1.2
    twice = [make_record(seed=0, key="edited", error_pct=20.0, created="2026-02-01"), make_record(seed=0), make_record(seed=1)]
    assert compare.compare([make_record(seed=0), make_record(seed=1, error_pct=11.0)], twice)[0].after == pytest.approx((20 + 10) / 2)


def failed(status: str = "failed", **changes: object) -> Record:
    return make_record(status=status, failure={"reason": "r", "message": "it broke"}, measurements=(), **changes)  # type: ignore[arg-type]


def test_runs_that_vanished_or_failed_are_named() -> None:
    before = [make_record(seed=0), make_record(seed=1), make_record("vgg"), profile((1.0,)), make_record("mixer", status="diverged")]
    after = [make_record(seed=0), failed(seed=1), failed("out_of_memory", kind="profile", config=profile((1.0,)).config)]
    assert [each.line for each in sides.lost(before, after)] == [
        "nin (profile): ok before, out of memory after",
        "nin on digits, seed 1 (train): ok before, failed after",
        "vgg on digits, seed 0 (train): ok before, missing after",
    ]
    assert sides.lost(before, before) == []
    assert sides.lost([make_record(seed=0), make_record(seed=1)], [make_record(seed=2), make_record(seed=3)]) == []  # other seeds will do
    assert [each.line for each in sides.lost([make_record()], [failed()])] == ["nin on digits, seed 0 (train): ok before, failed after"]


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
            "before": "1003 ms",
            "after": "1103 ms",
            "change": "+10.0 %",
            "interval": formats.cells(table)["interval"][0],
            "verdict": "real, worse",
        }
    ]
    assert "1 further measurements do not differ; --json lists them" in table.notes
    assert "threads differs: 1 before, 2 after" in table.notes


def test_what_cannot_be_told_to_a_limit_does_not_pass_in_silence() -> None:
    """Two launches a side, each side scattering by a factor of two, one 1.5 times the other: any limit below the interval's end is open."""
    found = compare.compare([profile((1.0, 2.0), macs=100)], [profile((1.5, 3.0), macs=100)])
    end, judged = latency(found).high, gate.judged(found, 5)
    assert (latency(found).change, end > 300, judged.failed) == (pytest.approx(50), True, [])
    assert formats.cells(differences.table(found, [], judged.untold))["verdict"].tolist() == ["cannot tell"]
    assert formats.cells(differences.table(found, [], gate.judged(found, end + 1).untold))["verdict"].tolist() == ["not real"]
    assert judged.closing(lost=0) == (
        f"passed: nothing real above 5 %; 1 of 3 could not be told to that, the least limit that all could is about {math.ceil(end)} %; "
        "1 of 3 are of one process or of too few seeds and can never fail"
    )


def test_fewer_images_a_second_are_worse_at_the_lower_end() -> None:
    """The interval goes from 30 % fewer to 10 % more: by 30 % it may be worse."""
    found = latency(compare.compare([profile((1.0, 1.0))], [profile((1.0, 1.0))]))
    assert dataclasses.replace(found, name="train_images_per_s", low=-30.0, high=10.0).worst_pct == 30.0


def test_a_single_class_fails_only_where_it_is_asked_for() -> None:
    sides_of = [timed((1.0, 1.01, 1.0, 1.01))], [timed((1.1, 1.11, 1.1, 1.11))]
    whole, named = gate.judged(compare.compare(*sides_of), 5), gate.judged(compare.compare(*sides_of, only=["time"]), 5, ["time"])
    assert ([each.at.get("operator_class") for each in whole.failed], len(whole.aside)) == ([None], 1)
    assert [each.at.get("operator_class") for each in named.failed] == ["pointwise", None]
    assert "1 of single operator classes rose by more" in whole.closing(lost=0)


def test_only_what_is_asked_for_is_compared() -> None:
    pair = [profile((1.0, 1.01))], [profile((1.1, 1.11))]
    assert {each.name for each in compare.compare(*pair, only=["latency", "train_*"])} == {"latency_s", "train_peak_bytes"}


def test_a_network_that_was_edited_is_said() -> None:
    before, after = (from_source("my.py:f", letter * 64) for letter in "ab")
    assert sides.circumstances([before], [after]) == ["source changed of my.py:f: aaaaaa before, bbbbbb after"]
    assert sides.circumstances([before, after], [after]) == ["before holds several sources of my.py:f: the newest is compared"]


@pytest.fixture
def two_stores(tmp_path: Path) -> Path:
    for name, launches in (("before", (1.0, 1.01, 1.0)), ("after", (1.1, 1.11, 1.1))):
        Store(tmp_path / name).runs.mkdir(parents=True)
        Store(tmp_path / name).save(profile(launches))
    return tmp_path


def test_below_five_seeds_a_side_no_verdict_is_drawn() -> None:
    """Two wrong images of 360 with both seeds, then three: a chance event for two networks that err equally often."""
    before, after = ([make_record(seed=seed, error_pct=100 * wrong / 360) for seed in range(2)] for wrong in (2, 3))
    assert compare.compare(before, after)[0].real is None
    before, after = ([make_record(seed=seed, error_pct=start + seed) for seed in range(4)] for start in (10.0, 50.0))
    (found,) = compare.compare(before, after)
    assert (found.real, found.low < 40 < found.high, found.method) == (None, True, compare.FEW_SEEDS)


def test_seeds_that_were_trained_otherwise_are_no_part_of_a_side() -> None:
    """Five seeds, then the first two anew at a rate that was searched for: these two face the others, not a mixture."""
    plain = [make_record(seed=seed, error_pct=10.0 + seed) for seed in range(5)]
    tuned = [make_record(seed=seed, error_pct=50.0 + seed, group="tuned", created=f"2026-02-0{seed + 1}") for seed in range(2)]
    ((_, after),) = sides.pairs(plain, [*plain, *tuned])
    assert after == tuned
    assert "after holds nin under several settings: the newest are compared" in sides.circumstances(plain, [*plain, *tuned])


def test_settings_that_differ_are_named_for_sides_too() -> None:
    recipes = [{**make_record().config, "recipe": {"name": "modern", "lr": rate}} for rate in (0.1, 0.5)]
    before, after = ([make_record(seed=seed, config=config) for seed in range(2)] for config in recipes)
    assert sides.circumstances(before, after) == ["recipe: lr differs: 0.1 before, 0.5 after (nin)"]


def test_from_no_error_to_one_no_limit_could_be_told() -> None:
    """0 of 360 and 1 of 360: any percentage of nothing is exceeded."""
    before, after = make_record(error_pct=0.0), make_record(error_pct=100 / 360)
    judged = gate.judged(compare.compare([before], [after]), 5)
    assert judged.closing(lost=0) == "passed: nothing real above 5 %; 1 of 1 could not be told to that, nor to any other limit"


def test_the_command_fails_where_something_got_worse_by_more_than_it_may(archbench: CommandLine, two_stores: Path) -> None:
    answer = archbench("compare", "before", "after", "--fail-above", "5%")
    assert answer.returncode == 1
    assert answer.stderr.splitlines() == [
        "nin: latency, batch 1 from 1003 ms to 1103 ms, +10.0 %: worse by more than 5 %",
        "failed: 1 of 3 really worse by more than 5 %; 1 of 3 are of one process or of too few seeds and can never fail",
    ]
    assert archbench("compare", "before", "after", "--fail-above", "20").returncode == 0
    found = json.loads(archbench("compare", "after", "before", "--fail-above", "5%", "--json").stdout)
    assert [(each["name"], each["real"], each["worse"]) for each in found][:2] == [("macs", False, False), ("latency_s", True, False)]


def test_a_lost_run_fails_where_there_is_a_limit(archbench: CommandLine, two_stores: Path) -> None:
    Store(two_stores / "before").save(make_record("vgg"))
    answer, limited = archbench("compare", "before", "after"), archbench("compare", "before", "after", "--fail-above", "50%")
    assert (answer.returncode, limited.returncode) == (0, 1)
    assert answer.stderr == "vgg on digits, seed 0 (train): ok before, missing after\n"
    assert limited.stderr.startswith(answer.stderr + "failed: 1 run without a counterpart; ")
    Store(two_stores / "broken").save(failed(kind="profile", config=profile((1.0,)).config))
    broken = archbench("compare", "before", "broken", "--fail-above", "50%")
    assert (broken.returncode, broken.stdout) == (1, "")
    assert broken.stderr.splitlines()[0] == "nin (profile): ok before, failed after"


def test_a_notebook_compares_too_and_is_warned_of_a_lost_run(two_stores: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(two_stores)
    assert latency(package.compare(Path("before"), "after")).real
    Store(two_stores / "before").save(make_record("vgg"))
    with pytest.warns(UserWarning, match=r"vgg on digits, seed 0 \(train\): ok before, missing after"):
        package.compare("before", "after")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("before", "HEAD:/etc"), "HEAD:/etc names no folder of a commit"),
        (("before", "HEAD:../before"), "HEAD:../before names no folder of a commit"),
        (("before", "--", "--remote=x:before"), "--remote=x:before names no commit"),
        (("before", "nowhere"), "'nowhere' is no file, results folder, Record id or COMMIT:FOLDER"),
        (("before", "abcd1234"), "no Record in archbench-runs with an id that begins with abcd1234"),
        (("before", "empty"), "empty holds no Records; they lie in its folder runs"),
        (("before", "nocommit:results"), "nocommit:results cannot be read"),
        (("before", "after", "--fail-above", "much"), "--fail-above takes a share as 5% (got 'much')"),
        (("before", "after", "--fail-above", "0.05"), "--fail-above takes percent: 5% or 0.05% (got '0.05', which may mean either)"),
        (("before", "after", "--only", "latancy"), "unknown measurement 'latancy'; did you mean 'latency'?"),
        (("before", "after", "--only", "test_*"), "the two sides have no test_* in common, but macs, latency_s, train_peak_bytes"),
        (
            ("before", "other"),
            "before and other have no run of the same network under the same settings in common: "
            "the nearest two differ in batch: 32 before, 4 after",
        ),
    ],
)
def test_bad_sides_get_one_line(archbench: CommandLine, two_stores: Path, arguments: tuple[str, ...], complaint: str) -> None:
    (two_stores / "empty").mkdir()
    Store(two_stores / "other").save(make_record("vgg"))
    Store(two_stores / "other").save(profile((1.0,), config={**make_record(kind="profile").config, "data": None, "batch": 4}))
    answer = archbench("compare", *arguments)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith(f"archbench: {complaint}")
    assert len(answer.stderr.splitlines()) == 1
