"""A simulated camera as what a viewfinder shows: it runs as a stream does.

The camera belongs to the thread that runs it. What a page asks of it is done between two frames.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar, Unpack

from camerapipe.errors import RequestError
from camerapipe.ingest import write_picture
from camerapipe.runtime import versions, warm_up
from camerapipe.simulator.camera import Camera
from camerapipe.simulator.hardware import ControlRanges, control_ranges
from camerapipe.simulator.opening import open_camera
from camerapipe.simulator.requests import CaptureRequest, FrameMetadata, Partial, Target
from camerapipe.stream.account import StreamReport
from camerapipe.stream.controls import Changes
from camerapipe.stream.exposures import FrameSource
from camerapipe.stream.frames import Event, InFlight, Observer, Outcome
from camerapipe.stream.options import StreamOptions
from camerapipe.stream.record import Kept, Recorder, about_of
from camerapipe.stream.recordings import Recordings
from camerapipe.stream.shown import Shown
from stages.findings import Finding
from stages.tone import encode

T = TypeVar("T")
NUMBERS = ("exposure_time_ns", "sensitivity", "focus_distance_dpt", "exposure_compensation_ev")
LOCKS = ("ae_lock", "awb_lock")
TOLD = (
    "exposure_time_ns", "sensitivity", "focus_distance_dpt", "lens_state", "ae_state", "af_state",
    "awb_state",
)  # fmt: skip
ENDED = "The camera has been closed."


class SimulatedStream:
    """A simulated camera with the part of the interface of `Stream` that `Live` uses.

    Parameters
    ----------
    profile, scene : str
        As for `open_camera`.
    size : (width, height)
        Of its pictures, px.
    observe : Observer
        Is called with every event of the preview.
    pace : callable
        Is called with every frame that is shown, and may wait.
    **options
        Of `open_camera`.
    """

    def __init__(
        self,
        profile: str,
        scene: str,
        *,
        size: tuple[int, int],
        observe: Observer,
        pace: Callable[[Shown], None],
        **options: Any,
    ) -> None:
        self.findings: tuple[Finding, ...] = ()
        self._observe, self._pace = observe, pace
        self._recordings = Recordings()
        self._metadata: dict[int, FrameMetadata] = {}  # of frames that were not shown yet
        self._shown: dict[int, FrameMetadata] = {}  # of the newest that was
        self._asked: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._over = False
        self._camera = open_camera(profile, scene, size=size, observe=self._note, **options)
        self._camera.listen(Partial, self._note_metadata)
        self.source = FrameSource(
            f"simulate:{Path(scene).name}", "camera", self.options.sensor_fps, iter(())
        )
        assert self.options.profile is not None
        self.ranges: ControlRanges = control_ranges(self.options.profile, size)

    @property
    def options(self) -> StreamOptions:
        """How the next frame is rendered."""
        return self._camera.options

    def clock(self) -> float:
        """Virtual time, s."""
        return self._camera.now_s

    def prepare(self) -> None:
        """Compile what is computed."""
        warm_up()

    def run(self) -> StreamReport:
        """Run until `stop`."""
        try:
            with self._camera:
                for result in self._camera:
                    if self._over:
                        break
                    self._obey()
                    if result.shown is not None:
                        self._pace(result.shown)
        finally:
            self._end()
        return self._camera.report()

    def stop(self, *, within_s: float = 0.0) -> None:
        """End after the frame that is being computed, from any thread."""
        self._over = True

    def close(self) -> None:
        """Release a camera that was not run."""
        self._camera.close()

    @property
    def running(self) -> bool:
        """Whether it can be asked for something."""
        return not self._over

    def change(self, **changes: Unpack[Changes]) -> None:
        """Change how frames are rendered, as `Stream.change` does, from any thread."""
        self._camera.change(**changes)

    def ask(self, act: Callable[[Camera], T]) -> Future[T]:
        """Do something with the camera after the present frame, from any thread."""
        future: Future[T] = Future()

        def done() -> None:
            try:
                future.set_result(act(self._camera))
            except Exception as error:
                future.set_exception(error)

        with self._lock:
            if self._over:
                raise RequestError(ENDED)
            self._asked.append(done)
        return future

    def told(self, number: int) -> dict[str, Any] | None:
        """Plain data about how a frame was exposed and focused, if it is the newest one."""
        metadata = self._shown.get(number)
        return None if metadata is None else {name: getattr(metadata, name) for name in TOLD}

    def record(self, folder: str | os.PathLike[str]) -> None:
        """Record what is shown from now on; `OutputError` if that is not possible."""
        about = about_of(self.source, self.options, versions())
        self._recordings.begin(Recorder(Path(folder), about))

    def end_recording(self) -> Path | None:
        """End the recording and give its folder; `OutputError` if it is not complete."""
        return self._recordings.end()

    @property
    def recorded(self) -> Kept | None:
        """What the recording that runs has so far."""
        return self._recordings.kept

    def _obey(self) -> None:
        while self._asked:
            self._asked.popleft()()

    def _end(self) -> None:
        with self._lock:
            self._over = True
        self._obey()  # what still waits fails, because the camera is closed
        self._recordings.end()

    def _note_metadata(self, partial: Partial) -> None:
        if partial.repeating:
            self._metadata[partial.frame_number] = partial.metadata

    def _note(self, lane: str, event: Event, in_flight: InFlight) -> None:
        if lane != "preview":
            return
        if isinstance(event, Outcome):
            metadata = self._metadata.pop(event.seq, None)
            if event.value is not None:
                self._shown = {event.seq: metadata} if metadata is not None else {}
                self._recordings.keep(event.value)
        self._recordings.note(event, in_flight)
        self._observe(event, in_flight)


def set_controls(wish: Mapping[str, Any]) -> Callable[[Camera], None]:
    """What sets the controls of a wish; None gives one back to the camera.

    Raises
    ------
    RequestError
        If a control does not exist, or has another form; ranges are checked when it is done.
    """
    controls = wish.get("controls")
    if not isinstance(controls, Mapping):
        raise RequestError(f"camera: expected controls by name; got {controls!r}")
    for name, value in controls.items():
        if name in LOCKS and isinstance(value, bool):
            continue
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if name not in NUMBERS or not (number or value is None):
            raise RequestError(f"camera: {name} cannot be {value!r}")
    return lambda camera: camera.set(**controls)


def still(camera: Camera, folder: Path) -> Path:
    """Take a still into a folder: the RAW frame as DNG, or else its picture without loss."""
    request = CaptureRequest(controls=camera.controls, target=Target.PICTURE)
    result = camera.submit([request])[0].result()
    folder.mkdir(parents=True)
    path = folder / f"simulated-{result.frame_number:05d}.dng"
    if result.raw is not None:
        result.save_raw(path)
        return path
    assert result.picture is not None
    path = path.with_suffix(".tif")
    write_picture(path, encode(result.picture.linear, result.picture.curve), result.picture)
    return path
