import cv2
import numpy as np
import pytest

from stages.blur import BlurParams, EvidenceParams, sharpness_evidence, survey
from stages.grid import Grid


def grey(plane):
    return np.repeat(np.clip(plane, 0, 1).astype(np.float32)[:, :, None], 3, axis=2)


def texture(sigma_px, shape=(160, 200)):
    cells = np.random.default_rng(2).uniform(0.2, 0.8, (shape[0] // 5, shape[1] // 5))
    plane = cv2.resize(cells.astype(np.float32), shape[::-1], interpolation=cv2.INTER_NEAREST)
    return cv2.GaussianBlur(plane, (0, 0), sigma_px)


def evidence(view, params=EvidenceParams(), step=1):
    grid = Grid.cells((view.shape[0] * step, view.shape[1] * step), step)
    return sharpness_evidence(view, survey(view, BlurParams()), grid, params)


def noise(codes, shape):
    return np.random.default_rng(3).normal(0, codes / 255, shape)


@pytest.mark.parametrize("sigma", [0.5, 0.8, 1.0])
def test_fine_texture_is_bounded_near_its_blur(sigma):
    found = evidence(grey(texture(sigma) + noise(1, (160, 200))))
    sure = found.confidence > 0.3
    assert sure.mean() > 0.2
    assert sigma - 0.1 < np.median(found.sigma[sure]) < sigma + 0.4


@pytest.mark.parametrize("codes", [1, 3, 6])
def test_neither_blurred_texture_nor_noise_is_evidence(codes):
    blurred = grey(texture(3.0) + noise(codes, (160, 200)))
    assert np.mean(evidence(blurred).confidence > 0.3) < 0.01


def test_a_hair_on_a_blurred_ground_is_found_and_its_surroundings_are_not():
    plane = texture(4.0)
    hair = np.zeros(plane.shape, np.uint8)
    cv2.line(hair, (20, 140), (180, 20), 1, 1, cv2.LINE_AA)
    plane = np.where(cv2.GaussianBlur(hair.astype(np.float32), (0, 0), 0.5) > 0.3, 0.05, plane)
    found = evidence(grey(plane + noise(1, plane.shape)))
    near = cv2.dilate(hair, np.ones((3, 3), np.uint8)) > 0
    away = cv2.dilate(hair, np.ones((9, 9), np.uint8)) == 0
    assert np.mean(found.confidence[near] > 0.3) > 0.6
    assert np.mean(found.confidence[away] > 0.3) < 0.02


def test_beside_a_sharp_silhouette_the_blurred_ground_is_no_evidence():
    plane = texture(4.0)
    plane[:, 100:] = 0.95
    found = evidence(grey(plane + noise(1, plane.shape)))
    assert found.confidence[:, 98:102].max() > 0.3
    assert not np.any(found.confidence[:, :89] > 0.3)
    assert np.mean(found.confidence[:, 89:97] > 0.3) < 0.15


def test_the_rim_of_a_clipped_area_is_no_evidence_but_a_clipped_hair_is():
    light = np.where(np.hypot(*(np.mgrid[:160, :200] - 80)) < 30, 20.0, 0.2)
    lamp = np.minimum(cv2.GaussianBlur(light, (0, 0), 2.0), 1) + noise(1, light.shape)
    assert np.mean(evidence(grey(lamp)).confidence > 0.3) == 0
    hair = np.full((160, 200), 0.4)
    hair[80:83] = 1
    assert np.mean(evidence(grey(hair + noise(1, hair.shape))).confidence[79:84] > 0.3) > 0.5


def test_specks_are_dropped():
    plane = np.full((80, 80), 0.5)
    plane[40, 40] = 0.7
    view = grey(plane)
    assert evidence(view, EvidenceParams(least_area_px=0)).confidence.max() > 0.3
    assert evidence(view).confidence.max() == 0


def test_no_evidence_is_zero_and_a_reduced_view_gives_full_resolution_bounds():
    view = grey(texture(0.8) + noise(1, (160, 200)))
    one, four = evidence(view), evidence(view, step=4)
    assert np.all(one.sigma[one.confidence == 0] == 0)
    sure = one.confidence > 0
    expected = np.sqrt(np.maximum(16 * one.sigma[sure] ** 2 - 15 / 12, 0))
    np.testing.assert_allclose(four.sigma[sure], expected, rtol=1e-5)


@pytest.mark.parametrize("strip_rows, workers", [(1, 1), (7, 2), (30, 1), (64, 2)])
def test_strips_and_threads_change_nothing(strip_rows, workers, set_workers):
    view = grey(texture(0.7, (215, 175)) + noise(2, (215, 175)))[:209, :171]
    view[55:75, 40:90] = 1  # a clipped area across cuts
    whole = evidence(view, EvidenceParams(strip_rows=1000))
    set_workers(workers)
    cut = evidence(view, EvidenceParams(strip_rows=strip_rows))
    assert (whole.confidence > 0.3).sum() > 300
    np.testing.assert_array_equal(cut.sigma, whole.sigma)
    np.testing.assert_array_equal(cut.confidence, whole.confidence)
