"""Loaders: made files with known contents, then the published ones."""

import cv2
import numpy as np
import pytest

from datasets.loaders import STEREO, ZHUO_SIM, load_stereo, load_zhuo_sim
from datasets.sources import DataError


@pytest.fixture
def teddy(tmp_path, monkeypatch):
    """A folder with a tiny scene in the form of teddy."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "depth_gt" / "teddy"
    folder.mkdir(parents=True)
    picture = np.zeros((2, 3, 3), np.uint8)
    picture[0, 0] = 10, 20, 30  # BGR
    for name in ("im2.png", "im6.png"):
        cv2.imwrite(str(folder / name), picture)
    cv2.imwrite(str(folder / "disp2.png"), np.array([[0, 4, 10], [200, 8, 0]], np.uint8))
    return tmp_path


def test_pictures_are_rgb_and_disparity_is_in_px(teddy):
    scene = load_stereo("teddy", teddy)
    assert scene.left[0, 0].tolist() == [30, 20, 10] and scene.right.dtype == np.uint8
    np.testing.assert_array_equal(scene.disparity, [[np.nan, 1, 2.5], [50, 2, np.nan]])
    with pytest.raises(DataError, match="no calibration"):
        scene.depth_mm()


def test_broken_and_absent_files_are_named(teddy):
    folder = teddy / "depth_gt" / "teddy"
    cv2.imwrite(str(folder / "disp2.png"), np.ones((5, 5), np.uint8))
    with pytest.raises(DataError, match="teddy: sizes differ"):
        load_stereo("teddy", teddy)
    cv2.imwrite(str(folder / "disp2.png"), np.ones((2, 3, 3), np.uint8))
    with pytest.raises(DataError, match="disp2.png: not a map of disparities"):
        load_stereo("teddy", teddy)
    (folder / "im2.png").write_bytes(b"broken")
    with pytest.raises(DataError, match="im2.png: not a picture"):
        load_stereo("teddy", teddy)
    with pytest.raises(DataError, match="cones/im2.png: not in"):
        load_stereo("cones", teddy)
    with pytest.raises(DataError, match="'tsukuba' does not exist; there are: motorcycle"):
        load_stereo("tsukuba", teddy)
    with pytest.raises(DataError, match="'boy' does not exist; there are: bird"):
        load_zhuo_sim("boy", teddy)


@pytest.mark.parametrize("name", STEREO)
def test_disparity_matches_the_pair(shared_data, name):
    """The right picture, shifted by the disparity, is the left one: far better than unshifted."""
    scene = load_stereo(name, shared_data)
    assert 0.5 < np.mean(np.isfinite(scene.disparity)) <= 1
    rows, cols = np.nonzero(np.isfinite(scene.disparity))
    shifts = np.rint(scene.disparity[rows, cols]).astype(int)
    inside = cols >= shifts
    rows, cols, shifts = rows[inside], cols[inside], shifts[inside]
    left = scene.left[rows, cols].astype(int)
    shifted = np.median(np.abs(left - scene.right[rows, cols - shifts]))
    assert shifted < 0.5 * np.median(np.abs(left - scene.right[rows, cols])), name


def test_the_motorcycle_stands_between_two_and_five_metres(shared_data):
    depth = load_stereo("motorcycle", shared_data).depth_mm()
    near, far = np.nanquantile(depth, [0.01, 0.99])
    assert 1500 < near < 2600 < far < 6000


@pytest.mark.parametrize("name", ZHUO_SIM)
def test_inputs_of_zhuo_and_sim(shared_data, name):
    found = load_zhuo_sim(name, shared_data)
    assert sorted(found.picture.shape) == [3, 600, 800]
    assert (found.sparse is not None) == (found.full is not None) == (name == "bird")
    if found.sparse is not None:
        assert found.sparse.shape == found.full.shape == found.picture.shape[:2]
        assert np.mean(found.sparse > 0) < 0.2 and 0 <= found.full.min() < found.full.max() <= 1
