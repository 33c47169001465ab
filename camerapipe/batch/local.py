"""The engine of one machine: worker processes of Pebble.

A worker has one file at a time. It is kept for `RECYCLED_AFTER` files, and its end, a file that
takes too long, or one that needs too much memory costs that file only. Each worker may take its
share of the memory; a file that needs more waits until the sum of all in work leaves room for it.
"""

from __future__ import annotations

import multiprocessing
import queue
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, TimeoutError
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import resource_tracker

from pebble import ProcessExpired, ProcessPool

from camerapipe.batch.memory import as_text
from camerapipe.batch.order import Order, Outcome, State, Work
from camerapipe.batch.places import remove_partial
from camerapipe.batch.working import perform, prepare_worker
from camerapipe.errors import ExitCode, WorkersError
from camerapipe.runtime import available_cores

RECYCLED_AFTER = 500  # files, after which a worker process is replaced
TICK_S = 0.25  # longest time without a yield
MAX_RESTARTS = 3  # of the pool without an outcome between them


class LocalEngine:
    """Performs orders in worker processes; a context that stops them at its end.

    Parameters
    ----------
    work : Work
        What is asked of all files.
    workers : int
        Number of processes, which share the cores.
    memory_bytes : int
        Resident memory of all workers together.
    largest_bytes : int
        A file that needs more than this is refused; one that needs more than `memory_bytes` runs
        alone.
    timeout_s : float
        Longest time for one file.
    threads : int or None
        Of each worker; None: the workers share the cores.
    perform : callable
        What a worker does with an order; it must be importable.
    prepare : callable
        What a worker does when it starts: `prepare(work, threads)`.
    """

    def __init__(
        self,
        work: Work,
        *,
        workers: int,
        memory_bytes: int,
        largest_bytes: int,
        timeout_s: float,
        threads: int | None = None,
        recycled_after: int = RECYCLED_AFTER,
        perform: Callable[[Order], Outcome] = perform,
        prepare: Callable[[Work, int], None] = prepare_worker,
    ) -> None:
        self.workers, self._memory, self._largest = workers, memory_bytes, largest_bytes
        self._timeout_s, self._recycled_after = timeout_s, recycled_after
        self._perform, self._prepare = perform, prepare
        self._initargs = (work, threads or max(1, available_cores() // workers))
        self._running: dict[Future[Outcome], Order] = {}
        self._waiting: deque[Order] = deque()
        self._ended: queue.SimpleQueue[Future[Outcome]] = queue.SimpleQueue()
        self._restarts = 0
        self._pool: ProcessPool | None = None  # started by the first order

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the workers; what they have not finished leaves no file behind."""
        self._end_pool()
        for order in self._running.values():
            remove_partial(order.outputs)

    def outcomes(
        self, orders: Iterable[Order], *, alone: bool = False
    ) -> Iterator[tuple[Order, Outcome] | None]:
        """Perform orders, and yield each with its outcome, in the order in which they end.

        An order is taken from the iterable when a worker is free for it. None is yielded from time
        to time, so that the caller can do other work. If `alone`, one order is in work at a time.
        """
        source = iter(orders)
        slots = 1 if alone else self.workers
        while True:
            while (order := self._next(source, slots)) is not None:
                self._submit(order)
            if not self._running:
                return
            try:
                future = self._ended.get(timeout=TICK_S)
            except queue.Empty:
                yield None
                continue
            order = self._running.pop(future)
            outcome = self._outcome(order, future)
            if outcome is not None:
                self._restarts = 0
                yield order, outcome

    def _next(self, orders: Iterator[Order], slots: int) -> Order | None:
        """The next order for which there is a worker and memory."""
        if len(self._running) >= slots:
            return None
        used = sum(order.granted_bytes or 0 for order in self._running.values())
        if self._waiting:
            needed = self._waiting[0].granted_bytes or 0
            return (
                None if self._running and used + needed > self._memory else self._waiting.popleft()
            )
        share = self._memory // slots
        if self._running and used + share > self._memory:
            return None
        order = next(orders, None)
        return None if order is None else replace(order, granted_bytes=share)

    def _submit(self, order: Order) -> None:
        self._pool = self._pool or self._new_pool()
        try:
            future: Future[Outcome] = self._pool.schedule(
                self._perform, args=(order,), timeout=self._timeout_s
            )
        except RuntimeError:  # the pool broke since the last outcome
            self._restart(order)
            return
        self._running[future] = order
        future.add_done_callback(self._ended.put)

    def _outcome(self, order: Order, future: Future[Outcome]) -> Outcome | None:
        """How an order ended; None if it is to be handed out again."""
        try:
            outcome = future.result()
        except TimeoutError:
            message = f"{order.source}: took more than the {self._timeout_s:g} s of --timeout"
            return _fatal(order, message, ExitCode.LIMIT)
        except ProcessExpired as error:
            how = _ending(error.exitcode)
            return _fatal(order, f"{order.source}: the worker {how}", ExitCode.FAILED)
        except BrokenProcessPool:
            self._restart(order)
            return None
        except MemoryError:
            message = f"{order.source}: not enough memory in a worker; raise --memory"
            return _fatal(order, message, ExitCode.LIMIT)
        except Exception as error:
            message = f"{order.source}: {type(error).__name__}: {error}"
            return Outcome(state=State.FAILED, message=message, code=ExitCode.FAILED)
        if outcome.needs_bytes is None:
            return outcome
        if outcome.needs_bytes > self._largest:
            needs, most = as_text(outcome.needs_bytes), as_text(self._largest)
            message = f"{order.source}: needs about {needs} of memory, and --memory is {most}"
            return Outcome(state=State.FAILED, message=message, code=ExitCode.LIMIT)
        self._waiting.append(replace(order, granted_bytes=outcome.needs_bytes))
        return None

    def _restart(self, order: Order) -> None:
        """Replace a pool whose idle workers ended, and hand its orders out again."""
        self._waiting.append(order)
        if self._pool is None or self._pool.active:
            return  # that pool is gone already, for another order
        self._restarts += 1
        if self._restarts > MAX_RESTARTS:
            raise WorkersError("workers end as soon as they start; see `camerapipe doctor`")
        self._end_pool()

    def _end_pool(self) -> None:
        if self._pool is not None:
            self._pool.stop()  # type: ignore[no-untyped-call]
            self._pool.join()
        self._pool = None

    def _new_pool(self) -> ProcessPool:
        """A pool that has started its workers, which Ctrl-C on a terminal does not reach."""
        pool = ProcessPool(
            max_workers=self.workers,
            max_tasks=self._recycled_after,
            initializer=self._prepare,
            initargs=self._initargs,
            context=multiprocessing.get_context("spawn"),
        )
        resource_tracker.ensure_running()  # its own start would unblock the signal
        with _blocked(signal.SIGINT):
            assert pool.active  # this starts it
        return pool


@contextmanager
def _blocked(number: signal.Signals) -> Iterator[None]:
    """Block a signal in this thread, and for good in the threads and processes started here."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _fatal(order: Order, message: str, code: ExitCode) -> Outcome:
    remove_partial(order.outputs)
    return Outcome(state=State.FAILED, message=message, code=code, fatal=True)


def _ending(code: int) -> str:
    """How a process ended, by its exit code."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = ", perhaps for want of memory" if -code == signal.SIGKILL else ""
    return f"was killed by {name}{hint}"
