"""Edge detection after Canny (1986), on the luma of a display-encoded view in [0, 1].

Ridges of the gradient (non-maximum suppression) come from the survey. Thresholds follow from the
statistics of the whole picture. Hysteresis thresholding is global, but visits only edge pixels.
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

NOISE_SIGNIFICANCE = 6.0  # standard deviations of the noise that the gradient of an edge exceeds
CLIPPED = np.float32(250 / 255)  # encoded; above, clipping makes an edge look too sharp
LUMA = tuple(LUMA_WEIGHTS)
STRONG = np.uint8(2)


def edge_thresholds(found: EdgeSurvey, params: BlurParams) -> tuple[float, float]:
    """Thresholds of the gradient magnitude at the edge scale.

    Parameters
    ----------
    found : EdgeSurvey
        Gradient statistics of the whole view.
    params : BlurParams
        Thresholds relative to the largest gradient.

    Returns
    -------
    float, float
        Threshold of weak and of strong edges, luma/px.
    """
    strong = max(params.edge_threshold * found.largest_gradient, params.least_gradient)
    if params.exact:
        noise = noise_sigma(found) * noise_gain(params.edge_scale_px)
        strong = max(strong, NOISE_SIGNIFICANCE * noise)
    return LOW_OVER_HIGH * strong, strong


def thin_edges(found: EdgeSurvey, params: BlurParams) -> npt.NDArray[np.uint8]:
    """Classify the ridges of a view as weak or strong edges.

    Parameters
    ----------
    found : EdgeSurvey
        Survey of the whole view, with the same edge scale.
    params : BlurParams
        Thresholds.

    Returns
    -------
    array of uint8
        HxW: 0 no edge, 1 weak edge, 2 strong edge. The outermost pixels are 0.
    """
    strength = np.zeros(found.shape, np.uint8)
    low, high = edge_thresholds(found, params)

    def part(index: int, _: int) -> None:
        mark_edges(found.ridges[index], low, high, strength)

    run_strips(part, len(found.ridges), 1)
    return strength


def mark_edges(ridges: Ridges, low: float, high: float, strength: npt.NDArray[np.uint8]) -> None:
    """Write the weak and strong edges among the ridges of a strip.

    Parameters
    ----------
    ridges : Ridges
        Ridges of a strip.
    low, high : float
        Gradient magnitude above which a ridge is a weak or a strong edge, luma/px.
    strength : array of uint8
        HxW, of the whole view; must be 0 at the ridges. Written: 1 weak edge, 2 strong edge.
    """
    _mark(ridges.place, ridges.gradient, low, high, strength[ridges.row :].reshape(-1))


def linked_edges(strength: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Hysteresis thresholding: strong edges, and weak ones that are 8-connected to a strong one.

    Parameters
    ----------
    strength : array of uint8
        HxW: 0 no edge, 1 weak edge, 2 strong edge.

    Returns
    -------
    array of bool
        HxW.
    """
    linked = np.zeros(strength.shape, np.uint8)
    _link(strength, np.count_nonzero(strength), linked)
    return np.asarray(linked.view(np.bool_))


def clipped_pixels(view: Array) -> npt.NDArray[np.bool_]:
    """Pixels within `CLIPPED_REACH_PX` of a clipped one, HxW bool.

    Parameters
    ----------
    view : Array
        HxWx3 float32, display-encoded in [0, 1]; or HxW, its luma.
    """
    return near_clipped(luma_and_clipped(view)[1])


def near_clipped(clipped: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Pixels within `CLIPPED_REACH_PX` of a clipped one (in rows and in columns).

    Parameters
    ----------
    clipped : array of uint8
        HxW: 1 at clipped pixels, else 0.

    Returns
    -------
    array of bool
        HxW.
    """
    reach = np.ones((2 * CLIPPED_REACH_PX + 1,) * 2, np.uint8)
    return np.asarray(cv2.dilate(clipped, reach).view(np.bool_))


def luma_and_clipped(view: Array) -> tuple[Array, npt.NDArray[np.uint8]]:
    """Luma of a view, and its clipped pixels, in one pass over memory.

    Parameters
    ----------
    view : Array
        HxWx3 float32, display-encoded in [0, 1]; or HxW, its luma.

    Returns
    -------
    Array, array of uint8
        Luma, HxW float32; and 1 where a channel is at least `CLIPPED`, else 0, HxW.
    """
    if view.ndim == 2:
        return view, (view >= CLIPPED).view(np.uint8)
    plane, clipped = np.empty(view.shape[:2], np.float32), np.empty(view.shape[:2], np.uint8)
    _luma_and_clipped(np.ascontiguousarray(view), plane, clipped)
    return plane, clipped


@kernel(reads(f32, 3), writes(f32, 2), writes(u8, 2))
def _luma_and_clipped(view, plane, clipped):  # type: ignore[no-untyped-def]
    """Write luma and clipped pixels of a view."""
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
    """Write 1 at weak edges of a row that touch a strong one."""
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
    """Write 1 at strong edges and at weak edges connected to them, by flood fill.

    `count` is the number of edge pixels. Row and column of a pending pixel are packed into one
    integer; dividing a flat index would cost more than visiting the neighbours.
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
