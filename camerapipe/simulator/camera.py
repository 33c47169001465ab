"""A camera that an app opens and talks to. Its time passes only while the app waits for it.

    with camerapipe.open_camera("everyday-phone", "portrait", seed=1) as camera:
        for frame in camera:
            if frame.shown.advice.code == "shoot":
                shot = camera.capture().result()
                break

Waiting is iterating over the preview, `result` of a future, `await`, and `run`. Nothing runs in
other threads: what an app does between two waits takes no virtual time, so that the same program
has the same frames everywhere. A camera is used from one thread.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from camerapipe.errors import RequestError
from camerapipe.shot import Shot
from camerapipe.simulator.engine import Engine
from camerapipe.simulator.futures import CaptureFuture, Turn
from camerapipe.simulator.requests import (
    REPEATING,
    SINGLE,
    CameraEvent,
    CaptureControls,
    CaptureFailedError,
    CaptureRequest,
    Failure,
    Partial,
    Result,
    Started,
    Target,
    check_controls,
)
from camerapipe.stream.controls import Changes

E = TypeVar("E", Started, Partial, Result, Failure)


@dataclass(frozen=True, slots=True)
class _Pending:
    """A future, and which part of the result it is for."""

    future: CaptureFuture[Any]
    part: Callable[[Result], Any]


class Camera:
    """An open camera, whose preview repeats. `camerapipe.open_camera` makes one.

    Parameters
    ----------
    start : callable
        Makes the engine, given where its events go.
    repeating : CaptureRequest
        The preview.
    finish : callable
        Is called when the camera has been closed.
    """

    def __init__(
        self,
        start: Callable[[Callable[[CameraEvent], None]], Engine],
        repeating: CaptureRequest,
        finish: Callable[[], None] = lambda: None,
    ) -> None:
        self._events: deque[CameraEvent] = deque()
        self._engine = start(self._events.append)
        self._finish = finish
        self._futures: dict[int, _Pending] = {}
        self._listeners: list[tuple[type, Callable[[Any], object]]] = []
        self._newest: Result | None = None  # of the preview
        self._previews = 0  # results of the preview so far
        self._dispatching = self._closed = False
        self._controls = repeating.controls
        self.set_repeating(repeating)

    @property
    def now_s(self) -> float:
        """Virtual time since the camera was opened, s."""
        return self._engine.clock()

    @property
    def controls(self) -> CaptureControls:
        """What is set by hand for the next frames."""
        return self._controls

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    @property
    def open_requests(self) -> int:
        """Number of requests that have not ended."""
        return self._engine.open_requests

    def set(self, **changes: Any) -> None:
        """Change controls of the preview, and of later captures.

        Parameters
        ----------
        **changes
            Fields of `CaptureControls`; None gives one back to the camera.

        Raises
        ------
        RequestError
            If there is no such control, or a value is out of range.
        """
        check_controls(changes)
        self._controls = replace(self._controls, **changes)
        if self._engine.repeating is not None:
            self._engine.repeating = replace(self._engine.repeating, controls=self._controls)

    def change(self, **changes: Unpack[Changes]) -> None:
        """Change how preview and stills are rendered: `strength`, `rung`, `budget`, `params` ...

        Parameters and errors are those of `Stream.change`.
        """
        self._engine.processor.controls.change(changes)

    def set_repeating(self, request: CaptureRequest | None) -> None:
        """Replace the preview; None stops it.

        Raises
        ------
        RequestError
            If the target of the request is not one of a preview.
        """
        self._check_open()
        if request is not None:
            _check_target(request, REPEATING, "a preview")
            self._controls = request.controls
        self._engine.repeating = request

    def capture(self, *, zero_shutter_lag: bool = False, **controls: Any) -> CaptureFuture[Shot]:
        """Take a still with the present controls.

        Parameters
        ----------
        zero_shutter_lag : bool
            Take the sharpest frame of the last half second, if it is focused and well exposed.
        **controls
            Fields of `CaptureControls` that differ for this still. With `focus_distance_dpt` the
            exposure begins when the lens has settled; the preview waits meanwhile.

        Returns
        -------
        CaptureFuture of Shot
            Its `result` waits for the picture.

        Raises
        ------
        RequestError
            If there is no such control, a value is out of range, or too many captures wait.
        """
        request = CaptureRequest(controls=self._with(controls), zero_shutter_lag=zero_shutter_lag)
        return self._submit([request], lambda result: result.shot)[0]

    def submit(self, requests: Sequence[CaptureRequest]) -> list[CaptureFuture[Result]]:
        """Take single frames one after the other, without preview frames between them.

        Raises
        ------
        RequestError
            If a target is not one of a capture, or too many captures wait.
        """
        return self._submit(requests, lambda result: result)

    def burst(
        self, count: int, target: Target = Target.PICTURE, **controls: Any
    ) -> list[CaptureFuture[Result]]:
        """Take frames at the full rate of the sensor.

        Raises
        ------
        RequestError
            As `submit` and `set` do.
        """
        if count < 1:
            raise RequestError(f"burst: expected at least 1 frame; got {count}")
        request = CaptureRequest(controls=self._with(controls), target=target)
        return self.submit([request] * count)

    def focus_bracket(
        self, distances_dpt: Sequence[float], target: Target = Target.PICTURE, **controls: Any
    ) -> list[CaptureFuture[Result]]:
        """Take a frame at each focus distance, in 1/m, with the exposure locked."""
        locked = self._with({"ae_lock": True, "awb_lock": True} | controls)
        return self.submit([
            CaptureRequest(controls=replace(locked, focus_distance_dpt=each), target=target)
            for each in distances_dpt
        ])  # fmt: skip

    def exposure_bracket(
        self, stops_ev: Sequence[float], target: Target = Target.PICTURE, **controls: Any
    ) -> list[CaptureFuture[Result]]:
        """Take a frame at each exposure compensation, in stops, with the exposure locked."""
        locked = self._with({"ae_lock": True, "awb_lock": True} | controls)
        return self.submit([
            CaptureRequest(controls=replace(locked, exposure_compensation_ev=each), target=target)
            for each in stops_ev
        ])  # fmt: skip

    def flush(self) -> None:
        """End the captures that were not exposed yet, with the reason `flushed`."""
        self._engine.flush()
        self._dispatch()

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

    def _with(self, changes: dict[str, Any]) -> CaptureControls:
        check_controls(changes)
        return replace(self._controls, **changes)

    def _submit(
        self, requests: Sequence[CaptureRequest], part: Callable[[Result], Any]
    ) -> list[CaptureFuture[Any]]:
        self._check_open()
        for request in requests:
            _check_target(request, SINGLE, "a capture")
        futures: list[CaptureFuture[Any]] = []
        for number in self._engine.submit(requests):
            futures.append(CaptureFuture(self._drive, self._engine.clock))
            self._futures[number] = _Pending(futures[-1], part)
        return futures

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


def _check_target(request: CaptureRequest, known: Sequence[Target], what: str) -> None:
    if request.target not in known:
        raise RequestError(
            f"target: {request.target!s} is not one of {what}; there are: {', '.join(known)}"
        )
