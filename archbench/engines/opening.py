"""From the engine that settings name to one that is ready."""

from __future__ import annotations

from archbench.config import Settings
from archbench.engines.base import Engine
from archbench.engines.local import Local
from archbench.engines.torchrun import Torchrun
from archbench.engines.workers import Workers
from archbench.errors import ArchbenchError
from archbench.placing import RAY, WORKERS, Placing


def engine_of(settings: Settings) -> Engine:
    """The engine; where it is on other machines, it is reached when its context is entered. Raises ArchbenchError where it cannot work."""
    placing = Placing.of(settings.engine)
    if placing.engine == WORKERS:
        if settings.devices > 1:
            raise ArchbenchError(f"--devices gives a training several devices, --engine {settings.engine} shares them out")
        return Workers(placing, settings)
    if placing.engine == RAY:
        from archbench.engines.cluster import Cluster

        return Cluster(placing, settings)
    return Torchrun(settings) if settings.devices > 1 else Local()
