"""Upsampling of a dense map from a small grid to full resolution, by one of five methods.

All methods but `optimization` are local: a strip of rows needs a halo of at most two window radii
of the small map.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.arrays import check_image
from stages.grid import BlurMap, DenseBlur, Grid, interpolate, lift
from stages.kinds import Encoded, LinearLight
from stages.params import Array, Params, param
from stages.upsample.bilateral import joint_bilateral
from stages.upsample.fast import fast_guided
from stages.upsample.masked import masked_guided
from stages.upsample.optimization import optimized

PAPER_STEP = 2  # step of the small grid for which `window_radius_px` is given


@dataclass(frozen=True, slots=True, kw_only=True)
class UpsampleParams(Params):
    """Parameters of the guided upsampling."""

    method: str = param(
        "fast",
        choices=("fast", "masked", "joint_bilateral", "optimization", "bilinear"),
        help="Fast guided filter, guided filter as printed in the paper, joint bilateral "
        "upsampling (Kopf et al. 2007), optimisation at full resolution (Park et al. 2011), or "
        "bilinear interpolation.",
    )
    window_radius_px: int = param(
        4,
        2,
        100,
        unit="px",
        help="Window radius when upsampling by 2; it is proportional to the upsampling factor.",
    )
    epsilon: float = param(
        0.1, 1e-6, 10.0, help="Regularisation of the affine model: larger values are smoother."
    )
    range_sigma: float = param(
        0.1,
        1e-3,
        10.0,
        help="joint_bilateral, optimization: standard deviation of colour, in encoded values.",
    )  # fmt: skip


def guided_upsample(low: DenseBlur, guide: Encoded, params: UpsampleParams) -> DenseBlur:
    """Upsample a dense blur map to the size of its picture.

    Parameters
    ----------
    low : BlurMap
        Dense map on a grid over the picture. If samples lie between pixels (`Grid.cells` of an even
        step), `fast` uses their exact positions, and `masked` moves them to the pixel above and to
        the left.
    guide : Array
        Encoded picture, HxWx3 float32 in [0, 1], at full resolution.
    params : UpsampleParams
        Method and window.

    Returns
    -------
    BlurMap
        Map at full resolution, sigma >= 0. Confidence is interpolated bilinearly.

    Raises
    ------
    ValueError
        If the guide is not a picture or not finite, or if the map is sparse or does not cover it.
    """
    return _upsampled(low, guide, params, linear=False)


def upsample_to_light(low: DenseBlur, linear: LinearLight, params: UpsampleParams) -> DenseBlur:
    """Upsample a dense blur map, guided by the square root of a picture in linear light.

    The square root is close to any display encoding, at a third of the cost. The fast method takes
    it strip by strip.

    Parameters
    ----------
    low : BlurMap
        Dense map, as for `guided_upsample`.
    linear : Array
        Picture in linear light, HxWx3 float32, at full resolution.
    params : UpsampleParams
        Method and window.

    Returns
    -------
    BlurMap
        Map at full resolution, as of `guided_upsample`.
    """
    return _upsampled(low, linear, params, linear=True)


def bilinear_upsample(low: DenseBlur, guide: Array, params: UpsampleParams) -> DenseBlur:
    """Upsample a dense blur map bilinearly, without guidance.

    Parameters
    ----------
    low : BlurMap
        Dense map on a grid over the picture; sigma in full-resolution px.
    guide : Array
        Picture, HxWx3 float32; only its size is used, and its values are checked to be finite.
    params : UpsampleParams
        Not used. The signature is that of `guided_upsample`, so that either can be called.

    Returns
    -------
    BlurMap
        Map at full resolution, HxW; sigma in full-resolution px.

    Raises
    ------
    ValueError
        If `low` is not dense or does not match `guide`, or if `guide` is not a finite HxWx3
        picture.
    """
    return lift(low, _checked_grid(low, guide))


def _upsampled(low: BlurMap, guide: Array, params: UpsampleParams, *, linear: bool) -> BlurMap:
    """Upsampled map; if the guide is in linear light, its square root is the guide."""
    full = _checked_grid(low, guide, averaged=linear and params.method == "fast")
    if params.method == "bilinear":
        return lift(low, full)
    guide, radius_px = np.ascontiguousarray(guide), params.window_radius_px
    low = BlurMap(np.ascontiguousarray(low.sigma), low.confidence, low.grid)
    if params.method == "fast":
        radius = max(round(radius_px / PAPER_STEP), 1)
        sigma = fast_guided(low, guide, radius, params.epsilon, linear=linear)
        return BlurMap(sigma, interpolate(low.confidence, low.grid, full), full)
    if linear:
        guide = np.sqrt(np.clip(guide, 0, 1))
    if params.method == "masked":
        radius = round(radius_px * low.grid.step / PAPER_STEP)
        sigma = masked_guided(low, guide, radius, params.epsilon)
    elif params.method == "optimization":
        sigma = optimized(low, guide, params.range_sigma)
    else:
        sigma = joint_bilateral(low, guide, params.range_sigma)
    return BlurMap(sigma, interpolate(low.confidence, low.grid, full), full)


def _checked_grid(low: BlurMap, guide: Array, *, averaged: bool = False) -> Grid:
    """Grid of the full picture, after the checks of map and guide.

    If means of cells will be `averaged` and checked later, the pixels need no check here.
    """
    check_image("upsample", "guide", guide, finite=False)
    full = guide.shape[:2]
    cells = Grid.cells(full, low.grid.step)
    if not averaged or low.grid != cells:
        check_image("upsample", "guide", guide)
    if low.grid.shape != cells.shape or low.sigma.shape != cells.shape:
        wanted = cells.shape
        raise ValueError(f"upsample: low must be {wanted} for a guide {full}; got {low.grid.shape}")
    if not low.is_dense or not np.isfinite(low.sigma.sum(dtype=np.float64)):
        raise ValueError("upsample: low must be a dense map; got one with holes or not finite")
    return Grid(full)
