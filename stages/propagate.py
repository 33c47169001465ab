"""Propagation: from blur at edges to blur everywhere (Kriener et al. 2013, section 2.2).

The dense map minimises eq. (4), alpha^T L alpha + lambda (alpha - beta)^T D (alpha - beta), so

    (L + lambda D) alpha = lambda D beta,

with the matting Laplacian L of the guide, the sparse map beta and its confidence D on the diagonal.
(Eq. (6) prints a minus; the gradient of eq. (4) has a plus, and with a minus the system would be
indefinite.) The solver is the paper's, plain conjugate gradients: vectors in the precision of the
operator, scalars in float64, the same result for any number of threads.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from stages.arrays import reduce_by
from stages.grid import BlurMap
from stages.laplacian import Floats, MattingLaplacian, apply_laplacian
from stages.params import Array, Estimate, Params, param
from stages.strips import run_strips

MIN_DELAY = 20  # steps looked back on, at least, to measure an error
LESS_SURE = np.array([1, 0.5], np.float32)  # sigma, confidence where distance to data doubles
NO_DATA_CONFIDENCE = 1e-3  # of a map that is complete although nothing is known


@dataclass(frozen=True, slots=True, kw_only=True)
class PropagateParams(Params):
    """Parameters of the propagation."""

    data_weight: float = param(
        0.5, 1e-6, 1e6, help="Weight (lambda) of the estimates at edges against smoothness."
    )
    iterations: int = param(300, 1, 100_000, help="Most steps of conjugate gradients.")
    tolerance_px: float = param(
        0.02,
        0.0,
        10.0,
        unit="px",
        help="Stop when the root mean square error of the map is estimated to be below; 0: never.",
    )
    start: str = param(
        "fill", choices=("fill", "zero"), help="First map: a smooth fill of the data, or zero."
    )
    steps_per_estimate: int = param(1, 1, 1000, help="Steps between two maps that are handed out.")


def propagate(
    laplacian: MattingLaplacian,
    constraints: BlurMap,
    start: Array | None,
    params: PropagateParams,
) -> Iterator[Estimate[BlurMap]]:
    """Spread blur from edges to every pixel, as an anytime generator.

    Parameters
    ----------
    laplacian : MattingLaplacian
        Operator of the guide, HxW.
    constraints : BlurMap
        Sparse map on the same grid; confidence is D, sigma is beta.
    start : Array or None
        A map to start from, HxW, px; without one `params.start` decides.
    params : PropagateParams
        Weight, start and stop.

    Yields
    ------
    Estimate
        Dense maps, sigma >= 0 and confidence in (0, 1], which says how near data is. A start other
        than zero is the first of them. `residual` is the estimated root mean square error in px
        (see `_rms_error_px`), and in the first steps at least the spread of the data. `done` is
        False on a last estimate that used up `params.iterations` short of the tolerance. Without
        any data the one estimate is zero; in a picture smaller than a window it is the fill.

    Raises
    ------
    ValueError
        If shapes differ or values are not finite.
    """
    _check("constraints.sigma", constraints.sigma, laplacian.shape)
    _check("constraints.confidence", constraints.confidence, laplacian.shape)
    if start is not None:
        _check("start", start, laplacian.shape)
    return _estimates(laplacian, constraints, start, params)


def _check(name: str, plane: Array, shape: tuple[int, int]) -> None:
    if plane.shape != shape:
        raise ValueError(f"propagate: {name} must be {shape}, as the guide is; got {plane.shape}")
    if not np.isfinite(plane.sum(dtype=np.float64)):
        raise ValueError(f"propagate: {name} has values that are not finite (NaN or infinite)")


def _estimates(
    laplacian: MattingLaplacian,
    constraints: BlurMap,
    start: Array | None,
    params: PropagateParams,
) -> Iterator[Estimate[BlurMap]]:
    filled = fill(constraints)
    if not laplacian.has_windows or not constraints.confidence.any():
        yield Estimate(filled, 0.0, True)
        return

    def estimate(error_px: float, done: bool) -> Estimate[BlurMap]:
        sigma = np.maximum(x, 0).astype(np.float32, copy=False)
        return Estimate(BlurMap(sigma, filled.confidence, constraints.grid), error_px, done)

    if start is None:
        start = filled.sigma if params.start == "fill" else None
    x = np.zeros(laplacian.shape, laplacian.guide.dtype)
    error_px = spread_px = _spread_px(constraints)
    if start is not None:
        x[:] = start
        yield estimate(error_px, False)
    delay = _delay(laplacian)
    recent: deque[_Step] = deque(maxlen=delay)
    for count, step in enumerate(_advance(laplacian, constraints, params.data_weight, x), 1):
        recent.append(step)
        error_px = _rms_error_px(recent, x.size)
        if len(recent) < delay:
            error_px = max(error_px, spread_px)
        elif error_px < params.tolerance_px:
            break
        if count == params.iterations:
            yield estimate(error_px, params.tolerance_px == 0)
            return
        if count % params.steps_per_estimate == 0:
            yield estimate(error_px, False)
    yield estimate(error_px, True)


class _Step(NamedTuple):
    """Scalars of one step: its length, and the squared norms of residual and direction."""

    length: float
    residual: float
    direction: float


def _advance(
    laplacian: MattingLaplacian, constraints: BlurMap, data_weight: float, x: Floats
) -> Iterator[_Step]:
    """Conjugate gradients from x, which is updated in place: the last iterate is the best.

    Ends when the residual is zero, or when rounding leaves no direction of positive curvature.
    """
    weight = (data_weight * constraints.confidence).astype(x.dtype)
    residual = weight * (constraints.sigma - x) - apply_laplacian(laplacian, x)
    direction = residual.copy()
    squared = direction_squared = _dot(residual, residual)
    while True:
        product = apply_laplacian(laplacian, direction) + weight * direction
        curvature = _dot(direction, product)
        if not (0 < curvature < math.inf and squared > 0):
            return
        step = _Step(squared / curvature, squared, direction_squared)
        x += x.dtype.type(step.length) * direction
        residual -= x.dtype.type(step.length) * product
        squared = _dot(residual, residual)
        ratio = squared / step.residual
        direction *= x.dtype.type(ratio)
        direction += residual
        direction_squared = squared + ratio**2 * step.direction  # the two are orthogonal
        yield step


def _dot(a: Floats, b: Floats) -> float:
    """Inner product in float64, summed strip by strip in a fixed order."""
    return math.fsum(
        run_strips(
            lambda start, stop: float(np.sum(a[start:stop] * b[start:stop], dtype=np.float64)),
            a.shape[0],
        )
    )


def _delay(laplacian: MattingLaplacian) -> int:
    """Steps to look back on: as many as carry news half across the picture.

    A product with L reaches 2 radius pixels far. With less patience, a spell in which conjugate
    gradients crawl, far from the solution, would look like the end.
    """
    return max(max(laplacian.shape) // (4 * laplacian.params.window_radius), MIN_DELAY)


def _rms_error_px(steps: Iterable[_Step], pixels: int) -> float:
    """Root mean square error of the map before `steps`, as far as those steps took it away.

    Hestenes and Stiefel (1952, theorem 6:3): with e_j the error of the j-th map, in the norm of
    the system and in the Euclidean one,

        |e_j|_A^2 - |e_j+1|_A^2 = length_j |r_j|^2,
        |e_j|^2   - |e_j+1|^2   = length_j |p_j|^2 / |r_j|^2 (|e_j|_A^2 + |e_j+1|_A^2).

    Both errors fall at every step. So this measures from below how wrong the map was before the
    steps (Strakos and Tichy 2002), and it is better now; the length of one step says little.
    """
    length, residual, direction = np.array(list(steps)).T
    energy = np.append(np.cumsum((length * residual)[::-1])[::-1], 0)
    gain = length * direction / residual * (energy[:-1] + energy[1:])
    return math.sqrt(gain.sum() / pixels)


def _spread_px(constraints: BlurMap) -> float:
    """Standard deviation of the data, weighted by confidence, px."""
    weight = constraints.confidence.astype(np.float64)
    mean = np.average(constraints.sigma, weights=weight)
    return math.sqrt(np.average((constraints.sigma - mean) ** 2, weights=weight))


def fill(constraints: BlurMap) -> BlurMap:
    """Fill a sparse map by push and pull: average down to one pixel, then fill the gaps back up.

    Parameters
    ----------
    constraints : BlurMap
        Sparse map; may have no data at all.

    Returns
    -------
    BlurMap
        Dense map on the same grid. Sigma lies within the range of the data (zero without any) and
        is never "no data"; confidence is the data's up to 1 and halves where the distance to data
        doubles.

    References
    ----------
    Gortler, Grzeszczuk, Szeliski, Cohen: The Lumigraph, 1996, section 3.4.
    """
    if not constraints.confidence.any():
        low = np.full_like(constraints.confidence, NO_DATA_CONFIDENCE)
        return BlurMap(np.zeros_like(constraints.sigma), low, constraints.grid)
    weight = constraints.confidence
    filled = _push_pull(np.stack([weight * constraints.sigma, weight], axis=2))
    sigma, confidence = (np.ascontiguousarray(filled[..., k]) for k in (0, 1))
    return BlurMap(sigma, confidence, constraints.grid)


def _push_pull(sums: Array) -> Array:
    """Sigma and confidence (HxWx2) from sums of weighted data and of weights (HxWx2)."""
    height, width = sums.shape[:2]
    trust = np.minimum(sums[..., 1:], 1)
    own = np.ones_like(sums)
    np.divide(sums[..., 0], sums[..., 1], out=own[..., 0], where=sums[..., 1] > 0)
    if height == width == 1:
        own[..., 1:] = trust
        return own
    coarse = _push_pull(4 * reduce_by(sums, 2))
    rows, cols = coarse.shape[:2]
    above = cv2.resize(coarse, (2 * cols, 2 * rows))[:height, :width]
    return np.asarray(trust * own + (1 - trust) * above * LESS_SURE, np.float32)
