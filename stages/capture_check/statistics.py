"""Blur statistics of a picture: the blur of its edges by areas, and the loss of fine detail.

Edges are found against the noise, not against the strongest edge. The picture is judged by areas:
the blur of an area is the 60 % quantile of its edges. A second pass at 320 px finds blur that is
too strong for the first. Everything is measured on the view and the survey of the blur estimation;
the unit is one pixel of a picture whose long side is 1280 px (`CheckParams.view_side_px`), or of
the picture itself if that is smaller. Limits of extremes are then smaller as well, since blur is
judged by its share of the frame (`limit_at`). Edges at the rim of an image circle do not count.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.areas import reduce_to
from stages.arrays import luma
from stages.blur import BlurParams, EdgeSurvey, edge_blur, link_edges, noise_sigma, survey
from stages.capture_check.detail import DetailLoss, detail_loss
from stages.capture_check.params import CheckParams
from stages.capture_check.rim import within_rim
from stages.grid import Grid
from stages.kinds import Encoded
from stages.params import Array
from stages.tone import SRGB, encode, linearise

Values = npt.NDArray[np.float64]

AREAS = 16  # along the long side
MIN_AREA_EDGES = 25  # edge pixels that make an area count
AREA_QUANTILE = 0.6  # above the median: an area is as blurred as most of its edges
COARSE_AREAS, MIN_COARSE_AREA_EDGES = 12, 6  # the same for the second pass
BLURRED_PX, VERY_BLURRED_PX = 1.8, 2.2  # sigma from which an area looks soft, and clearly blurred
SHARP_PX = 1.0  # sigma that sharp areas have in a small file at most, px of the file
SHARPEST, BLURRIEST = 0.05, 0.90  # quantiles over areas: extremes that one odd area cannot set
PEAK_PERCENTILE = 99  # of luma: the brightest part, without its highlights
EDGES = BlurParams(edge_scale_px=2.0, edge_threshold=0.0, least_gradient=0.010)
SAMPLING = 4  # every so many pixels along both axes are enough for the brightness of a view
LARGER_THAN_SIGMA = 1 << 16  # px: keeps areas apart when blurs are sorted
MEGA = 1e6


class BlurStatistics(NamedTuple):
    """What a picture shows of its blur.

    Attributes
    ----------
    signal_to_noise : float
        Luma of the bright parts over the standard deviation of the noise.
    edges_per_megapixel : float
        Edge pixels per megapixel.
    cover : float
        Share of the areas that have enough edges.
    sharpest_sigma, blurriest_sigma : float
        Quantiles (5 %, 90 %) of sigma over areas, px.
    share_blurred, share_very_blurred : float
        Share of the areas above `BLURRED_PX` and `VERY_BLURRED_PX`.
    coarse_share_very_blurred : float
        The latter in the second pass.
    detail, coarse_detail : DetailLoss
        Loss of fine detail by direction, and the same in the second pass (`detail.py`).
    view_side_px : int
        Long side of the picture in the unit of sigma.
    """

    signal_to_noise: float
    edges_per_megapixel: float
    cover: float
    sharpest_sigma: float
    blurriest_sigma: float
    share_blurred: float
    share_very_blurred: float
    coarse_share_very_blurred: float
    detail: DetailLoss
    coarse_detail: DetailLoss
    view_side_px: int


def blur_statistics(
    view: Encoded, found: EdgeSurvey, grid: Grid, params: CheckParams
) -> BlurStatistics:
    """Measure the blur of a picture by areas.

    Parameters
    ----------
    view : Array
        HxWx3 float32, display-encoded in [0, 1].
    found : EdgeSurvey
        Survey of the view. Only its noise is used, so that it may be that of the estimation.
    grid : Grid
        Grid of the view.
    params : CheckParams
        `view_side_px` is the unit, `coarse_side_px` the size of the second pass.

    Returns
    -------
    BlurStatistics
        Sigma in px of the check.
    """
    pixel = Pixel.of(grid, params)
    plane, noise = luma(view), noise_sigma(found)
    coarse = _reduced(view, params.coarse_side_px)
    coarse_plane, coarse_found = luma(coarse), survey(coarse, EDGES)
    inside, coarse_inside = within_rim(plane), within_rim(coarse_plane)
    coarse_sigma = away_from_rim(_sigma_of_edges(coarse, coarse_found), coarse_inside)
    coarse_areas, _ = area_blur(coarse_sigma, COARSE_AREAS, MIN_COARSE_AREA_EDGES)
    sigma = away_from_rim(_sigma_of_edges(view, found), inside)
    return by_areas(sigma * np.float32(pixel.length), plane, noise, pixel)._replace(
        coarse_share_very_blurred=share(coarse_areas, VERY_BLURRED_PX),
        detail=detail_loss(plane, noise, inside),
        coarse_detail=detail_loss(coarse_plane, noise_sigma(coarse_found), coarse_inside),
    )


def _sigma_of_edges(view: Encoded, found: EdgeSurvey) -> Array:
    """Sigma at the edges of a view, px of the view; 0 elsewhere."""
    return link_edges(edge_blur(view, found, EDGES), Grid(view.shape[:2])).sigma


def away_from_rim(sigma: Array, inside: npt.NDArray[np.bool_] | None) -> Array:
    """Sigma at edges, 0 at the rim of an image circle (`within_rim`) and elsewhere.

    Parameters
    ----------
    sigma : Array
        HxW float32, px; 0 where there is no edge.
    inside : array of bool, optional
        HxW: what lies within the rim; None if there is none.

    Returns
    -------
    Array
        HxW float32, px.
    """
    return sigma if inside is None else sigma * inside


def limit_at(limit_px: float, side_px: int, unit_px: int) -> float:
    """Limit of sigma in px of a picture, for blur that is the same share of the frame.

    Parameters
    ----------
    limit_px : float
        Limit in a picture with a long side of `unit_px`.
    side_px, unit_px : int
        Long side of the picture, and of the view of the check.

    Returns
    -------
    float
        Sigma in px. What exceeds the blur of sharp areas (`SHARP_PX`) is scaled, in variance.
    """
    scale = min(side_px / unit_px, 1.0)
    excess = limit_px**2 - SHARP_PX**2
    return limit_px if excess <= 0 else (SHARP_PX**2 + excess * scale**2) ** 0.5


class Pixel(NamedTuple):
    """Unit of the check: `scale` px of it in a px of the picture, `length` in a px of the view."""

    scale: float
    length: float
    side_px: int

    @classmethod
    def of(cls, grid: Grid, params: CheckParams) -> Pixel:
        """The unit for a view."""
        side_px = max(grid.shape) * grid.step
        scale = min(params.view_side_px / side_px, 1.0)
        return cls(scale, grid.step * scale, min(params.view_side_px, side_px))


def by_areas(sigma: Array, plane: Array, noise: float, pixel: Pixel) -> BlurStatistics:
    """Statistics of the blur of edges, without the second pass and without the loss of detail.

    Parameters
    ----------
    sigma : Array
        HxW float32, px of the check at edges, 0 elsewhere.
    plane : Array
        HxW float32, luma of the view.
    noise : float
        Standard deviation of its noise.
    pixel : Pixel
        The unit of the check for this view.
    """
    areas, total = area_blur(sigma, AREAS, MIN_AREA_EDGES / pixel.length)
    peak = float(np.percentile(plane[::SAMPLING, ::SAMPLING], PEAK_PERCENTILE))
    return BlurStatistics(
        signal_to_noise=peak / (noise * max(pixel.length, 1.0)),  # averaging reduced the noise
        edges_per_megapixel=np.count_nonzero(sigma) / (plane.size * pixel.length) * MEGA,
        cover=areas.size / total,
        sharpest_sigma=quantile(areas, SHARPEST),
        blurriest_sigma=quantile(areas, BLURRIEST),
        share_blurred=share(areas, BLURRED_PX),
        share_very_blurred=share(areas, VERY_BLURRED_PX),
        coarse_share_very_blurred=0.0,
        detail=DetailLoss(),
        coarse_detail=DetailLoss(),
        view_side_px=pixel.side_px,
    )


def _reduced(view: Encoded, side: int) -> Encoded:
    """Reduce a view in linear light to a long side of at most `side` pixels."""
    scale = side / max(view.shape[:2])
    if scale >= 1:
        return view
    rows, cols = (max(round(n * scale), 1) for n in view.shape[:2])
    return encode(reduce_to(linearise(view, SRGB), (rows, cols)), SRGB)


def area_blur(sigma: Array, along: int, least_edges: float) -> tuple[Values, int]:
    """Blur of every area with enough edges, and how many areas there are.

    Parameters
    ----------
    sigma : Array
        HxW float32, px at edges, 0 elsewhere.
    along : int
        Areas along the long side.
    least_edges : float
        Edge pixels that an area must have.
    """
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
    """Quantile of the blur of areas.

    Parameters
    ----------
    values : array of float64
        Sigma of the areas, flat, px; may be empty.
    part : float
        In [0, 1].

    Returns
    -------
    float
        Sigma in px; 0 if there are no areas.
    """
    return float(np.quantile(values, part)) if values.size else 0.0


def share(values: Values, limit: float) -> float:
    """Share of the areas above a limit.

    Parameters
    ----------
    values : array of float64
        Sigma of the areas, flat, px; may be empty.
    limit : float
        Sigma in px.

    Returns
    -------
    float
        In [0, 1]; 0 if there are no areas.
    """
    return float((values > limit).mean()) if values.size else 0.0
