"""Published sets of measured blur, read from made files of their layout."""

import cv2
import numpy as np
import pytest

from datasets.measured_blur import dual_pixel, masks, rtf
from datasets.sources import DataError


@pytest.fixture
def folder(tmp_path):
    for name in ("rtf_images", "dual_pixel", "masks", "image", "gt"):
        (tmp_path / name).mkdir()
    return tmp_path


def write(path, array):
    assert cv2.imwrite(str(path), array)


def test_rtf_is_sigma_in_px(folder):
    bgr = np.zeros((2, 3, 3), np.uint8)
    bgr[0, 0] = 10, 20, 30
    write(folder / "rtf_images/image_01.png", bgr)
    write(folder / "rtf_images/sigma_01.png", np.full((2, 3), 12_500, np.uint16))
    write(folder / "rtf_images/image_02.png", bgr)  # without truth
    (found,) = rtf(folder)
    assert found.name == "image_01" and found.picture[0, 0].tolist() == [30, 20, 10]
    np.testing.assert_allclose(found.truth, 1.25)


def test_dual_pixel_is_linear_and_0_is_unknown(folder):
    light = np.linspace(100, 10_000, 600).astype(np.uint16).reshape(20, 30)
    write(folder / "dual_pixel/001_input.png", light)
    defocus = np.full((20, 30), 51, np.uint8)
    defocus[0] = 0
    write(folder / "dual_pixel/001_defocus.png", defocus)
    (found,) = dual_pixel(folder)
    assert found.encoding == "linear" and found.picture.dtype == np.float32
    assert found.picture.max() == 1 and np.ptp(found.picture, axis=2).max() == 0
    assert found.picture[10, 10, 0] == pytest.approx(light[10, 10] / np.percentile(light, 99.5))
    assert np.isnan(found.truth[0]).all() and np.allclose(found.truth[1:], 0.2)


def test_masks_say_what_is_blurred(folder):
    mask = np.zeros((4, 6), np.uint8)
    mask[:, :2] = 255
    for name in ("masks/cuhk_1.jpg", "masks/dut_1.jpg", "image/out_of_focus0001.jpg"):
        write(folder / name, np.zeros((4, 6, 3), np.uint8))
    for name in ("masks/cuhk_1_mask.png", "masks/dut_1_mask.png", "gt/out_of_focus0001.png"):
        write(folder / name, mask)
    found = {each.name: each.truth for each in masks(folder)}
    assert found.keys() == {"cuhk_1", "dut_1", "out_of_focus0001"}
    np.testing.assert_array_equal(found["cuhk_1"], mask > 0)
    np.testing.assert_array_equal(found["out_of_focus0001"], mask > 0)
    np.testing.assert_array_equal(found["dut_1"], mask == 0)


def test_truth_of_another_size_is_named(folder):
    write(folder / "masks/cuhk_1.jpg", np.zeros((4, 6, 3), np.uint8))
    write(folder / "masks/cuhk_1_mask.png", np.zeros((4, 5), np.uint8))
    with pytest.raises(DataError, match=r"cuhk_1.jpg: has \(4, 6\) pixels, its truth \(4, 5\)"):
        list(masks(folder))
    (folder / "masks/cuhk_1.jpg").write_bytes(b"broken")
    with pytest.raises(DataError, match="not a picture"):
        list(masks(folder))
