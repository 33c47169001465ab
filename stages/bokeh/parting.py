"""Nearer and further: the two halves of a layer.

Within a layer, too, what is sharper covers what is blurrier. So a cell that has something notably
blurrier of its layer near enough to meet it is of the nearer half; all others are of the further
one. A surface may change halves far from what it covers: it adds up to the same. A cell tells its
half by the sign of its q (see `gather.py`), below 0 in the nearer one.
"""

from __future__ import annotations

import cv2
import numpy as np
from numba import types

from stages.kernels import f32, inline, kernel, reads, writes
from stages.params import Array

NOTABLY = 1.2  # times the q of a cell: blurrier than noise and slants make it
SIDE = 8  # cells of a square whose largest q is known

u64 = types.uint64
u = np.uint64


def parting_limits(largest: Array, reach: float) -> Array:
    """The q below which cells of each square of SIDE x SIDE are of the nearer half.

    `largest` is the largest q in each, 0 where it is empty; disks reach so many cells.
    """
    squares = int(np.ceil(reach / SIDE))
    around = cv2.dilate(largest, np.ones((2 * squares + 1,) * 2, np.uint8))
    return np.asarray(around / np.float32(NOTABLY), np.float32).reshape(largest.shape)


@inline
def signed(q, limit):  # type: ignore[no-untyped-def]
    """The q of a cell, below 0 if it is of the nearer half."""
    return -q if q < limit else q


@kernel(reads(f32, 1), u64, u64, u64, u64, u64, u64, writes(f32, 2))
def largest_in_squares(plane, first, stride, rows, cols, begin, end, largest):  # type: ignore[no-untyped-def]
    """Largest value of the squares in rows [begin, end) of them, of a part of a plane.

    The part begins at cell `first`.
    """
    side, tops = u(SIDE), np.empty(cols, np.float32)
    for j in range(begin, end):
        tops[:] = np.float32(0)
        for y in range(j * side, min((j + u(1)) * side, rows)):
            for x in range(cols):
                tops[x] = max(tops[x], plane[first + y * stride + x])
        for i in range(u(largest.shape[1])):
            most = np.float32(0)
            for x in range(i * side, min((i + u(1)) * side, cols)):
                most = max(most, tops[x])
            largest[j, i] = most


@kernel(writes(f32, 1), u64, u64, u64, u64, u64, u64, reads(f32, 2))
def part_cells(plane, first, stride, rows, cols, begin, end, limits):  # type: ignore[no-untyped-def]
    """Give each q of the squares in rows [begin, end) of them the sign of its half."""
    side = u(SIDE)
    for y in range(begin * side, min(end * side, rows)):
        for x0 in range(u(0), cols, side):
            limit = limits[y // side, x0 // side]
            for k in range(first + y * stride + x0, first + y * stride + min(x0 + side, cols)):
                plane[k] = signed(plane[k], limit)
