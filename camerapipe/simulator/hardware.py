"""Sensor and lens of a device profile, for the forward model."""

from __future__ import annotations

import math
from typing import NamedTuple

from camerapipe.simulator.requests import NS
from camerapipe.stream.profile import Profile
from stages.forward import Optics, Sensor
from stages.optics import Lens

LEAST_EXPOSURE_S = 1e-5
REFERENCE_PITCH_UM = 5.0  # of the default sensor, whose noise is scaled to other sizes of a pixel


def sensor_of(profile: Profile, size: tuple[int, int]) -> Sensor:
    """The sensor of a profile, binned to a size (width, height)."""
    pitch_um = profile.sensor.width_mm * 1000 / size[0]
    factor, known = pitch_um / REFERENCE_PITCH_UM, Sensor()
    return Sensor(
        rows=size[1],
        cols=size[0],
        pitch_um=pitch_um,
        full_well_e=known.full_well_e * factor**2,
        read_before_e=known.read_before_e * factor,
        read_after_codes=known.read_after_codes / factor,
        readout_ms=profile.sensor.readout_ms,
    )


def optics_of_profile(profile: Profile, size: tuple[int, int]) -> Optics:
    """The lens of a profile before a sensor of this shape."""
    lens, width_mm = profile.lens, profile.sensor.width_mm
    diagonal_mm = math.hypot(width_mm, width_mm * size[1] / size[0])
    return Optics(
        lens=Lens(
            focal_length_mm=lens.focal_length_mm,
            f_number=lens.f_number,
            sensor_diagonal_mm=diagonal_mm,
        ),
        nearest_focus_m=lens.nearest_focus_m,
    )


class ControlRanges(NamedTuple):
    """Lowest and highest value of what can be set by hand, as in `CaptureControls`."""

    exposure_time_ns: tuple[int, int]
    sensitivity: tuple[int, int]
    focus_distance_dpt: tuple[float, float]


def control_ranges(profile: Profile, size: tuple[int, int]) -> ControlRanges:
    """What the sensor (width, height) and the lens of a profile allow."""
    return ControlRanges(
        exposure_time_ns=(round(LEAST_EXPOSURE_S * NS), round(NS / profile.sensor.fps)),
        sensitivity=sensor_of(profile, size).sensitivity_range,
        focus_distance_dpt=(0.0, optics_of_profile(profile, size).nearest_dpt),
    )
