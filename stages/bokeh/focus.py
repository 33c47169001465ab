"""What is left alone: a dead zone that is narrow where blur is sure, and wide where it is not.

A wide zone stands in for knowledge of what is in focus, and costs the natural falloff: what is a
little out of focus stays as sharp as the subject. Detail is that knowledge. Where the sharpest that
is measured around a place is as sharp as the sharpest of the picture, a slight blur in the map is
an error of the map, whose size is known from where detail is surely in focus; where nothing around
is that sharp, it is true. Measurements are averaged over a window in which the sharpest count most,
so that the zone is regular over a surface.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stages.arrays import reduce_by
from stages.bokeh.radius import SURE, RadiusParams, focus_sigma
from stages.grid import BlurBounds, BlurMap, DenseBlur, Grid, SparseBlur
from stages.params import Array, Params, param

CELLS = 4  # px of the view along a cell of the zone
LEAST_SIGMA_PX = 0.2  # px of the view; sharper detail counts no more
EDGE_WEIGHT = 0.3  # of a px of edges, against a px of detail
MEASURED = 0.03  # share of the window that must be measured for a full say
REFERENCE_PX = 0.3  # px of the view: median of the map on crisp detail, up to which it is crisp
LEAST_CRISP = 30  # pixels of crisp detail that suffice to tell the map's error


@dataclass(frozen=True, slots=True, kw_only=True)
class FocusParams(Params):
    """Parameters of the dead zone; px are those of the working view."""

    sure_margin: float = param(
        1.6, 1.0, 8.0, help="Times the blur of crisp detail, left alone where blur is sure."
    )
    unsure_margin: float = param(
        2.0, 1.0, 8.0, help="Times the largest blur that crisp detail reads, left alone elsewhere."
    )
    floor_px: float = param(0.4, 0.0, 4.0, unit="px", help="Blur left alone at least.")
    blind_px: float = param(
        0.96, 0.0, 4.0, unit="px", help="And at least so much where no detail is crisp."
    )
    crisp_px: float = param(
        0.6, 0.2, 2.0, unit="px", help="Bound up to which detail is surely in focus."
    )
    sharp_px: float = param(
        0.4, 0.1, 4.0, unit="px", help="What is measured around a place is sharp up to here."
    )
    soft_px: float = param(0.8, 0.2, 4.0, unit="px", help="And surely soft from here on.")
    window_px: float = param(
        24.0, 1.0, 64.0, unit="px", help="Gaussian over which measurements are averaged."
    )
    percentile: float = param(
        90.0, 50.0, 100.0, unit="%", help="Percentile of the map on crisp detail: its error."
    )


def local_dead_zone(
    evidence: BlurBounds,
    edges: SparseBlur,
    blur: DenseBlur,
    point: tuple[float, float] | None,
    params: FocusParams,
) -> DenseBlur:
    """Blur up to which nothing is rendered, for each place.

    Parameters
    ----------
    evidence : BlurMap
        Evidence of sharpness (upper bounds), on the grid of the view.
    edges : BlurMap
        Sparse blur at edges, on that grid or one of twice its step.
    blur : BlurMap
        Dense, at full resolution.
    point : (x, y) or None
        A pixel that a person named as in focus: the zone is then a margin over its blur.
    params : FocusParams
        Margins and thresholds.

    Returns
    -------
    BlurMap
        Dense, on a coarse grid: sigma in full-resolution px, constant where a point or a lack of
        crisp detail leaves one value.
    """
    step = evidence.grid.step
    if point is not None:
        named = float(blur.sigma[int(point[1]), int(point[0])])
        return _constant(max(params.sure_margin * named, params.floor_px * step), blur.grid)
    crisp = _on_crisp_detail(evidence, blur, params.crisp_px * step)
    if crisp.size < LEAST_CRISP:
        lowest = focus_sigma(blur, RadiusParams())
        return _constant(max(params.sure_margin * lowest, params.blind_px * step), blur.grid)
    typical, largest = np.percentile(crisp, [50, params.percentile])
    narrow = max(params.sure_margin * float(typical), params.floor_px * step)
    wide = max(params.unsure_margin * float(largest), narrow)
    softness = max(float(typical) / (REFERENCE_PX * step), 1.0)
    sharpest, measured = _sharpest_around(evidence, edges, params.window_px / CELLS)
    start, stop = (softness * step * px for px in (params.sharp_px, params.soft_px))
    sharp = np.clip((stop - sharpest) / max(stop - start, 1e-6), 0, 1)
    unsure = 1 - measured * (1 - sharp)
    sigma = np.asarray(narrow + (wide - narrow) * unsure, np.float32)
    shape = sigma.shape
    phase = evidence.grid.phase + (CELLS - 1) / 2 * step
    return BlurMap(sigma, np.ones_like(sigma), Grid((shape[0], shape[1]), CELLS * step, phase))


def _constant(sigma: float, grid: Grid) -> BlurMap:
    """A map of one cell over a picture."""
    one = np.ones((1, 1), np.float32)
    return BlurMap(np.float32(sigma) * one, one, Grid((1, 1), max(grid.shape) * grid.step))


def _on_crisp_detail(evidence: BlurMap, blur: BlurMap, largest: float) -> Array:
    """What a map reads where detail is surely in focus."""
    rows, cols = np.nonzero((evidence.confidence > SURE) & (evidence.sigma < largest))
    pixels = tuple(
        np.minimum(evidence.grid.positions(axis)[index].astype(np.int64), length - 1)
        for axis, (index, length) in enumerate(zip((rows, cols), blur.sigma.shape, strict=True))
    )
    return np.asarray(blur.sigma[pixels], np.float32)


def _sharpest_around(evidence: BlurMap, edges: BlurMap, window: float) -> tuple[Array, Array]:
    """Mean sigma of what is measured around each cell, the sharpest most; and how much there is.

    Weights are 1 / sigma^2, so that the mean is one of 1 / sigma over one of 1 / sigma^2.
    """
    least = LEAST_SIGMA_PX * evidence.grid.step
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
