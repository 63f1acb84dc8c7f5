"""What Records tell is recomputed: what is as it was is ok, what was changed differs, and what cannot be looked into says why."""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Answer, make_record

import archbench
from archbench import models, remaking, stats
from archbench.cli import app
from archbench.errors import ArchbenchError
from archbench.measure import complexity
from archbench.records.schema import Measurement, Record, StoredFile, content_hash, readable, seal
from archbench.records.store import METADATA, Store
from archbench.training import quality
from archbench.verifying import CANNOT, DIFFERS, OK, checks, checks_of_folder, predictions
from archbench.verifying import again as making
from archbench.verifying.check import Figure, of_figures, same

IMAGES, CLASSES = 40, 10
MODERN = remaking.RECIPES.values(remaking.RECIPES.text("modern"), "modern")


def statuses(path: Path) -> dict[str, str]:
    return {each.what: each.status for each in checks(path)}


def why(path: Path, what: str) -> str:
    return next(each.why for each in checks(path) if each.what == what)


def rewritten(path: Path, resealed: bool = False, **changes: object) -> Path:
    """The Record edited by hand; `resealed` gives it the id that it then has."""
    stored = {**json.loads(path.read_bytes()), **changes}
    if resealed:
        stored["id"] = content_hash(stored)[:12]
    path.write_text(readable(stored))
    return path


def row(name: str, value: float, **more: object) -> Measurement:
    return Measurement.model_validate({"name": name, "value": value, "method": "top-1, Wilson interval", **more})


def left_by_a_test(root: Path, spread: float = 3.0) -> Path:
    """A Record of a test of 40 images and its predictions, as a training leaves them: float32 figures, float16 logits."""
    draw = np.random.default_rng(0)
    logits = torch.from_numpy((spread * draw.standard_normal((IMAGES, CLASSES))).astype(np.float32))
    labels = torch.arange(IMAGES) % CLASSES
    predicted = logits.argmax(1)
    nll = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    arrays = {
        "predicted": predicted.numpy().astype(np.uint16),
        "label": labels.numpy().astype(np.uint16),
        "nll": nll.numpy(),
        "logits": logits.numpy().astype(np.float16),
    }
    file = Store(root).write_file(Path("files/nin/predictions.npz"), lambda out: np.savez_compressed(out, **arrays))
    error, top5 = stats.wilson(int((predicted != labels).sum()), IMAGES), stats.wilson(quality.top_k_errors(logits, labels, 5), IMAGES)
    rows = [
        row("test_error_pct", error.value, low=error.low, high=error.high, n=IMAGES),
        row("test_top5_error_pct", top5.value, low=top5.low, high=top5.high, n=IMAGES),
        row(
            "test_nll", stats.mean_t(nll.tolist()).value, low=stats.mean_t(nll.tolist()).low, high=stats.mean_t(nll.tolist()).high, n=IMAGES
        ),
        row("test_calibration_error_pct", quality.calibration_error_pct(logits, labels), n=IMAGES),
        row("train_error_pct", 25.0, low=stats.wilson(10, 40).low, high=stats.wilson(10, 40).high, n=40),
        row("train_images_per_s", 3.0, n=3),
    ]
    samples = {"curves": {"images_per_s": [2.0, 3.0, 4.0]}}  # median 3
    return Store(root).save(make_record(measurements=tuple(rows), samples=samples, files=(file,)))


# of one Record


def test_a_record_as_a_run_left_it_is_ok(tmp_path: Path) -> None:
    found = statuses(left_by_a_test(tmp_path))
    assert found.pop("train_error_pct", CANNOT) == CANNOT  # its predictions are kept nowhere
    assert set(found.values()) == {OK}
    assert set(found) == {
        *("id", "files/nin/predictions.npz", "test_error_pct", "test_top5_error_pct", "test_nll", "test_calibration_error_pct"),
        *("interval of train_error_pct", "train_images_per_s"),
    }


def test_failures_are_shown_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the checks above one is of predictions that are kept nowhere, the others are ok."""
    path = left_by_a_test(tmp_path)
    arguments = ["verify", str(path), "--failures"]
    app.build(arguments)(arguments, standalone_mode=False)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines() == [
        "9 checks: 8 ok, 0 differs, 1 cannot be checked",
        "cannot be checked, 1: nothing is kept that it could be computed from",
    ]
    path.write_text(path.read_text().replace('"modern"', '"modest"'))
    assert app.build([*arguments, "--json"])([*arguments, "--json"], standalone_mode=False) == 1
    assert [each["what"] for each in json.loads(capsys.readouterr().out)] == ["id"]


def test_a_packed_bundle_is_called_by_its_own_name(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as archive:
        archive.writestr("a.txt", "a")
    with pytest.raises(ArchbenchError, match=rf"^{re.escape(str(tmp_path))}/empty.zip holds no Records"):
        archbench.verify(tmp_path / "empty.zip")


@pytest.mark.parametrize("graph", ['"sha256"', '[{"@id": "a\\ud800", "contentSize": 1, "sha256": "x"}]', '["sha256"]', "{}", "[3]"])
def test_metadata_of_no_bundle_differ(graph: str, tmp_path: Path) -> None:
    left_by_a_test(tmp_path)
    (tmp_path / METADATA).write_text(f'{{"@graph": {graph}}}')
    found = {each.what: each.status for each in checks_of_folder(tmp_path)}
    assert found[METADATA] == (OK if graph == "{}" else DIFFERS)


def test_a_record_that_was_edited_is_found_by_its_id(tmp_path: Path) -> None:
    path = left_by_a_test(tmp_path)
    rewritten(path, duration_s=2.0)
    assert statuses(path)["id"] == DIFFERS
    assert "was changed after it was written" in why(path, "id")


@pytest.mark.parametrize(
    ("name", "change", "what"),
    [
        ("test_error_pct", {"value": 1.0}, "test_error_pct"),
        ("test_error_pct", {"low": 1.0}, "test_error_pct"),
        ("test_error_pct", {"n": 41}, "test_error_pct"),
        ("test_top5_error_pct", {"value": 1.0}, "test_top5_error_pct"),
        ("test_nll", {"value": 1.0}, "test_nll"),
        ("test_calibration_error_pct", {"value": 1.0}, "test_calibration_error_pct"),
        ("train_error_pct", {"value": 20.0}, "interval of train_error_pct"),
        ("train_images_per_s", {"value": 4.0}, "train_images_per_s"),
    ],
)
def test_a_figure_that_was_edited_differs_even_under_a_new_id(name: str, change: dict[str, float], what: str, tmp_path: Path) -> None:
    path = left_by_a_test(tmp_path)
    rows = [{**each, **(change if each["name"] == name else {})} for each in json.loads(path.read_bytes())["measurements"]]
    found = statuses(rewritten(path, resealed=True, measurements=rows))
    assert found["id"] == OK
    assert [what for what, status in found.items() if status == DIFFERS] == [what]


def test_files_are_held_against_their_size_and_hash(tmp_path: Path) -> None:
    path = left_by_a_test(tmp_path)
    place = tmp_path / "files/nin/predictions.npz"
    whole = place.read_bytes()
    place.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert statuses(path)["files/nin/predictions.npz"] == DIFFERS
    assert statuses(path)["test_error_pct, test_top5_error_pct, test_nll, test_calibration_error_pct"] == CANNOT
    place.write_bytes(whole + b"x")
    assert f"it has {len(whole) + 1:,} bytes, the Record says {len(whole):,}" in why(path, "files/nin/predictions.npz")
    place.unlink()
    assert why(path, "files/nin/predictions.npz") == "it does not lie beside the Record"


def test_without_predictions_errors_still_go_with_their_intervals(tmp_path: Path) -> None:
    path = left_by_a_test(tmp_path)
    shutil.rmtree(tmp_path / "files")
    found = statuses(path)
    assert (found["interval of test_error_pct"], found["interval of test_top5_error_pct"]) == (OK, OK)
    assert found["test_error_pct, test_top5_error_pct, test_nll, test_calibration_error_pct"] == CANNOT


@pytest.mark.parametrize("place", ["../secret", "/etc/hostname", "files/../../secret", "runs/x", "files\\x"])
def test_no_file_elsewhere_is_looked_at(place: str, tmp_path: Path) -> None:
    path = Store(tmp_path / "store").save(make_record(files=(StoredFile(path=place, bytes=1, sha256="0" * 64),)))
    assert statuses(path)[place] == DIFFERS
    assert "none elsewhere is looked at" in why(path, place)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'"x"', b"\xff", b"[" * 100_000, b'{"schema_version": 1, "id": 5}'])
def test_what_is_no_record_differs(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(content)
    (found,) = checks(tmp_path / "x.json")
    assert (found.record, found.status) == ("x.json", DIFFERS)


def test_a_record_of_a_newer_archbench_cannot_be_checked(tmp_path: Path) -> None:
    path = rewritten(left_by_a_test(tmp_path), schema_version=99)
    (found,) = checks(path)
    assert (found.status, "upgrade archbench" in found.why) == (CANNOT, True)


@pytest.mark.parametrize(
    ("label", "more"), [(np.zeros(4), {}), (np.zeros(3), {"logits": np.zeros((3, 0))}), (np.zeros(3), {"nll": np.zeros(())})]
)
def test_predictions_that_do_not_go_together_cannot_be_checked(label: np.ndarray, more: dict[str, np.ndarray], tmp_path: Path) -> None:
    file = Store(tmp_path).write_file(
        Path("files/x/predictions.npz"), lambda out: np.savez_compressed(out, predicted=np.zeros(3), label=label, **more)
    )
    path = Store(tmp_path).save(make_record(files=(file,)))
    assert why(path, "test_error_pct") == "predictions.npz: its predictions do not go together"


def kept_as(content: bytes, root: Path, **changes: object) -> Path:
    """A Record whose predictions are these bytes."""
    file = Store(root).write_file(Path("files/x/predictions.npz"), lambda out: out.write(content))
    return Store(root).save(make_record(files=(file,), **changes))


def packed(**members: bytes) -> bytes:
    """An archive of numpy's with these bytes as its members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def as_npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        as_npy(np.zeros(3)),
        packed(predicted=b"no array", label=b"no array"),
        packed(predicted=as_npy(np.zeros(3, dtype=[("a", float), ("b", float)])), label=as_npy(np.zeros(3))),
    ],
    ids=["empty", "one array", "no arrays", "arrays of records"],
)
def test_predictions_of_a_strangers_that_cannot_be_read_are_said_to_hold_none(content: bytes, tmp_path: Path) -> None:
    assert why(kept_as(content, tmp_path), "test_error_pct") == "predictions.npz: it holds no predictions"


def test_predictions_that_unpack_to_more_than_any_test_has_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictions, "MOST_BYTES", 100)
    path = kept_as(packed(predicted=as_npy(np.zeros(3)), label=as_npy(np.zeros(3))), tmp_path)
    assert why(path, "test_error_pct") == "predictions.npz: it holds no predictions"


def test_a_label_below_the_first_class_is_no_index(tmp_path: Path) -> None:
    arrays = {"predicted": np.zeros(3), "label": np.full(3, -100), "logits": np.zeros((3, 10))}
    content = packed(**{name: as_npy(array) for name, array in arrays.items()})
    path = kept_as(content, tmp_path, measurements=(row("test_top5_error_pct", 50.0, n=3),))
    assert why(path, "test_top5_error_pct") == "the logits are not kept, or beyond what float16 holds"


def test_rounded_logits_are_given_what_their_rounding_can_do_and_no_more(tmp_path: Path) -> None:
    """Sure networks, logits of about 30: a confidence next to 1 moves little, and the slack stays below two of 40 images, 5 points."""
    path = left_by_a_test(tmp_path, spread=30.0)
    assert statuses(path)["test_calibration_error_pct"] == OK
    slack = float(why(path, "test_calibration_error_pct").partition("within ")[2].partition(",")[0])
    assert 0 < slack < 5


def test_what_may_be_off_by_more_than_half_of_itself_is_not_called_checked() -> None:
    loose, near = Figure(row("x", 1.0), 1.1, slack=0.51), Figure(row("x", 1.0), 1.1, slack=0.49)
    assert of_figures("r", "x", [near], "them").status == OK
    found = of_figures("r", "x", [near, loose], "them")
    assert (found.status, found.why) == (CANNOT, "what is kept is rounded so far that it may be off by 0.51")
    assert of_figures("r", "x", [Figure(row("x", 1.0), 2.0, slack=0.51)], "them").status == DIFFERS


def test_figures_are_the_same_up_to_rounding_and_nothing_is_only_like_nothing() -> None:
    assert same(1.0, 1.0 + 1e-12)
    assert not same(1.0, 1.0 + 1e-6)
    assert same(None, math.nan)
    assert not same(None, 1.0)
    assert Figure(row("x", 1.0, low=0.5), 1.0, 0.5).difference == ""
    assert Figure(row("x", 1.0, at={"batch": 4}), 2.0).difference == "batch 4: value 1, recomputed 2"


# profiles


def profiled(root: Path, label: str = "lenet", latency_s: float = 2.0, **model: object) -> Path:
    """Counts of lenet for 28 pixels; two launches of 1 and 4 s, whose geometric mean is 2."""
    (asked,) = models.parse(["lenet"])
    counted = complexity.count(asked, asked.native_input).rows()
    interval = stats.geometric_t([1.0, 4.0])
    at = {"batch": 2, "mode": "eager"}
    rows = [
        *counted,
        Measurement(name="latency_s", value=latency_s, low=interval.low, high=interval.high, n=2, method="t", at=at),
        Measurement(name="infer_images_per_s", value=1.0, low=2 / interval.high, high=2 / interval.low, n=2, method="t", at=at),
        Measurement(name="time_s", value=3.0, n=3, method="m", at={"phase": "forward"}),
        Measurement(name="infer_peak_bytes", value=9.0, method="m"),
    ]
    launches = [{"rounds": [0.5, 1.0, 9.0]}, {"rounds": [4.0]}]
    samples = {
        "latency": [{**at, "launches": launches}],
        "time_s": {"launches": [{"whole": {"forward": [2.0, 3.0, 4.0]}, "by_class": {"forward": {}}}]},
    }
    snapshot = {**asked.snapshot(asked.native_input).model_dump(), **model}
    record = make_record(label, "profile", measurements=tuple(rows), samples=samples)
    return Store(root).save(seal(**{**record.model_dump(exclude={"id"}), "model": snapshot}))


def test_times_come_from_the_samples_and_counts_from_the_zoo(tmp_path: Path) -> None:
    """A median of three values has no interval."""
    found = statuses(profiled(tmp_path))
    assert found == {
        "id": OK,
        "latency_s": OK,
        "infer_images_per_s": OK,
        "time_s": OK,
        "counts": OK,
        "infer_peak_bytes": CANNOT,
    }
    assert statuses(profiled(tmp_path / "b", latency_s=2.1))["latency_s"] == DIFFERS


def test_a_count_that_was_edited_differs(tmp_path: Path) -> None:
    path = profiled(tmp_path)
    rows = json.loads(path.read_bytes())["measurements"]
    rows[0]["value"] += 1
    assert statuses(rewritten(path, resealed=True, measurements=rows))["counts"] == DIFFERS


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ({"source_sha256": "0" * 64}, "the code of lenet is not the one that this Record is of (00000000)"),
        ({"name": "lenett"}, "unknown model"),
        ({"name": "x.py:f"}, "a file of somebody's own, which is not run"),
        ({"name": "@/etc/passwd"}, "unknown model"),
        ({"name": "le*"}, "unknown model"),
        ({"knobs": {"depth": 3}}, "lenet has no knob 'depth'"),
        ({"knobs": {"equal": "macs"}}, "lenet"),
        ({"image_size": 1}, "lenet"),
    ],
)
def test_counts_of_what_the_zoo_does_not_hold_cannot_be_checked(model: dict[str, object], reason: str, tmp_path: Path) -> None:
    path = profiled(tmp_path, **model)
    assert statuses(path)["counts"] == CANNOT
    assert reason in why(path, "counts")


# made again


def made(root: Path, **settings: object) -> Record:
    (record,) = archbench.train(models="lenet", limit_train=40, epochs=1, device="cpu", results=root, **settings)
    return record


def test_a_deterministic_training_is_made_again_to_the_image(tmp_path: Path) -> None:
    record = made(tmp_path, deterministic=True)
    found = archbench.verify(record.id, results=tmp_path, rerun=True)
    assert found[-1].status == OK
    assert found[-1].why.endswith("every prediction is the same")
    assert {each.status for each in found} <= {OK, CANNOT}
    assert not [path for path in (tmp_path / "runs").iterdir() if record.id not in path.name]


def test_trainings_are_judged_by_the_interval_of_their_difference_or_to_the_image(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """36 and 54 of 360: Newcombe's interval of 5 points is 0.3 to 9.7, by Wilson's 7.3 to 13.5 and 11.7 to 19.1; 37 of 360 is next door."""
    record = make_record(error_pct=10.0)
    path = Store(tmp_path).save(record)
    for error, status in ((15.0, DIFFERS), (100 * 37 / 360, OK)):
        monkeypatch.setattr(making, "_made", lambda *given, error=error: make_record(error_pct=error))
        assert archbench.verify(path, rerun=True)[-1].status == status
    exact = {"config": {**record.config, "execution": {**record.config["execution"], "deterministic": True}}}
    path = Store(tmp_path / "b").save(make_record(error_pct=10.0, **exact))
    monkeypatch.setattr(making, "_made", lambda *given: make_record(error_pct=100 * 37 / 360, **exact))
    assert archbench.verify(path, rerun=True)[-1].status == DIFFERS


@pytest.mark.parametrize(("again_s", "status"), [(1.0, OK), (2.0, DIFFERS)])
def test_profiles_are_judged_over_their_launches(again_s: float, status: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Five launches that scatter by 2 %: the same figure again is told from one twice as large."""

    def profile(seconds: float) -> Record:
        at = {"batch": 1, "mode": "eager"}
        launches = [{"rounds": [seconds * factor]} for factor in (0.98, 0.99, 1.0, 1.01, 1.02)]
        latency = Measurement(name="latency_s", value=seconds, method="t", at=at)
        return make_record(kind="profile", measurements=(latency, row("params", 7)), samples={"latency": [{**at, "launches": launches}]})

    path = Store(tmp_path).save(profile(1.0))
    monkeypatch.setattr(making, "_made", lambda *given: profile(again_s))
    found = {each.what: each.status for each in archbench.verify(path, rerun=True)}
    assert found["made again, latency_s (batch 1, mode eager)"] == status
    assert found["made again, params"] == OK


def test_times_of_other_threads_are_not_compared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    record = make_record(kind="profile", measurements=(row("params", 7),))
    more = {**record.environment, "threads": 4}
    monkeypatch.setattr(making, "_made", lambda *given: make_record(kind="profile", measurements=(row("params", 7),), environment=more))
    found = [each for each in archbench.verify(Store(tmp_path).save(record), rerun=True) if each.what.startswith("made again")]
    assert [(each.what, each.status) for each in found] == [("made again, latency_s", CANNOT), ("made again, params", OK)]
    assert found[0].why == "timed on a processor by 2 threads then, on a processor by 4 threads now"


def changed(record: Record, **config: object) -> Record:
    return seal(**{**record.model_dump(exclude={"id"}), "config": {**record.config, **config}})


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (make_record(kind="imported"), "only trainings and profiles are made again, and this one is imported"),
        (changed(make_record(), tuned={"trials": 3}), "come from a search"),
        (changed(make_record(), data={**make_record().config["data"], "name": "pets"}), "--dataset pets=imagefolder:DIR does"),
        (make_record("x.py:f"), "a file of somebody's own, which is not run"),
        (changed(make_record("lenet"), recipe=MODERN), "the same settings cannot be had here: code of the network s then"),
    ],
)
def test_what_cannot_be_made_again_says_why(record: Record, reason: str, tmp_path: Path) -> None:
    path = Store(tmp_path).save(record)
    found = [each for each in archbench.verify(path, rerun=True) if each.what == "made again"]
    assert [each.status for each in found] == [CANNOT]
    assert reason in found[0].why


def test_a_recipe_whose_name_leads_elsewhere_is_written_nowhere_else(tmp_path: Path) -> None:
    name = f"../..{tmp_path}/evil"
    path = Store(tmp_path).save(changed(make_record("lenet"), recipe={**MODERN, "name": name}))
    found = archbench.verify(path, rerun=True)[-1]
    assert (found.what, found.status) == ("made again", CANNOT)
    assert not list(tmp_path.rglob("evil*"))


@pytest.mark.parametrize("samples", [{"latency": [{}]}, {"latency": [7]}, {"latency": 7}])
def test_samples_in_no_known_form_are_said_to_be_so(samples: dict[str, object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    record = make_record(kind="profile", measurements=(row("latency_s", 1.0),), samples=samples)
    monkeypatch.setattr(making, "_made", lambda *given: record)
    found = archbench.verify(Store(tmp_path).save(record), rerun=True)
    assert {each.status for each in found if each.what != "id"} == {CANNOT}


def test_a_record_that_was_changed_is_not_made_again(tmp_path: Path) -> None:
    path = rewritten(left_by_a_test(tmp_path), duration_s=2.0)
    assert not [each for each in archbench.verify(path, rerun=True) if each.what.startswith("made again")]


# the command


def test_the_command_prints_a_line_a_check_and_exits_1_where_one_differs(in_process: Callable[..., Answer], tmp_path: Path) -> None:
    path = left_by_a_test(tmp_path / "archbench-runs")
    identity = json.loads(path.read_bytes())["id"]
    rewritten(path, duration_s=2.0)
    answer = in_process("verify", identity[:8])
    assert answer.returncode == 1
    assert answer.stdout.splitlines()[0].startswith(f"{identity} id: differs · ")
    assert len(answer.stdout.splitlines()) == 9
    assert answer.stderr.endswith("9 checks: 7 ok, 1 differs, 1 cannot be checked\n")


@pytest.mark.parametrize("named", ["abcdef", "none.json", "empty"])
def test_mistakes_are_errors(named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArchbenchError):
        archbench.verify(named)


def of_folder(folder: Path) -> dict[str, tuple[str, str]]:
    return {each.what: (each.status, each.why) for each in checks_of_folder(folder)}


@pytest.mark.parametrize("options", [{}, {"records_only": True}])
def test_the_tables_of_a_folder_are_made_again_from_its_records(tmp_path: Path, in_process: Callable[..., Answer], options: Any) -> None:
    """Ten of a hundred images wrong; then a hand makes nine of it, in the Markdown alone."""
    Store(tmp_path).save(make_record())
    in_process("tables", "results", "--results", str(tmp_path), "--out", str(tmp_path / "tables"), *["--records-only"] * bool(options))
    assert of_folder(tmp_path) == {"tables/results": (OK, "made again from 1 Records")}
    table = tmp_path / "tables" / "results.md"
    table.write_text(table.read_text().replace("| 10.0 ", "| 9.0 "))
    assert of_folder(tmp_path)["tables/results"][0] == DIFFERS


def test_a_folder_with_a_record_that_cannot_be_read_has_no_table_that_could_be_checked(tmp_path: Path) -> None:
    path = Store(tmp_path).save(make_record())
    tables = tmp_path / "tables"
    tables.mkdir()
    (tables / "results.md").write_text("| model |")
    path.write_text("{")
    assert of_folder(tmp_path)["tables/results"][0] == CANNOT


def test_each_file_of_an_unpacked_bundle_has_the_hash_that_its_metadata_says(tmp_path: Path, in_process: Callable[..., Answer]) -> None:
    Store(tmp_path / "store").save(make_record())
    archbench.bundle(tmp_path / "store", out=tmp_path / "b.zip")
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        archive.extractall(tmp_path / "b")
    assert {status for status, _ in of_folder(tmp_path / "b").values()} == {OK}
    methods = tmp_path / "b" / "methods.md"
    methods.write_text(methods.read_text().replace("10.0", "9.0") + "\n")
    said = "missing, or not what it says: methods.md"
    assert of_folder(tmp_path / "b")["ro-crate-metadata.json"] == (DIFFERS, said)
    answer = in_process("verify", str(tmp_path / "b"))
    assert answer.returncode == 1
    assert f"b ro-crate-metadata.json: differs · {said}" in answer.stdout


def test_metadata_that_leads_out_of_the_folder_or_is_none_differs(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("x")
    (tmp_path / "b").mkdir()
    metadata = tmp_path / "b" / "ro-crate-metadata.json"
    metadata.write_text(json.dumps({"@graph": [{"@id": "../outside", "contentSize": "1", "sha256": hashlib.sha256(b"x").hexdigest()}]}))
    assert of_folder(tmp_path / "b")["ro-crate-metadata.json"] == (DIFFERS, "missing, or not what it says: ../outside")
    metadata.write_text("[]")
    assert of_folder(tmp_path / "b")["ro-crate-metadata.json"] == (DIFFERS, "damaged, or not the metadata of a bundle")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_among_the_records_is_named_and_not_waited_for(tmp_path: Path) -> None:
    Store(tmp_path).save(make_record())
    os.mkfifo(tmp_path / "runs" / "x.json")
    assert "x.json Record: differs · x.json is not a file" in [each.line for each in archbench.verify(tmp_path)]
