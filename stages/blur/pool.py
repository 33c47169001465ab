"""Cells of 2 x 2 pixels with edges: their energies, gathered and shared with those around.

Edges are few, so that cells with edges stand in a short list, row by row, their energies side by
side. Pooling is a Gaussian over cells that adds what there is and is evaluated where edges are;
only ratios of its sums are used. A sum does not depend on where a strip was cut, as long as the
strip reads `pooling_reach` cells beyond.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from stages.blur.gradients import gaussian_radius
from stages.blur.params import BlurParams
from stages.grid import mix
from stages.kernels import apart, f32, i32, i64, inline, kernel, reads, u8, writes
from stages.params import Array

ENERGIES = 8  # per cell: two of edge pixels, their 3 x 3 maxima, two on each higher octave


class EdgeCells(NamedTuple):
    """Cells with edges, row by row: those of row j are begin[j] .. begin[j + 1].

    Their column, how many edge pixels they hold, and the sums of the energies of these.
    """

    begin: npt.NDArray[np.int32]
    column: npt.NDArray[np.int32]
    pixels: Array
    energy: Array


def no_cells(rows: int, most: int) -> EdgeCells:
    """Room for the cells of some rows."""
    return EdgeCells(
        np.zeros(rows + 1, np.int32), np.empty(most, np.int32), np.empty(most, np.float32),
        np.empty((most, ENERGIES), np.float32),
    )  # fmt: skip


def pooling_reach(params: BlurParams) -> int:
    """How many cells of 2 x 2 away edges share energies."""
    return gaussian_radius(params.pool_px / 2)


def window_of(params: BlurParams) -> Array:
    """Half of the pooling window over cells, from its middle on."""
    radius = pooling_reach(params)
    whole = cv2.getGaussianKernel(2 * radius + 1, params.pool_px / 2, cv2.CV_32F)
    return np.ascontiguousarray(whole[radius:, 0])


def pooled_energies(edges: EdgeCells, window: Array, rows: slice, cols: int) -> Array:
    """Energies of the cells of some rows, summed over the edges around: only ratios are used."""
    pooled = np.empty((edges.begin[rows.stop] - edges.begin[rows.start], ENERGIES), np.float32)
    sums = np.zeros((cols + 2 * (window.size - 1), ENERGIES), np.float32)
    _pool(edges.begin, edges.column, edges.energy, window, rows.start, rows.stop, sums, pooled)
    return pooled


@kernel(
    reads(f32, 2), reads(f32, 2), reads(u8, 2), reads(u8, 2), reads(f32, 1), i64, i64,
    writes(i32, 1), writes(i32, 1), writes(f32, 1), writes(f32, 2),
)  # fmt: skip
def gather_edges(  # type: ignore[no-untyped-def]
    fine, coarse, linked, clipped, floor, first, last, begin, column, pixels, energy
):
    """Cells of 2 x 2 with edges in rows [first, last): these, their energies, 3 x 3 maxima."""
    width = linked.shape[1]
    here = np.zeros((2, width + width % 2), np.uint8)  # edges of a row of cells
    tops = np.empty((2, 2, width), np.float32)  # energies there, the largest of three below another
    found = 0
    for j in range(begin.size - 1):
        top = first + 2 * j
        for y in range(top, min(top + 2, last)):
            _edge_row(linked[y], clipped[y], here[y - top])
            _tallest(fine, y, tops[0, y - top])
            _tallest(coarse, y, tops[1, y - top])
        if top + 1 == last:
            here[1] = 0
        for i in range(here.shape[1] // 2):
            edges = (here[0, 2 * i] + here[0, 2 * i + 1]) + (here[1, 2 * i] + here[1, 2 * i + 1])
            if edges == 0:
                continue
            column[found], pixels[found], own = i, edges, energy[found]
            own[:] = 0
            for v in range(2):
                for x in range(2 * i, 2 * i + 2):
                    if here[v, x]:
                        own[0] += fine[top + v, x] - floor[0]
                        own[1] += coarse[top + v, x] - floor[1]
                        own[2] += _widest(tops[0, v], x) - floor[0]
                        own[3] += _widest(tops[1, v], x) - floor[1]
            found += 1
        begin[j + 1] = found


@apart
def _edge_row(linked, clipped, out):  # type: ignore[no-untyped-def]
    """1 at edges that are not clipped."""
    for x in range(linked.size):
        out[x] = linked[x] & ~clipped[x]


@inline
def _larger(a, b):  # type: ignore[no-untyped-def]
    return a if a > b else b


@apart
def _tallest(plane, y, out):  # type: ignore[no-untyped-def]
    """Largest of a row and those above and below."""
    above, here, below = plane[max(y - 1, 0)], plane[y], plane[min(y + 1, plane.shape[0] - 1)]
    for x in range(out.size):
        out[x] = _larger(_larger(above[x], below[x]), here[x])


@inline
def _widest(row, x):  # type: ignore[no-untyped-def]
    """Largest of three beside another; no edge is at a border."""
    return _larger(_larger(row[x - 1], row[x + 1]), row[x])


@kernel(
    reads(f32, 2), reads(f32, 2), reads(f32, 1), i64, i64,
    reads(i32, 1), reads(i32, 1), reads(f32, 1), writes(f32, 2),
)  # fmt: skip
def gather_octave(fine, coarse, floor, octave, first, begin, column, pixels, energy):  # type: ignore[no-untyped-def]
    """Energies of a higher octave at cells with edges, bilinear; `first` is the row of cell 0."""
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
    """Bilinear interpolation between samples."""
    above, left = int(y), int(x)
    below, right = min(above + 1, plane.shape[0] - 1), min(left + 1, plane.shape[1] - 1)
    down, across = np.float32(y - above), np.float32(x - left)
    top = mix(plane[above, left], plane[above, right], across)
    return mix(top, mix(plane[below, left], plane[below, right], across), down)


@kernel(
    reads(i32, 1), reads(i32, 1), reads(f32, 2), reads(f32, 1), i64, i64,
    writes(f32, 2), writes(f32, 2),
)  # fmt: skip
def _pool(begin, column, energy, window, first, last, sums, out):  # type: ignore[no-untyped-def]
    """Down the columns, then along the row, of rows [first, last): only where edges are.

    `sums` holds a row of cells with the window's reach at both ends, zero before.
    """
    radius, none = window.size - 1, np.float32(0)
    for j in range(first, last):
        for v in range(max(j - radius, 0), min(j + radius + 1, begin.size - 1)):
            weight = window[abs(v - j)]
            for k in range(begin[v], begin[v + 1]):
                below, one = sums[radius + column[k]], energy[k]
                for n in range(ENERGIES):
                    below[n] += weight * one[n]
        for k in range(begin[j], begin[j + 1]):
            a, b, c, d, e, f, g, h = none, none, none, none, none, none, none, none
            for u in range(2 * radius + 1):  # all eight at once, in registers
                w, s = window[abs(u - radius)], sums[column[k] + u]
                a, b, c, d = a + w * s[0], b + w * s[1], c + w * s[2], d + w * s[3]
                e, f, g, h = e + w * s[4], f + w * s[5], g + w * s[6], h + w * s[7]
            total = out[k - begin[first]]
            total[0], total[1], total[2], total[3] = a, b, c, d
            total[4], total[5], total[6], total[7] = e, f, g, h
        sums[:] = 0
