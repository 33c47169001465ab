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

from stages.arrays import luma, reduce_by
from stages.blur.edges import (
    CLIPPED_REACH_PX,
    ENERGY_FLOOR,
    LEAST_RATIO,
    LEAST_SIGMA,
    SCHARR_VARIANCE,
    SHARP_BLEND,
    BlurParams,
    EdgeSurvey,
    clipped_pixels,
    gradient,
    noise_gain,
    noise_sigma,
)
from stages.grid import BlurMap, Grid
from stages.kernels import f32, inline, kernel, reads, u8, writes
from stages.params import Array
from stages.strips import run_strips, with_halo

OCTAVES = 3
GRAIN = 1 << (OCTAVES - 1)  # rows; strips start at multiples, so that they reduce alike
STRONG_BLUR = (1.5, 3.0)  # px of the view: below, the first octave is read; above, the second


def octave_blur(
    view: Array, linked: npt.NDArray[np.bool_], found: EdgeSurvey, grid: Grid, params: BlurParams
) -> BlurMap:
    """Estimate the blur of edges from pooled energies.

    Parameters
    ----------
    view : Array
        HxWx3 float32, display-encoded in [0, 1].
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
        is k for every edge pixel in the cell, the length of edge that the sample stands for.
    """
    rows, cols = (-(-n // 2) for n in grid.shape)
    cells = Grid((rows, cols), 2 * grid.step, grid.phase + grid.step / 2)
    sigma, count = np.zeros(cells.shape, np.float32), np.zeros(cells.shape, np.float32)
    noise, step = noise_sigma(found), grid.step

    def part(start: int, stop: int) -> None:
        read, core = with_halo(start, stop, pooling_halo(params), view.shape[0])
        local_sigma, local_count = _pooled_blur(view[read], linked[read], noise, params)
        inner, target = slice(core.start // 2, -(-core.stop // 2)), slice(start // 2, -(-stop // 2))
        square = (step * local_sigma[inner]) ** 2 - np.float32((step**2 - 1) / 12)
        valid = (local_count[inner] > 0) & (local_sigma[inner] > 0)
        sigma[target] = np.where(valid, np.sqrt(np.maximum(square, 0)), 0)
        count[target] = np.where(valid, step * local_count[inner], 0)

    run_strips(part, view.shape[0], -(-params.strip_rows // GRAIN) * GRAIN)
    return BlurMap(sigma, count, cells)


def pooling_halo(params: BlurParams) -> int:
    """Rows around a strip that pooled estimates depend on, a multiple of the grain."""
    reach = GRAIN * (math.ceil(4 * params.coarse_scale_px) + 2)  # of the last octave
    window = 2 * _window_radius(params) + CLIPPED_REACH_PX
    return -(-(reach + window) // GRAIN) * GRAIN + GRAIN


def _window_radius(params: BlurParams) -> int:
    """Radius of the pooling window in cells."""
    return math.ceil(2 * params.pool_px)


def _pooled_blur(
    view: Array, linked: npt.NDArray[np.bool_], noise: float, params: BlurParams
) -> tuple[Array, Array]:
    """Blur in px of the view, and edge pixels, on the cells of one strip with its halo."""
    plane = luma(view)
    mask = (linked & ~clipped_pixels(view)).astype(np.uint8)
    shape = tuple(-(-n // 2) for n in plane.shape)
    first = np.zeros((5, *shape), np.float32)
    scales = (params.fine_scale_px, params.coarse_scale_px)
    fine, coarse = (gradient(plane, scale) for scale in scales)
    expected = [_noise_energy(scale, noise) for scale in scales]
    _gather_edges(*fine, *coarse, mask, *expected, first)
    count, planes = first[0], list(first[1:])
    for octave in range(1, OCTAVES):
        plane, noise = reduce_by(plane, 2), noise / 2
        for scale in scales:
            gx, gy = gradient(plane, scale)
            energy = gx * gx + gy * gy - np.float32(_noise_energy(scale, noise))
            for _ in range(octave - 1):
                energy = cv2.resize(energy, (2 * energy.shape[1], 2 * energy.shape[0]))
            planes.append(count * energy[: shape[0], : shape[1]] / np.float32(4**octave))
    sigma = np.zeros(shape, np.float32)
    pooled = np.stack([_pool(p, params) for p in planes])
    variances = np.array([_pair_variances(octave, scales) for octave in range(OCTAVES)], np.float32)
    _blur_of_energies(count, pooled, variances, np.float32(params.largest_sigma_px), sigma)
    return sigma, count


def _noise_energy(scale_px: float, noise: float) -> float:
    return 2 * (noise_gain(scale_px) * noise) ** 2


def _pool(plane: Array, params: BlurParams) -> Array:
    """Sum over the edge pixels around, by a Gaussian; only ratios of sums are used."""
    size = (2 * _window_radius(params) + 1,) * 2
    return np.asarray(
        cv2.GaussianBlur(plane, size, params.pool_px / 2, borderType=cv2.BORDER_CONSTANT)
    )


def _pair_variances(octave: int, scales: tuple[float, float]) -> tuple[float, float]:
    """Variance that smoothing, operator and reduction add at the two scales, px^2 of the view."""
    reduction = (4**octave - 1) / 12
    fine, coarse = (4**octave * (s**2 + SCHARR_VARIANCE) + reduction for s in scales)
    return fine, coarse


@kernel(
    reads(f32, 2), reads(f32, 2), reads(f32, 2), reads(f32, 2),
    reads(u8, 2), f32, f32, writes(f32, 3),
)  # fmt: skip
def _gather_edges(fx, fy, cx, cy, mask, fine_noise, coarse_noise, out):  # type: ignore[no-untyped-def]
    """Per cell of 2 x 2: edge pixels, their two energies, and the 3 x 3 maxima of these."""
    height, width = mask.shape
    for y in range(height):
        for x in range(width):
            if mask[y, x] == 0:
                continue
            j, i = y // 2, x // 2
            top_fine, top_coarse = np.float32(0), np.float32(0)
            for v in range(max(y - 1, 0), min(y + 2, height)):
                for u in range(max(x - 1, 0), min(x + 2, width)):
                    top_fine = max(top_fine, fx[v, u] * fx[v, u] + fy[v, u] * fy[v, u])
                    top_coarse = max(top_coarse, cx[v, u] * cx[v, u] + cy[v, u] * cy[v, u])
            out[0, j, i] += np.float32(1)
            out[1, j, i] += fx[y, x] * fx[y, x] + fy[y, x] * fy[y, x] - fine_noise
            out[2, j, i] += cx[y, x] * cx[y, x] + cy[y, x] * cy[y, x] - coarse_noise
            out[3, j, i] += top_fine - fine_noise
            out[4, j, i] += top_coarse - coarse_noise


@inline
def _ratio_blur(fine, coarse, variance, other, power, largest):  # type: ignore[no-untyped-def]
    """Blur from two energies that fall with a power of the variance; 0 where they do not fall."""
    ratio = (max(fine, ENERGY_FLOOR) / max(coarse, ENERGY_FLOOR)) ** (1 / power)
    if ratio <= 1 + (LEAST_RATIO - 1) / power:
        return 0.0
    square = (other - ratio * variance) / (ratio - 1)
    return min(np.sqrt(max(square, LEAST_SIGMA * LEAST_SIGMA)), largest)


@inline
def _smoothstep(value, low, high):  # type: ignore[no-untyped-def]
    t = min(max((value - low) / (high - low), 0.0), 1.0)
    return t * t * (3 - 2 * t)


@kernel(reads(f32, 2), reads(f32, 3), reads(f32, 2), f32, writes(f32, 2))
def _blur_of_energies(count, pooled, variances, largest, out):  # type: ignore[no-untyped-def]
    """Blur of the cells with edges; `pooled` holds four energies of the first octave, then pairs.

    Sharp edges take the 3 x 3 maxima, as in `edges.py`; an octave's blur is capped in its pixels.
    """
    for y in range(count.shape[0]):
        for x in range(count.shape[1]):
            if count[y, x] == 0:
                continue
            v = variances
            e = pooled[:, y, x]
            own = _ratio_blur(e[0], e[1], v[0, 0], v[0, 1], 1.0, largest)
            near = _ratio_blur(e[2], e[3], v[0, 0], v[0, 1], 1.0, largest)
            strong = _ratio_blur(e[4], e[5], v[1, 0], v[1, 1], 1.0, 2 * largest)
            first = strong if strong > 0 else 2 * largest
            falls = np.log(max(e[6], ENERGY_FLOOR) / max(e[7], ENERGY_FLOOR))
            power = falls / np.log((first * first + v[2, 1]) / (first * first + v[2, 0]))
            power = min(max(power, 1.0), 2.0)
            strong = _ratio_blur(e[4], e[5], v[1, 0], v[1, 1], power, 2 * largest)
            if own == 0:
                own = strong
            blur = near + _smoothstep(near, SHARP_BLEND[0], SHARP_BLEND[1]) * (own - near)
            t = _smoothstep((blur + strong) / 2, STRONG_BLUR[0], STRONG_BLUR[1])
            out[y, x] = blur + t * (strong - blur)
