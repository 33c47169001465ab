"""Area averaging to any size, as by a sensor with larger pixels.

A pixel of the result is the mean over its area of the picture. Pixels on the border of the area
count with the part that lies within it. Rows are averaged first, which takes most of the time.
"""

from __future__ import annotations

import math

import numpy as np

from stages.kernels import f32, f64, i64, inline, kernel, reads, writes
from stages.params import Array
from stages.strips import run_strips

STRIP_ROWS = 16  # of the result


def reduce_to(image: Array, shape: tuple[int, int]) -> Array:
    """Reduce a picture to a size.

    Parameters
    ----------
    image : Array
        HxWx3 float32.
    shape : (rows, cols)
        Size of the result, at most that of the picture.

    Returns
    -------
    Array
        rows x cols x 3 float32.
    """
    height, width = image.shape[:2]
    flat, out = np.ascontiguousarray(image).reshape(-1), np.empty((*shape, 3), np.float32)
    run_strips(
        lambda start, stop: _reduce(
            flat, width, height / shape[0], width / shape[1], start, stop, out
        ),
        shape[0],
        STRIP_ROWS,
    )
    return out


@inline
def _part(place, begin, end):  # type: ignore[no-untyped-def]
    """Part of a pixel that lies between two coordinates."""
    return np.float32(min(place + 1.0, end) - max(np.float64(place), begin))


@kernel(reads(f32, 1), i64, f64, f64, i64, i64, writes(f32, 3))
def _reduce(image, width, down, across, start, stop, out):  # type: ignore[no-untyped-def]
    """Rows [start, stop) of area means; `down` and `across` are the sides of an area, px."""
    height, total = image.size // (3 * width), np.empty(3 * width, np.float32)
    share = np.float32(1 / (down * across))
    for row in range(start, stop):
        total[:] = np.float32(0)
        top, bottom = row * down, min((row + 1) * down, np.float64(height))
        for y in range(int(top), min(math.ceil(bottom), height)):
            line, part = image[3 * width * y :], _part(y, top, bottom)
            for k in range(3 * width):
                total[k] += part * line[k]
        for x in range(out.shape[1]):
            left, right = x * across, min((x + 1) * across, np.float64(width))
            red = green = blue = np.float32(0)
            for column in range(int(left), min(math.ceil(right), width)):
                part = _part(column, left, right)
                at = np.uint64(3 * column)
                red += part * total[at]
                green += part * total[at + np.uint64(1)]
                blue += part * total[at + np.uint64(2)]
            mean = out[row, x]
            mean[0], mean[1], mean[2] = share * red, share * green, share * blue
