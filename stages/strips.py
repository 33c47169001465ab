"""Row strips on worker threads: the only module of `stages` that uses threads.

Strips are cut the same way for any number of workers and their results are returned in order, so
that a result does not depend on how many threads computed it. A strip spans the full width: a
filter that reads `halo` rows beyond it (cut at the true border of the picture) meets every column
at the same place of a vector register, so that its result does not depend on the cut either.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")

STRIP_ROWS = 64  # long enough to amortise a kernel call, short enough to share among workers


def available_cores() -> int:
    """Return how many cores this process may use: the default number of workers."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_lock = threading.Lock()
_process_workers = available_cores()
_context_workers: ContextVar[int | None] = ContextVar("workers", default=None)
_pool: ThreadPoolExecutor | None = None
_pool_threads = 0


def set_workers(count: int) -> None:
    """Set how many threads run strips in this process, the calling thread included.

    Parameters
    ----------
    count : int
        At least 1. The default is the number of available cores.
    """
    global _process_workers
    _process_workers = _checked(count)
    _close_pool()


@contextmanager
def limited_workers(count: int | None) -> Iterator[None]:
    """Set how many threads run strips that are started in this context.

    The number holds for the current thread (or asynchronous task) within the `with` block, and
    takes precedence over that of the process. Results do not depend on it.

    Parameters
    ----------
    count : int or None
        At least 1; None leaves the number as it is.
    """
    token = _context_workers.set(_context_workers.get() if count is None else _checked(count))
    try:
        yield
    finally:
        _context_workers.reset(token)


def workers() -> int:
    """Return how many threads run strips here: the number of this context, else of the process."""
    return _context_workers.get() or _process_workers


def _checked(count: int) -> int:
    if count < 1:
        raise ValueError(f"workers: expected at least 1; got {count}")
    return count


def _submit(work: Callable[[], None], count: int) -> list[Future[None]]:
    global _pool, _pool_threads
    with _lock:
        if _pool is None or _pool_threads < count:
            if _pool is not None:
                _pool.shutdown(wait=False)  # what was submitted to it is still done
            _pool_threads = max(_process_workers - 1, count)
            _pool = ThreadPoolExecutor(_pool_threads, thread_name_prefix="strips")
        return [_pool.submit(work) for _ in range(count)]


def _close_pool() -> None:
    global _pool
    with _lock:
        if _pool is not None:
            _pool.shutdown(wait=True)
        _pool = None


def with_halo(start: int, stop: int, halo: int, rows: int) -> tuple[slice, slice]:
    """Rows to read for a strip, cut at the picture, and where the strip lies within them."""
    first, last = max(start - halo, 0), min(stop + halo, rows)
    return slice(first, last), slice(start - first, stop - first)


def run_strips(work: Callable[[int, int], T], rows: int, strip_rows: int = STRIP_ROWS) -> list[T]:
    """Call `work(start, stop)` for every strip of `rows` rows; return the results in order.

    The calling thread works too. An exception of any strip is raised after all have stopped.
    """
    bounds = [(y, min(y + strip_rows, rows)) for y in range(0, rows, strip_rows)]
    threads = min(workers(), len(bounds))
    if threads <= 1:
        return [work(*strip) for strip in bounds]
    results: list[T | None] = [None] * len(bounds)
    queue = iter(range(len(bounds)))
    take = threading.Lock()
    failed = threading.Event()

    def drain() -> None:
        while not failed.is_set():
            with take:
                index = next(queue, None)
            if index is None:
                return
            try:
                results[index] = work(*bounds[index])
            except BaseException:
                failed.set()  # the others stop after the strip they are at
                raise

    helpers = _submit(drain, threads - 1)
    try:
        drain()
    finally:
        for helper in helpers:
            helper.cancel()
        errors = [h.exception() for h in helpers if not h.cancelled()]
    for error in errors:
        if error is not None:
            raise error
    return results  # type: ignore[return-value]
