"""A camera module before a scene: lens, sensor and 3A of `stages`, put together.

Statistics come from a binned frame of at most `STATISTICS_PX` columns and from a window of the
sensor, and never from the picture. Exposure, focus and metadata are therefore the same whether
pixels are asked for or not. 3A learns from a frame when its last row has been read, and sets the
next exposure that begins.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np

from camerapipe.capture import Capture, CaptureMeta, Sourced
from camerapipe.ingest.dng.raw_frame import Device
from camerapipe.simulator.hardware import control_ranges, optics_of_profile, sensor_of
from camerapipe.simulator.module import Exposure
from camerapipe.simulator.requests import NS, CaptureControls, FrameMetadata
from camerapipe.simulator.scenes import Scene
from camerapipe.stream.profile import Profile
from stages import forward
from stages.control import (
    AutoExposureParams,
    AutoExposureState,
    AutoFocusParams,
    AutoFocusState,
    ExposureLimits,
    Statistics,
    WhiteBalanceParams,
    WhiteBalanceState,
    focus_window,
    measure_light,
    measure_sharpness,
    split_exposure,
    start_focus,
    step_auto_exposure,
    step_auto_focus,
    step_white_balance,
)
from stages.control.auto_focus import AutoFocusMode
from stages.forward import Actuator, FocusMotion, RawFrame, Sensor, capture_raw
from stages.isp import develop_raw

T = TypeVar("T")

STATISTICS_PX = 160  # columns of the frame of the statistics
FULL_SCALE = 65536
CENTRE = (0.5, 0.5)
LIGHT, FOCUS, PIXELS = range(3)  # seeds of the noise of statistics and picture


class Settled(NamedTuple):
    """How a frame was exposed."""

    exposure: forward.Exposure
    focus_dpt: float
    moving: bool
    controls: CaptureControls


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreeA:
    """Auto-exposure, autofocus and auto white balance, each replaceable by a step of its form."""

    step_exposure: Callable[..., AutoExposureState] = step_auto_exposure
    step_focus: Callable[..., AutoFocusState] = step_auto_focus
    step_colour: Callable[..., WhiteBalanceState] = step_white_balance
    exposure: AutoExposureParams = AutoExposureParams()
    focus: AutoFocusParams = AutoFocusParams()
    colour: WhiteBalanceParams = WhiteBalanceParams()


class SceneModule:
    """Scene, lens, sensor and 3A.

    Parameters
    ----------
    scene : Scene
        What it sees.
    profile : Profile
        Lens, sensor and actuator.
    size : (width, height)
        Pixels of the sensor that are read, even numbers.
    seed : int
        Of the noise.
    control : ThreeA
        The algorithms of 3A.
    """

    def __init__(
        self,
        scene: Scene,
        profile: Profile,
        *,
        size: tuple[int, int],
        seed: int = 0,
        control: ThreeA | None = None,
    ) -> None:
        self.scene, self.profile, self.size = scene, profile, size
        self.sensor, self.optics = sensor_of(profile, size), optics_of_profile(profile, size)
        self.actuator = profile.actuator
        self.frame_s = 1 / profile.sensor.fps
        self._seed, self._control = seed, control or ThreeA()
        ranges = control_ranges(profile, size)
        self._limits = ExposureLimits(*ranges.exposure_time_ns, *ranges.sensitivity)
        self._device = Device("camerapipe", profile.name, self.optics, profile.sensor.fps)
        self._binned = self.sensor.binned(max(-(-size[0] // STATISTICS_PX), 1))
        self._motion = FocusMotion()
        self._exposure = AutoExposureState(iso=self.sensor.sensitivity_range[0])
        self._focus = start_focus(self.optics.nearest_dpt, self._control.focus)
        self._colour = WhiteBalanceState()
        self._compensation_ev = 0.0  # that the loop of auto-exposure has in its state
        self._point: tuple[float, float] | None = None  # that autofocus aims at
        self._trigger = 0

    @property
    def name(self) -> str:
        """Name of the scenery."""
        return self.scene.scenery.name

    def settle_s(self, controls: CaptureControls, at_s: float) -> float:
        """When the lens will have settled where the controls want it."""
        if controls.focus_distance_dpt is None:
            return at_s
        motion = self.actuator.command(self._motion, self._goal_dpt(controls), at_s)
        self._motion = motion  # it moves while the sensor waits
        return _settled_s(self.actuator, motion, at_s)

    def begin(self, controls: CaptureControls, number: int, at_s: float) -> Exposure:
        """Begin an exposure with what 3A wants now, or what is set by hand."""
        self._aim(controls)
        self._motion = self.actuator.command(self._motion, self._goal_dpt(controls), at_s)
        time_ns, iso = self._exposure_for(controls)
        exposure = forward.Exposure(time_ns / NS, float(iso))
        middle_s = at_s + exposure.time_s / 2 + self.sensor.readout_ms / 2000
        settled = Settled(
            exposure,
            self.actuator.position_dpt(self._motion, middle_s),
            self.actuator.is_moving(self._motion, middle_s),
            controls,
        )
        gains = controls.white_balance or (self._colour.red, self._colour.blue)
        return Exposure(
            number=number,
            start_s=at_s,
            exposure_s=exposure.time_s,
            readout_s=self.sensor.readout_ms / 1000,
            duration_s=max(self.frame_s, exposure.time_s),
            raw=partial(self._raw, settled, at_s, number),
            device=self._device,
            develop=partial(self._develop, settled, number, gains),
            state=(settled, gains),
        )

    def finish(self, exposure: Exposure) -> FrameMetadata:
        """Measure a frame, let 3A learn from it, and describe it."""
        settled, gains = exposure.state
        controls: CaptureControls = settled.controls
        measured = self._measure(settled, exposure)
        self._learn(controls, measured)
        time_s = settled.exposure.time_s
        manual = controls.exposure_time_ns is not None and controls.sensitivity is not None
        return FrameMetadata(
            sensor_timestamp_ns=round(exposure.start_s * NS),
            exposure_time_ns=round(time_s * NS),
            frame_duration_ns=round(exposure.duration_s * NS),
            rolling_shutter_skew_ns=round(exposure.readout_s * NS),
            sensitivity=round(settled.exposure.iso),
            focus_distance_dpt=settled.focus_dpt,
            lens_state="moving" if settled.moving else "stationary",
            ae_state="inactive" if manual else str(self._exposure.mode),
            af_state="inactive" if controls.focus_distance_dpt is not None
            else self._focus_state(settled),
            awb_state="inactive" if controls.white_balance else str(self._colour.mode),
            white_balance=gains,
            focal_length_mm=self.profile.lens.focal_length_mm,
            f_number=self.profile.lens.f_number,
            mean_luma=measured.light.mean / FULL_SCALE,
            sharpness=float(measured.sharpness),
            noise_profile=self.sensor.noise_profile(self.sensor.gain_at(settled.exposure.iso)),
        )  # fmt: skip

    def _focus_state(self, settled: Settled) -> str:
        """State of autofocus for a frame: it is focused when the lens has arrived."""
        mode, rest_dpt = self._focus.mode, abs(settled.focus_dpt - self._focus.goal_dpt)
        if mode is AutoFocusMode.FOCUSED and rest_dpt > self.actuator.tolerance_dpt:
            mode = AutoFocusMode.SCANNING
        return str(mode)

    def _goal_dpt(self, controls: CaptureControls) -> float:
        if controls.focus_distance_dpt is None:
            return self._focus.goal_dpt
        return min(controls.focus_distance_dpt, self.optics.nearest_dpt)

    def _aim(self, controls: CaptureControls) -> None:
        """Start another sweep if autofocus is given another point, or triggered."""
        aim = controls.focus_point, controls.focus_trigger
        if aim != (self._point, self._trigger):
            self._point, self._trigger = aim
            self._focus = start_focus(self.optics.nearest_dpt, self._control.focus)

    def _exposure_for(self, controls: CaptureControls) -> tuple[int, int]:
        """Exposure time in ns and ISO of the next frame.

        What is set by hand is brought into the range of the sensor, as Camera2 does it. A time
        longer than a frame makes the frame longer.
        """
        time_ns, iso = controls.exposure_time_ns, controls.sensitivity
        if time_ns is not None:
            time_ns = max(time_ns, self._limits.least_ns)
        if iso is not None:
            iso = min(max(iso, self._limits.least_iso), self._limits.most_iso)
        if time_ns is not None and iso is not None:
            return time_ns, iso
        bracket_ev = controls.exposure_compensation_ev - self._compensation_ev
        if time_ns is None and iso is None and not (controls.ae_lock and bracket_ev):
            return self._exposure.exposure_ns, self._exposure.iso
        state, least = self._exposure, self._limits
        ev = math.log2(state.exposure_ns / NS * state.iso)
        if controls.ae_lock:
            ev += bracket_ev
        return split_exposure(ev, least, self._control.exposure, time_ns, iso)

    def _learn(self, controls: CaptureControls, measured: Statistics) -> None:
        """Let 3A learn from a frame, as far as nothing is set by hand."""
        control = self._control
        if controls.exposure_time_ns is None or controls.sensitivity is None:
            exposed = control.step_exposure(
                self._exposure, measured, self._limits, control.exposure,
                compensation_ev=controls.exposure_compensation_ev, locked=controls.ae_lock,
                exposure_ns=controls.exposure_time_ns, iso=controls.sensitivity,
            )  # fmt: skip
            self._exposure = _checked("step_exposure", exposed, AutoExposureState)
            if not controls.ae_lock:
                self._compensation_ev = controls.exposure_compensation_ev
        if controls.focus_distance_dpt is None:
            focused = control.step_focus(
                self._focus, measured, self.optics.nearest_dpt, control.focus
            )
            self._focus = _checked("step_focus", focused, AutoFocusState)
        if controls.white_balance is None:
            coloured = control.step_colour(
                self._colour, measured.light, control.colour, locked=controls.awb_lock
            )
            self._colour = _checked("step_colour", coloured, WhiteBalanceState)

    def _measure(self, settled: Settled, exposure: Exposure) -> Statistics:
        """Statistics of a frame."""
        light = self._capture(settled, exposure.start_s, (exposure.number, LIGHT), self._binned)
        rows, cols = focus_window(self.sensor)
        window = self.sensor.window(self._focus_place(), rows, cols)
        detail = self._capture(
            settled, exposure.start_s, (exposure.number, FOCUS), self.sensor, window
        )
        gain = self.sensor.gain_at(settled.exposure.iso)
        return Statistics(
            light=measure_light(light.mosaic, self._binned),
            sharpness=measure_sharpness(detail.mosaic, self.sensor, gain),
            exposure_ns=round(settled.exposure.time_s * NS),
            iso=round(settled.exposure.iso),
            focus_dpt=settled.focus_dpt,
            lens_moving=settled.moving,
        )

    def _focus_place(self) -> tuple[float, float]:
        """Where autofocus aims: (y, x) as shares of the picture."""
        if self._point is None:
            return CENTRE
        width, height = self.size
        return self._point[1] / height, self._point[0] / width

    def _raw(self, settled: Settled, at_s: float, number: int) -> RawFrame:
        return self._capture(settled, at_s, (number, PIXELS), self.sensor)

    def _capture(
        self, settled: Settled, at_s: float, key: tuple[int, int], sensor: Sensor, view: Any = None
    ) -> RawFrame:
        seed = int(np.random.SeedSequence([self._seed, *key]).generate_state(1)[0])
        return capture_raw(
            self.scene.scenery, self.scene.pose, self.optics, settled.focus_dpt, sensor,
            settled.exposure, at_s, seed, view,
        )  # fmt: skip

    def _develop(
        self,
        settled: Settled,
        number: int,
        gains: tuple[float, float],
        raw: RawFrame | None,
    ) -> Capture:
        assert raw is not None
        linear = develop_raw(raw.mosaic, self.sensor, gains)
        return Capture(
            name=f"{self.name}_{number:06d}",
            linear=linear,
            kind="raw",
            bit_depth=self.sensor.bits,
            meta=self._meta(settled),
        )

    def _meta(self, settled: Settled) -> CaptureMeta:
        source = f"camera {self.profile.name}"
        meta = replace(
            self.profile.meta(),
            exposure_s=Sourced(settled.exposure.time_s, source),
            iso=Sourced(settled.exposure.iso, source),
        )
        if settled.focus_dpt > 0:
            distance_m = Sourced(1 / settled.focus_dpt, source)
            meta = replace(meta, subject_distance_m=distance_m)
        return meta


def _checked(name: str, state: T, kind: type[T]) -> T:
    """A state of 3A, which may come from a function of the app."""
    if not isinstance(state, kind):
        raise TypeError(f"{name} gave {state!r}; expected {kind.__name__}")
    return state


def _settled_s(actuator: Actuator, motion: FocusMotion, at_s: float) -> float:
    """When a movement has come to rest: the first millisecond, as a driver polls."""
    waited_ms = 0
    while actuator.is_moving(motion, at_s + waited_ms / 1000):
        waited_ms += 1
    return at_s + waited_ms / 1000
