"""Propagation and upsampling against the paper's solver, PyMatting and OpenCV's guided filter.

All solvers run in one process on the same problems (`problems.py`), from zero to a mean squared
error of 1e-3 px^2 against the converged solution, set-up included. Conjugate gradients run to the
end at 0.43, 1 and 2 MP; above, their number of steps is fitted (a power of the width), their time
per step measured, and the table says so. Without the peers (`tools/peers.py`) their keys are
missing.
"""

from __future__ import annotations

import statistics
import tracemalloc
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from measures.peer_environment import PeerError
from measures.peers import (
    GOAL_MSE,
    best,
    cg_steps,
    cg_to_goal,
    compile_times,
    cv2_guided_seconds,
    pymatting_to_goal,
    timed,
)
from problems import PAPER, PHOTOGRAPHS, Problem, converged, load, mse, problem

from stages.grid import BlurMap, Grid, lift
from stages.laplacian import LaplacianParams, matting_laplacian
from stages.params import Array, Estimate
from stages.propagate import PropagateParams, propagate
from stages.scribble import Scribble, ScribbleParams, scribbled
from stages.upsample import UpsampleParams, guided_upsample

SIZES_MP, RUN_UP_TO_MP = (0.43, 1, 2, 12, 24), 2
GROWTH_FROM_MP = 1
Paths = dict[str, Path]


def measure(context: Any) -> dict[str, float]:
    """All keys of the subject."""
    paths = {name: path for name, file in PHOTOGRAPHS.items() if (path := context.picture(file))}
    if not paths:
        return {}
    first = dict(list(paths.items())[:1])
    few = first if context.quick else paths
    results = compile_times() | sizes(context, few)
    if not context.quick:
        results |= same_start(context, few)
    results |= resolutions(context, few)
    results |= upsampling(context, first)
    results |= scribbling(first) | memory(first)
    return results | against_pymatting(context, first)


def paper_steps(given: Problem, params: PropagateParams = PAPER) -> Iterator[Estimate[BlurMap]]:
    """Set-up and steps of our solver with the paper's epsilon."""
    return propagate(given.laplacian(LaplacianParams()), given.constraints, None, params)


def steps_to(estimates: Iterator[Estimate[BlurMap]], truth: Array) -> int:
    """How many steps a solver takes to the goal."""
    for count, estimate in enumerate(estimates, 1):
        if mse(estimate.value.sigma, truth) < GOAL_MSE:
            return count
    raise ValueError("the solver did not come within its goal")


def ours_to_goal(given: Problem, truth: Array) -> tuple[float, int]:
    """Seconds with set-up, and steps, to the goal."""
    steps = steps_to(paper_steps(given), truth)
    exactly = PAPER.replace(iterations=steps, steps_per_estimate=steps)
    return best(lambda: list(paper_steps(given, exactly))), steps


def sizes(context: Any, paths: Paths) -> dict[str, float]:
    """Time and steps to the goal at all sizes, against conjugate gradients."""
    six = PAPER.replace(iterations=6, steps_per_estimate=6)
    rows, most = [], 0
    ratios, per_unknown, counts = defaultdict(list), defaultdict(list), defaultdict(list)
    for name, path in paths.items():
        for size in SIZES_MP[:2] if context.quick else SIZES_MP:
            given = problem(load(path, size), 2)
            truth = converged(given.laplacian(LaplacianParams()), given.constraints).sigma
            seconds, steps = ours_to_goal(given, truth)
            nanoseconds = best(lambda: list(paper_steps(given, six)), 4) * 1e9  # noqa: B023
            theirs, count, how = _cg_seconds(given, truth, size, counts[name])
            most = max(most, steps)
            ratios[size].append(theirs / seconds)
            per_unknown[size].append(nanoseconds / truth.size)
            rows.append([name, size, truth.size, steps, seconds * 1e3, per_unknown[size][-1],
                         count, theirs * 1e3, theirs / seconds, how])  # fmt: skip
    head = ["photograph", "MP", "unknowns", "our steps", "our ms", "ns/unknown of set-up + 6 steps",
            "CG steps", "CG ms", "ratio", "CG"]  # fmt: skip
    context.table("to MSE 1e-3 px^2, lambda 0.1, from zero, set-up included", head, rows)
    cost = [statistics.median(v) for size, v in per_unknown.items() if size >= GROWTH_FROM_MP]
    results = {f"propagate.vs_cg_{size:g}mp": statistics.median(r) for size, r in ratios.items()}
    results.pop("propagate.vs_cg_1mp", None)  # run for the fit
    if len(cost) > 1:
        results["propagate.ns_per_px_growth"] = max(cost) / cost[0]
    return results | {"propagate.iterations_max": most}


def _cg_seconds(
    given: Problem, truth: Array, size: float, counts: list[tuple[int, int]]
) -> tuple[float, int, str]:
    """Seconds and steps of the paper's solver, and whether it ran; `counts` gathers runs."""
    width = max(given.guide.shape)
    if size <= RUN_UP_TO_MP:
        theirs, count = cg_to_goal(given, truth)
        counts.append((width, count))
        return theirs, count, "run"
    slope, offset = np.polyfit(*np.log(counts).T, 1)
    count = round(float(np.exp(offset + slope * np.log(width))))
    maps = cg_steps(given)
    setup = timed(lambda: next(maps))[0]
    return setup + count * best(lambda: next(maps), 4), count, f"fitted, width^{slope:.2f}"


def same_start(context: Any, paths: Paths) -> dict[str, float]:
    """Conjugate gradients with the filled start and our lambda, at 2 MP."""
    ours, rows = PropagateParams(start="zero", tolerance_px=0.0), []
    for name, path in paths.items():
        given = problem(load(path, 2), 2)
        laplacian = given.laplacian(LaplacianParams())
        *_, last = propagate(laplacian, given.constraints, None, ours)
        truth = last.value.sigma
        steps = steps_to(paper_steps(given, ours), truth)
        exactly = ours.replace(iterations=steps, steps_per_estimate=steps)
        seconds = best(lambda: list(paper_steps(given, exactly)))  # noqa: B023 - runs at once
        theirs, count = cg_to_goal(given, truth, ours.replace(start="fill"))
        rows.append([name, steps, seconds * 1e3, count, theirs * 1e3, theirs / seconds])
    head = ["photograph", "our steps", "our ms", "CG steps", "CG ms", "ratio"]
    context.table("the same at 2 MP with lambda 0.5, CG from a smooth fill", head, rows)
    return {"propagate.vs_cg_same_start_2mp": statistics.median(row[-1] for row in rows)}


def resolutions(context: Any, paths: Paths) -> dict[str, float]:
    """Full resolution after 4 steps, half and quarter when converged, against the full solution."""
    rows, full_over_half, quarter_over_half = [], [], []
    for name, path in paths.items():
        for size in (0.43,) if context.quick else (0.43, 2, 12):
            picture = load(path, size)
            given = problem(picture, 1)
            truth = converged(given.laplacian(LaplacianParams()), given.constraints).sigma
            four = PAPER.replace(iterations=4, steps_per_estimate=4)
            *_, early = paper_steps(given, four)
            errors = [mse(early.value.sigma, truth)]
            for step in (2, 4, 8):
                small = problem(picture, step)
                laplacian = small.laplacian(LaplacianParams().at_step(step))
                low = converged(laplacian, small.constraints)
                errors.append(mse(guided_upsample(low, picture, UpsampleParams()).sigma, truth))
            full_over_half.append(errors[0] / errors[1])
            quarter_over_half.append(errors[2] / errors[1])
            rows.append([name, size, *errors])
    head = ["photograph", "MP", "full, 4 steps", "half", "quarter", "eighth"]
    context.table("MSE in px^2 against the full-resolution solution, lambda 0.1", head, rows)
    return {
        "propagate.full_res_4it_over_half_floor": max(full_over_half),
        "propagate.quarter_over_half": statistics.median(quarter_over_half),
    }


def upsampling(context: Any, paths: Paths) -> dict[str, float]:
    """Speed against OpenCV's guided filter, and closeness to the exact form."""
    path = next(iter(paths.values()))
    small = load(path, 0.43)
    given = problem(small, 2)
    even = Grid(given.constraints.grid.shape, 2, 0.0)
    guide = np.ascontiguousarray(small[::2, ::2])
    low = converged(matting_laplacian(guide, LaplacianParams()), lift(given.sparse, even))
    fast, exact = (
        guided_upsample(low, small, UpsampleParams(method=method)).sigma
        for method in ("fast", "masked")
    )
    results = {"upsample.mse_vs_exact": mse(fast, exact)}
    large = load(path, 2 if context.quick else 12)
    sparse = problem(large, 2).constraints
    low = BlurMap(sparse.sigma, np.ones_like(sparse.sigma), sparse.grid)
    ours = best(lambda: guided_upsample(low, large, UpsampleParams()))
    megapixels = large.shape[0] * large.shape[1] / 1e6
    rows = [["ours, fast", ours * 1e3 / megapixels]]
    try:
        theirs = cv2_guided_seconds(large)
    except PeerError:
        context.missing.append("OpenCV contrib: `python tools/peers.py` makes an environment")
    else:
        rows.append(["cv2.ximgproc.guidedFilter, 21x21", theirs * 1e3 / megapixels])
        results["upsample.vs_cv2_guided"] = theirs / ours
    context.table(f"upsampling at {megapixels:.0f} MP", ["method", "ms per MP"], rows)
    return results


def scribbling(paths: Paths) -> dict[str, float]:
    """A stroke of 80 x 6 px on a 1 MP preview: to p99.9 below 0.05 px, upsampled; median of 20."""
    given = problem(load(next(iter(paths.values())), 1), 2)
    laplacian = given.laplacian(LaplacianParams().at_step(2))
    exact = PropagateParams(start="zero", tolerance_px=0.0)
    height, width = given.picture.shape[:2]

    def last(params: PropagateParams, held: BlurMap, start: Array | None = None) -> BlurMap:
        *_, final = propagate(laplacian, held, start, params.replace(steps_per_estimate=100))
        return final.value

    def steps(held: BlurMap, start: Array | None) -> int:
        truth = last(exact, held).sigma
        for count, estimate in enumerate(propagate(laplacian, held, start, exact)):
            if np.quantile(np.abs(estimate.value.sigma - truth), 0.999) < 0.05:
                return max(count, 1) if start is not None else count + 1
        raise ValueError("the solver did not come within its goal")

    before = last(exact, given.constraints).sigma
    times, cold_times = [], []
    rng = np.random.default_rng(0)
    for _ in range(20):
        x, y = rng.uniform(0.1, 0.8) * width, rng.uniform(0.1, 0.9) * height
        stroke = Scribble(((x, y), (x + 80, y)), 6.0, str(rng.choice(["sharp", "blurred"])))
        held = scribbled(given.constraints, [stroke], ScribbleParams())
        warm, cold = steps(held, before), steps(held, None)

        def update(count: int, start: Array | None) -> None:
            edited = scribbled(given.constraints, [stroke], ScribbleParams())  # noqa: B023
            low = last(exact.replace(iterations=count), edited, start)
            guided_upsample(low, given.picture, UpsampleParams())

        times.append(timed(partial(update, warm, before))[0])
        cold_times.append(timed(partial(update, cold, None))[0])
    return {
        "scribble.ms_1mp": statistics.median(times) * 1e3,
        "scribble.over_cold": statistics.median(times) / statistics.median(cold_times),
    }


def memory(paths: Paths) -> dict[str, float]:
    """Peak of all arrays that set-up and solve allocate, inputs apart."""
    given = problem(load(next(iter(paths.values())), 2), 2)
    tracemalloc.start()
    for _ in paper_steps(given, PAPER.replace(iterations=5)):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {"propagate.bytes_per_px": peak / given.constraints.sigma.size}


def against_pymatting(context: Any, paths: Paths) -> dict[str, float]:
    """Both at full resolution, set-up included, to the goal."""
    size = 0.1 if context.quick else 0.43
    given = problem(load(next(iter(paths.values())), size), 1)
    truth = converged(given.laplacian(LaplacianParams()), given.constraints).sigma
    try:
        theirs, their_steps = pymatting_to_goal(given, truth)
    except PeerError:
        context.missing.append("PyMatting: `python tools/peers.py` makes an environment")
        return {}
    ours, steps = ours_to_goal(given, truth)
    rows = [["ours", steps, ours * 1e3], ["PyMatting, V-cycle", their_steps, theirs * 1e3]]
    context.table(f"full resolution, {size} MP", ["solver", "steps", "ms"], rows)
    return {"propagate.vs_pymatting": theirs / ours}
