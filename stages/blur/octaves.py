"""Blur at edges from pooled gradient energies, on five octaves.

The ratio of gradient energies at two scales gives the blur of one edge pixel (see `stages.blur`). A
ratio of two noisy numbers is biased, most strongly near 1, which is where blur is strong. Therefore
energies are pooled before the ratio is taken: averaged over the edge pixels around, including those
without a valid ratio of their own.

A blur is measured on the octave on which it is about a pixel wide: the view reduced by 2, 4 or 8.
There the noise is smaller, and so is the error of a wrong model: the image of a point through a
lens is a disk, whose rim is sharp at scales below its radius, and not a Gaussian. On a reduced view
other edges are close, and energy falls faster with scale than at an isolated edge:

    E_s ~ (sigma^2 + v_s)^-p,    p = 1 for an isolated edge, 2 for lines and fine texture.

p is measured on the octave above, given a first estimate of sigma with p = 1, and is then used on
its own octave. It is pooled like the energies, over a wider window on the coarser octaves. For an
isolated edge p = 1, and the estimate is exact.

p < 1 means that the light keeps changing beside the edge: at coarser scales the edge appears wider.
Shading of a rounded surface does this, in particular near a sharp outline. Wide edges with such a
small p therefore have less confidence.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

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
    OCTAVES,
    TAPS,
    EdgeCells,
    gather_edges,
    gather_octave,
    no_cells,
    pooled_energies,
    windows_of,
)
from stages.blur.survey import EdgeSurvey, noise_sigma
from stages.grid import BlurMap, Grid, SparseBlur
from stages.kernels import f32, i32, inline, kernel, reads, writes
from stages.kinds import Encoded
from stages.params import Array
from stages.strips import run_strips, with_halo

CROWDED = np.float32(2)  # power p where neighbours are close: lines, fine texture
LESS_CROWDED = np.float32(0.8)  # p - 1 on the coarser octaves, over that on the octave above
SHADING = np.float32(0.4), np.float32(0.7)  # power p: below shading, above an edge
# px of the view: below the first number, the estimate of the octave below is used; above the
# second, that of the octave; of octaves 1 to 3
STRONG_BLUR: Array = np.array([[1.5, 3], [3.5, 6], [7, 12]], np.float32)
LARGEST_RISE = np.float32(1.6)  # of an estimate from one octave to the next, against noise
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
    noise, height, windows = noise_sigma(found), view.shape[0], windows_of(params)
    reduced = _reduced_views(view)
    rows_around = 2 * max(window.size - 1 for window in windows)  # halo of the pooling
    variances, largest = _variances(params), params.largest_sigma_px

    def part(start: int, stop: int) -> None:
        if not linked[start:stop].any():
            return
        read, core = with_halo(start, stop, rows_around, height)
        edges = _edge_cells(view, reduced, linked, read, noise, params)
        target, first = slice(start // 2, -(-stop // 2)), core.start // 2
        pooled = pooled_energies(edges, windows, slice(first, -(-core.stop // 2)), cols)
        _blur_of_energies(
            edges.begin[first:], edges.column, edges.pixels, pooled, variances, STRONG_BLUR,
            largest, grid.step, params.balance, params.doubt, weight[target], sigma[target],
        )  # fmt: skip

    run_strips(part, height, params.strip_rows + params.strip_rows % 2)
    return BlurMap(sigma, weight, cells)


def _reduced_views(view: Array) -> list[Array]:
    """Luma of a view reduced by 2, 4, 8, ...: the octaves above the first."""
    half = np.empty(tuple(-(-n // 2) for n in view.shape[:2]), np.float32)

    def part(start: int, stop: int) -> None:
        half[start:stop] = reduce_by(luma_and_clipped(view[2 * start : 2 * stop])[0], 2)

    run_strips(part, len(half))
    planes = [half]
    while len(planes) < OCTAVES - 1:
        planes.append(reduce_by(planes[-1], 2))
    return planes


def _edge_cells(
    view: Array, reduced: list[Array], linked: npt.NDArray[np.bool_], rows: slice, noise: float,
    params: BlurParams,
) -> EdgeCells:  # fmt: skip
    """Cells with edges in some rows of a view, with their energies on all octaves.

    `rows` starts at an even number. Each octave is computed with the halo that its operators need.
    """
    scales = (params.fine_scale_px, params.coarse_scale_px)
    reach = gaussian_radius(params.coarse_scale_px) + 1  # smoothing, then the Scharr operator
    near, core = with_halo(rows.start, rows.stop, max(reach, CLIPPED_REACH_PX) + 1, view.shape[0])
    own, clipped = luma_and_clipped(view[near])
    clipped = near_clipped(clipped).view(np.uint8)
    edges = no_cells(-(-(rows.stop - rows.start) // 2), int(np.count_nonzero(linked[rows])))
    fine, coarse = (gradient_energy(own, scale) for scale in scales)
    among = linked[near].view(np.uint8)
    floor = _noise_energies(scales, noise)
    gather_edges(fine, coarse, among, clipped, floor, core.start, core.stop, *edges)
    for octave, plane in enumerate(reduced, start=1):
        place = rows.start / 2**octave
        first, last = int(place), -(-rows.stop >> octave)
        cut, inner = with_halo(first, last, reach + TAPS, len(plane))
        fine, coarse = (gradient_energy(plane[cut], scale) for scale in scales)
        floor = _noise_energies(scales, noise / 2**octave)
        gather_octave(fine, coarse, floor, octave, inner.start + place - first, *edges)
    return edges


def _noise_energies(scales: Iterable[float], noise: float) -> Array:
    """Gradient energies of white noise, luma^2 / px^2."""
    return np.array([noise_energy(scale, noise) for scale in scales], np.float32)


def _variances(params: BlurParams) -> Array:
    """Variance that smoothing, operator and reduction add, octaves x 2 scales, px^2 of the view."""
    scales = (params.fine_scale_px, params.coarse_scale_px)
    smoothed = np.array([smoothing_variance(scale) for scale in scales])
    octaves = 4.0 ** np.arange(OCTAVES)[:, None]
    added = octaves * (smoothed + SCHARR_VARIANCE) + (octaves - 1) / 12
    return np.asarray(added, np.float32)


@kernel(
    reads(i32, 1), reads(i32, 1), reads(f32, 1), reads(f32, 2), reads(f32, 2), reads(f32, 2), f32,
    f32, f32, f32, writes(f32, 2), writes(f32, 2),
)  # fmt: skip
def _blur_of_energies(  # type: ignore[no-untyped-def]
    begin, column, pixels, pooled, variances, strong_blur, largest, step, balance, doubt, weight,
    sigma
):  # fmt: skip
    """Write blur (full-resolution px) and confidence of the cells with edges.

    `begin` starts with the first row of `sigma`. Sharp edges use the 3 x 3 maxima of the energies,
    as `edge_blur` does. The largest estimate of an octave is `largest` in pixels of that octave.
    """
    v, half = variances, np.float32(0.5)
    for y in range(sigma.shape[0]):
        for k in range(begin[y], begin[y + 1]):
            e = pooled[k - begin[0]]
            own = ratio_blur(e[0], e[1], v[0, 0], v[0, 1], ISOLATED, largest)
            near = ratio_blur(e[2], e[3], v[0, 0], v[0, 1], ISOLATED, largest)
            strong, power = _octave_estimate(e, v, 1, largest)
            own = own if own > 0 else strong
            blur = near + smoothstep(near, SHARP_BLEND[0], SHARP_BLEND[1]) * (own - near)
            for octave in range(1, OCTAVES - 1):
                low, high = strong_blur[octave - 1]
                if octave > 1:
                    if blur < half * low:
                        break
                    strong, _ = _octave_estimate(e, v, octave, largest)
                    strong = min(strong, LARGEST_RISE * blur)
                if strong == 0:
                    break
                blur += smoothstep(half * (blur + strong), low, high) * (strong - blur)
            if blur == 0:
                continue
            usual = min(max(blur, BALANCED_PX[0]), BALANCED_PX[1]) / BALANCED_PX_AT_ONE
            shading = ISOLATED - smoothstep(power, SHADING[0], SHADING[1])
            shading *= smoothstep(blur, WIDE_PX[0], WIDE_PX[1])
            believed = ISOLATED - doubt * shading
            weight[y, column[k]] = pixels[k] * step * usual**balance * believed
            sigma[y, column[k]] = full_sigma(blur, step)


@inline
def _octave_estimate(e, v, octave, largest):  # type: ignore[no-untyped-def]
    """Blur in px of the view from the energies of an octave, and the power p as it was measured."""
    fine, coarse = e[2 + 2 * octave], e[3 + 2 * octave]
    cap = largest * np.float32(1 << octave)
    blur = ratio_blur(fine, coarse, v[octave, 0], v[octave, 1], ISOLATED, cap)
    blur = blur if blur > 0 else cap
    above = octave + 1
    falls = math.log(max(e[4 + 2 * octave], ENERGY_FLOOR) / max(e[5 + 2 * octave], ENERGY_FLOOR))
    alone = math.log((blur**2 + v[above, 1]) / (blur**2 + v[above, 0]))
    found = np.float32(falls / alone)
    power = min(max(found, ISOLATED), CROWDED)
    if octave > 1:
        power = ISOLATED + LESS_CROWDED * (power - ISOLATED)
    return ratio_blur(fine, coarse, v[octave, 0], v[octave, 1], power, cap), found
