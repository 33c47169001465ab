"""The camera module: what an engine needs of the optics, the sensor and the 3A of a camera."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from camerapipe.capture import Capture
from camerapipe.ingest.dng.raw_frame import Device
from camerapipe.simulator.requests import CaptureControls, FrameMetadata
from stages.forward import RawFrame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Exposure:
    """One exposure.

    Its pixels follow from the state of module and scene when it began, so that they can be computed
    later, or never.

    Attributes
    ----------
    number : int
        That of its frame.
    start_s, exposure_s, readout_s : float
        Start of the first row; exposure of each row; from the first row to the last.
    duration_s : float
        From its start to that of the next frame, at least.
    raw : callable
        Gives the frame of the sensor; None if the source has developed pictures only.
    develop : callable
        Gives the capture in linear light from that frame.
    device : Device or None
        What a DNG of the frame says of the camera.
    state : Any
        What the module needs to finish it.
    """

    number: int
    start_s: float
    exposure_s: float
    readout_s: float
    duration_s: float
    develop: Callable[[RawFrame | None], Capture]
    raw: Callable[[], RawFrame] | None = None
    device: Device | None = None
    state: Any = None

    @property
    def end_s(self) -> float:
        """When its last row has been read."""
        return self.start_s + self.exposure_s + self.readout_s


class CameraModule(Protocol):
    """Scene, lens, sensor and 3A, or a recording of them. It is asked in the order of frames."""

    @property
    def name(self) -> str:
        """What a person calls the scene."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of its pictures, px."""

    def settle_s(self, controls: CaptureControls, at_s: float) -> float:
        """When the lens will have settled where the controls want it, if it starts at `at_s`."""

    def begin(self, controls: CaptureControls, number: int, at_s: float) -> Exposure | None:
        """Begin an exposure; None if there are no more frames."""

    def finish(self, exposure: Exposure) -> FrameMetadata:
        """Use the statistics of a frame that was read, and give its metadata."""


def sensor_error(error: Exception) -> str:
    """What a failure says of an error of the module, or of a function of the app in it."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}, line {place.lineno}"
    return f"sensor: {type(error).__name__}: {error} (in {where})"
