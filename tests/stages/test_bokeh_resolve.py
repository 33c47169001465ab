import cv2
import numpy as np
import pytest

from stages.bokeh import ResolveParams, resolve_shown, resolve_transitions, resolve_upsampled
from stages.grid import Grid

DEFAULT = ResolveParams()


def step_map(low=0.0, high=20.0):
    radius = np.full((60, 80), high, np.float32)
    cv2.circle(radius, (40, 30), 18, low, -1)
    return radius


def test_constants_steps_and_slants_stay():
    slant = np.linspace(0, 20, 80, dtype=np.float32) * np.ones((60, 1), np.float32)
    for radius in (np.full((60, 80), 7, np.float32), step_map(), slant):
        np.testing.assert_array_equal(resolve_transitions(radius, DEFAULT), radius)


@pytest.mark.parametrize("sigma_px", [1.0, 2.0])
@pytest.mark.parametrize("low", [0.0, 3.0])
def test_a_blurred_step_becomes_a_step_where_it_was(sigma_px, low):
    sharp = step_map(low)
    soft = cv2.GaussianBlur(sharp, (0, 0), sigma_px)
    resolved = resolve_transitions(soft, DEFAULT)
    middle = (low + 20) / 2
    between = np.abs(resolved - middle) < 0.9 * (20 - middle)
    assert np.count_nonzero(np.abs(soft - middle) < 0.9 * (20 - middle)) > 100
    assert np.count_nonzero(between) == 0
    moved = (resolved < middle) != (sharp < middle)
    assert moved.mean() < 0.01


def test_a_steep_slope_that_goes_on_is_not_cut():
    flat, rise = np.zeros(30), np.linspace(0, 40, 41)
    profile = np.concatenate([flat, rise, np.full(29, 40.0)])
    noise = np.random.default_rng(0).normal(0, 0.3, (60, 100))
    slope = np.maximum(profile + cv2.GaussianBlur(noise, (0, 0), 1.0), 0).astype(np.float32)
    inner = slice(40, 61)  # the window reaches neither end
    resolved = resolve_transitions(slope, DEFAULT)
    np.testing.assert_allclose(resolved[:, inner], slope[:, inner], atol=0.5)
    steps = np.abs(np.diff(resolved, axis=1))
    assert steps.max() < 6  # of 40 px; the nearer end would be a step of 10


def test_a_wider_outline_needs_a_wider_window():
    soft = cv2.GaussianBlur(step_map(), (0, 0), 4.0)

    def unresolved(window_radius_px):
        resolved = resolve_transitions(soft, ResolveParams(window_radius_px=window_radius_px))
        return np.count_nonzero((resolved > 2) & (resolved < 18))

    assert unresolved(12) == 0
    assert unresolved(3) > 100


def test_what_is_not_a_map_of_radii_is_refused():
    with pytest.raises(ValueError, match="resolve: radius must be HxW float32"):
        resolve_transitions(np.zeros((3, 3)), DEFAULT)
    with pytest.raises(ValueError, match=r"resolve: radius must lie in \[0, 400\] px; got -1..0"):
        resolve_transitions(np.array([[0, -1]], np.float32), DEFAULT)


def upsampled(radius, step, params=DEFAULT):
    return resolve_upsampled(radius, Grid((2, 2), step), params)


def test_the_window_follows_the_step_of_the_grid():
    soft = cv2.GaussianBlur(step_map(), (0, 0), 4.0)
    left = [
        np.count_nonzero((resolved > 2) & (resolved < 18))
        for resolved in (
            upsampled(soft, step, ResolveParams(window_radius_px=3)) for step in (2, 8)
        )
    ]
    assert left[0] > 100 and left[1] < left[0] / 4


def shown(radius, step):
    return resolve_shown(radius, Grid((60, 80), step // 2), DEFAULT)


@pytest.mark.parametrize("resolve", [upsampled, shown])
def test_specks_beside_an_outline_are_taken_off_and_no_others(resolve):
    rng = np.random.default_rng(1)
    specks = np.maximum(cv2.GaussianBlur(rng.normal(0, 2.5, (60, 80)), (0, 0), 1.0), 0)
    subject = step_map(0.0, 30.0) == 0
    inside, outside = (cv2.erode(np.uint8(s), np.ones((7, 7))) > 0 for s in (subject, ~subject))
    grainy = np.where(subject, specks, 30).astype(np.float32)
    found = resolve(grainy, 4)
    np.testing.assert_allclose(found[outside], 30, atol=0.01)
    assert grainy[inside].max() > 1.5 and found[inside].max() < 0.05
    alone = specks.astype(np.float32)  # nothing behind to shine through
    np.testing.assert_array_equal(resolve(alone, 4), alone)


def test_grain_does_not_fray_an_outline():
    rng = np.random.default_rng(2)
    soft = cv2.GaussianBlur(np.repeat(np.float32([[0, 40]]), 60, 0).repeat(50, 1), (0, 0), 2.0)
    grainy = np.maximum(soft + rng.normal(0, 4, soft.shape), 0).astype(np.float32)
    found = upsampled(grainy, 6) > 20
    places = np.argmax(found, axis=1)  # of the outline in every row
    assert np.all(found.sum(axis=1) == 100 - places) and np.ptp(places) <= 4
