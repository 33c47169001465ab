"""The solver: conjugate gradients, preconditioned on two levels that are added.

    z = diag(L + lambda D)^-1 r  +  P C P^T r

The first term (Jacobi) settles what is local: within a window L is nearly its diagonal. P takes
models of cells to pixels (`transfer.py`), and C is one multigrid cycle (`cycle.py`) on the system
that L + lambda D becomes for maps of the form P theta (`coarse.py`). The matting Laplacian is
nearly blind to just these maps, locally affine in colour and slowly varying, so they carry nearly
all of the error that Jacobi leaves, at any distance of the data and any size of the picture. The
number of steps therefore does not grow with the picture (plain conjugate gradients: with its
width), and one step costs little more than one product with L.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from stages.laplacian import MattingLaplacian, apply_system
from stages.params import Array
from stages.propagate.coarse import coarse_model
from stages.propagate.cycle import cycle
from stages.propagate.transfer import step, turn


class Step(NamedTuple):
    """One step of conjugate gradients: the map changed by `length` times `direction`.

    `direction` (HxW float32) is overwritten by the next step. `largest_px` is the largest change of
    the map at any pixel.
    """

    length: float
    direction: Array
    largest_px: float


def two_level_steps(
    laplacian: MattingLaplacian, weight: Array, data: Array, sigma: Array
) -> Iterator[float]:
    """Solve (L + weight) sigma = weight data from `sigma`, which is updated in place.

    Parameters
    ----------
    laplacian : MattingLaplacian
        Float32, with at least one window.
    weight, data : Array
        HxW, lambda D and the values it holds the map to; `weight` has a positive entry.
    sigma : Array
        HxW, the start and then the map.

    Yields
    ------
    float
        The largest change of a step at any pixel, px. Ends when rounding leaves no direction of
        positive curvature.
    """
    residual = weight * data
    if sigma.any():
        subtract_product(laplacian, weight, sigma, residual)
    for taken in residual_steps(laplacian, weight, residual, sigma):
        yield taken.largest_px


def subtract_product(
    laplacian: MattingLaplacian, weight: Array, sigma: Array, residual: Array
) -> None:
    """Subtract (L + weight) sigma from a residual, in place.

    Parameters
    ----------
    laplacian : MattingLaplacian
        Float32.
    weight, sigma, residual : Array
        HxW float32; `residual` is changed.
    """
    product = np.empty_like(sigma)
    apply_system(laplacian, weight, sigma, product)
    residual -= product


def residual_steps(
    laplacian: MattingLaplacian, weight: Array, residual: Array, sigma: Array
) -> Iterator[Step]:
    """Reduce the residual of a map in the system L + weight; both are updated in place.

    The right-hand side of the system is not needed: `residual` says how far the map is from it.

    Parameters
    ----------
    laplacian : MattingLaplacian
        Float32, with at least one window.
    weight : Array
        HxW, the diagonal lambda D, with a positive entry.
    residual : Array
        HxW, right-hand side less (L + weight) sigma; afterwards that of the changed map.
    sigma : Array
        HxW, the map.

    Yields
    ------
    Step
        Ends when rounding leaves no direction of positive curvature.
    """
    levels = coarse_model(laplacian, weight)
    product, direction = np.zeros_like(sigma), np.zeros_like(sigma)
    change = step(laplacian, 0.0, direction, product, weight, sigma, residual)
    before = math.inf
    while True:
        theta = cycle(levels, change.restricted)
        energy = change.jacobi + float(np.sum(change.restricted * theta))  # r . z, without z
        turn(laplacian, theta, residual, weight, energy / before, direction)
        curvature = apply_system(laplacian, weight, direction, product)
        if not (0 < energy < math.inf and 0 < curvature < math.inf):
            return
        length = energy / curvature
        change = step(laplacian, length, direction, product, weight, sigma, residual)
        before = energy
        yield Step(length, direction, change.largest_px)
