"""One multigrid cycle on the coarse model: an approximate, symmetric inverse of its system.

Block Gauss-Seidel in red-black order: SWEEPS times red and black before, black and red after the
coarser levels have been asked. Large levels below the finest are asked twice (a W cycle), which the
slow growth of their number pays for. Between levels models are interpolated bilinearly, and
residuals gathered by the exact transpose, so that the whole is symmetric, as conjugate gradients
require. All of it is float64: there is one cell for every 64 pixels.
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

SWEEPS = 2
TWICE_ABOVE = 48  # cells; smaller levels are all but solved by one visit
SERIAL_BELOW = 3000  # cells; handing smaller levels to threads costs more than it saves

u64, u = types.uint64, np.uint64  # unsigned indices need no check for counting from the end
Cells = npt.NDArray[np.float64]  # rows x columns of cells x 4


def cycle(levels: tuple[Level, ...], right: Cells, depth: int = 0) -> Cells:
    """Approximate solution theta of the coarse system for a right-hand side, from zero."""
    level = levels[depth]
    rows, cols = right.shape[:2]
    theta = np.zeros((rows + 2, cols + 2, 4))  # with a rim of zeros, which has no neighbours to ask
    image = np.zeros_like(theta)  # M theta
    if depth == len(levels) - 1:
        _sweep(level, right, theta, image, 0, 1)
    else:
        _sweep(level, right, theta, image, 0, 2 * SWEEPS)
        for _ in range(2 if depth and rows * cols > TWICE_ABOVE else 1):
            below = cycle(levels, _restricted_residual(level, right, theta, image), depth + 1)
            _on_rows(partial(_correct, below, level.moments, theta, image), right)
        _sweep(level, right, theta, image, 1, 2 * SWEEPS)
    return np.ascontiguousarray(theta[1:-1, 1:-1])


def _is_small(cells: Cells) -> bool:
    return bool(cells.shape[0] * cells.shape[1] < SERIAL_BELOW)


def _on_rows(work: Callable[[int, int], None], cells: Cells) -> None:
    """Run on the rows of a level, in strips where it is large enough."""
    if _is_small(cells):
        work(0, cells.shape[0])
    else:
        run_strips(work, cells.shape[0])


def _sweep(level: Level, right: Cells, theta: Cells, image: Cells, first: int, sweeps: int) -> None:
    """Solve for the cells of one colour, then of the other, in turn, given their neighbours."""
    half = level.coupling / 2
    at_once = sweeps if _is_small(right) else 1  # strips must wait for each other
    for colour in range(first, first + sweeps, at_once):
        relax = partial(
            _relax, right, level.moments, level.inverses, half, colour, at_once, theta, image
        )
        _on_rows(relax, right)


def _restricted_residual(level: Level, right: Cells, theta: Cells, image: Cells) -> Cells:
    """Residual of a level, gathered to the next coarser one."""
    residual = np.empty_like(right)
    half = level.coupling / 2
    _on_rows(
        partial(_residual, right, level.moments, level.blocks, half, theta, image, residual), right
    )
    gathered = np.empty(((right.shape[0] + 1) // 2, (right.shape[1] + 1) // 2, 4))
    _on_rows(partial(_gather, residual, gathered), gathered)
    return gathered


@apart
def times(matrix, i, j, a, b, c, d):  # type: ignore[no-untyped-def]
    """Product of a symmetric 4x4 matrix, kept as ten numbers, with a vector."""
    return (
        matrix[i, j, 0] * a + matrix[i, j, 1] * b + matrix[i, j, 2] * c + matrix[i, j, 3] * d,
        matrix[i, j, 1] * a + matrix[i, j, 4] * b + matrix[i, j, 5] * c + matrix[i, j, 6] * d,
        matrix[i, j, 2] * a + matrix[i, j, 5] * b + matrix[i, j, 7] * c + matrix[i, j, 8] * d,
        matrix[i, j, 3] * a + matrix[i, j, 6] * b + matrix[i, j, 8] * c + matrix[i, j, 9] * d,
    )


@apart
def neighbours(values, y, x, k):  # type: ignore[no-untyped-def]
    """Sum over the four neighbours of a cell; a rim of zeros stands for those it has not."""
    return (
        values[y - u(1), x, k]
        + values[y + u(1), x, k]
        + (values[y, x - u(1), k] + values[y, x + u(1), k])
    )


@inline
def pulled(right, theta, image, moments, half, i, j):  # type: ignore[no-untyped-def]
    """Add c/2 (M sum of theta_n + sum of M_n theta_n), n the neighbours of (i, j), to `right`."""
    y, x = i + u(1), j + u(1)
    a, b, c, d = times(
        moments, i, j,
        neighbours(theta, y, x, u(0)), neighbours(theta, y, x, u(1)),
        neighbours(theta, y, x, u(2)), neighbours(theta, y, x, u(3)),
    )  # fmt: skip
    return (
        right[i, j, 0] + half * (a + neighbours(image, y, x, u(0))),
        right[i, j, 1] + half * (b + neighbours(image, y, x, u(1))),
        right[i, j, 2] + half * (c + neighbours(image, y, x, u(2))),
        right[i, j, 3] + half * (d + neighbours(image, y, x, u(3))),
    )


@kernel(
    reads(f64, 3), reads(f64, 3), reads(f64, 3), f64, u64, u64, writes(f64, 3), writes(f64, 3),
    u64, u64,
)  # fmt: skip
def _relax(right, moments, inverses, half, first, sweeps, theta, image, start, stop):  # type: ignore[no-untyped-def]
    """Rows [start, stop): solve for the cells of a colour, even or odd, then of the next."""
    for colour in range(first, first + sweeps):
        for i in range(start, stop):
            for j in range((i + colour) % u(2), u(right.shape[1]), u(2)):
                y, x = i + u(1), j + u(1)
                a, b, c, d = pulled(right, theta, image, moments, half, i, j)
                a, b, c, d = times(inverses, i, j, a, b, c, d)
                theta[y, x, 0], theta[y, x, 1], theta[y, x, 2], theta[y, x, 3] = a, b, c, d
                a, b, c, d = times(moments, i, j, a, b, c, d)
                image[y, x, 0], image[y, x, 1], image[y, x, 2], image[y, x, 3] = a, b, c, d


@kernel(
    reads(f64, 3), reads(f64, 3), reads(f64, 3), f64, reads(f64, 3), reads(f64, 3),
    writes(f64, 3), u64, u64,
)  # fmt: skip
def _residual(right, moments, blocks, half, theta, image, residual, start, stop):  # type: ignore[no-untyped-def]
    """Rows [start, stop) of the residual."""
    for i in range(start, stop):
        for j in range(u(right.shape[1])):
            y, x = i + u(1), j + u(1)
            a, b, c, d = pulled(right, theta, image, moments, half, i, j)
            own = times(
                blocks, i, j, theta[y, x, 0], theta[y, x, 1], theta[y, x, 2], theta[y, x, 3]
            )
            residual[i, j, 0], residual[i, j, 1] = a - own[0], b - own[1]
            residual[i, j, 2], residual[i, j, 3] = c - own[2], d - own[3]


@inline
def other_parent(place, length):  # type: ignore[no-untyped-def]
    """The coarse cell that a fine one takes a quarter from; at a border its own."""
    other = place // 2 + (1 if place % 2 else -1)
    return min(max(other, 0), length - 1)


@kernel(reads(f64, 3), reads(f64, 3), writes(f64, 3), writes(f64, 3), i64, i64)
def _correct(coarse, moments, theta, image, start, stop):  # type: ignore[no-untyped-def]
    """Rows [start, stop): add what the coarser level found, interpolated; renew M theta."""
    for i in range(start, stop):
        up, across = i // 2, other_parent(i, coarse.shape[0])
        for j in range(moments.shape[1]):
            left, right = j // 2, other_parent(j, coarse.shape[1])
            y, x = i + 1, j + 1
            for k in range(4):
                theta[y, x, k] += (
                    0.5625 * coarse[up, left, k]
                    + 0.1875 * (coarse[across, left, k] + coarse[up, right, k])
                    + 0.0625 * coarse[across, right, k]
                )
            a, b, c, d = times(
                moments, i, j, theta[y, x, 0], theta[y, x, 1], theta[y, x, 2], theta[y, x, 3]
            )
            image[y, x, 0], image[y, x, 1], image[y, x, 2], image[y, x, 3] = a, b, c, d


@inline
def share_of(fine, coarse, length):  # type: ignore[no-untyped-def]
    """What a fine cell gives to a coarse one along an axis of `length` coarse cells."""
    own = 0.75 if fine // 2 == coarse else 0.0
    return own + (0.25 if other_parent(fine, length) == coarse else 0.0)


@kernel(reads(f64, 3), writes(f64, 3), i64, i64)
def _gather(fine, coarse, start, stop):  # type: ignore[no-untyped-def]
    """Rows [start, stop) of the coarser right-hand side: the transpose of the interpolation."""
    for i in range(start, stop):
        for j in range(coarse.shape[1]):
            for k in range(4):
                coarse[i, j, k] = 0.0
            for y in range(max(2 * i - 1, 0), min(2 * i + 3, fine.shape[0])):
                down = share_of(y, i, coarse.shape[0])
                for x in range(max(2 * j - 1, 0), min(2 * j + 3, fine.shape[1])):
                    part = down * share_of(x, j, coarse.shape[1])
                    for k in range(4):
                        coarse[i, j, k] += part * fine[y, x, k]
