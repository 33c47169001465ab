"""Colour statistics of square cells: the guide's share of the coarse model (`propagate/coarse.py`).

With I~ = (I, 1) the rotated, centred colour and a one, a cell of CELL x CELL pixels has the moments

    M = (sum of I~ I~^T over its pixels) / CELL^2,

a symmetric 4x4 matrix, kept as ten numbers 00 01 02 03 11 12 13 22 23 33. Coarser levels join 2x2
cells by the mean of those that exist, down to a single one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels import f32, f64, i64, inline, kernel, reads, writes
from stages.laplacian.windows import Floats
from stages.strips import run_strips

Moments = npt.NDArray[np.float64]  # rows x columns of cells x 10

CELL = 8  # px; 16 needs a third more steps of the solver, 4 saves none
STRIP_CELLS = 8  # rows of cells in a strip: 64 rows of pixels


def cell_moments(colours: Floats) -> tuple[Moments, ...]:
    """Moments of the cells of a picture on all levels.

    Parameters
    ----------
    colours : array
        3xHxW planes, floating point: rotated, centred colours.

    Returns
    -------
    tuple of array
        Rows x columns of cells x 10, float64; the finest level first, down to a single cell.
    """
    height, width = colours.shape[1:]
    finest = np.empty((-(-height // CELL), -(-width // CELL), 10))
    planes = colours.astype(np.float32, copy=False)
    run_strips(
        lambda start, stop: _moments(planes, start, stop, finest), finest.shape[0], STRIP_CELLS
    )
    levels = [finest]
    while levels[-1].shape[:2] != (1, 1):
        children = join(np.ones((*levels[-1].shape[:2], 1)))
        levels.append(join(levels[-1]) / children)
    return tuple(levels)


def join(cells: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Add cells 2x2; at a border, add those that exist.

    Parameters
    ----------
    cells : array of float64
        Rows x columns of cells x any number of values.

    Returns
    -------
    array of float64
        Half as many rows and columns, rounded up.
    """
    total = cells[::2, ::2].copy()
    rows, cols = cells.shape[0] // 2, cells.shape[1] // 2
    total[:rows] += cells[1::2, ::2]
    total[:, :cols] += cells[::2, 1::2]
    total[:rows, :cols] += cells[1::2, 1::2]
    return total


@inline
def entry(i, j):  # type: ignore[no-untyped-def]
    """Place of entry (i, j), i <= j, of a symmetric 4x4 matrix among its ten numbers."""
    return 4 * i - i * (i - 1) // 2 + j - i


@kernel(reads(f32, 3), i64, i64, writes(f64, 3))
def _moments(colours, start, stop, moments):  # type: ignore[no-untyped-def]
    """Rows [start, stop) of cells: moments, summed down the rows first, then along them."""
    height, width = colours.shape[1:]
    columns = np.empty((10, width))
    for i in range(start, stop):
        columns[:] = 0.0
        top, bottom = i * CELL, min((i + 1) * CELL, height)
        columns[9] = bottom - top
        for y in range(top, bottom):
            for a in range(3):
                first, column = colours[a, y], columns[entry(a, 3)]
                for x in range(width):
                    column[x] += first[x]
                for b in range(a, 3):
                    second, column = colours[b, y], columns[entry(a, b)]
                    for x in range(width):
                        column[x] += np.float64(first[x]) * np.float64(second[x])
        for j in range(moments.shape[1]):
            for k in range(10):
                total = 0.0
                for x in range(j * CELL, min((j + 1) * CELL, width)):
                    total += columns[k, x]
                moments[i, j, k] = total / (CELL * CELL)
