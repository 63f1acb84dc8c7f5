"""One of the processes that train a network together: torchrun starts `python -m archbench.engines.rank SOCKET` once for each device.

Each tells its number, is given the Job, and trains its part; the first also tells what happens, and makes the Record. All end at once when
the process that gives orders does.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
import threading
from datetime import timedelta
from multiprocessing.connection import Client, Connection

import torch
from torch import distributed

from archbench.device import Device, is_out_of_memory
from archbench.engines.bench import Answer, Bench, Broken, check_same
from archbench.engines.messages import Done, Failed, Shared
from archbench.errors import StorageError, Terminated, brief
from archbench.events import Event
from archbench.job import follow, train
from archbench.job.base import Job
from archbench.measure.worker import end_with
from archbench.training.ranks import Ranks

PATIENCE = timedelta(days=1)  # with the first, which tests while the others wait: the process that gave the order watches over all


def main() -> None:
    """Train one Job."""
    ranks = Ranks(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))
    with Client(sys.argv[1]) as pipe:
        threading.Thread(target=end_with, args=(pipe.fileno(),), daemon=True).start()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that gives orders decides
        pipe.send(ranks.rank)
        pipe.send(told(pipe, pipe.recv(), ranks))
        threading.Event().wait()  # to be ended with all others, of which some may wait for this one


def told(pipe: Connection, shared: Shared, ranks: Ranks) -> Answer | Broken | Failed | Done:
    """What this process has to say in the end; that it has finished where it followed, or was asked to end."""
    try:
        job = prepared(shared.job, ranks)
        bench = Bench(shared.root, lambda event: tell(pipe, event))
        dataset = bench.dataset(shared.origin)
        if ranks.leads:
            return Answer(train(job, dataset, bench.store, bench.emit, ranks))
        follow(job, dataset, bench.store, ranks)
    except Terminated:
        return Done()
    except StorageError as error:
        return Broken(str(error))
    except (Exception, SystemExit) as error:  # becomes the Record of the Job, whichever process it happens to
        return Failed(type(error).__name__, brief(error), is_out_of_memory(error))
    return Done()


def prepared(job: Job, ranks: Ranks) -> Job:
    """The Job on this process's device, when all processes have found each other. Raises ArchbenchError where the code is another."""
    check_same(job)
    device = Device(job.device.kind, ranks.rank if job.device.kind == "cuda" else 0)
    if device.kind == "cuda":
        torch.cuda.set_device(device.index)
    distributed.init_process_group("nccl" if device.kind == "cuda" else "gloo", timeout=PATIENCE)
    return dataclasses.replace(job, device=device, engine="torchrun")


def tell(pipe: Connection, event: Event) -> None:
    """Tell an event. Raises Terminated where the answer is that the training shall leave its checkpoint."""
    if pipe.poll():
        raise Terminated
    pipe.send(event)


if __name__ == "__main__":
    main()
