import numpy as np
import pytest

from datasets.scenes import aloe, day, dead_leaves, flower_matte, hand, night, table
from stages import tone

SHAPE = (120, 180)


def psnr(a, b):
    return -10 * np.log10(np.mean((tone.encode(a) - tone.encode(b)) ** 2))


@pytest.mark.parametrize("make", [day, night, hand, table])
def test_a_name_and_a_seed_give_one_scene(make):
    one, same, other = make(8, SHAPE), make(8, SHAPE), make(8, SHAPE, seed=2)
    for a, b in zip(one, same, strict=True):
        np.testing.assert_array_equal(a, b)
    assert psnr(one.linear, other.linear) < 30


def test_the_truth_keeps_the_subject_and_blurs_the_rest():
    scene = day(12, SHAPE)
    inside = scene.matte == 1
    np.testing.assert_allclose(scene.truth[inside], scene.linear[inside], atol=1e-6)
    assert np.all(scene.radius[scene.matte >= 0.5] == 0)
    assert 0.35 * 12 < scene.radius[scene.matte < 0.5].min() < scene.radius.max() == 12
    assert psnr(scene.truth, scene.linear) < 35


def test_lamps_are_brighter_than_a_display_and_so_are_their_disks():
    scene = night(10, SHAPE)
    assert scene.linear.max() > 2
    assert np.median(scene.linear) < 0.1
    assert scene.truth.max() < scene.linear.max() / 10


def test_leaves_cover_the_picture_and_mattes_are_antialiased():
    leaves = dead_leaves(SHAPE, 3, (1.0, 1.0, 1.0))
    assert 0.1 < tone.encode(leaves).std() < 0.35
    matte = flower_matte(SHAPE)
    assert 0.005 < np.mean((matte > 0) & (matte < 1)) < 0.1


def test_absent_pictures_are_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="aloe: .*aloeL.jpg is missing"):
        aloe(10, folder=tmp_path)
