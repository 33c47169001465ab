import numpy as np
import pytest
from scipy.sparse import csc_array
from scipy.sparse.linalg import spsolve

from stages import strips
from stages.grid import BlurMap, Grid
from stages.laplacian import LaplacianParams, apply_laplacian, matting_laplacian
from stages.propagate import PropagateParams, fill, propagate


def scene(shape, seed=0, kind="colour"):
    """A guide of two textured halves, one sharp and one blurred, and data at a tenth of it."""
    rng = np.random.default_rng(seed)
    right = np.arange(shape[1]) >= shape[1] // 2
    guide = 0.2 + 0.5 * right[None, :, None] * [1, 0.5, 0.2] + rng.normal(0, 0.02, (*shape, 3))
    if kind == "noise":
        guide = np.repeat(rng.random((*shape, 1)) > 0.5, 3, axis=2)
    if kind == "flat":
        guide = np.full((*shape, 3), 0.4)
    truth = np.broadcast_to(np.where(right, 3.0, 1.0), shape)
    confidence = rng.integers(1, 4, shape) * (rng.random(shape) < 0.1)
    confidence[shape[0] // 2, shape[1] // 3] = 1
    sigma = np.where(confidence > 0, truth + rng.normal(0, 0.1, shape), 0)
    return guide.astype(np.float32), sparse_map(sigma, confidence)


def sparse_map(sigma, confidence):
    sigma, confidence = np.asarray(sigma, np.float32), np.asarray(confidence, np.float32)
    return BlurMap(sigma, confidence, Grid(sigma.shape))


def points(shape, values):
    sigma, confidence = np.zeros(shape), np.zeros(shape)
    for place, value in values.items():
        sigma[place], confidence[place] = value, 1
    return sparse_map(sigma, confidence)


def solve(guide, constraints, initial=None, dtype=np.float32, **changes):
    laplacian = matting_laplacian(guide, LaplacianParams(), dtype)
    return list(propagate(laplacian, constraints, initial, PropagateParams(**changes)))


def direct(guide, constraints, data_weight):
    """The same system, assembled column by column and factorised."""
    shape = guide.shape[:2]
    laplacian = matting_laplacian(guide, LaplacianParams(), np.float64)
    units = np.eye(shape[0] * shape[1]).reshape(-1, *shape)
    matrix = np.stack([apply_laplacian(laplacian, unit).ravel() for unit in units], axis=1)
    weight = data_weight * constraints.confidence.astype(np.float64)
    system = csc_array(matrix + np.diag(weight.ravel()))
    return spsolve(system, (weight * constraints.sigma).ravel()).reshape(shape)


@pytest.mark.parametrize("start", ["fill", "zero"])
@pytest.mark.parametrize("data_weight", [0.1, 0.5, 20.0])
def test_the_last_map_solves_the_system(start, data_weight):
    guide, constraints = scene((21, 26))
    expected = direct(guide, constraints, data_weight)
    options = {"start": start, "data_weight": data_weight, "iterations": 600, "tolerance_px": 0.0}
    double = solve(guide, constraints, dtype=np.float64, **options)[-1].value.sigma
    single = solve(guide, constraints, **options)[-1].value.sigma
    np.testing.assert_allclose(double, expected, atol=1e-6)
    np.testing.assert_allclose(single, expected, atol=2e-4)


def test_every_estimate_is_complete_and_errors_fall():
    guide, constraints = scene((40, 60))
    truth = direct(guide, constraints, 0.5)
    estimates = solve(guide, constraints, dtype=np.float64, iterations=120, tolerance_px=0.0)
    assert len(estimates) == 1 + 120
    for estimate in estimates:
        blur = estimate.value
        assert blur.is_dense and blur.sigma.dtype == blur.confidence.dtype == np.float32
        assert blur.confidence.max() <= 1 and blur.sigma.min() >= 0
        assert np.isfinite(estimate.residual)
    errors = [np.sqrt(np.mean((e.value.sigma - truth) ** 2)) for e in estimates]
    assert np.all(np.diff(errors) <= 1e-7)
    assert [e.done for e in estimates] == [False] * 120 + [True]
    kept = estimates[3].value.sigma
    assert kept is not estimates[4].value.sigma and np.any(kept != estimates[4].value.sigma)


@pytest.mark.parametrize("start", ["fill", "zero"])
def test_the_stopping_rule_is_honest(start):
    guide, constraints = scene((60, 90), seed=2)
    options = {"start": start, "dtype": np.float64}
    truth = solve(guide, constraints, **options, iterations=3000, tolerance_px=0.0)[-1]
    for tolerance in (0.1, 0.02, 0.005):
        last = solve(guide, constraints, **options, iterations=1000, tolerance_px=tolerance)[-1]
        error = np.sqrt(np.mean((last.value.sigma - truth.value.sigma) ** 2))
        assert last.done and last.residual < tolerance
        assert error < 1.2 * tolerance


def test_the_error_is_exact_when_the_steps_looked_back_on_reach_the_solution():
    guide, constraints = scene((7, 7))
    options = {"dtype": np.float64, "data_weight": 5.0, "tolerance_px": 0.0, "iterations": 19}
    start = np.full((7, 7), 7.0, np.float32)
    estimates = solve(guide, constraints, start, **options)
    solution = direct(guide, constraints, 5.0)
    np.testing.assert_allclose(estimates[-1].value.sigma, solution, atol=1e-4)
    error = np.sqrt(np.mean((start - solution) ** 2))
    assert estimates[-1].residual == pytest.approx(error, rel=1e-6)


def test_reaching_the_cap_is_not_called_done():
    estimates = solve(*scene((40, 60)), iterations=7, steps_per_estimate=3, tolerance_px=1e-6)
    assert len(estimates) == 1 + 2 + 1
    assert not any(e.done for e in estimates)


def test_a_zero_start_hands_out_its_first_map_after_a_step():
    guide, constraints = scene((30, 40))
    first = solve(guide, constraints, iterations=3)[0].value.sigma
    np.testing.assert_array_equal(first, fill(constraints).sigma)
    options = PropagateParams(start="zero", iterations=3)
    laplacian = matting_laplacian(guide, LaplacianParams())
    stepped = next(propagate(laplacian, constraints, None, options)).value.sigma
    assert 0 < stepped.max() < first.max()


def test_a_given_start_goes_before_the_parameter():
    guide, constraints = scene((30, 40))
    solution = solve(guide, constraints, tolerance_px=0.0)[-1].value.sigma
    again = solve(guide, constraints, solution, tolerance_px=0.02)
    np.testing.assert_array_equal(again[0].value.sigma, solution)
    assert np.abs(again[-1].value.sigma - solution).max() < 1e-3


@pytest.mark.parametrize("start", ["fill", "zero"])
@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (7, 7), (6, 40), (9, 40), (33, 65), (130, 71)])
def test_constant_data_makes_a_constant_map(shape, start):
    guide, constraints = scene(shape)
    constraints = sparse_map(2.5 * (constraints.confidence > 0), constraints.confidence)
    options = {"start": start, "iterations": 2000, "tolerance_px": 1e-6}
    for estimate in solve(guide, constraints, **options)[-1:]:
        np.testing.assert_allclose(estimate.value.sigma, 2.5, atol=1e-4)
        assert estimate.done


@pytest.mark.parametrize("start", ["fill", "zero"])
def test_one_constraint_on_a_flat_picture_is_the_map(start):
    guide, _ = scene((100, 140), kind="flat")
    options = {"start": start, "iterations": 2000, "tolerance_px": 0.0}
    last = solve(guide, points((100, 140), {(20, 30): 1.0}), **options)[-1]
    np.testing.assert_allclose(last.value.sigma, 1, atol=1e-4)


def test_constraints_on_a_flat_picture_are_joined_smoothly():
    guide, _ = scene((60, 90), kind="flat")
    values = {(10, 10): 1.0, (50, 80): 3.0, (30, 45): 2.0}
    sigma = solve(guide, points((60, 90), values), iterations=2000, tolerance_px=0.0)[
        -1
    ].value.sigma
    assert sigma.mean() == pytest.approx(2, abs=1e-3)
    assert sigma.min() > 1 and sigma.max() < 3
    assert sigma[10, 10] < sigma[20, 30] < sigma[30, 45] < sigma[40, 60] < sigma[50, 80]


def test_blur_stays_on_its_side_of_an_edge():
    guide, _ = scene((80, 120))
    constraints = points((80, 120), {(40, 20): 1.0, (20, 100): 3.0})
    options = {"data_weight": 1000.0, "iterations": 1500, "tolerance_px": 1e-4}
    sigma = solve(guide, constraints, **options)[-1].value.sigma
    assert np.abs(sigma[:, :58] - 1).max() < 0.5
    assert np.abs(sigma[:, 62:] - 3).max() < 0.5


@pytest.mark.parametrize("shape", [(7, 7), (40, 60)])
def test_no_constraints_give_one_map_of_zeros(shape):
    guide, _ = scene(shape)
    (only,) = solve(guide, points(shape, {}))
    assert only.done and not only.value.sigma.any()
    assert only.value.is_dense


def test_binary_noise_does_not_break_the_solver():
    guide, constraints = scene((30, 41), kind="noise")
    estimates = solve(guide, constraints, iterations=400, tolerance_px=0.0)
    expected = direct(guide, constraints, 0.5)
    assert np.all(np.isfinite([e.residual for e in estimates]))
    np.testing.assert_allclose(estimates[-1].value.sigma, expected, atol=5e-3)


def test_zero_is_data_too():
    guide, _ = scene((20, 30))
    last = solve(guide, points((20, 30), {(5, 5): 0.0}), start="zero")[-1]
    assert last.done and not last.value.sigma.any()


@pytest.mark.parametrize("shape", [(1, 1), (6, 200), (3, 5000)])
def test_a_picture_smaller_than_a_window_gets_the_fill(shape):
    guide, constraints = scene(shape)
    (only,) = solve(guide, constraints, start="zero" if shape[1] == 200 else "fill")
    np.testing.assert_array_equal(only.value.sigma, fill(constraints).sigma)
    assert only.done and only.value.sigma.min() > 0.5


def test_the_number_of_threads_changes_nothing():
    guide, constraints = scene((200, 50))
    before, results = strips.workers(), []
    try:
        for count in (1, 2):
            strips.set_workers(count)
            results.append(solve(guide, constraints, iterations=30)[-1].value.sigma)
    finally:
        strips.set_workers(before)
    np.testing.assert_array_equal(*results)


def test_wrong_input_is_refused_when_called():
    guide, constraints = scene((20, 30))
    laplacian = matting_laplacian(guide, LaplacianParams())
    params = PropagateParams()
    with pytest.raises(ValueError, match=r"start must be \(20, 30\), .*; got \(10, 15\)"):
        propagate(laplacian, constraints, np.zeros((10, 15), np.float32), params)
    with pytest.raises(ValueError, match="start has values that are not finite"):
        propagate(laplacian, constraints, np.full((20, 30), np.nan, np.float32), params)
    with pytest.raises(ValueError, match=r"constraints\.sigma must be"):
        propagate(laplacian, scene((30, 20))[1], None, params)
    for plane in ("sigma", "confidence"):
        bad = scene((20, 30))[1]
        getattr(bad, plane)[2, 3] = np.nan
        with pytest.raises(ValueError, match=rf"constraints\.{plane} has values .* not finite"):
            propagate(laplacian, bad, None, params)


def test_a_fill_is_complete_smooth_and_within_the_data():
    constraints = scene((45, 70))[1]
    data = constraints.confidence > 0
    filled = fill(constraints)
    known = constraints.sigma[data]
    assert filled.is_dense and filled.confidence.max() == 1
    assert filled.sigma.min() >= known.min() - 1e-5 and filled.sigma.max() <= known.max() + 1e-5
    np.testing.assert_allclose(filled.sigma[data], known, rtol=1e-5)
    np.testing.assert_array_equal(filled.confidence[data], 1)
    assert filled.confidence[~data].max() < 1


def test_a_fill_follows_the_nearer_data_and_trusts_it_less_far_away():
    filled = fill(points((64, 64), {(8, 8): 1.0, (56, 56): 3.0}))
    assert filled.sigma[12, 12] < 1.5 and filled.sigma[50, 50] > 2.5
    assert np.abs(np.diff(filled.sigma, axis=1)[20:44]).max() < 0.3
    one = fill(points((64, 256), {(30, 4): 1.0})).confidence[30, 4:]
    near = one[[0, 3, 12, 48, 200]]
    assert np.all(np.diff(near) < 0) and near[-1] > 0


def test_a_weak_sample_gives_way_to_its_neighbours():
    weak = points((32, 32), {(10, k): 2.0 for k in range(32)})
    weak.sigma[10, 16], weak.confidence[10, 16] = 5.0, 0.05
    assert fill(weak).sigma[10, 16] < 2.6
