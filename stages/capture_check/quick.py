"""The quick form of the blur statistics, for the frames of a live preview.

It runs on a coarser view, where fewer edges are found and sharp edges look softer: the caller
adapts the thresholds. There is no second pass. On a coarse view few blocks show the direction of
detail, so what looks shaken is measured again in overlapping blocks.
"""

from __future__ import annotations

import numpy as np

from stages.arrays import luma
from stages.blur import edge_blur, link_edges, noise_sigma, survey
from stages.capture_check.params import CheckParams
from stages.capture_check.shake import shake_contrast
from stages.capture_check.statistics import EDGES, BlurStatistics, Pixel, by_areas
from stages.grid import Grid
from stages.kinds import Encoded
from stages.params import Array

MIN_SIGMA_PX = np.float32(1e-3)  # px: an edge that is no softer than its view still counts
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
        `view_side_px` is the unit, and `shake_contrast` the limit above which shake is measured
        again.

    Returns
    -------
    BlurStatistics
        Sigma in px of the check; nothing of a second pass.
    """
    pixel = Pixel.of(grid, params)
    strips = EDGES.replace(strip_rows=-(-grid.shape[0] // STRIPS))
    found = survey(view, strips)
    edges = link_edges(edge_blur(view, found, strips), grid)
    sigma = np.maximum(edges.sigma * np.float32(pixel.scale), MIN_SIGMA_PX) * (edges.confidence > 0)
    plane, noise = luma(view), noise_sigma(found)
    return by_areas(sigma, plane, noise, pixel)._replace(
        shake_contrast=_shake_contrast(plane, noise, params.shake_contrast)
    )


def _shake_contrast(plane: Array, noise: float, limit: float) -> float:
    """Contrast of detail over its direction; above the limit, the lesser of two measurements."""
    quick = shake_contrast(plane, noise, overlap=False)
    if quick <= limit:
        return quick
    return min(quick, shake_contrast(plane, noise))
