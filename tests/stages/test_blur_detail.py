import numpy as np
import pytest

from stages.blur import keep_detail
from stages.grid import BlurMap, Grid


def blur_map(sigma, confidence, grid=None):
    sigma = np.asarray(sigma, np.float32)
    confidence = np.broadcast_to(np.asarray(confidence, np.float32), sigma.shape).copy()
    return BlurMap(sigma, confidence, grid or Grid(sigma.shape))


def test_a_map_without_evidence_is_kept():
    blur = blur_map(np.full((40, 60), 4.0), 1.0)
    kept = keep_detail(blur, blur_map(np.zeros((40, 60)), 0.0))
    np.testing.assert_array_equal(kept.sigma, blur.sigma)


@pytest.mark.parametrize("step", [1, 4])
def test_detail_pulls_the_map_down_where_it_is_and_never_up(step):
    shape = (40, 60)
    sigma, trust = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    sigma[20, 10:50], trust[20, 10:50] = 0.8 * step, 1  # a hair
    full = (shape[0] * step, shape[1] * step)
    evidence = blur_map(sigma, trust, Grid.cells(full, step))
    background = np.full(full, 6.0 * step, np.float32)
    background[:, : 30 * step] = 0.5
    blur = blur_map(background, 1.0)
    kept = keep_detail(blur, evidence)
    row = round(20.5 * step - 0.5)
    assert kept.sigma[row, 40 * step] < 0.5 * background[row, 40 * step]
    np.testing.assert_array_equal(kept.sigma[: 17 * step], background[: 17 * step])
    np.testing.assert_allclose(kept.sigma[:, : 29 * step], background[:, : 29 * step], atol=1e-6)
    assert np.all(kept.sigma <= blur.sigma)


def test_detail_that_a_sharp_map_explains_does_not_sharpen_the_background():
    shape = (40, 60)
    sigma, trust = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    sigma[:, 29:32], trust[:, 29:32] = 0.8, 1  # evidence on both sides of a silhouette
    blurred = np.full(shape, 6.0)
    subject = blurred.copy()
    subject[:, :30] = 0.8
    evidence = blur_map(sigma, trust, Grid(shape))
    known = keep_detail(blur_map(subject, 1.0), evidence)
    np.testing.assert_array_equal(known.sigma, np.float32(subject))
    unknown = keep_detail(blur_map(blurred, 1.0), evidence)
    assert np.all(unknown.sigma[:, 30] < 2) and np.all(unknown.sigma[:, :20] == 6)


def test_bounds_below_what_a_map_can_tell_make_no_specks():
    shape, rng = (40, 60), np.random.default_rng(0)
    trust = (rng.random(shape) > 0.7).astype(np.float32)
    evidence = blur_map(0.3 * trust, trust, Grid(shape))
    nearly_sharp = blur_map(np.full(shape, 1.1), 1.0)
    np.testing.assert_array_equal(keep_detail(nearly_sharp, evidence).sigma, nearly_sharp.sigma)
    pulled = keep_detail(blur_map(np.full(shape, 5.0), 1.0), evidence).sigma
    assert pulled.min() == pytest.approx(0.8, rel=0.01)


def pulled_by(trust, sigma):
    """How far evidence of 0.8 px where `trust` is 1 pulls a map down."""
    evidence = blur_map(0.8 * trust, trust)
    return sigma - keep_detail(blur_map(sigma, 1.0), evidence).sigma


def test_short_bits_of_detail_on_what_is_blurred_are_no_hairs():
    trust, blurred = np.zeros((60, 80), np.float32), np.full((60, 80), 5, np.float32)
    trust[10:16, 10:16] = 1  # a glint
    trust[40:43, 10:70] = 1  # a hair
    pulled = pulled_by(trust, blurred)
    assert not pulled[:30].any()
    assert np.all(pulled[41, 12:68] > 4)


def test_short_bits_that_something_sharp_is_part_of_are_kept():
    trust, sigma = np.zeros((60, 80), np.float32), np.full((60, 80), 5, np.float32)
    trust[20:23, 20:34] = 1  # the rest of a whisker,
    sigma[:, :26] = 0.8  # which leaves a sharp face
    pulled = pulled_by(trust, sigma)
    assert np.all(pulled[21, 29:33] > 4)
    assert not pulled_by(trust, np.full_like(sigma, 5)).any()
