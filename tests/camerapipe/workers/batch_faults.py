"""What worker processes of `test_batch_local` do: the name of a source says how it goes."""

import ctypes
import os
import signal
import threading
from pathlib import Path

from camerapipe.batch.order import Outcome, State


def prepare(work, threads):
    """Nothing to warm up."""


def prepare_in_vain(work, threads):
    os._exit(3)


def perform(order):
    name = Path(order.source).stem
    if name.startswith("killed"):
        os.kill(os.getpid(), signal.SIGKILL)
    if name.startswith("crash"):
        ctypes.string_at(0)
    if name.startswith("hang"):
        threading.Event().wait()
    if name.startswith("lost") and not (once := Path(order.outputs.picture)).exists():
        once.touch()
        os.kill(os.getppid(), signal.SIGKILL)  # the worker of Dask that this process belongs to
    if name.startswith("memory"):
        raise MemoryError
    if name.startswith("error"):
        raise ValueError("of the worker")
    if name.startswith("flaky") and order.attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if name.startswith("large"):
        needs = int(name.removeprefix("large"))
        if order.granted_bytes < needs:
            return Outcome(state=State.QUEUED, needs_bytes=needs)
    return Outcome(state=State.DONE, message=f"{os.getpid()} {order.granted_bytes}")
