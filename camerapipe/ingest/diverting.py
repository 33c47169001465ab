"""Readers that can be run elsewhere, such as in a process of their own.

Whoever opens files calls the readers of `ingest` as always. Inside `diverted(call)`, the calls of
this thread are handed to `call(reader, *args, **kwargs)` instead, which `isolation` runs in a
process that may crash.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")
Call = Callable[..., Any]

_call: ContextVar[Call | None] = ContextVar("call of readers", default=None)


def divertible(reader: Callable[P, R]) -> Callable[P, R]:
    """Let a reader be diverted. It must be a function of a module, with picklable arguments."""

    @functools.wraps(reader)
    def read(*args: P.args, **kwargs: P.kwargs) -> R:
        call = _call.get()
        return reader(*args, **kwargs) if call is None else cast(R, call(read, *args, **kwargs))

    return read


@contextmanager
def diverted(call: Call) -> Iterator[None]:
    """Hand the calls of readers in this thread to `call` while the block runs."""
    before = _call.set(call)
    try:
        yield
    finally:
        _call.reset(before)
