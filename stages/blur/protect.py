"""Constraints that keep the subject sharp, and the far background blurred.

`within_bounds` limits edge data to the evidence of sharpness (`keep_detail` does so with the dense
map). `sharp_edges_bound` adds upper bounds at sharp edges. `coarse_edges` finds blur that is too
strong to leave edges at the working scale: a region without edges is flat or very blurred. It
searches reduced views, and only where there are neither edges nor evidence.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stages.arrays import reduce_by
from stages.blur.edges import CLIPPED, LUMA, linked_edges, near_clipped, thin_edges
from stages.blur.evidence import PRESENT
from stages.blur.octaves import octave_blur
from stages.blur.params import BlurParams
from stages.blur.pool import pooling_reach
from stages.blur.survey import survey
from stages.grid import BlurBounds, BlurMap, Grid, SparseBlur, lift
from stages.kernels import b1, f32, i64, kernel, reads, u8, writes
from stages.kinds import Encoded
from stages.params import Array, Params, param
from stages.scribble import Scribble, coverage
from stages.strips import run_strips

Bits = npt.NDArray[np.uint8]  # 0 or 1
SHARP_PX = (0.75, 1.05)  # px of the view; sigma below which an edge is a full bound, above none
SHARP_WEIGHT = 1.5  # confidence of such a bound over that of the edge
CROSSING_STEP = 2  # px; up to this step the confidence of an edge is its length
NEARBY_PX = 4  # px of the view; distance of coarse edges to fine ones, plus two coarse samples


@dataclass(frozen=True, slots=True, kw_only=True)
class CoarseParams(Params):
    """Parameters of the search for strong blur on reduced views."""

    octaves: int = param(2, 0, 4, help="number of times the view is halved; 0: no search")
    edge_threshold: float = param(
        0.1, 0.0, 1.0, help="strong edges exceed this share of the largest gradient"
    )
    least_sigma_px: float = param(
        1.5,
        0.0,
        8.0,
        unit="px",
        help="edges with less blur, in pixels of the reduced view, are ignored",
    )
    weight: float = param(0.45, 0.0, 1.0, help="confidence of a coarse edge relative to a fine one")
    doubt: float = param(
        0.5, 0.0, 1.0, help="as blur.doubt; smaller, since close neighbours resemble shading"
    )


def crossings(sparse: SparseBlur, to: Grid) -> SparseBlur:
    """Resample edges to the grid of the solve, and scale their confidence for its step.

    The confidence of an edge is a length, which is proportional to the step where an edge crosses a
    cell. Without the scaling, a larger photograph would give data more weight against bounds, and
    shading more weight inside a smooth subject.

    Parameters
    ----------
    sparse : BlurMap
        Blur at edges; confidence is a length in full-resolution px.
    to : Grid
        Grid of the solve.

    Returns
    -------
    BlurMap
        On `to`; confidence is multiplied by min(2 / step, 1). A step of 2 is that of a view at
        full resolution.
    """
    edges = lift(sparse, to)
    share = np.float32(min(CROSSING_STEP / to.step, 1))
    return BlurMap(edges.sigma, share * edges.confidence, to)


def within_bounds(sparse: SparseBlur, bounds: BlurBounds) -> SparseBlur:
    """Limit sparse data to upper bounds on the same grid, where the bounds are certain.

    Parameters
    ----------
    sparse, bounds : BlurMap
        Data, and upper bounds; sigma in full-resolution px.

    Returns
    -------
    BlurMap
        The data, with sigma at most the bound where its confidence exceeds `PRESENT`.
    """
    exceeding = (bounds.confidence > PRESENT) & (sparse.sigma > bounds.sigma)
    sigma = np.where(exceeding, bounds.sigma, sparse.sigma)
    return BlurMap(sigma, sparse.confidence, sparse.grid)


def sharp_edges_bound(held: SparseBlur, bounds: BlurBounds, grid: Grid) -> BlurBounds:
    """Add upper bounds at sharp edges.

    Only objects in focus have sharp edges. As data alone, the sharp outline of a smooth subject has
    too little weight against the shading inside, which is measured as blur.

    Parameters
    ----------
    held, bounds : BlurMap
        Data, and upper bounds from detail, on the grid of the solve; sigma in full-resolution px.
    grid : Grid
        Grid of the view on which the data were measured.

    Returns
    -------
    BlurMap
        Bounds from detail and from sharp edges. Where there are both, sigma is their mean, weighted
        by confidence, and the confidences are added.
    """
    sigma, confidence = np.empty_like(bounds.sigma), np.empty_like(bounds.confidence)
    limits = np.array(SHARP_PX, np.float32) * np.float32(grid.step)
    sources = held.sigma, held.confidence, bounds.sigma, bounds.confidence
    run_strips(
        lambda start, stop: _join_bounds(
            *(plane[start:stop] for plane in sources), limits,
            sigma[start:stop], confidence[start:stop],
        ),
        len(sigma),
    )  # fmt: skip
    return BlurMap(sigma, confidence, bounds.grid)


@kernel(
    reads(f32, 2), reads(f32, 2), reads(f32, 2), reads(f32, 2), reads(f32, 1),
    writes(f32, 2), writes(f32, 2),
)  # fmt: skip
def _join_bounds(edge, weight, bound, trust, limits, sigma, confidence):  # type: ignore[no-untyped-def]
    """Write the mean of bounds and sharp data; the weight of data falls to 0 between the limits."""
    zero, one, gain = np.float32(0), np.float32(1), np.float32(SHARP_WEIGHT)
    for y in range(sigma.shape[0]):
        for x in range(sigma.shape[1]):
            sharp = min(max((limits[1] - edge[y, x]) / (limits[1] - limits[0]), zero), one)
            share = gain * sharp * weight[y, x]
            total = trust[y, x] + share
            moment = trust[y, x] * bound[y, x] + share * edge[y, x]
            confidence[y, x] = total
            sigma[y, x] = moment / total if total > zero else zero


def unclaimed(evidence: BlurBounds, scribbles: Iterable[Scribble]) -> BlurBounds:
    """Remove evidence under scribbles, where the person has set the blur.

    Parameters
    ----------
    evidence : BlurMap
        Upper bounds on the grid of the view.
    scribbles : iterable of Scribble
        Strokes, in any order.

    Returns
    -------
    BlurMap
        The evidence, with confidence 0 in pixels that a scribble covers.
    """
    confidence, sigma = evidence.confidence, evidence.sigma
    for scribble in scribbles:
        free = ~coverage(scribble, evidence.grid)
        confidence, sigma = confidence * free, sigma * free
    return BlurMap(sigma, confidence, evidence.grid)


def coarse_edges(
    view: Encoded, sparse: SparseBlur, evidence: BlurBounds, params: CoarseParams
) -> SparseBlur:
    """Add edges of reduced views where the view has no edges.

    Parameters
    ----------
    view : Array
        HxWx3 float32, display-encoded in [0, 1].
    sparse : BlurMap
        Blur at the edges of the view.
    evidence : BlurMap
        Evidence of sharpness, on the grid of the view.
    params : CoarseParams
        Number of octaves, thresholds, and weight of the result.

    Returns
    -------
    BlurMap
        `sparse`, with samples added away from its edges and from the evidence.
    """
    known = (sparse.confidence > 0).view(np.uint8)
    sigma, confidence = sparse.sigma.copy(), sparse.confidence.copy()
    plane, clipped = _reduced_by_two(view, evidence.confidence, known)
    blur = BlurParams(edge_threshold=params.edge_threshold, doubt=params.doubt)
    grid = evidence.grid
    for octave in range(1, params.octaves + 1):
        if octave > 1:
            plane = reduce_by(plane, 2)
            clipped = (reduce_by(clipped.astype(np.float32), 2) > 0).view(np.uint8)
        factor = 2**octave
        grid = Grid(plane.shape, 2 * grid.step, grid.phase + grid.step / 2)
        reach = (NEARBY_PX + 2 * factor) // 2
        free = cv2.dilate(known, np.ones((2 * reach + 1,) * 2, np.uint8)) == 0
        if not free.any():
            continue
        found = survey(plane, blur)
        linked = linked_edges(thin_edges(found, blur))
        linked &= ~near_clipped(clipped) & _pooled_pixels(free, factor, grid.shape, blur)
        edges = octave_blur(plane, linked, found, grid, blur)
        least = params.least_sigma_px * grid.step
        _add(
            edges.sigma, edges.confidence, least, params.weight, factor, free,
            known, sigma, confidence,
        )  # fmt: skip
    return BlurMap(sigma, confidence, sparse.grid)


def _pooled_pixels(
    free: npt.NDArray[np.bool_], factor: int, shape: tuple[int, int], params: BlurParams
) -> npt.NDArray[np.bool_]:
    """Pixels of a reduced view whose edges are pooled into a sample of a free cell, bool."""
    places = np.ix_(
        *(
            _nearest_cells(-(-n // 2), factor, size)
            for n, size in zip(shape, free.shape, strict=True)
        )
    )
    reach = 2 * pooling_reach(params) + 1
    cells = cv2.dilate(free[places].view(np.uint8), np.ones((reach, reach), np.uint8))
    pixels = cv2.resize(cells, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    return np.asarray(pixels[: shape[0], : shape[1]].view(np.bool_))


def _nearest_cells(count: int, factor: int, size: int) -> npt.NDArray[np.int64]:
    """Indices, in a finer grid of `size` cells, of the cells nearest to `count` coarser ones."""
    return np.minimum(np.arange(count) * factor + factor // 2, size - 1)


def _reduced_by_two(view: Array, confidence: Array, known: Bits) -> tuple[Array, Bits]:
    """Luma and clipped pixels of a view reduced by two; cells of evidence are set in `known`.

    One pass in strips; the reduced view itself, with three channels, is never stored.
    """
    plane, clipped = np.empty(known.shape, np.float32), np.empty(known.shape, np.uint8)
    view, confidence = np.ascontiguousarray(view), np.ascontiguousarray(confidence)
    run_strips(
        lambda start, stop: _reduce_rows(view, confidence, start, stop, plane, clipped, known),
        known.shape[0],
    )
    return plane, clipped


@kernel(reads(f32, 3), reads(f32, 2), i64, i64, writes(f32, 2), writes(u8, 2), writes(u8, 2))
def _reduce_rows(view, confidence, start, stop, plane, clipped, known):  # type: ignore[no-untyped-def]
    """Write rows [start, stop) of cells of 2 x 2; a single last row or column is used twice."""
    height, width = confidence.shape
    quarter, (red, green, blue) = np.float32(0.25), LUMA
    colours, sure = np.empty(3 * width, np.float32), np.empty(width, np.float32)
    for y in range(start, stop):
        top, bottom = 2 * y, min(2 * y + 1, height - 1)
        above, below = view[top].reshape(colours.size), view[bottom].reshape(colours.size)
        for i in range(colours.size):
            colours[i] = quarter * (above[i] + below[i])
        for x in range(width):
            sure[x] = confidence[top, x] + confidence[bottom, x]
        for x in range(plane.shape[1]):
            left, right = 2 * x, min(2 * x + 1, width - 1)
            r = colours[3 * left] + colours[3 * right]
            g = colours[3 * left + 1] + colours[3 * right + 1]
            b = colours[3 * left + 2] + colours[3 * right + 2]
            plane[y, x] = red * r + green * g + blue * b
            clipped[y, x] = (r >= CLIPPED) | (g >= CLIPPED) | (b >= CLIPPED)
            known[y, x] |= 1 if sure[left] + sure[right] > PRESENT else 0


@kernel(
    reads(f32, 2), reads(f32, 2), f32, f32, i64, reads(b1, 2),
    writes(u8, 2), writes(f32, 2), writes(f32, 2),
)  # fmt: skip
def _add(sigma, confidence, least, weight, factor, free, known, all_sigma, all_confidence):  # type: ignore[no-untyped-def]
    """Write samples of a coarser grid to the nearest cells, if these are free."""
    rows, cols = free.shape
    for y in range(sigma.shape[0]):
        for x in range(sigma.shape[1]):
            j = min(y * factor + factor // 2, rows - 1)
            i = min(x * factor + factor // 2, cols - 1)
            if confidence[y, x] > 0 and sigma[y, x] > least and free[j, i]:
                all_sigma[j, i] = sigma[y, x]
                all_confidence[j, i] = weight * confidence[y, x]
                known[j, i] = 1
