"""How the time of a camera passes: waiting, and telling its events."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
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
    FailureReason,
    FrameMetadata,
    Partial,
    Result,
    Started,
)
from camerapipe.stream.account import StreamReport
from stages.strips import limited_workers

E = TypeVar("E", Started, Partial, Result, Failure)
GIVE_UP_AFTER = 30  # preview frames that failed by an error, one after the other


@dataclass(frozen=True, slots=True)
class Pending:
    """A future, and which part of the result it is for."""

    future: CaptureFuture[Any]
    part: Callable[[Result], Any]


@dataclass(frozen=True, slots=True, eq=False)
class Watch:
    """A future of a preview frame, and which one it waits for."""

    future: CaptureFuture[FrameMetadata]
    wanted: Callable[[Partial], bool]


class Driver:
    """Drives an engine while an app waits, and tells its events to futures and listeners.

    Parameters
    ----------
    start : callable
        Makes the engine, given where its events go.
    finish : callable
        Is called when the camera has been closed.
    workers : int, optional
        Threads that compute while the app waits.
    """

    def __init__(
        self,
        start: Callable[[Callable[[CameraEvent], None]], Engine],
        finish: Callable[[], None],
        workers: int | None = None,
    ) -> None:
        self._events: deque[CameraEvent] = deque()
        self._engine = start(self._events.append)
        self._finish, self._workers = finish, workers
        self._futures: dict[int, Pending] = {}
        self._in_vain: list[Failure] = []  # by errors, of the preview, since its last result
        self._listeners: list[tuple[type, Callable[[Any], object]]] = []
        self._newest: Result | None = None  # of the preview
        self._watches: list[Watch] = []
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
        raises ends that wait, after the event has been told to all others.

        Returns
        -------
        callable
            Ends the calls.
        """
        entry = (kind, callback)
        self._listeners.append(entry)

        def remove() -> None:
            self._listeners[:] = [each for each in self._listeners if each is not entry]

        return remove

    def run(self, *, seconds: float = math.inf, frames: float = math.inf) -> None:
        """Let time pass: so many seconds, or until so many preview frames were delivered.

        Raises
        ------
        RequestError
            If neither is given, or one is below 0.
        CaptureFailedError
            If the preview fails frame after frame: with the failure of the last one.
        """
        if not (seconds >= 0 and frames >= 0 and min(seconds, frames) < math.inf):
            raise RequestError(
                f"run: expected seconds or frames, from 0; got {seconds:g} and {frames:g}"
            )
        until_s, last = self.now_s + seconds, self._previews + frames
        while self._previews < last and self._drive_preview(until_s):
            pass

    def __iter__(self) -> Iterator[Result]:
        """Results of the preview, each as it comes; those that came meanwhile are not kept."""
        self._check_open()
        while True:
            seen = self._previews
            while self._previews == seen:
                if not self._drive_preview():
                    return
            assert self._newest is not None
            yield self._newest

    async def __aiter__(self) -> AsyncIterator[Result]:
        """The same for `async for`; other coroutines run between the events of the camera."""
        self._check_open()
        while True:
            seen = self._previews
            while self._previews == seen:
                if not self._drive_preview():
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
            with limited_workers(self._workers):
                self._engine.close()
            self._dispatch()
            with ExitStack() as told:
                self._end_watches(RequestError("camera: it was closed"), told)
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
        if not self._events:
            with limited_workers(self._workers):
                moved = self._engine.advance(until_s)
            if not moved:
                return False
        self._dispatch()
        return True

    def _dispatch(self) -> None:
        """Tell events to futures, listeners and the iterator."""
        if self._dispatching:
            return  # the loop that runs tells them
        self._dispatching = True
        try:
            while self._events:
                with ExitStack() as told:  # an error of one does not keep the others from it
                    self._tell(self._events.popleft(), told)
        finally:
            self._dispatching = False

    def _tell(self, event: CameraEvent, told: ExitStack) -> None:
        """Note an event, and add the calls that tell it."""
        for kind, callback in reversed(self._listeners):
            if isinstance(event, kind):
                told.callback(callback, event)
        if isinstance(event, Result | Failure):
            pending = self._futures.pop(event.request_id, None)
            if pending is not None and isinstance(event, Result):
                told.callback(pending.future.set, pending.part(event))
            elif pending is not None and isinstance(event, Failure):
                told.callback(pending.future.set, None, CaptureFailedError(event))
        if isinstance(event, Result) and event.repeating:
            self._newest, self._previews, self._in_vain = event, self._previews + 1, []
        elif isinstance(event, Failure) and event.repeating:
            if event.reason is FailureReason.ERROR:
                self._in_vain.append(event)
            if len(self._in_vain) >= GIVE_UP_AFTER:
                self._end_watches(CaptureFailedError(event), told)
        elif isinstance(event, Partial) and event.repeating:
            for watch in [each for each in self._watches if each.wanted(event)]:
                self._watches.remove(watch)
                told.callback(watch.future.set, event.metadata)

    def _drive_preview(self, until_s: float = math.inf) -> bool:
        """As `_drive`; raises if the preview fails frame after frame, so that a wait ends."""
        moved = self._drive(until_s)
        if len(self._in_vain) >= GIVE_UP_AFTER:
            failure, self._in_vain = self._in_vain[-1], []
            raise CaptureFailedError(failure)
        return moved

    def _watch(self, wanted: Callable[[Partial], bool]) -> CaptureFuture[FrameMetadata]:
        """A future of the metadata of the first preview frame that is wanted."""
        future: CaptureFuture[FrameMetadata] = CaptureFuture(self._drive, self._engine.clock)
        self._watches.append(Watch(future, wanted))
        return future

    def _end_watches(self, error: Exception, told: ExitStack) -> None:
        while self._watches:
            told.callback(self._watches.pop().future.set, None, error)
