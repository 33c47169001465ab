"""A camera before a scene: 3A settles, hands override it, pictures follow, all to the bit."""

import functools
import hashlib
import math

import numpy as np
import pytest

import camerapipe
from camerapipe.errors import CaptureError, RequestError
from camerapipe.simulator.requests import NS, CaptureControls, CaptureRequest, Target
from camerapipe.simulator.scenes import make_scene, read_scene
from stages.forward.motion import steps

SIZE = (320, 192)


@functools.cache
def portrait():
    return make_scene("portrait", subject_m=0.4, background_m=4.0, lux=300)


def opened(scene=None, **options):
    options = {"size": SIZE, "seed": 3, "target": "metadata"} | options
    scene = scene or portrait()
    return camerapipe.open_camera("everyday-phone", scene, **options)


def settled(camera, most=40):
    for result in camera:
        meta = result.metadata
        if meta.ae_state == "converged" and meta.af_state == "focused":
            return result
        assert result.frame_number < most
    return None


def test_3a_settles_on_the_subject():
    with opened() as camera:
        meta = settled(camera).metadata
    assert abs(meta.focus_distance_dpt - 2.5) < 0.3  # 0.2 px of blur
    assert abs(math.log2(meta.mean_luma / 0.16)) < 0.15
    assert meta.lens_state == "stationary"


def test_metadata_does_not_depend_on_the_pixels_that_are_asked_for():
    seen = {}
    for target in ("metadata", "picture"):
        with opened(target=target) as camera:
            seen[target] = [result.metadata for result, _ in zip(camera, range(12), strict=False)]
    pictures = {meta.sensor_timestamp_ns: meta for meta in seen["metadata"]}
    assert len(seen["picture"]) == 12
    assert all(pictures.get(m.sensor_timestamp_ns, m) == m for m in seen["picture"])


def test_manual_controls_are_applied_and_given_back():
    with opened() as camera:
        settled(camera)
        camera.set(exposure_time_ns=5_000_000, sensitivity=400, focus_distance_dpt=1.0)
        camera.run(frames=6)
        meta = next(iter(camera)).metadata
        assert (meta.exposure_time_ns, meta.sensitivity) == (5_000_000, 400)
        assert meta.focus_distance_dpt == pytest.approx(1.0, abs=0.01)
        assert (meta.ae_state, meta.af_state) == ("inactive", "inactive")
        camera.set(exposure_time_ns=None, sensitivity=None, focus_distance_dpt=None)
        assert settled(camera, most=100).metadata.focus_distance_dpt == pytest.approx(2.5, abs=0.3)


def test_a_sensitivity_that_the_sensor_does_not_have_is_brought_into_its_range():
    with opened(controls=CaptureControls(exposure_time_ns=1, sensitivity=10**6)) as camera:
        meta = next(iter(camera)).metadata
    assert meta.exposure_time_ns == 10_000 and 1000 < meta.sensitivity < 10_000
    with opened(controls=CaptureControls(sensitivity=1)) as camera:
        assert 50 < next(iter(camera)).metadata.sensitivity < 100


def test_one_manual_value_leaves_the_other_to_auto_exposure():
    with opened() as camera:
        camera.set(exposure_time_ns=20_000_000)
        meta = settled(camera).metadata
    assert meta.exposure_time_ns == 20_000_000
    assert abs(math.log2(meta.mean_luma / 0.16)) < 0.15


def test_brackets_change_only_what_they_vary():
    with opened() as camera:
        settled(camera)
        results = [f.result() for f in camera.exposure_bracket([-2, 0, 2], Target.RAW)]
        products = [r.metadata.exposure_time_ns * r.metadata.sensitivity for r in results]
        assert np.allclose(np.diff(np.log2(products)), 2, atol=0.05)
        assert all(r.metadata.ae_state == "locked" for r in results)
        near, far = (f.result() for f in camera.focus_bracket([4.0, 0.0], Target.RAW))
        assert near.metadata.lens_state == far.metadata.lens_state == "stationary"
        assert near.metadata.focus_distance_dpt == pytest.approx(4.0, abs=0.03)
        assert far.metadata.focus_distance_dpt == pytest.approx(0.0, abs=0.03)


def test_another_focus_point_starts_another_sweep():
    with opened() as camera:
        settled(camera)
        camera.set(focus_point=(20.0, 20.0))
        result = settled(camera, most=100)
    assert result.metadata.focus_distance_dpt < 1.6  # the wall, within a pixel of blur


def test_exposure_follows_a_step_of_light():
    scene = make_scene("portrait", subject_m=0.4, lux=steps((0.0, 1000.0), (1.0, 60.0)))
    with opened(scene) as camera:
        before = settled(camera).metadata
        camera.run(seconds=1.6)
        after = next(iter(camera)).metadata
    change = after.exposure_time_ns * after.sensitivity / before.exposure_time_ns
    assert abs(math.log2(change / before.sensitivity * 60 / 1000)) < 0.2


def digests(workers):
    with opened(target="preview", workers=workers) as camera:
        future = camera.submit([CaptureRequest(target=Target.PICTURE)])[0]
        shown = [result.shown for result, _ in zip(camera, range(3), strict=False)]
        picture = future.result().picture.linear
    parts = [each.image.tobytes() for each in shown] + [picture.tobytes()]
    return [hashlib.sha256(part).hexdigest() for part in parts]


def test_pictures_replay_to_the_byte_on_one_and_two_threads():
    assert digests(1) == digests(2)


def test_a_shot_takes_virtual_time_beside_the_preview():
    with opened() as camera:
        settled(camera)
        camera.set_repeating(CaptureRequest(controls=camera.controls, target=Target.PREVIEW))
        before_s = camera.now_s
        shot = camera.capture().result()
        waited_ms = (camera.now_s - before_s) * 1000
    assert shot.image.shape == (*SIZE[::-1], 3)
    assert shot.report.spent_ms <= waited_ms
    assert shot.report.spent_ms == pytest.approx(sum(s.used_ms for s in shot.report.stages))
    assert shot.capture.meta.exposure_s.value == pytest.approx(
        shot.report.metadata["exposure_s"]["value"]
    )


def test_scenes_are_files(tmp_path):
    path = tmp_path / "scene.toml"
    path.write_text('scenery = "night"\nsubject_m = 0.5\nlux = [[0, 10], [1.0, 40]]\n')
    scenery = read_scene(str(path)).scenery
    assert scenery.subject_m == 0.5
    assert (scenery.lux(0.5), scenery.lux(2.0)) == (10, 40)


def test_a_picture_with_disparity_is_a_scene(tmp_path):
    rng = np.random.default_rng(0)
    disparity = np.full((60, 80), 10.0)
    disparity[20:40, 30:50] = 40.0
    np.save(tmp_path / "disparity.npy", disparity)
    import cv2

    cv2.imwrite(str(tmp_path / "left.png"), rng.integers(0, 256, (60, 80, 3)).astype(np.uint8))
    path = tmp_path / "scene.toml"
    path.write_text(
        'picture = "left.png"\ndisparity = "disparity.npy"\nfocal_px = 100\nbaseline_m = 0.2\n'
    )
    assert read_scene(str(path)).scenery.subject_m == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('scenery = "portrai"', "did you mean 'portrait'"),
        ('scenery = "portrait"\nlux_ = 3', "lux_: there is no such key"),
        ('scenery = "portrait"\nlux = "dark"', "lux: expected a number"),
        ('scenery = "portrait"\nsubject_m = 9', "subject_m < background_m"),
        ("subject_m = 1", "scenery or picture is missing"),
        ('picture = "a.png"', "disparity is missing"),
    ],
)
def test_what_does_not_fit_a_scene_file_is_named(tmp_path, text, match):
    path = tmp_path / "scene.toml"
    path.write_text(text)
    with pytest.raises(RequestError, match=match):
        read_scene(str(path))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"size": (321, 192)}, "even sides"),
        ({"target": "still"}, "still is not one of a preview"),
        ({"speed": "quick"}, "speed 'quick' does not exist"),
        ({"rung": "good-ish"}, "rung 'good-ish' does not exist"),
    ],
)
def test_bad_options_are_named(options, match):
    with pytest.raises(RequestError, match=match):
        opened(**options)


def test_a_scene_file_that_is_absent_is_an_unreadable_input():
    with pytest.raises(CaptureError, match=r"nowhere\.toml: cannot be read"):
        camerapipe.open_camera(scene="nowhere.toml")


def test_controls_of_the_opening_hold_from_the_first_frame():
    controls = CaptureControls(exposure_time_ns=NS // 100, sensitivity=200)
    with opened(controls=controls) as camera:
        meta = next(iter(camera)).metadata
    assert (meta.exposure_time_ns, meta.sensitivity) == (NS // 100, 200)
