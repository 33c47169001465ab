"""Transparent pictures: hidden colour stays hidden, and formats without alpha show white."""

import io

import numpy as np
import pytest
from PIL import Image

from camerapipe.ingest import capture_from_array, encode_picture, open_capture
from camerapipe.ingest.hidden import fill_hidden
from stages.tone import encode, linearise


@pytest.fixture
def scene():
    """A grey ramp with a frame of hidden red."""
    codes = np.repeat(np.linspace(60, 190, 48).astype(np.uint8)[None, :, None], 3, 2)
    codes = np.repeat(codes, 40, 0)
    alpha = np.zeros((40, 48), np.uint8)
    alpha[6:-5, 9:-7] = 255
    codes[alpha == 0] = (255, 0, 0)
    return codes, alpha


def test_hidden_colour_is_what_is_visible_around_it(tmp_path, scene):
    codes, alpha = scene
    Image.fromarray(np.dstack([codes, alpha])).save(tmp_path / "a.png")
    capture = open_capture(tmp_path / "a.png")
    visible = alpha > 0
    np.testing.assert_array_equal(capture.linear[visible], linearise(codes)[visible])
    back = encode(capture.linear) * 255
    assert np.abs(back - back[..., 1:2]).max() < 1e-3  # grey everywhere: no red is left
    assert back.min() >= 60 and back.max() <= 190
    assert np.abs(back[20, 6:9] - back[20, 9]).max() < 9  # beside the edge as the edge
    np.testing.assert_array_equal(capture.alpha, visible)


def test_an_array_is_treated_alike(scene):
    image = np.dstack(scene)
    capture = capture_from_array(image, "srgb")
    assert np.ptp(capture.linear, axis=2).max() < 1e-6


def test_nothing_is_filled_where_all_or_nothing_is_visible(rng=np.random.default_rng(0)):
    linear = rng.random((9, 7, 3)).astype(np.float32)
    for alpha in (np.full((9, 7), 1e-3, np.float32), np.zeros((9, 7), np.float32)):
        assert fill_hidden(linear, alpha) is linear


def test_one_visible_pixel_is_enough():
    linear = np.zeros((5, 1000, 3), np.float32)
    alpha = np.zeros((5, 1000), np.float32)
    linear[2, 3], alpha[2, 3] = (0.2, 0.4, 0.6), 0.5
    np.testing.assert_allclose(fill_hidden(linear, alpha)[0, -1], (0.2, 0.4, 0.6), rtol=1e-5)


def test_a_jpeg_shows_white_where_nothing_is_visible(tmp_path, scene):
    codes, alpha = scene
    Image.fromarray(np.dstack([codes, alpha])).save(tmp_path / "a.png")
    capture = open_capture(tmp_path / "a.png")
    data = encode_picture(encode(capture.linear), capture, format="jpeg", quality=100)
    with Image.open(io.BytesIO(data)) as image:
        shown = np.asarray(image).astype(int)
    assert shown[:4].min() > 250 and shown[:, :7].min() > 250
    inner = (slice(10, -10), slice(14, -12))
    assert np.abs(shown[inner] - codes[inner].astype(int)).max() < 6
