"""Depth: blur of a wished lens from inverse distances, held against conjugate distances."""

import numpy as np
import pytest

from datasets.depth_files import FOCAL_35MM, FOCAL_MM, FOCUS_M, depth_scene
from stages.bokeh import RadiusParams, Surfaces
from stages.depth import (
    Calibration,
    DepthMap,
    DepthParams,
    WishedLens,
    blur_behind,
    blur_in_front,
    depth_cells,
    depth_grid,
    depth_in_focus,
    either_mask,
    in_front,
    lay_in_front,
    missing_radius,
    radius_behind,
    sided_blur,
    upsample_exact,
    wished_blur,
)
from stages.grid import BlurMap, Grid
from stages.optics import FULL_FRAME_DIAGONAL_MM, Lens

SHAPE = (240, 320)
DIAGONAL_MM = FULL_FRAME_DIAGONAL_MM * FOCAL_MM / FOCAL_35MM
NO_EDGES = Calibration(np.empty(0), np.empty(0), np.inf)


def lens(f_number):
    return Lens(focal_length_mm=FOCAL_MM, f_number=f_number, sensor_diagonal_mm=DIAGONAL_MM)


def picture(shape=SHAPE):
    return np.full((*shape, 3), 0.5, np.float32)


def cells_of(inverse, shape=SHAPE):
    depth = DepthMap(inverse=np.asarray(inverse, np.float32), is_metric=True)
    linear = picture(shape)
    return depth_cells(depth, depth_grid(depth, linear), linear)


def plane(sigma, confidence=1.0):
    sigma = np.asarray(sigma, np.float32)
    return BlurMap(sigma, np.full_like(sigma, confidence), Grid(sigma.shape))


@pytest.mark.parametrize("f_number", [0.1, 1.5])
@pytest.mark.parametrize("focus_m", [FOCUS_M, 3.0])
def test_the_blur_of_the_wished_lens_is_that_of_conjugate_distances(f_number, focus_m):
    scene = depth_scene(SHAPE)
    cells = cells_of(1 / scene.depth_m)
    sigma = wished_blur(cells, 1 / focus_m, WishedLens(shape=SHAPE, lens=lens(f_number))).sigma
    truth = scene.sigma_px(f_number, focus_m)
    assert np.abs(sigma - truth).max() <= 0.01  # measured: 1e-6
    assert truth.min() < 0 < truth.max()  # before the focus and behind it
    assert f_number > 1 or np.abs(truth).max() > 4


def test_a_focus_at_infinity_blurs_everything_in_front():
    far = wished_blur(cells_of([[1.0, 0.0]], (1, 2)), 0.0, WishedLens(shape=(1, 2), lens=lens(1.0)))
    assert far.sigma[0, 0] < 0 and far.sigma[0, 1] == 0
    with pytest.raises(ValueError, match="must exceed the focal length"):
        wished_blur(cells_of([[1.0, 0.0]], (1, 2)), 500.0, WishedLens(shape=(1, 2), lens=lens(1.0)))


def test_without_a_lens_the_range_of_the_depth_has_the_radius_asked_for():
    cells = cells_of(np.tile(np.linspace(0, 7, SHAPE[1]), (SHAPE[0], 1)))
    sigma = wished_blur(cells, 3.5, WishedLens(shape=SHAPE, largest_percent=5)).sigma
    radius = 2 * (sigma.max() - sigma.min())
    assert radius == pytest.approx(0.05 * np.hypot(*SHAPE), rel=0.05)  # but for outliers


@pytest.mark.parametrize("size", [(240, 320), (80, 107), (48, 64), (23, 31), (480, 640)])
def test_depth_of_any_size_lies_where_it_belongs(size):
    """A ramp of depth is the same ramp on the cells: the borders of both are those of the picture.

    Half a sample at the borders is constant.
    """
    ramp = np.tile((np.arange(size[1]) + 0.5) / size[1], (size[0], 1))
    cells = cells_of(ramp)
    assert cells.grid.step == max(min(240 // size[0], 320 // size[1]), 1)
    place = (cells.grid.positions(1) + 0.5) / SHAPE[1]
    inner = (place > 0.5 / size[1]) & (place < 1 - 0.5 / size[1])
    np.testing.assert_allclose(cells.sigma[0, inner], place[inner], atol=1e-6)


class TestFocus:
    cells = cells_of(np.tile(np.linspace(1, 2, SHAPE[1]), (SHAPE[0], 1)))
    evidence = BlurMap(
        np.zeros(SHAPE, np.float32),
        np.tile((np.arange(SHAPE[1]) > 300).astype(np.float32), (SHAPE[0], 1)),
        Grid(SHAPE),
    )

    def found(self, *, point=None, focus=None, calibration=NO_EDGES, **params):
        depth = DepthMap(inverse=self.cells.sigma, is_metric=True, focus=focus)
        params = DepthParams(**params)
        return depth_in_focus(self.cells, depth, calibration, self.evidence, point, params)

    def test_the_person_comes_first(self):
        assert self.found(point=(0, 0), focus=1.5, focus_m=0.8) == 1.25
        assert self.found(point=(0, 120), focus=1.5) == pytest.approx(1.0, abs=0.01)
        assert self.found(point=(319, 239)) == pytest.approx(2.0, abs=0.01)

    def test_then_the_file_the_measured_valley_and_what_is_sharp(self):
        valley = Calibration(np.array([1.0, 1.4, 2.0]), np.array([6.0, 0.0, 5.0]), 1.4)
        assert self.found(focus=1.5, calibration=valley) == 1.5
        assert self.found(calibration=valley) == 1.4
        flat = Calibration(np.array([1.0, 1.4, 2.0]), np.array([0.6, 0.0, 0.5]), 1.4)
        assert self.found(calibration=flat) == self.found() == pytest.approx(1.97, abs=0.01)


def test_the_disk_has_the_variance_that_is_missing():
    wished = plane([[10.0, -10.0, 10.0, 5.0, 0.0, -20.0]])
    blur = plane([[0.0, 0.0, 6.0, 9.0, 3.0, 1.0]])
    radius = missing_radius(wished, blur, 1.0, RadiusParams(strength=5, max_radius_px=400))
    measured = np.maximum(blur.sigma**2 - 1, 0)
    variance = np.maximum(wished.sigma**2 - measured, 0)
    np.testing.assert_allclose(radius**2 / 4, variance, rtol=0.02)
    assert (np.sign(radius) == [[1, -1, 1, 0, 0, -1]]).all()
    assert np.abs(missing_radius(wished, blur, 1.0, RadiusParams(max_radius_px=7))).max() == 7


def soft_outline():
    """Signed blur with a soft outline between a foreground and a background, and a speck."""
    ramp = np.interp(np.arange(60), [0, 28, 32, 59], [-20, -20, 15, 15])
    sigma = np.tile(ramp, (40, 1)).astype(np.float32)
    sigma[20, 50] = 0
    return BlurMap(sigma, np.ones_like(sigma), Grid((40, 60), 4, 1.5))


def test_outlines_become_steps_and_specks_go():
    sided = sided_blur(soft_outline(), DepthParams())
    assert set(np.unique(sided.sigma)) == {-20.0, 15.0}
    full = picture((160, 240))
    behind, front = blur_behind(sided, full), blur_in_front(sided, full)
    assert behind.grid == front.grid == Grid((160, 240))
    assert (behind.sigma == 15).all() and (front.sigma == 20).all()  # each continues
    mask = in_front(sided, full)
    assert mask[80, 100] == 1 and mask[80, 140] == 0
    assert blur_in_front(plane([[1.0]]), picture((1, 1))).sigma.max() == 0


def test_what_is_nearly_in_focus_is_not_in_front():
    near = plane([[-1.0, -20.0, 3.0]])
    full = picture((1, 3))
    assert in_front(near, full).tolist() == [[0, 1, 0]]
    assert blur_behind(near, full).sigma[0, [0, 2]].tolist() == [1, 3]
    assert (blur_in_front(near, full).sigma == 20).all()


def test_what_is_in_front_covers_the_surfaces_behind():
    near, far, share = (np.full((2, 3), value, np.float32) for value in (1, 9, 0.25))
    behind = Surfaces(near, far, share, np.ones((2, 3, 3), np.float32))
    radius, mask = np.full((2, 3), 7, np.float32), np.zeros((2, 3), np.float32)
    assert lay_in_front(behind, radius, mask) is behind
    mask[0] = 1
    both = lay_in_front(behind, radius, mask)
    assert (both.near == [[-7] * 3, [1] * 3]).all() and (both.far == [[0] * 3, [9] * 3]).all()
    assert both.far_share[0].max() == both.far_light[0].max() == 0
    single = lay_in_front(Surfaces.single(near), radius, mask)
    assert (single.near == both.near).all() and not single.has_outlines


def test_a_slope_of_depth_is_no_outline():
    sigma = np.tile(np.linspace(-20, 15, 200, dtype=np.float32), (30, 1))
    sided = sided_blur(plane(sigma), DepthParams())
    assert np.abs(sided.sigma - sigma)[:, 3:-3].max() < 0.01


def test_exact_depth_is_interpolated_with_its_sign():
    low = BlurMap(np.array([[-4.0, 4.0]], np.float32), np.ones((1, 2), np.float32),
                  Grid((1, 2), 4, 1.5))  # fmt: skip
    np.testing.assert_allclose(
        upsample_exact(low, picture((4, 8))).sigma[0], [-4, -4, -3, -1, 1, 3, 4, 4]
    )


def test_a_mask_of_a_person_is_added():
    mask, given = np.float32([[0, 1, 0]]), np.float32([[1, 0, 0]])
    assert either_mask(mask, given).tolist() == [[1, 1, 0]] and either_mask(mask, None) is mask


def test_the_radius_continues_behind_what_is_in_front():
    radius, mask = np.float32([[1, 2, 30, 30, 5]]), np.float32([[0, 0, 1, 1, 0]])
    assert radius_behind(radius, mask).tolist() == [[1, 2, 2, 5, 5]]
    assert radius_behind(radius, mask * 0) is radius
