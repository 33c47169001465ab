"""Seconds and steps of PyMatting to a mean squared error, set-up included; prints JSON.

Run by the environment of the peers: `pymatting_solve.py ARRAYS.npz` with `guide` (HxWx3), `weight`,
`sigma` and `truth` (HxW) and the number `goal`. The preconditioner is the best one for this, the
V-cycle: incomplete Cholesky factors take fewer steps, and longer to make than all the rest.
"""

import contextlib
import json
import sys
import time

import numpy as np
import pymatting
from scipy import sparse

EPSILON, RADIUS, MAX_STEPS = 1e-3, 3, 3000
COMPILED = np.s_[:64, :64]  # part of the picture that is solved first, to compile its kernels


class ReachedError(Exception):
    """The goal is reached: `cg` has no other way to stop on an error of the map."""


def solve(guide, weight, sigma, truth, goal):
    """Seconds and steps to the goal; the time of looking at the error is taken off."""
    steps, looking = 0, 0.0

    def look(_iterate, x, *_rest):
        nonlocal steps, looking
        looked = time.perf_counter()
        steps += 1
        if np.mean((x.reshape(truth.shape) - truth) ** 2) < goal:
            raise ReachedError
        looking += time.perf_counter() - looked

    started = time.perf_counter()
    laplacian = pymatting.cf_laplacian(guide, epsilon=EPSILON, radius=RADIUS)
    system = (laplacian + sparse.diags(weight.ravel())).tocsr()
    cycle = pymatting.vcycle(system, truth.shape)
    right = (weight * sigma).ravel()
    with contextlib.suppress(ReachedError):
        pymatting.cg(system, right, M=cycle, callback=look, maxiter=MAX_STEPS)
    return time.perf_counter() - started - looking, steps


given = np.load(sys.argv[1])
arrays = [np.asarray(given[name], np.float64) for name in ("guide", "weight", "sigma", "truth")]
with contextlib.redirect_stdout(sys.stderr):
    solve(*(np.ascontiguousarray(array[COMPILED]) for array in arrays), given["goal"])
    seconds, steps = solve(*arrays, given["goal"])
print(json.dumps({"seconds": seconds, "steps": steps}))
