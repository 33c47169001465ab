"""Edges of a view: thinned to one pixel, and linked to strong ones.

Canny's method (1986) on luma of a display-encoded view in [0, 1]. Ridges of the gradient come from
the survey; thresholds are those of the whole picture; linking is global, and touches edges only.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stages.arrays import LUMA_WEIGHTS
from stages.blur.gradients import noise_gain
from stages.blur.params import CLIPPED_REACH_PX, BlurParams
from stages.blur.survey import LOW_OVER_HIGH, EdgeSurvey, Ridges, noise_sigma
from stages.kernels import apart, f32, i32, i64, kernel, reads, u8, writes
from stages.params import Array
from stages.strips import run_strips

NOISE_SIGNIFICANCE = 6.0  # an edge stands this many noise deviations out
CLIPPED = np.float32(250 / 255)  # encoded; a clipped edge looks sharper than it is
LUMA = tuple(LUMA_WEIGHTS)
STRONG = np.uint8(2)


def edge_thresholds(found: EdgeSurvey, params: BlurParams) -> tuple[float, float]:
    """Weak and strong threshold of the gradient magnitude at the edge scale."""
    strong = max(params.edge_threshold * found.largest_gradient, params.least_gradient)
    if params.exact:
        noise = noise_sigma(found) * noise_gain(params.edge_scale_px)
        strong = max(strong, NOISE_SIGNIFICANCE * noise)
    return LOW_OVER_HIGH * strong, strong


def thin_edges(found: EdgeSurvey, params: BlurParams) -> npt.NDArray[np.uint8]:
    """Edges of a view: its ridges, by the thresholds that the whole picture sets.

    Parameters
    ----------
    found : EdgeSurvey
        Survey of the whole picture, with the same parameters.
    params : BlurParams
        Thresholds.

    Returns
    -------
    array of uint8
        HxW: 0 none, 1 weak, 2 strong. The outermost pixels have none.
    """
    strength = np.zeros(found.shape, np.uint8)
    low, high = edge_thresholds(found, params)

    def part(index: int, _: int) -> None:
        mark_edges(found.ridges[index], low, high, strength)

    run_strips(part, len(found.ridges), 1)
    return strength


def mark_edges(ridges: Ridges, low: float, high: float, strength: npt.NDArray[np.uint8]) -> None:
    """Write the edges among some ridges to where there were none."""
    _mark(ridges.place, ridges.gradient, low, high, strength[ridges.row :].reshape(-1))


def linked_edges(strength: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Edges that hang together with a strong one (8-connected), of the strength of all."""
    linked = np.zeros(strength.shape, np.uint8)
    _link(strength, np.count_nonzero(strength), linked)
    return np.asarray(linked.view(np.bool_))


def clipped_pixels(view: Array) -> npt.NDArray[np.bool_]:
    """Where a channel is clipped, or nearly so, within `CLIPPED_REACH_PX`."""
    return near_clipped(luma_and_clipped(view)[1])


def near_clipped(clipped: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Within `CLIPPED_REACH_PX` of pixels marked by 1."""
    reach = np.ones((2 * CLIPPED_REACH_PX + 1,) * 2, np.uint8)
    return np.asarray(cv2.dilate(clipped, reach).view(np.bool_))


def luma_and_clipped(view: Array) -> tuple[Array, npt.NDArray[np.uint8]]:
    """Luma of a view, and 1 where a channel is clipped, or nearly so, else 0, in one pass.

    A view of one channel is luma already.
    """
    if view.ndim == 2:
        return view, (view >= CLIPPED).view(np.uint8)
    plane, clipped = np.empty(view.shape[:2], np.float32), np.empty(view.shape[:2], np.uint8)
    _look(np.ascontiguousarray(view), plane, clipped)
    return plane, clipped


@kernel(reads(f32, 3), writes(f32, 2), writes(u8, 2))
def _look(view, plane, clipped):  # type: ignore[no-untyped-def]
    red, green, blue = LUMA
    for y in range(plane.shape[0]):
        row, light, full = view[y].reshape(3 * plane.shape[1]), plane[y], clipped[y]
        for x in range(light.size):
            r, g, b = row[3 * x], row[3 * x + 1], row[3 * x + 2]
            light[x] = red * r + green * g + blue * b
            full[x] = (r >= CLIPPED) | (g >= CLIPPED) | (b >= CLIPPED)


@kernel(reads(i32, 1), reads(f32, 1), f32, f32, writes(u8, 1))
def _mark(place, gradient, low, high, strength):  # type: ignore[no-untyped-def]
    """Write 1 at weak edges and 2 at strong ones."""
    for k in range(place.size):
        if gradient[k] > low:
            strength[place[k]] = STRONG if gradient[k] > high else 1


@apart
def _weak_beside_strong(strength, y, out):  # type: ignore[no-untyped-def]
    """1 at weak edges of a row that touch a strong one."""
    height, width = strength.shape
    above, here, below = strength[max(y - 1, 0)], strength[y], strength[min(y + 1, height - 1)]
    for x in range(1, width - 1):
        sides = (above[x - 1] | above[x] | above[x + 1]) | (below[x - 1] | below[x] | below[x + 1])
        out[x] = here[x] & ((sides | here[x - 1] | here[x + 1]) >> 1)
    for x in (0, width - 1):
        left, right = max(x - 1, 0), min(x + 1, width - 1)
        sides = (above[left] | above[x] | above[right]) | (below[left] | below[x] | below[right])
        out[x] = here[x] & ((sides | here[left] | here[right]) >> 1)


@kernel(reads(u8, 2), i64, writes(u8, 2))
def _link(strength, count, linked):  # type: ignore[no-untyped-def]
    """Strong edges, and weak ones in a flood from beside them; `count` is how many edges there are.

    Rows and columns wait in one number each pair: to divide would cost more than to look around.
    """
    height, width = strength.shape
    pending, seeds = np.empty(count, np.int64), np.zeros(width, np.uint8)
    for y in range(height):
        row, done = strength[y], linked[y]
        for x in range(width):
            done[x] |= row[x] >> 1
    for y in range(height):
        _weak_beside_strong(strength, y, seeds)
        for x in range(width):
            if seeds[x] == 0 or linked[y, x]:
                continue
            linked[y, x] = 1
            pending[0], waiting = y << 32 | x, 1
            while waiting > 0:
                waiting -= 1
                j, i = pending[waiting] >> 32, pending[waiting] & 0xFFFFFFFF
                for v in range(max(j - 1, 0), min(j + 2, height)):
                    for u in range(max(i - 1, 0), min(i + 2, width)):
                        if strength[v, u] & ~linked[v, u] & 1:
                            linked[v, u] = 1
                            pending[waiting] = v << 32 | u
                            waiting += 1
