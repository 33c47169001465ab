"""Row strips on worker threads: the only room of `stages` that knows workers.

Strips are cut the same way for any number of workers and their results are returned in order, so
that a result does not depend on how many threads computed it. A strip spans the full width: a
filter that reads `halo` rows beyond it (cut at the true border of the picture) meets every column
at the same place of a vector register, so that its result does not depend on the cut either.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

STRIP_ROWS = 64  # long enough to amortise a kernel call, short enough to share among workers

_lock = threading.Lock()
_workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
_pool: ThreadPoolExecutor | None = None


def set_workers(count: int) -> None:
    """Set how many threads run strips, the calling thread included."""
    global _workers, _pool
    if count < 1:
        raise ValueError(f"strips: expected at least 1 worker; got {count}")
    with _lock:
        if count == _workers:
            return
        if _pool is not None:
            _pool.shutdown(wait=True)
        _workers, _pool = count, None


def workers() -> int:
    """How many threads run strips."""
    return _workers


def _submit(work: Callable[[], None], count: int) -> list[Future[None]]:
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(max(_workers - 1, 1), thread_name_prefix="strips")
        return [_pool.submit(work) for _ in range(count)]


def with_halo(start: int, stop: int, halo: int, rows: int) -> tuple[slice, slice]:
    """Rows to read for a strip, cut at the picture, and where the strip lies within them."""
    first, last = max(start - halo, 0), min(stop + halo, rows)
    return slice(first, last), slice(start - first, stop - first)


def run_strips(work: Callable[[int, int], T], rows: int, strip_rows: int = STRIP_ROWS) -> list[T]:
    """Call `work(start, stop)` for every strip of `rows` rows; return the results in order.

    The calling thread works too. An exception of any strip is raised after all have stopped.
    """
    bounds = [(y, min(y + strip_rows, rows)) for y in range(0, rows, strip_rows)]
    if _workers == 1 or len(bounds) <= 1:
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

    helpers = _submit(drain, min(_workers, len(bounds)) - 1)
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
