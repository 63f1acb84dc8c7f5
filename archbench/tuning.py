"""Searches each model's learning rate and weight decay with the same budget, on a validation part of the training split.

A trial is an ordinary training on a data set whose test split is the validation part, so the real test split is in nobody's hands. The
first trial has the recipe's own values. What is drawn for a trial depends on the trials before it alone, so that a search that was
interrupted goes on as if nothing had happened, the interrupted trial from its checkpoint.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from archbench import plan as planning
from archbench import studies
from archbench.config import Settings
from archbench.data import Dataset, Origin
from archbench.data.dataset import parts
from archbench.engines.bench import Bench, Order, placed_here
from archbench.errors import ArchbenchError
from archbench.events import Epoch, Event, Finished, Listener, Notice, Started, Step
from archbench.job import Job, train
from archbench.measure.process import ModelError
from archbench.plan import Plan
from archbench.records.schema import Record, StoredFile
from archbench.records.store import Store
from archbench.studies import ASKED, OUTCOME, PLACE, SEARCHED, SETTINGS, Found
from archbench.training.recipe import TrainingConfig

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.storages import BaseStorage

    from archbench.engines.workers import Workers

SEED = 0  # of the trainings, and the first of the sampler's
VAL_FRACTION = 0.1
FIRST_TRIALS = 4  # of places that are fixed, before there is anything to learn from; never pruned


class Pruned(BaseException):
    """A trial that is worse than most were at this epoch. No failure of the training, so nothing on the way may take it for one."""


def plan(settings: Settings, store: Store, emit: Listener) -> Plan:
    """A training with the recipe's own values for each model, of which every trial is made; the estimate is that of all trials.

    Raises ArchbenchError before any work is done.
    """
    studies.import_optuna("archbench tune")
    held_out = settings.val_fraction or VAL_FRACTION
    asked = dataclasses.replace(settings, seeds=(SEED,), val_fraction=held_out, tuned=False, rerun=True)
    made = planning.make(asked, ("train",), store, emit)
    datasets = {fingerprint: _blind(dataset, asked) for fingerprint, dataset in made.datasets.items()}
    jobs = tuple(_as_trial(job, datasets) for job in made.jobs)
    return dataclasses.replace(made, jobs=jobs, datasets=datasets, seconds=tuple(settings.trials * seconds for seconds in made.seconds))


def search(plan: Plan, settings: Settings, store: Store, emit: Listener, workers: Workers | None = None) -> Iterator[Found]:
    """Carry out what is left of each model's trials, and give what was found. With `workers`, the models side by side, each in one.

    Raises ArchbenchError for a study that was begun with other settings or that another process is at work on, StorageError where
    nothing can be written.
    """
    with contextlib.ExitStack() as leases:
        for job in plan.jobs:
            if not leases.enter_context(store.lease(studies.name_of(job))):
                of = f"the study of {job.model.label}"
                raise ArchbenchError(f"another process is at work on {of}: give the command again when it has ended")
        with studies.opened(store.root) as storage:
            opened = [_study(job, settings, storage, TrialStore(store.root)) for job in plan.jobs]
            if workers is None:
                for job, study in zip(plan.jobs, opened, strict=True):
                    assert job.data is not None
                    yield Search(job, study, plan.datasets[job.data.fingerprint], TrialStore(store.root), emit).go_on(settings.trials)
        if workers is not None:
            yield from _side_by_side(workers, plan, dataclasses.replace(settings, rerun=False), store, emit)


def _side_by_side(workers: Workers, plan: Plan, settings: Settings, store: Store, emit: Listener) -> Iterator[Found]:
    """What was found for each model, in their order; of one whose process died again and again, what there was until then."""
    orders = [Order(job, _searched, (job, plan.datasets[job.data.fingerprint].origin, settings)) for job in plan.jobs if job.data]
    found: dict[str, Found] = {}
    for order, value, _ in workers.answers(iter(orders), len(orders), store, emit):
        found[order.job.key] = _until_then(order.job, value, settings, store, emit) if isinstance(value, ModelError) else value
    yield from (found[job.key] for job in plan.jobs)


def _until_then(job: Job, error: ModelError, settings: Settings, store: Store, emit: Listener) -> Found:
    emit(Notice(f"{error}; no further trial of it is made"))
    with studies.opened(store.root) as storage:
        return studies.summary(job.model.label, _study(job, settings, storage, TrialStore(store.root)))


def _searched(bench: Bench, job: Job, origin: Origin, settings: Settings) -> Found:
    """The search for one model, in a worker."""
    held_out = dataclasses.replace(settings, val_fraction=settings.val_fraction or VAL_FRACTION)
    dataset = _blind(bench.dataset(origin), held_out)
    with studies.opened(bench.store.root) as storage:
        placed = placed_here(job, "workers")
        trials = TrialStore(bench.store.root)
        return Search(placed, _study(placed, settings, storage, trials), dataset, trials, bench.emit).go_on(settings.trials)


def _blind(dataset: Dataset, settings: Settings) -> Dataset:
    """The data set with the images that are held out from training in place of its test split."""
    seen = parts(dataset, SEED, settings.limit_train, settings.train_fraction, settings.val_fraction)
    assert seen.validation is not None
    return dataclasses.replace(dataset, test=seen.validation)


def _as_trial(job: Job, datasets: dict[str, Dataset]) -> Job:
    """The training, tested on what its data set holds now; it goes on from a checkpoint."""
    assert job.data is not None
    data = dataclasses.replace(job.data, test_images=len(datasets[job.data.fingerprint].test))
    return dataclasses.replace(job, data=data, rerun=False, records=0)


def _tried(job: Job, values: dict[str, float]) -> Job:
    """The training with the values of a trial."""
    assert job.training is not None
    return dataclasses.replace(job, training=job.training.model_copy(update=values))


def _space(job: Job, span: float) -> dict[str, list[float]]:
    """The ends of each searched setting; a recipe without weight decay gives none to search."""
    own = {name: getattr(job.training, name) for name in SEARCHED}
    return {name: [value / span, value * span] for name, value in own.items() if value > 0}


def _study(job: Job, settings: Settings, storage: BaseStorage, store: TrialStore) -> Study:
    """The study of a training, begun where there is none. Raises ArchbenchError where it was begun with other settings."""
    import optuna

    assert job.training is not None and job.data is not None
    name = studies.name_of(job)
    if settings.rerun and name in optuna.get_all_study_names(storage):
        for trial in optuna.load_study(study_name=name, storage=storage).get_trials(deepcopy=False):
            store.checkpoint_path(_tried(job, trial.params).key).unlink(missing_ok=True)
        optuna.delete_study(study_name=name, storage=storage)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=FIRST_TRIALS, n_warmup_steps=job.training.epochs // 4)
    study = optuna.create_study(storage=storage, study_name=name, pruner=pruner, direction="minimize", load_if_exists=True)
    wanted = {"span": settings.span, "val_fraction": job.data.val_fraction, "space": _space(job, settings.span)}
    begun = study.user_attrs.get(SETTINGS, wanted)
    if begun != wanted:
        options = " ".join(f"--{key.replace('_', '-')} {begun[key]:g}" for key in ("span", "val_fraction"))
        raise ArchbenchError(f"the study of {job.model.label} was begun with {options}: give these to go on, or --rerun to start over")
    study.set_user_attr(SETTINGS, wanted)
    study.set_user_attr(ASKED, max(settings.trials, study.user_attrs.get(ASKED, 0)))
    return study


class TrialStore(Store):
    """The results folder as a trial sees it: Records to read from, and nothing left in it but the trial's checkpoint."""

    def write_file(self, relative: Path, write: Callable[[IO[bytes]], Any]) -> StoredFile:  # noqa: ARG002  # it is not written
        return StoredFile(path=relative.as_posix(), bytes=0, sha256="")

    def checkpoint_path(self, key: str) -> Path:
        return self.root / studies.FILE.parent / "checkpoints" / f"{key}.pt"


@dataclass(frozen=True)
class Search:
    """The search for one model. `dataset` has the validation part in place of its test split."""

    job: Job
    study: Study
    dataset: Dataset
    store: TrialStore
    emit: Listener

    def go_on(self, trials: int) -> Found:
        """Make the trials that are left."""
        from optuna.trial import TrialState

        for left in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self.study.tell(left.number, state=TrialState.FAIL)
        made = studies.counted(self.study)
        for place, failed in enumerate(made):  # once more in each search: memory may be free by now
            if failed.state == TrialState.FAIL and place < trials:
                self.study.enqueue_trial(failed.params)
                self._try(place, f"{self.job.model.label} · trial {place + 1}/{trials}")
        for number in range(len(made), trials):
            self._try(number, f"{self.job.model.label} · trial {number + 1}/{trials}")
        return studies.summary(self.job.model.label, self.study)

    def _try(self, number: int, label: str) -> None:
        trial, begun = self._ask(number), time.perf_counter()
        job = _tried(self.job, trial.params)
        trial.set_user_attr(PLACE, number)
        watch = Watch(trial, label, self.emit, self._reported_before(trial))
        try:
            record = train(job, self.dataset, self.store, watch.listen)
            outcome, error_pct, said = str(record.status), _error_pct(record), _said(record)
        except Pruned as pruned:
            job.device.release_memory()
            outcome, error_pct, said = "pruned", None, str(pruned)
        if outcome == "diverged":
            watch.give_up()
        self._tell(trial, outcome, error_pct)
        self.store.checkpoint_path(job.key).unlink(missing_ok=True)
        self.emit(Finished(label, outcome, "", time.perf_counter() - begun, f"{said} · {values_text(trial.params)}"))

    def _ask(self, number: int) -> Trial:
        """The next trial: one of the first, else what the sampler draws for this number."""
        from optuna.distributions import FloatDistribution
        from optuna.samplers import TPESampler
        from optuna.trial import TrialState

        assert self.job.training is not None
        space = self.study.user_attrs[SETTINGS]["space"]
        self.study.sampler = TPESampler(seed=SEED + number, n_startup_trials=FIRST_TRIALS)
        if number < FIRST_TRIALS and not self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            self.study.enqueue_trial(first_values(number, self.job.training, self.study.user_attrs[SETTINGS]["span"], tuple(space)))
        return self.study.ask({name: FloatDistribution(low, high, log=True) for name, (low, high) in space.items()})

    def _reported_before(self, trial: Trial) -> dict[int, float]:
        """What the same trial had reported when it was interrupted."""
        from optuna.trial import TrialState

        failed = self.study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
        before = [other for other in failed if other.params == trial.params and OUTCOME not in other.user_attrs]
        return {step: value for other in before for step, value in other.intermediate_values.items()}

    def _tell(self, trial: Trial, outcome: str, error_pct: float | None) -> None:
        """Note how a trial ended. A rate at which the loss does not stay finite is as bad as can be, as `Watch.give_up` has reported;
        other failures say nothing of it.
        """
        from optuna.trial import TrialState

        ended = {"ok": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "diverged": TrialState.PRUNED}
        trial.set_user_attr(OUTCOME, outcome)
        self.study.tell(trial, error_pct, ended.get(outcome, TrialState.FAIL))


def first_values(number: int, recipe: TrainingConfig, span: float, names: Sequence[str]) -> dict[str, float]:
    """The recipe's own values for number 0, then places spread evenly over the logarithms from 1/span to span times them (Halton)."""
    from scipy.stats import qmc

    own: dict[str, float] = {name: getattr(recipe, name) for name in names}
    if number == 0:
        return own
    sequence = qmc.Halton(len(own), scramble=False).fast_forward(number)
    place = sequence.random(1)[0].tolist()
    return {name: value * span ** (2 * share - 1) for (name, value), share in zip(own.items(), place, strict=True)}


def values_text(values: dict[str, float]) -> str:
    """`lr 0.0312, weight decay 0.00042`."""
    return ", ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in values.items())


def _error_pct(record: Record) -> float | None:
    row = record.measurement("test_error_pct")  # of the validation part, which stands for the test split
    return row.value if row is not None and record.status == "ok" else None


def _said(record: Record) -> str:
    if record.failure is not None:
        return f"{record.status.replace('_', ' ')}: {record.failure.message}"
    return f"validation error {_error_pct(record):.2f} %"


class Watch:
    """Listens to one trial's training: passes its events on under the trial's name, reports each epoch, and ends a hopeless trial."""

    def __init__(self, trial: Trial, label: str, emit: Listener, before: dict[int, float]) -> None:
        self.trial, self.label, self.emit = trial, label, emit
        self.reported: set[int] = set()
        for epoch, error_pct in before.items():
            self._report(epoch, error_pct)

    def listen(self, event: Event) -> None:
        """Take an event. Raises Pruned behind an epoch, the last one excepted, that was worse than most trials' was."""
        if isinstance(event, Started | Step | Epoch):
            self.emit(dataclasses.replace(event, job=self.label))
        else:
            self.emit(event)
        if isinstance(event, Epoch) and event.val_error_pct is not None:
            self._report(event.epoch, event.val_error_pct)
            if event.epoch < event.epochs and self.trial.should_prune():
                raise Pruned(f"pruned after epoch {event.epoch}/{event.epochs} at a validation error of {event.val_error_pct:.2f} %")

    def give_up(self) -> None:
        """Report, for the epoch in which the loss was not finite any more, that everything was wrong: the value of a trial is its last."""
        self._report(max(self.reported, default=0) + 1, 100.0)

    def _report(self, epoch: int, error_pct: float) -> None:
        if epoch not in self.reported:
            self.reported.add(epoch)
            self.trial.report(error_pct, epoch)
