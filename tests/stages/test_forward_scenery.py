import numpy as np
import pytest

from stages.forward import (
    SCENERIES,
    Optics,
    Stereo,
    make_scenery,
    photograph,
    rgbd_scenery,
    still,
)  # fmt: skip
from stages.forward.exact import photograph_exactly
from stages.forward.scenery import level_of
from stages.forward.sensor import View
from stages.optics import Lens

PHONE = Optics(lens=Lens(focal_length_mm=4.48, f_number=1.8, sensor_diagonal_mm=7.34))
SMALL = View(72, 128, 0.05)


@pytest.fixture(scope="module")
def portrait():
    return make_scenery("portrait", subject_m=0.6, background_m=4.0, seed=3, texels_per_rad=300)


@pytest.mark.parametrize("name", SCENERIES)
def test_made_scenery_fills_the_picture_and_stands_in_order(name):
    scenery = make_scenery(name, subject_m=0.5, background_m=3.0, texels_per_rad=300)
    distances = [surface.distance_m for surface in scenery.surfaces]
    assert distances == sorted(distances, reverse=True)
    assert scenery.subject_m == 0.5
    assert (scenery.surfaces[0].alpha == 1).all()
    for front in scenery.surfaces[1:]:
        around = np.concatenate([front.alpha[0], front.alpha[:, 0], front.alpha[:, -1]])
        assert not around.any()
    lux = photograph(scenery, still(), PHONE, 2.0, SMALL)
    assert lux.min() > 0 and np.std(lux[..., 1]) > 0.1 * np.mean(lux[..., 1])


def test_a_seed_gives_one_scenery(portrait):
    again = make_scenery("portrait", subject_m=0.6, background_m=4.0, seed=3, texels_per_rad=300)
    other = make_scenery("portrait", subject_m=0.6, background_m=4.0, seed=4, texels_per_rad=300)
    for one, same, different in zip(*(s.surfaces for s in (portrait, again, other)), strict=True):
        np.testing.assert_array_equal(one.light, same.light)
        assert one.light.shape != different.light.shape or (one.light != different.light).any()


def test_levels_of_the_mipmap_keep_light_and_place(portrait):
    alpha = portrait.surfaces[-1].alpha
    y, x = np.indices(alpha.shape)
    total = alpha.sum()
    for number in (1, 3):
        coarse = level_of(portrait.surfaces[-1], number).planes[..., 3]
        side = 2**number
        assert coarse.sum() * side**2 == pytest.approx(total, rel=1e-3)
        rows, cols = np.indices(coarse.shape)
        for axis, fine in ((rows, y), (cols, x)):
            middle = (axis * coarse).sum() / coarse.sum()
            expected = ((fine * alpha).sum() / total + 0.5) / side - 0.5
            assert middle == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "beach"}, "expected one of portrait, still-life, .*; got 'beach'"),
        ({"name": "wall", "subject_m": 7.0}, "subject_m < background_m; got 7.0, 6.0"),
    ],
)
def test_what_cannot_be_made_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        make_scenery(**given)


STEREO = Stereo(focal_px=100.0, baseline_m=0.1)


def two_planes():
    """A near square (disparity 20: 0.5 m) before a far plane (disparity 5: 2 m)."""
    rng = np.random.default_rng(0)
    disparity = np.full((60, 80), 5, np.float32)
    disparity[20:40, 30:50] = 20
    light = rng.random((60, 80, 3)).astype(np.float32)
    light[disparity == 20] *= 0.2
    return light, disparity


def test_disparity_gives_distances_and_hidden_parts_are_filled():
    light, disparity = two_planes()
    disparity[0, 0], disparity[59, 79] = np.nan, np.inf
    scenery = rgbd_scenery(light, disparity, STEREO, slices=6)
    assert [s.distance_m for s in scenery.surfaces] == pytest.approx([2.0, 0.5])
    assert scenery.subject == 1
    far, near = scenery.surfaces
    assert (far.alpha == 1).all() and near.alpha.sum() == 400
    assert far.light[30, 40].min() > 0 and far.relief_m == pytest.approx(2.0)


def test_a_sharp_photograph_of_the_scenery_is_the_picture():
    light, disparity = two_planes()
    scenery = rgbd_scenery(light, disparity, STEREO, lux=1000.0)
    pinhole = Optics(
        lens=Lens(focal_length_mm=1.0, f_number=64, sensor_diagonal_mm=1), breathing=0, spot_um=0.1
    )
    lux = photograph(scenery, still(), pinhole, 1.0, View(60, 80, 0.01))
    seen = lux / (1000 * pinhole.relative_light(1.0))
    inner = (slice(3, -3), slice(3, -3))
    assert np.abs(seen - light)[inner].mean() < 0.12  # linear interpolation softens the noise
    assert np.corrcoef(seen[inner].ravel(), light[inner].ravel())[0, 1] > 0.9


def test_a_stereo_picture_of_scikit_image_becomes_scenery():
    data = pytest.importorskip("skimage.data", reason="needs scikit-image (extra demo)")
    try:
        left, _, disparity = data.stereo_motorcycle()
    except Exception as error:  # it is downloaded on first use
        pytest.skip(f"stereo_motorcycle is not at hand: {type(error).__name__}")
    part = slice(0, 480, 3), slice(0, 720, 3)
    light = np.ascontiguousarray(left[part], np.float32) / 255
    stereo = Stereo(focal_px=994.978 / 3, baseline_m=0.193001, offset_px=31.086 / 3)
    scenery = rgbd_scenery(light, np.asarray(disparity[part] / 3, np.float32), stereo)
    distances = [surface.distance_m for surface in scenery.surfaces]
    assert 1.5 < distances[-1] < distances[0] < 7
    view = View(108, 176, 4.48 / (994.978 / 3) * 4 / 3)
    focus = 1 / scenery.subject_m
    fast = photograph(scenery, still(), PHONE, focus, view)
    exact = photograph_exactly(scenery, still(), PHONE, focus, view)
    inner = (slice(12, -12), slice(12, -12))
    error = np.sqrt(np.mean((fast - exact)[inner] ** 2)) / np.percentile(exact, 99.5)
    assert error < 0.03


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"disparity": np.zeros((60, 80), np.float32)}, "the disparity is known nowhere"),
        ({"disparity": np.ones((6, 8), np.float32)}, "must have one size"),
        ({"slices": 0}, "must be above 0"),
    ],
)
def test_measured_scenery_that_does_not_fit_is_refused(change, message):
    light, disparity = two_planes()
    with pytest.raises(ValueError, match=message):
        rgbd_scenery(**{"linear": light, "disparity": disparity, "stereo": STEREO} | change)
