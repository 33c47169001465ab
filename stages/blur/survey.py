"""What must be known of the whole picture before its edges can be judged.

The largest gradient scales the thresholds of edges, the noise is their floor. Both add up exactly
over strips: one is a maximum, the other the median of a histogram with fixed bins.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.blur.gradients import mirrored, plane_of, scharr_x, scharr_y, smooth
from stages.blur.params import BlurParams
from stages.kernels import f32, i64, kernel, reads, writes
from stages.params import Array
from stages.strips import run_strips, with_halo

NOISE_FLOOR = 0.3 / 255  # luma; quantisation alone is 0.29 of a code
NOISE_BINS, NOISE_RANGE = 8192, 1.0  # of the second difference
NOISE_EVERY = 4  # rows; a median of a quarter of the picture is as good


class EdgeSurvey(NamedTuple):
    """Largest gradient (luma per px) and histogram of the absolute second difference."""

    largest_gradient: float
    noise_histogram: npt.NDArray[np.int64]


def survey(view: Array, params: BlurParams) -> EdgeSurvey:
    """Find the largest gradient and the noise histogram of a view.

    Parameters
    ----------
    view : Array
        HxWx3 float32, display-encoded in [0, 1]; or HxW, its luma.
    params : BlurParams
        `edge_scale_px` is used.
    """

    def part(start: int, stop: int) -> EdgeSurvey:
        read, core = with_halo(start, stop, params.halo, view.shape[0])
        plane = plane_of(view[read])
        counts = np.zeros(NOISE_BINS, np.int64)
        _count_second_differences(plane, core.start + -start % NOISE_EVERY, core.stop, counts)
        largest = _largest_energy(smooth(plane, params.edge_scale_px), core.start, core.stop)
        return EdgeSurvey(math.sqrt(largest), counts)

    parts = run_strips(part, view.shape[0], params.strip_rows)
    histogram = np.sum([p.noise_histogram for p in parts], axis=0)
    return EdgeSurvey(max(p.largest_gradient for p in parts), histogram)


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
    scale = np.float32(NOISE_BINS / NOISE_RANGE)
    down = np.empty(width, np.float32)
    for y in range(first, last, NOISE_EVERY):
        above, below = plane[mirrored(y - 1, height)], plane[mirrored(y + 1, height)]
        for x in range(width):
            down[x] = (above[x] + below[x]) - 2 * plane[y, x]
        for x in range(width):
            sides = down[mirrored(x - 1, width)] + down[mirrored(x + 1, width)]
            code = int(abs(sides - 2 * down[x]) * scale)
            counts[min(code, NOISE_BINS - 1)] += 1


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
    return top.max()
