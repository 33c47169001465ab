"""The quick form of the blur statistics, for the frames of a live preview.

It runs on a coarser view, where fewer edges are found and sharp edges look softer: the caller
adapts the thresholds. The second pass looks for shake only. A coarse view has few blocks, so if
detail seems lost, it is measured again in overlapping blocks.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stages.arrays import luma
from stages.blur import edge_blur, link_edges, noise_sigma, survey
from stages.capture_check.detail import DetailLoss, detail_loss
from stages.capture_check.params import CheckParams
from stages.capture_check.rim import within_rim
from stages.capture_check.statistics import EDGES as FULL_EDGES
from stages.capture_check.statistics import (
    BlurStatistics,
    Pixel,
    away_from_rim,
    by_areas,
)
from stages.grid import Grid
from stages.kinds import Encoded
from stages.params import Array

MIN_SIGMA_PX = np.float32(1e-3)  # px: an edge that is no softer than its view still counts
# luma per px of the view: a coarser view shows weak texture, such as a lawn, as soft edges
EDGES = FULL_EDGES.replace(least_gradient=0.015)
STRIPS = 4  # that the view is cut into, to be shared among workers


def quick_blur_statistics(view: Encoded, grid: Grid, params: CheckParams) -> BlurStatistics:
    """Measure the blur of a frame by areas.

    Parameters
    ----------
    view : Array
        HxWx3 float32, display-encoded in [0, 1].
    grid : Grid
        Its grid.
    params : CheckParams
        `view_side_px` is the unit. If detail seems lost by its limits, the loss is measured again.

    Returns
    -------
    BlurStatistics
        Sigma in px of the check; no blur of a second pass.
    """
    pixel = Pixel.of(grid, params)
    strips = EDGES.replace(strip_rows=-(-grid.shape[0] // STRIPS))
    found = survey(view, strips)
    edges = link_edges(edge_blur(view, found, strips), grid)
    sigma = np.maximum(edges.sigma * np.float32(pixel.scale), MIN_SIGMA_PX) * (edges.confidence > 0)
    plane, noise = luma(view), noise_sigma(found)
    inside = within_rim(plane)
    return by_areas(away_from_rim(sigma, inside), plane, noise, pixel)._replace(
        detail=_detail_loss(plane, noise, inside, params),
        coarse_detail=_coarse_detail_loss(plane, noise, inside, params.coarse_side_px),
    )


def _detail_loss(
    plane: Array, noise: float, inside: npt.NDArray[np.bool_] | None, params: CheckParams
) -> DetailLoss:
    """Loss of fine detail; the one in overlapping blocks if detail seems lost."""
    quick = detail_loss(plane, noise, inside, overlap=False)
    seems_lost = params.lacks_detail, params.lacks_a_direction, params.spares_a_direction
    if any(seems(quick) for seems in seems_lost):
        return detail_loss(plane, noise, inside)
    return quick


def _coarse_detail_loss(
    plane: Array, noise: float, inside: npt.NDArray[np.bool_] | None, side_px: int
) -> DetailLoss:
    """Loss of fine detail in the plane, reduced to a long side of `side_px`."""
    scale = min(side_px / max(plane.shape), 1.0)
    size = tuple(max(round(n * scale), 1) for n in plane.shape[::-1])
    small = np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)
    if inside is not None:
        inside = cv2.resize(inside.view(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    return detail_loss(small, noise * scale, inside)
