"""Studies: what searches over learning rate and weight decay have found, kept by Optuna in one database beside the Records."""

from __future__ import annotations

import contextlib
import dataclasses
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archbench.config import Settings
from archbench.errors import ArchbenchError, StorageError, brief
from archbench.job import Job
from archbench.records.schema import hash_of
from archbench.records.store import Store, plain_name

if TYPE_CHECKING:
    from optuna.storages import BaseStorage, RDBStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial

FILE = Path("tuning", "studies.db")
KEY_LENGTH = 12
SEARCHED = ("lr", "weight_decay")
OUTCOME, PLACE, SETTINGS, ASKED = "outcome", "place", "settings", "trials"  # what we note at a trial and at a study
FAILED = ("failed", "out_of_memory")
NOT_OF_A_SEARCH = (  # settings
    *("download", "pretrained", "seeds", "batch_sizes", "modes", "launches", "time", "tuned", "shard", "rerun", "track", "tag"),
    *("experiment", "yes", "engine", "devices", "sync_norm"),
)


@dataclass(frozen=True)
class Found:
    """What the search for one model has found. Errors are those of the validation part, in percent, None where no training ended.

    `trials` were made of the `asked` ones, `pruned` and `failed` of them ended early; `space` holds the ends of what is searched, the
    recipe's values divided by and times `span`; `recipe_error_pct` is the first trial's, which has the recipe's own, `values` are the
    best trial's.
    """

    model: str
    study: str
    asked: int
    trials: int
    pruned: int
    failed: int
    val_fraction: float
    span: float
    space: dict[str, list[float]]
    recipe_error_pct: float | None
    val_error_pct: float | None
    values: dict[str, float]

    @property
    def evidence(self) -> dict[str, Any]:
        """What the Record of a training with these values keeps of the search."""
        kept = ("study", "trials", "pruned", "failed", "val_error_pct", "recipe_error_pct", "val_fraction", "span", "space")
        return {name: getattr(self, name) for name in kept}


def name_of(job: Job) -> str:
    """The study of a training as its recipe has it: the same network, data set, recipe, epochs, batch and precision have one study."""
    assert job.training is not None and job.data is not None
    snapshot, data = job.snapshot, job.data
    identity = {
        "model": [snapshot.name, snapshot.knobs, snapshot.source_sha256],
        "input": dataclasses.asdict(job.shape),
        "training": job.training.model_dump(exclude={"hints"}),
        "data": [data.name, data.fingerprint, data.limit_train, data.train_fraction],
        "executed": {name: value for name, value in job.plan.asked(job.batch).items() if name in ("precision", "micro_batch")},
    }
    return f"{plain_name(job.model.label)}-{hash_of(identity)[:KEY_LENGTH]}"


def with_found_values(jobs: Sequence[Job], settings: Settings, store: Store) -> list[Job]:
    """The trainings with the rate and the decay of the best trial of each one's study.

    Raises ArchbenchError, with the command that mends it, where a study is not there or not complete, or not all had the same budget.
    """
    found: dict[str, Found] = {}
    for job in jobs:
        if name_of(job) not in found:
            found[name_of(job)] = _complete(job, settings, store)
    _check_budgets(list(found.values()), settings)
    return [_with_values(job, found[name_of(job)]) for job in jobs]


def _with_values(job: Job, found: Found) -> Job:
    assert job.training is not None
    return dataclasses.replace(job, training=job.training.model_copy(update=found.values), tuned=found.evidence)


def _complete(job: Job, settings: Settings, store: Store) -> Found:
    assert job.training is not None and job.data is not None
    found = find(job, store.root)
    of = f"{job.model.label} on {job.data.name}, recipe {job.training.name}, {job.training.epochs} epochs, batch {job.batch}"
    of += f", {job.plan.precision}"
    if found is None:
        raise ArchbenchError(f"--tuned: there is no study of {of} in {store.root}; {settings.command('tune', NOT_OF_A_SEARCH)} makes it")
    if found.trials < found.asked:
        making = _making(settings, found, found.asked)
        raise ArchbenchError(f"--tuned: the study of {of} has {found.trials} of {found.asked} trials; {making} goes on with it")
    if found.val_error_pct is None:
        raise ArchbenchError(f"--tuned: none of the {found.trials} trials of {of} ended; train it without --tuned to see why")
    return found


def _check_budgets(found: Sequence[Found], settings: Settings) -> None:
    """Models that are to be compared were searched equally long, over the same span, on the same images."""
    first, most = found[0], max(each.trials for each in found)
    for each in found[1:]:
        if (each.val_fraction, each.span) != (first.val_fraction, first.span):
            raise ArchbenchError(
                f"--tuned: {first.model} and {each.model} were not searched alike: spans {first.span:g} and {each.span:g}, held out "
                f"{first.val_fraction:g} and {each.val_fraction:g}; {_making(settings, first, most)} --rerun searches all of them anew"
            )
        if each.trials == first.trials and each.failed != first.failed:
            raise ArchbenchError(
                f"--tuned: of {most} trials {first.failed} of {first.model} failed, {each.failed} of {each.model}; "
                f"{_making(settings, first, most)} makes those again"
            )
        if each.trials != first.trials:
            raise ArchbenchError(
                f"--tuned: {first.model} was tuned with {first.trials} trials, {each.model} with {each.trials}; "
                f"{_making(settings, first, most)} gives all of them the same"
            )


def _making(settings: Settings, found: Found, trials: int) -> str:
    """The command that searches as before, so many trials."""
    alike = dataclasses.replace(settings, trials=trials, span=found.span, val_fraction=found.val_fraction)
    return alike.command("tune", NOT_OF_A_SEARCH)


def find(job: Job, root: Path) -> Found | None:
    """What the study of a training has found; None where there is no study."""
    import_optuna("--tuned")
    if not (root / FILE).exists():
        return None
    with opened(root) as storage:
        import optuna

        if name_of(job) not in optuna.get_all_study_names(storage):
            return None
        study = optuna.load_study(study_name=name_of(job), storage=storage)
        return summary(job.model.label, study) if {SETTINGS, ASKED} <= study.user_attrs.keys() else None


def summary(model: str, study: Study) -> Found:
    """What a study has found so far. Of two trials that are equally good the first is the best."""
    from optuna.trial import TrialState

    trials, kept = counted(study), study.user_attrs
    ended = [(trial.value, trial.number, trial) for trial in trials if trial.state == TrialState.COMPLETE and trial.value is not None]
    best = min(ended)[2] if ended else None
    own = trials[0] if trials else None
    return Found(
        model=model,
        study=study.study_name,
        asked=kept[ASKED],
        trials=len(trials),
        pruned=sum(trial.state == TrialState.PRUNED for trial in trials),
        failed=sum(trial.state == TrialState.FAIL for trial in trials),
        **kept[SETTINGS],
        recipe_error_pct=own.value if own is not None and own.state == TrialState.COMPLETE else None,
        val_error_pct=best.value if best is not None else None,
        values=dict(best.params) if best is not None else {},
    )


def counted(study: Study) -> list[FrozenTrial]:
    """The trials that were made, in order of their places, of a failed one that was made again the last.

    One that was interrupted is not among them, since it goes on.
    """
    from optuna.trial import TrialState

    ended = (TrialState.COMPLETE, TrialState.PRUNED)
    trials = study.get_trials(deepcopy=False)
    made = [t for t in trials if t.state in ended or (t.state == TrialState.FAIL and t.user_attrs.get(OUTCOME) in FAILED)]
    placed = {trial.user_attrs.get(PLACE, number): trial for number, trial in enumerate(made)}
    return [placed[place] for place in sorted(placed)]


def import_optuna(user: str) -> None:
    """Raise ArchbenchError, in one line, where Optuna is not installed."""
    try:
        import optuna  # noqa: F401
    except ModuleNotFoundError:
        raise ArchbenchError(f"{user} needs optuna: pip install 'archbench[tune]'") from None


@contextlib.contextmanager
def opened(root: Path) -> Iterator[BaseStorage]:
    """The database of studies of a results folder, made where there is none; Optuna's own words are not shown meanwhile.

    Raises StorageError in one line where the file is damaged, of another version of Optuna, or cannot be written.
    """
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    path = root / FILE
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        storage = _storage(path)
        yield storage
    except (SQLAlchemyError, sqlite3.Error, optuna.exceptions.StorageInternalError) as error:
        raise StorageError(f"{path} cannot be used: {brief(error)}") from None
    finally:
        if storage is not None:
            storage.remove_session()
            storage.engine.dispose()
        optuna.logging.set_verbosity(verbosity)


def _storage(path: Path) -> RDBStorage:
    from optuna.storages import RDBStorage
    from sqlalchemy import URL

    try:
        return RDBStorage(URL.create("sqlite", database=str(path)).render_as_string())
    except RuntimeError as error:  # what Optuna raises for the tables of another version
        raise StorageError(f"{path} cannot be used: {brief(error)}") from None
