"""Who is at a thing: a lock of the operating system's, which ends with the process that holds it, however that ends."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from filelock import BaseFileLock, FileLock, Timeout

LOOK_S = 0.1  # one that only looks whether a lease is held is gone by then


@dataclass(frozen=True)
class Lease:
    """One that is held, until `end`.

    The lock is flock's on Linux and macOS, LockFile's on Windows. Between machines that share a folder it holds where the file system
    says so: NFS from version 4 on, SMB, Lustre and GPFS with their locks switched on. NFS mounted with `nolock` or `local_lock` keeps
    it to one machine: two machines may then run one key, which costs time and loses nothing, since files appear whole and under names
    of their own. Where there is no flock at all, filelock falls back to a file that names its process; one that died on another
    machine leaves it, and deleting the folder `.leases` frees it.
    """

    path: Path
    lock: BaseFileLock

    @staticmethod
    def is_held(path: Path) -> bool:
        """Whether a process holds the lease of a path. Nothing is made or removed.

        Where there is flock, a shared lock of an instant tells; elsewhere the file does, which a killed process leaves too.
        """
        if sys.platform == "win32":
            return path.exists()
        import fcntl

        try:
            descriptor = os.open(path, os.O_RDONLY)
        except OSError:  # nobody has made it, or it is not ours to read
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    @classmethod
    def take(cls, path: Path, wait_s: float = LOOK_S) -> Self | None:
        """The lease of a path, whose folder is made; None where another holder does not give it up in time. May raise OSError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=wait_s)
        except Timeout:
            return None
        return cls(path, lock)

    def end(self) -> None:
        """Give it up and remove its file. Who has opened the file meanwhile sees that it has no name any more, and makes another."""
        if os.name == "posix":  # elsewhere filelock removes it
            self.path.unlink(missing_ok=True)
        self.lock.release()
