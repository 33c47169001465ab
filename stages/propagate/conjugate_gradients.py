"""Plain conjugate gradients (Hestenes and Stiefel 1952): the solver of the paper, for reference.

Vectors have the precision of the map, scalars are float64. A step propagates information by two
window radii, so the number of steps is proportional to the size of the picture.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from stages.laplacian.windows import Floats
from stages.params import Array
from stages.strips import run_strips

MIN_DELAY = 20  # steps over which the error is measured, at least

System = Callable[[Floats, Floats], float]  # (p, out): writes A p into out, returns p . A p


class Progress(NamedTuple):
    """State after a step.

    Attributes
    ----------
    error_px : float
        Estimated root mean square error of the map, px.
    settled : bool
        Whether the estimate is reliable enough to stop.
    """

    error_px: float
    settled: bool


class _Step(NamedTuple):
    """Scalars of one step: its length, and the squared norms of residual and direction."""

    length: float
    residual: float
    direction: float


def conjugate_gradient_steps(
    system: System, weight: Array, data: Array, sigma: Floats, reach: int
) -> Iterator[Progress]:
    """Solve A sigma = weight data by conjugate gradients.

    Parameters
    ----------
    system : callable
        Product with A.
    weight, data : Array
        Diagonal lambda D and the data, HxW.
    sigma : array
        First guess, HxW float32 or float64; updated in place at every step.
    reach : int
        Distance over which a product with A propagates information, px.

    Yields
    ------
    Progress
        After every step. The error is that of `_rms_error_px`, but in the first steps not below the
        standard deviation of the data. The iteration ends if the residual is zero, or if rounding
        leaves no direction of positive curvature.
    """
    delay, spread_px = _delay(sigma.shape, reach), _spread_px(weight, data)
    recent: deque[_Step] = deque(maxlen=delay)
    for step in _advance(system, weight, data, sigma):
        recent.append(step)
        error_px = _rms_error_px(recent, sigma.size)
        settled = len(recent) == delay
        yield Progress(error_px if settled else max(error_px, spread_px), settled)


def _advance(system: System, weight: Array, data: Array, sigma: Floats) -> Iterator[_Step]:
    """Update `sigma` in place and yield the scalars of each step."""
    product = np.zeros_like(sigma)
    if sigma.any():
        system(sigma, product)
    residual = weight * data - product
    direction = residual.copy()
    squared = direction_squared = _dot(residual, residual)
    while True:
        curvature = system(direction, product)
        if not (0 < curvature < math.inf and squared > 0):
            return
        step = _Step(squared / curvature, squared, direction_squared)
        sigma += sigma.dtype.type(step.length) * direction
        residual -= sigma.dtype.type(step.length) * product
        squared = _dot(residual, residual)
        ratio = squared / step.residual
        direction *= sigma.dtype.type(ratio)
        direction += residual
        direction_squared = squared + ratio**2 * step.direction  # residual and p are orthogonal
        yield step


def _dot(a: Floats, b: Floats) -> float:
    """Inner product in float64, summed strip by strip in a fixed order."""
    return math.fsum(
        run_strips(
            lambda start, stop: float(np.sum(a[start:stop] * b[start:stop], dtype=np.float64)),
            a.shape[0],
        )
    )


def _delay(shape: tuple[int, ...], reach: int) -> int:
    """Number of steps over which the error is measured: those that cross half the picture.

    Conjugate gradients can stagnate far from the solution. With fewer steps, stagnation would be
    mistaken for convergence.
    """
    return max(max(shape) // (2 * reach), MIN_DELAY)


def _rms_error_px(steps: Iterable[_Step], pixels: int) -> float:
    """Root mean square of the part of the error that `steps` have removed, px.

    Hestenes and Stiefel (1952, theorem 6:3): with e_j the error of the j-th map, in the norm of
    the system and in the Euclidean one,

        |e_j|_A^2 - |e_j+1|_A^2 = length_j |r_j|^2,
        |e_j|^2   - |e_j+1|^2   = length_j |p_j|^2 / |r_j|^2 (|e_j|_A^2 + |e_j+1|_A^2).

    Both errors decrease at every step. The result is therefore a lower bound of the error before
    the steps (Strakos and Tichy 2002), and the error after them is smaller. The length of a single
    step is no measure of the error.
    """
    length, residual, direction = np.array(list(steps)).T
    energy = np.append(np.cumsum((length * residual)[::-1])[::-1], 0)
    gain = length * direction / residual * (energy[:-1] + energy[1:])
    return math.sqrt(gain.sum() / pixels)


def _spread_px(weight: Array, data: Array) -> float:
    """Standard deviation of the data, weighted, px."""
    share = weight.astype(np.float64)
    mean = np.average(data, weights=share)
    return math.sqrt(np.average((data - mean) ** 2, weights=share))
