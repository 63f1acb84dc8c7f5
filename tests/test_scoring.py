"""A training is explained when it has ended: the Jobs that follow it, the Records that they leave, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import Answer
from PIL import Image

import archbench
from archbench import running
from archbench.data import shapes
from archbench.data.boxes import around
from archbench.data.drawing import CLASS_NAMES
from archbench.engines import carrying
from archbench.engines.base import Engine, work
from archbench.engines.task import Luggage
from archbench.errors import ArchbenchError
from archbench.estimate import planned
from archbench.events import Event, Listener, Notice, ignore
from archbench.explaining import faithfulness, scoring
from archbench.job import Job
from archbench.plan import Plan
from archbench.publish.pages import page
from archbench.publish.predictions import Kept
from archbench.records.schema import Record
from archbench.records.store import Store
from archbench.remaking import remake

EXPERIMENT = """
models = ["lenet"]
datasets = ["shapes+link=95"]
seeds = "0-1"

[settings]
limit_train = 20
batch_size = 10
epochs = 1

[explain]
methods = ["gradcam", "cam"]
tests = ["kept", "broken"]
n = 20

[[questions]]
ask = "Where do they point?"
maps = "points"
"""


@pytest.fixture(autouse=True)
def few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """40 of each split, of which few are covered, so that a test takes no time."""
    for split in shapes.COUNTS:
        monkeypatch.setitem(shapes.COUNTS, split, 40)
    monkeypatch.setattr(scoring, "FAITHFUL_IMAGES", 2)
    monkeypatch.setattr(faithfulness, "REMOVED", (0.5,))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Record], list[Event]]:
    """A results folder in which the experiment was run, and what it told."""
    folder = tmp_path_factory.mktemp("maps")
    events: list[Event] = []
    with pytest.MonkeyPatch.context() as patch:
        few_images.__wrapped__(patch)  # type: ignore[attr-defined]
        records = running.execute(asked(folder), ("train",), events.append).records
    return folder / "results", records, events


def asked(folder: Path, **given: object) -> running.Asked:
    path = folder / "small.toml"
    path.write_text(EXPERIMENT)
    values = {"experiment": str(path), "results": folder / "results", **given}
    return running.asked(values, values)


def test_each_training_is_explained_before_the_next_begins(made: tuple[Path, list[Record], list[Event]]) -> None:
    """By gradcam alone: LeNet's head is no average with one linear layer."""
    _, records, events = made
    assert [(record.kind, record.config["seed"], record.status) for record in records] == [
        (kind, seed, "ok") for seed in (0, 1) for kind in ("train", "explain", "explain")
    ]
    assert [record.config["data"]["name"] for record in records[:3]] == [f"shapes+link=95{test}" for test in ("", "", "+test=broken")]
    assert Notice("lenet is explained without cam, which its head does not bear") in events


def test_a_record_tells_what_was_explained_and_is_like_it_where_nothing_changed(made: tuple[Path, list[Record], list[Event]]) -> None:
    """With the link kept the test images are the training's own, so that the error is the same."""
    _, (training, kept, broken, *_), _ = made
    assert kept.config["weights"]["record"] == kept.config["explain"]["training"]["record"] == training.id
    assert (kept.config["explain"]["method"], kept.config["explain"]["n"], kept.config["explain"]["n_faithful"]) == ("gradcam", 20, 2)
    assert kept.figure("test_error_pct", {}) == training.figure("test_error_pct", {"split": "test"})
    assert kept.group != broken.group
    for of in ("map", "centre", "random", "untrained"):
        rows = [kept.measurement(name, of=of) for name in ("pointing_pct", "energy_ground_pct", "deletion", "insertion", "road")]
        assert [row is not None and row.n for row in rows] == [20, 20, 2, 2, 2]
    assert len({kept.figure("energy_ground_pct", {"of": of}) for of in ("map", "centre", "random", "untrained")}) == 4


def test_seeds_of_one_network_have_a_group_of_their_own_and_a_key_each(made: tuple[Path, list[Record], list[Event]]) -> None:
    _, records, _ = made
    first, second = (records[place] for place in (1, 4))
    assert first.group == second.group
    assert first.key != second.key


def test_what_is_there_is_not_made_again(made: tuple[Path, list[Record], list[Event]]) -> None:
    """One of the scores is gone: it alone is made, of the training that is there."""
    folder, records, _ = made
    with_gap = folder.parent / "gap"
    shutil.copytree(folder, with_gap)
    Store(with_gap).path_of(records[2]).unlink()
    plan = running.planned(asked(folder.parent, results=with_gap), ("train",), ignore)
    assert ([job.kind for job in plan.jobs], len(plan.done)) == (["explain"], 5)
    assert plan.jobs[0].key == records[2].key
    again = running.execute(asked(folder.parent, results=with_gap), ("train",), ignore)
    assert [record.measurements for record in again.records if record.key == records[2].key] == [records[2].measurements]


def test_a_training_without_weights_is_named_and_the_rest_goes_on(made: tuple[Path, list[Record], list[Event]]) -> None:
    folder, records, _ = made
    without = folder.parent / "without"
    shutil.copytree(folder, without)
    (weights,) = [file for file in records[0].files if file.path.endswith(".pt")]
    (without / weights.path).unlink()
    plan = running.planned(asked(folder.parent, results=without), ("train",), ignore)
    assert (len(plan.jobs), len(plan.done)) == (0, 4)
    assert plan.refused[0].startswith(f"lenet is not explained: the final weights of {records[0].id} are not beside the Record in ")


class Eager(Engine):
    """Takes all Jobs before it gives out any Record, as many workers do with few trainings."""

    def records(self, jobs: Iterator[Job], plan: Plan, store: Store, emit: Listener) -> Generator[Record, None, None]:
        for job in list(jobs):
            assert job.data is not None
            yield work(job, plan.datasets[job.data.fingerprint], store, emit)


def test_trainings_that_end_last_are_explained_too(tmp_path: Path) -> None:
    plan = running.planned(asked(tmp_path, seeds="0"), ("train",), ignore)
    with_all = carrying.execute(plan, Eager(), Store(tmp_path / "results"), ignore)
    assert [record.kind for record in with_all] == ["train", "explain", "explain"]


def test_a_plan_counts_what_will_follow(tmp_path: Path) -> None:
    rows = planned(running.planned(asked(tmp_path), ("train",), ignore))
    found = {(row.kind, row.data): row.todo for row in rows}
    assert found == {("train", "shapes+link=95"): 2, ("explain", "shapes+link=95"): 2, ("explain", "shapes+link=95+test=broken"): 2}


def test_a_task_on_a_cluster_takes_the_weights_along(made: tuple[Path, list[Record], list[Event]], tmp_path: Path) -> None:
    folder, records, _ = made
    plan = running.planned(asked(folder.parent, results=folder, rerun=True, seeds="1"), ("train",), ignore)
    assert plan.following is not None
    (job, _), _ = plan.after(records[3])
    Luggage.of(job, Store(folder)).unpack(job, Store(tmp_path))
    assert work(job, plan.datasets[job.data.fingerprint], Store(tmp_path), ignore).measurements == records[4].measurements  # type: ignore[union-attr]


def test_by_hand_it_is_the_same_record(made: tuple[Path, list[Record], list[Event]], in_process: Callable[..., Answer]) -> None:
    folder, (training, kept, *_), _ = made
    answer = in_process("score", training.id[:6], "--dataset", "shapes+link=95", "--n", "20", "--results", str(folder), "--json")
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    assert (found["record"], found["explained"]["record"]) == (kept.id, training.id)
    assert [row["of"] for row in found["scores"]] == ["map", "centre", "random", "untrained"]
    assert found["scores"][0]["pointing_pct"] == kept.figure("pointing_pct", {"of": "map"})
    shown = in_process("score", training.id, "--dataset", "shapes+link=95", "--n", "20", "--results", str(folder))
    assert "maps by gradcam of a training on shapes+link=95" in shown.stderr


def test_a_score_that_fails_exits_with_1_and_leaves_a_record(
    made: tuple[Path, list[Record], list[Event]], tmp_path: Path, in_process: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no maps")

    shutil.copytree(made[0], tmp_path / "copy")
    monkeypatch.setattr(scoring, "localise", fail)
    options = ("--dataset", "shapes+link=95", "--n", "20", "--results", str(tmp_path / "copy"))
    answer = in_process("score", made[1][0].id, *options, "--rerun")
    assert (answer.returncode, answer.stdout) == (1, "")
    assert "no maps" in answer.stderr
    (failed,) = [record for record in Store(tmp_path / "copy").load()[0] if record.status == "failed"]
    cited = in_process("cite", failed.id, "--results", str(tmp_path / "copy"))
    assert cited.returncode == 0
    assert "no maps" in cited.stdout
    assert in_process("tables", "all", "--results", str(tmp_path / "copy")).returncode == 0


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"method": "class_map"}, "class_map: the logits of lenet are not the means of one map a class"),
        ({"method": "grad_cam"}, "unknown method 'grad_cam'; did you mean 'gradcam'"),
        ({"n": 41}, "41 images cannot be explained: shapes has 40 test images"),
        ({"layer": "featurs"}, "unknown layer of lenet 'featurs'"),
        ({"dataset": "digits"}, "maps are scored on images whose objects are known: --dataset shapes"),
        ({"dataset": "shapes+px=64"}, "takes images of 3x32x32, and shapes\\+px=64 has 3x64x64"),
        ({"dataset": "shapes+link=101"}, "link of shapes cannot be '101'"),
    ],
)
def test_what_cannot_be_scored_is_one_line(made: tuple[Path, list[Record], list[Event]], changes: dict[str, object], why: str) -> None:
    folder, (training, *_), _ = made
    with pytest.raises(ArchbenchError, match=why):
        archbench.score(training.id, **{"n": 20, "results": folder, **changes})  # type: ignore[arg-type]


def test_scores_are_of_trainings_that_ended_well_and_whose_code_is_there(
    made: tuple[Path, list[Record], list[Event]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, (training, kept, *_), _ = made
    with pytest.raises(ArchbenchError, match=f"{kept.id} is no training but explain"):
        archbench.score(kept.id, n=20, results=folder)
    other = training.model_copy(update={"status": "diverged", "id": "0" * 12})
    with monkeypatch.context() as patch:
        patch.setattr("archbench.scoring.training_of", lambda beginning, root: other)
        with pytest.raises(ArchbenchError, match="ended as diverged, so its weights explain nothing"):
            archbench.score("0000", n=20, results=folder)
    changed = training.model_copy(update={"model": training.model.model_copy(update={"source_sha256": "0"})})
    monkeypatch.setattr("archbench.scoring.training_of", lambda beginning, root: changed)
    with pytest.raises(ArchbenchError, match="the code of lenet was changed after the training"):
        archbench.score("0000", n=20, results=folder)


def test_a_question_about_maps_needs_them(tmp_path: Path) -> None:
    path = tmp_path / "no.toml"
    path.write_text(EXPERIMENT.partition("[explain]")[0] + '[[questions]]\nask = "Where?"\nmaps = "points"\n')
    with pytest.raises(ArchbenchError, match="'Where\\?' is about maps, which \\[explain\\] makes"):
        running.asked({"experiment": str(path)}, ("experiment",))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('method = ["gradcam"]', "unknown key of \\[explain\\] 'method'; did you mean 'methods'"),
        ("methods = []", "explain.methods is empty"),
        ('methods = ["gradcam"]\ntests = ["broke"]', "explain.tests"),
        ('methods = ["gradcam"]\nn = 0', "explain.n: input should be greater than or equal to 1"),
    ],
)
def test_a_part_explain_that_is_not_valid_is_one_line(tmp_path: Path, line: str, why: str) -> None:
    path = tmp_path / "odd.toml"
    path.write_text(f'models = ["lenet"]\ndatasets = ["shapes"]\n[explain]\n{line}\n')
    with pytest.raises(ArchbenchError, match=why):
        running.asked({"experiment": str(path)}, ("experiment",))


def test_images_of_unknown_objects_are_not_explained(tmp_path: Path) -> None:
    wanted = asked(tmp_path, dataset="digits")
    with pytest.raises(ArchbenchError, match=r"\[explain\] needs images whose objects are known, and digits is not shapes"):
        running.planned(wanted, ("train",), ignore)


def test_every_figure_of_a_record_is_verified_from_its_scores(made: tuple[Path, list[Record], list[Event]]) -> None:
    folder, (_, kept, *_), _ = made
    checks = archbench.verify(kept.id, results=folder)
    assert {each.status for each in checks} == {"ok"}
    assert {"pointing_pct", "road", "test_error_pct"} <= {each.what for each in checks}


def test_the_command_that_makes_it_again_is_told(made: tuple[Path, list[Record], list[Event]]) -> None:
    _, (training, _, broken, *_), _ = made
    made_again = remake(broken)
    assert made_again.line.partition("archbench ")[2] == (
        f"score {training.id} --method gradcam --n 20 --dataset shapes+link=95+test=broken --device cpu --rerun"
    )


def test_a_bundle_holds_the_scores_and_gives_them_back(made: tuple[Path, list[Record], list[Event]], tmp_path: Path) -> None:
    folder, (_, kept, *_), _ = made
    packed = archbench.bundle(kept.id, out=tmp_path / "b.zip", results=folder)
    assert (packed.records, packed.predictions) == (1, 1)
    archbench.import_bundle(tmp_path / "b.zip", results=tmp_path / "there")
    assert {each.status for each in archbench.verify(kept.id, results=tmp_path / "there")} == {"ok"}


def test_it_is_cited_by_what_was_done(made: tuple[Path, list[Record], list[Event]]) -> None:
    folder, (training, kept, *_), _ = made
    cited = archbench.cite(kept.id, results=folder)
    assert f"{kept.id}  lenet, maps by gradcam scored on shapes+link=95" in cited
    assert f"The weights are those of Record {training.id}, trained on shapes+link=95. Maps of each image's own class by gradcam" in cited


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The 40 test images of `shapes` as files in class folders, beside them their objects as masks and as a CSV of boxes."""
    folder = tmp_path_factory.mktemp("drawn")
    lines = ["file,left,top,right,bottom"]
    (part,) = shapes.scenes(shapes.Shapes(), "test", 40)
    for place, (image, label) in enumerate(zip(part.images, part.classes[:, 0], strict=True)):
        own = (part.masks[place] & (part.classes[place] == label)[:, None, None]).any(axis=0)
        name, pixels = Path(CLASS_NAMES[label], f"{place:02}.png"), Image.fromarray(np.moveaxis(image, 0, 2))
        for split, content in (("train", pixels), ("test", pixels), ("masks", Image.fromarray(own))):
            (folder / split / name).parent.mkdir(parents=True, exist_ok=True)
            content.save(folder / split / name)
        left, top, right, bottom = around(own)
        lines.append(f"{name.as_posix()},{left},{top},{right},{bottom}")
    (folder / "boxes.csv").write_text("\n".join(lines) + "\n")
    return folder


def on_files(made: tuple[Path, list[Record], list[Event]], folders: Path, boxes: str, **changes: object) -> Record:
    """The maps of the first training, scored on the files."""
    asked = {"n": 500, "dataset": f"drawn=imagefolder:{folders}", "boxes": folders / boxes, "data_dir": folders / "cache", **changes}
    return archbench.score(made[1][0].id, results=made[0], **asked)  # type: ignore[arg-type]


def test_objects_that_somebody_marked_are_scored_as_those_that_are_drawn(
    made: tuple[Path, list[Record], list[Event]], folders: Path
) -> None:
    """The same images and objects as files: what is of the object, its box and the test error is the same, figure for figure."""
    drawn = archbench.score(made[1][0].id, dataset="shapes", n=40, results=made[0])
    marked = on_files(made, folders, "masks")
    assert (marked.config["explain"]["n"], marked.config["explain"]["boxes"]["name"]) == (40, "masks")
    for name in ("test_error_pct", "pointing_pct", "pointing_mask_pct", "energy_object_pct", "iou"):
        for row in (row for row in drawn.measurements if row.name == name and row.at.get("of") != "random"):
            again = marked.measurement(name, **row.at)
            assert again is not None
            assert (again.value, again.low, again.n) == (pytest.approx(row.value), pytest.approx(row.low), row.n), (name, row.at)
    assert {each.status for each in archbench.verify(marked.id, results=made[0])} == {"ok"}
    line = remake(marked).line
    assert "--n 40 --boxes masks" in line
    assert "--dataset drawn=imagefolder:DIR" in line
    assert on_files(made, folders, "masks", n=40).id == marked.id
    in_boxes = on_files(made, folders, "boxes.csv", n=20)
    assert in_boxes.config["explain"]["n"] == 20
    tables = page("maps", [marked, drawn], Kept()).tables
    assert [table.caption.split(" · ")[1] for table in tables if "test errors" in table.caption] == [
        "drawn (3×32×32, 10 classes)",
        "shapes (3×32×32, 10 classes)",
    ]


@pytest.mark.parametrize(
    ("lines", "changes", "why"),
    [
        ("apple/0.png,0,0,9,9", {}, "odd.csv tells of no test image of drawn; its files are named from"),
        ("", {"dataset": "digits"}, "--boxes tells the objects in files of class folders: --dataset NAME=imagefolder:DIR"),
        ("", {"dataset": "shapes"}, "--boxes tells the objects in files of class folders"),
        ("", {"boxes": "no.csv"}, "there is no file .*no.csv"),
        ("", {"boxes": "boxes.txt"}, "boxes are a .csv, a COCO file that ends in .json, or a folder of masks"),
        ("FIRST,0,0,9,99", {}, "odd.csv line 2: the box 0, 0, 9, 99 is not inside"),
        ("FIRST,0,0,0,9", {}, "odd.csv line 2: the box 0, 0, 0, 9 has no area"),
    ],
)
def test_boxes_that_tell_nothing_are_one_line(
    made: tuple[Path, list[Record], list[Event]], folders: Path, lines: str, changes: dict[str, object], why: str
) -> None:
    first = next(path for path in sorted((folders / "test").rglob("*.png"))).relative_to(folders / "test").as_posix()
    odd = folders / "odd.csv"
    odd.write_text(f"file,left,top,right,bottom\n{lines.replace('FIRST', first)}\n")
    asked = {"boxes": "odd.csv", **changes}
    with pytest.raises(ArchbenchError, match=why):
        on_files(made, folders, **asked)  # type: ignore[arg-type]


def test_images_that_show_nothing_of_their_class_take_no_part(made: tuple[Path, list[Record], list[Event]], folders: Path) -> None:
    """Of nine that are told of, one by a class that is not its own or by a mask of nothing, eight are scored, or as few as asked."""
    header, *lines = (folders / "boxes.csv").read_text().splitlines()
    other = next(name for name in CLASS_NAMES if name not in lines[8])
    told = [f"{header},class", *(f"{line}," for line in lines[:8]), f"{lines[8]},{other}"]
    (folders / "some.csv").write_text("\n".join(told) + "\n")
    shutil.copytree(folders / "masks", folders / "some")
    first, *others = sorted((folders / "some").rglob("*.png"))
    Image.new("1", (32, 32)).save(first)
    for path in others[8:]:
        path.unlink()
    events: list[Event] = []
    record = on_files(made, folders, "some.csv", emit=events.append)
    assert record.config["explain"]["n"] == 8
    assert "1 images show no object of their class in the square that is cut from them, and are left out" in [
        event.message for event in events if isinstance(event, Notice)
    ]
    few = on_files(made, folders, "some", n=5)
    assert few.config["explain"]["n"] == 5
    assert on_files(made, folders, "some").config["explain"]["n"] == 8
    with np.load(made[0] / few.files[0].path) as scores:
        assert sorted(scores["place"]) == list(range(40))
        labels = [list(CLASS_NAMES).index(path.parent.name) for path in sorted((folders / "test").rglob("*.png"))]
        assert scores["label"].tolist() == [labels[place] for place in scores["place"]]
    assert record.measurement("test_error_pct").n == 40  # type: ignore[union-attr]
