"""Measured blur and depth together: blur gives scale and edges, depth gives order and sign.

Blur does not tell before the focus from behind it, and it is known at edges only. Depth gives the
order of everything in the picture, often without a unit, and not always linearly. Along the order,
the blur of a lens decreases up to the focus, and increases beyond it. The measured blur at edges is
therefore fitted by a function of depth with one valley: isotonic on either side, with the focus
where the error is least. It is used in three places:

- As weak data everywhere, it gives the blur of places without edges, and of edges that do not fit.
- No place is much more blurred than its depth allows.
- Whatever is nearer than the valley is in front of the focus.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from stages.depth.maps import InverseDepth, SignedBlur, depth_at, sampled
from stages.grid import BlurMap, DenseBlur, SparseBlur, interpolate
from stages.params import Params, param
from stages.scribble import Scribble

Floats = npt.NDArray[np.float64]

BINS = 48  # of depth, at most
LEAST_EDGES = 200  # measured edges; with fewer, depth is not calibrated
EDGES_PER_BIN = 20
OUTLINE_CELLS = 5  # side of the window in which an outline of the depth may be off
LEAST_LIMIT_PX = 1.0  # of blur by depth: a surface in focus has blur, too
MAX_STEP = 0.04  # range of depth around an edge, as a share of the whole; more is an occlusion


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderParams(Params):
    """Parameters of measured blur that is guided by depth."""

    weight: float = param(
        0.1, 0.0, 10.0,
        help="Confidence of the blur that follows from the order of depth, against 1 of an edge "
        "pixel.",
    )  # fmt: skip
    excess: float = param(
        1.5, 1.0, 100.0,
        help="Largest blur of a place, as a multiple of that which follows from its depth.",
    )  # fmt: skip


class Calibration(NamedTuple):
    """Blur as a function of inverse depth.

    Attributes
    ----------
    depth : Array
        Knots, inverse depth in increasing order (float64); empty if there are too few edges.
    sigma : Array
        Blur at the knots, px (float64), >= 0; constant beyond the ends.
    in_focus : float
        Inverse depth in focus; infinite if it is not known, so that nothing is in front of it.
    """

    depth: Floats
    sigma: Floats
    in_focus: float


def calibrate(
    edges: SparseBlur, cells: InverseDepth, point: tuple[float, float] | None
) -> Calibration:
    """Fit the measured blur as a function of depth with one valley.

    Parameters
    ----------
    edges : BlurMap
        Sparse; measured sigma at edges, full-resolution px.
    cells : BlurMap
        Inverse depth on cells over the picture.
    point : (x, y) or None
        A pixel that a person chose as in focus: the valley is at its depth.

    Returns
    -------
    Calibration
        The function. Edges at occlusions are not used, because their depth is ambiguous.

    References
    ----------
    R. E. Barlow et al., Statistical Inference under Order Restrictions, 1972 (pool adjacent
    violators).
    """
    where, sigma, weight = _samples(edges, cells)
    named = None if point is None else depth_at(cells, point)
    bins = min(BINS, sigma.size // EDGES_PER_BIN)
    if sigma.size < LEAST_EDGES or bins < 2:
        none = np.empty(0)
        return Calibration(none, none, np.inf if named is None else named)
    order = np.argsort(where, kind="stable")
    where, sigma, weight = where[order], sigma[order], weight[order]
    reached = np.cumsum(weight)
    cuts = np.searchsorted(reached, reached[-1] * np.arange(1, bins) / bins)
    parts = [part for part in np.split(np.arange(sigma.size), cuts) if part.size]
    knots = np.array([np.average(where[part], weights=weight[part]) for part in parts])
    middle = np.array([_median(sigma[part], weight[part]) for part in parts])
    total = np.array([weight[part].sum() for part in parts])
    splits = range(1, len(parts) + 1)
    if named is not None:
        splits = range(first := int(np.searchsorted(knots, named)), first + 1)
    fits = [_valley(middle, total, split) for split in splits]
    fitted = min(fits, key=lambda fit: float(total @ (fit - middle) ** 2))
    lowest = np.flatnonzero(fitted == fitted.min())
    in_focus = float(knots[lowest].mean()) if named is None else named
    if named is None and lowest[-1] == len(parts) - 1:
        in_focus = np.inf  # blur does not increase towards the nearest
    return Calibration(knots, fitted, in_focus)


def with_order(
    edges: SparseBlur, cells: InverseDepth, calibration: Calibration, params: OrderParams
) -> SparseBlur:
    """Data of edges, and weak data everywhere by the calibrated depth.

    Parameters
    ----------
    edges : BlurMap
        Sparse data on the grid of the solve.
    cells : BlurMap
        Inverse depth on cells over the picture.
    calibration : Calibration
        Blur as a function of depth.
    params : OrderParams
        Confidence of the weak data.

    Returns
    -------
    BlurMap
        On the grid of `edges`; sigma in full-resolution px.
    """
    if not calibration.depth.size or not params.weight:
        return edges
    where = interpolate(cells.sigma, cells.grid, edges.grid)
    expected = np.interp(where, calibration.depth, calibration.sigma).astype(np.float32)
    weak = np.float32(params.weight)
    confidence = edges.confidence + weak
    sigma = (edges.confidence * edges.sigma + weak * expected) / confidence
    return BlurMap(sigma, confidence, edges.grid)


def within_order(
    blur: DenseBlur,
    cells: InverseDepth,
    calibration: Calibration,
    scribbles: tuple[Scribble, ...],
    params: OrderParams,
) -> DenseBlur:
    """Limit a map to what depth allows: blur that has crossed an outline is removed.

    Parameters
    ----------
    blur : BlurMap
        Dense, at full resolution; sigma in px.
    cells : BlurMap
        Inverse depth on cells over the picture.
    calibration : Calibration
        Blur as a function of depth.
    scribbles : tuple of Scribble
        Corrections of a person. With any, nothing is limited.
    params : OrderParams
        `excess`.

    Returns
    -------
    BlurMap
        On the same grid. Within a few cells of an outline of the depth, either side allows its
        blur, because depth maps are not exact there.
    """
    if scribbles or not calibration.depth.size:
        return blur
    expected = np.interp(cells.sigma, calibration.depth, calibration.sigma).astype(np.float32)
    around = cv2.dilate(expected, np.ones((OUTLINE_CELLS,) * 2, np.uint8))
    limit = np.float32(params.excess) * around + np.float32(LEAST_LIMIT_PX)
    full = interpolate(limit, cells.grid, blur.grid)
    return BlurMap(np.minimum(blur.sigma, full), blur.confidence, blur.grid)


def calibrated_blur(cells: InverseDepth, calibration: Calibration) -> SignedBlur:
    """Blur that follows from depth alone, with its sign.

    Parameters
    ----------
    cells : BlurMap
        Inverse depth on cells over the picture.
    calibration : Calibration
        Blur as a function of depth, and the depth in focus.

    Returns
    -------
    BlurMap
        Sigma in full-resolution px on the same cells, negative in front of the focus; 0 if depth is
        not calibrated.
    """
    sigma = np.zeros(cells.grid.shape, np.float32)
    if calibration.depth.size:
        size = np.interp(cells.sigma, calibration.depth, calibration.sigma)
        sigma = np.where(cells.sigma > calibration.in_focus, -size, size).astype(np.float32)
    return BlurMap(sigma, cells.confidence, cells.grid)


def _samples(edges: BlurMap, cells: BlurMap) -> tuple[Floats, Floats, Floats]:
    """Inverse depth, sigma and weight of the edges that are not at occlusions."""
    window = np.ones((3, 3), np.uint8)
    spread = cv2.dilate(cells.sigma, window) - cv2.erode(cells.sigma, window)
    rows, cols = np.nonzero(edges.confidence)
    change = sampled(BlurMap(spread, cells.confidence, cells.grid), edges.grid, (rows, cols))
    smooth = change <= MAX_STEP * float(np.ptp(cells.sigma))
    planes = (
        sampled(cells, edges.grid, (rows, cols)), edges.sigma[rows, cols],
        edges.confidence[rows, cols],
    )  # fmt: skip
    where, sigma, weight = (plane[smooth].astype(np.float64) for plane in planes)
    return where, sigma, weight


def _median(values: Floats, weights: Floats) -> float:
    """Weighted median."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])


def _valley(values: Floats, weights: Floats, split: int) -> Floats:
    """Best fit that decreases before an index and increases from there on."""
    far = -_isotonic(-values[:split], weights[:split])
    return np.concatenate([far, _isotonic(values[split:], weights[split:])])


def _isotonic(values: Floats, weights: Floats) -> Floats:
    """Best increasing fit, by pooling adjacent violators."""
    means: list[float] = []
    totals: list[float] = []
    counts: list[int] = []
    for value, weight in zip(values, weights, strict=True):
        means.append(float(value))
        totals.append(float(weight))
        counts.append(1)
        while len(means) > 1 and means[-2] > means[-1]:
            total = totals[-2] + totals[-1]
            mean = (means[-2] * totals[-2] + means[-1] * totals[-1]) / total
            means[-2:], totals[-2:], counts[-2:] = [mean], [total], [counts[-2] + counts[-1]]
    return np.repeat(np.array(means), counts)
