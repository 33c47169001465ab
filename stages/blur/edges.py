"""Edges of a view: thinned to one pixel, and linked to strong ones.

Canny's method (1986) on luma of a display-encoded view in [0, 1]. Thinning is local, its halo is
`BlurParams.halo`; linking is global, and touches edges only.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from stages.blur.gradients import mirrored, noise_gain, plane_of, scharr_x, scharr_y, smooth
from stages.blur.params import CLIPPED_REACH_PX, BlurParams
from stages.blur.survey import EdgeSurvey, noise_sigma
from stages.kernels import f32, i64, inline, kernel, reads, u8, writes
from stages.params import Array
from stages.strips import run_strips, with_halo

NOISE_SIGNIFICANCE = 6.0  # an edge stands this many noise deviations out
LOW_OVER_HIGH = 0.4  # hysteresis: weak threshold as a share of the strong one
CLIPPED = np.float32(250 / 255)  # encoded; a clipped edge looks sharper than it is
STRONG = np.uint8(2)


def edge_thresholds(found: EdgeSurvey, params: BlurParams) -> tuple[float, float]:
    """Weak and strong threshold of the gradient magnitude at the edge scale."""
    strong = max(params.edge_threshold * found.largest_gradient, params.least_gradient)
    if params.exact:
        noise = noise_sigma(found) * noise_gain(params.edge_scale_px)
        strong = max(strong, NOISE_SIGNIFICANCE * noise)
    return LOW_OVER_HIGH * strong, strong


def thin_edges(view: Array, found: EdgeSurvey, params: BlurParams) -> npt.NDArray[np.uint8]:
    """Thin the edges of a view by non-maximum suppression.

    Parameters
    ----------
    view : Array
        HxWx3 float32, display-encoded in [0, 1]; or HxW, its luma.
    found : EdgeSurvey
        Survey of the whole picture.
    params : BlurParams
        Edge scale and thresholds.

    Returns
    -------
    array of uint8
        HxW: 0 none, 1 weak, 2 strong. The outermost pixels have none.
    """
    strength = np.zeros(view.shape[:2], np.uint8)

    def part(start: int, stop: int) -> None:
        read, core = with_halo(start, stop, params.halo, view.shape[0])
        thin_rows(plane_of(view[read]), core, found, params, strength[start:stop])

    run_strips(part, view.shape[0], params.strip_rows)
    return strength


def thin_rows(
    plane: Array,
    core: slice,
    found: EdgeSurvey,
    params: BlurParams,
    strength: npt.NDArray[np.uint8],
) -> None:
    """Thin the edges in some rows of a luma plane; `strength` has these rows, zero before."""
    low, high = edge_thresholds(found, params)
    _thin(smooth(plane, params.edge_scale_px), low, high, core.start, core.stop, strength)


def linked_edges(strength: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Edges that hang together with a strong one (8-connected), of the strength of all."""
    linked = np.zeros(strength.shape, np.uint8)
    _link(strength, np.count_nonzero(strength), linked)
    return np.asarray(linked.view(np.bool_))


def clipped_pixels(view: Array) -> npt.NDArray[np.bool_]:
    """Where a channel is clipped, or nearly so, within `CLIPPED_REACH_PX`."""
    return near_clipped(clipped_here(view))


def near_clipped(clipped: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Within `CLIPPED_REACH_PX` of pixels marked by 1."""
    reach = np.ones((2 * CLIPPED_REACH_PX + 1,) * 2, np.uint8)
    return np.asarray(cv2.dilate(clipped, reach).view(np.bool_))


def clipped_here(view: Array) -> npt.NDArray[np.uint8]:
    """1 where a channel is clipped, or nearly so, else 0."""
    if view.ndim == 2:
        return (view >= CLIPPED).view(np.uint8)
    clipped = np.empty(view.shape[:2], np.uint8)
    _clipped(np.ascontiguousarray(view), clipped)
    return clipped


@kernel(reads(f32, 3), writes(u8, 2))
def _clipped(view, out):  # type: ignore[no-untyped-def]
    for y in range(out.shape[0]):
        row, marked = view[y], out[y]
        for x in range(marked.size):
            brightest = max(row[x, 0], row[x, 1], row[x, 2])
            marked[x] = 1 if brightest >= CLIPPED else 0


@inline
def _ridge(gx, gy, above, here, below, x):  # type: ignore[no-untyped-def]
    """Gradient at x if it is largest along its own direction, else 0.

    Neighbours by linear interpolation. Without branches, so that a row of this is vector code.
    """
    before, level, after = here[x - 1], here[x], here[x + 1]
    up_left, up, up_right = above[x - 1], above[x], above[x + 1]
    down_left, down, down_right = below[x - 1], below[x], below[x + 1]
    ax, ay, falling = abs(gx[x]), abs(gy[x]), gx[x] * gy[x] >= 0
    corner_ahead, corner_behind = (
        (down_right if falling else up_right),
        (up_left if falling else down_left),
    )
    ahead, behind = (down if falling else up), (up if falling else down)
    ahead, behind = (after if ax >= ay else ahead), (before if ax >= ay else behind)
    main, cross = max(ax, ay), min(ax, ay)
    ahead = (main - cross) * ahead + cross * corner_ahead
    behind = (main - cross) * behind + cross * corner_behind
    return level if (level * main > ahead) & (level * main >= behind) else np.float32(0)


@inline
def _gradient_row(plane, y, gx, gy, level):  # type: ignore[no-untyped-def]
    """Gradient and its length along a row."""
    height, width = plane.shape
    above, below = plane[mirrored(y - 1, height)], plane[mirrored(y + 1, height)]
    here = plane[y]
    for x in range(1, width - 1):
        across, down = (
            scharr_x(above, here, below, x - 1, x + 1),
            scharr_y(above, below, x - 1, x, x + 1),
        )
        gx[x], gy[x], level[x] = across, down, math.sqrt(across * across + down * down)
    for x in (0, width - 1):
        side = mirrored(x + 1, width)
        gx[x], gy[x] = np.float32(0), scharr_y(above, below, side, x, side)
        level[x] = abs(gy[x])


@kernel(reads(f32, 2), f32, f32, i64, i64, writes(u8, 2))
def _thin(plane, low, high, first, last, strength):  # type: ignore[no-untyped-def]
    """Rows [first, last) of a smoothed plane: writes 1 at weak edges and 2 at strong ones."""
    height, width = plane.shape
    gx, gy = np.empty((3, width), np.float32), np.empty((3, width), np.float32)
    level, ridge = np.empty((3, width), np.float32), np.empty(width, np.float32)
    first_row, last_row = max(first, 1), min(last, height - 1)
    for y in range(first_row - 1, last_row + 1):
        _gradient_row(plane, y, gx[y % 3], gy[y % 3], level[y % 3])
        row = y - 1
        if row < first_row:
            continue
        above, here, below = level[(row - 1) % 3], level[row % 3], level[y % 3]
        along, down, out = gx[row % 3], gy[row % 3], strength[row - first]
        for x in range(1, width - 1):
            ridge[x] = _ridge(along, down, above, here, below, x)
        for x in range(1, width - 1):
            if ridge[x] > low:
                out[x] = STRONG if ridge[x] > high else 1


@kernel(reads(u8, 2), i64, writes(u8, 2))
def _link(strength, count, linked):  # type: ignore[no-untyped-def]
    """Flood from strong edges over weak ones; `count` is how many edges there are."""
    height, width = strength.shape
    pending, waiting = np.empty(count, np.int64), 0
    for y in range(height):
        row, done = strength[y], linked[y]
        for x in range(width):
            if row[x] != STRONG or done[x]:
                continue
            done[x] = 1
            pending[0], waiting = y * width + x, 1
            while waiting > 0:
                waiting -= 1
                j, i = pending[waiting] // width, pending[waiting] % width
                for v in range(max(j - 1, 0), min(j + 2, height)):
                    for u in range(max(i - 1, 0), min(i + 2, width)):
                        if strength[v, u] and not linked[v, u]:
                            linked[v, u] = 1
                            pending[waiting] = v * width + u
                            waiting += 1
