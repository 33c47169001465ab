"""The capture check of a live preview: from the edges that the map is made of anyway.

The same evidence as `capture_check` finds on a view of its own, in the same unit (px of a picture
1280 px wide), so that the same thresholds judge it: blur of edges by areas. Edges are those of the
view of the estimate, weighted with the length that they stand for, and strong blur is already read
one octave higher there, which makes a second look unnecessary.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.arrays import luma, reduce_by
from stages.blur import EdgeSurvey, noise_sigma
from stages.capture_check import CheckParams, Evidence
from stages.capture_check.evidence import (
    AREA_EDGES,
    AREA_QUANTILE,
    AREAS,
    BLURRED_PX,
    BLURRIEST,
    PEAK_PERCENTILE,
    SHARPEST,
    VERY_BLURRED_PX,
)
from stages.capture_check.shake import shake_contrast
from stages.grid import BlurMap
from stages.params import Array

MEGA = 1e6


class Areas(NamedTuple):
    """Blur of every area with enough edges, px of the check, and how many areas there are."""

    sigma: npt.NDArray[np.float32]
    total: int


def quick_evidence(view: Array, edges: BlurMap, found: EdgeSurvey, params: CheckParams) -> Evidence:
    """Evidence for `judge` from what the estimate has found.

    Parameters
    ----------
    view : Array
        HxWx3 float32, display-encoded in [0, 1].
    edges : BlurMap
        Blur of its edges, on cells of 2 x 2 pixels of the view (`octave_blur`).
    found : EdgeSurvey
        Survey of the view.
    params : CheckParams
        The size of the first look is used, as a unit.
    """
    side_px = max(edges.grid.shape) * edges.grid.step
    scale = min(params.view_side_px / side_px, 1.0)  # px of the check in a px of the picture
    y, x = np.nonzero(edges.confidence)
    weight, sigma = edges.confidence[y, x] * scale, edges.sigma[y, x] * scale
    areas = _areas(y, x, sigma, weight, edges.grid.shape)
    pixels = edges.sigma.size * (edges.grid.step * scale) ** 2
    cells = luma(reduce_by(view, 2))
    noise = noise_sigma(found) * max(edges.grid.step / 2 * scale, 1.0)  # averaging made it less
    very_blurred = _share(areas.sigma, VERY_BLURRED_PX)
    return Evidence(
        signal_to_noise=float(np.percentile(cells, PEAK_PERCENTILE)) / noise,
        edges_per_megapixel=float(weight.sum()) / pixels * MEGA,
        cover=areas.sigma.size / areas.total,
        sharpest_sigma=_quantile(areas.sigma, SHARPEST),
        blurriest_sigma=_quantile(areas.sigma, BLURRIEST),
        share_blurred=_share(areas.sigma, BLURRED_PX),
        share_very_blurred=very_blurred,
        coarse_share_very_blurred=0.0,
        shake_contrast=shake_contrast(luma(view), noise_sigma(found)),
        view_side_px=min(params.view_side_px, side_px),
    )


def _areas(
    y: npt.NDArray[np.int64],
    x: npt.NDArray[np.int64],
    sigma: npt.NDArray[np.float32],
    weight: npt.NDArray[np.float32],
    shape: tuple[int, int],
) -> Areas:
    """Weighted quantile of the blur of every area with enough edges."""
    side = max(-(-max(shape) // AREAS), 1)
    rows, cols = (-(-n // side) for n in shape)
    area = (y // side) * cols + x // side
    order = np.lexsort((sigma, area))
    area, sigma = area[order], sigma[order]
    reached = np.concatenate([[0.0], np.cumsum(weight[order], dtype=np.float64)])
    bounds = np.searchsorted(area, np.arange(rows * cols + 1))
    first, last = bounds[:-1], bounds[1:]
    enough = reached[last] - reached[first] >= AREA_EDGES
    first, last = first[enough], last[enough]
    wanted = reached[first] + AREA_QUANTILE * (reached[last] - reached[first])
    picked = np.clip(np.searchsorted(reached, wanted) - 1, first, last - 1)
    return Areas(sigma[picked], rows * cols)


def _quantile(values: npt.NDArray[np.float32], share: float) -> float:
    return float(np.quantile(values, share)) if values.size else 0.0


def _share(values: npt.NDArray[np.float32], limit: float) -> float:
    return float((values > limit).mean()) if values.size else 0.0
