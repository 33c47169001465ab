import numpy as np
import pytest

from stages.blur import ConsensusParams, consensus, edge_consensus
from stages.grid import BlurMap, Grid

SHAPE = (60, 80)


def sparse(sigma, known=None, step=1):
    """A map of estimates on cells of 2 x 2 pixels of a view of a step."""
    confidence = np.ones(SHAPE, np.float32) if known is None else known.astype(np.float32)
    grid = Grid.cells((2 * step * SHAPE[0], 2 * step * SHAPE[1]), 2 * step)
    return BlurMap(np.where(confidence > 0, sigma, 0).astype(np.float32), confidence, grid)


def scattered(share=0.2, seed=0):
    return np.random.default_rng(seed).random(SHAPE) < share


def exact(found, params):
    """Mean shift by sums over all pairs, with the kernels that the bilateral grid stands for.

    A vote goes to the two nearest samples of every axis, and the binomial of the grid follows.
    """
    place = np.argwhere(found.confidence > 0)
    x = np.log1p(found.sigma[found.confidence > 0] / (0.3 * found.grid.step / 2))
    cell = params.reach_px / 2

    def kernel(one, other, unit):
        def tent(value):
            value = value / unit
            lower = np.floor(value)
            return lower.astype(int), value - lower

        (i, a), (j, b) = tent(one), tent(other)
        binomial = np.array([1, 4, 6, 4, 1]) / 16
        total = 0.0
        for p, share in ((0, 1 - a), (1, a)):
            for q, other_share in ((0, 1 - b), (1, b)):
                apart = np.abs((i[:, None] + p) - (j[None, :] + q))
                weight = np.where(apart <= 2, binomial[np.clip(2 + apart, 0, 4)], 0)
                total = total + share[:, None] * other_share[None, :] * weight
        return total

    near = kernel(place[:, 0], place[:, 0], cell) * kernel(place[:, 1], place[:, 1], cell)
    mean = x
    for _ in range(2):
        weight = near * kernel(mean, x, params.bandwidth)
        votes = weight.sum(axis=1)
        mean = (weight @ x) / votes
    count = near.sum(axis=1)
    around = np.sqrt(np.maximum(near @ x**2 / count - (near @ x / count) ** 2, 0))
    agreeing = np.sqrt(np.maximum((weight @ x**2) / votes - mean**2, 0))
    deviation = 0.6 * agreeing + 0.4 * around
    return mean, (0.3 + np.abs(x - mean) + deviation) * (1 + 0.5 / votes)


def test_the_grid_equals_the_sum_over_all_pairs():
    params = ConsensusParams(reach_px=16, largest_spread=16)
    rng = np.random.default_rng(1)
    given = sparse(rng.lognormal(0, 0.8, SHAPE), scattered(0.1))
    found = edge_consensus(given, params)
    mean, deviation = exact(given, params)
    known = given.confidence > 0
    np.testing.assert_allclose(found.sigma[known], 0.3 * np.expm1(mean), rtol=2e-4)
    np.testing.assert_allclose(found.confidence[known], (1.1 / deviation) ** 2, rtol=1e-3)


@pytest.mark.parametrize("step", [1, 4])
@pytest.mark.parametrize("sigma", [0.0, 0.5, 3.0, 12.0])
def test_edges_that_agree_stay_as_they_are(sigma, step):
    given = sparse(sigma * step, scattered(), step)
    found = edge_consensus(given, ConsensusParams())
    np.testing.assert_allclose(found.sigma, given.sigma, rtol=1e-3, atol=1e-3)


def test_few_edges_that_agree_are_less_certain_than_many():
    known = scattered(0.3)
    known[:, 40:] = False
    known[30, 70] = True
    found = edge_consensus(sparse(2.0, known), ConsensusParams(largest_spread=16))
    assert 0 < found.confidence[30, 70] < 0.2 * found.confidence[30, 10:30].max()


def test_the_scale_of_a_view_scales_the_result():
    rng = np.random.default_rng(2)
    sigma, known = rng.lognormal(0, 0.7, SHAPE), scattered()
    one = edge_consensus(sparse(sigma, known), ConsensusParams())
    four = edge_consensus(sparse(4 * sigma, known, 4), ConsensusParams())
    np.testing.assert_allclose(four.sigma, 4 * one.sigma, rtol=1e-5)
    np.testing.assert_allclose(four.confidence, one.confidence, rtol=1e-4)


@pytest.mark.parametrize("true", [0.6, 2.0, 6.0])
def test_scatter_of_single_edges_is_averaged(true):
    rng = np.random.default_rng(3)
    given = sparse((0.3 + true) * rng.lognormal(0, 0.35, SHAPE) - 0.3, scattered())
    given = BlurMap(np.maximum(given.sigma, 0) * given.confidence, given.confidence, given.grid)
    found = edge_consensus(given, ConsensusParams())
    kept = found.confidence > 0

    def error(blur):
        return np.abs(blur.sigma[kept] - true).mean()

    assert error(found) < 0.35 * error(given)
    assert kept.sum() > 0.97 * (given.confidence > 0).sum()


def test_two_surfaces_do_not_share():
    rng = np.random.default_rng(4)
    true = np.where(np.arange(SHAPE[1]) < 40, 0.6, 4.0) * np.ones(SHAPE)
    given = sparse(true * rng.lognormal(0, 0.15, SHAPE), scattered())
    found = edge_consensus(given, ConsensusParams())
    kept = found.confidence > 0
    assert np.abs(np.log(found.sigma[kept] / true[kept])).max() < 0.3


def test_where_surfaces_meet_confidence_is_lower():
    true = np.where(np.arange(SHAPE[1]) < 40, 0.6, 4.0) * np.ones(SHAPE)
    found = edge_consensus(sparse(true, scattered()), ConsensusParams(largest_spread=16))
    known = found.confidence > 0
    assert found.confidence[:, 36:44][known[:, 36:44]].max() < 2
    assert found.confidence[:, :10][known[:, :10]].min() > 5


def test_without_edges_there_is_no_consensus():
    found = edge_consensus(sparse(0.0, np.zeros(SHAPE)), ConsensusParams())
    assert not found.confidence.any() and not found.sigma.any()


@pytest.mark.parametrize("rows, workers", [(7, 1), (16, 2)])
def test_strips_and_threads_change_nothing(rows, workers, set_workers, monkeypatch):
    given = sparse(np.random.default_rng(5).lognormal(0, 0.7, SHAPE), scattered(0.3))
    expected = edge_consensus(given, ConsensusParams())
    set_workers(workers)
    run = consensus.run_strips
    monkeypatch.setattr(consensus, "run_strips", lambda work, length: run(work, length, rows))
    found = edge_consensus(given, ConsensusParams())
    np.testing.assert_array_equal(found.sigma, expected.sigma)
    np.testing.assert_array_equal(found.confidence, expected.confidence)
