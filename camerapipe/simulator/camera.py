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

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Unpack

from camerapipe.errors import RequestError
from camerapipe.shot import Shot
from camerapipe.simulator.driving import Driver, Pending
from camerapipe.simulator.engine import Engine
from camerapipe.simulator.futures import CaptureFuture
from camerapipe.simulator.processing import SCANNING
from camerapipe.simulator.requests import (
    REPEATING,
    SINGLE,
    CameraEvent,
    CaptureControls,
    CaptureRequest,
    FrameMetadata,
    Partial,
    Result,
    Target,
    check_controls,
)
from camerapipe.stream.controls import Changes
from camerapipe.stream.options import StreamOptions


class Camera(Driver):
    """An open camera, whose preview repeats. `camerapipe.open_camera` makes one.

    Parameters
    ----------
    start : callable
        Makes the engine, given where its events go.
    repeating : CaptureRequest
        The preview.
    finish : callable
        Is called when the camera has been closed.
    workers : int, optional
        Threads that compute while the app waits.
    """

    def __init__(
        self,
        start: Callable[[Callable[[CameraEvent], None]], Engine],
        repeating: CaptureRequest,
        finish: Callable[[], None] = lambda: None,
        workers: int | None = None,
    ) -> None:
        super().__init__(start, finish, workers)
        self._controls = repeating.controls
        self.set_repeating(repeating)

    @property
    def controls(self) -> CaptureControls:
        """What is set by hand for the next frames."""
        return self._controls

    @property
    def options(self) -> StreamOptions:
        """How the next frames are rendered, and on which device."""
        return self._engine.processor.controls.options

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
        self._check_open()
        check_controls(changes)
        self._controls = replace(self._controls, **changes)
        if self._engine.repeating is not None:
            self._engine.repeating = replace(self._engine.repeating, controls=self._controls)

    def focus(self, point: tuple[float, float] | None = None) -> CaptureFuture[FrameMetadata]:
        """Tap to focus: start a sweep of autofocus.

        Parameters
        ----------
        point : (x, y), optional
            Where it aims, in px of the picture; by default at the centre.

        Returns
        -------
        CaptureFuture of FrameMetadata
            That of the first preview frame after the sweep: `focused` or `not_focused`; `inactive`
            if there is no autofocus, as in a recording, or focus has been set by hand meanwhile.

        Raises
        ------
        RequestError
            If the point is not two numbers.
        """
        trigger = self._controls.focus_trigger + 1
        self.set(focus_point=point, focus_trigger=trigger, focus_distance_dpt=None)

        def has_ended(partial: Partial) -> bool:
            aimed = partial.request.controls.focus_trigger >= trigger
            return aimed and partial.metadata.af_state != SCANNING

        return self._watch(has_ended)

    def change(self, **changes: Unpack[Changes]) -> None:
        """Change how preview and stills are rendered: `strength`, `rung`, `budget`, `params` ...

        Parameters and errors are those of `Stream.change`.
        """
        self._check_open()
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
            self._futures[number] = Pending(futures[-1], part)
        return futures


def _check_target(request: CaptureRequest, known: Sequence[Target], what: str) -> None:
    if request.target not in known:
        raise RequestError(
            f"target: {request.target!s} is not one of {what}; there are: {', '.join(known)}"
        )
