"""Scenes whose blur is known exactly."""

import numpy as np
import pytest

from datasets.defocus_scenes import (
    CONDITIONS,
    REAL,
    SCENES,
    SENSOR_NOISE,
    SOURCE_SIGMA_PX,
    SYNTHETIC,
    Condition,
    Scene,
    load_scene,
    photograph,
    through_lens,
)


def test_every_scene_is_real_or_synthetic():
    assert sorted(SCENES) == sorted((*REAL, *SYNTHETIC))
    assert {"motorcycle", "aloe", "teddy", "cones", "china", "astronaut"} == set(REAL)


@pytest.mark.parametrize("name", SYNTHETIC)
def test_synthetic_scenes_need_no_file_and_are_the_same_every_time(name, tmp_path):
    scene, again = (load_scene(name, tmp_path, 4.0) for _ in range(2))
    np.testing.assert_array_equal(scene.linear, again.linear)
    assert scene.linear.dtype == np.float32 and 0 <= scene.linear.min() <= scene.linear.max() <= 1
    assert scene.defocus.min() == 0 and scene.defocus.max() == pytest.approx(4)
    assert 0.05 < np.mean(scene.defocus == 0) < 0.6
    assert scene.sigma.min() == pytest.approx(SOURCE_SIGMA_PX)


@pytest.mark.parametrize("name", REAL)
def test_real_scenes(name, shared_data):
    scene = load_scene(name, shared_data)
    assert scene.linear.shape[:2] == scene.defocus.shape
    assert scene.defocus.max() == pytest.approx(5, abs=0.01)
    assert 0.05 < np.mean(scene.sigma < 0.8) < 0.5


def test_a_scene_whose_files_are_absent_is_none(tmp_path):
    assert load_scene("teddy", tmp_path) is None


@pytest.mark.parametrize("disk", [True, False])
def test_the_lens_leaves_the_plane_in_focus_alone(disk, tmp_path):
    whole = load_scene("ball", tmp_path, 3.0)
    part = np.s_[150:200, 160:232]  # the rim of the ball is at column 180
    scene = Scene("rim", np.ascontiguousarray(whole.linear[part]), whole.defocus[part].copy())
    light = through_lens(scene, disk=disk)
    np.testing.assert_allclose(light[:, 40:60], scene.linear[:, 40:60], atol=1e-3)
    assert light[:, :14].std() < 0.9 * scene.linear[:, :14].std()


@pytest.mark.parametrize("condition", [*CONDITIONS, SENSOR_NOISE], ids=lambda c: c.name)
def test_conditions(condition):
    light = np.full((64, 96, 3), 0.2, np.float32)
    picture = photograph(light, condition)
    assert picture.shape == light.shape and picture.dtype == np.uint8
    assert picture.mean() == pytest.approx(255 * 0.4845, abs=1.5)  # sRGB of 0.2
    assert picture.std() > 0.1 if condition.name != "clean" else picture.std() == 0
    np.testing.assert_array_equal(picture, photograph(light, condition))


def test_noise_has_the_deviation_asked_for():
    grey = np.full((128, 128, 3), 0.2, np.float32)
    codes = photograph(grey, Condition("", noise_codes=4)).std()
    assert codes == pytest.approx(4, rel=0.05)
    dark, bright = (
        photograph(np.full_like(grey, light), Condition("", shot=1e-3)).astype(float) / 255
        for light in (0.1, 0.4)
    )

    def linear_deviation(encoded, light):
        slope = 1.055 / 2.4 * light ** (1 / 2.4 - 1)
        return encoded.std() / slope

    ratio = linear_deviation(bright, 0.4) / linear_deviation(dark, 0.1)
    assert ratio == pytest.approx(2, rel=0.1)  # shot noise grows with the root of light
