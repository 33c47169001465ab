"""Weights of the next solve, from the map of the last: active bounds and contradicted data.

Upper bounds. Detail proves that a place is sharp; the absence of detail proves nothing. An upper
bound u with confidence c therefore adds the one-sided quadratic penalty

    lambda weight c max(0, alpha - u)^2

to the energy. Where the map exceeds a bound, the bound is active and is one more datum of the
linear system; elsewhere it has no weight.

Contradicted data. An estimate of more blur than the map has, because its neighbours pulled the map
down, is an outlier (a shaded skin that reads as blurred) and loses weight. Estimates of less blur
and bounds keep theirs: only what is in focus has sharp edges and detail.

References
----------
Holland, P. W. and Welsch, R. E., Robust regression using iteratively reweighted least squares,
Communications in Statistics 6(9), 1977.
"""

from __future__ import annotations

import numpy as np

from stages.grid import BlurMap
from stages.params import Array
from stages.propagate.solver import LARGEST_TOLERANCE_PX, TOLERANCE_STEP, PropagateParams

EARLY_TOLERANCE = 16.0  # of the solves before the last, as a multiple of that of the last
SETTLED_SHARE = 0.02  # relative change of a weight that has no visible effect on the map


def early_params(params: PropagateParams) -> PropagateParams:
    """Parameters of the solves before the last.

    They may be inexact, because the weights depend only weakly on small errors of the map.
    """
    enough_px = min(EARLY_TOLERANCE * params.tolerance_px, LARGEST_TOLERANCE_PX)
    return params.replace(tolerance_px=enough_px)


def reweighted(
    constraints: BlurMap, bounds: BlurMap, sigma: Array | None, params: PropagateParams
) -> BlurMap:
    """Data of the next solve.

    Parameters
    ----------
    constraints, bounds : BlurMap
        Sparse data and upper bounds, on one grid.
    sigma : Array or None
        HxW, the map of the solve before, px; None before the first solve.
    params : PropagateParams
        `bound_weight` and `contradiction_px`.

    Returns
    -------
    BlurMap
        Data and active bounds together: their total weight and their weighted mean. Without a map
        the constraints themselves.
    """
    if sigma is None:
        return constraints
    weight = _robust_confidence(constraints, sigma, params)
    active = np.where(sigma > bounds.sigma, bounds.confidence, np.float32(0))
    active *= np.float32(params.bound_weight)
    total = weight + active
    moment = weight * constraints.sigma + active * bounds.sigma
    mean = np.divide(moment, total, out=np.zeros_like(total), where=total > 0)
    return BlurMap(mean, total, constraints.grid)


def _robust_confidence(data: BlurMap, sigma: Array, params: PropagateParams) -> Array:
    """Confidence of the data, reduced where they contradict the map that all of them made.

    The weights are those of Cauchy's penalty. Its scale grows with the blur: where the map is far
    below an estimate, neighbours have pulled it there.
    """
    if not params.contradiction_px:
        return data.confidence
    scale_px = params.contradiction_px * max(data.grid.step / TOLERANCE_STEP, 1)
    apart = np.maximum(data.sigma - sigma, 0) / (np.float32(scale_px) + sigma)
    return np.asarray(data.confidence / (1 + apart * apart), np.float32)


def is_last_solve(
    update: int, system: BlurMap, before: BlurMap | None, params: PropagateParams
) -> bool:
    """Whether the solve after `update` updates of the weights is the last one.

    Either no update is left, or the last update changed no weight by a share that matters.
    """
    if update == params.bound_updates:
        return True
    if before is None:
        return False
    change = np.abs(system.confidence - before.confidence)
    largest = np.maximum(system.confidence, before.confidence)
    return bool(np.all(change <= SETTLED_SHARE * largest))
