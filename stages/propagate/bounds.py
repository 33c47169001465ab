"""Upper bounds on blur: evidence of sharpness, which acts only where the map exceeds it.

Detail proves that a place is sharp; its absence proves nothing. So an upper bound u of confidence c
adds lambda weight c max(0, alpha - u)^2 to the energy. Where the map exceeds its bounds this is a
constraint like any other, elsewhere it is absent: solve, ask where, solve again from there.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from stages.grid import BlurMap
from stages.laplacian import MattingLaplacian
from stages.params import Array, Estimate
from stages.propagate.solver import PropagateParams, propagate


def propagate_bounded(
    laplacian: MattingLaplacian,
    constraints: BlurMap,
    bounds: BlurMap,
    start: Array | None,
    params: PropagateParams,
) -> Iterator[Estimate[BlurMap]]:
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
    active = np.zeros(laplacian.shape, bool) if start is None else _exceeded(bounds, start)
    for update in range(params.bound_updates + 1):
        held = _with_bounds(constraints, bounds, active, params.bound_weight)
        for estimate in propagate(laplacian, held, start, params):
            start = estimate.value.sigma
            if estimate.done:
                break
            yield estimate
        before, active = active, _exceeded(bounds, estimate.value.sigma)
        if update == params.bound_updates or np.array_equal(active, before):
            break
        if estimate.done:
            yield estimate._replace(done=False)
    if estimate.done:
        yield estimate


def _exceeded(bounds: BlurMap, sigma: Array) -> npt.NDArray[np.bool_]:
    return np.asarray((bounds.confidence > 0) & (sigma > bounds.sigma))


def _with_bounds(
    constraints: BlurMap, bounds: BlurMap, active: npt.NDArray[np.bool_], bound_weight: float
) -> BlurMap:
    """Constraints with the active bounds among them: weights add, values are averaged by weight."""
    weight = np.where(active, np.float32(bound_weight) * bounds.confidence, np.float32(0))
    total = constraints.confidence + weight
    moment = constraints.confidence * constraints.sigma + weight * bounds.sigma
    sigma = np.divide(moment, total, out=np.zeros_like(total), where=total > 0)
    return BlurMap(sigma, total, constraints.grid)
