"""The coarse model against its formulas, and the cycle and transfers against their adjoints."""

import numpy as np
import pytest

from stages.laplacian import LaplacianParams, apply_system, matting_laplacian
from stages.laplacian.cells import CELL, cell_moments, join
from stages.propagate.coarse import coarse_model
from stages.propagate.cycle import cycle
from stages.propagate.transfer import step, turn
from stages.propagate.two_level import two_level_steps

SHAPES = [(7, 7), (9, 40), (40, 9), (33, 65), (70, 50)]
UPPER = [(a, b) for a in range(4) for b in range(a, 4)]


def picture(shape, seed=0):
    rng = np.random.default_rng(seed)
    steps = np.cumsum(rng.normal(0, 0.05, (*shape, 3)), axis=1)
    return (0.5 + 0.4 * np.sin(steps + rng.normal(0, 0.05, (*shape, 3)))).astype(np.float32)


def prepared(shape, density=0.1, seed=0):
    rng = np.random.default_rng(seed)
    laplacian = matting_laplacian(picture(shape, seed), LaplacianParams())
    weight = (0.3 * (rng.random(shape) < density)).astype(np.float32)
    weight[shape[0] // 2, shape[1] // 2] = 0.3
    return laplacian, weight


def full(ten):
    """4x4 matrices from their ten numbers."""
    out = np.empty((*ten.shape[:-1], 4, 4))
    for k, (a, b) in enumerate(UPPER):
        out[..., a, b] = out[..., b, a] = ten[..., k]
    return out


def extended(laplacian):
    """I~ = (I, 1), HxWx4."""
    planes = [*laplacian.guide.astype(np.float64), np.ones(laplacian.shape)]
    return np.stack(planes, axis=2)


def prolong(laplacian, theta):
    """P theta as the head of `transfer.py` defines it."""

    def hats(length, cells):
        centres = CELL * np.arange(cells) + (CELL - 1) / 2
        return np.stack([np.interp(np.arange(length), centres, row) for row in np.eye(cells)])

    height, width = laplacian.shape
    down, across = hats(height, theta.shape[0]), hats(width, theta.shape[1])
    models = np.einsum("iy,jx,ijk->yxk", down, across, theta)
    return (models * extended(laplacian)).sum(axis=2)


def system_matrix(level):
    """The 5-point system of a level, from its moments and blocks."""
    rows, cols = level.blocks.shape[:2]
    moments = full(level.moments)
    matrix = np.zeros((rows, cols, 4, rows, cols, 4))
    for i, j in np.ndindex(rows, cols):
        matrix[i, j, :, i, j] = full(level.blocks[i, j])
        for y, x in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)):
            if 0 <= y < rows and 0 <= x < cols:
                tie = level.coupling / 2 * (moments[i, j] + moments[y, x])
                matrix[i, j, :, y, x] = -tie
    return matrix.reshape(rows * cols * 4, rows * cols * 4)


@pytest.mark.parametrize("shape", SHAPES)
def test_moments_are_sums_over_cells(shape):
    laplacian, _ = prepared(shape)
    tilde = extended(laplacian)
    finest = full(cell_moments(laplacian.guide)[0])
    for i, j in np.ndindex(finest.shape[:2]):
        cell = tilde[i * CELL : (i + 1) * CELL, j * CELL : (j + 1) * CELL].reshape(-1, 4)
        np.testing.assert_allclose(finest[i, j], cell.T @ cell / CELL**2, atol=1e-12)
    assert laplacian.cells[-1].shape[:2] == (1, 1)


def test_joining_sums_what_exists():
    cells = np.arange(15.0).reshape(3, 5, 1)
    np.testing.assert_array_equal(join(cells)[..., 0], [[12, 20, 13], [21, 25, 14]])


@pytest.mark.parametrize("shape", SHAPES)
def test_blocks_and_inverses(shape):
    laplacian, weight = prepared(shape)
    level = coarse_model(laplacian, weight)[0]
    tilde = extended(laplacian)
    matrix = system_matrix(level)
    np.testing.assert_allclose(matrix, matrix.T)
    ties = np.zeros((4, 4))
    pull = np.outer(*(np.convolve(np.ones(n - 6), np.ones(7)) for n in shape))
    for y, x in np.ndindex(shape):
        felt = weight[y, x] * pull[y, x] / (weight[y, x] + pull[y, x])
        ties += felt * np.outer(tilde[y, x], tilde[y, x])
        ties += laplacian.params.epsilon * np.diag([1, 1, 1, 0])
    equal = np.tile(np.eye(4), (matrix.shape[0] // 4, 1))  # all cells alike: only ties are left
    np.testing.assert_allclose(equal.T @ matrix @ equal, ties, atol=1e-9)
    product = np.einsum("ijab,ijbc->ijac", full(level.blocks), full(level.inverses))
    np.testing.assert_allclose(product, np.broadcast_to(np.eye(4), product.shape), atol=1e-8)


def test_the_coarse_energy_is_nearly_that_of_the_operator():
    """The claim of `coarse.py`: for slowly varying models L is the 5-point system."""
    shape = (120, 160)
    laplacian, _ = prepared(shape)
    weight = np.zeros(shape, np.float32)
    level = coarse_model(laplacian, weight)[0]
    rows, cols = level.blocks.shape[:2]
    y, x = np.mgrid[:rows, :cols] / 16
    theta = np.stack([np.cos(3 * y), np.sin(2 * x + y), y * x, np.cos(x)], axis=2)
    alpha = prolong(laplacian, theta).astype(np.float32)
    energy = apply_system(laplacian, weight, alpha, np.empty_like(alpha))
    inner = theta.ravel() @ system_matrix(level) @ theta.ravel()
    assert 0.7 * inner < energy < 1.05 * inner  # less: windows fit best models, and miss the rim


@pytest.mark.parametrize("shape", SHAPES)
def test_a_cycle_is_symmetric_positive_and_nearly_the_inverse(shape):
    laplacian, weight = prepared(shape)
    levels = coarse_model(laplacian, weight)
    matrix = system_matrix(levels[0])
    cells = levels[0].blocks.shape[:2]
    inverse = np.stack(
        [cycle(levels, unit.reshape(*cells, 4)).ravel() for unit in np.eye(len(matrix))], axis=1
    )
    np.testing.assert_allclose(inverse, inverse.T, atol=1e-9 * np.abs(inverse).max())
    factor = np.linalg.cholesky(matrix)
    spectrum = np.linalg.eigvalsh(factor.T @ inverse @ factor)
    assert spectrum.min() > 0.4 and spectrum.max() < 1.1


@pytest.mark.parametrize("shape", SHAPES)
def test_prolongation_and_its_transpose(shape):
    laplacian, weight = prepared(shape)
    rng = np.random.default_rng(2)
    cells = laplacian.cells[0].shape[:2]
    theta, zeros = rng.normal(size=(*cells, 4)), np.zeros(shape, np.float32)
    direction = zeros.copy()
    turn(laplacian, theta, zeros, weight, 0.0, direction)
    np.testing.assert_allclose(direction, prolong(laplacian, theta), atol=2e-5)
    residual = rng.normal(size=shape).astype(np.float32)
    change = step(laplacian, 0.0, zeros, zeros, weight, zeros.copy(), residual.copy())
    adjoint = float(np.sum(change.restricted * theta))
    assert adjoint == pytest.approx(float(np.sum(residual * prolong(laplacian, theta))), rel=1e-4)


def test_what_a_step_and_a_turn_do_to_the_vectors():
    laplacian, weight = prepared((33, 65))
    rng = np.random.default_rng(3)
    direction, product, sigma, residual = rng.normal(size=(4, 33, 65)).astype(np.float32)
    counts = [np.convolve(np.ones(n - 6), np.ones(7)) for n in (33, 65)]
    diagonal = np.outer(*counts) + weight
    moved, rest = sigma.copy(), residual.copy()
    change = step(laplacian, 0.25, direction, product, weight, moved, rest)
    np.testing.assert_allclose(moved, sigma + 0.25 * direction, atol=1e-6)
    np.testing.assert_allclose(rest, residual - 0.25 * product, atol=1e-6)
    assert change.largest_px == pytest.approx(0.25 * np.abs(direction).max(), rel=1e-6)
    assert change.jacobi == pytest.approx(np.sum(rest.astype(float) ** 2 / diagonal), rel=1e-5)
    turned = direction.copy()
    turn(laplacian, np.zeros_like(change.restricted), rest, weight, 0.5, turned)
    np.testing.assert_allclose(turned, 0.5 * direction + rest / diagonal, rtol=1e-5, atol=1e-6)


def test_the_number_of_steps_does_not_grow_with_the_picture():
    def steps(size):
        laplacian, weight = prepared((size, size), density=0.02)
        data = np.where(np.arange(size) < size // 2, 1, 3) * np.ones((size, size), np.float32)
        data = data.astype(np.float32)
        sigma = np.zeros((size, size), np.float32)
        for count, largest_px in enumerate(two_level_steps(laplacian, weight, data, sigma), 1):
            if largest_px < 0.02:
                return count

    small, large = steps(64), steps(512)
    assert large <= small + 2
