"""Prolongation P from cells to pixels and its transpose, fused with the updates of the solver.

P maps a model theta = (a, b) per cell to pixels,

    (P theta)(x) = sum over cells m of hat_m(x) theta_m . I~(x),      I~ = (I, 1),

with bilinear hat functions at the centres of cells, constant beyond the outermost centres. Pixels
are processed in bands: the CELL rows between two rows of centres (the first and last band are half
as high). A band reads two rows of theta, and adds to two rows of P^T r. Threads work on strips of
bands, and every inner loop writes one row of pixels. The updates of the direction, and of map and
residual, are fused with P and P^T, because memory traffic costs more than arithmetic.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.kernels import f32, f64, i64, inline, kernel, largest_of, reads, total_of, writes
from stages.laplacian import MattingLaplacian
from stages.laplacian.cells import CELL, STRIP_CELLS
from stages.laplacian.windows import windows_at
from stages.params import Array
from stages.strips import run_strips

Cells = npt.NDArray[np.float64]  # rows x columns of cells x 4
HALF = CELL // 2


class Change(NamedTuple):
    """Result of a step.

    Attributes
    ----------
    restricted : array of float64
        P^T r of the new residual r, rows x columns of cells x 4.
    jacobi : float
        r . diag^-1 r.
    largest_px : float
        Largest change of the map.
    """

    restricted: Cells
    jacobi: float
    largest_px: float


def turn(
    laplacian: MattingLaplacian,
    theta: Cells,
    residual: Array,
    weight: Array,
    ratio: float,
    direction: Array,
) -> None:
    """Update the search direction in place: ratio direction + diag^-1 residual + P theta.

    Parameters
    ----------
    laplacian : MattingLaplacian
        Guide, window and cells.
    theta : array of float64
        Coarse correction, rows x columns of cells x 4.
    residual, weight, direction : Array
        HxW float32; `weight` is lambda D, `direction` is written.
    ratio : float
        Weight of the previous direction.
    """
    guide, radius = laplacian.guide, laplacian.params.window_radius
    run_strips(
        lambda start, stop: _turn(
            theta, guide, residual, weight, np.float32(ratio), radius, start, stop, direction
        ),
        theta.shape[0] + 1,
        STRIP_CELLS,
    )


def step(
    laplacian: MattingLaplacian,
    length: float,
    direction: Array,
    product: Array,
    weight: Array,
    sigma: Array,
    residual: Array,
) -> Change:
    """Update map and residual by a step along the search direction, in place.

    Parameters
    ----------
    laplacian : MattingLaplacian
        Guide, window and cells.
    length : float
        Step length.
    direction, product : Array
        Direction p, and system matrix times p, HxW float32.
    weight : Array
        lambda D, HxW float32.
    sigma, residual : Array
        Map and residual, HxW float32, written.

    Returns
    -------
    Change
        Of this step.
    """
    guide, radius = laplacian.guide, laplacian.params.window_radius
    rows, cols = laplacian.cells[0].shape[:2]
    bands = np.empty((rows + 1, 2, cols, 4))
    sums = run_strips(
        lambda start, stop: _step(
            np.float32(length), direction, product, weight, guide, radius, start, stop,
            sigma, residual, bands,
        ),
        rows + 1,
        STRIP_CELLS,
    )  # fmt: skip
    restricted = bands[:-1, 1] + bands[1:, 0]
    restricted[0] += bands[0, 0]
    restricted[-1] += bands[-1, 1]
    return Change(restricted, math.fsum(s[0] for s in sums), max(s[1] for s in sums))


@inline
def _interpolate_row(theta, i, across):  # type: ignore[no-untyped-def]
    """Write row i of the models, interpolated along a row of pixels: 4 planes."""
    last = theta.shape[1] - 1
    for c in range(4):
        row = across[c]
        for b in range(last + 2):
            left, right = theta[i, max(b - 1, 0), c], theta[i, min(b, last), c]
            for x in range(max(b * CELL - HALF, 0), min(b * CELL + HALF, row.size)):
                row[x] = left + (right - left) * ((x - b * CELL + HALF + 0.5) / CELL)


@kernel(
    reads(f64, 3), reads(f32, 3), reads(f32, 2), reads(f32, 2), f32, i64, i64, i64, writes(f32, 2)
)
def _turn(theta, guide, residual, weight, ratio, radius, start, stop, direction):  # type: ignore[no-untyped-def]
    """Update bands [start, stop) of the direction."""
    height, width = residual.shape
    above, below = np.empty((4, width), np.float32), np.empty((4, width), np.float32)
    lifted, per_column = np.empty(width, np.float32), np.empty(width, np.float32)
    for x in range(width):
        per_column[x] = windows_at(x, width, radius)
    _interpolate_row(theta, max(start - 1, 0), below)
    for band in range(start, stop):
        above, below = below, above
        _interpolate_row(theta, min(band, theta.shape[0] - 1), below)
        for y in range(max(band * CELL - HALF, 0), min(band * CELL + HALF, height)):
            part = np.float32((y - band * CELL + HALF + 0.5) / CELL)
            one, other = above[3], below[3]
            for x in range(width):
                lifted[x] = one[x] + part * (other[x] - one[x])
            for c in range(3):
                one, other, colour = above[c], below[c], guide[c, y]
                for x in range(width):
                    lifted[x] += (one[x] + part * (other[x] - one[x])) * colour[x]
            per_row = np.float32(windows_at(y, height, radius))
            row, rest, data = direction[y], residual[y], weight[y]
            for x in range(width):
                row[x] = ratio * row[x] + (
                    rest[x] / (per_row * per_column[x] + data[x]) + lifted[x]
                )


@inline
def _restrict_band(sums, band, side, bands):  # type: ignore[no-untyped-def]
    """Restrict a band's column sums (4 planes of pixels) along the row to cells."""
    cells = bands.shape[2]
    for j in range(cells):
        for c in range(4):
            bands[band, side, j, c] = 0.0
    for b in range(cells + 1):
        left, right = max(b - 1, 0), min(b, cells - 1)
        for c in range(4):
            total = moment = 0.0
            for x in range(max(b * CELL - HALF, 0), min(b * CELL + HALF, sums.shape[1])):
                total += sums[c, x]
                moment += sums[c, x] * ((x - b * CELL + HALF + 0.5) / CELL)
            bands[band, side, left, c] += total - moment
            bands[band, side, right, c] += moment


@kernel(
    f32, reads(f32, 2), reads(f32, 2), reads(f32, 2), reads(f32, 3), i64, i64, i64,
    writes(f32, 2), writes(f32, 2), writes(f64, 4),
)  # fmt: skip
def _step(  # type: ignore[no-untyped-def]
    length, direction, product, weight, guide, radius, start, stop, sigma, residual, bands
):
    """Update bands [start, stop) of map and residual; return r . diag^-1 r, largest change."""
    height, width = residual.shape
    per_column, largest = np.empty(width, np.float32), np.zeros(width, np.float32)
    jacobi = np.zeros(width)
    share, term = np.empty(width, np.float32), np.empty(width, np.float32)
    sums = np.empty((2, 4, width), np.float32)
    for x in range(width):
        per_column[x] = windows_at(x, width, radius)
    for band in range(start, stop):
        for side in range(2):
            for c in range(4):
                for x in range(width):
                    sums[side, c, x] = np.float32(0)
        for y in range(max(band * CELL - HALF, 0), min(band * CELL + HALF, height)):
            value, way = sigma[y], direction[y]
            for x in range(width):
                change = length * way[x]
                value[x] += change
                largest[x] = max(largest[x], abs(change))
            rest, towards, data = residual[y], product[y], weight[y]
            per_row = np.float32(windows_at(y, height, radius))
            for x in range(width):
                rest[x] -= length * towards[x]
                jacobi[x] += np.float64(rest[x] * rest[x] / (per_row * per_column[x] + data[x]))
            part = np.float32((y - band * CELL + HALF + 0.5) / CELL)
            for c in range(4):
                one, other = sums[0, c], sums[1, c]
                if c < 3:
                    colour = guide[c, y]
                    for x in range(width):
                        term[x] = rest[x] * colour[x]
                else:
                    for x in range(width):
                        term[x] = rest[x]
                for x in range(width):
                    share[x] = part * term[x]
                    other[x] += share[x]
                for x in range(width):
                    one[x] += term[x] - share[x]
        for side in range(2):
            _restrict_band(sums[side], band, side, bands)
    return total_of(jacobi), largest_of(largest)
