"""From the engine that settings name to one that is ready."""

from __future__ import annotations

from archbench.config import Settings
from archbench.engines.base import Engine
from archbench.engines.local import Local
from archbench.engines.workers import Workers
from archbench.errors import ArchbenchError
from archbench.placing import LOCAL, RAY, WORKERS, Placing


def engine_of(settings: Settings) -> Engine:
    """The engine; where it is on other machines, it is reached when its context is entered. Raises ArchbenchError where it cannot work."""
    placing = Placing.of(settings.engine)
    if settings.devices > 1:
        if placing.engine != LOCAL:
            raise ArchbenchError(
                f"--devices {settings.devices} gives a training several devices, --engine {settings.engine} shares them out"
            )
        from archbench.engines.torchrun import Torchrun

        return Torchrun(settings)
    if placing.engine == WORKERS:
        return Workers(placing, settings)
    if placing.engine == RAY:
        from archbench.engines.cluster import Cluster

        return Cluster(placing, settings)
    return Local()
