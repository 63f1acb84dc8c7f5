"""A Job as a task on a node of a Ray cluster: what it needs goes there, what it leaves comes back."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import queue
import socket
import tempfile
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
import torch

from archbench.data import Dataset, Split
from archbench.engines import nodes
from archbench.engines.base import work
from archbench.engines.bench import check_same
from archbench.engines.mailbox import Kept, Letter
from archbench.errors import ArchbenchError, Terminated
from archbench.events import Event
from archbench.job import Job, failure
from archbench.job import follow as follow_in_training
from archbench.models import user_file
from archbench.records.schema import Record, StoredFile
from archbench.records.store import Store
from archbench.training import transfer
from archbench.training.ranks import ALONE, Ranks

MOST_LETTERS = 16  # that wait to be left, before the training waits for them


@dataclass(frozen=True)
class Images:
    """A data set as arrays, which all tasks of a node read from Ray's memory without a copy of their own."""

    about: Dataset
    arrays: tuple[np.ndarray[Any, Any], ...]

    @classmethod
    def of(cls, dataset: Dataset) -> Images:
        """The data set's. Raises ArchbenchError where its images do not lie in memory."""
        splits = [split for split in (dataset.train, dataset.test) if isinstance(split, Split)]
        if len(splits) < 2:
            raise not_sent(f"those of {dataset.name}")
        arrays = tuple(tensor.numpy() for split in splits for tensor in (split.images, split.labels))
        nothing = Split(torch.empty(0), torch.empty(0))
        return cls(dataclasses.replace(dataset, train=nothing, test=nothing), arrays)

    def dataset(self) -> Dataset:
        """As a Job takes it. Nothing may write into its images."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # torch knows no tensor that cannot be written to
            images, labels, *test = map(torch.from_numpy, self.arrays)
        return dataclasses.replace(self.about, train=Split(images, labels), test=Split(*test))


def not_sent(which: str) -> ArchbenchError:
    """Why images that lie on a disk, such as these, are not for Ray's tasks."""
    return ArchbenchError(f"--engine ray sends images, and {which} do not lie in memory: --images-from memory, or --engine workers")


@dataclass(frozen=True)
class Luggage:
    """What a Job takes along: the checkpoint that it goes on from, a user's own file, the training whose weights it takes.

    And the version of archbench that packed it, since a node may have joined after all were asked for theirs.
    """

    checkpoint: bytes | None
    file: user_file.Text | None
    source: tuple[Record, dict[str, bytes]] | None
    version: tuple[str, str] = dataclasses.field(default_factory=nodes.own_version)

    @classmethod
    def of(cls, job: Job, store: Store) -> Luggage:
        """What lies in the store that asked, and on its machine."""
        path, source = store.checkpoint_path(job.key), None
        if job.source is not None or job.model.source is not None:
            found = job.source or transfer.source_of(job.model, job.shape, store)
            files = found.files if job.source is not None else (found.file,)
            source = found.record, {file.path: (store.root / file.path).read_bytes() for file in files}
        file = user_file.text_of(job.model.name) if user_file.is_user_file(job.model.name) else None
        return cls(path.read_bytes() if path.exists() else None, file, source)

    def unpack(self, job: Job, store: Store) -> None:
        """Lay it out where the Job looks for it. Raises ArchbenchError where another version of archbench would use it."""
        nodes.check_versions([(socket.gethostname(), nodes.own_version())], self.version)
        if self.checkpoint is not None:
            Store.keep_checkpoint(store, job.key, self.checkpoint)
        if self.file is not None:
            user_file.take_over(job.model.name, self.file, store.root)
        if self.source is not None:
            record, files = self.source
            store.save(record)
            for name, content in files.items():
                path = store.root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)


class Post:
    """Leaves letters for the process that asked, in order, from a thread of its own: Ray gives the cores of a task that waits in its main
    thread to another. A context; all letters are left when it ends.
    """

    def __init__(self, attempt: str, leave: Callable[[Letter], bool]) -> None:
        self.attempt, self.leave = attempt, leave
        self._must_end = False
        self._letters: queue.Queue[Letter | None] = queue.Queue(MOST_LETTERS)
        self._thread = threading.Thread(target=self._work, name="archbench post", daemon=True)

    def listen(self, event: Event) -> None:
        """Take an event. Raises Terminated where the process that asked wants the run to end."""
        if self._must_end:
            raise Terminated
        self.send(event)

    def send(self, content: Event | Kept) -> None:
        """Leave an event or a checkpoint, as soon as those before it are left."""
        self._letters.put(Letter(self.attempt, content))

    def wait(self) -> None:
        """Until all letters are left."""
        self._letters.join()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *details: object) -> None:
        self._letters.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (letter := self._letters.get()) is not None:
            try:
                self._must_end |= self.leave(letter)  # also what follows: the checkpoint of a run that ends
            except Exception:  # of any kind that Ray has where nobody takes letters any more
                self._must_end = True
            self._letters.task_done()


@dataclass
class AwayStore(Store):
    """A store on a node: checkpoints go to the one that asked as they are made, files when the Job has ended."""

    root: Path
    post: Post
    files: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(self.root)

    def write_file(self, relative: Path, write: Callable[[IO[bytes]], Any]) -> StoredFile:
        buffer = io.BytesIO()
        write(buffer)
        content = self.files[relative.as_posix()] = buffer.getvalue()
        return StoredFile(path=relative.as_posix(), bytes=len(content), sha256=hashlib.sha256(content).hexdigest())

    def keep_checkpoint(self, key: str, content: bytes) -> None:
        self.post.send(Kept(key, content))
        self.post.wait()  # the training counts how long it takes, and keeps them more seldom where that is long


@dataclass(frozen=True)
class Delivery:
    """What a Job came to: its Record, the files beside it. Without a Record it was asked to end."""

    record: Record | None
    files: dict[str, bytes]


def carry_out(
    job: Job, images: Images, luggage: Luggage, attempt: str, threads: int, leave: Callable[[Letter], bool], ranks: Ranks = ALONE
) -> Delivery:
    """Do a Job here, as the first where several processes train together.

    Raises ArchbenchError where the code here builds another network than the one that was planned.
    """
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory(prefix="archbench-") as folder, Post(attempt, leave) as post:
        store = AwayStore(Path(folder), post)
        try:
            luggage.unpack(job, store)
            check_same(job)
            record = work(job, images.dataset(), store, post.listen, ranks)
        except Terminated:
            return Delivery(None, {})
        except nodes.OtherVersionError as error:
            return Delivery(failure(job, error, 0.0), {})
        return Delivery(record, store.files)


def follow(job: Job, images: Images, luggage: Luggage, threads: int, ranks: Ranks) -> None:
    """Train together with the process that carries the Job out. Raises what the training raises."""
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory(prefix="archbench-") as folder:
        store = Store(Path(folder))
        luggage.unpack(job, store)
        check_same(job)
        follow_in_training(job, images.dataset(), store, ranks)
