"""A worker of Dask in a batch: an engine with one process for each of its threads."""

from __future__ import annotations

import multiprocessing
import queue
from collections.abc import Callable
from typing import Any

from distributed import Worker, WorkerPlugin, get_worker

from camerapipe.batch.disks import memory_bytes
from camerapipe.batch.local import LocalEngine
from camerapipe.batch.order import Order, Outcome, Work
from camerapipe.runtime import code_versions

MEMORY_SHARE = 0.5  # of a machine, where its worker of Dask states no limit


class OtherCodeError(Exception):
    """A worker has other versions than this process."""


class BatchWorker(WorkerPlugin):  # type: ignore[misc]  # untyped
    """What a worker of Dask has for a batch.

    Parameters
    ----------
    new_engine : callable
        Makes an engine of one process from its share of the memory, bytes.
    versions : dict
        Of the process that asks; a worker with others is refused.
    memory : int or None
        Of all processes of a worker, bytes; None: as the worker states.
    """

    idempotent = True  # a client that connects again finds it, with its processes

    def __init__(
        self,
        new_engine: Callable[[int], LocalEngine],
        versions: dict[str, str],
        memory: int | None,
    ) -> None:
        self._new_engine, self._versions, self._memory = new_engine, versions, memory
        self._engines: list[LocalEngine] = []

    def setup(self, worker: Worker) -> None:
        """Start the engines, or refuse a worker that has other code."""
        here = code_versions()
        other = [name for name in self._versions if here.get(name) != self._versions[name]]
        if other:
            told = ", ".join(f"{n} {here.get(n)} instead of {self._versions[n]}" for n in other)
            raise OtherCodeError(f"worker {worker.address} has {told}; install the same everywhere")
        # Workers of Dask are daemons, which may have no children. Ours end with their parent.
        multiprocessing.current_process().daemon = False
        threads = worker.state.nthreads
        memory = self._memory or worker.memory_manager.memory_limit
        share = int(memory or MEMORY_SHARE * memory_bytes()) // threads
        self._free: queue.SimpleQueue[LocalEngine] = queue.SimpleQueue()
        for _ in range(threads):
            engine = self._new_engine(share)
            self._free.put(engine.__enter__())
            self._engines.append(engine)

    def teardown(self, worker: Worker) -> None:
        """Stop the engines."""
        for engine in self._engines:
            engine.__exit__()

    def perform(self, order: Order) -> Outcome:
        """Perform an order in a process that is free."""
        engine = self._free.get()
        try:
            ((_, outcome),) = filter(None, engine.outcomes([order]))
            return outcome
        finally:
            self._free.put(engine)


def perform_there(order: Order, plugin: str) -> Outcome:
    """Perform an order; the task that Dask has."""
    found: BatchWorker = get_worker().plugins[plugin]
    return found.perform(order)


def one_process(work: Work, memory: int, **options: Any) -> LocalEngine:
    """An engine of one process, with all of the memory."""
    return LocalEngine(
        work, workers=1, threads=1, memory_bytes=memory, largest_bytes=memory, **options
    )
