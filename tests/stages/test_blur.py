import cv2
import numpy as np
import pytest

from stages import blur
from stages.blur import BlurParams, edges, formula, gradients
from stages.grid import Grid

PAPER = BlurParams(edge_scale_px=1.0, fine_scale_px=0.0, coarse_scale_px=3.0, exact=False)


def step_edge(sigma_px: float, noise: float = 0.0, seed: int = 0, angle: float = 0.35):
    """A straight step of known Gaussian blur, as an encoded grey picture."""
    from scipy.special import ndtr

    y, x = np.mgrid[:96, :96].astype(np.float64) - 47.3
    plane = 0.25 + 0.5 * ndtr((x * np.cos(angle) + y * np.sin(angle)) / sigma_px)
    plane += np.random.default_rng(seed).normal(0, noise, plane.shape)
    return np.repeat(np.clip(plane, 0, 1).astype(np.float32)[:, :, None], 3, axis=2)


def estimate(view, params=BlurParams(), step=1):
    found = blur.survey(view, params)
    grid = Grid.cells((view.shape[0] * step, view.shape[1] * step), step)
    return blur.link_edges(blur.edge_blur(view, found, params), grid)


def median_sigma(view, params=BlurParams()):
    sparse = estimate(view, params)
    inside = sparse.confidence[16:-16, 16:-16] > 0
    assert inside.sum() > 30
    return float(np.median(sparse.sigma[16:-16, 16:-16][inside]))


@pytest.mark.parametrize("sigma", [0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0])
def test_clean_gaussian_steps_are_read_within_a_tenth_of_a_pixel(sigma):
    assert median_sigma(step_edge(sigma)) == pytest.approx(sigma, abs=0.1)


@pytest.mark.parametrize("sigma", [1.0, 2.0, 3.0])
def test_noise_of_five_codes_costs_less_than_a_third_of_a_pixel(sigma):
    assert median_sigma(step_edge(sigma, noise=5 / 255)) == pytest.approx(sigma, abs=0.3)


@pytest.mark.parametrize("sigma", [1.0, 2.0, 3.0])
def test_the_paper_formula_adds_the_variance_of_the_scharr_operator(sigma):
    expected = np.sqrt(sigma**2 + formula.SCHARR_VARIANCE)
    assert median_sigma(step_edge(sigma), PAPER) == pytest.approx(expected, abs=0.05)


def test_noise_sigma_of_white_noise():
    rng = np.random.default_rng(1)
    noise = rng.normal(0.5, 4 / 255, (256, 256, 1)).astype(np.float32)
    found = blur.survey(np.repeat(noise, 3, axis=2), BlurParams())
    assert blur.noise_sigma(found) == pytest.approx(4 / 255, rel=0.05)


@pytest.mark.parametrize("scale, gain", [(0, 0.480), (1, 0.1464), (2, 0.0459), (2.5, 0.0302)])
def test_noise_gain(scale, gain):
    assert gradients.noise_gain(scale) == pytest.approx(gain, rel=0.01)


@pytest.mark.parametrize("scale", [0.0, 0.6, 1.0, 2.0, 2.5])
def test_smoothing_adds_the_variance_that_it_says(scale):
    impulse = np.zeros((31, 31), np.float32)
    impulse[15, 15] = 1
    spread = gradients.smooth(impulse, scale).astype(np.float64).sum(axis=0)
    moment = float(np.sum(spread * (np.arange(31) - 15) ** 2))
    assert gradients.smoothing_variance(scale) == pytest.approx(moment, rel=1e-5, abs=1e-9)
    assert moment == pytest.approx(scale**2, rel=0.03)


def test_no_data_is_confidence_zero_and_a_linear_ramp_is_no_edge():
    ramp = np.broadcast_to(np.linspace(0, 1, 128, dtype=np.float32)[None, :, None], (96, 128, 3))
    sparse = estimate(np.ascontiguousarray(ramp))
    assert np.all(sparse.sigma[sparse.confidence == 0] == 0)
    flat = estimate(np.full((64, 64, 3), 0.5, np.float32))
    assert not flat.confidence.any()


def test_clipped_edges_are_dropped():
    view = np.minimum(step_edge(2.0) * 1.6, 1)
    sparse = estimate(view)
    near = cv2.dilate((view[:, :, 0] >= edges.CLIPPED).astype(np.uint8), np.ones((7, 7))) > 0
    assert near.any() and not sparse.confidence[near].any()


def test_weak_edges_survive_only_with_a_strong_one():
    strength = np.zeros((8, 12), np.uint8)
    strength[2, 1:6] = 1
    strength[2, 6] = 2
    strength[6, 1:6] = 1
    sigma = np.where(strength > 0, 1.5, 0).astype(np.float32)
    sparse = blur.link_edges(blur.EdgeCandidates(sigma, strength), Grid((8, 12)))
    assert sparse.confidence[2, 1:7].all() and not sparse.confidence[6].any()


def test_a_reduced_view_reports_full_resolution_sigma():
    """sigma = sqrt((k s)^2 - (k^2 - 1) / 12); a sample stands for k edge pixels."""
    candidates = blur.EdgeCandidates(np.full((1, 1), 2.0, np.float32), np.full((1, 1), 2, np.uint8))
    sparse = blur.link_edges(candidates, Grid.cells((4, 4), 4))
    assert sparse.sigma[0, 0] == pytest.approx(np.sqrt(64 - 15 / 12))
    assert sparse.confidence[0, 0] == 4


@pytest.mark.parametrize("params", [BlurParams(), PAPER], ids=["ours", "paper"])
@pytest.mark.parametrize("strip_rows, workers", [(1, 1), (7, 2), (33, 1), (64, 2), (500, 2)])
def test_strips_and_threads_change_nothing(params, strip_rows, workers, set_workers):
    rng = np.random.default_rng(3)
    texture = cv2.GaussianBlur(rng.random((211, 173, 3), np.float32), (0, 0), 1.3)
    view = cv2.normalize(texture, None, 0, 1, cv2.NORM_MINMAX)
    whole = estimate(view, params.replace(strip_rows=1000))
    set_workers(workers)
    cut = estimate(view, params.replace(strip_rows=strip_rows))
    assert (whole.confidence > 0).sum() > 500
    np.testing.assert_array_equal(cut.sigma, whole.sigma)
    np.testing.assert_array_equal(cut.confidence, whole.confidence)


def test_clean_up_keeps_constant_sigma_and_reduces_spread():
    view = step_edge(2.0, noise=3 / 255)
    sparse = estimate(view, PAPER)
    clean = blur.clean_sparse(sparse, view, PAPER)
    on = sparse.confidence > 0
    np.testing.assert_array_equal(clean.confidence, sparse.confidence)
    assert clean.sigma[on].std() < sparse.sigma[on].std()
    constant = blur.clean_sparse(
        type(sparse)(on.astype(np.float32) * 2, sparse.confidence, sparse.grid), view, PAPER
    )
    np.testing.assert_allclose(constant.sigma[on], 2, atol=1e-6)


def test_scales_out_of_order_are_refused():
    with pytest.raises(ValueError, match=r"blur\.fine_scale_px: expected less than"):
        BlurParams(fine_scale_px=3.0, coarse_scale_px=2.0)
