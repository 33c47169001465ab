"""How the camera is held, and what moves: functions of time.

The pose is where the camera is and where it looks. A `Tremor` is the shake of a hand as a sum of
sinusoids. Results are rounded to a fine grid, so that the last bit of a sine does not change a
picture from one host to another.

References
----------
ISO 20954-1:2019 and CIPA DC-011 describe hand shake by its angular motion: a slow drift, and a
tremor whose spectrum falls with the frequency and ends near 12 Hz. The amplitudes of the frequency
lines used here follow 1 / frequency.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

FREQUENCIES_HZ = (0.4, 0.7, 1.1, 1.8, 2.9, 4.7, 7.6, 11.3)
LINES_RMS = math.sqrt(sum(0.5 / f**2 for f in FREQUENCIES_HZ))  # of all lines, before scaling
ANGLE_STEP_RAD = 2.0**-28  # far below a thousandth of a pixel
METRE_STEP = 2.0**-28


class Pose(NamedTuple):
    """Position of the camera in m from the origin of the scenery, and its direction in radians.

    `x_m` is to the right, `y_m` down, `forward_m` towards the scenery; `yaw_rad` turns to the
    right, `pitch_rad` down. Angles are small: the picture moves, and does not turn.
    """

    x_m: float = 0.0
    y_m: float = 0.0
    forward_m: float = 0.0
    yaw_rad: float = 0.0
    pitch_rad: float = 0.0


PoseAt = Callable[[float], Pose]


class Offset(NamedTuple):
    """Movement of a thing from its place, m: to the right, down, and away from the camera."""

    x_m: float = 0.0
    y_m: float = 0.0
    away_m: float = 0.0


OffsetAt = Callable[[float], Offset]


def still(pose: Pose = Pose()) -> PoseAt:  # noqa: B008 - an immutable tuple
    """A pose that does not change."""
    return lambda time_s: pose


class Tremor(NamedTuple):
    """Shake of a hand: standard deviation of the angle about each axis, and a seed."""

    rms_rad: float
    seed: int = 0

    def angles(self, time_s: float) -> tuple[float, float]:
        """Yaw and pitch at a time, in radians."""
        yaw, pitch = 0.0, 0.0
        for frequency, across, down in _lines(self.seed):
            yaw += math.sin(2 * math.pi * (frequency * time_s + across)) / frequency
            pitch += math.sin(2 * math.pi * (frequency * time_s + down)) / frequency
        scale = self.rms_rad / LINES_RMS
        return rounded(scale * yaw, ANGLE_STEP_RAD), rounded(scale * pitch, ANGLE_STEP_RAD)

    def shaken(self, pose: PoseAt) -> PoseAt:
        """The same movement of the camera, shaken."""

        def at(time_s: float) -> Pose:
            held, (yaw, pitch) = pose(time_s), self.angles(time_s)
            return held._replace(yaw_rad=held.yaw_rad + yaw, pitch_rad=held.pitch_rad + pitch)

        return at


@lru_cache(maxsize=64)
def _lines(seed: int) -> tuple[tuple[float, float, float], ...]:
    """Frequency of each sinusoid, and its phases in both axes, in [0, 1)."""
    drawn = np.random.default_rng(seed).random((2, len(FREQUENCIES_HZ)))
    return tuple(zip(FREQUENCIES_HZ, *drawn.tolist(), strict=True))


def swing(amplitude_m: float, period_s: float) -> OffsetAt:
    """A thing that swings to the right and back about its place."""
    return lambda time_s: Offset(
        x_m=rounded(amplitude_m * math.sin(2 * math.pi * time_s / period_s), METRE_STEP)
    )


def steps(*changes: tuple[float, float]) -> Callable[[float], float]:
    """A value that changes in steps: pairs of time (s, ascending) and value from then on."""

    def at(time_s: float) -> float:
        value = changes[0][1]
        for since_s, changed in changes:
            if time_s >= since_s:
                value = changed
        return value

    return at


def rounded(value: float, step: float) -> float:
    """A value on a grid."""
    return round(value / step) * step
