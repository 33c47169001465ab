"""The stage: the system of the paper, set up and solved step by step.

The dense map minimises eq. (4), alpha^T L alpha + lambda (alpha - beta)^T D (alpha - beta), so

    (L + lambda D) alpha = lambda D beta,

with the matting Laplacian L of the guide, the sparse map beta and its confidence D on the diagonal.
(Eq. (6) prints a minus; the gradient of eq. (4) has a plus, and with a minus the system would be
indefinite.) All that depends on the guide alone is in the Laplacian, so that an update after an
edit of the data costs a small set-up and, from the previous map, a few steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from stages.grid import BlurMap, DenseBlur, Grid, SparseBlur
from stages.laplacian import MattingLaplacian, apply_system
from stages.laplacian.windows import Floats
from stages.params import Array, Estimate, Params, param
from stages.propagate.colorization import colorization_system
from stages.propagate.conjugate_gradients import Progress, System, conjugate_gradient_steps
from stages.propagate.fill import fill, nearness
from stages.propagate.two_level import two_level_steps

LARGEST_TOLERANCE_PX = 10.0
TOLERANCE_STEP = 2  # px; grid step up to which `tolerance_px` holds


@dataclass(frozen=True, slots=True, kw_only=True)
class PropagateParams(Params):
    """Parameters of the propagation."""

    solver: str = param(
        "two_level",
        choices=("two_level", "cg", "colorization"),
        help="Preconditioned on two levels, the paper's conjugate gradients, or Levin et al. 2004.",
    )
    data_weight: float = param(
        2.0, 1e-6, 1e6, help="Weight (lambda) of the estimates at edges against smoothness."
    )
    iterations: int = param(
        40, 1, 100_000, help="Maximum number of steps of one solve; every bound update solves anew."
    )
    tolerance_px: float = param(
        0.02,
        0.0,
        LARGEST_TOLERANCE_PX,
        unit="px",
        help="Stop when a step changes no pixel by more (two_level), or the root mean square error "
        "is estimated to be below (the others); in proportion on grids coarser than 2; 0: never.",
    )
    start: str = param(
        "fill",
        choices=("fill", "zero"),
        help="First estimate: a smooth fill of the data, or zero; two_level starts from zero in "
        "both cases.",
    )
    steps_per_estimate: int = param(1, 1, 1000, help="Steps between two estimates.")
    bound_weight: float = param(
        1.4, 0.0, 1e6, help="Weight of upper bounds where the map exceeds them, against data."
    )
    bound_updates: int = param(2, 0, 100, help="Number of updates of the active upper bounds.")
    contradiction_px: float = param(
        1.5,
        0.0,
        100.0,
        unit="px",
        help="Estimates above the map by more than this and the blur of the map lose weight; in "
        "proportion on grids coarser than 2; 0: none do.",
    )


def propagate(
    laplacian: MattingLaplacian,
    constraints: SparseBlur,
    start: Array | None,
    params: PropagateParams,
) -> Iterator[Estimate[DenseBlur]]:
    """Spread blur from edges to every pixel, as an anytime generator.

    Parameters
    ----------
    laplacian : MattingLaplacian
        Operator of the guide, HxW; `two_level` needs it in float32.
    constraints : BlurMap
        Sparse map on the same grid; confidence is D, sigma is beta.
    start : Array or None
        A map to start from, HxW, px, as the one before an edit; without one `params.start` decides.
    params : PropagateParams
        Solver, weight, start and stop.

    Yields
    ------
    Estimate
        Dense maps, sigma >= 0 and confidence in (0, 1], which says how near data is. A start other
        than zero is the first of them. `residual` is in px, as `params.tolerance_px` has it.
        `done` is False on a last estimate that used up `params.iterations` short of the tolerance.
        Without any data the one estimate is zero; in a picture smaller than a window it is the
        fill.

    Raises
    ------
    ValueError
        If shapes differ or values are not finite, or the precision is not the solver's.
    """
    check_problem(laplacian, constraints, start, params)
    sigma = np.zeros(laplacian.shape, laplacian.guide.dtype)
    return solve_into(sigma, laplacian, constraints, start, params)


def check_problem(
    laplacian: MattingLaplacian,
    constraints: BlurMap,
    start: Array | None,
    params: PropagateParams,
) -> None:
    """Refuse arguments that do not fit together.

    Parameters
    ----------
    laplacian, constraints, start, params
        As for `propagate`.

    Raises
    ------
    ValueError
        If shapes differ or values are not finite, or the precision is not the solver's.
    """
    _check("constraints.sigma", constraints.sigma, laplacian.shape)
    _check("constraints.confidence", constraints.confidence, laplacian.shape)
    if start is not None:
        _check("start", start, laplacian.shape)
    if params.solver == "two_level" and laplacian.guide.dtype != np.float32:
        raise ValueError("propagate: laplacian must be float32 for two_level; got float64")


def _check(name: str, plane: Array, shape: tuple[int, int]) -> None:
    if plane.shape != shape:
        raise ValueError(f"propagate: {name} must be {shape}, as the guide is; got {plane.shape}")
    if not np.isfinite(plane.sum(dtype=np.float64)):
        raise ValueError(f"propagate: {name} has values that are not finite (NaN or infinite)")


def is_solvable(laplacian: MattingLaplacian, constraints: BlurMap) -> bool:
    """Whether there is a system to solve: a picture of at least one window, and data."""
    return laplacian.has_windows and bool(constraints.confidence.any())


def data_weight(constraints: BlurMap, params: PropagateParams, dtype: npt.DTypeLike) -> Floats:
    """Diagonal lambda D of the system, HxW."""
    return np.ascontiguousarray(params.data_weight * constraints.confidence, dtype)


def tolerance_px(grid: Grid, params: PropagateParams) -> float:
    """Tolerance of a solve on a grid, px: in proportion to a step above `TOLERANCE_STEP`."""
    return params.tolerance_px * max(grid.step / TOLERANCE_STEP, 1)


def solve_into(
    sigma: Floats,
    laplacian: MattingLaplacian,
    constraints: BlurMap,
    start: Array | None,
    params: PropagateParams,
) -> Iterator[Estimate[BlurMap]]:
    """Propagate as `propagate` does, in an array of the caller, without checks.

    Parameters
    ----------
    sigma : array
        HxW zeros, of the dtype of the Laplacian. At every estimate it is the map before it is
        clipped at zero, in px. It stays zero where there is no system (`is_solvable`).
    laplacian, constraints, start, params
        As for `propagate`.

    Yields
    ------
    Estimate
        As `propagate`.
    """
    if not is_solvable(laplacian, constraints):
        yield Estimate(fill(constraints), 0.0, True)
        return
    confidence = nearness(constraints.confidence)

    def estimate(error_px: float, done: bool) -> Estimate[BlurMap]:
        dense = np.maximum(sigma, 0).astype(np.float32, copy=False)
        return Estimate(BlurMap(dense, confidence, constraints.grid), error_px, done)

    filled = start is None and params.start == "fill"
    if filled:
        start = fill(constraints).sigma
    if start is not None:
        sigma[:] = start
        yield estimate(float(np.ptp(constraints.sigma[constraints.confidence > 0])), False)
    if filled and params.solver == "two_level":
        sigma[:] = 0  # its first step is the coarse solution, closer than any fill
    enough_px = tolerance_px(constraints.grid, params)
    progress = Progress(0.0, True)
    for count, progress in enumerate(_steps(laplacian, constraints, params, sigma), 1):
        if progress.settled and progress.error_px < enough_px:
            break
        if count == params.iterations:
            yield estimate(progress.error_px, params.tolerance_px == 0)
            return
        if count % params.steps_per_estimate == 0:
            yield estimate(progress.error_px, False)
    yield estimate(progress.error_px, True)


def _steps(
    laplacian: MattingLaplacian, constraints: BlurMap, params: PropagateParams, sigma: Floats
) -> Iterator[Progress]:
    """Steps of the solver asked for, which change `sigma` in place."""
    weight = data_weight(constraints, params, sigma.dtype)
    data = np.ascontiguousarray(constraints.sigma)
    if params.solver == "two_level":
        for largest_px in two_level_steps(laplacian, weight, data, sigma):
            yield Progress(largest_px, settled=True)
        return
    system: System
    if params.solver == "cg":
        system, reach = partial(apply_system, laplacian, weight), 2 * laplacian.params.window_radius
    else:
        system, reach = colorization_system(laplacian, weight), 2
    yield from conjugate_gradient_steps(system, weight, data, sigma, reach)
