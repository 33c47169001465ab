"""What opcodes do to a picture: functions of float32 arrays, H x W x P, with values in [0, 1].

Pixel coordinates are those of the picture that an opcode list belongs to: the stored one for list
1, the active area for lists 2 and 3. Chapter 7 of the DNG specification.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from camerapipe.ingest.dng.opcodes import (
    BadPixels,
    Correction,
    Curve,
    GainMap,
    Lines,
    Region,
    Vignette,
    Warp,
)
from stages.params import Array
from stages.strips import run_strips

WARP_ROWS = 256  # rows of coordinates in memory at a time
CODES = 65535  # of a stored picture, for FixBadPixelsConstant
SAME_COLOUR = [(-2, 0), (2, 0), (0, -2), (0, 2), (-2, -2), (-2, 2), (2, -2), (2, 2)]  # in Bayer
MAX_PASSES = 64  # of filling a defective area from its border, two pixels deep each
MAX_BAD_SHARE = 0.05  # of all pixels; more are damage of the list


class _Steps(NamedTuple):
    """Linear interpolation on a grid: lower and upper index, and the weight of the upper one."""

    low: npt.NDArray[np.intp]
    high: npt.NDArray[np.intp]
    weight: Array


def corrected(picture: Array, corrections: Iterable[Correction]) -> Array:
    """Apply corrections in order.

    Parameters
    ----------
    picture : Array
        H x W x P, float32 in [0, 1]. It may be changed.
    corrections : iterable of Correction
        Of one opcode list.

    Returns
    -------
    Array
        The corrected picture: the same array, or a new one after a warp.
    """
    for each in corrections:
        if isinstance(each, GainMap):
            apply_gain_map(picture, each)
        elif isinstance(each, Warp):
            picture = warped(picture, each)
        elif isinstance(each, Vignette):
            apply_vignette(picture, each)
        elif isinstance(each, BadPixels):
            replace_bad_pixels(picture, each)
        elif isinstance(each, Curve):
            apply_curve(picture, each)
        else:
            apply_lines(picture, each)
    return picture


def apply_gain_map(picture: Array, gain: GainMap) -> None:
    """Multiply by a gain that is interpolated bilinearly; values above 1 become 1."""
    target = _pixels(picture, gain.region)
    points = gain.gains.shape
    down = _steps(gain, 0, picture.shape[0], target.shape[0], points[0])
    along = _steps(gain, 1, picture.shape[1], target.shape[1], points[1])
    for index in range(target.shape[2]):
        plane = gain.gains[..., min(gain.region.plane + index, points[2] - 1)]

        def multiplied(
            start: int, stop: int, plane: Array = plane, out: Array = target[..., index]
        ) -> None:
            low, high, weight = (each[start:stop] for each in down)
            lines = plane[low] + (plane[high] - plane[low]) * weight[:, None]
            gains = lines[:, along.low]
            gains += (lines[:, along.high] - gains) * along.weight
            np.minimum(out[start:stop] * gains, 1, out=out[start:stop])

        run_strips(multiplied, target.shape[0])


def apply_vignette(picture: Array, vignette: Vignette) -> None:
    """Multiply by 1 + k0 r^2 + ... + k4 r^10, where r is 1 at the farthest corner."""
    x, y, _ = _from_centre(picture, vignette.centre)

    def multiplied(start: int, stop: int) -> None:
        square = y[start:stop, None] ** 2 + x**2
        gain = np.zeros_like(square)
        for coefficient in vignette.coefficients[::-1]:
            gain = (gain + coefficient) * square
        part = picture[start:stop]
        np.clip(part * (1 + gain)[..., None], 0, 1, out=part, casting="same_kind")

    run_strips(multiplied, len(picture))


def warped(picture: Array, warp: Warp) -> Array:
    """Correct lens distortion: each pixel is read from where the lens has put it."""
    planes = picture.shape[2]
    coefficients = warp.coefficients[np.minimum(np.arange(planes), len(warp.coefficients) - 1)]
    if (coefficients == coefficients[0]).all():
        return _remapped(picture, coefficients[0], warp.centre)
    parts = [
        _remapped(np.ascontiguousarray(picture[..., i : i + 1]), coefficients[i], warp.centre)
        for i in range(planes)
    ]
    return np.concatenate(parts, axis=2)


def replace_bad_pixels(picture: Array, bad: BadPixels) -> None:
    """Replace defective pixels by the mean of the nearest neighbours that have their colour.

    Neighbours are two pixels away, as in a Bayer mosaic.

    Parameters
    ----------
    picture : Array
        H x W x P, codes divided by 65535. It is changed.
    bad : BadPixels
        Which pixels. Areas and points outside of the picture are ignored.

    Raises
    ------
    ValueError
        If there are so many that the list must be damaged.
    """
    for plane in np.moveaxis(picture, 2, 0):
        mask = np.zeros(plane.shape, bool)
        if bad.constant is not None:
            mask |= np.rint(plane * CODES) == bad.constant
        rows, columns = bad.points.T
        inside = (rows < plane.shape[0]) & (columns < plane.shape[1])
        mask[rows[inside], columns[inside]] = True
        for area in bad.areas:
            area.of(mask)[...] = True
        if mask.mean() > MAX_BAD_SHARE:
            raise ValueError("its list of defective pixels is damaged")
        _fill(plane, mask)


def _fill(plane: Array, mask: npt.NDArray[np.bool_]) -> None:
    """Fill the pixels of a mask from its border to its centre."""
    height, width = plane.shape
    rows, columns = np.nonzero(mask)
    for _ in range(MAX_PASSES):
        total, count = np.zeros(len(rows), np.float32), np.zeros(len(rows), np.float32)
        for down, right in SAME_COLOUR:
            y, x = rows + down, columns + right
            inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
            y, x = np.where(inside, y, 0), np.where(inside, x, 0)
            good = inside & ~mask[y, x]
            total += np.where(good, plane[y, x], 0)
            count += good
        filled = count > 0
        plane[rows[filled], columns[filled]] = total[filled] / count[filled]
        mask[rows[filled], columns[filled]] = False
        rows, columns = rows[~filled], columns[~filled]
        if not len(rows) or not filled.any():
            return


def apply_curve(picture: Array, curve: Curve) -> None:
    """Map values by a table or a polynomial."""
    target = _pixels(picture, curve.region)

    def mapped(start: int, stop: int) -> None:
        part = target[start:stop]
        if curve.table is not None:
            part[...] = curve.table[np.rint(part * (len(curve.table) - 1)).astype(np.intp)]
            return
        value = np.zeros(part.shape, np.float64)
        for coefficient in curve.polynomial[::-1]:
            value = value * part + coefficient
        np.clip(value, 0, 1, out=part, casting="same_kind")

    run_strips(mapped, len(target))


def apply_lines(picture: Array, lines: Lines) -> None:
    """Add to, or multiply, each row or column."""
    target = _pixels(picture, lines.region)
    axis = 0 if lines.of_rows else 1
    values = lines.values[: target.shape[axis]]
    target = target[: len(values)] if lines.of_rows else target[:, : len(values)]
    along = values[:, None, None] if lines.of_rows else values[:, None]
    np.clip(target * along if lines.scale else target + along, 0, 1, out=target)


def _pixels(picture: Array, region: Region) -> Array:
    """Pixels of a region (a view)."""
    part = region.area.of(picture)[:: region.row_pitch, :: region.column_pitch]
    return part[..., region.plane : region.plane + region.planes]


def _steps(gain: GainMap, axis: int, size: int, count: int, points: int) -> _Steps:
    """Interpolation of a gain map along one axis: pixel centres in a unit square."""
    first = gain.region.area[axis]
    pitch = (gain.region.row_pitch, gain.region.column_pitch)[axis]
    places = (first + pitch * np.arange(count) + 0.5) / size
    index = np.clip((places - gain.origin[axis]) / gain.spacing[axis], 0, points - 1)
    low = index.astype(np.intp)
    return _Steps(low, np.minimum(low + 1, points - 1), (index - low).astype(np.float32))


def _from_centre(picture: Array, centre: tuple[float, float]) -> tuple[Array, Array, float]:
    """Coordinates of columns and rows from the centre; unit: the farthest corner, in px."""
    height, width = picture.shape[:2]
    x = np.arange(width) - centre[0] * (width - 1)
    y = np.arange(height) - centre[1] * (height - 1)
    unit = float(np.hypot(np.abs(x[[0, -1]]).max(), np.abs(y[[0, -1]]).max())) or 1.0
    return (x / unit).astype(np.float32), (y / unit).astype(np.float32), unit


def _remapped(
    picture: Array, coefficients: npt.NDArray[np.float64], centre: tuple[float, float]
) -> Array:
    """Picture whose pixels are read at the places given by one set of coefficients."""
    x, y, unit = _from_centre(picture, centre)
    k0, k1, k2, k3, t0, t1 = (float(each) for each in coefficients)
    out = np.empty_like(picture)
    for start in range(0, len(picture), WARP_ROWS):
        v = y[start : start + WARP_ROWS, None]
        square = v**2 + x**2
        radial = k0 + square * (k1 + square * (k2 + square * k3))
        product = 2 * v * x
        column = radial * x + t0 * product + t1 * (square + 2 * x**2)
        row = radial * v + t1 * product + t0 * (square + 2 * v**2)
        part = cv2.remap(
            picture,
            ((column - x[0]) * unit).astype(np.float32),
            ((row - y[0]) * unit).astype(np.float32),
            cv2.INTER_LANCZOS4,
            borderMode=cv2.BORDER_REPLICATE,
        )
        out[start : start + WARP_ROWS] = part.reshape(-1, *picture.shape[1:])
    return np.clip(out, 0, 1, out=out)
