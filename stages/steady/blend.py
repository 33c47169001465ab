"""The recursive mean of the warped state and the new frame, as of a Kalman filter.

A cell with an age of n frames has n times the weight of the new frame. The age grows by one a frame
up to `history_frames`, and is 0 where there is no history. Confidence is averaged as well: data of
many frames has the weight of one frame, and less noise.
"""

from __future__ import annotations

import numpy as np

from stages.grid import BlurBounds, BlurMap, DenseBlur, SparseBlur, lift
from stages.params import Array
from stages.propagate import fill
from stages.steady.memory import Memory
from stages.steady.recall import History
from stages.steady.track import Motion, SteadyParams

MIN_CONFIDENCE = 1e-3  # edge pixels; data of less confidence is dropped


def steady_edges(sparse: SparseBlur, history: History) -> SparseBlur:
    """Average the blur at edges over time.

    Parameters
    ----------
    sparse : BlurMap
        Blur at the edges of the frame, on cells.
    history : History
        The warped state, on the same cells.

    Returns
    -------
    BlurMap
        Sparse, on the same cells.
    """
    return _mean(sparse, history.edges, history.age)


def steady_evidence(evidence: BlurBounds, history: History) -> BlurBounds:
    """Average the bounds of sharpness over time.

    Parameters
    ----------
    evidence : BlurMap
        Upper bounds of the frame, on its view.
    history : History
        The warped state; its bounds are on the same view.

    Returns
    -------
    BlurMap
        Upper bounds, on the view.
    """
    rows, cols = evidence.grid.shape
    age = np.repeat(np.repeat(history.age, 2, axis=0)[:rows], 2, axis=1)[:, :cols]
    return _mean(evidence, history.evidence, age)


def _mean(new: BlurMap, old: BlurMap, age: Array) -> BlurMap:
    if not age.any():
        return new
    share = np.asarray(1 / (1 + age), np.float32)
    weight, old_weight = share * new.confidence, (1 - share) * old.confidence
    total = weight + old_weight
    total = np.where(total > MIN_CONFIDENCE, total, np.float32(0))
    moment = weight * new.sigma + old_weight * old.sigma
    sigma = np.divide(moment, total, out=np.zeros_like(total), where=total > 0)
    return BlurMap(sigma, total, new.grid)


def first_map(constraints: SparseBlur, history: History) -> Array:
    """Map from which the solve starts: the warped map where there is one, else a smooth fill.

    Parameters
    ----------
    constraints : BlurMap
        Sparse data of the frame, on the grid of the solve.
    history : History
        The warped state.

    Returns
    -------
    Array
        Sigma in full-resolution px, HxW float32, on the grid of the constraints. It also decides
        which upper bounds are active at first.
    """
    filled = fill(constraints).sigma
    if history.dense is None:
        return filled
    trust = np.minimum(history.age, 1)
    if history.edges.grid == constraints.grid:
        return np.asarray(filled + trust * (history.dense - filled), np.float32)
    dense = BlurMap(history.dense, np.ones_like(history.dense), history.edges.grid)
    known = BlurMap(trust, np.ones_like(trust), history.edges.grid)
    before, part = (lift(plane, constraints.grid).sigma for plane in (dense, known))
    return np.asarray(filled + part * (before - filled), np.float32)


def steady_dead_zone(dead_zone: float, history: History, params: SteadyParams) -> float:
    """Average the dead zone over time, since it affects the whole picture.

    Parameters
    ----------
    dead_zone : float
        Of the frame, full-resolution px.
    history : History
        The warped state.
    params : SteadyParams
        `history_frames` limits the weight of the history.

    Returns
    -------
    float
        Dead zone in full-resolution px.
    """
    if history.dense is None:
        return dead_zone
    age = min(float(np.mean(history.age)), params.history_frames)
    return history.dead_zone + (dead_zone - history.dead_zone) / (1 + age)


def remember(
    motion: Motion,
    history: History,
    edges: SparseBlur,
    evidence: BlurBounds,
    dense: DenseBlur,
    dead_zone: float,
    params: SteadyParams,
) -> Memory:
    """Make the state for the next frame.

    Parameters
    ----------
    motion : Motion
        Of `track`: luma of the frame.
    history : History
        The warped state, whose age grows by one frame.
    edges, evidence : BlurMap
        Averaged data on cells, and averaged bounds on the view.
    dense : BlurMap
        The map of the frame.
    dead_zone : float
        Averaged dead zone, full-resolution px.
    params : SteadyParams
        `history_frames` limits the age.

    Returns
    -------
    Memory
        The state of the filter after the frame.
    """
    age = np.minimum(history.age + 1, np.float32(params.history_frames))
    return Memory(motion.look, edges, evidence, age.astype(np.float32), dense, dead_zone)
