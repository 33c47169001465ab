"""Guided upsampling: a small blur map becomes full-size along the edges of the picture.

Kriener et al. 2013, section 2.3: in a window around each pixel k blur is affine in colour, with
the a_k, b_k that fit the samples in the window best (eq. 7); a pixel takes the mean of what all
windows around it say (eq. 8). Windows are cut at the border of the picture.

`masked` is that as printed, with the samples set among undefined pixels. `fast` does the same sums
on the small grid, with the picture reduced to it, and interpolates the means of a and b, which are
smooth, instead of the blur, which is not. `bilinear` asks no guide.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
import numpy.typing as npt

from stages.arrays import check_image, reduce_by
from stages.grid import TAPS, BlurMap, Grid, interpolate, lift, linear_taps, mix
from stages.kernels import f32, i64, kernel, reads, writes
from stages.laplacian import Floats, box_sum, ldl_factors, ldl_solve
from stages.params import Array, Params, param
from stages.strips import STRIP_ROWS, run_strips

PAPER_STEP = 2  # the step for which windows are given in pixels
MASKED_ROWS = 2 * STRIP_ROWS  # a strip of `masked` has a halo of 40 rows or more


@dataclass(frozen=True, slots=True, kw_only=True)
class UpsampleParams(Params):
    """Parameters of the guided upsampling."""

    method: str = param(
        "fast",
        choices=("fast", "masked", "bilinear"),
        help="Guided on the small grid, guided as printed in the paper, or not guided.",
    )
    window_radius_px: int = param(
        10,
        2,
        100,
        unit="px",
        help="Radius of the windows when upsampling by 2; in proportion for other factors.",
    )
    epsilon: float = param(
        1e-2, 1e-6, 10.0, help="Regularisation of the affine model: larger is smoother."
    )


def guided_upsample(low: BlurMap, guide: Array, params: UpsampleParams) -> BlurMap:
    """Upsample a dense blur map to the size of its picture.

    Parameters
    ----------
    low : BlurMap
        Dense map on a grid over the picture. A grid whose samples lie between pixels (`Grid.cells`
        of an even step) is exact for `fast`; `masked` sets them on the pixel above and to the
        left, and the map moves by the fraction.
    guide : Array
        Encoded picture, HxWx3 float32 in [0, 1], at full resolution.
    params : UpsampleParams
        Method and window.

    Returns
    -------
    BlurMap
        Map at full resolution: sigma >= 0; confidence is interpolated.

    Raises
    ------
    ValueError
        If the guide is not a picture, or the map is sparse or of another size.
    """
    if params.method == "bilinear":
        return bilinear_upsample(low, guide, params)
    full = _checked_grid(low, guide)
    method = _masked if params.method == "masked" else _fast
    sigma = method(low, np.ascontiguousarray(guide), params)
    return BlurMap(sigma, interpolate(low.confidence, low.grid, full), full)


def bilinear_upsample(low: BlurMap, guide: Array, params: UpsampleParams) -> BlurMap:
    """Upsample without guidance: the cheap stand-in for `guided_upsample`, called alike."""
    return lift(low, _checked_grid(low, guide))


def _checked_grid(low: BlurMap, guide: Array) -> Grid:
    """Grid of the full picture, which the map must cover."""
    check_image("upsample", "guide", guide)
    full = guide.shape[:2]
    wanted = Grid.cells(full, low.grid.step).shape
    if low.grid.shape != wanted or low.sigma.shape != wanted:
        raise ValueError(f"upsample: low must be {wanted} for a guide {full}; got {low.grid.shape}")
    if not low.is_dense or not np.isfinite(low.sigma.sum(dtype=np.float64)):
        raise ValueError("upsample: low must be a dense map; got one with holes or not finite")
    return Grid(full)


def _masked(low: BlurMap, guide: Array, params: UpsampleParams) -> Array:
    """Eq. (7) and (8) at full resolution, in strips with a halo of two window radii."""
    height, width = guide.shape[:2]
    radius = round(params.window_radius_px * low.grid.step / PAPER_STEP)
    rows, cols = _sample_pixels(low.grid, guide.shape)
    out = np.empty((height, width), np.float32)

    def upsample(start: int, stop: int) -> None:
        top, bottom = max(start - 2 * radius, 0), min(stop + 2 * radius, height)
        first, last = np.searchsorted(rows, (top, bottom))
        value, defined = np.zeros((2, bottom - top, width))
        place = np.ix_(rows[first:last] - top, cols)
        value[place] = low.sigma[first:last]
        defined[place] = 1
        colours = np.moveaxis(guide[top:bottom], 2, 0).astype(np.float64)
        model = _mean_model(colours, value, defined, radius, params.epsilon)
        inner = slice(start - top, stop - top)
        sigma = np.sum(model[:3, inner] * colours[:, inner], axis=0) + model[3, inner]
        out[start:stop] = np.maximum(sigma, 0)

    run_strips(upsample, height, MASKED_ROWS)
    return out


def _fast(low: BlurMap, guide: Array, params: UpsampleParams) -> Array:
    """Eq. (7) and (8) on the small grid, the mean model interpolated to full size."""
    grid, full = low.grid, Grid(guide.shape[:2])
    height, width = grid.shape
    radius = max(round(params.window_radius_px / PAPER_STEP), 1)
    small = _reduced_guide(grid, guide)
    model = np.empty((height, width, 4), np.float32)

    def fit(start: int, stop: int) -> None:
        top, bottom = max(start - 2 * radius, 0), min(stop + 2 * radius, height)
        colours = np.moveaxis(small[top:bottom], 2, 0).astype(np.float64)
        value = low.sigma[top:bottom].astype(np.float64)
        mean = _mean_model(colours, value, np.ones_like(value), radius, params.epsilon)
        model[start:stop] = np.moveaxis(mean[:, start - top : stop - top], 0, 2)

    run_strips(fit, height)
    out = np.empty(full.shape, np.float32)
    rows, cols = (linear_taps(grid, full, axis) for axis in (0, 1))
    run_strips(
        lambda start, stop: _apply_model(model, guide, *rows, *cols, start, stop, out),
        full.shape[0],
    )
    return out


def _sample_pixels(
    grid: Grid, shape: tuple[int, ...]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows and columns of the pixels that stand for the samples of a grid."""
    rows, cols = (
        np.minimum(np.floor(grid.positions(axis)).astype(np.int64), shape[axis] - 1)
        for axis in (0, 1)
    )
    return rows, cols


def _reduced_guide(grid: Grid, guide: Array) -> Array:
    """Colours at the samples of a grid: means of its cells, or the pixels that it picks."""
    if grid == Grid.cells((guide.shape[0], guide.shape[1]), grid.step):
        return reduce_by(guide, grid.step)
    return guide[np.ix_(*_sample_pixels(grid, guide.shape))]


def _mean_model(
    colours: Floats, value: Floats, defined: Floats, radius: int, epsilon: float
) -> Floats:
    """Fit the model in every window and average it over the windows: planes a_r, a_g, a_b, b.

    `colours` is 3xHxW; `defined` is 1 where `value` holds a sample, and `value` is 0 elsewhere.
    """
    samples = box_sum(defined, radius)
    pixels = box_sum(np.ones_like(defined), radius)
    masked = [colour * defined for colour in colours]
    mean_value = _mean(value, radius, samples)
    mean_colour = [_mean(plane, radius, samples) for plane in masked]
    covariance = np.empty((6, *value.shape))
    for plane, (i, j) in zip(covariance, combinations_with_replacement(range(3), 2), strict=True):
        plane[:] = _mean(masked[i] * colours[j], radius, samples) - mean_colour[i] * mean_colour[j]
        plane += epsilon * (i == j)
    cross = [
        _mean(colour * value, radius, samples) - mu * mean_value
        for colour, mu in zip(colours, mean_colour, strict=True)
    ]
    slopes = ldl_solve(ldl_factors(covariance), cross)
    for a, mu in zip(slopes, mean_colour, strict=True):
        mean_value -= a * mu  # ends as b
    return np.stack([_mean(plane, radius, pixels) for plane in (*slopes, mean_value)])


def _mean(plane: Floats, radius: int, count: Floats) -> Floats:
    """Mean over a window of which `count` pixels matter."""
    total = box_sum(plane, radius)
    total /= count
    return total


@kernel(reads(f32, 3), reads(f32, 3), *TAPS, *TAPS, i64, i64, writes(f32, 2))
def _apply_model(  # type: ignore[no-untyped-def]
    model, guide, above, below, down, left, right, across, start, stop, out
):
    """Rows [start, stop) of max(a . I + b, 0), with a and b interpolated from the small grid."""
    row = np.empty(model.shape[1:], np.float32)
    for y in range(start, stop):
        for x in range(row.shape[0]):
            for c in range(4):
                row[x, c] = mix(model[above[y], x, c], model[below[y], x, c], down[y])
        for x in range(out.shape[1]):
            low, high, part = left[x], right[x], across[x]
            sigma = mix(row[low, 3], row[high, 3], part)
            for c in range(3):
                sigma += mix(row[low, c], row[high, c], part) * guide[y, x, c]
            out[y, x] = max(sigma, np.float32(0))
