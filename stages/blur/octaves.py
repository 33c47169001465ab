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

import cv2
import numpy as np
import numpy.typing as npt

from stages.arrays import reduce_by
from stages.blur.edges import clipped_pixels
from stages.blur.formula import (
    ENERGY_FLOOR,
    SCHARR_VARIANCE,
    SHARP_BLEND,
    full_sigma,
    ratio_blur,
    smoothstep,
)
from stages.blur.gradients import gaussian_radius, gradient_energy, noise_energy, plane_of
from stages.blur.params import CLIPPED_REACH_PX, BlurParams
from stages.blur.survey import EdgeSurvey, noise_sigma
from stages.grid import BlurMap, Grid, mix
from stages.kernels import f32, i64, inline, kernel, reads, u8, writes
from stages.params import Array
from stages.strips import run_strips, with_halo

OCTAVES = 3
GRAIN = 1 << (OCTAVES - 1)  # rows; strips start at multiples, so that they reduce alike
STRONG_BLUR = (1.5, 3.0)  # px of the view: below, the first octave is read; above, the second
BALANCED_PX, BALANCED_PX_AT_ONE = (0.5, 4.0), 1.5  # px of the view: range and unit of the balance
ENERGIES = 8  # per cell: two of edge pixels, their 3 x 3 maxima, two on each higher octave


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
    sigma, count = np.zeros(cells.shape, np.float32), np.zeros(cells.shape, np.float32)
    noise, step, height = noise_sigma(found), np.float32(grid.step), view.shape[0]
    variances = _variances(params)

    def part(start: int, stop: int) -> None:
        target = slice(start // 2, -(-stop // 2))
        read, core = with_halo(start, stop, _pooled_rows(params), height)
        if not linked[read].any():
            return
        edges, pooled = _pooled_energies(view, linked, read, noise, params)
        inner = slice(core.start // 2, -(-core.stop // 2))
        count[target] = edges[inner]
        _blur_of_energies(
            pooled, inner.start, variances, params.largest_sigma_px, step, params.balance,
            count[target], sigma[target],
        )  # fmt: skip

    run_strips(part, height, -(-params.strip_rows // GRAIN) * GRAIN)
    return BlurMap(sigma, count, cells)


def _window_radius(params: BlurParams) -> int:
    """Radius of the pooling window in cells."""
    return math.ceil(2 * params.pool_px)


def _pooled_rows(params: BlurParams) -> int:
    """Rows around a strip whose edges share energies with it, a multiple of the grain."""
    return -(-2 * _window_radius(params) // GRAIN) * GRAIN


def _pooled_energies(
    view: Array, linked: npt.NDArray[np.bool_], rows: slice, noise: float, params: BlurParams
) -> tuple[Array, Array]:
    """Edge pixels of the cells in some rows of a view, and their energies, pooled.

    Each octave is read as far around these rows as its own operators reach.
    """
    scales = (params.fine_scale_px, params.coarse_scale_px)
    reach = gaussian_radius(params.coarse_scale_px) + 1  # and Scharr's operator
    read, _ = with_halo(rows.start, rows.stop, GRAIN * (reach + 1), view.shape[0])
    plane = plane_of(view[read])
    near, core = with_halo(rows.start, rows.stop, max(reach, CLIPPED_REACH_PX) + 1, view.shape[0])
    own = np.ascontiguousarray(plane[near.start - read.start : near.stop - read.start])
    edges = (linked[near] & ~clipped_pixels(view[near])).view(np.uint8)
    shape = (-(-(rows.stop - rows.start) // 2), -(-view.shape[1] // 2))
    count, planes = np.zeros(shape, np.float32), np.zeros((ENERGIES, *shape), np.float32)
    floor = np.array([noise_energy(scale, noise) for scale in scales], np.float32)
    fine, coarse = (gradient_energy(own, scale) for scale in scales)
    _gather_edges(fine, coarse, edges, floor, core.start, core.stop, count, planes)
    for octave in range(1, OCTAVES):
        plane, noise = reduce_by(plane, 2), noise / 2
        first, last = (row - read.start for row in (rows.start, rows.stop))
        cut, inner = with_halo(first >> octave, -(-last >> octave), reach + 1, plane.shape[0])
        floor = np.array([noise_energy(scale, noise) for scale in scales], np.float32)
        fine, coarse = (gradient_energy(plane[cut], scale) for scale in scales)
        _gather_octave(fine, coarse, count, floor, octave, inner.start, planes)
    size = (2 * _window_radius(params) + 1,) * 2
    for energy in planes:  # sums over the edges around: only their ratios are used
        cv2.GaussianBlur(energy, size, params.pool_px / 2, energy, borderType=cv2.BORDER_CONSTANT)
    return count, planes


def _variances(params: BlurParams) -> Array:
    """Variance of smoothing, operator and reduction at two scales per octave, px^2 of the view."""
    scales = np.array([params.fine_scale_px, params.coarse_scale_px])
    octaves = 4.0 ** np.arange(OCTAVES)[:, None]
    added = octaves * (scales**2 + SCHARR_VARIANCE) + (octaves - 1) / 12
    return np.asarray(added, np.float32)


@kernel(
    reads(f32, 2), reads(f32, 2), reads(u8, 2), reads(f32, 1), i64, i64,
    writes(f32, 2), writes(f32, 3),
)  # fmt: skip
def _gather_edges(fine, coarse, edges, floor, first, last, count, out):  # type: ignore[no-untyped-def]
    """Per cell of 2 x 2 in rows [first, last): edges, their energies, and 3 x 3 maxima of these."""
    height, width = edges.shape
    for y in range(max(first, 1), min(last, height - 1)):  # no edge is at a border
        for x in range(1, width - 1):
            if edges[y, x] == 0:
                continue
            top_fine, top_coarse = fine[y, x], coarse[y, x]
            for v in range(-1, 2):
                for u in range(-1, 2):
                    top_fine = max(top_fine, fine[y + v, x + u])
                    top_coarse = max(top_coarse, coarse[y + v, x + u])
            j, i = (y - first) // 2, x // 2
            count[j, i] += np.float32(1)
            out[0, j, i] += fine[y, x] - floor[0]
            out[1, j, i] += coarse[y, x] - floor[1]
            out[2, j, i] += top_fine - floor[0]
            out[3, j, i] += top_coarse - floor[1]


@kernel(
    reads(f32, 2), reads(f32, 2), reads(f32, 2), reads(f32, 1), i64, i64, writes(f32, 3)
)  # fmt: skip
def _gather_octave(fine, coarse, count, floor, octave, first, out):  # type: ignore[no-untyped-def]
    """Energies of a higher octave at cells with edges, bilinear; `first` is the row of cell 0."""
    rows, cols = fine.shape
    scale = 2.0 ** (1 - octave)
    for j in range(count.shape[0]):
        for i in range(count.shape[1]):
            if count[j, i] == 0:
                continue
            y = min(max(first + (j + 0.5) * scale - 0.5, 0.0), rows - 1.0)
            x = min(max((i + 0.5) * scale - 0.5, 0.0), cols - 1.0)
            share = count[j, i] * np.float32(scale * scale / 4)
            out[2 + 2 * octave, j, i] = share * (_at(fine, y, x) - floor[0])
            out[3 + 2 * octave, j, i] = share * (_at(coarse, y, x) - floor[1])


@inline
def _at(plane, y, x):  # type: ignore[no-untyped-def]
    """Bilinear interpolation between samples."""
    above, left = int(y), int(x)
    below, right = min(above + 1, plane.shape[0] - 1), min(left + 1, plane.shape[1] - 1)
    down, across = np.float32(y - above), np.float32(x - left)
    top = mix(plane[above, left], plane[above, right], across)
    return mix(top, mix(plane[below, left], plane[below, right], across), down)


@kernel(reads(f32, 3), i64, reads(f32, 2), f32, f32, f32, writes(f32, 2), writes(f32, 2))
def _blur_of_energies(e, first, variances, largest, step, balance, count, sigma):  # type: ignore[no-untyped-def]
    """Blur of the cells with edges in full-resolution px; `first` is their first row in `e`.

    Sharp edges take the 3 x 3 maxima, as each by itself; an octave's blur is capped in its pixels.
    """
    v = variances
    for y in range(count.shape[0]):
        j = first + y
        for x in range(count.shape[1]):
            if count[y, x] == 0:
                continue
            own = ratio_blur(e[0, j, x], e[1, j, x], v[0, 0], v[0, 1], 1.0, largest)
            near = ratio_blur(e[2, j, x], e[3, j, x], v[0, 0], v[0, 1], 1.0, largest)
            strong = ratio_blur(e[4, j, x], e[5, j, x], v[1, 0], v[1, 1], 1.0, 2 * largest)
            square = (strong if strong > 0 else 2 * largest) ** 2
            falls = np.log(max(e[6, j, x], ENERGY_FLOOR) / max(e[7, j, x], ENERGY_FLOOR))
            power = falls / np.log((square + v[2, 1]) / (square + v[2, 0]))
            power = min(max(power, 1.0), 2.0)
            strong = ratio_blur(e[4, j, x], e[5, j, x], v[1, 0], v[1, 1], power, 2 * largest)
            if own == 0:
                own = strong
            blur = near + smoothstep(near, SHARP_BLEND[0], SHARP_BLEND[1]) * (own - near)
            t = smoothstep((blur + strong) / 2, STRONG_BLUR[0], STRONG_BLUR[1])
            blur = blur + t * (strong - blur)
            if blur == 0:
                count[y, x] = 0
                continue
            usual = min(max(blur, BALANCED_PX[0]), BALANCED_PX[1]) / BALANCED_PX_AT_ONE
            count[y, x] *= step * usual**balance
            sigma[y, x] = full_sigma(blur, step)
