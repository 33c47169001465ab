"""Primaries and white points: code points of ITU-T H.273, and matrices between colour spaces."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]

SAME = 2e-3  # chromaticities that differ by less are the same primaries, written with few digits
MIN_Y = 1e-3  # of a chromaticity; below, XYZ of the primary is not defined
MIN_DETERMINANT = 1e-6  # of a matrix of primaries; below, they lie on one line
D50 = np.array([0.9642, 1.0, 0.8249])  # XYZ of the white of ICC profiles
BRADFORD = np.array(  # cone responses for chromatic adaptation (Lam 1985; ICC.1:2022, annex E)
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


class Primaries(NamedTuple):
    """Chromaticities x, y of white, red, green and blue."""

    white: tuple[float, float]
    red: tuple[float, float]
    green: tuple[float, float]
    blue: tuple[float, float]


D65 = (0.3127, 0.3290)
BT709 = Primaries(D65, (0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
ADOBE_RGB = Primaries(D65, (0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
BT2020 = Primaries(D65, (0.708, 0.292), (0.170, 0.797), (0.131, 0.046))
DISPLAY_P3 = Primaries(D65, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
SMPTE170M = Primaries(D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070))

UNSPECIFIED = 2
H273_PRIMARIES = {  # ITU-T H.273, table 2
    1: BT709,
    4: Primaries((0.310, 0.316), (0.67, 0.33), (0.21, 0.71), (0.14, 0.08)),
    5: Primaries(D65, (0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),
    6: SMPTE170M,
    7: SMPTE170M,
    9: BT2020,
    11: Primaries((0.314, 0.351), (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    12: DISPLAY_P3,
    22: Primaries(D65, (0.630, 0.340), (0.295, 0.605), (0.155, 0.077)),
}


def same(one: Primaries, other: Primaries) -> bool:
    """Whether two sets of primaries are one, but for rounding."""
    return bool(np.abs(np.subtract(one, other)).max() < SAME)


def xyz(chromaticity: tuple[float, float]) -> Matrix:
    """XYZ with Y = 1."""
    x, y = chromaticity
    if y < MIN_Y:
        raise ValueError(f"chromaticity {x:g},{y:g} has no luminance")
    return np.array([x / y, 1.0, (1 - x - y) / y])


def to_xyz(primaries: Primaries) -> Matrix:
    """Matrix from linear RGB to XYZ, white at Y = 1; ValueError where primaries span no space."""
    columns = np.stack([xyz(each) for each in primaries[1:]], axis=1)
    if not np.isfinite(columns).all() or abs(np.linalg.det(columns)) < MIN_DETERMINANT:
        raise ValueError("its primaries lie on one line")
    return np.asarray(columns * np.linalg.solve(columns, xyz(primaries.white)))


def adaptation(white: Matrix) -> Matrix:
    """Bradford's chromatic adaptation from a white, XYZ, to D50."""
    gain = (BRADFORD @ D50) / (BRADFORD @ white)
    return np.asarray(np.linalg.solve(BRADFORD, gain[:, None] * BRADFORD))


def to_srgb_primaries(primaries: Primaries) -> Matrix:
    """Matrix from linear RGB of these primaries to those of sRGB; white stays white."""
    source = adaptation(xyz(primaries.white)) @ to_xyz(primaries)
    target = adaptation(xyz(D65)) @ to_xyz(BT709)
    return np.asarray(np.linalg.solve(target, source))
