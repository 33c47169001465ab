"""Gradient statistics of a view, from which the thresholds of edges follow, and its ridges.

The thresholds are proportional to the largest gradient, and not below a multiple of the noise. Both
combine exactly over strips: the largest gradient is a maximum, and the noise is the median of a
histogram with fixed bins. Ridges are pixels whose gradient is a maximum along its own direction
(non-maximum suppression). They are found in the same pass; each strip drops those below the weak
threshold that follows from its own largest gradient.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.blur.gradients import mirrored, plane_of, scharr_x, scharr_y, smooth
from stages.blur.params import BlurParams
from stages.kernels import apart, f32, i32, i64, inline, kernel, largest_of, reads, writes
from stages.kinds import Encoded
from stages.params import Array
from stages.strips import run_strips, with_halo

LOW_OVER_HIGH = 0.4  # hysteresis: weak threshold as a share of the strong one
SECOND_DIFFERENCE = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
NOISE_FLOOR = 0.3 / 255  # luma; quantisation to 8 bits alone has a deviation of 0.29 codes
NOISE_BINS, NOISE_RANGE = 8192, 1.0  # number of bins, and largest second difference in luma
ZERO, ONE = np.float32(0), np.float32(1)
NOISE_EVERY = 4  # rows; every fourth row is enough for a median


class Ridges(NamedTuple):
    """Ridges of a strip.

    Attributes
    ----------
    row : int
        First row of the strip.
    place : array of int32
        Flat index of each ridge pixel, counted from the start of that row.
    gradient : Array
        Gradient magnitude of each, float32, luma/px.
    """

    row: int
    place: npt.NDArray[np.int32]
    gradient: Array


class EdgeSurvey(NamedTuple):
    """Gradient statistics of a view.

    Attributes
    ----------
    largest_gradient : float
        Largest gradient magnitude at the edge scale, luma/px.
    noise_histogram : array of int64
        Histogram of absolute second differences, `NOISE_BINS` bins.
    shape : (int, int)
        Rows and columns of the view.
    ridges : tuple of Ridges
        Ridges of each strip.
    """

    largest_gradient: float
    noise_histogram: npt.NDArray[np.int64]
    shape: tuple[int, int] = (0, 0)
    ridges: tuple[Ridges, ...] = ()


def survey(view: Encoded, params: BlurParams) -> EdgeSurvey:
    """Gradient statistics, noise histogram and ridges of a view.

    Parameters
    ----------
    view : Array
        HxWx3 float32, display-encoded in [0, 1]; or HxW, its luma.
    params : BlurParams
        Edge scale and thresholds.

    Returns
    -------
    EdgeSurvey
        Statistics of the whole view.
    """
    shape = (view.shape[0], view.shape[1])

    def part(start: int, stop: int) -> EdgeSurvey:
        read, core = with_halo(start, stop, params.halo, shape[0])
        plane = plane_of(view[read])
        counts = np.zeros(NOISE_BINS, np.int64)
        _count_second_differences(plane, core.start + -start % NOISE_EVERY, core.stop, counts)
        plane = smooth(plane, params.edge_scale_px)
        largest = math.sqrt(_largest_energy(plane, core.start, core.stop))
        low = LOW_OVER_HIGH * max(params.edge_threshold * largest, params.least_gradient)
        return EdgeSurvey(largest, counts, shape, (find_ridges(plane, core, low, start),))

    parts = run_strips(part, shape[0], params.strip_rows)
    return EdgeSurvey(
        max(p.largest_gradient for p in parts),
        np.sum([p.noise_histogram for p in parts], axis=0),
        shape,
        tuple(p.ridges[0] for p in parts),
    )


def find_ridges(plane: Array, core: slice, low: float, row: int) -> Ridges:
    """Ridges of the gradient in some rows of a smoothed plane.

    Parameters
    ----------
    plane : Array
        Smoothed luma, HxW float32: a strip of the view with its halo.
    core : slice
        Rows of `plane` in which ridges are found.
    low : float
        Gradient magnitude that a ridge must exceed, luma/px.
    row : int
        Row of the view that is the first row of `core`.

    Returns
    -------
    Ridges
        Ridges, with places relative to `row`.
    """
    size = (core.stop - core.start) * plane.shape[1]
    place, gradient = np.empty(size, np.int32), np.empty(size, np.float32)
    count = _find_ridges(plane, low, core.start, core.stop, place, gradient)
    return Ridges(row, place[:count].copy(), gradient[:count].copy())


def noise_sigma(found: EdgeSurvey) -> float:
    """Standard deviation of the luma noise, from the median absolute second difference.

    The mask is that of Immerkaer, Fast Noise Variance Estimation (1996).
    """
    half = (int(found.noise_histogram.sum()) + 1) // 2
    median_bin = int(np.searchsorted(np.cumsum(found.noise_histogram), half))
    median = (median_bin + 0.5) * NOISE_RANGE / NOISE_BINS
    return max(median / (6 * 0.6745), NOISE_FLOOR)


@kernel(reads(f32, 2), i64, i64, writes(i64, 1))
def _count_second_differences(plane, first, last, counts):  # type: ignore[no-untyped-def]
    """Count absolute second differences of every `NOISE_EVERY`-th row in [first, last)."""
    height, width = plane.shape
    scale, most = np.float32(NOISE_BINS / NOISE_RANGE), np.int32(NOISE_BINS - 1)
    down, codes = np.empty(width + 2, np.float32), np.empty(width, np.int32)
    for y in range(first, last, NOISE_EVERY):
        above, below = plane[mirrored(y - 1, height)], plane[mirrored(y + 1, height)]
        here = plane[y]
        for x in range(width):
            down[x + 1] = (above[x] + below[x]) - (here[x] + here[x])
        down[0], down[width + 1] = down[1 + mirrored(-1, width)], down[1 + mirrored(width, width)]
        for x in range(width):
            across = (down[x] + down[x + 2]) - (down[x + 1] + down[x + 1])
            codes[x] = min(np.int32(abs(across) * scale), most)
        for x in range(width):
            counts[codes[x]] += 1


@kernel(reads(f32, 2), i64, i64)
def _largest_energy(plane, first, last):  # type: ignore[no-untyped-def]
    """Largest squared gradient in rows [first, last)."""
    height, width = plane.shape
    top = np.zeros(width, np.float32)  # maxima per column, so that the loop over x vectorises
    for y in range(first, last):
        above, below = plane[mirrored(y - 1, height)], plane[mirrored(y + 1, height)]
        here = plane[y]
        for x in range(1, width - 1):
            gx = scharr_x(above, here, below, x - 1, x + 1)
            gy = scharr_y(above, below, x - 1, x, x + 1)
            energy = gx * gx + gy * gy
            top[x] = energy if energy > top[x] else top[x]
        for x in (0, width - 1):
            side = mirrored(x + 1, width)
            gy = scharr_y(above, below, side, x, side)
            top[x] = max(top[x], gy * gy)
    return largest_of(top)


@inline
def _ridge(gx, gy, above, here, below, x):  # type: ignore[no-untyped-def]
    """Gradient magnitude at x if it is a maximum along the gradient direction, else 0.

    Neighbours along the direction are linearly interpolated. All four pairs of neighbours are read,
    and those not next to the direction have weight 0, so that a loop over x vectorises.
    """
    ax, ay = abs(gx[x]), abs(gy[x])
    flat, falling = ONE if ax >= ay else ZERO, ONE if gx[x] * gy[x] >= ZERO else ZERO
    main, cross = max(ax, ay), min(ax, ay)
    beside = (main - cross) * flat
    steep = (main - cross) - beside
    down, corner_down = steep * falling, cross * falling
    up, corner_up = steep - down, cross - corner_down
    level = main * here[x]
    ahead = beside * here[x + 1] + (down * below[x] + up * above[x])
    ahead += corner_down * below[x + 1] + corner_up * above[x + 1]
    behind = beside * here[x - 1] + (down * above[x] + up * below[x])
    behind += corner_down * above[x - 1] + corner_up * below[x - 1]
    return here[x] if (level > ahead) & (level >= behind) else ZERO


@apart
def _ridge_row(gx, gy, above, here, below, ridge):  # type: ignore[no-untyped-def]
    """Write the non-maximum suppression of a row."""
    for x in range(1, ridge.size - 1):
        ridge[x] = _ridge(gx, gy, above, here, below, x)


@inline
def _gradient_row(plane, y, gx, gy, level):  # type: ignore[no-untyped-def]
    """Write gradient and gradient magnitude of a row."""
    height, width = plane.shape
    above, below = plane[mirrored(y - 1, height)], plane[mirrored(y + 1, height)]
    here = plane[y]
    for x in range(1, width - 1):
        across, down = (
            scharr_x(above, here, below, x - 1, x + 1),
            scharr_y(above, below, x - 1, x, x + 1),
        )
        gx[x], gy[x], level[x] = across, down, math.sqrt(across * across + down * down)
    for x in (0, width - 1):
        side = mirrored(x + 1, width)
        gx[x], gy[x] = np.float32(0), scharr_y(above, below, side, x, side)
        level[x] = abs(gy[x])


@kernel(reads(f32, 2), f32, i64, i64, writes(i32, 1), writes(f32, 1))
def _find_ridges(plane, low, first, last, place, gradient):  # type: ignore[no-untyped-def]
    """Write index and gradient of the ridges in rows [first, last), and return their number.

    Indices are flat and start at row `first`.
    """
    height, width = plane.shape
    gx, gy = np.empty((3, width), np.float32), np.empty((3, width), np.float32)
    level, ridge = np.empty((3, width), np.float32), np.empty(width, np.float32)
    first_row, last_row, count = max(first, 1), min(last, height - 1), 0
    for y in range(first_row - 1, last_row + 1):
        _gradient_row(plane, y, gx[y % 3], gy[y % 3], level[y % 3])
        row = y - 1
        if row < first_row:
            continue
        above, here, below = level[(row - 1) % 3], level[row % 3], level[y % 3]
        along, down = gx[row % 3], gy[row % 3]
        _ridge_row(along, down, above, here, below, ridge)
        for x in range(1, width - 1):
            if ridge[x] > low:
                place[count], gradient[count] = (row - first) * width + x, ridge[x]
                count += 1
    return count
