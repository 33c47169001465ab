"""What must be known of the whole picture before its edges can be judged, and what may be edges.

The largest gradient scales the thresholds of edges, the noise is their floor. Both add up exactly
over strips: one is a maximum, the other the median of a histogram with fixed bins. Ridges, where
the gradient is largest along its own direction, are found in the same pass; each strip leaves out
those that its own largest gradient already rules out.
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
NOISE_FLOOR = 0.3 / 255  # luma; quantisation alone is 0.29 of a code
NOISE_BINS, NOISE_RANGE = 8192, 1.0  # of the second difference
ZERO, ONE = np.float32(0), np.float32(1)
NOISE_EVERY = 4  # rows; a median of a quarter of the picture is as good


class Ridges(NamedTuple):
    """Ridges of a strip: its first row, their flat places from there, their gradients."""

    row: int
    place: npt.NDArray[np.int32]
    gradient: Array


class EdgeSurvey(NamedTuple):
    """Largest gradient (luma per px), histogram of second differences; shape, ridges by strips."""

    largest_gradient: float
    noise_histogram: npt.NDArray[np.int64]
    shape: tuple[int, int] = (0, 0)
    ridges: tuple[Ridges, ...] = ()


def survey(view: Encoded, params: BlurParams) -> EdgeSurvey:
    """Find the largest gradient and the noise histogram of a view.

    Parameters
    ----------
    view : Array
        HxWx3 float32, display-encoded in [0, 1]; or HxW, its luma.
    params : BlurParams
        `edge_scale_px` is used.
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
    """Ridges above a gradient in some rows of a smoothed plane."""
    size = (core.stop - core.start) * plane.shape[1]
    place, gradient = np.empty(size, np.int32), np.empty(size, np.float32)
    count = _find_ridges(plane, low, core.start, core.stop, place, gradient)
    return Ridges(row, place[:count].copy(), gradient[:count].copy())


def noise_sigma(found: EdgeSurvey) -> float:
    """Standard deviation of the luma noise from the median second difference (Immerkaer 1996)."""
    half = (int(found.noise_histogram.sum()) + 1) // 2
    median_bin = int(np.searchsorted(np.cumsum(found.noise_histogram), half))
    median = (median_bin + 0.5) * NOISE_RANGE / NOISE_BINS
    return max(median / (6 * 0.6745), NOISE_FLOOR)


@kernel(reads(f32, 2), i64, i64, writes(i64, 1))
def _count_second_differences(plane, first, last, counts):  # type: ignore[no-untyped-def]
    """Absolute second differences along both axes, of every fourth row in [first, last)."""
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
    top = np.zeros(width, np.float32)  # per column: a maximum of rows is vector code
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
    """Gradient at x if it is largest along its own direction, else 0.

    Neighbours by linear interpolation: of the four pairs around, those off the direction weigh 0.
    Without branches on what is read, so that a row of this is vector code.
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
    """Non-maximum suppression along a row."""
    for x in range(1, ridge.size - 1):
        ridge[x] = _ridge(gx, gy, above, here, below, x)


@inline
def _gradient_row(plane, y, gx, gy, level):  # type: ignore[no-untyped-def]
    """Gradient and its length along a row."""
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
    """Non-maximum suppression in rows [first, last): places from there, gradients, how many."""
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
