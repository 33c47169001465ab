"""What the solver is measured against: the paper's own, PyMatting, OpenCV's guided filter.

Each solver is run to the same goal, a mean squared error of 1e-3 px^2 against the converged
solution. PyMatting and OpenCV's guided filter run in the environment of `peer_environment`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from problems import PAPER, Problem, mse

from measures.peer_environment import run_peer
from stages.laplacian import LaplacianParams, apply_laplacian
from stages.params import Array
from stages.propagate import PropagateParams, fill
from stages.propagate.conjugate_gradients import conjugate_gradient_steps

GOAL_MSE = 1e-3  # px^2
REACH_PX = 6  # of a product with windows of 7x7


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and what came out."""
    started = time.perf_counter()
    out = work()
    return time.perf_counter() - started, out


def best(work: Callable[[], Any], repeats: int = 5) -> float:
    """Least seconds of some runs: what the machine can do between its interruptions."""
    return min(timed(work)[0] for _ in range(repeats))


def cg_steps(given: Problem, params: PropagateParams = PAPER) -> Iterator[Array]:
    """The paper's solver: box filters and plain conjugate gradients."""
    laplacian = given.laplacian(LaplacianParams())
    weight = params.data_weight * given.constraints.confidence
    filled = params.start == "fill"
    sigma = fill(given.constraints).sigma if filled else np.zeros_like(weight)

    def system(p: Array, out: Array) -> float:
        np.add(apply_laplacian(laplacian, p), weight * p, out=out)
        return float(np.sum(p * out, dtype=np.float64))

    for _ in conjugate_gradient_steps(system, weight, given.constraints.sigma, sigma, REACH_PX):
        yield sigma


def cg_to_goal(given: Problem, truth: Array, params: PropagateParams = PAPER) -> tuple[float, int]:
    """Seconds (without looking at errors) and steps to the goal."""
    seconds, steps, maps = 0.0, 0, cg_steps(given, params)
    while True:
        took, sigma = timed(lambda: next(maps))
        seconds, steps = seconds + took, steps + 1
        if steps % 5 == 0 and mse(sigma, truth) < GOAL_MSE:
            return seconds, steps


def pymatting_to_goal(given: Problem, truth: Array) -> tuple[float, int]:
    """Seconds and steps of PyMatting with its V-cycle, set-up included.

    Raises
    ------
    PeerError
        If it is not installed.
    """
    weight = PAPER.data_weight * given.constraints.confidence
    found = run_peer(
        "pymatting_solve.py", guide=given.guide, weight=weight, sigma=given.constraints.sigma,
        truth=truth, goal=GOAL_MSE,
    )  # fmt: skip
    return found["seconds"], found["steps"]


def cv2_guided_seconds(picture: Array) -> float:
    """Least time of three colour guided filters.

    Raises
    ------
    PeerError
        If OpenCV's contrib build is not installed.
    """
    return float(run_peer("guided_filter.py", guide=picture)["seconds"])


def compile_times() -> dict[str, float]:
    """Seconds to compile all kernels of both stages, and from import to the first solve."""
    compile_all = (
        "import time, importlib; started = time.perf_counter()\n"
        "for m in ('propagate', 'upsample'): importlib.import_module('stages.' + m)\n"
        "from stages.kernels import registered\n"
        "for kernel in registered(): kernel.compile()\n"
        "print(time.perf_counter() - started)"
    )
    first_solve = (
        "import time; started = time.perf_counter()\n"
        "import numpy as np\n"
        "from stages.grid import BlurMap, Grid\n"
        "from stages.laplacian import LaplacianParams, matting_laplacian\n"
        "from stages.propagate import PropagateParams, propagate\n"
        "imported = time.perf_counter()\n"
        "ones = np.ones((64, 64), np.float32); guide = np.ones((64, 64, 3), np.float32)\n"
        "held = BlurMap(ones, ones, Grid((64, 64)))\n"
        "laplacian = matting_laplacian(guide, LaplacianParams())\n"
        "next(propagate(laplacian, held, None, PropagateParams()))\n"
        "print(time.perf_counter() - imported)"
    )
    with tempfile.TemporaryDirectory() as folder:
        cold = in_process(compile_all, folder)
        warm = min(in_process(first_solve, folder) for _ in range(3))
    return {"propagate.cold_compile_s": cold, "propagate.warm_start_s": warm}


def in_process(code: str, cache: str) -> float:
    """Number that a fresh interpreter prints, its kernels cached in a folder of their own."""
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True,
                         env=os.environ | {"NUMBA_CACHE_DIR": cache})  # fmt: skip
    return float(run.stdout)
