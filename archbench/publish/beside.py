"""Which profile stands beside a run: one of the same network in the same circumstances, and for its counts one of the network at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from archbench.publish.grouping import Stored, by_alike, column
from archbench.records.schema import Record

Newest = Mapping[tuple[Any, ...], Record]


@dataclass(frozen=True)
class Profiles:
    """The newest profile of each network in its circumstances, and of each at its input under whatever conditions."""

    alike: Newest
    networks: Newest

    @classmethod
    def of(cls, records: Iterable[Record]) -> Self:
        """Those among all Records that there are."""
        profiles = Stored.of(records).newest.get("profile", [])
        by_circumstances, by_network = by_alike(profiles, _alike), by_alike(profiles, _network)
        return cls(*({key: _newest(members) for key, members in found.items()} for found in (by_circumstances, by_network)))

    def beside(self, run: Record) -> Record | None:
        """The one under the conditions of a run, whose times are the run's too."""
        return self.alike.get(_alike(run))

    def counting(self, run: Record) -> Record | None:
        """The same, or where there is none another of the network: its counts are the run's too."""
        return self.beside(run) or self.networks.get(_network(run))


def _newest(profiles: Sequence[Record]) -> Record:
    created = column(profiles, "created")
    return profiles[max(range(len(created)), key=created.__getitem__)]


def _network(record: Record) -> tuple[Any, ...]:
    """A network at an input."""
    model = record.model
    return model.name, frozenset(model.knobs.items()), model.source_sha256, model.num_classes, model.in_channels, model.image_size


def _alike(record: Record) -> tuple[Any, ...]:
    """What a training shares with a profile beside it: network, input, batch, device and versions."""
    environment, device = record.environment, record.environment["device"]
    versions = environment["archbench"].rpartition(".")[0], environment["libraries"]["torch"]
    return *_network(record), record.config["batch"], device["kind"], device["name"], *versions
