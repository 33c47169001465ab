import numpy as np
import pytest
from scipy.optimize import minimize

from stages.grid import BlurMap, Grid
from stages.laplacian import LaplacianParams, apply_laplacian, matting_laplacian
from stages.propagate import PropagateParams, propagate, propagate_bounded

SHAPE = (24, 30)


def scene():
    rng = np.random.default_rng(0)
    guide = rng.uniform(0.3, 0.7, (*SHAPE, 3)).astype(np.float32)
    confidence = (rng.random(SHAPE) < 0.1).astype(np.float32)
    sigma = np.where(confidence > 0, rng.uniform(1, 4, SHAPE), 0).astype(np.float32)
    bounded = np.zeros(SHAPE, np.float32)
    bounded[5:12, 8:20] = rng.uniform(0, 1, (7, 12))
    limit = np.where(bounded > 0, rng.uniform(0.5, 3, SHAPE), 0).astype(np.float32)
    grid = Grid(SHAPE)
    return guide, BlurMap(sigma, confidence, grid), BlurMap(limit, bounded, grid)


def bounded_maps(guide, constraints, bounds, start=None, **changes):
    options = PropagateParams(
        **{"start": "zero", "tolerance_px": 1e-5, "iterations": 200, "contradiction_px": 0.0}
        | changes
    )
    laplacian = matting_laplacian(guide, LaplacianParams())
    return list(propagate_bounded(laplacian, constraints, bounds, start, options))


def minimiser(guide, constraints, bounds, params):
    """The energy itself, by a general-purpose optimiser."""
    laplacian = matting_laplacian(guide, LaplacianParams(), np.float64)
    weight = params.data_weight * constraints.confidence.astype(float)
    penalty = params.data_weight * params.bound_weight * bounds.confidence.astype(float)

    def energy(flat):
        alpha = flat.reshape(SHAPE)
        product = apply_laplacian(laplacian, alpha)
        apart, above = alpha - constraints.sigma, np.maximum(alpha - bounds.sigma, 0)
        value = np.sum(alpha * product + weight * apart**2 + penalty * above**2)
        return value, 2 * (product + weight * apart + penalty * above).ravel()

    options = {"maxiter": 20000, "maxfun": 40000, "ftol": 1e-15, "gtol": 1e-8, "maxcor": 50}
    found = minimize(
        energy, np.full(SHAPE, 2.0).ravel(), jac=True, method="L-BFGS-B", options=options
    )
    return found.x.reshape(SHAPE)


def test_the_active_set_finds_the_minimum():
    scene_ = scene()
    last = bounded_maps(*scene_, bound_updates=20)[-1]
    expected = minimiser(*scene_, PropagateParams())
    assert last.done
    np.testing.assert_allclose(last.value.sigma, expected, atol=2e-3)


def test_two_updates_are_nearly_enough_and_warm_starts_end_sooner():
    scene_ = scene()
    exact = bounded_maps(*scene_, bound_updates=20)
    usual = bounded_maps(*scene_)
    assert np.abs(usual[-1].value.sigma - exact[-1].value.sigma).max() < 0.02
    again = bounded_maps(*scene_, start=exact[-1].value.sigma, bound_updates=20)
    np.testing.assert_allclose(again[-1].value.sigma, exact[-1].value.sigma, atol=1e-3)
    assert len(again) < 0.3 * len(exact)


def test_bounds_push_down_only_where_they_act():
    guide, constraints, bounds = scene()
    laplacian = matting_laplacian(guide, LaplacianParams())
    *_, free = propagate(laplacian, constraints, None, PropagateParams(tolerance_px=1e-5))
    loose = BlurMap(np.full(SHAPE, 9, np.float32), bounds.confidence, bounds.grid)
    untouched = bounded_maps(guide, constraints, loose)
    np.testing.assert_allclose(untouched[-1].value.sigma, free.value.sigma, atol=1e-3)
    tight = bounded_maps(guide, constraints, bounds, bound_weight=1000.0, bound_updates=20)[-1]
    over = tight.value.sigma - bounds.sigma
    assert over[bounds.confidence > 0.1].max() < 0.1
    assert (free.value.sigma - bounds.sigma)[bounds.confidence > 0.1].max() > 0.5


def test_only_the_last_is_done_and_the_cap_counts_for_each_solve():
    estimates = bounded_maps(*scene())
    assert [e.done for e in estimates] == [False] * (len(estimates) - 1) + [True]
    capped = bounded_maps(*scene(), iterations=2, bound_updates=1)
    assert not any(e.done for e in capped)
    assert 4 <= len(capped) <= 5


def test_only_the_last_solve_is_exact():
    estimates = bounded_maps(*scene(), tolerance_px=1e-3)
    error = np.array([e.residual for e in estimates])
    *early, final = error[np.append(np.flatnonzero(np.diff(error) > 0.5), error.size - 1)]
    assert len(early) >= 1 and final < 1e-3
    assert all(1e-3 < end < 16e-3 for end in early)
    assert bounded_maps(*scene(), tolerance_px=10.0)[-1].done


def test_bounds_on_another_grid_are_refused():
    guide, constraints, bounds = scene()
    other = BlurMap(bounds.sigma, bounds.confidence, Grid(SHAPE, 2))
    with pytest.raises(ValueError, match="bounds must be on Grid"):
        bounded_maps(guide, constraints, other)
    bounds.sigma[3, 3] = np.nan
    with pytest.raises(ValueError, match="bounds has values that are not finite"):
        bounded_maps(guide, constraints, bounds)


def two_surfaces():
    """Two flat halves of known blur, each with one estimate that belongs to the other."""
    guide = np.full((*SHAPE, 3), 0.3, np.float32)
    guide[:, 15:] = 0.7
    guide += np.random.default_rng(1).normal(0, 0.01, guide.shape).astype(np.float32)
    sigma, confidence = np.zeros(SHAPE, np.float32), np.zeros(SHAPE, np.float32)
    sigma[2::4, 2:15:4], sigma[2::4, 17::4] = 0.5, 5
    confidence[sigma > 0] = 1
    sigma[10, 6], sigma[10, 25], confidence[10, 6], confidence[10, 25] = 5, 0.5, 1, 1
    none = np.zeros(SHAPE, np.float32)
    return guide, BlurMap(sigma, confidence, Grid(SHAPE)), BlurMap(none, none, Grid(SHAPE))


def test_blur_amid_sharp_estimates_loses_its_say_and_sharpness_amid_blur_keeps_it():
    scene_ = two_surfaces()
    obeyed = bounded_maps(*scene_, contradiction_px=0.0)[-1].value.sigma
    doubted = bounded_maps(*scene_, contradiction_px=1.0)[-1].value.sigma
    odd_blur, odd_sharpness = (10, 6), (10, 25)
    assert doubted[odd_blur] - 0.5 < 0.6 * (obeyed[odd_blur] - 0.5)
    assert doubted[odd_sharpness] == pytest.approx(obeyed[odd_sharpness], abs=0.05)
    truth = np.where(np.arange(SHAPE[1]) < 15, 0.5, 5.0)
    assert np.abs(doubted - truth).mean() < 0.95 * np.abs(obeyed - truth).mean()


def test_estimates_that_agree_keep_their_say():
    guide, constraints, bounds = two_surfaces()
    agreed = np.where(np.arange(SHAPE[1]) < 15, 0.5, 5.0) * (constraints.confidence > 0)
    scene_ = (guide, BlurMap(agreed.astype(np.float32), constraints.confidence, Grid(SHAPE)))
    obeyed = bounded_maps(*scene_, bounds, contradiction_px=0.0)[-1].value.sigma
    doubted = bounded_maps(*scene_, bounds)[-1].value.sigma
    np.testing.assert_allclose(doubted, obeyed, atol=0.05)


def test_re_weighting_settles():
    scene_ = two_surfaces()
    exact = bounded_maps(*scene_, contradiction_px=1.0, bound_updates=50)
    again = bounded_maps(
        *scene_, start=exact[-1].value.sigma, contradiction_px=1.0, bound_updates=50
    )
    np.testing.assert_allclose(again[-1].value.sigma, exact[-1].value.sigma, atol=0.02)
    assert len(again) < 0.5 * len(exact)
