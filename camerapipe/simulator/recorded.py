"""Other sources as a camera: a still, a folder, or a clip, repeated without end.

Nothing can be set by hand: exposure and focus are those of the recording, and 3A is inactive. The
values of `FrameMetadata` that a recording does not know are 0; what the file says is in the
metadata of the developed capture.
"""

from __future__ import annotations

from collections.abc import Iterator

from camerapipe.assembly import shape_of
from camerapipe.capture import Capture
from camerapipe.errors import CaptureError
from camerapipe.simulator.module import Exposure
from camerapipe.simulator.requests import NS, CaptureControls, FrameMetadata
from camerapipe.stream.exposures import FrameSource
from camerapipe.stream.frames import Arrival
from stages.forward import RawFrame


class RecordedModule:
    """A recording instead of scene, lens and sensor.

    Parameters
    ----------
    source : FrameSource
        Where frames come from; best one that repeats (`stream.looping`).
    fps : float
        Rate of a source that has no times of its own.

    Raises
    ------
    CaptureError
        If it has no frame, or the first one cannot be read.
    """

    def __init__(self, source: FrameSource, fps: float) -> None:
        self.name, self._source, self._frame_s = source.name, source, 1 / fps
        self._frames: Iterator[Arrival] = iter(source.frames)
        self._next = next(self._frames, None)
        if self._next is None:
            raise CaptureError(f"{source.name}: has no frames")
        first: Capture = self._next.value.develop()
        self.size = shape_of(first)[::-1]

    def settle_s(self, controls: CaptureControls, at_s: float) -> float:
        """Nothing moves."""
        return at_s

    def begin(self, controls: CaptureControls, number: int, at_s: float) -> Exposure | None:
        """The next frame; it lasts until the following one was captured."""
        arrival = self._next
        if arrival is None:
            return None
        self._next = next(self._frames, None)
        duration_s, following = self._frame_s, self._next
        if following is not None and None not in (following.captured_s, arrival.captured_s):
            assert following.captured_s is not None and arrival.captured_s is not None
            duration_s = max(following.captured_s - arrival.captured_s, 0.0) or self._frame_s

        def develop(raw: RawFrame | None) -> Capture:
            capture: Capture = arrival.value.develop()
            return capture

        return Exposure(
            number=number, start_s=at_s, exposure_s=0.0, readout_s=0.0, duration_s=duration_s,
            develop=develop,
        )  # fmt: skip

    def finish(self, exposure: Exposure) -> FrameMetadata:
        """Its time."""
        return FrameMetadata(
            sensor_timestamp_ns=round(exposure.start_s * NS),
            exposure_time_ns=0,
            frame_duration_ns=round(exposure.duration_s * NS),
            rolling_shutter_skew_ns=0,
            sensitivity=0,
            focus_distance_dpt=0.0,
        )

    def close(self) -> None:
        """Release the source."""
        self._source.close()
