"""A worker: `python -m archbench.engines.worker PIPE` takes orders one after the other, and tells what happens meanwhile.

Asked to end (SIGTERM), it leaves a checkpoint first. It ends at once, with all that it started, when the process that gives orders does.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from multiprocessing.connection import Connection

from archbench.engines.bench import Answer, Bench, Broken, Order
from archbench.errors import StorageError, Terminated
from archbench.events import Event, Started
from archbench.measure.worker import end_with


class Voice:
    """Tells events to the process that gives orders. Raises Terminated at the next one once this process was asked to end."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe
        self._must_end = self._has_begun = False

    def listen(self, event: Event) -> None:
        if self._must_end:
            raise Terminated
        self._has_begun = self._has_begun or isinstance(event, Started)
        self.pipe.send(event)

    def answer(self, order: Order, bench: Bench) -> Answer | Broken:
        """Do what an order says."""
        try:
            return Answer(order.call(bench, *order.arguments))
        except StorageError as error:
            return Broken(str(error))

    def say(self, answer: Answer | Broken) -> None:
        """Give an answer, whole also where this process is asked to end meanwhile."""
        self.pipe.send(answer)
        self._has_begun = False
        if self._must_end:
            raise Terminated

    def end(self, *_: object) -> None:
        """Handle SIGTERM: before a training has begun there is nothing to keep."""
        self._must_end = True
        if not self._has_begun:
            raise Terminated


def main() -> None:
    """Take orders until there are no more."""
    number = int(sys.argv[1])
    os.set_inheritable(number, False)
    with Connection(number) as pipe:
        threading.Thread(target=end_with, args=(number,), daemon=True).start()
        voice = Voice(pipe)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that gives orders decides
        signal.signal(signal.SIGTERM, voice.end)
        try:
            bench = Bench(pipe.recv(), voice.listen)
            while (order := pipe.recv()) is not None:
                voice.say(voice.answer(order, bench))
        except (Terminated, EOFError):
            return


if __name__ == "__main__":
    main()
