"""Edited maps from the history of a solve: as a new solve, with fewer steps."""

import cv2
import numpy as np
import pytest

from stages.grid import BlurMap, Grid
from stages.laplacian import LaplacianParams, matting_laplacian
from stages.propagate import PropagateParams, SolvedMap, SolveHistory, propagate_bounded

SHAPE = (120, 160)


@pytest.fixture(scope="module")
def problem():
    """A textured guide of two halves, noisy data at its edges, bounds on the sharp half."""
    rng = np.random.default_rng(5)
    right = np.arange(SHAPE[1]) >= SHAPE[1] // 2
    guide = 0.3 + 0.4 * right[None, :, None] * [1, 0.6, 0.3] + rng.normal(0, 0.05, (*SHAPE, 3))
    guide = cv2.GaussianBlur(np.clip(guide, 0, 1).astype(np.float32), (0, 0), 1)
    confidence = (rng.random(SHAPE) < 0.08).astype(np.float32)
    sigma = np.where(right, 3.0, 0.7) + rng.normal(0, 0.6, SHAPE)
    data = BlurMap((np.maximum(sigma, 0) * confidence).astype(np.float32), confidence, Grid(SHAPE))
    bounded = np.broadcast_to(~right, SHAPE).astype(np.float32)
    bounds = BlurMap(bounded * np.float32(0.9), bounded * np.float32(0.5), Grid(SHAPE))
    return matting_laplacian(guide, LaplacianParams()), data, bounds


def edited(data, rows, cols, sigma):
    """Data with a stroke."""
    new, confidence = data.sigma.copy(), data.confidence.copy()
    new[rows, cols], confidence[rows, cols] = sigma, 4
    return BlurMap(new, confidence, data.grid)


def solved(problem, data, previous):
    laplacian, _, bounds = problem
    estimates = list(propagate_bounded(laplacian, data, bounds, previous, PropagateParams()))
    assert [each.done for each in estimates] == [False] * (len(estimates) - 1) + [True]
    return estimates[-1].value, len(estimates)


def test_an_empty_history_changes_no_bit(problem):
    plain, _ = solved(problem, problem[1], None)
    kept, _ = solved(problem, problem[1], SolveHistory())
    assert isinstance(kept, SolvedMap) and not isinstance(plain, SolvedMap)
    np.testing.assert_array_equal(plain.sigma, kept.sigma)
    np.testing.assert_array_equal(plain.confidence, kept.confidence)


def test_any_sequence_of_edits_stays_at_a_new_solve(problem):
    rng, data = np.random.default_rng(1), problem[1]
    known, cold_steps = solved(problem, data, SolveHistory())
    steps = []
    for turn in range(6):
        y, x = rng.integers(0, SHAPE[0] - 20), rng.integers(0, SHAPE[1] - 30)
        taken_back = turn == 4  # all strokes at once
        data = problem[1] if taken_back else edited(
            data, slice(y, y + 8), slice(x, x + 24), rng.uniform(0, 4)
        )  # fmt: skip
        known, count = solved(problem, data, known.history)
        steps.append(count)
        apart = np.abs(known.sigma - solved(problem, data, None)[0].sigma)
        assert np.percentile(apart, 99.9) <= 0.05
    assert np.mean(steps) < cold_steps


def test_the_same_data_again_needs_next_to_nothing(problem):
    known, cold_steps = solved(problem, problem[1], SolveHistory())
    again, steps = solved(problem, problem[1], known.history)
    assert steps < cold_steps / 2
    assert np.abs(again.sigma - known.sigma).max() <= 0.02


def test_the_history_of_another_guide_counts_as_empty(problem):
    known, _ = solved(problem, problem[1], SolveHistory())
    turned = np.random.default_rng(0).random((*SHAPE, 3), np.float32)
    other = matting_laplacian(turned, LaplacianParams())
    moved = other, problem[1], problem[2]
    fresh, _ = solved(moved, problem[1], None)
    found, _ = solved(moved, problem[1], known.history)
    np.testing.assert_array_equal(fresh.sigma, found.sigma)
