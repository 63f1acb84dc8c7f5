"""Whether figures in a folder still show what the Records say, by the hash of the data that they hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from archbench.errors import ArchbenchError
from archbench.publish.figures import files
from archbench.publish.figures.picture import Picture


def lagging(made: Sequence[Picture], folder: Path, names: Sequence[str]) -> list[str]:
    """A line for each figure of these names that lags behind: other data, of no picture any more, not there, or edited by hand."""
    wanted = {picture.stem: picture for picture in made}
    found, lines = set(), []
    for path in sorted(each for each in folder.glob("*") if each.suffix in files.READERS):
        try:
            stored = files.data_of(path)
        except ArchbenchError as error:
            lines.append(str(error))
            continue
        if stored is None or stored.get("figure") not in names:
            continue
        stem = f"{stored['figure']}-{stored['key']}"
        found.add(stem)
        if stem not in wanted:
            lines.append(f"{path.name} shows what the Records do not give any more")
        elif wanted[stem].sha256 != stored["sha256"]:
            lines.append(f"{path.name} lags behind the Records")
    return lines + [f"{stem} is not there" for stem in wanted if stem not in found]
