"""The stage: from a dense map on a small grid to the size of its picture, by one of four methods.

Each is local: a strip of rows needs no more than a halo of two window radii of the small map.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.arrays import check_image
from stages.grid import BlurMap, Grid, interpolate, lift
from stages.params import Array, Params, param
from stages.upsample.bilateral import joint_bilateral
from stages.upsample.fast import fast_guided
from stages.upsample.masked import masked_guided

PAPER_STEP = 2  # the step for which windows are given in pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class UpsampleParams(Params):
    """Parameters of the guided upsampling."""

    method: str = param(
        "fast",
        choices=("fast", "masked", "joint_bilateral", "bilinear"),
        help="Guided on the small grid, guided as printed in the paper, Kopf et al. 2007, or not.",
    )
    window_radius_px: int = param(
        4,
        2,
        100,
        unit="px",
        help="Radius of guided windows when upsampling by 2; in proportion for other factors.",
    )
    epsilon: float = param(
        0.1, 1e-6, 10.0, help="Regularisation of the affine model: larger is smoother."
    )
    range_sigma: float = param(
        0.1, 1e-3, 10.0, help="joint_bilateral: deviation of colour between pixels that agree."
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
    return _upsampled(low, guide, params, linear=False)


def upsample_to_light(low: BlurMap, linear: Array, params: UpsampleParams) -> BlurMap:
    """Upsample along a picture in linear light, HxWx3: as `guided_upsample` with its square root.

    The root is near any display's encoding, at a third of its cost; the fast method takes it strip
    by strip, as it is needed.
    """
    return _upsampled(low, linear, params, linear=True)


def bilinear_upsample(low: BlurMap, guide: Array, params: UpsampleParams) -> BlurMap:
    """Upsample without guidance: the cheap stand-in for the others, called alike."""
    return lift(low, _checked_grid(low, guide))


def _upsampled(low: BlurMap, guide: Array, params: UpsampleParams, *, linear: bool) -> BlurMap:
    """Upsample by the method; of a guide in linear light the root is taken first."""
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
    else:
        sigma = joint_bilateral(low, guide, params.range_sigma)
    return BlurMap(sigma, interpolate(low.confidence, low.grid, full), full)


def _checked_grid(low: BlurMap, guide: Array, *, averaged: bool = False) -> Grid:
    """Grid of the full picture, which the map must cover.

    Where means of cells will be `averaged` and looked at, every pixel has a part in these.
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
