from dataclasses import replace

import numpy as np
import pytest

from stages.forward import (
    Exposure,
    Optics,
    Pose,
    Scenery,
    Sensor,
    Surface,
    Tremor,
    capture_raw,
    photograph,
    still,
)
from stages.forward.drawing import Texture, composed
from stages.forward.exact import photograph_exactly, true_blur
from stages.forward.motion import steps, swing
from stages.forward.placing import Span, spot_variance
from stages.forward.sensor import View
from stages.forward.spread import occupied
from stages.optics import Lens
from stages.strips import limited_workers

PHONE = Optics(
    lens=Lens(focal_length_mm=4.48, f_number=1.8, sensor_diagonal_mm=7.34), nearest_focus_m=0.1
)
VIEW = View(48, 64, 0.005)
F_PX = 4.48 / 0.005


def surface(light, distance_m=1.0, texels_per_rad=1200, **given):
    light = np.asarray(light, np.float32)
    alpha = np.ones(light.shape[:2], np.float32)
    texel_m = distance_m / texels_per_rad
    return Surface(light=light, alpha=alpha, distance_m=distance_m, texel_m=texel_m, **given)


def point(distance_m, **given):
    light = np.zeros((257, 257, 3))
    light[128, 128] = 1
    return Scenery(name="", surfaces=(surface(light, distance_m, **given),), lux=lambda s: 1e6)


def moments(lux):
    """Middle (y, x) from the axis, and variances, of the green plane."""
    green = lux[..., 1].astype(float)
    axes = np.indices(green.shape) - (np.array(green.shape) - 1).reshape(2, 1, 1) / 2
    middle = [(axis * green).sum() / green.sum() for axis in axes]
    return middle, [
        ((axis - m) ** 2 * green).sum() / green.sum() for axis, m in zip(axes, middle, strict=True)
    ]


def test_light_on_the_sensor_is_that_of_the_camera_equation():
    scenery = Scenery(name="", surfaces=(surface(np.full((99, 99, 3), 0.18)),), lux=lambda s: 1000)
    lux = photograph(scenery, still(), PHONE, 0.0, VIEW)
    np.testing.assert_allclose(lux, 0.18 * 1000 * 0.9 / (4 * 1.8**2), rtol=1e-5)


@pytest.mark.parametrize(("focus_dpt", "distance_m"), [(0, 0.25), (1, 0.4), (5, 3), (8, 0.3)])
@pytest.mark.parametrize("picture", [photograph, photograph_exactly])
def test_the_image_of_a_point_has_the_variance_of_its_disk(picture, focus_dpt, distance_m):
    diameter = abs(PHONE.blur_mm(focus_dpt, distance_m)) / VIEW.pitch_mm
    expected = diameter**2 / 16 + spot_variance(PHONE, VIEW)
    found = []
    for part in (0.1, 0.35, 0.6, 0.85):  # of a pixel
        place = (part + 3) * distance_m / F_PX
        scenery = point(distance_m, centre_m=(place, place))
        found.append(moments(picture(scenery, still(), PHONE, focus_dpt, VIEW))[1])
    assert np.mean(found) == pytest.approx(expected, rel=0.04)


def test_projection_of_a_shifted_point_from_a_moved_and_turned_camera():
    scenery = point(2.0, centre_m=(0.02, -0.01))
    pose = still(Pose(x_m=0.005, forward_m=0.5, yaw_rad=0.004, pitch_rad=-0.003))
    v_px = PHONE.image_distance_mm(0.5) / VIEW.pitch_mm
    y, x = moments(photograph(scenery, pose, PHONE, 0.5, VIEW))[0]
    assert x == pytest.approx(v_px * (0.015 / 1.5 - 0.004), abs=0.1)
    assert y == pytest.approx(v_px * (-0.01 / 1.5 + 0.003), abs=0.1)


def test_movement_during_the_exposure_blurs_along_it():
    scenery, speed = point(1.0), 0.4  # rad/s

    def panning(time_s):
        return Pose(yaw_rad=speed * (time_s - 0.01))

    sharp, moved = (
        moments(photograph(scenery, panning, PHONE, 1.0, VIEW, Span(start, exposure)))[1]
        for start, exposure in ((0.01, 0.0), (0.0, 0.02))
    )
    path = speed * 0.02 * F_PX
    assert moved[1] - sharp[1] == pytest.approx(path**2 / 12, rel=0.05)
    assert moved[0] == pytest.approx(sharp[0], rel=0.05)


def test_the_rolling_shutter_bends_what_moves():
    light = np.zeros((301, 301, 3))
    light[:, 145:156] = 1
    scenery = Scenery(name="", surfaces=(surface(light),), lux=lambda s: 1e3)

    def panning(time_s):
        return Pose(yaw_rad=-0.5 * time_s)

    lux = photograph(scenery, panning, PHONE, 1.0, VIEW, Span(0.0, 0.0, 0.02))[..., 1]
    middles = (lux * np.arange(64)).sum(1) / lux.sum(1)
    assert middles[-1] - middles[0] == pytest.approx(0.5 * 0.02 * F_PX, rel=0.02)
    assert np.diff(middles).std() < 0.1


def test_a_nearer_surface_covers_a_farther_one_and_lamps_have_their_own_light():
    alpha = np.zeros((200, 200), np.float32)
    alpha[:, :100] = 1
    near = Surface(
        light=np.full((200, 200, 3), 0.5, np.float32), alpha=alpha, distance_m=0.5,
        texel_m=0.5 / 1200, own_lux=100.0,
    )  # fmt: skip
    far = surface(np.full((99, 99, 3), 0.2), 3.0)
    scenery = Scenery(name="", surfaces=(far, near), lux=steps((0, 1000.0), (1, 10.0)))
    unit = PHONE.relative_light(2.0)
    for time_s, level in ((0, 1000), (2, 10)):
        lux = photograph(scenery, still(), PHONE, 2.0, VIEW, Span(time_s))[..., 1]
        assert lux[:, :20] == pytest.approx(50 * unit, rel=1e-4)
        assert lux[:, -10:] == pytest.approx(0.2 * level * unit, rel=1e-4)


def test_things_move_and_what_is_behind_the_camera_is_not_seen():
    scenery = point(1.0, moves=swing(0.01, 4.0))
    y, x = moments(photograph(scenery, still(), PHONE, 1.0, VIEW, Span(1.0)))[0]
    assert x == pytest.approx(0.01 * PHONE.image_distance_mm(1.0) / 0.005, abs=0.1)
    passed = photograph(scenery, still(Pose(forward_m=1.5)), PHONE, 1.0, VIEW)
    assert not passed.any()


@pytest.fixture(scope="module")
def textured():
    """A far wall, and a square that covers the middle."""
    rng = np.random.default_rng(4)
    far = surface(np.kron(rng.random((40, 50, 3)), np.ones((4, 4, 1))), 3.0)
    light = np.kron(rng.random((20, 20, 3)), np.ones((4, 4, 1))).astype(np.float32)
    alpha = np.zeros((80, 80), np.float32)
    alpha[20:60, 20:60] = 1
    near = Surface(light=light, alpha=alpha, distance_m=0.5, texel_m=0.5 / 1200)
    return Scenery(name="", surfaces=(far, near), lux=lambda s: 500.0)


@pytest.mark.parametrize("focus_dpt", [0.0, 0.33, 2.0, 6.0])
def test_the_fast_form_is_near_the_exact_one(textured, focus_dpt):
    view, inner = View(88, 104, 0.005), (slice(16, -16), slice(16, -16))
    fast = photograph(textured, still(), PHONE, focus_dpt, view)[inner]
    exact = photograph_exactly(textured, still(), PHONE, focus_dpt, view)[inner]
    error = np.sqrt(np.mean((fast - exact) ** 2)) / exact.max()
    assert error < 0.01  # 40 dB in linear light


def test_a_mosaic_has_the_colours_of_its_pixels_and_a_window_is_a_part_of_the_whole(textured):
    every = photograph(textured, still(), PHONE, 2.0, VIEW)
    mosaic = photograph(textured, still(), PHONE, 2.0, VIEW, pattern="GBRG")
    np.testing.assert_array_equal(mosaic[0::2, 1::2], every[0::2, 1::2, 2])
    np.testing.assert_array_equal(mosaic[1::2, 0::2], every[1::2, 0::2, 0])
    part = View(16, 20, 0.005, (4.0, -6.0))
    window = photograph(textured, still(), PHONE, 2.0, part)
    np.testing.assert_allclose(window, every[20:36, 16:36], rtol=2e-3)


def test_truth_says_what_each_pixel_shows_and_how_blurred_it_is(textured):
    truth = true_blur(textured, still(), PHONE, 2.0, View(88, 104, 0.005))
    assert truth.surface[44, 52] == 1 and truth.surface[2, 2] == 0
    assert truth.distance_m[44, 52] == 0.5 and truth.distance_m[2, 2] == 3.0
    assert truth.diameter_px[44, 52] == pytest.approx(0, abs=1e-5)
    assert truth.diameter_px[2, 2] == pytest.approx(PHONE.blur_mm(2.0, 3.0) / 0.005)
    side = np.sqrt((truth.surface == 1).sum())
    v_px = PHONE.image_distance_mm(2.0) / 0.005
    assert side == pytest.approx(40 / 1200 * v_px, abs=1.5)


def test_truth_follows_a_relief():
    light = np.full((64, 64, 3), 0.5, np.float32)
    ramp = np.broadcast_to(np.linspace(1, 2, 64, dtype=np.float32), (64, 64)).copy()
    alpha = np.ones((64, 64), np.float32)
    slope = Surface(light=light, alpha=alpha, distance_m=1.5, texel_m=1.5 / 900, relief_m=ramp)
    scenery = Scenery(name="", surfaces=(slope,))
    nearer = still(Pose(forward_m=0.5))
    truth = true_blur(scenery, nearer, PHONE, 1.0, View(32, 64, 0.005))
    assert truth.distance_m[16, 32] == pytest.approx(1.0, abs=0.01)
    assert (np.diff(truth.distance_m[16, 8:-8]) > 0).all()
    assert truth.diameter_px[16, 8] < 0 < truth.diameter_px[16, -8]


def test_a_raw_frame_is_the_same_on_any_number_of_threads(textured):
    sensor = Sensor(rows=192, cols=64)
    shaken = Tremor(0.002, seed=3).shaken(still())

    def frame():
        exposed = Exposure(0.02, 200)
        return capture_raw(textured, shaken, PHONE, 2.0, sensor, exposed, 0.5, seed=9).mosaic

    first = frame()
    with limited_workers(1):
        np.testing.assert_array_equal(frame(), first)


def test_tremor_has_the_amplitude_asked_for():
    angles = np.array([Tremor(0.003, seed=5).angles(t) for t in np.arange(0, 20, 0.02)])
    assert angles.std(axis=0) == pytest.approx([0.003] * 2, rel=0.15)
    assert Tremor(0.003, seed=6).angles(1.0) != Tremor(0.003, seed=5).angles(1.0)


def test_surfaces_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="light must be HxWx3 and alpha HxW float32"):
        Surface(
            light=np.zeros((9, 9, 3)), alpha=np.ones((9, 9), np.float32), distance_m=1, texel_m=1
        )
    with pytest.raises(ValueError, match="8 texels along each axis"):
        surface(np.zeros((4, 9, 3)))


def test_a_frame_says_the_sensitivity_that_was_used(textured):
    sensor = Sensor(rows=32, cols=32)
    for iso, used in ((1, sensor.base_iso), (1e9, sensor.base_iso * sensor.most_gain)):
        frame = capture_raw(textured, still(), PHONE, 2.0, sensor, Exposure(0.01, iso))
        assert frame.exposure == Exposure(0.01, used)


@pytest.mark.parametrize("step", [0.3, 1.0, 3.7])
def test_what_a_texture_does_not_cover_is_passed_over_without_a_difference(step):
    rng = np.random.default_rng(3)
    planes = rng.random((40, 60, 4)).astype(np.float32)
    rows, cols = np.indices(planes.shape[:2])
    planes[(cols - 30) ** 2 + (rows - 18) ** 2 > 90] = 0  # a disk, and two things at the border
    planes[5, 0], planes[30, -1] = 1, 1
    everything = np.tile(np.array([0, 60]), (40, 1))
    view = View(36, 50, 0.005)
    for shift in rng.uniform(-8, 8, (6, 2)):
        place = shift + np.array([20, 30]) - step * np.array([18, 25])
        first = np.stack([place[0] + step * np.arange(36), np.full(36, place[1])], axis=1)
        quick, slow = (
            composed([Texture(planes, spans, first, step)], [np.ones(4, np.float32)],
                     np.array([0, 1, 1, 2]), view)
            for spans in (occupied(planes), everything)
        )  # fmt: skip
        assert slow.any()
        np.testing.assert_array_equal(quick, slow)


def test_what_is_hidden_everywhere_makes_no_difference(textured):
    front = surface(np.random.default_rng(1).random((300, 300, 3)), 0.3)
    hidden = Scenery(name="", surfaces=(*textured.surfaces, front), lux=lambda s: 1000)
    alone = Scenery(name="", surfaces=(front,), lux=lambda s: 1000)
    for pattern in ("", "RGGB"):
        seen, wanted = (
            photograph(each, still(), PHONE, 2.0, VIEW, pattern=pattern) for each in (hidden, alone)
        )
        np.testing.assert_allclose(seen, wanted, rtol=1e-5)
    holed = replace(front, alpha=front.alpha * (np.arange(300) != 150).astype(np.float32))
    seen = photograph(
        replace(hidden, surfaces=(*textured.surfaces, holed)), still(), PHONE, 2.0, VIEW
    )
    behind = photograph(replace(alone, surfaces=(holed,)), still(), PHONE, 2.0, VIEW)
    assert (seen > behind + 1e-3).any()
