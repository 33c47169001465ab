"""Gradient energies of cells of 2 x 2 pixels with edges, and their pooling.

Edges are sparse, so cells with edges are stored as rows of a list (compressed sparse row format),
with their energies. Pooling is a Gaussian-weighted sum over neighbouring cells with edges. It is
not normalised, since only ratios of sums are used, and is evaluated at cells with edges only. The
result does not depend on the division into strips, if a strip has a halo of `pooling_reach` cells.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from stages.blur.gradients import gaussian_radius
from stages.blur.params import BlurParams
from stages.kernels import apart, f32, f64, i32, i64, inline, kernel, reads, u8, writes
from stages.params import Array

OCTAVES = 5  # the view, and the view reduced by 2, 4, 8 and 16
ENERGIES = 2 + 2 * OCTAVES  # per cell, at two scales each: edge pixels, 3 x 3 maxima, and octaves
POOLED = 6  # energies that share a window: those of the first two octaves; then those of the others
TAPS = 2  # samples of an octave on either side of a position, for its interpolation
WIDE_POOL = 4.0  # window of the coarser octaves, over that of the first two


class EdgeCells(NamedTuple):
    """Cells with edges, row by row.

    Attributes
    ----------
    begin : array of int32
        R + 1 indices for R rows: the cells of row j are begin[j] to begin[j + 1] - 1.
    column : array of int32
        Column of each of the N cells.
    pixels : Array
        Number of edge pixels in each cell, N float32.
    energy : Array
        Energies summed over these edge pixels, N x `ENERGIES` float32, luma^2 / px^2.
    """

    begin: npt.NDArray[np.int32]
    column: npt.NDArray[np.int32]
    pixels: Array
    energy: Array


def no_cells(rows: int, capacity: int) -> EdgeCells:
    """Empty list for the cells of some rows, with memory for `capacity` cells."""
    return EdgeCells(
        np.zeros(rows + 1, np.int32), np.empty(capacity, np.int32), np.empty(capacity, np.float32),
        np.empty((capacity, ENERGIES), np.float32),
    )  # fmt: skip


def pooling_reach(params: BlurParams) -> int:
    """Radius of the wider pooling window, in cells of 2 x 2 pixels of the view."""
    return windows_of(params)[1].size - 1


def windows_of(params: BlurParams) -> tuple[Array, Array]:
    """Weights of the pooling windows over cells, from their centres on.

    Parameters
    ----------
    params : BlurParams
        `pool_px` is used.

    Returns
    -------
    Array, Array
        1-D float32: for the first two octaves, and for the coarser ones.
    """
    narrow = params.pool_px / 2
    return _half_window(narrow), _half_window(WIDE_POOL * narrow)


def _half_window(sigma: float) -> Array:
    """Gaussian weights from the centre on."""
    radius = gaussian_radius(sigma)
    whole = cv2.getGaussianKernel(2 * radius + 1, sigma, cv2.CV_32F)
    return np.ascontiguousarray(whole[radius:, 0])


def pooled_energies(
    edges: EdgeCells, windows: tuple[Array, Array], rows: slice, cols: int
) -> Array:
    """Pool the energies of the cells of some rows.

    Parameters
    ----------
    edges : EdgeCells
        Cells with edges.
    windows : (Array, Array)
        Of `windows_of`.
    rows : slice
        Rows of cells.
    cols : int
        Number of columns of cells.

    Returns
    -------
    Array
        Weighted sums over the cells around, N x `ENERGIES` float32 for the N cells of these rows.
    """
    pooled = np.empty((edges.begin[rows.stop] - edges.begin[rows.start], ENERGIES), np.float32)
    for window, first in zip(windows, range(0, ENERGIES, POOLED), strict=True):
        sums = np.zeros((cols + 2 * (window.size - 1), POOLED), np.float32)
        _pool(
            edges.begin, edges.column, edges.energy, first, window, rows.start, rows.stop, sums,
            pooled,
        )  # fmt: skip
    return pooled


@kernel(
    reads(f32, 2), reads(f32, 2), reads(u8, 2), reads(u8, 2), reads(f32, 1), i64, i64,
    writes(i32, 1), writes(i32, 1), writes(f32, 1), writes(f32, 2),
)  # fmt: skip
def gather_edges(  # type: ignore[no-untyped-def]
    fine, coarse, linked, clipped, floor, first, last, begin, column, pixels, energy
):
    """Write cells with edges in pixel rows [first, last), and their energies on the first octave.

    `floor` is the noise energy at both scales, which is subtracted. Clipped edges are left out.
    """
    width = linked.shape[1]
    here = np.zeros((2, width + width % 2), np.uint8)  # edges in a row of cells
    tops = np.empty((2, 2, width), np.float32)  # vertical maxima of three energies, per scale
    count = 0
    for j in range(begin.size - 1):
        top = first + 2 * j
        for y in range(top, min(top + 2, last)):
            _unclipped_edges(linked[y], clipped[y], here[y - top])
            _vertical_maxima(fine, y, tops[0, y - top])
            _vertical_maxima(coarse, y, tops[1, y - top])
        if top + 1 == last:
            here[1] = 0
        for i in range(here.shape[1] // 2):
            edges = (here[0, 2 * i] + here[0, 2 * i + 1]) + (here[1, 2 * i] + here[1, 2 * i + 1])
            if edges == 0:
                continue
            column[count], pixels[count], own = i, edges, energy[count]
            own[:] = 0
            for v in range(2):
                for x in range(2 * i, 2 * i + 2):
                    if here[v, x]:
                        own[0] += fine[top + v, x] - floor[0]
                        own[1] += coarse[top + v, x] - floor[1]
                        own[2] += _horizontal_maximum(tops[0, v], x) - floor[0]
                        own[3] += _horizontal_maximum(tops[1, v], x) - floor[1]
            count += 1
        begin[j + 1] = count


@apart
def _unclipped_edges(linked, clipped, out):  # type: ignore[no-untyped-def]
    """Write 1 at edges that are not clipped."""
    for x in range(linked.size):
        out[x] = linked[x] & ~clipped[x]


@inline
def _larger(a, b):  # type: ignore[no-untyped-def]
    """Larger of two numbers."""
    return a if a > b else b


@apart
def _vertical_maxima(plane, y, out):  # type: ignore[no-untyped-def]
    """Write the maxima over each pixel of a row and those above and below."""
    above, here, below = plane[max(y - 1, 0)], plane[y], plane[min(y + 1, plane.shape[0] - 1)]
    for x in range(out.size):
        out[x] = _larger(_larger(above[x], below[x]), here[x])


@inline
def _horizontal_maximum(row, x):  # type: ignore[no-untyped-def]
    """Maximum of three neighbours in a row; edges are never at the border."""
    return _larger(_larger(row[x - 1], row[x + 1]), row[x])


@kernel(
    reads(f32, 2), reads(f32, 2), reads(f32, 1), i64, f64,
    reads(i32, 1), reads(i32, 1), reads(f32, 1), writes(f32, 2),
)  # fmt: skip
def gather_octave(fine, coarse, floor, octave, first, begin, column, pixels, energy):  # type: ignore[no-untyped-def]
    """Write the energies of a higher octave at cells with edges.

    `first` is the place of this octave, in rows, at which the first row of cells starts.
    """
    rows, cols = fine.shape
    scale = 2.0 ** (1 - octave)
    for j in range(begin.size - 1):
        y = min(max(first + (j + 0.5) * scale - 0.5, 0.0), rows - 1.0)
        for k in range(begin[j], begin[j + 1]):
            x = min(max((column[k] + 0.5) * scale - 0.5, 0.0), cols - 1.0)
            share = pixels[k] * np.float32(scale * scale / 4)
            energy[k, 2 + 2 * octave] = share * (_at(fine, y, x) - floor[0])
            energy[k, 3 + 2 * octave] = share * (_at(coarse, y, x) - floor[1])


@inline
def _at(plane, y, x):  # type: ignore[no-untyped-def]
    """Value of a plane at a position, by bicubic interpolation (Keys 1981)."""
    top, left = int(y), int(x)
    down, across = np.float32(y - top), np.float32(x - left)
    value = np.float32(0)
    for v in range(1 - TAPS, 1 + TAPS):
        row, line = plane[min(max(top + v, 0), plane.shape[0] - 1)], np.float32(0)
        for u in range(1 - TAPS, 1 + TAPS):
            line += _cubic(u - across) * row[min(max(left + u, 0), plane.shape[1] - 1)]
        value += _cubic(v - down) * line
    return value


@inline
def _cubic(distance):  # type: ignore[no-untyped-def]
    """Weight of a sample at a distance in samples, at most 2."""
    d, one, half = abs(np.float32(distance)), np.float32(1), np.float32(0.5)
    if d <= one:
        return one + d * d * (np.float32(1.5) * d - np.float32(2.5))
    return np.float32(2) + d * (np.float32(-4) + d * (np.float32(2.5) - half * d))


@kernel(
    reads(i32, 1), reads(i32, 1), reads(f32, 2), i64, reads(f32, 1), i64, i64,
    writes(f32, 2), writes(f32, 2),
)  # fmt: skip
def _pool(begin, column, energy, least, window, first, last, sums, out):  # type: ignore[no-untyped-def]
    """Write `POOLED` pooled energies of rows [first, last), from number `least` on.

    Energies are summed down the columns, then along the row. `sums` is a row of cells with the
    window's radius at both ends, 0 before.
    """
    radius, none = window.size - 1, np.float32(0)
    for j in range(first, last):
        for v in range(max(j - radius, 0), min(j + radius + 1, begin.size - 1)):
            weight = window[abs(v - j)]
            for k in range(begin[v], begin[v + 1]):
                below, one = sums[radius + column[k]], energy[k, least:]
                for n in range(POOLED):
                    below[n] += weight * one[n]
        for k in range(begin[j], begin[j + 1]):
            a, b, c, d, e, f = none, none, none, none, none, none
            for u in range(2 * radius + 1):  # six sums in registers
                w, s = window[abs(u - radius)], sums[column[k] + u]
                a, b, c, d = a + w * s[0], b + w * s[1], c + w * s[2], d + w * s[3]
                e, f = e + w * s[4], f + w * s[5]
            total = out[k - begin[first], least:]
            total[0], total[1], total[2], total[3], total[4], total[5] = a, b, c, d, e, f
        sums[:] = 0
