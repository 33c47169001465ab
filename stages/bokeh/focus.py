"""Local dead zone: narrow where the blur map is reliable, and wide where it is not.

The dead zone is the blur up to which nothing is rendered. A wide zone tolerates errors of the map
on the subject, but removes the natural falloff: a surface slightly out of focus stays as sharp as
the subject. The width is therefore chosen locally, from the detail around each place.

- If the sharpest measurement nearby is as sharp as the sharpest detail of the picture, the place is
  in focus, and a slight blur in the map is an error. The zone is wide. The size of the error is the
  blur that the map has on detail that is certainly in focus.
- If all measurements nearby are softer, a slight blur in the map is real. The zone is narrow.
- If there are no measurements nearby, the zone is wide.

Thin detail in focus, such as hair, lies beside strong blur, and the map there is no error. The wide
zone is therefore limited.

Measurements are averaged over a window with weights 1 / sigma^2, so that the sharpest ones dominate
and the zone is smooth over a surface.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stages.arrays import reduce_by
from stages.bokeh.zone import PROOF_CONFIDENCE, DeadZoneParams, focus_sigma
from stages.grid import BlurBounds, BlurMap, DenseBlur, Grid, SparseBlur
from stages.params import Array, Params, param

CELLS = 4  # px of the working view along the side of a cell of the zone
MIN_SIGMA_PX = 0.2  # px of the view; lower limit of sigma, which limits the weights
EDGE_WEIGHT = 0.3  # weight of a pixel of an edge, relative to a pixel of detail
MEASURED = 0.03  # share of the window with measurements at which their weight is full
REFERENCE_PX = 0.3  # px of the view; above this median on crisp detail, thresholds scale with it
MIN_CRISP_PIXELS = 30  # minimum number of pixels of crisp detail to estimate the error of the map


@dataclass(frozen=True, slots=True, kw_only=True)
class FocusParams(Params):
    """Parameters of the dead zone; px are those of the working view."""

    sure_margin: float = param(
        1.6, 1.0, 8.0, help="Dead zone where the map is reliable, times the blur of crisp detail."
    )
    unsure_margin: float = param(
        1.75, 1.0, 8.0, help="Dead zone elsewhere, times the largest blur of crisp detail."
    )
    floor_px: float = param(0.4, 0.0, 4.0, unit="px", help="Minimum of the dead zone.")
    unsure_floor_px: float = param(
        0.7, 0.0, 4.0, unit="px", help="Minimum of the dead zone where the map is not reliable."
    )
    ceiling_px: float = param(
        1.5, 0.0, 8.0, unit="px", help="Maximum of the dead zone where detail is crisp."
    )
    blind_px: float = param(
        0.96, 0.0, 4.0, unit="px", help="Minimum of the dead zone if no detail is crisp."
    )
    crisp_px: float = param(
        0.6, 0.2, 2.0, unit="px", help="Upper bound of the blur of detail in focus (crisp)."
    )
    sharp_px: float = param(
        0.4, 0.1, 4.0, unit="px", help="Measured blur up to which a place is sharp."
    )
    soft_px: float = param(
        0.8, 0.2, 4.0, unit="px", help="Measured blur from which a place is soft."
    )
    window_px: float = param(
        24.0, 1.0, 64.0, unit="px", help="Sigma of the Gaussian window of measurements."
    )
    percentile: float = param(
        90.0,
        50.0,
        100.0,
        unit="%",
        help="Percentile that is taken as the largest blur of crisp detail.",
    )


def local_dead_zone(
    evidence: BlurBounds,
    edges: SparseBlur,
    blur: DenseBlur,
    point: tuple[float, float] | None,
    params: FocusParams,
) -> DenseBlur:
    """Dead zone of each place: the blur up to which nothing is rendered.

    Parameters
    ----------
    evidence : BlurMap
        Evidence of sharpness (upper bounds), on the grid of the view; sigma in full-resolution px.
    edges : BlurMap
        Sparse blur at edges, on the grid of `evidence` or one of twice its step.
    blur : BlurMap
        Dense, at full resolution; sigma in full-resolution px.
    point : (x, y) or None
        A pixel that a person chose as in focus. If given, the zone is a multiple of its blur.
    params : FocusParams
        Margins and thresholds.

    Returns
    -------
    BlurMap
        Dense, on a coarse grid; sigma in full-resolution px. It has a single cell if a point is
        given, or if the picture has too little crisp detail.
    """
    step = evidence.grid.step
    if point is not None:
        return _named(point, blur, step, params)
    crisp = _on_crisp_detail(evidence, blur, params.crisp_px * step)
    if crisp.size < MIN_CRISP_PIXELS:
        return _blind(blur, step, params)
    typical, largest = np.percentile(crisp, [50, params.percentile])
    narrow = _narrow(float(typical), step, params)
    softness = max(float(typical) / (REFERENCE_PX * step), 1.0)
    ceiling = softness * step * params.ceiling_px
    wide = min(max(params.unsure_margin * float(largest), params.unsure_floor_px * step), ceiling)
    wide = max(wide, narrow)
    sharpest, measured = _sharpest_around(evidence, edges, params.window_px / CELLS)
    start, stop = (softness * step * px for px in (params.sharp_px, params.soft_px))
    sharp = np.clip((stop - sharpest) / max(stop - start, 1e-6), 0, 1)
    unsure = 1 - measured * (1 - sharp)
    sigma = np.asarray(narrow + (wide - narrow) * unsure, np.float32)
    shape = sigma.shape
    phase = evidence.grid.phase + (CELLS - 1) / 2 * step
    return BlurMap(sigma, np.ones_like(sigma), Grid((shape[0], shape[1]), CELLS * step, phase))


def given_dead_zone(
    evidence: BlurBounds, blur: DenseBlur, point: tuple[float, float] | None, params: FocusParams
) -> DenseBlur:
    """Dead zone of a map from elsewhere: the blur that the map has on crisp detail, without margin.

    Parameters
    ----------
    evidence, blur, point
        As for `local_dead_zone`.
    params : FocusParams
        Floor, and what counts as crisp. A margin is used only if no detail is crisp.

    Returns
    -------
    BlurMap
        Dense, with a single cell; sigma in full-resolution px.
    """
    step = evidence.grid.step
    if point is not None:
        return _named(point, blur, step, params)
    crisp = _on_crisp_detail(evidence, blur, params.crisp_px * step)
    if crisp.size < MIN_CRISP_PIXELS:
        return _blind(blur, step, params)
    return _constant(max(float(np.median(crisp)), params.floor_px * step), blur.grid)


def _named(point: tuple[float, float], blur: BlurMap, step: int, params: FocusParams) -> BlurMap:
    """Dead zone from a point that a person chose as in focus."""
    named = float(blur.sigma[int(point[1]), int(point[0])])
    return _constant(_narrow(named, step, params), blur.grid)


def _narrow(sharp: float, step: int, params: FocusParams) -> float:
    """Dead zone in px where the map is reliable, from the blur in focus."""
    return max(params.sure_margin * sharp, params.floor_px * step)


def _blind(blur: BlurMap, step: int, params: FocusParams) -> BlurMap:
    """Dead zone if too little detail is crisp."""
    lowest = focus_sigma(blur, DeadZoneParams())
    return _constant(max(params.sure_margin * lowest, params.blind_px * step), blur.grid)


def _constant(sigma: float, grid: Grid) -> BlurMap:
    """Map with a single cell that covers a picture."""
    one = np.ones((1, 1), np.float32)
    return BlurMap(np.float32(sigma) * one, one, Grid((1, 1), max(grid.shape) * grid.step))


def _on_crisp_detail(evidence: BlurMap, blur: BlurMap, largest: float) -> Array:
    """Sigma of the dense map where detail is certainly in focus, in px; flat."""
    rows, cols = np.nonzero((evidence.confidence > PROOF_CONFIDENCE) & (evidence.sigma < largest))
    pixels = tuple(
        np.minimum(evidence.grid.positions(axis)[index].astype(np.int64), length - 1)
        for axis, (index, length) in enumerate(zip((rows, cols), blur.sigma.shape, strict=True))
    )
    return np.asarray(blur.sigma[pixels], np.float32)


def _sharpest_around(evidence: BlurMap, edges: BlurMap, window: float) -> tuple[Array, Array]:
    """Mean of the measured sigma around each cell in px, and the weight of the measurements.

    The mean has weights 1 / sigma^2. The weight is in [0, 1].
    """
    least = MIN_SIGMA_PX * evidence.grid.step
    sums = []
    for source, share in ((evidence, 1.0), (edges, EDGE_WEIGHT)):
        scale = source.grid.step // evidence.grid.step
        cells = CELLS // scale
        known = np.float32(share) * np.minimum(source.confidence / np.float32(scale**2), 1)
        inverse = 1 / np.maximum(source.sigma, np.float32(least))
        square = known * inverse * inverse
        planes = (square * source.sigma, square, known)
        sums.append([reduce_by(np.asarray(plane, np.float32), cells) for plane in planes])
    moment, weight, measured = (
        np.asarray(cv2.GaussianBlur(one + other, (0, 0), window), np.float32)
        for one, other in zip(*sums, strict=True)
    )
    sharpest = moment / np.maximum(weight, np.float32(1e-6))
    amount = np.minimum(measured / np.float32(MEASURED), 1)
    return np.asarray(sharpest, np.float32), np.asarray(amount, np.float32)
