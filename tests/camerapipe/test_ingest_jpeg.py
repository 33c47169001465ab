"""JPEG in strips: the same pixels as one encoder run makes, whole files, metadata in its place."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from camerapipe.ingest.jpeg import PROFILE_PART, jpeg_bytes, metadata_segments
from stages import strips


def codes_of(*shape):
    noise = np.random.default_rng(5).integers(0, 256, shape, dtype=np.uint8)
    return cv2.GaussianBlur(noise, (5, 5), 0).reshape(shape)


def decoded(data):
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


@pytest.mark.parametrize("quality", [1, 50, 89, 90, 100])
@pytest.mark.parametrize(
    "shape", [(1, 1, 3), (7, 9, 3), (256, 16, 3), (257, 33, 3), (1050, 40, 3), (700, 35)]
)
def test_pixels_are_those_of_a_picture_encoded_at_once(shape, quality):
    codes, once = codes_of(*shape), io.BytesIO()
    chroma = "4:4:4" if quality >= 90 else "4:2:0"
    Image.fromarray(codes).save(once, "JPEG", quality=quality, subsampling=chroma)
    np.testing.assert_array_equal(decoded(jpeg_bytes(codes, quality)), decoded(once.getvalue()))


def test_any_number_of_workers_writes_the_same_bytes():
    codes, before, found = codes_of(600, 50, 3), strips.workers(), []
    try:
        for count in (1, 3):
            strips.set_workers(count)
            found.append(jpeg_bytes(codes, 95))
    finally:
        strips.set_workers(before)
    assert found[0] == found[1]


def test_markers_of_restart_count_in_turn():
    data = jpeg_bytes(codes_of(800, 16, 3), 95)
    scan = data[data.rindex(b"\xff\xda") :]
    markers = [b for a, b in zip(scan, scan[1:], strict=False) if a == 0xFF and 0xD0 <= b <= 0xD7]
    assert markers == [0xD0 + k % 8 for k in range(800 // 8 - 1)]


def test_metadata_are_found_again():
    profile = np.random.default_rng(1).bytes(2 * PROFILE_PART + 5)
    segments = metadata_segments(b"Exif\0\0II*\0", b"<x/>", profile)
    with Image.open(io.BytesIO(jpeg_bytes(codes_of(9, 9, 3), 95, segments))) as image:
        assert image.info["exif"] == b"Exif\0\0II*\0"
        assert image.info["xmp"] == b"<x/>"
        assert image.info["icc_profile"] == profile
    assert list(metadata_segments(b"", None, None)) == []


@pytest.mark.parametrize("shape", [(65_501, 1), (1, 65_501)])
def test_a_side_that_no_decoder_takes_is_refused(shape):
    with pytest.raises(ValueError, match="at most 65500 px"):
        jpeg_bytes(np.zeros(shape, np.uint8), 95)
