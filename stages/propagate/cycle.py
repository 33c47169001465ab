"""One multigrid cycle on the coarse model: a symmetric approximate inverse of its system matrix.

The smoother is block Gauss-Seidel in red-black order: `SWEEPS` sweeps (red, black) before the
coarse-grid correction, and `SWEEPS` sweeps (black, red) after it. Large levels below the finest are
visited twice (W cycle), which costs little because levels shrink by four. Models are prolonged by
bilinear interpolation, and residuals are restricted by its exact transpose. The cycle is therefore
symmetric, as preconditioned conjugate gradients require. All arrays are float64; there is only one
cell for every 64 pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
from numba import types

from stages.kernels import apart, f64, i64, inline, kernel, reads, writes
from stages.propagate.coarse import Level
from stages.strips import run_strips

SWEEPS = 2  # of the smoother, before and after the coarse-grid correction
TWICE_ABOVE = 48  # cells; one visit nearly solves smaller levels
SERIAL_BELOW = 3000  # cells; for smaller levels, starting threads costs more than it saves

u64, u = types.uint64, np.uint64  # with unsigned indices, Numba omits the test for negative ones
Cells = npt.NDArray[np.float64]  # rows x columns of cells x 4


def cycle(levels: tuple[Level, ...], right: Cells, depth: int = 0) -> Cells:
    """Approximate solution of the coarse system by one cycle from zero.

    Parameters
    ----------
    levels : tuple of Level
        Of `coarse_model`.
    right : array of float64
        Right-hand side on the cells of level `depth`, rows x columns x 4.
    depth : int
        Level at which the cycle starts; 0 is the finest.

    Returns
    -------
    array of float64
        theta, rows x columns x 4.
    """
    level = levels[depth]
    rows, cols = right.shape[:2]
    theta = np.zeros((rows + 2, cols + 2, 4))  # zero padding replaces tests at the border
    image = np.zeros_like(theta)  # M theta
    if depth == len(levels) - 1:
        _sweep(level, right, theta, image, 0, 1)
    else:
        _sweep(level, right, theta, image, 0, 2 * SWEEPS)
        for _ in range(2 if depth and rows * cols > TWICE_ABOVE else 1):
            below = cycle(levels, _restricted_residual(level, right, theta, image), depth + 1)
            _on_rows(partial(_prolong, below, level.moments, theta, image), right)
        _sweep(level, right, theta, image, 1, 2 * SWEEPS)
    return np.ascontiguousarray(theta[1:-1, 1:-1])


def _is_small(cells: Cells) -> bool:
    """Whether a level is processed by one thread."""
    return bool(cells.shape[0] * cells.shape[1] < SERIAL_BELOW)


def _on_rows(work: Callable[[int, int], None], cells: Cells) -> None:
    """Run `work(start, stop)` on the rows of a level, in parallel strips if it is large."""
    if _is_small(cells):
        work(0, cells.shape[0])
    else:
        run_strips(work, cells.shape[0])


def _sweep(level: Level, right: Cells, theta: Cells, image: Cells, first: int, sweeps: int) -> None:
    """Relax alternating colours in place: `sweeps` half-sweeps, starting with colour `first`."""
    half = level.coupling / 2
    batch = sweeps if _is_small(right) else 1  # strips must finish a colour before the next
    for colour in range(first, first + sweeps, batch):
        relax = partial(
            _relax, right, level.moments, level.inverses, half, colour, batch, theta, image
        )
        _on_rows(relax, right)


def _restricted_residual(level: Level, right: Cells, theta: Cells, image: Cells) -> Cells:
    """Residual of a level, restricted to the next coarser one."""
    residual = np.empty_like(right)
    half = level.coupling / 2
    _on_rows(
        partial(_residual, right, level.moments, level.blocks, half, theta, image, residual), right
    )
    gathered = np.empty(((right.shape[0] + 1) // 2, (right.shape[1] + 1) // 2, 4))
    _on_rows(partial(_restrict, residual, gathered), gathered)
    return gathered


@apart
def _product(matrix, i, j, a, b, c, d):  # type: ignore[no-untyped-def]
    """Product of a symmetric 4x4 matrix, stored as its upper triangle, with (a, b, c, d)."""
    return (
        matrix[i, j, 0] * a + matrix[i, j, 1] * b + matrix[i, j, 2] * c + matrix[i, j, 3] * d,
        matrix[i, j, 1] * a + matrix[i, j, 4] * b + matrix[i, j, 5] * c + matrix[i, j, 6] * d,
        matrix[i, j, 2] * a + matrix[i, j, 5] * b + matrix[i, j, 7] * c + matrix[i, j, 8] * d,
        matrix[i, j, 3] * a + matrix[i, j, 6] * b + matrix[i, j, 8] * c + matrix[i, j, 9] * d,
    )


@apart
def _neighbour_sum(values, y, x, k):  # type: ignore[no-untyped-def]
    """Sum over the four neighbours of a cell; beyond the border there is zero padding."""
    return (
        values[y - u(1), x, k]
        + values[y + u(1), x, k]
        + (values[y, x - u(1), k] + values[y, x + u(1), k])
    )


@inline
def _right_hand_side(right, theta, image, moments, half, i, j):  # type: ignore[no-untyped-def]
    """Right-hand side plus c/2 (M sum of theta_n + sum of M_n theta_n) over the neighbours n."""
    y, x = i + u(1), j + u(1)
    a, b, c, d = _product(
        moments, i, j,
        _neighbour_sum(theta, y, x, u(0)), _neighbour_sum(theta, y, x, u(1)),
        _neighbour_sum(theta, y, x, u(2)), _neighbour_sum(theta, y, x, u(3)),
    )  # fmt: skip
    return (
        right[i, j, 0] + half * (a + _neighbour_sum(image, y, x, u(0))),
        right[i, j, 1] + half * (b + _neighbour_sum(image, y, x, u(1))),
        right[i, j, 2] + half * (c + _neighbour_sum(image, y, x, u(2))),
        right[i, j, 3] + half * (d + _neighbour_sum(image, y, x, u(3))),
    )


@kernel(
    reads(f64, 3), reads(f64, 3), reads(f64, 3), f64, u64, u64, writes(f64, 3), writes(f64, 3),
    u64, u64,
)  # fmt: skip
def _relax(right, moments, inverses, half, first, sweeps, theta, image, start, stop):  # type: ignore[no-untyped-def]
    """Relax rows [start, stop), for each colour (even or odd cells) in turn."""
    for colour in range(first, first + sweeps):
        for i in range(start, stop):
            for j in range((i + colour) % u(2), u(right.shape[1]), u(2)):
                y, x = i + u(1), j + u(1)
                a, b, c, d = _right_hand_side(right, theta, image, moments, half, i, j)
                a, b, c, d = _product(inverses, i, j, a, b, c, d)
                theta[y, x, 0], theta[y, x, 1], theta[y, x, 2], theta[y, x, 3] = a, b, c, d
                a, b, c, d = _product(moments, i, j, a, b, c, d)
                image[y, x, 0], image[y, x, 1], image[y, x, 2], image[y, x, 3] = a, b, c, d


@kernel(
    reads(f64, 3), reads(f64, 3), reads(f64, 3), f64, reads(f64, 3), reads(f64, 3),
    writes(f64, 3), u64, u64,
)  # fmt: skip
def _residual(right, moments, blocks, half, theta, image, residual, start, stop):  # type: ignore[no-untyped-def]
    """Write rows [start, stop) of the residual."""
    for i in range(start, stop):
        for j in range(u(right.shape[1])):
            y, x = i + u(1), j + u(1)
            a, b, c, d = _right_hand_side(right, theta, image, moments, half, i, j)
            own = _product(
                blocks, i, j, theta[y, x, 0], theta[y, x, 1], theta[y, x, 2], theta[y, x, 3]
            )
            residual[i, j, 0], residual[i, j, 1] = a - own[0], b - own[1]
            residual[i, j, 2], residual[i, j, 3] = c - own[2], d - own[3]


@inline
def _second_parent(place, length):  # type: ignore[no-untyped-def]
    """Index of the coarse cell of weight 1/4 for a fine one; at the border its own parent."""
    other = place // 2 + (1 if place % 2 else -1)
    return min(max(other, 0), length - 1)


@kernel(reads(f64, 3), reads(f64, 3), writes(f64, 3), writes(f64, 3), i64, i64)
def _prolong(coarse, moments, theta, image, start, stop):  # type: ignore[no-untyped-def]
    """Add the interpolated coarse-grid correction to rows [start, stop), and update M theta."""
    for i in range(start, stop):
        up, across = i // 2, _second_parent(i, coarse.shape[0])
        for j in range(moments.shape[1]):
            left, right = j // 2, _second_parent(j, coarse.shape[1])
            y, x = i + 1, j + 1
            for k in range(4):
                theta[y, x, k] += (
                    0.5625 * coarse[up, left, k]
                    + 0.1875 * (coarse[across, left, k] + coarse[up, right, k])
                    + 0.0625 * coarse[across, right, k]
                )
            a, b, c, d = _product(
                moments, i, j, theta[y, x, 0], theta[y, x, 1], theta[y, x, 2], theta[y, x, 3]
            )
            image[y, x, 0], image[y, x, 1], image[y, x, 2], image[y, x, 3] = a, b, c, d


@inline
def _restriction_weight(fine, coarse, length):  # type: ignore[no-untyped-def]
    """Weight of a fine cell in a coarse one along an axis of `length` coarse cells."""
    own = 0.75 if fine // 2 == coarse else 0.0
    return own + (0.25 if _second_parent(fine, length) == coarse else 0.0)


@kernel(reads(f64, 3), writes(f64, 3), i64, i64)
def _restrict(fine, coarse, start, stop):  # type: ignore[no-untyped-def]
    """Write rows [start, stop) of the coarser right-hand side: transpose of the interpolation."""
    for i in range(start, stop):
        for j in range(coarse.shape[1]):
            for k in range(4):
                coarse[i, j, k] = 0.0
            for y in range(max(2 * i - 1, 0), min(2 * i + 3, fine.shape[0])):
                down = _restriction_weight(y, i, coarse.shape[0])
                for x in range(max(2 * j - 1, 0), min(2 * j + 3, fine.shape[1])):
                    part = down * _restriction_weight(x, j, coarse.shape[1])
                    for k in range(4):
                        coarse[i, j, k] += part * fine[y, x, k]
