"""Border ownership: the blur of an outline belongs to the nearer of its two surfaces.

The nearer surface covers the other one, so that the edge between them is as blurred as the nearer
surface is. Taken as data of both sides, it would keep the background beside a silhouette sharp.
Each edge is therefore compared with the next edges on either side, along rays about its normal:

- If the next edges of a side are much more blurred, that side is another surface. The datum of the
  edge moves to the opposite side, and close beside the edge the far surface has the blur of its own
  edges.
- If both sides are like that, the edge is that of something thin, and its datum stays.

Where fine detail proves sharpness, nothing is added.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from stages.arrays import luma, reduce_by
from stages.blur.formula import smoothstep
from stages.grid import BlurBounds, BlurMap, SparseBlur
from stages.kernels import f32, i64, inline, kernel, reads, writes
from stages.kinds import Encoded
from stages.params import Array, Params, param
from stages.strips import run_strips

SOFTNESS_PX = 0.3  # px of a cell of 2 x 2; blurs are compared as log(1 + sigma / this)
OTHER_SURFACE = (np.float32(0.7), np.float32(1.3))  # difference of these: one surface .. another
FIRST_CELL = 3  # of a ray; nearer cells belong to the edge itself
ANGLES = np.array([-0.7, -0.35, 0.0, 0.35, 0.7], np.float32)  # rad, of the rays about the normal
BESIDE = (2, 3)  # cells from an edge; where the far surface gets data
LEAST_GRADIENT = 1e-3  # encoded values; below, an edge has no direction
PROVEN = np.float32(0.1)  # confidence of a bound from which it counts
EXCEEDED = np.float32(1.5)  # data are not added where they exceed a bound by this factor
FULL_WEIGHT = np.float32(4)  # most confidence of an added datum, per px of the step of a cell / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnershipParams(Params):
    """Parameters of border ownership; lengths are in cells of the data."""

    reach: int = param(32, 4, 256, unit="cells", help="Length of the rays to the next edges.")


def border_ownership(
    sparse: SparseBlur, bounds: BlurBounds, view: Encoded, params: OwnershipParams
) -> SparseBlur:
    """Move data of outlines to the nearer surface, and add data of the farther one beside them.

    Parameters
    ----------
    sparse : BlurMap
        Blur at edges, on the grid of the view or on cells of 2 x 2 of its pixels.
    bounds : BlurMap
        Upper bounds from detail, on the grid of the view.
    view : Array
        HxWx3 float32, display-encoded in [0, 1].
    params : OwnershipParams
        Length of the rays.

    Returns
    -------
    BlurMap
        On the grid of `sparse`; data are added only to cells without data.
    """
    if not sparse.confidence.any():
        return sparse
    scale = sparse.grid.step // bounds.grid.step
    normal = _normals(view, scale)
    shape = sparse.sigma.shape
    unit = np.float32(SOFTNESS_PX * sparse.grid.step / 2)
    usual = np.float32(np.median(sparse.confidence[sparse.confidence > 0]))
    share, found = np.zeros((*shape, 2), np.float32), np.zeros((*shape, 2), np.float32)
    planes = sparse.sigma, sparse.confidence
    run_strips(
        lambda start, stop: _look_aside(
            *planes, normal, unit, usual, ANGLES, params.reach, start, stop, share, found
        ),
        shape[0],
    )
    sigma, confidence = sparse.sigma.copy(), sparse.confidence.copy()
    moment, added = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    _move(
        *planes, normal, share, found, bounds.sigma, bounds.confidence, scale,
        confidence, moment, added,
    )  # fmt: skip
    most = FULL_WEIGHT * np.float32(sparse.grid.step / 2)
    new = (sparse.confidence == 0) & (added > 0)
    np.divide(moment, added, out=sigma, where=new)
    np.copyto(confidence, np.minimum(added, most), where=new)
    sigma[confidence == 0] = 0
    return BlurMap(sigma, confidence, sparse.grid)


def _normals(view: Array, scale: int) -> Array:
    """Unit vector (y, x) along the gradient of luma at each cell, hxwx2; 0 where there is none."""
    plane = luma(view)
    if scale > 1:
        plane = reduce_by(plane, scale)
    smooth = cv2.GaussianBlur(plane, (0, 0), 1.0)
    normal = np.stack([cv2.Scharr(smooth, cv2.CV_32F, *axis) for axis in ((0, 1), (1, 0))], axis=-1)
    length = np.sqrt(np.einsum("hwk,hwk->hw", normal, normal))[..., None]
    found = length > LEAST_GRADIENT
    return np.asarray(np.where(found, normal / np.where(found, length, 1), 0), np.float32)


@inline
def _log_blur(sigma, unit):  # type: ignore[no-untyped-def]
    return np.float32(math.log1p(sigma / unit))


@inline
def _next_edge(confidence, y, x, down, across, reach):  # type: ignore[no-untyped-def]
    """Distance, row and column of the first datum along a ray; all are 0 if there is none."""
    rows, cols = confidence.shape
    for distance in range(FIRST_CELL, reach):
        j, i = y + down * distance + np.float32(0.5), x + across * distance + np.float32(0.5)
        if j < 0 or i < 0 or j >= rows or i >= cols:
            break
        if confidence[int(j), int(i)] > 0:
            return distance, int(j), int(i)
    return 0, 0, 0


@kernel(
    reads(f32, 2), reads(f32, 2), reads(f32, 3), f32, f32, reads(f32, 1), i64, i64, i64,
    writes(f32, 3), writes(f32, 3),
)  # fmt: skip
def _look_aside(  # type: ignore[no-untyped-def]
    sigma, confidence, normal, unit, usual, angles, reach, start, stop, share, found
):
    """Write how surely either side of a datum is another, softer surface, and the blur of that.

    This is done for the data in rows [start, stop). The blur is the mean of log(1 + sigma / unit)
    over the next edges, with weights 1 / distance.
    """
    one = np.float32(1)
    for y in range(start, stop):
        for x in range(sigma.shape[1]):
            if confidence[y, x] == 0 or (normal[y, x, 0] == 0 and normal[y, x, 1] == 0):
                continue
            own = _log_blur(sigma[y, x], unit)
            for side in range(2):
                sign = one if side == 0 else -one
                total, moment, certain = np.float32(0), np.float32(0), np.float32(0)
                for k in range(angles.size):
                    cos, sin = np.float32(math.cos(angles[k])), np.float32(math.sin(angles[k]))
                    down = sign * (normal[y, x, 0] * cos - normal[y, x, 1] * sin)
                    across = sign * (normal[y, x, 1] * cos + normal[y, x, 0] * sin)
                    distance, j, i = _next_edge(confidence, y, x, down, across, reach)
                    if distance > 0:
                        weight = one / np.float32(distance)
                        total += weight
                        moment += weight * _log_blur(sigma[j, i], unit)
                        certain += weight * min(confidence[j, i] / usual, one)
                if total > 0:
                    mean = moment / total
                    softer = smoothstep(mean - own, OTHER_SURFACE[0], OTHER_SURFACE[1])
                    share[y, x, side] = softer * certain / total
                    found[y, x, side] = unit * np.float32(math.expm1(mean))


@inline
def _is_free(bound, trust, scale, j, i, value):  # type: ignore[no-untyped-def]
    """Whether no certain bound within a cell is much smaller than a value."""
    for v in range(scale * j, min(scale * (j + 1), bound.shape[0])):
        for u in range(scale * i, min(scale * (i + 1), bound.shape[1])):
            if trust[v, u] > PROVEN and bound[v, u] * EXCEEDED < value:
                return False
    return True


@inline
def _add(moment, added, j, i, value, weight):  # type: ignore[no-untyped-def]
    moment[j, i] += weight * value
    added[j, i] += weight


@kernel(
    reads(f32, 2), reads(f32, 2), reads(f32, 3), reads(f32, 3), reads(f32, 3), reads(f32, 2),
    reads(f32, 2), i64, writes(f32, 2), writes(f32, 2), writes(f32, 2),
)  # fmt: skip
def _move(  # type: ignore[no-untyped-def]
    sigma, confidence, normal, share, found, bound, trust, scale, left, moment, added
):
    """Write the confidence that is left at each datum, and sums of what is added around it."""
    rows, cols = sigma.shape
    half, one = np.float32(0.5), np.float32(1)
    for y in range(rows):
        for x in range(cols):
            own, value = confidence[y, x], sigma[y, x]
            down, across = normal[y, x, 0], normal[y, x, 1]
            if own == 0 or (down == 0 and across == 0):
                continue
            for side in range(2):
                sign = one if side == 0 else -one
                dy, dx = sign * down, sign * across
                other = share[y, x, side]
                if other <= 0:
                    continue
                for t in range(BESIDE[0], BESIDE[1] + 1):
                    j, i = y + dy * t + half, x + dx * t + half
                    if j < 0 or i < 0 or j >= rows or i >= cols or confidence[int(j), int(i)] > 0:
                        continue
                    if _is_free(bound, trust, scale, int(j), int(i), found[y, x, side]):
                        _add(moment, added, int(j), int(i), found[y, x, side], other * own)
                moved = other - share[y, x, 1 - side]
                if moved > 0:
                    left[y, x] = own * (one - moved)
                    j, i = y - dy + half, x - dx + half
                    inside = j >= 0 and i >= 0 and j < rows and i < cols
                    if inside and confidence[int(j), int(i)] == 0:
                        _add(moment, added, int(j), int(i), value, moved * own)
