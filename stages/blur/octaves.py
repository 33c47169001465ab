"""Blur at edges from energies that neighbouring edges share, on three octaves.

The ratio of gradient energies at two scales gives the blur of one edge pixel (see `stages.blur`),
but a ratio of two noisy numbers is biased, most of all where it is near 1: on strong blur. So the
energies of the edge pixels around are averaged before the ratio is taken, those without a valid
ratio of their own included. Strong blur is read one octave higher, on the picture reduced by two,
where noise is half as large. There other edges are never far away, and energy falls with scale
faster than at an isolated edge,

    E_s ~ (sigma^2 + v_s)^-p,    p = 1 for an edge, 2 for lines and fine texture,

so p is measured on the next octave, given a first estimate with p = 1, and put to use on this one.
An isolated edge has p = 1 and is read exactly; p is the same for all edges of a neighbourhood.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numba
import numpy as np
import numpy.typing as npt

from stages.arrays import reduce_by
from stages.blur.edges import luma_and_clipped, near_clipped
from stages.blur.formula import (
    ENERGY_FLOOR,
    ISOLATED,
    SCHARR_VARIANCE,
    SHARP_BLEND,
    full_sigma,
    ratio_blur,
    smoothstep,
)
from stages.blur.gradients import (
    gaussian_radius,
    gradient_energy,
    noise_energy,
    smoothing_variance,
)
from stages.blur.params import CLIPPED_REACH_PX, BlurParams
from stages.blur.survey import EdgeSurvey, noise_sigma
from stages.grid import BlurMap, Grid, mix
from stages.kernels import f32, i32, i64, inline, kernel, reads, u8, writes
from stages.params import Array
from stages.strips import run_strips, with_halo

OCTAVES = 3
GRAIN = 1 << (OCTAVES - 1)  # rows; strips start at multiples, so that they reduce alike
CROWDED = np.float32(2)  # power where neighbours are close: lines, fine texture
STRONG_BLUR = (
    np.float32(1.5),
    np.float32(3),
)  # px of the view: below, the first octave is read; above, the second
BALANCED_PX = np.float32(0.5), np.float32(4)  # px of the view: range of the balance
BALANCED_PX_AT_ONE = np.float32(1.5)  # and its unit
ENERGIES = 8  # per cell: two of edge pixels, their 3 x 3 maxima, two on each higher octave


class EdgeCells(NamedTuple):
    """Cells with edges, row by row: those of row j are begin[j] .. begin[j + 1].

    Their column, how many edge pixels they hold, and the sums of the energies of these.
    """

    begin: npt.NDArray[np.int32]
    column: npt.NDArray[np.int32]
    pixels: Array
    energy: Array


def octave_blur(
    view: Array, linked: npt.NDArray[np.bool_], found: EdgeSurvey, grid: Grid, params: BlurParams
) -> BlurMap:
    """Estimate the blur of edges from pooled energies.

    Parameters
    ----------
    view : Array
        HxWx3 float32, display-encoded in [0, 1]; or HxW, its luma.
    linked : array of bool
        HxW, the thinned edges (`linked_edges`).
    found : EdgeSurvey
        Survey of the whole view.
    grid : Grid
        Grid of the view, step k.
    params : BlurParams
        Scales, pooling window and the largest estimate.

    Returns
    -------
    BlurMap
        Sparse, on cells of 2 x 2 pixels of the view: sigma in full-resolution pixels; confidence
        is k for every edge pixel in the cell, the length of edge that the sample stands for,
        times (s / 1.5)^balance for a blur s in px of the view, 0.5 <= s <= 4.
    """
    rows, cols = (-(-n // 2) for n in grid.shape)
    cells = Grid((rows, cols), 2 * grid.step, grid.phase + grid.step / 2)
    sigma, weight = np.zeros(cells.shape, np.float32), np.zeros(cells.shape, np.float32)
    noise, height, window = noise_sigma(found), view.shape[0], _window(params)
    rows_around = -(-2 * (window.size - 1) // GRAIN) * GRAIN  # whose edges share energies
    variances, largest = _variances(params), params.largest_sigma_px

    def part(start: int, stop: int) -> None:
        if not linked[start:stop].any():
            return
        read, core = with_halo(start, stop, rows_around, height)
        edges = _edge_cells(view, linked, read, noise, params)
        target, first = slice(start // 2, -(-stop // 2)), core.start // 2
        pooled = _pooled(edges, window, slice(first, -(-core.stop // 2)), cols)
        _blur_of_energies(
            edges.begin[first:], edges.column, edges.pixels, pooled, variances, largest,
            grid.step, params.balance, weight[target], sigma[target],
        )  # fmt: skip

    run_strips(part, height, -(-params.strip_rows // GRAIN) * GRAIN)
    return BlurMap(sigma, weight, cells)


def pooling_reach(params: BlurParams) -> int:
    """How many cells of 2 x 2 away edges share energies."""
    return gaussian_radius(params.pool_px / 2)


def _window(params: BlurParams) -> Array:
    """Half of the pooling window over cells, from its middle on."""
    radius = pooling_reach(params)
    whole = cv2.getGaussianKernel(2 * radius + 1, params.pool_px / 2, cv2.CV_32F)
    return np.ascontiguousarray(whole[radius:, 0])


def _edge_cells(
    view: Array, linked: npt.NDArray[np.bool_], rows: slice, noise: float, params: BlurParams
) -> EdgeCells:
    """Cells with edges in some rows of a view, and their energies.

    Each octave is read as far around these rows as its own operators reach.
    """
    scales = (params.fine_scale_px, params.coarse_scale_px)
    reach = gaussian_radius(params.coarse_scale_px) + 1  # and Scharr's operator
    read, _ = with_halo(rows.start, rows.stop, GRAIN * (reach + 1), view.shape[0])
    plane, clipped = luma_and_clipped(view[read])
    near, core = with_halo(rows.start, rows.stop, max(reach, CLIPPED_REACH_PX) + 1, view.shape[0])
    within = slice(near.start - read.start, near.stop - read.start)
    own = np.ascontiguousarray(plane[within])
    clipped = near_clipped(clipped[within]).view(np.uint8)
    edges = _no_cells(-(-(rows.stop - rows.start) // 2), int(np.count_nonzero(linked[rows])))
    floor = np.array([noise_energy(scale, noise) for scale in scales], np.float32)
    fine, coarse = (gradient_energy(own, scale) for scale in scales)
    among = linked[near].view(np.uint8)
    _gather_edges(fine, coarse, among, clipped, floor, core.start, core.stop, *edges)
    for octave in range(1, OCTAVES):
        plane, noise = reduce_by(plane, 2), noise / 2
        first, last = (row - read.start for row in (rows.start, rows.stop))
        cut, inner = with_halo(first >> octave, -(-last >> octave), reach + 1, plane.shape[0])
        floor = np.array([noise_energy(scale, noise) for scale in scales], np.float32)
        fine, coarse = (gradient_energy(plane[cut], scale) for scale in scales)
        _gather_octave(fine, coarse, floor, octave, inner.start, *edges)
    return edges


def _no_cells(rows: int, most: int) -> EdgeCells:
    """Room for the cells of some rows."""
    return EdgeCells(
        np.zeros(rows + 1, np.int32), np.empty(most, np.int32), np.empty(most, np.float32),
        np.empty((most, ENERGIES), np.float32),
    )  # fmt: skip


def _pooled(edges: EdgeCells, window: Array, rows: slice, cols: int) -> Array:
    """Energies of the cells of some rows, summed over the edges around: only ratios are used."""
    pooled = np.empty((edges.begin[rows.stop] - edges.begin[rows.start], ENERGIES), np.float32)
    sums = np.zeros((cols + 2 * (window.size - 1), ENERGIES), np.float32)
    _pool(edges.begin, edges.column, edges.energy, window, rows.start, rows.stop, sums, pooled)
    return pooled


def _variances(params: BlurParams) -> Array:
    """Variance of smoothing, operator and reduction at two scales per octave, px^2 of the view."""
    scales = (params.fine_scale_px, params.coarse_scale_px)
    smoothed = np.array([smoothing_variance(scale) for scale in scales])
    octaves = 4.0 ** np.arange(OCTAVES)[:, None]
    added = octaves * (smoothed + SCHARR_VARIANCE) + (octaves - 1) / 12
    return np.asarray(added, np.float32)


@kernel(
    reads(f32, 2), reads(f32, 2), reads(u8, 2), reads(u8, 2), reads(f32, 1), i64, i64,
    writes(i32, 1), writes(i32, 1), writes(f32, 1), writes(f32, 2),
)  # fmt: skip
def _gather_edges(  # type: ignore[no-untyped-def]
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


@numba.njit(nogil=True, error_model="numpy")  # not inline: alone, its loop is vector code
def _edge_row(linked, clipped, out):  # type: ignore[no-untyped-def]
    """1 at edges that are not clipped."""
    for x in range(linked.size):
        out[x] = linked[x] & ~clipped[x]


@inline
def _larger(a, b):  # type: ignore[no-untyped-def]
    return a if a > b else b


@numba.njit(nogil=True, error_model="numpy")  # not inline: alone, its loop is vector code
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
def _gather_octave(fine, coarse, floor, octave, first, begin, column, pixels, energy):  # type: ignore[no-untyped-def]
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


@kernel(
    reads(i32, 1), reads(i32, 1), reads(f32, 1), reads(f32, 2), reads(f32, 2), f32, f32, f32,
    writes(f32, 2), writes(f32, 2),
)  # fmt: skip
def _blur_of_energies(  # type: ignore[no-untyped-def]
    begin, column, pixels, pooled, variances, largest, step, balance, weight, sigma
):
    """Blur of the cells with edges in full-resolution px; `begin` starts with their first row.

    Sharp edges take the 3 x 3 maxima, as each by itself; an octave's blur is capped in its pixels.
    """
    v, cap = variances, largest + largest
    for y in range(sigma.shape[0]):
        for k in range(begin[y], begin[y + 1]):
            e = pooled[k - begin[0]]
            own = ratio_blur(e[0], e[1], v[0, 0], v[0, 1], ISOLATED, largest)
            near = ratio_blur(e[2], e[3], v[0, 0], v[0, 1], ISOLATED, largest)
            strong = ratio_blur(e[4], e[5], v[1, 0], v[1, 1], ISOLATED, cap)
            strong = strong if strong > 0 else cap
            falls = math.log(max(e[6], ENERGY_FLOOR) / max(e[7], ENERGY_FLOOR))
            alone = math.log((strong**2 + v[2, 1]) / (strong**2 + v[2, 0]))
            power = min(max(falls / alone, ISOLATED), CROWDED)
            strong = ratio_blur(e[4], e[5], v[1, 0], v[1, 1], power, cap)
            own = own if own > 0 else strong
            blur = near + smoothstep(near, SHARP_BLEND[0], SHARP_BLEND[1]) * (own - near)
            level = (blur + strong) / np.float32(2)
            blur += smoothstep(level, STRONG_BLUR[0], STRONG_BLUR[1]) * (strong - blur)
            if blur == 0:
                continue
            usual = min(max(blur, BALANCED_PX[0]), BALANCED_PX[1]) / BALANCED_PX_AT_ONE
            weight[y, column[k]] = pixels[k] * step * usual**balance
            sigma[y, column[k]] = full_sigma(blur, step)
