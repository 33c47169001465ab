"""Requests to a simulated camera, and what they end in: plain data.

Names and units are those of Camera2: exposure time in ns, sensitivity as ISO, focus distance in
dioptres (1/m), timestamps in ns of the start of the exposure of the first row.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from enum import StrEnum
from numbers import Real
from typing import Any, Literal

from camerapipe.capture import Capture
from camerapipe.errors import OutputError, RequestError, hint
from camerapipe.ingest.dng.raw_frame import Device, write_raw_frame
from camerapipe.shot import Shot
from camerapipe.stream.shown import Shown
from stages.forward import RawFrame

NS = 1_000_000_000  # in a second


class Target(StrEnum):
    """How far a frame is processed; each includes those before it."""

    METADATA = "metadata"  # statistics and metadata only
    RAW = "raw"  # the mosaic of the sensor
    PICTURE = "picture"  # developed to linear light
    VIEW = "view"  # shown with advice, without lens blur
    PREVIEW = "preview"  # shown with lens blur and advice, on a rung of the quality ladder
    STILL = "still"  # a `Shot`, as of `camerapipe.render`


REPEATING = (Target.METADATA, Target.RAW, Target.PICTURE, Target.VIEW, Target.PREVIEW)
SINGLE = (Target.METADATA, Target.RAW, Target.PICTURE, Target.STILL)


LOWEST = {"exposure_time_ns": 1, "sensitivity": 1, "focus_distance_dpt": 0}
MOST_EV = 16  # exposure compensation, stops
TINY = 1e-3  # gain


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureControls:
    """What a request sets by hand; None leaves it to the camera.

    Attributes
    ----------
    exposure_time_ns : int or None
        Exposure time. With it alone, auto-exposure chooses the sensitivity.
    sensitivity : int or None
        ISO. With it alone, auto-exposure chooses the exposure time.
    exposure_compensation_ev : float
        Auto-exposure aims so many stops above its own target.
    ae_lock, awb_lock : bool
        Keep exposure or white balance as they are.
    focus_distance_dpt : float or None
        Distance in focus in 1/m, 0 being infinity; None: autofocus.
    focus_point : (x, y) or None
        Autofocus aims at this point, in px of the picture; None: the centre.
    focus_trigger : int
        Another number, or another point, starts another sweep of autofocus.
    white_balance : (float, float) or None
        Gains of red and blue relative to green.
    """

    exposure_time_ns: int | None = None
    sensitivity: int | None = None
    exposure_compensation_ev: float = 0.0
    ae_lock: bool = False
    awb_lock: bool = False
    focus_distance_dpt: float | None = None
    focus_point: tuple[float, float] | None = None
    focus_trigger: int = 0
    white_balance: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        for name, lowest in LOWEST.items():
            value = getattr(self, name)
            if value is not None and not (_is_number(value) and value >= lowest):
                raise RequestError(f"{name}: expected a number from {lowest}; got {value!r}")
        for name in ("ae_lock", "awb_lock"):
            if not isinstance(value := getattr(self, name), bool):
                raise RequestError(f"{name}: expected true or false; got {value!r}")
        stops = self.exposure_compensation_ev
        if not (_is_number(stops) and abs(stops) <= MOST_EV):
            raise RequestError(
                f"exposure_compensation_ev: expected stops from -{MOST_EV} to {MOST_EV}; "
                f"got {stops!r}"
            )
        if not isinstance(self.focus_trigger, int):
            raise RequestError(f"focus_trigger: expected an integer; got {self.focus_trigger!r}")
        for name, least, text in (("focus_point", 0, "from 0"), ("white_balance", TINY, "above 0")):
            if (pair := getattr(self, name)) is not None:
                parts = tuple(pair) if isinstance(pair, Iterable) else ()
                if len(parts) != 2 or not all(_is_number(part) and part >= least for part in parts):
                    raise RequestError(f"{name}: expected two numbers {text}; got {pair!r}")
                object.__setattr__(self, name, tuple(map(float, parts)))


CONTROLS = tuple(each.name for each in fields(CaptureControls))


def check_controls(names: Any) -> None:
    """Raise `RequestError` if one of the names is not that of a control."""
    for name in names:
        if name not in CONTROLS:
            raise RequestError(f"{name}: there is no such control{hint(name, CONTROLS)}")


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and abs(float(value)) < 1e18


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureRequest:
    """One frame that is asked for.

    Attributes
    ----------
    controls : CaptureControls
        What is set by hand.
    target : Target
        How far it is processed.
    zero_shutter_lag : bool
        Take the newest frame of the ring buffer that is focused and well exposed, instead of a new
        one; a new one if there is none.
    tag : Any
        Comes back with the result.
    """

    controls: CaptureControls = CaptureControls()
    target: Target = Target.STILL
    zero_shutter_lag: bool = False
    tag: Any = None

    def __post_init__(self) -> None:
        if self.target not in tuple(Target):
            raise RequestError(f"target {self.target!r} does not exist{hint(self.target, Target)}")
        object.__setattr__(self, "target", Target(self.target))


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameMetadata:
    """What the camera says about a frame.

    Attributes
    ----------
    sensor_timestamp_ns : int
        Start of the exposure of the first row.
    exposure_time_ns, frame_duration_ns, rolling_shutter_skew_ns : int
        Of the exposure; the skew is from the first row to the last.
    sensitivity : int
        ISO.
    focus_distance_dpt : float
        Where the lens was in the middle of the exposure.
    lens_state : str
        `stationary` or `moving`.
    ae_state, af_state, awb_state : str
        As in Camera2: `inactive`, `searching`, `converged`, `locked`; autofocus has `scanning`,
        `focused` and `not_focused` as well.
    white_balance : (float, float)
        Gains of red and blue relative to green.
    focal_length_mm, f_number : float
        Of the lens.
    mean_luma, sharpness : float
        Statistics of the frame: mean in linear light, 1 at white, and contrast in the window of
        autofocus.
    noise_profile : (float, float)
        Variance of the noise of a RAW value in [0, 1] is the first times the value plus the second.
    """

    sensor_timestamp_ns: int
    exposure_time_ns: int
    frame_duration_ns: int
    rolling_shutter_skew_ns: int
    sensitivity: int
    focus_distance_dpt: float
    lens_state: Literal["stationary", "moving"] = "stationary"
    ae_state: str = "inactive"
    af_state: str = "inactive"
    awb_state: str = "inactive"
    white_balance: tuple[float, float] = (1.0, 1.0)
    focal_length_mm: float = 0.0
    f_number: float = 0.0
    mean_luma: float = 0.0
    sharpness: float = 0.0
    noise_profile: tuple[float, float] = (0.0, 0.0)


class FailureReason(StrEnum):
    """Why a request ended without a result."""

    DROPPED = "dropped"  # a newer preview frame came before this one could be processed
    LOST = "lost"  # the sensor lost the frame
    ERROR = "error"  # a stage failed; the message says which
    FLUSHED = "flushed"  # before its exposure, by `flush`
    CLOSED = "closed"  # the camera was closed


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The exposure of a frame has begun."""

    request_id: int
    frame_number: int
    sensor_timestamp_ns: int
    repeating: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Partial:
    """Partial result: the metadata of a frame whose picture is still processed."""

    request_id: int
    request: CaptureRequest
    frame_number: int
    metadata: FrameMetadata
    repeating: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Result:
    """A request that ended well. What its target does not include is None."""

    request_id: int
    request: CaptureRequest
    repeating: bool
    frame_number: int
    metadata: FrameMetadata
    ended_s: float  # virtual time of its delivery
    raw: RawFrame | None = field(default=None, repr=False)
    picture: Capture | None = field(default=None, repr=False)
    shown: Shown | None = field(default=None, repr=False)
    shot: Shot | None = None
    device: Device | None = field(default=None, repr=False)  # of a RAW frame

    def save_raw(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the RAW frame as a DNG with its metadata.

        Raises
        ------
        OutputError
            If there is none, or the file cannot be written.
        """
        if self.raw is None or self.device is None:
            raise OutputError(f"{path}: frame {self.frame_number} has no RAW")
        white_balance = self.metadata.white_balance
        write_raw_frame(path, self.raw, self.device, white_balance, overwrite=overwrite)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A request that ended without a result; `frame_number` is None before its exposure."""

    request_id: int
    request: CaptureRequest
    repeating: bool
    frame_number: int | None
    reason: FailureReason
    message: str
    ended_s: float


CameraEvent = Started | Partial | Result | Failure


class CaptureFailedError(Exception):
    """A request ended without a result; `failure` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"request {failure.request_id}: {failure.reason}: {failure.message}")
        self.failure = failure
