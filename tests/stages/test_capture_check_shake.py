import cv2
import numpy as np
import pytest

from stages import capture_check as check
from stages.blur import BlurParams, survey
from stages.capture_check import CheckParams, blur_statistics
from stages.capture_check.shake import shake_contrast
from stages.findings import Severity
from stages.tone import linearise
from stages.view import ViewParams, view_at, working_grid

LIMIT = CheckParams().shake_contrast
NOISE = 0.5 / 255


def leaves(seed=0, shape=(480, 640)):
    """Overlapping ellipses of all sizes: edges of every direction, as in natural pictures."""
    rng = np.random.default_rng(seed)
    plane = np.full(shape, 0.5, np.float32)
    for radius in np.sort(3 / rng.random(1500))[::-1]:
        centre = rng.uniform(0, shape[1]), rng.uniform(0, shape[0])
        axes = np.minimum(radius * rng.uniform(0.8, 2, 2), 300)
        colour = rng.uniform(0.1, 0.9)
        cv2.ellipse(plane, (centre, axes, rng.uniform(0, 180)), colour, -1, cv2.LINE_8)
    return plane


def moved(plane, length, degrees):
    kernel = np.zeros((41, 41), np.float32)
    for t in np.linspace(-0.5, 0.5, 400):
        shift = length * t * np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
        spot = np.zeros_like(kernel)
        spot[20, 20] = 1
        kernel += cv2.warpAffine(spot, np.float32([[1, 0, shift[0]], [0, 1, shift[1]]]), (41, 41))
    return cv2.filter2D(plane, -1, kernel / kernel.sum())


def statistics_of(linear, params):
    """Blur statistics on the view of the estimation, as the camera measures them."""
    grid = working_grid(linear, ViewParams())
    view = view_at(linear, grid)
    return blur_statistics(view, survey(view, BlurParams()), grid, params)


def verdict(plane):
    picture = np.repeat(np.clip(plane, 0, 1)[:, :, None], 3, axis=2)
    statistics = statistics_of(linearise(np.ascontiguousarray(picture)), CheckParams())
    return check.judge(statistics, None, CheckParams())[0]


@pytest.mark.parametrize("degrees", [0, 15, 30, 45, 75, 90, 120, 160])
@pytest.mark.parametrize("length", [8, 15, 25])
def test_motion_is_found_in_every_direction(length, degrees):
    assert shake_contrast(moved(leaves(), length, degrees), NOISE) > LIMIT


def test_contrast_grows_with_the_length_of_the_track():
    plane = leaves()
    found = [shake_contrast(moved(plane, length, 30), NOISE) for length in (1, 3, 5, 8)]
    assert np.all(np.diff(found) > 0.1)


@pytest.mark.parametrize("sigma", [0.0, 0.7, 1.5, 3.0, 6.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_blur_that_is_the_same_in_all_directions_is_no_shake(sigma, seed):
    plane = leaves(seed)
    blurred = cv2.GaussianBlur(plane, (0, 0), sigma) if sigma else plane
    assert shake_contrast(blurred, NOISE) < LIMIT / 2


def test_noise_has_no_direction():
    rng = np.random.default_rng(3)
    plane = (0.5 + 0.02 * rng.standard_normal((480, 640))).astype(np.float32)
    assert shake_contrast(plane, 0.02) < 0.2


def test_a_sharp_subject_before_reeds_is_no_shake():
    """Stripes everywhere but on a tenth of the picture, where detail has all directions."""
    rng = np.random.default_rng(4)
    stripes = np.repeat(rng.random((1, 160), np.float32), 480, axis=0).repeat(4, axis=1)
    plane = 0.2 + 0.6 * stripes
    assert shake_contrast(plane, NOISE) > LIMIT
    plane[150:320, 230:420] = leaves()[150:320, 230:420]
    assert shake_contrast(plane, NOISE) < LIMIT


def test_turning_the_picture_changes_nothing():
    plane = moved(leaves(), 12, 20)
    turned = np.ascontiguousarray(plane.T)
    assert shake_contrast(turned, NOISE) == pytest.approx(shake_contrast(plane, NOISE), abs=0.05)


@pytest.mark.parametrize("shape", [(1, 1), (63, 900), (64, 64), (64, 100)])
def test_too_small_a_picture_says_nothing(shape):
    assert shake_contrast(np.zeros(shape, np.float32), NOISE) == 0


def test_a_shaken_picture_warns():
    found = verdict(moved(leaves(), 10, 40))
    assert (found.code, found.severity) == ("shaken", Severity.WARNING)
    assert found.value > found.limit


def test_a_picture_without_anything_sharp_is_stopped_even_if_it_was_shaken():
    found = verdict(cv2.GaussianBlur(moved(leaves(), 40, 0), (0, 0), 2.0))
    assert (found.code, found.severity) == ("shaken", Severity.BLOCKING)
