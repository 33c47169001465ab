"""Occlusion within a layer: each layer is split into a front half and a back half.

A sharper surface also covers a blurrier one if both are in the same layer. If a notably blurrier
cell of the layer is within reach of the disks, a cell is assigned to the front half. All other
cells are assigned to the back half. The two halves are splatted separately, and the front half is
composited over the back half. In front of the focus the order is reversed.

A surface may be split between front and back far from any occlusion. The result does not depend on
the split there, because the coverages of both halves add up.

The sign of q (see `gather.py`) stores the assignment: q < 0 in the front half.
"""

from __future__ import annotations

import cv2
import numpy as np

from stages.kernels import f32, inline, kernel, reads, u64, writes
from stages.params import Array

MIN_RATIO = 1.2  # of q, for an occlusion; noise and slanted surfaces cause smaller ratios
SIDE = 8  # cells along the side of a square whose largest q is tabulated

u = np.uint64


def parting_limits(largest: Array, reach: float) -> Array:
    """Upper limit of q in the front half, for each square of SIDE x SIDE cells.

    Parameters
    ----------
    largest : Array
        Largest q of each square, 2-D float32, >= 0; 0 where a square is empty.
    reach : float
        Reach of the disks in cells; only squares within reach are compared.

    Returns
    -------
    Array
        Limit of q, float32 of the shape of `largest`. Cells of lower q belong to the front half.
    """
    squares = int(np.ceil(reach / SIDE))
    around = cv2.dilate(largest, np.ones((2 * squares + 1,) * 2, np.uint8))
    return np.asarray(around / np.float32(MIN_RATIO), np.float32).reshape(largest.shape)


@inline
def signed(q, limit):  # type: ignore[no-untyped-def]
    """Signed q of a cell: negative if it belongs to the front half."""
    return -q if q < limit else q


@kernel(reads(f32, 1), u64, u64, u64, u64, u64, u64, writes(f32, 2))
def largest_in_squares(plane, first, stride, rows, cols, begin, end, largest):  # type: ignore[no-untyped-def]
    """Write the largest value of each square in rows [begin, end) of squares.

    `first` is the flat index of the first of `rows` x `cols` cells in the padded plane.
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
    """Set the sign of each q in rows [begin, end) of squares: negative in the front half."""
    side = u(SIDE)
    for y in range(begin * side, min(end * side, rows)):
        for x0 in range(u(0), cols, side):
            limit = limits[y // side, x0 // side]
            for k in range(first + y * stride + x0, first + y * stride + min(x0 + side, cols)):
                plane[k] = signed(plane[k], limit)
