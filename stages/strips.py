"""Row strips on worker threads: the only module of `stages` that uses threads.

The division into strips is the same for any number of workers, and results are returned in order.
The result therefore does not depend on the number of threads. A strip spans the full width, and a
filter reads `halo` rows above and below it (cropped at the border of the picture). Each column then
has the same place in a vector register as in the whole picture, so the bits of the result do not
depend on the division either.
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

STRIP_ROWS = 64  # high enough to amortise a kernel call, low enough to occupy all workers
MIN_STRIP_VALUES = 1 << 17  # fewer take less time than a thread takes to wake up


def available_cores() -> int:
    """Return the number of cores that this process may use: the default number of workers."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_lock = threading.Lock()
_process_workers = available_cores()
_context_workers: ContextVar[int | None] = ContextVar("workers", default=None)
_pool: ThreadPoolExecutor | None = None
_pool_threads = 0


def set_workers(count: int) -> None:
    """Set the number of threads that run strips in this process, including the calling thread.

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
    """Set the number of threads that run the strips started in this context.

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
    """Return the number of threads that run strips: that of this context, else of the process."""
    return _context_workers.get() or _process_workers


def _checked(count: int) -> int:
    """The number of workers, if it is valid."""
    if count < 1:
        raise ValueError(f"workers: expected at least 1; got {count}")
    return count


def _submit(work: Callable[[], None], count: int) -> list[Future[None]]:
    """Start `work` on a number of threads, and return their futures."""
    global _pool, _pool_threads
    with _lock:
        if _pool is None or _pool_threads < count:
            if _pool is not None:
                _pool.shutdown(wait=False)  # work that was submitted before is still completed
            _pool_threads = max(_process_workers - 1, count)
            _pool = ThreadPoolExecutor(_pool_threads, thread_name_prefix="strips")
        return [_pool.submit(work) for _ in range(count)]


def _close_pool() -> None:
    """Stop all threads; the next call of `_submit` starts new ones."""
    global _pool
    with _lock:
        if _pool is not None:
            _pool.shutdown(wait=True)
        _pool = None


def with_halo(start: int, stop: int, halo: int, rows: int) -> tuple[slice, slice]:
    """Rows that a strip with a halo reads.

    Parameters
    ----------
    start, stop : int
        Rows of the strip.
    halo : int
        Rows that are read above and below it.
    rows : int
        Rows of the picture.

    Returns
    -------
    slice, slice
        Rows to read, cropped at the border of the picture, and the rows of the strip among them.
    """
    first, last = max(start - halo, 0), min(stop + halo, rows)
    return slice(first, last), slice(start - first, stop - first)


def rows_of_strips(values_in_row: int) -> int:
    """Rows of the strips of a picture that may be small, so that each is worth a thread."""
    return max(STRIP_ROWS, -(-MIN_STRIP_VALUES // values_in_row))


def run_strips(work: Callable[[int, int], T], rows: int, strip_rows: int = STRIP_ROWS) -> list[T]:
    """Call `work(start, stop)` for every strip, on several threads.

    Parameters
    ----------
    work : callable
        Processes rows [start, stop).
    rows : int
        Number of rows in all.
    strip_rows : int
        Rows of a strip; the last one may have fewer.

    Returns
    -------
    list
        Results of the strips, in order.

    Notes
    -----
    The calling thread takes part. If a strip raises an exception, it is raised again here after all
    threads have stopped.
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
                failed.set()  # the other threads stop after their current strip
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
