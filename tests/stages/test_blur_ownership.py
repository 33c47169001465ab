"""Border ownership: an outline has the blur of the nearer surface; the far side has its own."""

import cv2
import numpy as np
import pytest

from stages.blur import OwnershipParams, border_ownership
from stages.grid import BlurMap, Grid

ROWS, COLS, OUTLINE, FAR = 60, 100, 40, 58  # cells; columns of the outline and of a far edge
SHARP, BLURRED = 0.3, 5.0
PLAIN = OwnershipParams()


def scene(far_edge=True, scale=2):
    """A bright sharp surface at the left with edges of its own, before a dark blurred one."""
    sigma = np.zeros((ROWS, COLS), np.float32)
    sigma[:, [20, 30, OUTLINE]] = SHARP
    if far_edge:
        sigma[:, FAR] = BLURRED
    view = np.full((scale * ROWS, scale * COLS), 0.2, np.float32)
    for column, luma in ((0, 0.5), (20, 0.7), (30, 0.8), (OUTLINE, 0.2), (FAR, 0.3)):
        view[:, scale * column :] = luma
    view = cv2.GaussianBlur(np.repeat(view[..., None], 3, axis=2), (0, 0), 1.0)
    grid = Grid.cells(view.shape[:2], scale)
    data = BlurMap(sigma, (sigma > 0).astype(np.float32), grid)
    none = np.zeros(view.shape[:2], np.float32)
    return data, BlurMap(none, none, Grid(view.shape[:2])), view


@pytest.mark.parametrize("scale", [1, 2])
def test_an_outline_moves_to_the_nearer_side_and_the_farther_one_has_its_own_blur(scale):
    found = border_ownership(*scene(scale=scale), PLAIN)
    middle = np.s_[20:40]
    assert not found.confidence[middle, OUTLINE].any()
    np.testing.assert_allclose(found.sigma[middle, OUTLINE - 1], SHARP, rtol=1e-5)
    far = found.sigma[middle, OUTLINE + 2 : OUTLINE + 4]
    np.testing.assert_allclose(far, BLURRED, rtol=1e-4)
    assert found.confidence[middle, OUTLINE + 2].min() > 0.9
    for column, sigma in ((20, SHARP), (30, SHARP), (FAR, BLURRED)):
        np.testing.assert_allclose(found.sigma[:, column], sigma, rtol=1e-6)
        np.testing.assert_allclose(found.confidence[:, column], 1)


def test_edges_of_one_surface_stay_as_they_are():
    data, bounds, view = scene(far_edge=False)
    found = border_ownership(data, bounds, view, PLAIN)
    np.testing.assert_array_equal(found.sigma, data.sigma)
    np.testing.assert_array_equal(found.confidence, data.confidence)


def test_something_thin_before_a_blurred_background_keeps_its_data():
    data, bounds, view = scene()
    sigma = data.sigma.copy()
    sigma[:, [20, 30]] = BLURRED
    thin = BlurMap(sigma, data.confidence, data.grid)
    found = border_ownership(thin, bounds, view, PLAIN)
    np.testing.assert_allclose(found.sigma[20:40, OUTLINE], SHARP)
    np.testing.assert_allclose(found.confidence[20:40, OUTLINE], 1)
    for column in (OUTLINE - 2, OUTLINE + 2):
        np.testing.assert_allclose(found.sigma[20:40, column], BLURRED, rtol=1e-4)


def test_an_edge_between_a_sharper_and_a_softer_one_moves_once():
    data, bounds, view = scene()
    sigma = data.sigma.copy()
    sigma[:, OUTLINE] = 1.5
    sigma[:, FAR] = 20.0
    found = border_ownership(BlurMap(sigma, data.confidence, data.grid), bounds, view, PLAIN)
    middle = np.s_[20:40]
    assert found.confidence.min() == 0 and not found.confidence[middle, OUTLINE].any()
    np.testing.assert_allclose(found.confidence[middle, OUTLINE - 1], 1, rtol=1e-5)
    np.testing.assert_allclose(found.sigma[middle, OUTLINE - 1], 1.5, rtol=1e-5)


def test_an_unsure_edge_does_not_make_a_far_surface():
    data, bounds, view = scene()
    confidence = data.confidence.copy()
    confidence[:, FAR] = 0.05
    found = border_ownership(BlurMap(data.sigma, confidence, data.grid), bounds, view, PLAIN)
    assert found.confidence[20:40, OUTLINE].min() > 0.9


def test_nothing_is_added_where_detail_proves_sharpness():
    data, bounds, view = scene()
    proof = np.zeros_like(bounds.sigma)
    proof[:, 2 * OUTLINE + 2 :] = 1
    found = border_ownership(data, BlurMap(proof, proof, bounds.grid), view, PLAIN)
    assert not found.confidence[:, OUTLINE + 1 : FAR].any()


def test_the_result_follows_the_step_of_the_view():
    data, bounds, view = scene()
    step = 4
    wide = BlurMap(step * data.sigma, step * data.confidence, Grid(data.sigma.shape, 2 * step))
    far = BlurMap(bounds.sigma, bounds.confidence, Grid(bounds.sigma.shape, step))
    found, scaled = (
        border_ownership(data, bounds, view, PLAIN),
        border_ownership(wide, far, view, PLAIN),
    )
    np.testing.assert_allclose(scaled.sigma, step * found.sigma, rtol=1e-5)
    np.testing.assert_allclose(scaled.confidence, step * found.confidence, rtol=1e-5)


def test_without_data_nothing_is_made():
    data, bounds, view = scene()
    empty = BlurMap(np.zeros_like(data.sigma), np.zeros_like(data.sigma), data.grid)
    assert border_ownership(empty, bounds, view, PLAIN) is empty


def test_threads_change_nothing(set_workers):
    rng = np.random.default_rng(3)
    _, bounds, _ = scene()
    view = cv2.GaussianBlur(rng.random((*bounds.sigma.shape, 3), np.float32), (0, 0), 2)
    sigma = np.where(rng.random((ROWS, COLS)) < 0.2, rng.choice([0.3, 3, 8], (ROWS, COLS)), 0)
    sigma = sigma.astype(np.float32)
    data = BlurMap(sigma, (sigma > 0).astype(np.float32), Grid.cells(bounds.sigma.shape, 2))
    made = []
    for count in (1, 2):
        set_workers(count)
        made.append(border_ownership(data, bounds, view, OwnershipParams()))
    np.testing.assert_array_equal(made[0].sigma, made[1].sigma)
    np.testing.assert_array_equal(made[0].confidence, made[1].confidence)
