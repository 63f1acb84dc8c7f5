"""Reaching a Ray cluster, or starting one; quickly said where there is none."""

from __future__ import annotations

import importlib.util
import logging
import signal
import socket
import subprocess
import sys
import threading
import warnings
from typing import Any

from archbench import environment
from archbench.errors import ArchbenchError, brief

# what a server of gRPC answers with its settings: the beginning of HTTP/2, and no settings of our own
HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
FRAME_BYTES, SETTINGS_FRAME = 9, 4
ANSWER_S, HEALTH_S = 3.0, 20.0


def check_installed(together: bool) -> None:
    """Raise ArchbenchError, with what to do, where Ray is not installed, or what Ray Train takes to train one network together."""
    for library in ("ray", "pyarrow") if together else ("ray",):
        if importlib.util.find_spec(library) is None:
            raise ArchbenchError(f"--engine ray{' --devices' * together} needs {library}: pip install 'archbench[ray]'")


def reach(address: str | None) -> bool:
    """Connect to the cluster, or start one on this machine where there is no address; False where this process had done so itself.

    Raises ArchbenchError, within seconds, where no Ray answers or it will not have us.
    """
    import ray

    if ray.is_initialized():
        return False
    if address not in (None, "auto"):
        assert address is not None
        _check_answers(address)
    kept = [(number, signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)]
    own: dict[str, Any] = {"num_cpus": environment.usable_cores(), "include_dashboard": False} if address is None else {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what coming versions will change
            ray.init(address=address or "local", log_to_driver=False, logging_level=logging.ERROR, **own)
    except ConnectionError:
        said = "no Ray answers; ray:HOST:PORT names the head of a cluster, ray alone starts one on this machine"
        raise ArchbenchError(f"--engine ray{f':{address}' if address else ''}: {said}") from None
    except (Exception, SystemExit) as error:  # it ends the process where the cluster hangs
        raise ArchbenchError(f"--engine ray{f':{address}' if address else ''}: {brief(error)}") from None
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in kept:  # Ray has put its own in their place
                signal.signal(number, handler)
    return True


def _check_answers(address: str) -> None:
    """Raise ArchbenchError where nothing answers at an address, or what does is not the head of a Ray cluster."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_S) as connection:
            connection.settimeout(ANSWER_S)
            connection.sendall(HELLO)
            answer = connection.recv(FRAME_BYTES)
    except OSError as error:
        raise ArchbenchError(f"--engine ray:{address}: nothing answers there ({error.strerror or error})") from None
    if len(answer) < FRAME_BYTES or answer[3] != SETTINGS_FRAME or not _is_head(address):
        raise ArchbenchError(f"--engine ray:{address}: what answers there is not the head of a Ray cluster (its port is 6379 by default)")


def _is_head(address: str) -> bool:
    """Whether Ray's own check finds one in time; where this version of Ray has no such check, connecting will tell."""
    command = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
    try:
        return subprocess.run(command, capture_output=True, timeout=HEALTH_S, check=False).returncode != 1
    except subprocess.TimeoutExpired:
        return False
