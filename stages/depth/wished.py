"""The blur of a wished lens: from inverse distances to the disks that are still to be rendered.

By the thin lens, signed blur is linear in inverse depth: sigma = k (q_focus - q), with q = 1/z, is
positive behind the focus and negative in front of it (`optics.Lens.defocus_mm2` gives k).

The picture has some blur already. Variances add, so the disk has the variance of the wished blur
less that of the measured one, and at least 0. What the lens blurs in focus too (the dead zone) is
not defocus, and is not subtracted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from stages.bokeh.radius import RadiusParams, disk_radius
from stages.bokeh.zone import PROOF_CONFIDENCE, DeadZoneParams, proven_dead_zone
from stages.depth.guide import Calibration
from stages.depth.maps import (
    DepthMap,
    DepthParams,
    InverseDepth,
    SignedBlur,
    depth_at,
    sampled,
    shape_of,
)
from stages.grid import BlurBounds, BlurMap, DenseBlur, Grid, lift
from stages.kinds import LinearLight, Radius
from stages.optics import Lens
from stages.strips import run_strips

SIGMAS_PER_DIAMETER = 0.25  # standard deviation along an axis of a disk of diameter 1
SIGMAS_PER_RADIUS = 0.5
EXTREME_PERCENTILE = 2.0  # % at each end of a depth that are taken as outliers
M_PER_MM = 1e-3
CLEAR_BLUR = 1.5  # measured blur in px of the view from which its valley is the focus


@dataclass(frozen=True, slots=True, kw_only=True)
class WishedLens:
    """The lens that a picture is to be rendered by.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns of the picture, px.
    lens : Lens or None
        Thin lens and sensor; None if the depth or the lens is not known in mm.
    largest_percent : float
        Without a lens: disk radius over the whole range of the depth, relative to the diagonal, %.
    """

    shape: tuple[int, int]
    lens: Lens | None = None
    largest_percent: float = 0.0


def depth_in_focus(
    cells: InverseDepth,
    depth: DepthMap,
    calibration: Calibration,
    evidence: BlurBounds,
    point: tuple[float, float] | None,
    params: DepthParams,
) -> float:
    """Inverse depth in focus.

    Parameters
    ----------
    cells : BlurMap
        Inverse depth on cells over the picture.
    depth : DepthMap
        The depth map, for the focus that its source states.
    calibration : Calibration
        Measured blur as a function of depth.
    evidence : BlurMap
        Evidence of sharpness, on the grid of the view.
    point : (x, y) or None
        A pixel that a person chose as in focus.
    params : DepthParams
        `focus_m`.

    Returns
    -------
    float
        In the unit of the depth. The first that is known of: the distance of the parameters, the
        depth at the point, the focus of the depth map, the depth of the least measured blur where
        other depths are clearly blurred, the median depth of detail that is sharp, the median.
    """
    if params.focus_m:
        return 1 / params.focus_m
    if point is not None:
        return depth_at(cells, point)
    if depth.focus is not None:
        return depth.focus
    if calibration.sigma.size and calibration.sigma.max() > CLEAR_BLUR * evidence.grid.step:
        return float(calibration.depth[np.argmin(calibration.sigma)])
    rows, cols = np.nonzero(evidence.confidence > PROOF_CONFIDENCE)
    if not rows.size:
        return float(np.median(cells.sigma))
    return float(np.median(sampled(cells, evidence.grid, (rows, cols))))


def wished_blur(cells: InverseDepth, in_focus: float, wished: WishedLens) -> SignedBlur:
    """Signed blur that the wished lens gives.

    Parameters
    ----------
    cells : BlurMap
        Inverse depth on cells over the picture, in 1/m if there is a lens.
    in_focus : float
        Inverse depth in focus, in the same unit.
    wished : WishedLens
        The lens, or the largest radius.

    Returns
    -------
    BlurMap
        Standard deviation of the blur in full-resolution px on the same cells, negative in front of
        the focus.

    Raises
    ------
    ValueError
        If the focus is nearer than the focal length.
    """
    if wished.lens is None:
        low, high = np.percentile(cells.sigma, [EXTREME_PERCENTILE, 100 - EXTREME_PERCENTILE])
        radius_px = wished.largest_percent / 100 * math.hypot(*wished.shape)
        per_unit = SIGMAS_PER_RADIUS * radius_px / max(float(high - low), 1e-30)
    else:
        blur_m = wished.lens.defocus_mm2(in_focus * M_PER_MM) * M_PER_MM  # mm per 1/m
        per_unit = SIGMAS_PER_DIAMETER * blur_m / wished.lens.pixel_mm(wished.shape)
    sigma = np.float32(per_unit) * (np.float32(in_focus) - cells.sigma)
    return BlurMap(sigma, cells.confidence, cells.grid)


def upsample_exact(low: SignedBlur, linear: LinearLight) -> SignedBlur:
    """Upsample signed blur to full resolution, bilinearly; its outlines stay as they are.

    Parameters
    ----------
    low : BlurMap
        Signed blur on any grid.
    linear : Array
        The picture, HxWx3 float32. Only its shape is used.

    Returns
    -------
    BlurMap
        Signed blur, HxW.
    """
    return lift(low, Grid(shape_of(linear)))


def own_blur(evidence: BlurBounds, blur: DenseBlur, params: DeadZoneParams) -> float:
    """Blur in focus, which is no defocus; `proven_dead_zone` without a named point."""
    return proven_dead_zone(evidence, blur, None, params)


def missing_radius(
    wished: BlurMap, blur: DenseBlur, dead_zone: float, params: RadiusParams
) -> Radius:
    """Radius of the disk that turns the measured blur into the wished one.

    Parameters
    ----------
    wished : BlurMap
        Blur of the wished lens at full resolution, px; negative in front of the focus, if signed.
    blur : BlurMap
        Measured blur at full resolution, px.
    dead_zone : float
        Blur in focus, px: its variance is no defocus.
    params : RadiusParams
        `max_radius_px`.

    Returns
    -------
    Array
        Radius in px, HxW float32, with the sign of the wished blur. The disk has the variance
        max(wished^2 - max(blur^2 - dead_zone^2, 0), 0).
    """
    missing, own = np.empty_like(wished.sigma), np.float32(dead_zone**2)

    def strip(a: int, b: int) -> None:
        measured = np.maximum(blur.sigma[a:b] ** 2 - own, 0)
        missing[a:b] = np.sqrt(np.maximum(wished.sigma[a:b] ** 2 - measured, 0))

    run_strips(strip, len(missing))
    as_it_is = params.replace(strength=math.sqrt(2), largest_percent=0.0)  # sqrt(m^2 - 1) = 1
    radius = disk_radius(BlurMap(missing, wished.confidence, wished.grid), 0.0, as_it_is)
    run_strips(
        lambda a, b: np.copysign(radius[a:b], wished.sigma[a:b], out=radius[a:b]), len(radius)
    )
    return radius
