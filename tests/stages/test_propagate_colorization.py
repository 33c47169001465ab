import numpy as np
import pytest

from stages.grid import BlurMap, Grid
from stages.laplacian import LaplacianParams, matting_laplacian
from stages.propagate import PropagateParams, propagate
from stages.propagate.colorization import neighbour_deviation


def affinities(luma):
    """Levin et al. 2004, eq. (2), pixel by pixel."""
    matrix = np.eye(luma.size)
    height, width = luma.shape
    for y, x in np.ndindex(luma.shape):
        near = np.s_[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
        variance = max(luma[near].var(), 2e-6)
        weights = np.exp(-((luma - luma[y, x]) ** 2) / (2 * variance))
        mask = np.zeros_like(luma)
        mask[near] = 1
        mask[y, x] = 0
        weights *= mask
        matrix[y * width + x] -= (weights / weights.sum()).ravel()
    return matrix


def test_weights_are_those_of_the_paper():
    luma = np.random.default_rng(0).uniform(0, 1, (7, 9))
    np.testing.assert_allclose(neighbour_deviation(luma).toarray(), affinities(luma), atol=1e-9)


def test_the_map_is_the_minimum():
    rng = np.random.default_rng(1)
    grey = rng.uniform(0.3, 0.7, (9, 11, 1)).astype(np.float32)
    guide = np.ascontiguousarray(np.repeat(grey, 3, axis=2))
    confidence = (rng.random((9, 11)) < 0.2).astype(np.float32)
    sigma = (confidence * rng.uniform(1, 4, (9, 11))).astype(np.float32)
    params = PropagateParams(solver="colorization", iterations=2000, tolerance_px=0.0)
    laplacian = matting_laplacian(guide, LaplacianParams())
    *_, last = propagate(laplacian, BlurMap(sigma, confidence, Grid((9, 11))), None, params)
    matrix = affinities(grey[..., 0].astype(np.float64))
    weight = np.diag(params.data_weight * confidence.ravel().astype(float))
    expected = np.linalg.solve(matrix.T @ matrix + weight, weight @ sigma.ravel())
    np.testing.assert_allclose(last.value.sigma.ravel(), np.maximum(expected, 0), atol=5e-3)


@pytest.mark.parametrize("shape", [(7, 7), (20, 31)])
def test_constant_data_makes_a_constant_map(shape):
    guide = np.full((*shape, 3), 0.5, np.float32)
    confidence = (np.random.default_rng(2).random(shape) < 0.2).astype(np.float32)
    confidence[0, 0] = 1
    params = PropagateParams(solver="colorization", iterations=500, tolerance_px=1e-4)
    laplacian = matting_laplacian(guide, LaplacianParams())
    *_, last = propagate(laplacian, BlurMap(2 * confidence, confidence, Grid(shape)), None, params)
    np.testing.assert_allclose(last.value.sigma, 2, atol=1e-2)
