"""Fast blur of a texture by one disk: weights that have the exact variance, and their kernel."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from stages.bokeh.aperture import Doubles
from stages.bokeh.disk import FOCUS_PX, disk_kernel
from stages.kernels import f32, i64, kernel, reads, writes
from stages.params import Array
from stages.strips import rows_of_strips, run_strips

SEARCH_STEPS = 40  # bisection to far below the precision of the weights


@lru_cache(maxsize=256)
def disk_of_variance(variance: float) -> Array:
    """Weights of a disk of a variance along each axis, square, of odd size; their sum is 1."""
    low, high = FOCUS_PX, 2 * variance**0.5 + 2
    for _ in range(SEARCH_STEPS):
        middle = (low + high) / 2
        if _variance(disk_kernel(middle)) < variance:
            low = middle
        else:
            high = middle
    weights = disk_kernel(low).astype(np.float32)
    while len(weights) > 1 and not weights[0].any():
        weights = weights[1:-1, 1:-1]
    return np.ascontiguousarray(weights)


def _variance(weights: Doubles) -> float:
    axis = np.arange(len(weights)) - len(weights) // 2
    return float(weights.sum(axis=0) @ axis**2)


def reach_of(variance: float) -> int:
    """Reach in texels of `disk_of_variance`."""
    return len(disk_of_variance(variance)) // 2


def convolved(planes: Array, weights: Array) -> Array:
    """Convolve all channels by a symmetric kernel, where it lies within the planes.

    The sums are made in one order on any processor, so that their bits do not depend on it.

    Parameters
    ----------
    planes : Array
        HxWx4 float32.
    weights : Array
        nxn float32, n odd.

    Returns
    -------
    Array
        (H-n+1)x(W-n+1)x4 float32.
    """
    if len(weights) == 1:
        return planes
    height, width, channels = planes.shape
    spare = len(weights) - 1
    lines = planes.reshape(height, -1)
    spans = occupied(planes)
    out = np.empty((height - spare, (width - spare) * channels), np.float32)
    run_strips(
        lambda y0, y1: _convolve(lines, spans, weights, channels, y0, y1, out),
        len(out),
        rows_of_strips(out.shape[1]),
    )
    return out.reshape(height - spare, width - spare, channels)


def occupied(planes: Array) -> npt.NDArray[np.int64]:
    """Columns of each row that are covered: most textures are sparse.

    Parameters
    ----------
    planes : Array
        Premultiplied light and coverage, HxWx4.

    Returns
    -------
    array of int64
        The first, and the end, rows x 2; the width and 0 if there is none.
    """
    covered = planes[..., 3] > 0
    some, width = covered.any(axis=1), planes.shape[1]
    first = np.where(some, covered.argmax(axis=1), width)
    end = np.where(some, width - covered[:, ::-1].argmax(axis=1), 0)
    return np.stack([first, end], axis=1).astype(np.int64)


@kernel(reads(f32, 2), reads(i64, 2), reads(f32, 2), i64, i64, i64, writes(f32, 2))
def _convolve(lines, spans, weights, channels, start, stop, out):  # type: ignore[no-untyped-def]
    """Rows of the result; one weight after the other is applied to the covered part of a row."""
    length = out.shape[1]
    for y in range(start, stop):
        row = out[y]
        row[:] = 0
        for j in range(len(weights)):
            line = lines[y + j]
            first, end = spans[y + j, 0], spans[y + j, 1]
            for i in range(len(weights)):
                weight = weights[j, i]
                begin, stop_at = max((first - i) * channels, 0), min((end - i) * channels, length)
                if weight != 0 and begin < stop_at:
                    target = row[begin:stop_at]
                    part = line[i * channels + begin : i * channels + stop_at]
                    for x in range(target.size):
                        target[x] += weight * part[x]
