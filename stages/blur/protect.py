"""Keep the subject sharp, and the far background blurred: bounds and coarse edges at work.

`within_bounds` holds data to the evidence of sharpness (`keep_detail` does so with the finished
map); `sharp_edges_bound` adds what sharp edges prove. `coarse_edges` looks for blur too strong to
leave edges at the working scale, on smaller pictures, and only where nothing else is known: a
region without edges is flat, or very blurred.
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
SHARP_PX = (0.75, 1.05)  # px of the view; edges up to here bound in full .. not at all
SHARP_WEIGHT = 1.5  # of such a bound, times the confidence of the edge
CROSSING_STEP = 2  # px; step up to which edges count by their length
NEARBY_PX = 4  # px of the view, plus two samples: what coarse edges keep off known ones


@dataclass(frozen=True, slots=True, kw_only=True)
class CoarseParams(Params):
    """Parameters of the search for strong blur on smaller pictures."""

    octaves: int = param(2, 0, 4, help="how often the view is halved; 0: no search")
    edge_threshold: float = param(
        0.1, 0.0, 1.0, help="strong edges exceed this share of the largest gradient there"
    )
    least_sigma_px: float = param(
        1.5, 0.0, 8.0, unit="px", help="smaller blur, in pixels of the smaller picture, is no news"
    )
    weight: float = param(0.45, 0.0, 1.0, help="confidence of such an edge against a finer one")
    doubt: float = param(
        0.5, 0.0, 1.0, help="as blur.doubt; there neighbours are near, and imitate shading"
    )


def crossings(sparse: SparseBlur, to: Grid) -> SparseBlur:
    """Lift edges to the grid of a solve, where they count by how far they cross its cells.

    Their confidence is a length, and a cell is crossed by as much as its step: without this data
    would count for more against bounds, and shading for more inside a smooth subject, the larger
    the photograph. A step of 2 is that of a view at scale 1:1.
    """
    edges = lift(sparse, to)
    share = np.float32(min(CROSSING_STEP / to.step, 1))
    return BlurMap(edges.sigma, share * edges.confidence, to)


def within_bounds(sparse: SparseBlur, bounds: BlurBounds) -> SparseBlur:
    """Hold the data of a sparse map to upper bounds on the same grid, where these are certain."""
    held = (bounds.confidence > PRESENT) & (sparse.sigma > bounds.sigma)
    sigma = np.where(held, bounds.sigma, sparse.sigma)
    return BlurMap(sigma, sparse.confidence, sparse.grid)


def sharp_edges_bound(held: SparseBlur, bounds: BlurBounds, grid: Grid) -> BlurBounds:
    """Add bounds where the data themselves are as sharp as focus.

    Nothing but what is in focus has a sharp edge. As data alone, the outline of a smooth subject is
    outvoted by the shading inside of it, which reads as blur.

    Parameters
    ----------
    held, bounds : BlurMap
        Data, and upper bounds from detail, on the grid of the solve.
    grid : Grid
        Of the view, on which the data were measured.

    Returns
    -------
    BlurMap
        Bounds; where both are known, their mean by confidence.
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
    """Mean of bounds and of data below the limits, by confidence; data fade out between these."""
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
    """Evidence without what scribbles cover: there a person has decided."""
    confidence, sigma = evidence.confidence, evidence.sigma
    for scribble in scribbles:
        free = ~coverage(scribble, evidence.grid)
        confidence, sigma = confidence * free, sigma * free
    return BlurMap(sigma, confidence, evidence.grid)


def coarse_edges(
    view: Encoded, sparse: SparseBlur, evidence: BlurBounds, params: CoarseParams
) -> SparseBlur:
    """Add edges of the reduced view where the view itself has none.

    Parameters
    ----------
    view : Array
        HxWx3 float32, display-encoded in [0, 1].
    sparse : BlurMap
        Blur at the edges of the view.
    evidence : BlurMap
        Evidence of sharpness, on the grid of the view.
    params : CoarseParams
        How far to look, and how much to trust it.

    Returns
    -------
    BlurMap
        `sparse`, with samples added where nothing was.
    """
    known = (sparse.confidence > 0).view(np.uint8)
    sigma, confidence = sparse.sigma.copy(), sparse.confidence.copy()
    plane, clipped = _half(view, evidence.confidence, known)
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
        linked &= ~near_clipped(clipped) & _heard(free, factor, grid.shape, blur)
        edges = octave_blur(plane, linked, found, grid, blur)
        least = params.least_sigma_px * grid.step
        _add(
            edges.sigma, edges.confidence, least, params.weight, factor, free,
            known, sigma, confidence,
        )  # fmt: skip
    return BlurMap(sigma, confidence, sparse.grid)


def _heard(
    free: npt.NDArray[np.bool_], factor: int, shape: tuple[int, int], params: BlurParams
) -> npt.NDArray[np.bool_]:
    """Pixels of a smaller picture whose edges a sample at a free place depends on."""
    places = np.ix_(
        *(_places(-(-n // 2), factor, size) for n, size in zip(shape, free.shape, strict=True))
    )
    reach = 2 * pooling_reach(params) + 1
    cells = cv2.dilate(free[places].view(np.uint8), np.ones((reach, reach), np.uint8))
    pixels = cv2.resize(cells, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    return np.asarray(pixels[: shape[0], : shape[1]].view(np.bool_))


def _places(count: int, factor: int, size: int) -> npt.NDArray[np.int64]:
    """Where cells of a coarser grid are in a finer one of that size."""
    return np.minimum(np.arange(count) * factor + factor // 2, size - 1)


def _half(view: Array, confidence: Array, known: Bits) -> tuple[Array, Bits]:
    """Luma of a view reduced by two, and where that is clipped; evidence becomes known, in place.

    Two planes instead of three channels, since strips are all that is ever held of these.
    """
    plane, clipped = np.empty(known.shape, np.float32), np.empty(known.shape, np.uint8)
    view, confidence = np.ascontiguousarray(view), np.ascontiguousarray(confidence)
    run_strips(
        lambda start, stop: _halve(view, confidence, start, stop, plane, clipped, known),
        known.shape[0],
    )
    return plane, clipped


@kernel(reads(f32, 3), reads(f32, 2), i64, i64, writes(f32, 2), writes(u8, 2), writes(u8, 2))
def _halve(view, confidence, start, stop, plane, clipped, known):  # type: ignore[no-untyped-def]
    """Rows [start, stop) of cells of 2 x 2; a row or column alone stands for two."""
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
    """Put samples of a coarser grid in the cells they are nearest to, where these are free."""
    rows, cols = free.shape
    for y in range(sigma.shape[0]):
        for x in range(sigma.shape[1]):
            j = min(y * factor + factor // 2, rows - 1)
            i = min(x * factor + factor // 2, cols - 1)
            if confidence[y, x] > 0 and sigma[y, x] > least and free[j, i]:
                all_sigma[j, i] = sigma[y, x]
                all_confidence[j, i] = weight * confidence[y, x]
                known[j, i] = 1
