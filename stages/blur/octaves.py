"""Blur at edges from pooled gradient energies, on three octaves.

The ratio of gradient energies at two scales gives the blur of one edge pixel (see `stages.blur`). A
ratio of two noisy numbers is biased, most strongly near 1, which is where blur is strong. Therefore
energies are pooled before the ratio is taken: averaged over the edge pixels around, including those
without a valid ratio of their own.

Strong blur is measured one octave higher, on the view reduced by two, where the noise is half as
large. There, other edges are close, and energy falls faster with scale than at an isolated edge:

    E_s ~ (sigma^2 + v_s)^-p,    p = 1 for an isolated edge, 2 for lines and fine texture.

p is measured on the third octave, given a first estimate of sigma with p = 1, and is then used on
the second. It is pooled like the energies. For an isolated edge p = 1, and the estimate is exact.

p < 1 means that the light keeps changing beside the edge: at coarser scales the edge appears wider.
Shading of a rounded surface does this, in particular near a sharp outline. Wide edges with such a
small p therefore have less confidence.
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
GRAIN = 1 << (OCTAVES - 1)  # rows; strips start at multiples, so that all reduce the same cells
CROWDED = np.float32(2)  # power p where neighbours are close: lines, fine texture
SHADING = np.float32(0.4), np.float32(0.7)  # power p: below shading, above an edge
# px of the view: below, the estimate of the first octave is used; above, that of the second
STRONG_BLUR = (np.float32(1.5), np.float32(3))
WIDE_PX = np.float32(2), np.float32(4)  # px of the view: below, `doubt` has no effect; above, full
BALANCED_PX = np.float32(0.5), np.float32(4)  # px of the view: blur is clamped for the balance
BALANCED_PX_AT_ONE = np.float32(1.5)  # px of the view: blur at which the balance is 1


def octave_blur(
    view: Encoded, linked: npt.NDArray[np.bool_], found: EdgeSurvey, grid: Grid, params: BlurParams
) -> SparseBlur:
    """Estimate the blur of edges from pooled gradient energies.

    Parameters
    ----------
    view : Array
        HxWx3 float32, display-encoded in [0, 1]; or HxW, its luma.
    linked : array of bool
        HxW, the thinned edges (`linked_edges`).
    found : EdgeSurvey
        Gradient statistics of the whole view; the noise is used.
    grid : Grid
        Grid of the view, step k.
    params : BlurParams
        Scales, pooling window and the largest estimate.

    Returns
    -------
    BlurMap
        Sparse, on cells of 2 x 2 pixels of the view; sigma in full-resolution pixels. Confidence is
        k for each edge pixel in the cell, which is the length of edge that the sample represents,
        times (s / 1.5)^balance for a blur s in px of the view, clamped to [0.5, 4]. Wide edges that
        may be shading have less.
    """
    rows, cols = (-(-n // 2) for n in grid.shape)
    cells = Grid((rows, cols), 2 * grid.step, grid.phase + grid.step / 2)
    sigma, weight = np.zeros(cells.shape, np.float32), np.zeros(cells.shape, np.float32)
    noise, height, window = noise_sigma(found), view.shape[0], window_of(params)
    rows_around = -(-2 * (window.size - 1) // GRAIN) * GRAIN  # halo of the pooling
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
    """Cells with edges in some rows of a view, with their energies on all octaves.

    Each octave is computed with the halo that its operators need.
    """
    scales = (params.fine_scale_px, params.coarse_scale_px)
    reach = gaussian_radius(params.coarse_scale_px) + 1  # smoothing, then the Scharr operator
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
    """Variance that smoothing, operator and reduction add, octaves x 2 scales, px^2 of the view."""
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
    """Write blur (full-resolution px) and confidence of the cells with edges.

    `begin` starts with the first row of `sigma`. Sharp edges use the 3 x 3 maxima of the energies,
    as `edge_blur` does. The largest estimate of an octave is `largest` in pixels of that octave.
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
