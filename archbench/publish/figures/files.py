"""Figures as files that hold their data: PDF, SVG and PNG with the rows as JSON among their metadata, and a hash to tell by.

The same Records give the same data on any machine, and with one version of matplotlib the same bytes.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import multiprocessing
import os
import re
import signal
import sys
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from archbench.errors import ArchbenchError, brief, harmless
from archbench.publish.figures import gallery, palette
from archbench.publish.figures.look import Look
from archbench.publish.figures.picture import Picture
from archbench.records.schema import hash_of
from archbench.records.store import write_atomically

FORMATS = ("pdf", "svg", "png")
MAKER = "archbench"
LEAST_FOR_A_PROCESS = 3  # pictures
ENDING = (signal.SIGINT, signal.SIGTERM)
DESCRIPTION = "{http://purl.org/dc/elements/1.1/}description"
# where each format keeps the JSON; dates and versions are taken out, so that the bytes are those of the data alone
FIELDS = {
    "pdf": {"data": "Subject", "title": "Title", "fixed": {"Creator": MAKER, "Producer": None, "CreationDate": None}},
    "svg": {"data": "Description", "title": "Title", "fixed": {"Creator": MAKER, "Date": None}},
    "png": {"data": "Description", "title": "Title", "fixed": {}},
}


def write_all(pictures: Sequence[Picture], look: Look, formats: Sequence[str], out: Path) -> list[Path]:
    """Write pictures and return their files; many of them on as many cores as there are, where a process can be copied without harm."""
    writing = functools.partial(write, look=look, formats=formats, out=out)
    processes = min(len(pictures) // LEAST_FOR_A_PROCESS, _cores()) if sys.platform == "linux" else 1
    if processes < 2:
        return [path for picture in pictures for path in writing(picture)]
    copies = multiprocessing.get_context("fork")  # what was imported and read need not be again
    theirs, ours = os.pipe()
    try:
        pool = ProcessPoolExecutor(processes, copies, initializer=_begin, initargs=(theirs, ours))
        try:
            with _unheeding():
                begun = [pool.submit(writing, picture) for picture in pictures]
            return [path for each in begun for path in each.result()]
        finally:
            pool.shutdown(cancel_futures=True)  # of an interruption no more is drawn than what was begun
    finally:
        os.close(theirs)
        os.close(ours)


@contextlib.contextmanager
def _unheeding() -> Iterator[None]:
    """Signals wait, where there are such. Python loses what the handler of one raises while a process is copied."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(theirs: int, ours: int) -> None:
    """In a process that writes: leave an interruption to the one that asked, and end when that one does, which alone holds `ours` open."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    os.close(ours)
    threading.Thread(target=lambda: os._exit(len(os.read(theirs, 1))), daemon=True).start()


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def write(picture: Picture, look: Look, formats: Sequence[str], out: Path) -> list[Path]:
    """Write a picture and return its files."""
    paths = []
    for name, content in contents(picture, look, formats):
        with _unheeding():  # a process that draws ends at once, and leaves nothing half written
            write_atomically(out / name, lambda file, content=content: file.write(content))  # type: ignore[misc]
        paths.append(out / name)
    return paths


def contents(picture: Picture, look: Look, formats: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """The files of a picture, by name; where it is not captioned, each figure's caption beside it."""
    for stem, figure in gallery.drawn(picture, look):
        if not look.captioned:
            lines = map(harmless, str(figure.get_label()).splitlines())
            yield f"{stem}.txt", "".join(f"{line}\n" for line in lines).encode()
        for form in formats:
            yield f"{stem}.{form}", rendered(figure, picture, look, form)


def rendered(figure: Figure, picture: Picture, look: Look, form: str) -> bytes:
    """The bytes of one figure."""
    fields: Any = FIELDS[form]
    stored = json.dumps({"sha256": picture.sha256, **picture.data}, sort_keys=True)
    metadata = {fields["title"]: _ascii(f"{picture.name} · {picture.condition}"), fields["data"]: stored, **fields["fixed"]}
    written = io.BytesIO()
    with gallery.settings(look):
        if form == "png":
            _write_png(figure, metadata, look, written)
        else:
            figure.savefig(written, format=form, metadata=metadata)
    return written.getvalue()


def _write_png(figure: Figure, metadata: Mapping[str, str | None], look: Look, written: io.BytesIO) -> None:
    """At the look's resolution."""
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    fields = PngInfo()
    for name, text in metadata.items():
        if text is not None:
            fields.add_text(name, text)
    image = palette.reduced(np.asarray(canvas.buffer_rgba()))
    image.save(written, "PNG", pnginfo=fields, dpi=(look.style.dpi,) * 2)


def _ascii(text: str) -> str:
    """A title that every format holds as it is."""
    return harmless(text.replace("·", "-").replace("×", "x").encode("ascii", "replace").decode())


def data_of(path: Path) -> dict[str, Any] | None:
    """The data that a figure's file holds, with its `sha256`; None of a file that holds none.

    Raises ArchbenchError for one whose data were edited, or that cannot be read.
    """
    try:
        text = READERS[path.suffix](path)
        stored = json.loads(text) if text else None
    except (OSError, ValueError, SyntaxError, RecursionError) as error:
        raise ArchbenchError(f"{path.name} cannot be read: {brief(error)}") from None
    if not isinstance(stored, dict) or "sha256" not in stored:
        return None
    if hash_of({name: value for name, value in stored.items() if name != "sha256"}) != stored["sha256"]:
        raise ArchbenchError(f"{path.name} was changed after it was written: its data are not those of its hash")
    return stored


def _of_pdf(path: Path) -> str | None:
    found = re.search(rb"/Subject \(((?:[^\\()]|\\.)*)\)", path.read_bytes(), re.DOTALL)
    return re.sub(rb"\\(.)", rb"\1", found[1], flags=re.DOTALL).decode("ascii", "replace") if found else None


def _of_svg(path: Path) -> str | None:
    found = next(ET.parse(path).iter(DESCRIPTION), None)
    return None if found is None else found.text


def _of_png(path: Path) -> str | None:
    with Image.open(path) as image:
        return image.info.get("Description")


READERS = {".pdf": _of_pdf, ".svg": _of_svg, ".png": _of_png}
