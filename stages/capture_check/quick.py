"""The capture check of a live preview: on the view that the estimate looks at anyway.

The same evidence as `capture_check` finds on views of its own, in the same unit (px of a picture
1280 px wide), so that the same rules judge it: blur of edges by areas, each edge by itself. On a
coarser view fewer edges show and sharp ones look softer: thresholds are for the caller to adapt.
There is no second look at a smaller picture. Few blocks show the direction of detail on a coarse
view: what looks shaken is looked at again, in blocks that overlap.
"""

from __future__ import annotations

import numpy as np

from stages.arrays import luma
from stages.blur import edge_blur, link_edges, noise_sigma, survey
from stages.capture_check.evidence import (
    AREA_EDGES,
    AREAS,
    BLURRED_PX,
    BLURRIEST,
    EDGES,
    MEGA,
    PEAK_PERCENTILE,
    SAMPLED,
    SHARPEST,
    VERY_BLURRED_PX,
    Evidence,
    area_blur,
    quantile,
    share,
)
from stages.capture_check.params import CheckParams
from stages.capture_check.shake import shake_contrast
from stages.grid import Grid
from stages.kinds import Encoded
from stages.params import Array

LEAST_SIGMA = np.float32(1e-3)  # px: an edge that is no softer than its view still counts
STRIPS = 4  # that the view is cut into, to be shared among workers


def quick_evidence(view: Encoded, grid: Grid, params: CheckParams) -> Evidence:
    """Evidence for `judge` from the view of the estimate.

    Parameters
    ----------
    view : Array
        HxWx3 float32, display-encoded in [0, 1].
    grid : Grid
        Its grid.
    params : CheckParams
        The size of the first look is used, as a unit.
    """
    side_px = max(grid.shape) * grid.step
    scale = min(params.view_side_px / side_px, 1.0)  # px of the check in a px of the picture
    cut = EDGES.replace(strip_rows=-(-grid.shape[0] // STRIPS))
    found = survey(view, cut)
    edges = link_edges(edge_blur(view, found, cut), grid)
    length = grid.step * scale  # of edge that a pixel of the view stands for, px of the check
    sigma = np.maximum(edges.sigma * np.float32(scale), LEAST_SIGMA) * (edges.confidence > 0)
    areas, total = area_blur(sigma, AREAS, AREA_EDGES / length)
    noise, plane = noise_sigma(found), luma(view)
    peak = float(np.percentile(plane[::SAMPLED, ::SAMPLED], PEAK_PERCENTILE))
    return Evidence(
        signal_to_noise=peak / (noise * max(length, 1.0)),  # averaging made the noise less
        edges_per_megapixel=np.count_nonzero(sigma) / (plane.size * length) * MEGA,
        cover=areas.size / total,
        sharpest_sigma=quantile(areas, SHARPEST),
        blurriest_sigma=quantile(areas, BLURRIEST),
        share_blurred=share(areas, BLURRED_PX),
        share_very_blurred=share(areas, VERY_BLURRED_PX),
        coarse_share_very_blurred=0.0,
        shake_contrast=_shake_contrast(plane, noise, params.shake_contrast),
        view_side_px=min(params.view_side_px, side_px),
    )


def _shake_contrast(plane: Array, noise: float, limit: float) -> float:
    """Contrast of detail over its direction: the lesser of two where the first is suspicious."""
    quick = shake_contrast(plane, noise, overlap=False)
    if quick <= limit:
        return quick
    return min(quick, shake_contrast(plane, noise))
