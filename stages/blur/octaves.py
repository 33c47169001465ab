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

No edge has less, unless light goes on changing beside it: what is added at the coarser scales makes
it seem wider the farther one looks. On a rounded surface shading does that, most of all towards a
sharp outline that it knows nothing of; so wide edges whose energy falls that slowly are doubted.
"""

from __future__ import annotations

import math

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
from stages.blur.pool import (
    EdgeCells,
    gather_edges,
    gather_octave,
    no_cells,
    pooled_energies,
    window_of,
)
from stages.blur.survey import EdgeSurvey, noise_sigma
from stages.grid import BlurMap, Grid, SparseBlur
from stages.kernels import f32, i32, kernel, reads, writes
from stages.kinds import Encoded
from stages.params import Array
from stages.strips import run_strips, with_halo

OCTAVES = 3
GRAIN = 1 << (OCTAVES - 1)  # rows; strips start at multiples, so that they reduce alike
CROWDED = np.float32(2)  # power where neighbours are close: lines, fine texture
SHADING = np.float32(0.4), np.float32(0.7)  # power below 1: light changes beside .. an edge
STRONG_BLUR = (
    np.float32(1.5),
    np.float32(3),
)  # px of the view: below, the first octave is read; above, the second
WIDE_PX = np.float32(2), np.float32(4)  # px of the view: sharper edges are not doubted .. in full
BALANCED_PX = np.float32(0.5), np.float32(4)  # px of the view: range of the balance
BALANCED_PX_AT_ONE = np.float32(1.5)  # and its unit


def octave_blur(
    view: Encoded, linked: npt.NDArray[np.bool_], found: EdgeSurvey, grid: Grid, params: BlurParams
) -> SparseBlur:
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
        times (s / 1.5)^balance for a blur s in px of the view, 0.5 <= s <= 4; less where wide
        edges are doubted.
    """
    rows, cols = (-(-n // 2) for n in grid.shape)
    cells = Grid((rows, cols), 2 * grid.step, grid.phase + grid.step / 2)
    sigma, weight = np.zeros(cells.shape, np.float32), np.zeros(cells.shape, np.float32)
    noise, height, window = noise_sigma(found), view.shape[0], window_of(params)
    rows_around = -(-2 * (window.size - 1) // GRAIN) * GRAIN  # whose edges share energies
    variances, largest = _variances(params), params.largest_sigma_px

    def part(start: int, stop: int) -> None:
        if not linked[start:stop].any():
            return
        read, core = with_halo(start, stop, rows_around, height)
        edges = _edge_cells(view, linked, read, noise, params)
        target, first = slice(start // 2, -(-stop // 2)), core.start // 2
        pooled = pooled_energies(edges, window, slice(first, -(-core.stop // 2)), cols)
        _blur_of_energies(
            edges.begin[first:], edges.column, edges.pixels, pooled, variances, largest,
            grid.step, params.balance, params.doubt, weight[target], sigma[target],
        )  # fmt: skip

    run_strips(part, height, -(-params.strip_rows // GRAIN) * GRAIN)
    return BlurMap(sigma, weight, cells)


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
    edges = no_cells(-(-(rows.stop - rows.start) // 2), int(np.count_nonzero(linked[rows])))
    floor = np.array([noise_energy(scale, noise) for scale in scales], np.float32)
    fine, coarse = (gradient_energy(own, scale) for scale in scales)
    among = linked[near].view(np.uint8)
    gather_edges(fine, coarse, among, clipped, floor, core.start, core.stop, *edges)
    for octave in range(1, OCTAVES):
        plane, noise = reduce_by(plane, 2), noise / 2
        first, last = (row - read.start for row in (rows.start, rows.stop))
        cut, inner = with_halo(first >> octave, -(-last >> octave), reach + 1, plane.shape[0])
        floor = np.array([noise_energy(scale, noise) for scale in scales], np.float32)
        fine, coarse = (gradient_energy(plane[cut], scale) for scale in scales)
        gather_octave(fine, coarse, floor, octave, inner.start, *edges)
    return edges


def _variances(params: BlurParams) -> Array:
    """Variance of smoothing, operator and reduction at two scales per octave, px^2 of the view."""
    scales = (params.fine_scale_px, params.coarse_scale_px)
    smoothed = np.array([smoothing_variance(scale) for scale in scales])
    octaves = 4.0 ** np.arange(OCTAVES)[:, None]
    added = octaves * (smoothed + SCHARR_VARIANCE) + (octaves - 1) / 12
    return np.asarray(added, np.float32)


@kernel(
    reads(i32, 1), reads(i32, 1), reads(f32, 1), reads(f32, 2), reads(f32, 2), f32, f32, f32,
    f32, writes(f32, 2), writes(f32, 2),
)  # fmt: skip
def _blur_of_energies(  # type: ignore[no-untyped-def]
    begin, column, pixels, pooled, variances, largest, step, balance, doubt, weight, sigma
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
            found = np.float32(falls / alone)
            power = min(max(found, ISOLATED), CROWDED)
            strong = ratio_blur(e[4], e[5], v[1, 0], v[1, 1], power, cap)
            own = own if own > 0 else strong
            blur = near + smoothstep(near, SHARP_BLEND[0], SHARP_BLEND[1]) * (own - near)
            level = (blur + strong) / np.float32(2)
            blur += smoothstep(level, STRONG_BLUR[0], STRONG_BLUR[1]) * (strong - blur)
            if blur == 0:
                continue
            usual = min(max(blur, BALANCED_PX[0]), BALANCED_PX[1]) / BALANCED_PX_AT_ONE
            shading = ISOLATED - smoothstep(found, SHADING[0], SHADING[1])
            shading *= smoothstep(blur, WIDE_PX[0], WIDE_PX[1])
            believed = ISOLATED - doubt * shading
            weight[y, column[k]] = pixels[k] * step * usual**balance * believed
            sigma[y, column[k]] = full_sigma(blur, step)
