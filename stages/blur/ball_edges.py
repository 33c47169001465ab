"""Bokeh balls as data: which round bright disks are images of the aperture, and their blur.

A lamp globe, a button or a highlight in focus can look like a bokeh ball. Each ball therefore has
votes: more if it is large and clipped, and if edges around it have about its blur; fewer if there
is sharp detail around it. A ball is accepted if the votes of all balls of about its radius add up
to a quorum, since lights far behind the focus all have the same radius.

In an accepted ball, sigma is r / 2. All other data at its hard rim are removed, since the rim looks
like an edge in focus.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt

from stages.blur.balls import Balls
from stages.grid import BlurBounds, BlurMap, Grid, SparseBlur
from stages.kinds import Like
from stages.params import Array, Params, param

FULL_RADIUS_PX = (1.5, 5.0)  # px of the view; a ball has no vote below, its full vote above
DIM_VOTE = 0.5  # of a ball that is not clipped
SIMILAR = 1.25  # ratio of the radii of balls that vote for each other
AROUND = 3.0  # radius of the surroundings in which edges are compared, over that of the ball
LEAST_AROUND_PX = 16.0  # px of the view; minimum of that radius
FITTING = (0.4, 2.5)  # sigma of edges around, over that of the ball, that confirms it; below: sharp
BLURRED_PX = 2.0  # px of the view; upper limit of that lower sigma, since blur is underestimated
ENOUGH = 0.02  # share of the surroundings with data at which their vote is full
# Votes if all data around fit, are fine detail, or are sharp edges, such as rims of other balls
FITTING_VOTES, DETAIL_VOTES, SHARP_VOTES = 2.0, -3.0, -1.5
RIM_PX = 4.0  # px of the view; reach of the rim in edge data and in evidence, plus ...
RIM_SHARE = 0.1  # ... this share of the radius
CONFIDENCE = 8.0  # of the data of a ball, per px of the step of the view
DATA_AROUND = 0.6  # of the radius; width of the surroundings that have data, too, plus ...
DATA_AROUND_PX = 4.0  # ... these px of the view


@dataclass(frozen=True, slots=True, kw_only=True)
class BallParams(Params):
    """Parameters of bokeh balls as evidence of blur."""

    quorum: float = param(
        2.1, 0.5, 1000.0, help="votes for the balls of one radius; a large clipped ball has one"
    )


def accepted_balls(
    balls: Balls, edges: SparseBlur, bounds: BlurBounds, params: BallParams
) -> Balls:
    """Balls that are images of the aperture, and not round objects in focus.

    Parameters
    ----------
    balls : Balls
        Candidates.
    edges : BlurMap
        Blur at edges, on cells of 2 x 2 pixels of the view.
    bounds : BlurMap
        Evidence of sharpness, on the grid of the view.
    params : BallParams
        The quorum.

    Returns
    -------
    Balls
        Those whose radius has a quorum.
    """
    if not balls:
        return balls
    rims = _rims(balls, edges.grid, bounds.grid.step)
    votes = np.array(
        [_votes(balls, k, edges, bounds, rims) for k in range(len(balls.radius))], np.float64
    )
    ratio = balls.radius[:, None] / balls.radius
    similar = (ratio < SIMILAR) & (ratio > 1 / SIMILAR)
    return balls.take(similar @ votes >= params.quorum)


def without_ball_rims(
    sparse: BlurMap, balls: Balls, grid: Grid
) -> Annotated[BlurMap, Like("sparse")]:
    """Remove data at the rims of balls.

    Parameters
    ----------
    sparse : BlurMap
        Blur at edges, or evidence of sharpness.
    balls : Balls
        Accepted balls.
    grid : Grid
        Grid of the view.

    Returns
    -------
    BlurMap
        On the same grid, without data there; `sparse` itself if there are no balls.
    """
    if not balls:
        return sparse
    free = ~_rims(balls, sparse.grid, grid.step)
    return BlurMap(sparse.sigma * free, sparse.confidence * free, sparse.grid)


def add_ball_edges(edges: SparseBlur, bounds: BlurBounds, balls: Balls) -> SparseBlur:
    """Add the blur that the radius of a ball tells, in the ball and close to it.

    What is seen beside a ball is usually about as far away. Without data there, the background of
    small lights in the dark has none at all.

    Parameters
    ----------
    edges : BlurMap
        Blur at edges, without those at the rims of balls.
    bounds : BlurMap
        Evidence of sharpness, without that at the rims of balls; nothing is added there.
    balls : Balls
        Accepted balls.

    Returns
    -------
    BlurMap
        On the same grid; `edges` itself if there are no balls.
    """
    if not balls:
        return edges
    sigma, confidence, step = edges.sigma.copy(), edges.confidence.copy(), bounds.grid.step
    for (y, x), radius in zip(balls.places, balls.radius, strict=True):
        reach = (1 + DATA_AROUND) * radius + DATA_AROUND_PX * step
        part, distance = _distances(edges.grid, y, x, reach)
        free = (confidence[part] == 0) & (distance <= reach) | (distance <= radius)
        free &= ~_has_bound(bounds, part)
        sigma[part][free] = radius / 2
        confidence[part][free] = CONFIDENCE * step
    return BlurMap(sigma, confidence, edges.grid)


def _distances(
    grid: Grid, y: float, x: float, reach: float
) -> tuple[tuple[slice, slice], npt.NDArray[np.float64]]:
    """Part of a grid within a square around a place, and the distances of its samples in px."""
    part, away = [], []
    for axis, centre in enumerate((y, x)):
        positions = grid.positions(axis)
        first, stop = np.searchsorted(positions, (centre - reach, centre + reach))
        part.append(slice(int(first), int(stop)))
        away.append(positions[first:stop] - centre)
    return (part[0], part[1]), np.hypot(away[0][:, None], away[1])


def _rims(balls: Balls, grid: Grid, step: int) -> npt.NDArray[np.bool_]:
    """Mask of the samples of a grid near the rim of a ball."""
    near = np.zeros(grid.shape, bool)
    for (y, x), radius in zip(balls.places, balls.radius, strict=True):
        width = RIM_SHARE * radius + RIM_PX * step
        part, distance = _distances(grid, y, x, radius + width)
        near[part] |= abs(distance - radius) < width
    return near


def _votes(
    balls: Balls, k: int, edges: BlurMap, bounds: BlurMap, rims: npt.NDArray[np.bool_]
) -> float:
    """Votes of one ball, by its size and by the data around it; rims of balls do not count."""
    (y, x), radius, step = balls.places[k], float(balls.radius[k]), bounds.grid.step
    low, high = (px * step for px in FULL_RADIUS_PX)
    own = min(max((radius - low) / (high - low), 0), 1) * (1 if balls.clipped[k] else DIM_VOTE)
    part, distance = _distances(edges.grid, y, x, max(AROUND * radius, LEAST_AROUND_PX * step))
    around = (distance <= max(AROUND * radius, LEAST_AROUND_PX * step)) & ~rims[part]
    around &= distance > radius
    if not around.any():
        return own
    known = around & (edges.confidence[part] > 0)
    sigma, least = edges.sigma[part], min(FITTING[0] * radius / 2, BLURRED_PX * step)
    fitting = known & (sigma >= least) & (sigma <= FITTING[1] * radius / 2)
    detail = around & _has_bound(bounds, part)
    sharp = known & (sigma < least) & ~detail
    kinds = ((fitting, FITTING_VOTES), (detail, DETAIL_VOTES), (sharp, SHARP_VOTES))
    cells = np.array([np.count_nonzero(mask) for mask, _ in kinds]) / np.count_nonzero(around)
    data = max(float(cells.sum()), ENOUGH)
    return own + own * float(cells @ [votes for _, votes in kinds]) / data


def _has_bound(bounds: BlurMap, part: tuple[slice, slice]) -> npt.NDArray[np.bool_]:
    """Whether cells of 2 x 2 pixels have evidence of sharpness, for a part of these cells."""
    rows, cols = (range(s.start, s.stop) for s in part)
    found = np.zeros((len(rows), len(cols)), bool)
    for dy in (0, 1):
        for dx in (0, 1):
            plane: Array = bounds.confidence[
                2 * rows.start + dy : 2 * rows.stop : 2, 2 * cols.start + dx : 2 * cols.stop : 2
            ]
            found[: plane.shape[0], : plane.shape[1]] |= plane > 0
    return found
