"""The estimator of Elder and Zucker, as Bae and Durand fit it, against its definition."""

import cv2
import numpy as np
import pytest
from scipy.special import ndtr

from stages.blur import BlurParams, second_derivative_blur, survey
from stages.blur import second_derivative as room

PARAMS = BlurParams()


def step_view(sigma_px, noise=0.0, angle=0.35, seed=0):
    y, x = np.mgrid[:128, :128].astype(np.float64) - 63.3
    away = x * np.cos(angle) + y * np.sin(angle)
    plane = 0.25 + 0.5 * ndtr(away / sigma_px)
    plane += np.random.default_rng(seed).normal(0, noise, plane.shape)
    return np.repeat(plane.astype(np.float32)[:, :, None], 3, axis=2), away


def median_blur(sigma_px, noise=0.0, angle=0.35):
    view, away = step_view(sigma_px, noise, angle)
    found = second_derivative_blur(view, survey(view, PARAMS), PARAMS)
    at_edge = (found.sigma > 0) & (np.abs(away) < max(2, sigma_px))
    assert np.count_nonzero(at_edge) > 80
    return float(np.median(found.sigma[at_edge]))


@pytest.mark.parametrize("angle", [0.0, 0.35, 0.8])
@pytest.mark.parametrize("sigma", [1.0, 2.0, 3.0, 5.0])
def test_steps_are_read_within_the_spacing_of_the_models(sigma, angle):
    assert median_blur(sigma, angle=angle) == pytest.approx(sigma, rel=0.1, abs=0.1)


@pytest.mark.parametrize("sigma", [1.5, 3.0, 5.0])
def test_noise_costs_a_quarter_of_a_pixel_or_less(sigma):
    assert median_blur(sigma, noise=5 / 255) == pytest.approx(sigma, abs=0.25)


def test_the_fit_agrees_with_the_distance_of_the_extremes():
    """Elder and Zucker: sigma^2 = (d / 2)^2 - s_2^2, without noise."""
    view, _ = step_view(3.0, angle=0.0)
    scale_px = 2.0
    row = room.second_derivative(
        view[..., 0], scale_px, np.ones((128, 128), np.float32), np.zeros((128, 128), np.float32)
    )[64]
    distance = abs(int(row.argmax()) - int(row.argmin()))
    expected = np.sqrt((distance / 2) ** 2 - scale_px**2)
    assert median_blur(3.0, angle=0.0) == pytest.approx(expected, abs=0.6)


@pytest.mark.parametrize("scale_px", [1.0, 2.0, 4.0])
def test_limits_are_those_of_white_noise(scale_px):
    """Standard deviations after Elder and Zucker; sampled Gaussians of 1 px differ slightly."""
    noise, shape = 0.02, (400, 400)
    plane = np.random.default_rng(1).normal(0, noise, shape).astype(np.float32)
    along = np.full(shape, np.sqrt(0.5), np.float32)
    measured = room.second_derivative(plane, scale_px, along, along).std()
    expected = noise / (4 * np.sqrt(np.pi / 3) * scale_px**3)
    assert measured == pytest.approx(expected, rel=0.35 / scale_px**2 + 0.05)
    limit = room.second_derivative_limit(scale_px, noise, plane.size)
    assert limit / expected == pytest.approx(6.8, abs=0.5)  # none of 160 000, with 1e-6


def test_noise_alone_has_no_edges():
    noise = np.random.default_rng(2).normal(0.5, 0.02, (200, 300, 1)).astype(np.float32)
    view = np.repeat(noise, 3, axis=2)
    found = second_derivative_blur(view, survey(view, PARAMS), PARAMS)
    assert np.count_nonzero(found.strength) <= 3


def test_a_weak_edge_is_measured_at_a_larger_scale():
    strong, weak = (
        room.reliable_direction(contrast * step_view(0.5)[0][..., 0], noise=0.02)
        for contrast in (1.0, 0.05)
    )
    flat = [np.count_nonzero(np.hypot(*direction)) for direction in (strong, weak)]
    assert flat[0] > flat[1] > 0
    for along_x, along_y in (strong, weak):
        on = np.hypot(along_x, along_y) > 0
        assert np.hypot(along_x[on], along_y[on]) == pytest.approx(1, abs=1e-5)


def test_models_reach_from_sharp_edges_to_the_largest_blur():
    widths = room.model_widths(2.0, 8.0)
    assert widths[0] == pytest.approx(2) and widths[-1] == pytest.approx(np.hypot(2, 8))
    assert np.all(widths[1:] / widths[:-1] < 2 ** (1 / room.WIDTHS_PER_OCTAVE) + 1e-9)


def test_pictures_smaller_than_a_window():
    for shape in ((3, 3), (5, 90)):
        view = np.full((*shape, 3), 0.5, np.float32)
        view[:, shape[1] // 2 :] = 0.8
        found = second_derivative_blur(view, survey(view, PARAMS), PARAMS)
        assert found.sigma.shape == shape and np.isfinite(found.sigma).all()


def test_turning_the_picture_turns_the_result():
    view = cv2.GaussianBlur(step_view(2.0)[0], (0, 0), 1)
    one, other = (
        second_derivative_blur(v, survey(v, PARAMS), PARAMS).sigma
        for v in (view, np.ascontiguousarray(view.transpose(1, 0, 2)))
    )
    inner = np.s_[2:-2, 2:-2]
    np.testing.assert_allclose(other.T[inner], one[inner], atol=1e-4)
