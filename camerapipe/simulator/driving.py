"""How the time of a camera passes: waiting, and telling its events."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

from camerapipe.errors import RequestError
from camerapipe.simulator.engine import Engine
from camerapipe.simulator.futures import CaptureFuture, Turn
from camerapipe.simulator.requests import (
    CameraEvent,
    CaptureFailedError,
    Failure,
    Partial,
    Result,
    Started,
)
from camerapipe.stream.account import StreamReport

E = TypeVar("E", Started, Partial, Result, Failure)


@dataclass(frozen=True, slots=True)
class Pending:
    """A future, and which part of the result it is for."""

    future: CaptureFuture[Any]
    part: Callable[[Result], Any]


class Driver:
    """Drives an engine while an app waits, and tells its events to futures and listeners.

    Parameters
    ----------
    start : callable
        Makes the engine, given where its events go.
    finish : callable
        Is called when the camera has been closed.
    """

    def __init__(
        self,
        start: Callable[[Callable[[CameraEvent], None]], Engine],
        finish: Callable[[], None],
    ) -> None:
        self._events: deque[CameraEvent] = deque()
        self._engine = start(self._events.append)
        self._finish = finish
        self._futures: dict[int, Pending] = {}
        self._listeners: list[tuple[type, Callable[[Any], object]]] = []
        self._newest: Result | None = None  # of the preview
        self._previews = 0  # results of the preview so far
        self._dispatching = self._closed = False

    @property
    def now_s(self) -> float:
        """Virtual time since the camera was opened, s."""
        return self._engine.clock()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    @property
    def open_requests(self) -> int:
        """Number of requests that have not ended."""
        return self._engine.open_requests

    def report(self) -> StreamReport:
        """Report of the preview so far: rates, times, drops, and what sets the ceiling."""
        return self._engine.report()

    def listen(self, kind: type[E], callback: Callable[[E], object]) -> Callable[[], None]:
        """Call a function with every event of a kind: Started, Partial, Result or Failure.

        It is called while the app waits for the camera, and cannot wait itself. An error that it
        raises ends that wait.

        Returns
        -------
        callable
            Ends the calls.
        """
        entry = (kind, callback)
        self._listeners.append(entry)
        return lambda: self._listeners.remove(entry)

    def run(self, *, seconds: float = math.inf, frames: float = math.inf) -> None:
        """Let time pass: so many seconds, or until so many preview frames were delivered.

        Raises
        ------
        RequestError
            If neither is given.
        """
        if math.isinf(seconds) and math.isinf(frames):
            raise RequestError("run: expected seconds or frames")
        until_s, last = self.now_s + seconds, self._previews + frames
        while self._previews < last and self._drive(until_s):
            pass

    def __iter__(self) -> Iterator[Result]:
        """Results of the preview, each as it comes; those that came meanwhile are not kept."""
        while True:
            seen = self._previews
            while self._previews == seen:
                if not self._drive(math.inf):
                    return
            assert self._newest is not None
            yield self._newest

    async def __aiter__(self) -> AsyncIterator[Result]:
        """The same for `async for`; other coroutines run between the events of the camera."""
        while True:
            seen = self._previews
            while self._previews == seen:
                if not self._drive(math.inf):
                    return
                await Turn()
            assert self._newest is not None
            yield self._newest

    def close(self) -> None:
        """Close the camera. Requests that have not ended fail with the reason `closed`."""
        if self._closed:
            return
        self._closed = True
        try:
            self._engine.close()
            self._dispatch()
        finally:
            self._finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise RequestError("camera: it was closed; open it again")

    def _drive(self, until_s: float) -> bool:
        """Let something happen until a moment, and tell it; False if nothing can."""
        if self._dispatching:
            raise RuntimeError("a callback of the camera cannot wait for the camera")
        if self._closed:
            return False
        moved = bool(self._events) or self._engine.advance(until_s)
        self._dispatch()
        return moved

    def _dispatch(self) -> None:
        """Tell events to futures, listeners and the iterator."""
        if self._dispatching:
            return  # the loop that runs tells them
        self._dispatching = True
        try:
            while self._events:
                self._tell(self._events.popleft())
        finally:
            self._dispatching = False

    def _tell(self, event: CameraEvent) -> None:
        if isinstance(event, Result) and event.repeating:
            self._newest, self._previews = event, self._previews + 1
        if isinstance(event, Result | Failure):
            pending = self._futures.pop(event.request_id, None)
            if pending is not None and isinstance(event, Result):
                pending.future.set(pending.part(event))
            elif pending is not None and isinstance(event, Failure):
                pending.future.set(None, CaptureFailedError(event))
        for kind, callback in list(self._listeners):
            if isinstance(event, kind):
                callback(event)
