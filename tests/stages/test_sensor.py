import cv2
import numpy as np
import pytest

from stages import tone
from stages.sensor import add_noise, develop


def test_noise_has_the_variance_asked_for_and_a_seed():
    flat = np.full((300, 300, 3), 0.5, np.float32)
    noisy = add_noise(flat, shot=2e-4, read=1e-2, seed=3)
    assert noisy.std() == pytest.approx(np.sqrt(1e-4 + 1e-4), rel=0.02)
    np.testing.assert_array_equal(noisy, add_noise(flat, shot=2e-4, read=1e-2, seed=3))


def test_developed_codes_are_srgb_and_survive_a_good_jpeg():
    light = np.random.default_rng(0).random((60, 80, 3), np.float32)
    image = cv2.GaussianBlur(light, (0, 0), 3)
    codes = develop(image)
    np.testing.assert_array_equal(codes, tone.to_codes(tone.encode(image), 8))
    error = develop(image, jpeg_quality=95).astype(int) - codes
    assert 0 < np.abs(error).mean() < 2
