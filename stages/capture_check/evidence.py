"""What a picture shows of its blur, by areas, and of the direction of its detail.

Edges are found against the noise (not against the strongest edge), and the picture is judged by
areas: each area with enough edges counts with the 60 % quantile of its blur. A second look at
320 px sees blur too strong for the first. Pictures come in linear light, HxWx3; blur is sigma in
pixels of the first look, whose long side is at most 1280 px.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.areas import reduce_to
from stages.arrays import luma
from stages.blur import BlurParams, edge_blur, link_edges, noise_sigma, survey
from stages.capture_check.params import CheckParams
from stages.capture_check.shake import shake_contrast
from stages.grid import Grid
from stages.kinds import LinearLight
from stages.params import Array
from stages.tone import SRGB, encode

Values = npt.NDArray[np.float64]

AREAS = 16  # along the long side of the first look
AREA_EDGES = 25  # edge pixels that make an area count
AREA_QUANTILE = 0.6  # above the median: an area is as blurred as most of its edges
COARSE_AREAS, COARSE_AREA_EDGES = 12, 6  # the same for the second look
BLURRED_PX, VERY_BLURRED_PX = 1.8, 2.2  # sigma from which an area looks soft, and unmistakably so
SHARPEST, BLURRIEST = 0.05, 0.90  # quantiles over areas: extremes that one odd area cannot set
PEAK_PERCENTILE = 99  # of luma: the brightest part, without its highlights
EDGES = BlurParams(edge_scale_px=2.0, edge_threshold=0.0, least_gradient=0.010)
SAMPLED = 4  # every so many pixels along both axes tell the brightness of a view
LARGER_THAN_SIGMA = 1 << 16  # px: keeps areas apart when blurs are sorted
MEGA = 1e6


class Evidence(NamedTuple):
    """What the picture shows; blur in pixels of the first look."""

    signal_to_noise: float
    edges_per_megapixel: float
    cover: float  # share of areas with enough edges
    sharpest_sigma: float  # 5 % quantile over areas
    blurriest_sigma: float  # 90 % quantile over areas
    share_blurred: float  # of areas above BLURRED_PX
    share_very_blurred: float  # of areas above VERY_BLURRED_PX
    coarse_share_very_blurred: float  # the same in the second look
    shake_contrast: float  # of detail over its direction
    view_side_px: int  # long side of the first look: a smaller picture is not enlarged


def gather_evidence(linear: LinearLight, params: CheckParams) -> Evidence:
    """Look at the blur of a picture's edges by areas.

    Parameters
    ----------
    linear : Array
        HxWx3 float32, linear light.
    params : CheckParams
        The sizes of the two looks are used.
    """
    small = _reduced(linear, params.view_side_px)
    view = encode(small, SRGB)
    sigma, noise = _edge_sigma(view)
    areas, total = area_blur(sigma, AREAS, AREA_EDGES)
    coarse_sigma, _ = _edge_sigma(encode(_reduced(small, params.coarse_side_px), SRGB))
    coarse, _ = area_blur(coarse_sigma, COARSE_AREAS, COARSE_AREA_EDGES)
    peak = float(np.percentile(view[::SAMPLED, ::SAMPLED], PEAK_PERCENTILE))
    return Evidence(
        signal_to_noise=peak / noise,
        edges_per_megapixel=float(np.count_nonzero(sigma)) / sigma.size * MEGA,
        cover=areas.size / total,
        sharpest_sigma=quantile(areas, SHARPEST),
        blurriest_sigma=quantile(areas, BLURRIEST),
        share_blurred=share(areas, BLURRED_PX),
        share_very_blurred=share(areas, VERY_BLURRED_PX),
        coarse_share_very_blurred=share(coarse, VERY_BLURRED_PX),
        shake_contrast=shake_contrast(luma(view), noise),
        view_side_px=max(view.shape[:2]),
    )


def _reduced(linear: Array, side: int) -> Array:
    """Reduce a picture to a long side of at most `side` pixels."""
    scale = side / max(linear.shape[:2])
    if scale >= 1:
        return linear
    rows, cols = (max(round(n * scale), 1) for n in linear.shape[:2])
    return reduce_to(linear, (rows, cols))


def _edge_sigma(view: Array) -> tuple[Array, float]:
    """Blur at the edges of a view in its own pixels, 0 elsewhere; and the noise of the view."""
    found = survey(view, EDGES)
    candidates = edge_blur(view, found, EDGES)
    return link_edges(candidates, Grid(view.shape[:2])).sigma, noise_sigma(found)


def area_blur(sigma: Array, along: int, least_edges: float) -> tuple[Values, int]:
    """Blur of every area with enough edges, and how many areas there are."""
    side = max(-(-max(sigma.shape) // along), 1)
    rows, cols = (-(-n // side) for n in sigma.shape)
    y, x = np.nonzero(sigma)
    area = (y // side) * cols + x // side
    counts = np.bincount(area, minlength=rows * cols)
    ordered = np.sort(area * float(LARGER_THAN_SIGMA) + sigma[y, x])  # by area, then by blur
    first = np.cumsum(counts) - counts
    enough = np.flatnonzero(counts >= least_edges)
    picked = first[enough] + np.int64(AREA_QUANTILE * (counts[enough] - 1))
    return ordered[picked] - enough * float(LARGER_THAN_SIGMA), rows * cols


def quantile(values: Values, part: float) -> float:
    """Quantile of the areas; 0 where there are none."""
    return float(np.quantile(values, part)) if values.size else 0.0


def share(values: Values, limit: float) -> float:
    """Share of the areas above a limit; 0 where there are none."""
    return float((values > limit).mean()) if values.size else 0.0
