"""Fast blur of a texture by one disk: weights that have the exact variance, and their kernel."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from stages.bokeh.disk import FOCUS_PX, disk_kernel
from stages.kernels import f32, i64, kernel, reads, writes
from stages.params import Array
from stages.strips import run_strips

SEARCH_STEPS = 40  # bisection to far below the precision of the weights
LARGEST_PX = 500.0


@lru_cache(maxsize=256)
def disk_of_variance(variance_px2: float) -> Array:
    """Weights of a disk of a variance along each axis, square, of odd size; their sum is 1.

    Below the smallest disk of the lattice, that disk is mixed with the identity.
    """
    low, high = FOCUS_PX, LARGEST_PX
    smallest = disk_kernel(low + 0.5)
    if variance_px2 <= (least := _variance(smallest)):
        out = smallest * (variance_px2 / least)
        out[len(out) // 2, len(out) // 2] += 1 - variance_px2 / least
        return out.astype(np.float32)
    high = 2 * variance_px2**0.5 + 2
    for _ in range(SEARCH_STEPS):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if _variance(disk_kernel(middle)) < variance_px2 else (low, middle)
        )
    weights = disk_kernel(high)
    if not weights[0].any():
        weights = weights[1:-1, 1:-1]
    return weights.astype(np.float32)


def _variance(weights: np.ndarray) -> float:
    axis = np.arange(len(weights)) - len(weights) // 2
    return float(weights.sum(axis=0) @ axis**2)


def reach_of(variance: float) -> int:
    """Reach in texels of `disk_of_variance`."""
    return len(disk_of_variance(variance)) // 2


def convolved(planes: Array, weights: Array) -> Array:
    """Convolve all channels by a symmetric kernel; the border goes on.

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
        HxWx4 float32.
    """
    if len(weights) == 1:
        return planes
    height, width, channels = planes.shape
    reach = len(weights) // 2
    padded = np.pad(planes, [(reach, reach), (reach, reach), (0, 0)], mode="edge")
    lines = np.ascontiguousarray(padded.reshape(height + 2 * reach, -1))
    out = np.empty((height, width * channels), np.float32)
    run_strips(lambda y0, y1: _convolve(lines, weights, channels, y0, y1, out), height)
    return out.reshape(planes.shape)


@kernel(reads(f32, 2), reads(f32, 2), i64, i64, i64, writes(f32, 2))
def _convolve(lines, weights, channels, start, stop, out):  # type: ignore[no-untyped-def]
    """Rows of the result; one weight after the other is applied to a whole row."""
    length = out.shape[1]
    for y in range(start, stop):
        row = out[y]
        row[:] = 0
        for j in range(len(weights)):
            line = lines[y + j]
            for i in range(len(weights)):
                weight = weights[j, i]
                if weight != 0:
                    part = line[i * channels : i * channels + length]
                    for x in range(length):
                        row[x] += weight * part[x]
