"""Bokeh balls: round bright disks with a hard rim, the images of lights out of focus.

A light that is much smaller than its blur is imaged as the aperture: an even disk, whose radius r
tells the blur (a disk has the standard deviation r / 2 along each axis). Its rim is as hard as an
edge in focus, so edges alone would call it sharp. Connected components of bright pixels are found
at a few levels, first among clipped pixels. A component is a ball if it is round and even, if its
radius depends little on the level (a hard rim), and if it is surrounded by darkness.

Lamps, buttons and highlights in focus can have the same shape. `ball_edges.py` decides which balls
are images of the aperture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from stages.arrays import LUMA_WEIGHTS, luma
from stages.grid import Grid
from stages.kernels import b1, f32, i32, i64, kernel, reads, writes
from stages.kinds import Encoded
from stages.params import Array
from stages.runs import Runs, add_runs, join_runs
from stages.strips import STRIP_ROWS, run_strips
from stages.tone import encode, linearise

CLIPPED = 0.95  # display-encoded; the brightest channel of a clipped pixel, or its luma, exceeds it
LUMA_LEVELS = (0.98, 0.85, 0.75, 0.65)  # further levels, for balls that touch others or are dimmer
LEAST_RADIUS_PX = 3.0  # px of the view
LARGEST_SIDE = 0.5  # of the view's shorter side
ASPECT = (0.75, 1.34)  # width over height; a cat's eye in the corners is narrower than a disk
ROUNDNESS = (0.88, 1.12)  # area over that of the ellipse in the bounding box; of a square: 1.27
OVERLAP = (0.8, 0.94)  # least overlap with that ellipse (intersection over union) ...
OVERLAP_PX = (3.0, 10.0)  # ... for radii in px of the view: small disks are coarse
SURROUNDINGS = (1.3, 1.8)  # of the radius; ring where the surroundings are measured
DARK = 0.4  # largest light of the surroundings over that of the ball
RIM = (0.25, 0.75)  # levels between surroundings and ball between which the rim is measured
RIM_PX = 1.5  # px of the view; largest width of a hard rim, plus ...
RIM_SHARE = 0.12  # ... this share of the radius
RAYS = 48  # from the centre, along which the rim is found
RAY_STEPS = 2  # samples per px of the view along a ray
SCATTER_PERCENTILE = 60  # of the rays whose rim deviates from a circle by less than half that width
UNEVEN = 0.06  # largest standard deviation inside, display-encoded
CORE = 0.75  # of the radius; part that must be even
THIN = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))  # px of the view; fills hairs in front
MOST_CANDIDATES = 500  # components of a level that are examined, for a bounded time


class Balls(NamedTuple):
    """Bokeh balls, in full-resolution px.

    Attributes
    ----------
    places : Array
        Centres (y, x), Nx2 float32.
    radius : Array
        N float32.
    clipped : array of bool
        Whether the ball is clipped, N.
    """

    places: Array
    radius: Array
    clipped: npt.NDArray[np.bool_]

    def __bool__(self) -> bool:
        return len(self.radius) > 0

    def take(self, index: npt.NDArray[np.generic]) -> Balls:
        """Some of the balls, by index or mask."""
        return Balls(self.places[index], self.radius[index], self.clipped[index])


class _Ball(NamedTuple):
    """A ball in px of the view."""

    y: float
    x: float
    radius: float
    clipped: bool


def find_balls(view: Encoded, grid: Grid) -> Balls:
    """Find bright disks with a hard rim.

    Parameters
    ----------
    view : Array
        HxWx3 float32, display-encoded in [0, 1].
    grid : Grid
        Grid of the view.

    Returns
    -------
    Balls
        In the order in which they were found. Levels below clipping are searched only if a round
        component is clipped, and balls with hairs in front only if there are other balls.
    """
    view = np.ascontiguousarray(view)
    found: list[_Ball] = []
    seen = [_add_level(view, CLIPPED, of_luma, found) for of_luma in (False, True)]
    if any(seen):
        for level in LUMA_LEVELS:
            _add_level(view, level, True, found)
    if found:
        closed = np.asarray(cv2.morphologyEx(view, cv2.MORPH_CLOSE, THIN), np.float32)
        for level in (CLIPPED, *LUMA_LEVELS):
            _add_level(closed, level, True, found)
    table = np.array([ball[:3] for ball in found], np.float64).reshape(-1, 3)
    return Balls(
        np.asarray(grid.phase + grid.step * table[:, :2], np.float32),
        np.asarray(grid.step * table[:, 2], np.float32),
        np.array([ball.clipped for ball in found], bool),
    )


def _add_level(view: Array, level: float, of_luma: bool, found: list[_Ball]) -> int:
    """Append the balls of one level that are not found yet; return the number of candidates."""
    count = 0
    for mask, (top, left) in _round_components(view, level, of_luma):
        count += 1
        rows, cols = mask.shape
        y, x = top + (rows - 1) / 2, left + (cols - 1) / 2
        reach = max(rows, cols) / 2
        if any(np.hypot(b.y - y, b.x - x) < max(b.radius, reach) / 2 for b in found):
            continue
        ball = _measured(view, mask, y, x, of_luma)
        if ball is not None:
            found.append(ball)
    return count


def _round_components(
    view: Array, level: float, of_luma: bool
) -> Iterator[tuple[npt.NDArray[np.bool_], tuple[int, int]]]:
    """Masks of the components above a level that fill an ellipse, and their upper left corners."""
    capacity = STRIP_ROWS * (view.shape[1] // 2 + 1)

    def strip(start: int, stop: int) -> Runs:
        runs = np.empty((capacity, 3), np.int32)
        return runs[: _find_bright(view, level, of_luma, start, stop, runs)].copy()

    runs = np.concatenate(run_strips(strip, len(view)))
    if not len(runs):
        return
    number, boxes = join_runs(runs)
    areas = np.bincount(number, runs[:, 2] - runs[:, 1], len(boxes))
    high, wide = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    least, most = 2 * LEAST_RADIUS_PX - 1, LARGEST_SIDE * min(view.shape[:2])
    roundness = areas / (np.pi / 4 * high * wide)
    fits = (np.minimum(high, wide) >= least) & (np.maximum(high, wide) <= most)
    for value, (low, top) in ((wide / high, ASPECT), (roundness, ROUNDNESS)):
        fits &= (value >= low) & (value <= top)
    chosen = np.flatnonzero(fits)
    order = np.argsort(number, kind="stable")
    begin = np.searchsorted(number[order], np.arange(len(boxes) + 1))
    for k in chosen[np.argsort(-areas[chosen], kind="stable")][:MOST_CANDIDATES]:
        mask = np.zeros((high[k], wide[k]), bool)
        for row, first, stop in runs[order[begin[k] : begin[k + 1]]]:
            mask[row - boxes[k, 0], first - boxes[k, 1] : stop - boxes[k, 1]] = True
        if _overlap(mask) >= np.interp(min(mask.shape) / 2, OVERLAP_PX, OVERLAP):
            yield mask, (int(boxes[k, 0]), int(boxes[k, 1]))


def _overlap(mask: npt.NDArray[np.bool_]) -> float:
    """Intersection over union of a mask and the ellipse that touches its sides."""
    down, across = (((np.arange(n) - (n - 1) / 2) / (n / 2)) ** 2 for n in mask.shape)
    ellipse = down[:, None] + across <= 1
    return float(np.count_nonzero(mask & ellipse) / np.count_nonzero(mask | ellipse))


def _measured(
    view: Array, mask: npt.NDArray[np.bool_], y: float, x: float, of_luma: bool
) -> _Ball | None:
    """Ball of a component centred at (y, x); None if it is none.

    The rim is found along rays from the centre. Medians over the rays tolerate a second ball that
    covers less than half of the rim, and the spikes of a lamp. If the ball is clipped, half of its
    light is nearer to the centre than half of what is recorded.
    """
    radius = float(np.sqrt(np.count_nonzero(mask) / np.pi))
    reach = int(np.ceil(SURROUNDINGS[1] * radius + 3))
    top, left = max(int(y) - reach, 0), max(int(x) - reach, 0)
    part = view[top : int(y) + reach + 2, left : int(x) + reach + 2]
    plane = luma(part) if of_luma else part.max(axis=2)
    size = RAY_STEPS * reach, RAYS
    rays = cv2.warpPolar(
        plane, size, (x - left, y - top), reach, cv2.WARP_POLAR_LINEAR | cv2.WARP_FILL_OUTLIERS
    )
    inside = rays[:, : int(CORE * RAY_STEPS * radius)]
    around = rays[:, int(RAY_STEPS * (SURROUNDINGS[0] * radius + 1)) :]
    if inside.std() > UNEVEN:
        return None
    dark, bright = linearise(np.array([np.median(around), np.median(inside)], np.float32))
    if dark > DARK * bright:
        return None
    levels = encode(dark + (bright - dark) * np.array([RIM[0], 0.5, RIM[1]], np.float32))
    ends = np.array([_ends_of(rays, level) for level in levels]) / RAY_STEPS
    outer, middle, inner = np.median(ends, axis=1)
    hard = RIM_PX + RIM_SHARE * middle
    scatter = np.percentile(abs(ends[1] - middle), SCATTER_PERCENTILE)
    clipped = bool(part.max(axis=2)[int(y) - top, int(x) - left] > CLIPPED)
    own = float(inner if clipped else middle)
    if own < LEAST_RADIUS_PX or outer - inner > hard or scatter > hard / 2:
        return None
    return _Ball(y, x, own, clipped)


def _ends_of(rays: Array, level: float) -> npt.NDArray[np.float64]:
    """Length of each ray until it falls below a level, in samples."""
    below = rays < level
    first = np.where(below.any(axis=1), below.argmax(axis=1), rays.shape[1])
    index, last = np.arange(len(rays)), rays.shape[1] - 1
    at, before = rays[index, np.minimum(first, last)], rays[index, np.maximum(first - 1, 0)]
    part = np.divide(before - level, before - at, out=np.zeros(len(rays)), where=before > at)
    return np.asarray(np.maximum(first - 1 + np.clip(part, 0, 1), 0), np.float64)


@kernel(reads(f32, 3), f32, b1, i64, i64, writes(i32, 2))
def _find_bright(view, level, of_luma, start, stop, runs):  # type: ignore[no-untyped-def]
    """Write the runs of pixels above a level in rows [start, stop); return their number."""
    red, green, blue = LUMA_WEIGHTS
    count, marks = 0, np.empty(view.shape[1], np.bool_)
    for y in range(start, stop):
        row, bright = view[y], 0
        for x in range(marks.size):
            r, g, b = row[x, 0], row[x, 1], row[x, 2]
            value = red * r + green * g + blue * b if of_luma else max(max(r, g), b)
            marks[x] = value >= level
            bright += marks[x]
        if bright > 0:
            count = add_runs(marks, y, runs, count)
    return count
