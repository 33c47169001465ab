"""Propagation that asks its map back: where is it above a bound, and which data does it contradict?

Detail proves that a place is sharp; its absence proves nothing. So an upper bound u of confidence c
adds lambda weight c max(0, alpha - u)^2 to the energy. Where the map exceeds its bounds this is a
constraint like any other, elsewhere it is absent: solve, ask where, solve again from there. Only
the last solve need be exact: where a map is asked next is decided by much more than its errors.

The same solves weigh the data. An estimate of more blur than the map has, which its neighbours
pulled down, is odd, as a shaded skin that reads as blurred: it loses weight. Neither one of less
blur does, nor a bound: only what is in focus has sharp edges and detail.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stages.grid import BlurBounds, BlurMap, DenseBlur, SparseBlur
from stages.laplacian import MattingLaplacian
from stages.params import Array, Estimate
from stages.propagate.solver import (
    LARGEST_TOLERANCE_PX,
    TOLERANCE_STEP,
    PropagateParams,
    propagate,
)

EARLY_TOLERANCE = 16.0  # of the solves before the last, times that of the last
SETTLED_SHARE = 0.02  # of a weight; a smaller change of it changes no map


def propagate_bounded(
    laplacian: MattingLaplacian,
    constraints: SparseBlur,
    bounds: BlurBounds,
    start: Array | None,
    params: PropagateParams,
) -> Iterator[Estimate[DenseBlur]]:
    """Propagate with upper bounds, as an anytime generator; see `propagate`.

    Parameters
    ----------
    laplacian, constraints, start
        As for `propagate`. Where a start is given, it also says which bounds act at first.
    bounds : BlurMap
        On the same grid: sigma is the bound, confidence its weight, 0 for none.
    params : PropagateParams
        `bound_weight` and `bound_updates` are used too; `iterations` counts for every solve.

    Yields
    ------
    Estimate
        As `propagate`; `done` only on the last of all.

    Raises
    ------
    ValueError
        If shapes or grids differ or values are not finite.
    """
    if bounds.grid != constraints.grid:
        raise ValueError(
            f"propagate: bounds must be on {constraints.grid}, as the constraints are; "
            f"got {bounds.grid}"
        )
    if not np.isfinite(bounds.sigma.sum() + bounds.confidence.sum()):
        raise ValueError("propagate: bounds has values that are not finite (NaN or infinite)")
    return _estimates(laplacian, constraints, bounds, start, params)


def _estimates(
    laplacian: MattingLaplacian,
    constraints: BlurMap,
    bounds: BlurMap,
    start: Array | None,
    params: PropagateParams,
) -> Iterator[Estimate[BlurMap]]:
    held = _system(constraints, bounds, start, params)
    enough_px = min(EARLY_TOLERANCE * params.tolerance_px, LARGEST_TOLERANCE_PX)
    early = params.replace(tolerance_px=enough_px)
    last = params.bound_updates == 0
    for update in range(1, params.bound_updates + 2):
        for estimate in propagate(laplacian, held, start, params if last else early):
            start = estimate.value.sigma
            if estimate.done:
                break
            yield estimate
        if last:
            break
        before, held = held, _system(constraints, bounds, estimate.value.sigma, params)
        last = update == params.bound_updates or _alike(held.confidence, before.confidence)
        if estimate.done:
            yield estimate._replace(done=False)
    if estimate.done:
        yield estimate


def _system(
    constraints: BlurMap, bounds: BlurMap, sigma: Array | None, params: PropagateParams
) -> BlurMap:
    """Data of the next solve, given the map of the last: what is believed, bounds that act."""
    if sigma is None:
        return constraints
    weight = _believed(constraints, sigma, params)
    acting = np.where(sigma > bounds.sigma, bounds.confidence, np.float32(0))
    acting *= np.float32(params.bound_weight)
    total = weight + acting
    moment = weight * constraints.sigma + acting * bounds.sigma
    mean = np.divide(moment, total, out=np.zeros_like(total), where=total > 0)
    return BlurMap(mean, total, constraints.grid)


def _believed(data: BlurMap, sigma: Array, params: PropagateParams) -> Array:
    """Weight of data, less where they contradict the map that all of them made.

    Iteratively re-weighted least squares (Holland and Welsch 1977) for Cauchy's penalty. Its scale
    grows with the blur: where the map is far below an estimate, neighbours have pulled it there.
    """
    if not params.contradiction_px:
        return data.confidence
    scale_px = params.contradiction_px * max(data.grid.step / TOLERANCE_STEP, 1)
    apart = np.maximum(data.sigma - sigma, 0) / (np.float32(scale_px) + sigma)
    return np.asarray(data.confidence / (1 + apart * apart), np.float32)


def _alike(one: Array, other: Array) -> bool:
    """Whether weights are the same but for a share that changes no map."""
    return bool(np.all(np.abs(one - other) <= SETTLED_SHARE * np.maximum(one, other)))
