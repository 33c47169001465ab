"""Jumps of the radius, found locally on the grid of the blur map.

A map that was solved on cells locates an outline to within one or two cells. Each cell has a near
and a far level. They are weighted means of the radii below and above the midpoint between the
minimum and the maximum of a window, and the weights grow with the distance from the midpoint.

A cell belongs to a jump if the levels differ by more than they do on one surface, and if the radius
does not keep changing beyond the window. The contour of the jump is where the radius crosses the
mean of the two levels. All comparisons are relative: a radius of 7 px is near beside 35 px, and far
beside 0 px.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from stages.grid import Grid
from stages.kernels import f32, i64, kernel, reads, writes
from stages.params import Array, Params, param
from stages.strips import run_strips, with_halo

BLOCK_ROWS, BLOCK_COLS = 128, 256  # cells of a block; blocks without a jump are skipped
SMOOTHING = 2  # cells; radius of the box filter that is applied twice to average the levels
FULL_JUMP = 1.5  # multiple of the minimum jump at which the strength is 1; it is 0 at 1
JUMP_RATIO = (0.55, 0.75)  # range over that of a window twice as large: surface, jump
MIN_WEIGHT = 1e-6  # lower limit of weights and divisors, so that every cell has both levels


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlineParams(Params):
    """Parameters of the outlines: thresholds, width, and the use of colour."""

    reach: int = param(
        3, 1, 8, unit="cells", help="Half the width of an outline, in cells of the map's grid."
    )
    least_jump_px: float = param(
        1.5, 0.1, 20.0, unit="px", help="Minimum change of radius at an outline."
    )
    least_contrast: float = param(
        0.35, 0.05, 1.0, help="Minimum change at an outline, relative to the far radius."
    )
    epsilon: float = param(
        1e-4, 1e-7, 1.0, help="Regularisation of the coverage as a function of colour."
    )
    separation: float = param(
        0.2, 0.0, 0.9, help="Share of the partition that colour must explain to be used."
    )


class Jumps(NamedTuple):
    """Jumps of the radius, on the grid of the cells.

    Attributes
    ----------
    near, far : Array
        Radius on the near and on the far side in px, hxw float32.
    strength : Array
        Confidence of a jump within reach of the cell, hxw float32 in [0, 1].
    taper : Array
        Confidence that decreases to 0 with the distance from the contour, hxw float32 in [0, 1].
    """

    near: Array
    far: Array
    strength: Array
    taper: Array


def find_jumps(radius: Array, grid: Grid, params: OutlineParams) -> Jumps:
    """Find the jumps of a radius.

    Parameters
    ----------
    radius : Array
        Disk radius in px, HxW float32, >= 0.
    grid : Grid
        Cells of the blur map over the same picture; hxw cells.
    params : OutlineParams
        Thresholds of a jump, and its width.

    Returns
    -------
    Jumps
        Planes of hxw float32. Blocks without a jump have the mean radius as both levels.
    """
    mean, least, most = np.empty((3, *grid.shape), np.float32)
    run_strips(lambda a, b: _reduce(radius, grid.step, a, b, mean, least, most), grid.shape[0])
    near, far = mean.copy(), mean.copy()
    strength, taper = np.zeros((2, *grid.shape), np.float32)
    rows, cols = grid.shape
    halo = 3 * params.reach + 2 * SMOOTHING + 4

    def strip(start: int, stop: int) -> None:
        read_rows, own_rows = with_halo(start, stop, halo, rows)
        for left in range(0, cols, BLOCK_COLS):
            right = min(left + BLOCK_COLS, cols)
            read_cols, own_cols = with_halo(left, right, halo, cols)
            read, own = (read_rows, read_cols), (own_rows, own_cols)
            if most[read].max() - least[read].min() <= params.least_jump_px:
                continue
            found = _jumps_of(mean[read], least[read], most[read], params)
            if found is not None:
                for plane, part in zip((near, far, strength, taper), found, strict=True):
                    plane[start:stop, left:right] = part[own]

    run_strips(strip, rows, BLOCK_ROWS)
    return Jumps(near, far, strength, taper)


def _jumps_of(mean: Array, least: Array, most: Array, params: OutlineParams) -> Jumps | None:
    """Jumps of a block of cells from their mean, minimum and maximum radius; None if none."""
    reach = params.reach
    low, high = _erode(least, reach), _dilate(most, reach)
    span = np.maximum(high - low, np.float32(MIN_WEIGHT))
    place = (mean - low) / span
    near = _level(least, span * np.maximum(0.5 - place, 0) ** 2)
    far = _level(most, span * np.maximum(place - 0.5, 0) ** 2)
    needed = np.maximum(params.least_jump_px, params.least_contrast * far)
    beyond = np.maximum(_dilate(most, 2 * reach) - _erode(least, 2 * reach), np.float32(MIN_WEIGHT))
    confidence = _fade((far - near) / needed, 1, FULL_JUMP) * _fade(span / beyond, *JUMP_RATIO)
    sides = (mean < (near + far) / 2).view(np.uint8)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    contour = confidence * cv2.morphologyEx(sides, cv2.MORPH_GRADIENT, cross)
    if not contour.any():
        return None
    strength = taper = np.asarray(contour, np.float32)
    for cells in range(1, reach + 2):
        around = _dilate(contour, cells, cv2.MORPH_ELLIPSE)
        share = 1 - _fade(np.float32(cells), reach - 1.5, reach + 0.5)
        strength, taper = around, np.maximum(taper, share * around)
    strength = np.asarray(cv2.blur(strength, (3, 3)), np.float32)
    near, far = (_extended(level, strength, reach + 1) for level in (near, far))
    return Jumps(near, far, strength, taper)


def _window(reach: int, shape: int) -> npt.NDArray[np.uint8]:
    return np.asarray(cv2.getStructuringElement(shape, (2 * reach + 1,) * 2), np.uint8)


def _erode(plane: Array, reach: int) -> Array:
    return np.asarray(cv2.erode(plane, _window(reach, cv2.MORPH_RECT)), np.float32)


def _dilate(plane: Array, reach: int, shape: int = cv2.MORPH_RECT) -> Array:
    return np.asarray(cv2.dilate(plane, _window(reach, shape)), np.float32)


def _level(radius: Array, weight: Array) -> Array:
    """Weighted mean of the radius over the surrounding cells."""
    size = (2 * SMOOTHING + 1,) * 2
    weight = weight + np.float32(MIN_WEIGHT)
    total, moment = (cv2.blur(cv2.blur(p, size), size) for p in (weight, weight * radius))
    return np.asarray(moment / total, np.float32)


def _extended(level: Array, strength: Array, reach: int) -> Array:
    """Levels extended beyond the jumps: where the strength is low, levels of nearby jumps."""
    size = (2 * reach + 1,) * 2
    weight = strength + np.float32(MIN_WEIGHT)
    around = cv2.blur(weight * level, size) / cv2.blur(weight, size)
    own = np.minimum(2 * strength, 1)
    return np.asarray(around + own * (level - around), np.float32)


def _fade(value: Array | np.float32, start: float, stop: float) -> Array:
    """Smoothstep from 0 at `start` to 1 at `stop`."""
    t = np.clip((value - np.float32(start)) / np.float32(stop - start), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


@kernel(reads(f32, 2), i64, i64, i64, writes(f32, 2), writes(f32, 2), writes(f32, 2))
def _reduce(radius, step, start, stop, mean, least, most):  # type: ignore[no-untyped-def]
    """Write mean, minimum and maximum radius of cells in rows [start, stop).

    Cells at the border of the picture are cropped to it.
    """
    height, width = radius.shape
    low, high = np.empty(width, np.float32), np.empty(width, np.float32)
    total = np.empty(width, np.float32)
    for j in range(start, stop):
        top, bottom = j * step, min((j + 1) * step, height)
        for x in range(width):
            low[x] = high[x] = total[x] = radius[top, x]
        for y in range(top + 1, bottom):
            for x in range(width):
                r = radius[y, x]
                low[x], high[x], total[x] = min(low[x], r), max(high[x], r), total[x] + r
        for i in range(mean.shape[1]):
            left, right = i * step, min((i + 1) * step, width)
            a, b, c = low[left], high[left], total[left]
            for x in range(left + 1, right):
                a, b, c = min(a, low[x]), max(b, high[x]), c + total[x]
            least[j, i], most[j, i] = a, b
            mean[j, i] = c / np.float32((right - left) * (bottom - top))
