"""What is remembered and what is seen, as one: a recursive mean, as of a Kalman filter.

A place remembered for n frames counts n times against the new frame; n grows by one a frame up to
`history_frames`, and is 0 where nothing is remembered. Confidence is a mean too: the data of many
frames weighs as much as that of one, it is only steadier.
"""

from __future__ import annotations

import numpy as np

from stages.grid import BlurBounds, BlurMap, DenseBlur, SparseBlur, lift
from stages.params import Array
from stages.propagate import fill
from stages.steady.memory import Memory
from stages.steady.recall import History
from stages.steady.track import Motion, SteadyParams

FORGOTTEN = 1e-3  # confidence below which data is dropped, as a share of one edge pixel


def steady_edges(sparse: SparseBlur, history: History) -> SparseBlur:
    """Blur at edges over time, sparse, on cells."""
    return _mean(sparse, history.edges, history.age)


def steady_evidence(evidence: BlurBounds, history: History) -> BlurBounds:
    """Evidence of sharpness over time, on the view."""
    rows, cols = evidence.grid.shape
    age = np.repeat(np.repeat(history.age, 2, axis=0)[:rows], 2, axis=1)[:, :cols]
    return _mean(evidence, history.evidence, age)


def _mean(new: BlurMap, old: BlurMap, age: Array) -> BlurMap:
    if not age.any():
        return new
    share = np.asarray(1 / (1 + age), np.float32)
    weight, held = share * new.confidence, (1 - share) * old.confidence
    total = weight + held
    total = np.where(total > FORGOTTEN, total, np.float32(0))
    moment = weight * new.sigma + held * old.sigma
    sigma = np.divide(moment, total, out=np.zeros_like(total), where=total > 0)
    return BlurMap(sigma, total, new.grid)


def first_map(constraints: SparseBlur, history: History) -> Array:
    """Map from which the solve starts: the one before where it is remembered, else a smooth fill.

    On the grid of the constraints, HxW float32, px. It also says which upper bounds act.
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
    """Blur that is left alone, over time: it decides of the whole picture."""
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
    """Keep what the next frame needs."""
    age = np.minimum(history.age + 1, np.float32(params.history_frames))
    return Memory(motion.look, edges, evidence, age.astype(np.float32), dense, dead_zone)
