from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.sparse import csc_array
from scipy.sparse.linalg import spsolve

from stages.grid import BlurMap, Grid
from stages.laplacian import LaplacianParams, apply_laplacian, matting_laplacian
from stages.propagate import PropagateParams, fill, nearness, propagate

SOLVERS = ["two_level", "cg"]
ENOUGH = {"two_level": 40, "cg": 2000}  # steps to the end of what float32 can do


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


def sparse_map(sigma, confidence, step=1):
    sigma, confidence = np.asarray(sigma, np.float32), np.asarray(confidence, np.float32)
    return BlurMap(sigma, confidence, Grid(sigma.shape, step))


def points(shape, values):
    sigma, confidence = np.zeros(shape), np.zeros(shape)
    for place, value in values.items():
        sigma[place], confidence[place] = value, 1
    return sparse_map(sigma, confidence)


def solve(guide, constraints, initial=None, dtype=np.float32, **changes):
    laplacian = matting_laplacian(guide, LaplacianParams(), dtype)
    params = PropagateParams(**{"start": "zero", "data_weight": 0.5} | changes)
    return list(propagate(laplacian, constraints, initial, params))


def direct(guide, constraints, data_weight):
    """The same system, assembled column by column and factorised."""
    shape = guide.shape[:2]
    laplacian = matting_laplacian(guide, LaplacianParams(), np.float64)
    units = np.eye(shape[0] * shape[1]).reshape(-1, *shape)
    matrix = np.stack([apply_laplacian(laplacian, unit).ravel() for unit in units], axis=1)
    weight = data_weight * constraints.confidence.astype(np.float64)
    system = csc_array(matrix + np.diag(weight.ravel()))
    return spsolve(system, (weight * constraints.sigma).ravel()).reshape(shape)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("start", ["fill", "zero"])
@pytest.mark.parametrize("data_weight", [0.1, 20.0])
def test_the_last_map_solves_the_system(solver, start, data_weight):
    guide, constraints = scene((21, 26))
    expected = direct(guide, constraints, data_weight)
    options = {"solver": solver, "start": start, "data_weight": data_weight}
    single = solve(guide, constraints, **options, iterations=ENOUGH[solver], tolerance_px=0.0)[-1]
    np.testing.assert_allclose(single.value.sigma, expected, atol=2e-4)


def test_plain_conjugate_gradients_are_exact_in_float64():
    guide, constraints = scene((21, 26))
    options = {"solver": "cg", "dtype": np.float64, "iterations": 600, "tolerance_px": 0.0}
    last = solve(guide, constraints, **options)[-1].value.sigma
    np.testing.assert_allclose(last, direct(guide, constraints, 0.5), atol=1e-6)


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_estimate_is_complete_and_errors_fall(solver):
    guide, constraints = scene((24, 36))
    truth = direct(guide, constraints, 0.5)
    options = {"solver": solver, "iterations": 20, "start": "fill", "tolerance_px": 0.0}
    estimates = solve(guide, constraints, **options)
    assert len(estimates) == 1 + 20
    for estimate in estimates:
        blur = estimate.value
        assert blur.is_dense and blur.sigma.dtype == blur.confidence.dtype == np.float32
        assert blur.confidence.max() <= 1 and blur.sigma.min() >= 0
        assert np.isfinite(estimate.residual)
    errors = np.array([np.sqrt(np.mean((e.value.sigma - truth) ** 2)) for e in estimates])
    assert errors[-1] < 0.5 * errors[0]
    if solver == "cg":  # the norm in which preconditioned errors fall is not this one
        assert np.all(np.diff(errors) <= 1e-6)
    assert [e.done for e in estimates] == [False] * 20 + [True]
    kept = estimates[3].value.sigma
    assert kept is not estimates[4].value.sigma and np.any(kept != estimates[4].value.sigma)


def test_two_levels_take_a_tenth_of_the_steps():
    guide, constraints = scene((120, 160))
    truth = solve(guide, constraints, iterations=60, tolerance_px=0.0)[-1].value.sigma

    def steps(solver):
        maps = solve(guide, constraints, solver=solver, iterations=300, tolerance_px=0.0)
        errors = [np.mean((e.value.sigma - truth) ** 2) for e in maps]
        return next(k for k, error in enumerate(errors, 1) if error < 1e-3)

    assert steps("two_level") <= 8
    assert steps("cg") > 10 * steps("two_level")


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_stopping_rule_is_honest(solver):
    guide, constraints = scene((60, 90), seed=2)
    truth = solve(guide, constraints, iterations=60, tolerance_px=0.0)[-1]
    for tolerance in (0.1, 0.02, 0.005):
        options = {"solver": solver, "iterations": 1000, "tolerance_px": tolerance}
        last = solve(guide, constraints, **options)[-1]
        error = np.sqrt(np.mean((last.value.sigma - truth.value.sigma) ** 2))
        assert last.done and last.residual < tolerance
        assert error < 1.2 * tolerance


def test_a_coarse_grid_is_done_sooner():
    guide, constraints = scene((60, 90))
    coarse = BlurMap(constraints.sigma, constraints.confidence, Grid((60, 90), 8))
    fine, half, eighth = (
        solve(guide, map_)
        for map_ in (
            constraints,
            BlurMap(coarse.sigma, coarse.confidence, Grid((60, 90), 2)),
            coarse,
        )
    )
    assert len(fine) == len(half) > len(eighth)
    assert 0.02 < eighth[-1].residual < 0.08


def test_the_residual_of_two_levels_is_the_largest_change():
    guide, constraints = scene((50, 70))
    maps = solve(guide, sparse_map(constraints.sigma + 1, constraints.confidence), iterations=4)
    for before, after in zip(maps, maps[1:], strict=False):
        change = np.abs(after.value.sigma - before.value.sigma).max()
        assert after.residual == pytest.approx(change, rel=1e-3)


def test_the_error_is_exact_when_the_steps_looked_back_on_reach_the_solution():
    guide, constraints = scene((7, 7))
    options = {"solver": "cg", "dtype": np.float64, "data_weight": 5.0, "tolerance_px": 0.0}
    start = np.full((7, 7), 7.0, np.float32)
    estimates = solve(guide, constraints, start, **options, iterations=19)
    solution = direct(guide, constraints, 5.0)
    np.testing.assert_allclose(estimates[-1].value.sigma, solution, atol=1e-4)
    error = np.sqrt(np.mean((start - solution) ** 2))
    assert estimates[-1].residual == pytest.approx(error, rel=1e-6)


@pytest.mark.parametrize("solver", SOLVERS)
def test_reaching_the_cap_is_not_called_done(solver):
    options = {"solver": solver, "start": "fill", "steps_per_estimate": 3, "tolerance_px": 1e-6}
    estimates = solve(*scene((40, 60)), iterations=7, **options)
    assert len(estimates) == 1 + 2 + 1
    assert not any(e.done for e in estimates)


def test_a_zero_start_hands_out_its_first_map_after_a_step():
    guide, constraints = scene((30, 40))
    first = solve(guide, constraints, start="fill", iterations=3)[0].value.sigma
    np.testing.assert_array_equal(first, fill(constraints).sigma)
    stepped = solve(guide, constraints, iterations=3)[0].value.sigma
    assert stepped.max() > 0 and np.any(stepped != first)


def test_two_levels_hand_out_the_fill_and_then_go_from_zero():
    guide, constraints = scene((30, 40))
    filled, *rest = solve(guide, constraints, start="fill")
    np.testing.assert_array_equal(filled.value.sigma, fill(constraints).sigma)
    for ours, theirs in zip(rest, solve(guide, constraints), strict=True):
        np.testing.assert_array_equal(ours.value.sigma, theirs.value.sigma)


def test_a_given_start_goes_before_the_parameter():
    guide, constraints = scene((30, 40))
    solution = solve(guide, constraints, tolerance_px=0.0)[-1].value.sigma
    again = solve(guide, constraints, solution, start="fill")
    np.testing.assert_array_equal(again[0].value.sigma, solution)
    assert np.abs(again[-1].value.sigma - solution).max() < 1e-3
    assert len(again) == 2  # the start, and one step that changes nothing


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(
    "shape", [(1, 1), (3, 500), (7, 7), (6, 40), (9, 40), (40, 9), (33, 65), (101, 99), (9, 600)]
)
def test_constant_data_makes_a_constant_map(shape, solver):
    guide, constraints = scene(shape)
    constraints = sparse_map(2.5 * (constraints.confidence > 0), constraints.confidence)
    options = {"solver": solver, "iterations": ENOUGH[solver], "tolerance_px": 1e-5}
    last = solve(guide, constraints, **options)[-1]
    np.testing.assert_allclose(last.value.sigma, 2.5, atol=1e-4)
    assert last.done


@pytest.mark.parametrize("solver", SOLVERS)
def test_one_constraint_on_a_flat_picture_is_the_map(solver):
    guide, _ = scene((100, 140), kind="flat")
    options = {"solver": solver, "iterations": ENOUGH[solver], "tolerance_px": 0.0}
    last = solve(guide, points((100, 140), {(20, 30): 1.0}), **options)[-1]
    np.testing.assert_allclose(last.value.sigma, 1, atol=1e-4)


def test_one_constraint_reaches_across_a_large_flat_picture_at_once():
    guide, _ = scene((500, 700), kind="flat")
    last = solve(guide, points((500, 700), {(20, 30): 1.0}), iterations=10)[-1]
    np.testing.assert_allclose(last.value.sigma, 1, atol=2e-3)


@pytest.mark.parametrize("solver", SOLVERS)
def test_constraints_on_a_flat_picture_are_joined_smoothly(solver):
    guide, _ = scene((60, 90), kind="flat")
    values = {(10, 10): 1.0, (50, 80): 3.0, (30, 45): 2.0}
    options = {"solver": solver, "iterations": ENOUGH[solver], "tolerance_px": 0.0}
    sigma = solve(guide, points((60, 90), values), **options)[-1].value.sigma
    assert sigma.mean() == pytest.approx(2, abs=1e-3)
    assert sigma.min() > 1 and sigma.max() < 3
    assert sigma[10, 10] < sigma[20, 30] < sigma[30, 45] < sigma[40, 60] < sigma[50, 80]


@pytest.mark.parametrize("solver", SOLVERS)
def test_blur_stays_on_its_side_of_an_edge(solver):
    guide, _ = scene((80, 120))
    constraints = points((80, 120), {(40, 20): 1.0, (20, 100): 3.0})
    options = {
        "solver": solver,
        "data_weight": 1000.0,
        "iterations": ENOUGH[solver],
        "tolerance_px": 1e-4,
    }
    sigma = solve(guide, constraints, **options)[-1].value.sigma
    assert np.abs(sigma[:, :58] - 1).max() < 0.5
    assert np.abs(sigma[:, 62:] - 3).max() < 0.5


@pytest.mark.parametrize("shape", [(7, 7), (40, 60)])
def test_no_constraints_give_one_map_of_zeros(shape):
    guide, _ = scene(shape)
    (only,) = solve(guide, points(shape, {}))
    assert only.done and not only.value.sigma.any()
    assert only.value.is_dense


@pytest.mark.parametrize("solver", SOLVERS)
def test_binary_noise_does_not_break_the_solver(solver):
    guide, constraints = scene((30, 41), kind="noise")
    options = {"solver": solver, "iterations": ENOUGH[solver], "tolerance_px": 0.0}
    estimates = solve(guide, constraints, **options)
    expected = direct(guide, constraints, 0.5)
    assert np.all(np.isfinite([e.residual for e in estimates]))
    np.testing.assert_allclose(estimates[-1].value.sigma, expected, atol=5e-3)


@pytest.mark.parametrize("solver", SOLVERS)
def test_zero_is_data_too(solver):
    guide, _ = scene((20, 30))
    last = solve(guide, points((20, 30), {(5, 5): 0.0}), solver=solver)[-1]
    assert last.done and not last.value.sigma.any()


@pytest.mark.parametrize("shape", [(1, 1), (6, 200), (3, 5000)])
def test_a_picture_smaller_than_a_window_gets_the_fill(shape):
    guide, constraints = scene(shape)
    (only,) = solve(guide, constraints)
    np.testing.assert_array_equal(only.value.sigma, fill(constraints).sigma)
    assert only.done and only.value.sigma.min() > 0.5


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_number_of_threads_changes_nothing(solver, set_workers):
    guide, constraints = scene((600, 350))  # enough cells to share among threads
    results = []
    for count in (1, 2, 3):
        set_workers(count)
        results.append(solve(guide, constraints, solver=solver, iterations=6)[-1].value.sigma)
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


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
    double = matting_laplacian(guide, LaplacianParams(), np.float64)
    with pytest.raises(ValueError, match="laplacian must be float32 for two_level"):
        propagate(double, constraints, None, params)
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


def test_nearness_is_the_confidence_of_a_fill_but_for_the_nearest_pixels():
    constraints = points((64, 256), {(30, 4): 1.0, (60, 100): 0.25})
    near, filled = nearness(constraints.confidence), fill(constraints).confidence
    assert near.dtype == np.float32 and near.min() > 0 and near.max() == 1
    assert near[30, 4] == 1 and near[60, 100] >= 0.25
    far = filled < 0.2
    assert far.mean() > 0.5 and np.abs(np.log2(near[far] / filled[far])).max() < 1.2


def test_a_weak_sample_gives_way_to_its_neighbours():
    weak = points((32, 32), {(10, k): 2.0 for k in range(32)})
    weak.sigma[10, 16], weak.confidence[10, 16] = 5.0, 0.05
    assert fill(weak).sigma[10, 16] < 2.6


def test_the_layout_of_arrays_does_not_matter():
    guide, constraints = scene((40, 60))
    turned = [np.asfortranarray(a) for a in (guide, constraints.sigma, constraints.confidence)]
    one = solve(guide, constraints, iterations=3)[-1].value.sigma
    other = solve(turned[0], BlurMap(turned[1], turned[2], constraints.grid), iterations=3)[-1]
    np.testing.assert_array_equal(one, other.value.sigma)


@pytest.mark.parametrize("data_weight", [1e-3, 100.0])
@pytest.mark.parametrize("epsilon", [1e-7, 1.0])
def test_the_ends_of_the_parameters(data_weight, epsilon):
    guide, constraints = scene((40, 60))
    laplacian, double = (
        matting_laplacian(guide, LaplacianParams(epsilon=epsilon), dtype)
        for dtype in (np.float32, np.float64)
    )
    params = PropagateParams(data_weight=data_weight, tolerance_px=0.002)
    *_, last = propagate(laplacian, constraints, None, params)
    exact = params.replace(solver="cg", iterations=3000, tolerance_px=1e-7)
    *_, truth = propagate(double, constraints, None, exact)
    assert last.done
    assert np.abs(last.value.sigma - truth.value.sigma).max() < 0.1


def test_two_solves_at_once_disturb_neither_each_other_nor_their_input():
    guide, constraints = scene((150, 90))
    laplacian = matting_laplacian(guide, LaplacianParams())
    before = [a.copy() for a in (constraints.sigma, constraints.confidence, laplacian.guide)]

    def solved(_):
        *_, last = propagate(laplacian, constraints, None, PropagateParams())
        return last.value.sigma

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(solved, range(2))
    np.testing.assert_array_equal(one, other)
    for array, kept in zip(
        (constraints.sigma, constraints.confidence, laplacian.guide), before, strict=True
    ):
        np.testing.assert_array_equal(array, kept)
