"""The coarse model: blur as a slowly varying, local affine function of colour.

Insert alpha(x) = theta(x) . I~(x), with I~ = (I, 1) and theta = (a, b), into the energy of the
paper (eq. 3), the sum over windows k of sum_j (alpha_j - a_k . I_j - b_k)^2 + eps |a_k|^2. If theta
is smooth, the best model of a window is close to theta at its centre, and the energy becomes

    sum over windows k and their pixels j of ((theta_j - theta_k) . I~_j)^2
        ~ sum over pixels j of  c |grad theta . I~_j|^2,      c = |w| r (r + 1) / 3,

where c is |w| times the mean square of an offset along one axis in a window. Constants and other
affine functions of colour therefore have almost no energy at any distance. Plain conjugate
gradients propagate exactly these components by only a few pixels per step. With M the mean of
I~ I~^T over a cell (`laplacian/cells.py`) and K = sum over its pixels of w I~ I~^T + eps
diag(1, 1, 1, 0), the energy is a quadratic form on a grid of cells,

    sum over edges mn of (theta_m - theta_n)^T c (M_m + M_n)/2 (theta_m - theta_n)
        + sum over cells m of theta_m^T K_m theta_m,

whose system matrix is a 5-point stencil of symmetric positive definite 4x4 blocks. In two
dimensions the form is the same at every scale: coarser levels merge 2x2 cells, M by its mean and K
by its sum, with the same c.

The weight w combines the data term lambda D and the number n of windows that contain a pixel, like
springs in series: w = lambda D n / (lambda D + n). Where data are strong, the pixel follows its
datum, and the model is pulled with a weight of at most n.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stages.kernels import f32, f64, i64, kernel, reads, writes
from stages.laplacian import MattingLaplacian
from stages.laplacian.cells import CELL, STRIP_CELLS, Moments, entry, join
from stages.laplacian.windows import windows_at
from stages.params import Array
from stages.strips import run_strips

PIVOT_SHARE = 1e-9  # min pivot over the trace of a block, which is singular in a uniform cell


class Level(NamedTuple):
    """One level of the coarse model.

    Attributes
    ----------
    moments : Moments
        M of each cell, rows x columns x 10 float64 (upper triangle of a symmetric 4x4 matrix).
    blocks, inverses : Moments
        Diagonal blocks of the system matrix, and their inverses, stored in the same way.
    coupling : float
        c.
    """

    moments: Moments
    blocks: Moments
    inverses: Moments
    coupling: float


def coarse_model(laplacian: MattingLaplacian, weight: Array) -> tuple[Level, ...]:
    """Build the coarse model.

    Parameters
    ----------
    laplacian : MattingLaplacian
        Guide, window and cells.
    weight : Array
        Diagonal lambda D of the data term, HxW float32.

    Returns
    -------
    tuple of Level
        Levels, finest first.
    """
    params = laplacian.params
    size, radius = 2 * params.window_radius + 1, params.window_radius
    coupling = size**2 * radius * (radius + 1) / 3
    ties = np.empty_like(laplacian.cells[0])
    run_strips(
        lambda start, stop: _ties(
            laplacian.guide, weight, radius, params.epsilon, start, stop, ties
        ),
        ties.shape[0],
        STRIP_CELLS,
    )
    levels: list[Level] = []
    for moments in laplacian.cells:
        if levels:
            ties = join(ties)
        levels.append(_level(moments, ties, coupling))
    return tuple(levels)


def _level(moments: Moments, ties: Moments, coupling: float) -> Level:
    """Level with diagonal blocks K_m + sum of c/2 (M_m + M_n) over the neighbours n of a cell m."""
    blocks = ties.copy()
    half = coupling / 2 * moments
    across, down = half[:, 1:] + half[:, :-1], half[1:] + half[:-1]
    blocks[:, 1:] += across
    blocks[:, :-1] += across
    blocks[1:] += down
    blocks[:-1] += down
    inverses = np.empty_like(blocks)
    run_strips(lambda start, stop: _invert(blocks, start, stop, inverses), blocks.shape[0])
    return Level(moments, blocks, inverses, coupling)


@kernel(reads(f32, 3), reads(f32, 2), i64, f64, i64, i64, writes(f64, 3))
def _ties(guide, weight, radius, epsilon, start, stop, ties):  # type: ignore[no-untyped-def]
    """Write rows [start, stop) of K of the finest cells; pixels without data are skipped."""
    height, width = weight.shape
    colour = np.empty(4)
    colour[3] = 1.0
    for i in range(start, stop):
        ties[i] = 0.0
        bottom = min((i + 1) * CELL, height)
        for y in range(i * CELL, bottom):
            for x in range(width):
                data = np.float64(weight[y, x])
                if data == 0.0:
                    continue
                count = windows_at(y, height, radius) * windows_at(x, width, radius)
                data *= count / (data + count)
                for c in range(3):
                    colour[c] = guide[c, y, x]
                tie = ties[i, x // CELL]
                for a in range(4):
                    for b in range(a, 4):
                        tie[entry(a, b)] += data * colour[a] * colour[b]
        for j in range(ties.shape[1]):
            pixels = (bottom - i * CELL) * (min((j + 1) * CELL, width) - j * CELL)
            for c in range(3):
                ties[i, j, entry(c, c)] += epsilon * pixels


@kernel(reads(f64, 3), i64, i64, writes(f64, 3))
def _invert(blocks, start, stop, inverses):  # type: ignore[no-untyped-def]
    """Write rows [start, stop) of the inverses of 4x4 blocks, by Cholesky factorisation."""
    low, inverse = np.zeros((4, 4)), np.zeros((4, 4))
    for i in range(start, stop):
        for j in range(blocks.shape[1]):
            block = blocks[i, j]
            guard = PIVOT_SHARE * (block[0] + block[4] + block[7] + block[9])
            for a in range(4):
                for b in range(a + 1):
                    total = block[entry(b, a)]
                    for k in range(b):
                        total -= low[a, k] * low[b, k]
                    low[a, b] = np.sqrt(max(total, guard)) if a == b else total / low[b, b]
            for column in range(4):  # of the inverse of `low`
                for a in range(column, 4):
                    total = 1.0 if a == column else 0.0
                    for k in range(column, a):
                        total -= low[a, k] * inverse[k, column]
                    inverse[a, column] = total / low[a, a]
            for a in range(4):
                for b in range(a, 4):
                    total = 0.0
                    for k in range(b, 4):
                        total += inverse[k, a] * inverse[k, b]
                    inverses[i, j, entry(a, b)] = total
