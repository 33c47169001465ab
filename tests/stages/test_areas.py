import cv2
import numpy as np
import pytest

from stages.areas import reduce_to


def picture(height, width):
    return np.random.default_rng(3).random((height, width, 3), dtype=np.float32)


@pytest.mark.parametrize("shape", [(1, 1), (12, 20), (7, 11), (47, 60), (48, 61)])
def test_a_pixel_is_the_mean_over_its_area(shape):
    image = picture(48, 61)
    down, across = (
        np.maximum(
            np.minimum(np.arange(big) + 1, (np.arange(small)[:, None] + 1) * big / small)
            - np.maximum(np.arange(big), np.arange(small)[:, None] * big / small),
            0,
        )
        * small
        / big
        for big, small in zip(image.shape[:2], shape, strict=True)
    )
    exact = np.einsum("yj,xi,jic->yxc", down, across, image.astype(np.float64))
    np.testing.assert_allclose(reduce_to(image, shape), exact, atol=5e-7)


def test_it_agrees_with_opencv():
    image = picture(301, 417)
    theirs = cv2.resize(image, (128, 90), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(reduce_to(image, (90, 128)), theirs, atol=2e-4)  # it drops slivers


def test_any_number_of_workers_gives_the_same_bits(set_workers):
    image, found = picture(300, 200), []
    for count in (1, 3):
        set_workers(count)
        found.append(reduce_to(image, (77, 51)))
    np.testing.assert_array_equal(*found)
