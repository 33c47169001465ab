import numpy as np
import pytest

from camerapipe.synthetic import EPISODE, NOISE_CODES, PULL_FRAMES, SCENES, synthetic_frame

SIZE = (180, 320)


@pytest.mark.parametrize("scene", SCENES)
def test_a_frame_follows_from_its_arguments(scene):
    first = synthetic_frame(scene, 3, SIZE, seed=5)
    synthetic_frame(scene, 31, SIZE, seed=5)  # and not from what was asked before
    again, other = synthetic_frame(scene, 3, SIZE, 5), synthetic_frame(scene, 3, SIZE, 6)
    assert first.picture.shape == (*SIZE, 3) and first.picture.dtype == np.uint8
    assert first.sigma.shape == SIZE and first.sigma.dtype == np.float32
    assert np.array_equal(first.picture, again.picture)
    assert np.array_equal(first.sigma, again.sigma)
    assert not np.array_equal(first.picture, other.picture)


def test_a_static_scene_has_nothing_new_but_noise():
    a, b = (synthetic_frame("static", k, SIZE) for k in (0, 1))
    assert np.array_equal(a.sigma, b.sigma)
    change = a.picture.astype(float) - b.picture
    assert np.std(change) == pytest.approx(NOISE_CODES * np.sqrt(2), rel=0.1)
    assert abs(np.corrcoef(change[:, 1:].ravel(), change[:, :-1].ravel())[0, 1]) < 0.05


def test_focus_steps_from_the_flower_to_the_wall():
    before, after = (synthetic_frame("step", EPISODE - 1 + k, SIZE).sigma for k in (0, 1))
    middle, corner = (80, 160), (4, 4)
    assert before[middle] == after[corner] == before.min() == after.min()
    assert before[corner] == after[middle] == before.max() == after.max()


def test_a_pull_is_smooth_and_comes_back():
    maps = [synthetic_frame("pull", k, SIZE).sigma for k in range(0, PULL_FRAMES // 2 + 1, 4)]
    assert np.abs(np.diff(maps, axis=0)).max() < 0.25 * np.ptp(maps)
    assert np.array_equal(maps[0], synthetic_frame("pull", PULL_FRAMES, SIZE).sigma)


def test_a_pan_moves_what_is_near_further():
    maps = [synthetic_frame("pan", k, SIZE).sigma for k in (0, 30)]
    sharp, half = ([np.nonzero(m == v)[1].min() for m in maps] for v in np.unique(maps[0])[:2])
    assert sharp[0] - sharp[1] > half[0] - half[1] > 0


def test_a_cut_shows_another_scene():
    before, after, later = (synthetic_frame("cut", EPISODE - 1 + k, SIZE).picture for k in range(3))
    assert np.mean(np.abs(before.astype(int) - after)) > 5 * np.mean(np.abs(after - later * 1.0))


def test_blur_is_that_of_the_map():
    known = [synthetic_frame("step", k, SIZE) for k in (0, EPISODE)]
    wall = known[0].sigma > known[0].sigma.max() - 0.1
    detail = [np.abs(np.diff(f.picture[..., 1].astype(float), axis=1))[wall[:, 1:]] for f in known]
    assert detail[0].mean() < 0.75 * detail[1].mean()


@pytest.mark.parametrize(
    "scene, index, size, message",
    [
        ("stattic", 0, SIZE, "synthetic: scene must be one of static, pull"),
        ("static", -1, SIZE, "synthetic: expected an index >= 0"),
        ("static", 0, (8, 200), "at least 16x16 px; got 0, .8, 200."),
    ],
)
def test_mistakes_are_explained(scene, index, size, message):
    with pytest.raises(ValueError, match=message):
        synthetic_frame(scene, index, size)
