"""Consensus of edges: neighbouring edges of about the same blur share one estimate.

The blur of a single edge is measured with a relative error of a third or more: texture with a
softness of its own, lines, corners and near edges all disturb it. The surface behind it has nearly
the same blur over many edges, so estimates are averaged over a neighbourhood. Surfaces of other
depth must not take part. The average is therefore taken over space and over

    x = log(1 + sigma / SOFTNESS_PX),

in which the error of an estimate is about the same for sharp and for strong blur. Each estimate
moves to the mean of the estimates around it in (y, x, log blur), twice: mean shift (Comaniciu and
Meer 2002). A mean of logarithms also removes the bias that the long upper tail of the estimates
gives their mean. The votes are kept in a bilateral grid (Chen, Paris and Durand 2007), so that the
cost does not depend on the size of the neighbourhood.

The deviation of an estimate is its distance from the consensus, plus a standard deviation: a
weighted mean of that of the edges that agree and that of all edges around. It is larger where few
edges agree. The
confidence is multiplied by the inverse of its square, and the least certain estimates are removed:
these are mostly edges at which two surfaces meet.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from stages.grid import BlurMap, SparseBlur, mix
from stages.kernels import f32, i64, inline, kernel, reads, writes
from stages.params import Array, Params, param
from stages.strips import run_strips

SOFTNESS_PX = 0.3  # px of the view; below, errors are absolute, above, they are relative
LARGEST_PX = 64.0  # px of the view; larger estimates vote as this
BINOMIAL: Array = np.array(
    [0.0625, 0.25, 0.375, 0.25, 0.0625], np.float32
)  # deviation of one cell of the grid
ONE = np.ones(1, np.float32)
SHIFTS = 2  # steps of mean shift; a third changes little
LEAST_SPREAD = np.float32(0.3)  # deviation of a single estimate even where all agree
SCARCE = np.float32(0.5)  # votes at which the deviation is twice that where there are many
USUAL_SPREAD = 1.1  # deviation that leaves the confidence as it is
ALL_SHARE = np.float32(0.4)  # weight of all edges around in the deviation, against agreeing ones
TINY = np.float32(1e-6)  # votes; guards quotients


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsensusParams(Params):
    """Parameters of the consensus of edges."""

    reach_px: float = param(
        20.0, 4.0, 256.0, unit="px", help="standard deviation of the neighbourhood, px of the view"
    )
    bandwidth: float = param(
        0.5, 0.1, 4.0, help="and its standard deviation in the logarithm of the blur"
    )
    largest_spread: float = param(
        1.8, 0.0, 16.0, help="estimates of a larger deviation are removed, unit of bandwidth"
    )


def edge_consensus(sparse: SparseBlur, params: ConsensusParams) -> SparseBlur:
    """Replace the blur of edges by the consensus of the edges around; weigh them by its precision.

    Parameters
    ----------
    sparse : BlurMap
        Blur on cells of 2 x 2 pixels of the view, sigma in full-resolution pixels.
    params : ConsensusParams
        Neighbourhood, and which estimates are removed.

    Returns
    -------
    BlurMap
        On the same cells. Confidence is that of `sparse` times (1.1 / d)^2, where d is the
        deviation of the logarithm of the blur; 0 where d exceeds `largest_spread`.

    References
    ----------
    D. Comaniciu, P. Meer: Mean shift: a robust approach toward feature space analysis, 2002.
    J. Chen, S. Paris, F. Durand: Real-time edge-aware image processing with the bilateral grid,
    2007.
    """
    rows, cols = sparse.sigma.shape
    scale = np.array([2 / params.reach_px, 2 / params.reach_px, 1 / params.bandwidth], np.float32)
    unit = np.float32(SOFTNESS_PX * sparse.grid.step / 2)
    top = math.log1p(LARGEST_PX / SOFTNESS_PX)
    shape = [math.ceil(n * s) + 2 for n, s in zip((rows, cols, top), scale, strict=True)]
    votes = np.zeros((*shape, 3), np.float32)
    _vote(sparse.sigma, sparse.confidence, unit, scale, votes)
    votes = _smooth(votes.reshape(shape[0], shape[1], -1), BINOMIAL, BINOMIAL).reshape(votes.shape)
    around = np.ascontiguousarray(votes.sum(axis=2))
    votes = _smooth(votes.reshape(-1, shape[2], 3), BINOMIAL, ONE).reshape(votes.shape)
    sigma, confidence = np.zeros_like(sparse.sigma), np.zeros_like(sparse.confidence)
    run_strips(
        lambda start, stop: _agree(
            sparse.sigma, sparse.confidence, unit, scale, votes, around, params.largest_spread,
            start, stop, sigma, confidence,
        ),
        rows,
    )  # fmt: skip
    return BlurMap(sigma, confidence, sparse.grid)


def _smooth(planes: Array, across: Array, down: Array) -> Array:
    """Planes HxWxC after a separable filter; zero beyond their borders."""
    smooth = cv2.sepFilter2D(planes, -1, across, down, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(smooth, np.float32)


@inline
def _log_blur(sigma, unit):  # type: ignore[no-untyped-def]
    return np.float32(min(math.log1p(sigma / unit), math.log1p(LARGEST_PX / SOFTNESS_PX)))


@inline
def _share(step, part):  # type: ignore[no-untyped-def]
    """Weight of the lower (0) or upper (1) neighbour in a linear interpolation."""
    return part if step else np.float32(1) - part


@inline
def _corner_share(v, u, w, j, i, k):  # type: ignore[no-untyped-def]
    """Weight of one of the eight cells around a place in a trilinear interpolation."""
    return _share(v, j - int(j)) * _share(u, i - int(i)) * _share(w, k - int(k))


@kernel(reads(f32, 2), reads(f32, 2), f32, reads(f32, 1), writes(f32, 4))
def _vote(sigma, confidence, unit, scale, votes):  # type: ignore[no-untyped-def]
    """Add every estimate to the eight cells of the grid around it: its number, x and x^2.

    Estimates have one vote each: where an edge is long or strong, it is not known any better.
    """
    for y in range(sigma.shape[0]):
        for x in range(sigma.shape[1]):
            if confidence[y, x] == 0:
                continue
            value = _log_blur(sigma[y, x], unit)
            j, i, k = y * scale[0], x * scale[1], value * scale[2]
            for v in range(2):
                for u in range(2):
                    for w in range(2):
                        share = (
                            _share(v, j - int(j)) * _share(u, i - int(i)) * _share(w, k - int(k))
                        )
                        cell = votes[int(j) + v, int(i) + u, int(k) + w]
                        cell[0] += share
                        cell[1] += share * value
                        cell[2] += share * value * value


@inline
def _mean_around(votes, j, i, k):  # type: ignore[no-untyped-def]
    """Mean, number and standard deviation of the estimates around a place of the grid."""
    count, total, square = TINY, np.float32(0), np.float32(0)
    for v in range(2):
        for u in range(2):
            for w in range(2):
                share = _corner_share(v, u, w, j, i, k)
                cell = votes[int(j) + v, int(i) + u, int(k) + w]
                count += share * cell[0]
                total += share * cell[1]
                square += share * cell[2]
    mean = total / count
    return mean, count, math.sqrt(max(square / count - mean * mean, np.float32(0)))


@inline
def _spread_around(around, j, i):  # type: ignore[no-untyped-def]
    """Standard deviation of all estimates around a place, whatever their blur."""
    count, total, square = TINY, np.float32(0), np.float32(0)
    for v in range(2):
        for u in range(2):
            share = _share(v, j - int(j)) * _share(u, i - int(i))
            cell = around[int(j) + v, int(i) + u]
            count += share * cell[0]
            total += share * cell[1]
            square += share * cell[2]
    mean = total / count
    return math.sqrt(max(square / count - mean * mean, np.float32(0)))


@kernel(
    reads(f32, 2), reads(f32, 2), f32, reads(f32, 1), reads(f32, 4), reads(f32, 3), f32, i64, i64,
    writes(f32, 2), writes(f32, 2),
)  # fmt: skip
def _agree(  # type: ignore[no-untyped-def]
    sigma, confidence, unit, scale, votes, around, largest, start, stop, out, weight
):
    """Consensus and confidence of the estimates in rows [start, stop); both are 0 before."""
    for y in range(start, stop):
        for x in range(sigma.shape[1]):
            if confidence[y, x] == 0:
                continue
            own = _log_blur(sigma[y, x], unit)
            j, i, mean, count, within = y * scale[0], x * scale[1], own, TINY, TINY
            for _ in range(SHIFTS):
                mean, count, within = _mean_around(votes, j, i, mean * scale[2])
            scatter = mix(within, _spread_around(around, j, i), ALL_SHARE)
            spread = LEAST_SPREAD + abs(own - mean) + scatter
            spread *= np.float32(1) + SCARCE / count
            if spread <= largest:
                precision = np.float32(USUAL_SPREAD) / spread
                weight[y, x] = confidence[y, x] * precision * precision
                out[y, x] = unit * np.float32(math.expm1(mean))
