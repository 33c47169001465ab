"""Plain conjugate gradients (Hestenes and Stiefel 1952): the paper's solver, and the yardstick.

Vectors have the precision of the map, scalars are float64. News travels 2 radius pixels a step, so
that the number of steps grows with the width of the picture.
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

MIN_DELAY = 20  # steps looked back on, at least, to measure an error

System = Callable[[Floats, Floats], float]  # (p, out): writes A p into out, returns p . A p


class Progress(NamedTuple):
    """What is known after a step: an error in px, and whether it may be trusted to stop."""

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
    """Solve A sigma = weight data from `sigma`, which is updated in place: the last is the best.

    `reach` is how far a product carries news, px. `error_px` is the estimated root mean square
    error (see `_rms_error_px`), and in the first steps at least the spread of the data. Ends when
    the residual is zero, or when rounding leaves no direction of positive curvature.
    """
    delay, spread_px = _delay(sigma.shape, reach), _spread_px(weight, data)
    recent: deque[_Step] = deque(maxlen=delay)
    for step in _advance(system, weight, data, sigma):
        recent.append(step)
        error_px = _rms_error_px(recent, sigma.size)
        settled = len(recent) == delay
        yield Progress(error_px if settled else max(error_px, spread_px), settled)


def _advance(system: System, weight: Array, data: Array, sigma: Floats) -> Iterator[_Step]:
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


def _delay(shape: tuple[int, ...], reach: int) -> int:
    """Steps to look back on: as many as carry news half across the picture.

    With less patience, a spell in which conjugate gradients crawl, far from the solution, would
    look like the end.
    """
    return max(max(shape) // (2 * reach), MIN_DELAY)


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


def _spread_px(weight: Array, data: Array) -> float:
    """Standard deviation of the data, weighted, px."""
    share = weight.astype(np.float64)
    mean = np.average(data, weights=share)
    return math.sqrt(np.average((data - mean) ** 2, weights=share))
