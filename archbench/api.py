"""What a notebook calls, and what the command line calls too. Nothing here prints."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archbench.config import DEFAULT_DATA_DIR, Settings, expanded, split_names
from archbench.errors import ArchbenchError
from archbench.events import Listener, ignore
from archbench.publish import results
from archbench.records.listed import listed
from archbench.records.schema import Record
from archbench.records.store import Store, write_atomically
from archbench.running import asked, dry, execute, scored, search, tested

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from archbench.catalogue import Node
    from archbench.examining import Finding
    from archbench.importing import Imported
    from archbench.measure.complexity import Complexity
    from archbench.publish.compare import Difference
    from archbench.publish.explained import Explained
    from archbench.publish.sides import Lost
    from archbench.studies import Found


def run(*, emit: Listener = ignore, **settings: Any) -> pd.DataFrame:
    """Train and profile models; one row a model and condition, as `archbench run` shows it, figures as numbers.

    Takes the settings of `archbench run` by their names: `run(models=["nin"], epochs=4, seeds="0-2")`. With `experiment` these are the runs
    of a shipped experiment or of your own file, and what is given beside it overrides its own; `answers` says what they tell. Raises
    ArchbenchError for a setting that is not known or not valid; a UserWarning names each model that could not run, and why.
    """
    return results.frame(_executed(settings, ("train", "profile"), emit))


def train(*, emit: Listener = ignore, **settings: Any) -> list[Record]:
    """Train models; the Record of each run, those that were there already included."""
    return _executed(settings, ("train",), emit)


def profile(*, emit: Listener = ignore, **settings: Any) -> list[Record]:
    """Profile models; the Record of each, those that were there already included."""
    return _executed(settings, ("profile",), emit)


def _executed(settings: dict[str, Any], kinds: tuple[str, ...], emit: Listener) -> list[Record]:
    """The Records; a UserWarning says of each model that it could not run, and why."""
    executed = execute(asked(settings, settings), kinds, emit)
    for reason in [*executed.refused, *(record.failure_line for record in executed.failed)]:
        warnings.warn(reason, stacklevel=3)
    return executed.records


def dry_run(*, emit: Listener = ignore, **settings: Any) -> pd.DataFrame:
    """What `run` would do with these settings, a row a model, data set, recipe and fraction; nothing is run but steps that are timed.

    Columns: how many runs are to do and there, seconds of all to do, and bytes of memory. Raises ArchbenchError as `run` does.
    """
    import pandas as pd

    from archbench import estimate

    return pd.DataFrame(estimate.planned(dry(asked(settings, settings), ("train", "profile"), emit)))


def answers(experiment: str, results: str | Path = Settings.results) -> dict[str, list[str]]:
    """What the Records of a results folder say to the questions of an experiment: under each condition the sentences.

    `experiment` is a shipped one's name, or the path of your own file. Raises ArchbenchError where there is no such.
    """
    from archbench.publish import pages
    from archbench.publish.predictions import Kept

    grid = asked({"experiment": experiment}, ()).grid
    assert grid is not None
    page = pages.experiment_page(grid, load(results), Kept(expanded(Path(results))))
    return {each.caption: [sentence for said in each.answers.values() for sentence in said] for each in page.readings}


def tune(*, emit: Listener = ignore, **settings: Any) -> list[Found]:
    """Search learning rate and weight decay of each model on held-out training images; what was found for each.

    Takes the settings of `archbench tune`; `run(tuned=True, ...)` then trains with what was found. A UserWarning names each model that
    cannot run. Raises ArchbenchError for a setting that is not valid, for a single model that cannot run, or where Optuna is not installed.
    """
    tuned = search(Settings.of(**settings), emit)
    for reason in tuned.refused:
        warnings.warn(reason, stacklevel=2)
    return tuned.found


def evaluate(record: str, *, emit: Listener = ignore, **settings: Any) -> Record:
    """Test the kept weights of a training on the test split of `dataset`: a Record of kind `evaluated`, also one that was there already.

    `record` is its id or the beginning of it. Raises ArchbenchError where the weights are gone, the Record does not tell how images were
    normalised, or the data set has other classes or channels.
    """
    return tested(record, Settings.of(**settings), emit).records[0]


def explain(
    *records: str,
    method: str = "gradcam",
    of: str = "predicted",
    n: int = 16,
    layer: str | None = None,
    images: str | Path | None = None,
    boxes: str | Path | None = None,
    emit: Listener = ignore,
    **settings: Any,
) -> Explained:
    """Class activation maps of trained networks, named by their Records, on the first `n` images of a folder or of `dataset`'s test split.

    The options of `archbench explain` by their names; `archbench.publish.sheet.save` draws what comes out. Raises ArchbenchError for what
    is not there, does not go together, or cannot be had of a network.
    """
    from archbench.explaining.asked import Asked

    checked = Settings.of(**settings)
    folder, marks = (None if path is None else expanded(Path(path)) for path in (images, boxes))
    return Asked(records, method, of, n, layer, folder, marks).explain(checked, Store(expanded(checked.results)), emit)


def score(
    record: str,
    *,
    method: str = "gradcam",
    n: int = 500,
    layer: str | None = None,
    boxes: str | Path | None = None,
    emit: Listener = ignore,
    **settings: Any,
) -> Record:
    """What the maps of a training are worth on the first `n` test images of `dataset` (`shapes...`): a Record of kind `explain`.

    `boxes` tells the objects in at most `n` test images of class folders (`NAME=imagefolder:DIR`) instead, evenly over classes. Also a
    Record that was there already. `record` is the training's id or the beginning of it. Raises ArchbenchError where the weights are gone,
    the network cannot bear the method, or the images are none that it takes or none whose objects are known.
    """
    checked, marks = Settings.of(**{"dataset": "shapes", **settings}), None if boxes is None else Path(boxes)
    return scored(record, method, n, layer, checked, emit, marks).records[0]


def load(results: str | Path = Settings.results, where: str | None = None) -> list[Record]:
    """All Records of a results folder, or those that `where` is true of, oldest first; a UserWarning names each that cannot be read.

    `where` is as in `archbench runs --where`: `model=nin and error<20`. Raises ArchbenchError when there is no such folder.
    """
    store = Store.of(expanded(Path(results)))
    records, problems = store.load()
    found = listed(store, records, where)
    for problem in problems:
        warnings.warn(problem, stacklevel=2)
    return found.records


def compare(
    before: str | Path, after: str | Path, *, results: str | Path = Settings.results, only: str | Iterable[str] = ()
) -> list[Difference]:
    """Each measurement that two sides have in common, and whether it really differs; a UserWarning names each run that is lost.

    A side is a Record's file, a results folder, `COMMIT:FOLDER`, or the beginning of an id in the folder `results`. `only` names
    measurements, also as globs (`latency,train_*`). Raises ArchbenchError where a side is nothing of the kind, the sides have no run in
    common, or hold none of `only`.
    """
    found = compared(before, after, results=results, only=only)
    for each in found.lost:
        warnings.warn(each.line, stacklevel=2)
    return found.differences


def import_benchmarks(file: str | Path, *, results: str | Path = Settings.results) -> Imported:
    """Take the benchmarks of a file of pytest-benchmark into a results folder: the Records that are new, and those that were there.

    Raises ArchbenchError, and writes nothing, for any other file.
    """
    from archbench import importing

    return importing.import_file(expanded(Path(file)), Store(expanded(Path(results))))


def list_models(models: str | Iterable[str] = "all") -> list[dict[str, Any]]:
    """Models with what their specs say and their counts at their own input, by year."""
    from archbench import catalogue

    return catalogue.rows(Settings.of(models=models).models)


def count_models(models: str | Iterable[str], *, explain: bool = False, **given: int | None) -> list[dict[str, Any]]:
    """Counts of models by name, a dictionary each; with `explain` beside other counters, each difference split into its causes.

    `given` holds `num_classes`, `in_channels` and `image_size` where they are not the paper's.
    """
    from archbench import counting

    return counting.rows(Settings.of(models=models).models, explain, given)


def write_reconciliation(rows: list[dict[str, Any]], out: Path) -> None:
    """Write counts, with the other counters where they were asked for, as Markdown."""
    from archbench import counting

    text = counting.markdown(rows)
    write_atomically(expanded(out), lambda file: file.write(text.encode()))


def count(module: nn.Module, example_input: Any, head: str | Iterable[str] = ()) -> Complexity:
    """Parameters, MACs and activations of a live module by operator class, for an example input or a tuple of inputs.

    `head` names the modules of the classifier head; without it the head is found from what the network says of itself, else it is the
    last layer that gives the logits, with what stands between it and the last map. The module stays as it was. Raises ArchbenchError in
    one line when it cannot run.
    """
    from archbench import counting

    return counting.of_module(module, example_input, head)


def doctor(
    device: str = Settings.device,
    *,
    results: str | Path = Settings.results,
    data_dir: str | Path = DEFAULT_DATA_DIR,
    emit: Listener = ignore,
) -> list[Finding]:
    """What this machine is fit to measure, in about ten seconds: each finding in words and values, with advice where it is doubtful.

    The folders are those whose free disk is looked at. Raises ArchbenchError for a device that is not there.
    """
    from archbench import examining

    return list(examining.examine(device, expanded(Path(results)), expanded(Path(data_dir)), emit))


def lineage(models: str | Iterable[str] = "lineage") -> tuple[Node, ...]:
    """The roots of the lineage, each with those who took the idea from it."""
    from archbench import catalogue

    return catalogue.tree(Settings.of(models=models).models)


def describe(model: str, num_classes: int | None = None, in_channels: int | None = None, image_size: int | None = None) -> dict[str, Any]:
    """One model in full: its spec, its counts and a row a layer, for its paper's input unless another is given."""
    from archbench import catalogue

    return catalogue.describe(model, num_classes, in_channels, image_size)


def write_zoo_page(out: Path) -> None:
    """Write what the zoo holds as Markdown, into a file `layers.json` its layers, or into another .json what its papers claim."""
    import zoo
    from archbench import catalogue, claiming, layering

    if out.name == layering.FILE.name:
        text = layering.text(catalogue.layers(zoo.names()))
    else:
        text = claiming.text() if out.suffix == ".json" else catalogue.markdown()
    write_atomically(expanded(out), lambda file: file.write(text.encode()))


def export(
    model: str,
    out: str | Path,
    *,
    form: str = "onnx",
    record: str | None = None,
    results: str | Path = Settings.results,
    num_classes: int | None = None,
    in_channels: int | None = None,
    image_size: int | None = None,
) -> None:
    """Write a network as `onnx` or `torch` (torch.export), with fresh weights drawn by seed 0, or those of a Record.

    A Record gives the input too. Raises ArchbenchError for a format or Record that is not there, and for a file that cannot be written.
    """
    from archbench import exporting

    asked = exporting.Asked(model, record, num_classes, in_channels, image_size)
    exporting.export(asked, Store(expanded(Path(results))), form, expanded(Path(out)))


@dataclass(frozen=True)
class Compared:
    """The differences between two sides, the runs that only the first has, and what else than the code differs, a line each."""

    differences: list[Difference]
    lost: list[Lost]
    circumstances: list[str]


def compared(before: str | Path, after: str | Path, *, results: str | Path = Settings.results, only: str | Iterable[str] = ()) -> Compared:
    """Two sides, read and compared as `compare` does. Raises ArchbenchError as it does."""
    from archbench.publish import compare as comparing
    from archbench.publish import sides
    from archbench.publish.predictions import Kept
    from archbench.records.sources import folder_of, records_of

    old, new = (records_of(str(side), expanded(Path(results))) for side in (before, after))
    kept = [Kept(folder_of(str(side), expanded(Path(results)))) for side in (before, after)]
    names = split_names(only) if isinstance(only, str) else tuple(only)
    comparing.check_asked(old, new, names)
    found, lost = comparing.compare(old, new, kept, names), sides.lost(old, new)
    if not found and all(each.status == sides.MISSING for each in lost):
        raise ArchbenchError(
            f"{before} and {after} have no run of the same network under the same settings in common: {sides.apart(old, new)}"
        )
    return Compared(found, lost, [*sides.circumstances(old, new), *(problem for side in kept for problem in side.problems)])
