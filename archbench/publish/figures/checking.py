"""Whether figures in a folder still show what the Records say, by the hash of the data that they hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from archbench.errors import ArchbenchError
from archbench.publish.figures import files, gallery
from archbench.publish.figures.picture import Picture


def lagging(made: Sequence[Picture], folder: Path, names: Sequence[str]) -> list[str]:
    """A line for each figure that lags behind: other data, of no picture any more, or edited by hand.

    Of those that are named, as figures or as pictures, one for each that is not there too; without names, those that are there are all.
    Raises ArchbenchError where none is named and none is there.
    """
    if folder.exists() and not folder.is_dir():
        raise ArchbenchError(f"{folder} is not a folder")
    wanted = {picture.stem: picture for picture in made}
    found, lines = set(), []
    for path in sorted(each for each in folder.glob("*") if each.suffix in files.READERS):
        try:
            stored = files.data_of(path)
        except ArchbenchError as error:
            lines.append(str(error))
            continue
        if stored is None or not gallery.is_asked(stem := f"{stored.get('figure')}-{stored.get('key')}", names):
            continue
        found.add(stem)
        if stem not in wanted:
            lines.append(f"{path.name} shows what the Records do not give any more")
        elif wanted[stem].sha256 != stored["sha256"]:
            lines.append(f"{path.name} lags behind the Records")
    if not names and not found and not lines:
        raise ArchbenchError(f"no figure in {folder} to check; archbench figures --out {folder} writes them")
    return lines + [f"{stem} is not there" for stem in wanted if names and stem not in found]
