"""What the maps of one training are worth on images whose objects are known: from a Record and settings to a plan of one Job."""

from __future__ import annotations

from archbench import device as devices
from archbench import environment, following
from archbench.config import Settings
from archbench.errors import ArchbenchError
from archbench.events import Listener
from archbench.job.base import Explaining
from archbench.plan import Plan
from archbench.records.sources import training_of
from archbench.records.store import Store, settled
from archbench.training import transfer


def make(beginning: str, asked: Explaining, settings: Settings, store: Store, emit: Listener) -> Plan:
    """The plan to score the maps of the training whose id begins so. Raises ArchbenchError before any work is done.

    That is where there is no such training, its weights are gone, its code was changed, the network cannot bear the method, or the set is
    not one of objects that are known, or of images of another size.
    """
    following.check((asked.method,), asked.n)
    source = transfer.with_weights(training_of(beginning, store.root), store)
    store.check_writable()
    environment.git_state()
    dataset = following.test_set(settings, emit)
    part = following.part_of(dataset, dataset.name)
    job = following.job_of(source, part, asked, devices.choose(settings.device), settings.rerun)
    if (why := following.refusal(asked.method, job.model, job.shape, asked.layer)) is not None:
        raise ArchbenchError(why)
    there = None if settings.rerun else settled(store.load()[0]).get(job.key)
    return Plan(() if there else (job,), (there,) if there else (), {dataset.fingerprint: dataset}, () if there else (0.0,))
