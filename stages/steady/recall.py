"""The state warped along the motion, without what a change of focus has made invalid.

The frame and the state are compared where both have edges. Single edges differ by noise. If the
mean over a neighbourhood differs, the focus or the scene has changed there: the history of that
neighbourhood is dropped, whatever its age, and all history is dropped if most of it is affected. If
the mean difference is small but not zero, the weight of the history is reduced in proportion, so
that the map follows a slow focus pull.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from stages.grid import BlurBounds, BlurMap, Grid, SparseBlur, lift
from stages.kernels import f32, i64, kernel, reads, writes
from stages.params import Array
from stages.steady.memory import Memory
from stages.steady.track import Motion, SteadyParams, warp
from stages.strips import run_strips

NEIGHBOURHOOD = 21  # cells; changes of blur are means over windows of this side
MIN_COMMON = 0.02  # mean confidence that frame and state must share to be compared
CHANGE_RAMP = 0.4  # share of the largest allowed change from which the age is reduced
HALVING_SPEED = 3.0  # cells a frame; motion that halves the age, since warping blurs a little


class History(NamedTuple):
    """The state warped to a frame.

    Attributes
    ----------
    edges, evidence : BlurMap
        Averaged data on cells, and averaged bounds on the view.
    age : Array
        Weight of the history, HxW float32 on cells, frames; 0: none.
    dense : Array or None
        Sigma of the previous map, HxW float32 on cells, full-resolution px; None without history.
    dead_zone : float
        Its dead zone, full-resolution px.
    """

    edges: BlurMap
    evidence: BlurMap
    age: Array
    dense: Array | None
    dead_zone: float


def recall(
    sparse: SparseBlur, evidence: BlurBounds, motion: Motion, params: SteadyParams
) -> History:
    """Warp the state to a frame.

    Parameters
    ----------
    sparse : BlurMap
        Blur at the edges of the frame, on cells.
    evidence : BlurMap
        Upper bounds of the frame, on the view; only the grid is used.
    motion : Motion
        Of `track`.
    params : SteadyParams
        Thresholds of a change of focus.

    Returns
    -------
    History
        Of age 0 after a change of scene or focus.
    """
    memory, flow = motion.memory, motion.flow
    if memory is None or flow is None:
        return _empty_history(sparse.grid, evidence.grid)
    dense = lift(memory.dense, sparse.grid).sigma
    edges = memory.edges
    if flow.any():
        edges, age, dense = _carried(memory, dense, flow)
    else:
        age = memory.age
    speed = np.hypot(flow[..., 0], flow[..., 1])
    age = np.asarray(age * motion.trust / (1 + speed / np.float32(HALVING_SPEED)), np.float32)
    valid = _valid_share(sparse, edges, age, motion.coarsest_step, params)
    if valid is None:
        return _empty_history(sparse.grid, evidence.grid)
    return History(
        edges, _carried_evidence(memory.evidence, flow), (age * valid).astype(np.float32), dense,
        memory.dead_zone,
    )  # fmt: skip


def _empty_history(cells: Grid, view: Grid) -> History:
    nothing = np.zeros(cells.shape, np.float32)
    none = np.zeros(view.shape, np.float32)
    return History(
        BlurMap(nothing, nothing, cells), BlurMap(none, none, view), nothing, None, 0.0
    )  # fmt: skip


def _carried(memory: Memory, dense: Array, flow: Array) -> tuple[BlurMap, Array, Array]:
    """Data, age and dense map, warped along the flow."""
    weight = memory.edges.confidence
    moved = warp(np.dstack([weight, weight * memory.edges.sigma, memory.age, dense]), flow)
    edges = _from_moment(moved[..., 0], moved[..., 1], memory.edges.grid)
    age, dense = (np.ascontiguousarray(moved[..., k], np.float32) for k in (2, 3))
    return edges, age, dense


def _carried_evidence(evidence: BlurMap, flow: Array) -> BlurMap:
    """Bounds warped along the flow; pixels of the view move with their cell."""
    if not flow.any():
        return evidence
    confidence, sigma = (np.empty(evidence.grid.shape, np.float32) for _ in range(2))
    planes = [np.ascontiguousarray(p) for p in (evidence.confidence, evidence.sigma, flow)]
    run_strips(lambda start, stop: _carry(*planes, start, stop, confidence, sigma), len(sigma))
    return BlurMap(sigma, confidence, evidence.grid)


@kernel(
    reads(f32, 2), reads(f32, 2), reads(f32, 3), i64, i64, writes(f32, 2), writes(f32, 2),
    seldom=True,
)  # fmt: skip
def _carry(weight, sigma, flow, start, stop, out_weight, out_sigma):  # type: ignore[no-untyped-def]
    """Rows [start, stop) of a sparse map, bilinear; flow is that of cells of 2 x 2."""
    height, width = weight.shape
    zero, one, two = np.float32(0), np.float32(1), np.float32(2)
    right, bottom = np.float32(width - 1), np.float32(height - 1)
    for y in range(start, stop):
        moves = flow[min(y >> 1, flow.shape[0] - 1)]
        for x in range(width):
            j = np.uint64(x >> 1)
            u = min(max(np.float32(x) + two * moves[j, 0], zero), right)
            v = min(max(np.float32(y) + two * moves[j, 1], zero), bottom)
            k, i = np.uint64(u), np.uint64(v)
            n, m = np.uint64(min(u + one, right)), np.uint64(min(v + one, bottom))
            across, down = u - np.float32(k), v - np.float32(i)
            a, b = (one - across) * weight[i, k], across * weight[i, n]
            c, d = (one - across) * weight[m, k], across * weight[m, n]
            upper, lower = one - down, down
            total = upper * (a + b) + lower * (c + d)
            out_weight[y, x], out_sigma[y, x] = total, zero
            if total > zero:
                moment = upper * (a * sigma[i, k] + b * sigma[i, n])
                moment += lower * (c * sigma[m, k] + d * sigma[m, n])
                out_sigma[y, x] = moment / total


def _from_moment(
    weight: npt.NDArray[np.generic], moment: npt.NDArray[np.generic], grid: Grid
) -> BlurMap:
    confidence = np.ascontiguousarray(weight, np.float32)
    sigma = np.divide(moment, confidence, out=np.zeros_like(confidence), where=confidence > 0)
    return BlurMap(sigma, confidence, grid)


def _valid_share(
    sparse: BlurMap, edges: BlurMap, age: Array, view_step: int, params: SteadyParams
) -> Array | None:
    """Share of its age that every cell keeps; None if the focus of the whole picture changed."""
    common = np.minimum(sparse.confidence, edges.confidence * (age > 0))
    planes = np.dstack([common, common * (sparse.sigma - edges.sigma), common * edges.sigma])
    window = (NEIGHBOURHOOD, NEIGHBOURHOOD)
    around = cv2.boxFilter(planes, -1, window, borderType=cv2.BORDER_CONSTANT)
    support, change, blur = (around[..., k] for k in range(3))
    largest = params.focus_change_px * view_step * support + params.focus_change * blur
    known = support > MIN_COMMON * sparse.grid.step / 2
    if not known.any():
        return np.ones_like(age)
    size = np.divide(np.abs(change), largest, out=np.zeros_like(change), where=largest > 0)
    t = np.clip((size - np.float32(CHANGE_RAMP)) / np.float32(1 - CHANGE_RAMP), 0, 1)
    valid = 1 - t * t * (3 - 2 * t)
    overall = float(np.average(valid[known], weights=support[known]))
    if overall < 1 - params.cut_share:
        return None
    return np.asarray(np.where(known, valid, np.float32(overall)), np.float32)
