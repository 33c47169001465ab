import cv2
import numpy as np
import pytest

from stages.bokeh.disk import disk_kernel
from stages.bokeh.reference import render_exact, render_gather, render_scatter

RENDERERS = [render_exact, render_gather, render_scatter]


def picture(rows, cols, seed=0):
    return np.random.default_rng(seed).random((rows, cols, 3), np.float32)


@pytest.mark.parametrize("render", RENDERERS)
@pytest.mark.parametrize("radius_px", [0.8, 2.0, 6.3])
def test_one_radius_is_a_convolution(render, radius_px):
    image = picture(40, 50)
    out = render(image, np.full((40, 50), radius_px, np.float32))
    kernel = disk_kernel(float(np.float32(radius_px)))
    inside = cv2.copyMakeBorder(np.ones((40, 50)), 9, 9, 9, 9, cv2.BORDER_CONSTANT)
    padded = cv2.copyMakeBorder(image.astype(np.float64), 9, 9, 9, 9, cv2.BORDER_CONSTANT)
    seen = cv2.filter2D(inside, -1, kernel)[9:-9, 9:-9, None]
    expected = cv2.filter2D(padded, -1, kernel)[9:-9, 9:-9] / seen
    np.testing.assert_allclose(out, expected, atol=2e-6)


@pytest.mark.parametrize("render", RENDERERS)
def test_constants_stay_and_focus_is_the_input(render):
    radius = np.random.default_rng(1).uniform(0, 9, (24, 30)).astype(np.float32)
    flat = np.full((24, 30, 3), 0.7, np.float32)
    np.testing.assert_allclose(render(flat, radius), flat, rtol=1e-6)
    sharp = picture(24, 30)
    np.testing.assert_array_equal(render(sharp, np.full((24, 30), 0.5, np.float32)), sharp)


def test_only_the_exact_renderer_keeps_subject_and_background_apart():
    radius = np.full((41, 41), 8, np.float32)
    radius[14:27, 14:27] = 0
    subject = radius == 0
    image = np.zeros((41, 41, 3), np.float32)
    image[subject] = 1
    exact = render_exact(image, radius)
    np.testing.assert_array_equal(exact[subject], 1)
    np.testing.assert_array_equal(exact[~subject], 0)
    assert render_gather(image, radius)[20, 12, 0] > 0.3  # the subject glows outwards
    assert render_scatter(image, radius)[20, 14, 0] < 0.8  # the background veils the subject


@pytest.mark.parametrize("render", RENDERERS)
def test_some_bands_of_rows_are_those_of_the_whole(render):
    image = picture(70, 30)
    radius = np.random.default_rng(1).uniform(0, 9, (70, 30)).astype(np.float32)
    some, whole = render(image, radius, every=3), render(image, radius)
    known = np.isfinite(some[:, 0, 0])
    np.testing.assert_array_equal(np.flatnonzero(known), [*range(16), *range(48, 64)])
    np.testing.assert_array_equal(some[known], whole[known])
