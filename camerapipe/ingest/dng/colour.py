"""Colour of a DNG: from camera values to linear sRGB, by its matrices for one or two illuminants.

Chapter 6 of the DNG specification, "Mapping Camera Color Space to CIE XYZ Space". The matrices of
two illuminants are interpolated in the inverse colour temperature of the white of the scene. That
white is searched iteratively, because the matrix that converts camera values to XYZ depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from camerapipe.ingest.colorimetry import BT709, D50, D65, Matrix, adaptation, to_xyz, xyz

D50_XY = (0.3457, 0.3585)
TEMPERATURES_K = {  # of EXIF light sources, as the DNG specification and ISO 12232 use them
    1: 5500, 2: 4150, 3: 2850, 4: 5500, 9: 5500, 10: 6500, 11: 7500, 12: 6400, 13: 5050, 14: 4150,
    15: 3525, 16: 2940, 17: 2856, 18: 4874, 19: 6774, 20: 5503, 21: 6504, 22: 7504, 23: 5003,
    24: 3200,
}  # fmt: skip
MAX_STEPS, CLOSE = 30, 1e-7  # of the search for the white, in chromaticities
LEAST = 1e-6  # of a neutral value or a determinant

Chromaticity = tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Matrices of one illuminant, 3x3.

    `colour` is ColorMatrix, from XYZ to the reference camera. `camera` is AnalogBalance times
    CameraCalibration, from the reference camera to this one. `forward` is ForwardMatrix, from
    white-balanced reference camera values to XYZ (D50), or None. `temperature_k` is None if the
    illuminant is unknown.
    """

    temperature_k: float | None
    colour: Matrix
    camera: Matrix
    forward: Matrix | None = None

    def mixed(self, other: Calibration, weight: float) -> Calibration:
        """Interpolate all matrices; `weight` in [0, 1] is that of this calibration."""

        def mix(one: Matrix, two: Matrix) -> Matrix:
            return one * weight + two * (1 - weight)

        forwards = [each for each in (self.forward, other.forward) if each is not None]
        return Calibration(
            temperature_k=None,
            colour=mix(self.colour, other.colour),
            camera=mix(self.camera, other.camera),
            forward=mix(forwards[0], forwards[-1]) if forwards else None,
        )


@dataclass(frozen=True, slots=True, eq=False)
class CameraColour:
    """What a DNG says of colour: one or two calibrations, and the white of the scene.

    The white is given as camera values of a neutral object (`neutral`), or as chromaticity; if
    both are None, it is D50.
    """

    calibrations: tuple[Calibration, ...]
    neutral: Matrix | None = None
    white_xy: Chromaticity | None = None

    def at(self, white_xy: Chromaticity) -> Calibration:
        """Calibration for the white of a scene, interpolated in the inverse temperature."""
        first = self.calibrations[0]
        if len(self.calibrations) < 2:
            return first
        low, high = self.calibrations[:2]
        if low.temperature_k is None or high.temperature_k is None:
            return first
        if low.temperature_k > high.temperature_k:
            low, high = high, low
        warm, cold = 1 / low.temperature_k, 1 / high.temperature_k  # type: ignore[operator]
        if warm == cold:
            return first
        weight = (1 / temperature_k(white_xy) - cold) / (warm - cold)
        return low.mixed(high, float(np.clip(weight, 0, 1)))

    def white(self) -> tuple[Matrix, Chromaticity]:
        """Camera values of a neutral object, largest 1, and the chromaticity of the white.

        Raises
        ------
        ValueError
            If a value of the neutral is not positive, or a matrix is singular.
        """
        if self.neutral is not None:
            neutral = self.neutral
            xy = self.white_xy or self._white_of(neutral)
        else:
            xy = self.white_xy or D50_XY
            found = self.at(xy)
            neutral = found.camera @ found.colour @ xyz(xy)
        if not np.isfinite(neutral).all() or neutral.min() < LEAST * abs(neutral).max():
            raise ValueError("its neutral colour is not positive")
        return neutral / neutral.max(), xy

    def _white_of(self, neutral: Matrix) -> Chromaticity:
        """Chromaticity whose matrix gives these camera values, by fixed-point iteration."""
        xy = D50_XY
        for step in range(MAX_STEPS):
            found = self.at(xy)
            white = np.linalg.solve(found.camera @ found.colour, neutral)
            total = float(white.sum())
            if not np.isfinite(white).all() or total < LEAST or white[1] < LEAST * total:
                raise ValueError("its neutral colour is no possible white")
            new = float(white[0]) / total, float(white[1]) / total
            if abs(new[0] - xy[0]) + abs(new[1] - xy[1]) < CLOSE:
                return new
            last = step == MAX_STEPS - 1  # it may alternate between two values: take their mean
            xy = ((xy[0] + new[0]) / 2, (xy[1] + new[1]) / 2) if last else new
        return xy


def temperature_k(xy: Chromaticity) -> float:
    """Correlated colour temperature: that of the nearest black body in CIE 1960 u, v.

    Parameters
    ----------
    xy : (float, float)
        Chromaticity.

    Returns
    -------
    float
        Kelvin, from 1000 to 15000.

    References
    ----------
    M. Krystek, "An algorithm to calculate correlated colour temperature", Color Research and
    Application 10, 1985: rational functions of the black body. They are within 3 K here up to
    6500 K.
    """
    scale = 12 * xy[1] - 2 * xy[0] + 3
    distance = (LOCUS_U - 4 * xy[0] / scale) ** 2 + (LOCUS_V - 6 * xy[1] / scale) ** 2
    place = int(np.clip(distance.argmin(), 1, len(MIREDS) - 2))
    before, here, after = distance[place - 1 : place + 2]  # their parabola is the minimum
    curvature = before - 2 * here + after
    shift = (before - after) / (2 * curvature) if curvature > 0 else 0.0
    step = MIREDS[1] - MIREDS[0]
    return float(1e6 / (MIREDS[place] + np.clip(shift, -1, 1) * step))


def _black_body(kelvin: Matrix) -> tuple[Matrix, Matrix]:
    """CIE 1960 u and v of black bodies."""
    u = (0.860117757 + 1.54118254e-4 * kelvin + 1.28641212e-7 * kelvin**2) / (
        1 + 8.42420235e-4 * kelvin + 7.08145163e-7 * kelvin**2
    )
    v = (0.317398726 + 4.22806245e-5 * kelvin + 4.20481691e-8 * kelvin**2) / (
        1 - 2.89741816e-5 * kelvin + 1.61456053e-7 * kelvin**2
    )
    return u, v


MIREDS = np.arange(1e6 / 15_000, 1000.5, 0.5)  # 1e6 / kelvin
LOCUS_U, LOCUS_V = _black_body(1e6 / MIREDS)


class Balanced(NamedTuple):
    """How camera values become linear sRGB.

    `neutral` are the camera values of a neutral object, 3, largest 1. `matrix` is 3x3, from camera
    values divided by `neutral` to linear sRGB; (1, 1, 1) gives (1, 1, 1). `from_xyz` is 3x3, from
    XYZ to camera values.
    """

    neutral: Matrix
    matrix: Matrix
    from_xyz: Matrix


def balanced_to_srgb(colour: CameraColour) -> Balanced:
    """Neutral and matrices of a camera, for the white of the scene.

    Parameters
    ----------
    colour : CameraColour
        Matrices and white of a DNG.

    Returns
    -------
    Balanced
        White balance, and the matrix that follows it.

    Raises
    ------
    ValueError
        If the matrices are singular, or the white is impossible.
    """
    neutral, xy = colour.white()
    found = colour.at(xy)
    from_xyz = found.camera @ found.colour
    if found.forward is not None:
        reference = np.linalg.solve(found.camera, np.diag(neutral))
        whitened = reference / reference.sum(axis=1, keepdims=True)  # D of the specification
        to_d50 = _to_white(found.forward) @ whitened
    else:
        to_d50 = adaptation(xyz(xy)) @ np.linalg.solve(
            found.camera @ found.colour, np.diag(neutral)
        )
    matrix = np.linalg.solve(adaptation(xyz(D65)) @ to_xyz(BT709), to_d50)
    rows = matrix.sum(axis=1, keepdims=True)
    if not np.isfinite(matrix).all() or rows.min() < LEAST:
        raise ValueError("its colour matrices are singular")
    return Balanced(neutral, matrix / rows, from_xyz)  # rounding of the tags must not tint white


def _to_white(forward: Matrix) -> Matrix:
    """Forward matrix, scaled so that (1, 1, 1) gives D50."""
    sums = forward.sum(axis=1)
    if abs(sums).min() < LEAST:
        raise ValueError("its forward matrix is singular")
    return np.asarray((D50 / sums)[:, None] * forward)
