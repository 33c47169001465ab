"""Dead zone: the blur up to which nothing is rendered, one value for a picture.

A lens has some blur even in focus, and the blur map has noise there. The dead zone covers both. All
sigmas are in full-resolution px.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.grid import BlurBounds, BlurMap, DenseBlur
from stages.params import Params, param

MAX_SAMPLES = 4_000_000  # samples of a map that are enough for a percentile
PROOF_CONFIDENCE = 0.5  # confidence above which detail proves focus


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadZoneParams(Params):
    """Parameters of the dead zone."""

    focus_percentile: float = param(
        7.5, 1.0, 50.0, unit="%", help="Percentile of the blur estimates that is the blur in focus."
    )
    margin: float = param(1.6, 1.0, 4.0, help="Dead zone as a multiple of the blur in focus.")
    floor_px: float = param(
        0.96, 0.0, 4.0, unit="px", help="Minimum of the dead zone, per step of the estimation grid."
    )
    ceiling_px: float = param(
        1.5, 0.0, 8.0, unit="px", help="Largest dead zone where detail proves focus, per grid step."
    )
    proven_percentile: float = param(
        90.0, 50.0, 100.0, unit="%", help="Percentile of the blur where detail proves the focus."
    )


def focus_sigma(blur: BlurMap, params: DeadZoneParams) -> float:
    """Blur in focus: a low percentile of the estimates, weighted by confidence.

    Parameters
    ----------
    blur : BlurMap
        Sparse or dense; samples of confidence 0 are ignored.
    params : DeadZoneParams
        `focus_percentile` is used.

    Returns
    -------
    float
        Sigma in full-resolution px; 0 if the map has no data.
    """
    every = -(-blur.sigma.size // MAX_SAMPLES)
    sigma, weight = blur.sigma.reshape(-1)[::every], blur.confidence.reshape(-1)[::every]
    known = weight > 0
    if not known.any():
        return 0.0
    sigma, weight = sigma[known], weight[known].astype(np.float64)
    order = np.argsort(sigma, kind="stable")
    reached = np.cumsum(weight[order])
    index = np.searchsorted(reached, reached[-1] * params.focus_percentile / 100)
    return float(sigma[order][index])


def dead_zone(
    evidence: BlurMap, blur: DenseBlur, point: tuple[float, float] | None, params: DeadZoneParams
) -> float:
    """Dead zone from the blur in focus: the blur up to which nothing is rendered.

    Parameters
    ----------
    evidence : BlurMap
        Estimates for `focus_sigma`. The step of their grid scales the floor, because small blurs
        cannot be distinguished on a coarse grid.
    blur : BlurMap
        Dense, at full resolution.
    point : (x, y) or None
        A pixel that a person chose as in focus. If None, `focus_sigma` of the evidence is used.
    params : DeadZoneParams
        Margin and floor.

    Returns
    -------
    float
        Sigma in full-resolution px.
    """
    if point is None:
        sharp = focus_sigma(evidence, params)
    else:
        sharp = float(blur.sigma[int(point[1]), int(point[0])])
    return max(params.margin * sharp, params.floor_px * evidence.grid.step)


def proven_dead_zone(
    evidence: BlurBounds, blur: DenseBlur, point: tuple[float, float] | None, params: DeadZoneParams
) -> float:
    """Dead zone from proven focus: a high percentile of the blur where detail proves the focus.

    Parameters
    ----------
    evidence : BlurMap
        Evidence of sharpness, on the grid of the estimation, whose step scales floor and ceiling.
    blur : BlurMap
        Dense, at full resolution.
    point : (x, y) or None
        A pixel that a person chose as in focus. If given, the result is that of `dead_zone`.
    params : DeadZoneParams
        Percentile, floor and ceiling.

    Returns
    -------
    float
        Sigma in full-resolution px. If no sample is proven, a low percentile of the map is used.
    """
    rows, cols = np.nonzero(evidence.confidence > PROOF_CONFIDENCE)
    step = evidence.grid.step
    floor = params.floor_px * step
    if point is not None:
        return dead_zone(evidence, blur, point, params)
    if rows.size == 0:
        return max(params.margin * focus_sigma(blur, params), floor)
    pixels = tuple(
        np.minimum(evidence.grid.positions(axis)[index].astype(np.int64), length - 1)
        for axis, (index, length) in enumerate(zip((rows, cols), blur.sigma.shape, strict=True))
    )
    proven = float(np.percentile(blur.sigma[pixels], params.proven_percentile))
    return min(max(proven, floor), max(params.ceiling_px * step, floor))
