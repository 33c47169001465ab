"""The four ways to a full-size map that figures 5 and 6 compare."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from problems import PAPER, Problem, problem

from stages.arrays import reduce_bicubic
from stages.grid import BlurMap, Grid, lift_bicubic
from stages.laplacian import LaplacianParams
from stages.params import Array
from stages.propagate import propagate
from stages.upsample import UpsampleParams, guided_upsample

CG_STEPS, OUR_STEPS = (50, 100, 200, 300, 400, 500), (1, 2, 3, 4, 6, 8, 12)


class Method(NamedTuple):
    """A way to a full-size map: maps after every step, upsampling, and the steps to look at."""

    maps: Callable[[], Iterator[BlurMap]]
    upsample: Callable[[BlurMap], Array]
    steps: tuple[int, ...]


def methods(picture: Array) -> dict[str, Method]:
    """The four curves of figure 6."""
    full, half = problem(picture, 1), problem(picture, 2)

    def solve(given: Problem, epsilon: float, solver: str) -> Iterator[BlurMap]:
        laplacian = given.laplacian(LaplacianParams(epsilon=epsilon))
        params = PAPER.replace(solver=solver, iterations=10_000)
        for estimate in propagate(laplacian, given.constraints, None, params):
            yield estimate.value

    def paper() -> Iterator[BlurMap]:
        low = lift_bicubic(full.sparse, Grid(half.constraints.grid.shape, 2, 0.0))
        return solve(half._replace(guide=reduce_bicubic(picture), constraints=low), 1e-3, "cg")

    def enlarge(method: str) -> Callable[[BlurMap], Array]:
        return lambda low: guided_upsample(low, picture, UpsampleParams(method=method)).sigma

    def itself(blur: BlurMap) -> Array:
        return blur.sigma

    half_epsilon = LaplacianParams().at_step(2).epsilon
    return {
        "direct, CG": Method(lambda: solve(full, 1e-3, "cg"), itself, CG_STEPS),
        "paper: half, CG, exact upsampling": Method(paper, enlarge("masked"), CG_STEPS),
        "ours, half resolution": Method(
            lambda: solve(half, half_epsilon, "two_level"), enlarge("fast"), OUR_STEPS
        ),
        "ours, full resolution": Method(lambda: solve(full, 1e-3, "two_level"), itself, OUR_STEPS),
    }


def run(method: Method) -> list[tuple[float, Array]]:
    """Seconds of set-up, steps and upsampling, and the map, at each number of steps."""
    maps, seconds, found = method.maps(), 0.0, []
    low: BlurMap | None = None
    for step in range(1, method.steps[-1] + 1):
        started = time.perf_counter()
        low = next(maps, low)  # a solver that has converged ends early
        seconds += time.perf_counter() - started
        if step in method.steps:
            assert low is not None  # a solver gives one map at least
            started = time.perf_counter()
            full = method.upsample(low)
            found.append((seconds + time.perf_counter() - started, full))
    return found
