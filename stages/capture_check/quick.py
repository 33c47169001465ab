"""The capture check of a live preview: on the view that the estimate looks at anyway.

The same evidence as `capture_check` finds on views of its own, in the same unit (px of a picture
1280 px wide), so that the same rules judge it: blur of edges by areas, each edge by itself. On a
coarser view fewer edges show and sharp ones look softer: thresholds are for the caller to adapt.
There is no second look at a smaller picture.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.arrays import luma
from stages.blur import edge_blur, link_edges, noise_sigma, survey
from stages.capture_check.evidence import (
    AREA_EDGES,
    AREA_QUANTILE,
    AREAS,
    BLURRED_PX,
    BLURRIEST,
    EDGES,
    PEAK_PERCENTILE,
    SHARPEST,
    VERY_BLURRED_PX,
    Evidence,
)
from stages.capture_check.params import CheckParams
from stages.capture_check.shake import shake_contrast
from stages.grid import Grid
from stages.params import Array

MEGA = 1e6
STRIPS = 4  # that the view is cut into, to be shared among workers


class Areas(NamedTuple):
    """Blur of every area with enough edges, px of the check, and how many areas there are."""

    sigma: npt.NDArray[np.float32]
    total: int


def quick_evidence(view: Array, grid: Grid, params: CheckParams) -> Evidence:
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
    y, x = np.nonzero(edges.confidence)
    length = grid.step * scale  # of edge that a pixel of the view stands for, px of the check
    sigma = edges.sigma[y, x] * np.float32(scale)
    areas = _areas(y, x, sigma, AREA_EDGES / length, grid.shape)
    noise, plane = noise_sigma(found), luma(view)
    peak = float(np.percentile(plane[::2, ::2], PEAK_PERCENTILE))
    return Evidence(
        signal_to_noise=peak / (noise * max(length, 1.0)),  # averaging made the noise less
        edges_per_megapixel=y.size / (plane.size * length) * MEGA,
        cover=areas.sigma.size / areas.total,
        sharpest_sigma=_quantile(areas.sigma, SHARPEST),
        blurriest_sigma=_quantile(areas.sigma, BLURRIEST),
        share_blurred=_share(areas.sigma, BLURRED_PX),
        share_very_blurred=_share(areas.sigma, VERY_BLURRED_PX),
        coarse_share_very_blurred=0.0,
        shake_contrast=shake_contrast(plane, noise),
        view_side_px=min(params.view_side_px, side_px),
    )


def _areas(
    y: npt.NDArray[np.int64],
    x: npt.NDArray[np.int64],
    sigma: npt.NDArray[np.float32],
    least_edges: float,
    shape: tuple[int, int],
) -> Areas:
    """Quantile of the blur of every area with enough edges."""
    side = max(-(-max(shape) // AREAS), 1)
    rows, cols = (-(-n // side) for n in shape)
    area = (y // side) * cols + x // side
    blur = sigma[np.lexsort((sigma, area))]
    counts = np.bincount(area, minlength=rows * cols)
    first = np.cumsum(counts) - counts
    enough = counts >= least_edges
    picked = first[enough] + np.int64(AREA_QUANTILE * (counts[enough] - 1))
    return Areas(blur[picked], rows * cols)


def _quantile(values: npt.NDArray[np.float32], share: float) -> float:
    return float(np.quantile(values, share)) if values.size else 0.0


def _share(values: npt.NDArray[np.float32], limit: float) -> float:
    return float((values > limit).mean()) if values.size else 0.0
