"""JPEG: the pixels that Pillow would write, and its metadata, in one file."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from camerapipe.ingest.jpeg import LARGEST_SIDE, PIECE_ROWS, jpeg_bytes
from stages.strips import set_workers, workers


def codes_of(*shape):
    noise = np.random.default_rng(5).integers(0, 256, shape, dtype=np.uint8)
    return cv2.GaussianBlur(noise, (5, 5), 0).reshape(shape)


def decoded(data):
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


@pytest.mark.parametrize("quality", [1, 50, 89, 90, 100])
@pytest.mark.parametrize(
    "shape",
    [
        (1, 1, 3),
        (7, 9, 3),
        (257, 33, 3),
        (70, 35),
        (PIECE_ROWS, 20, 3),
        (PIECE_ROWS + 1, 41, 3),
        (2 * PIECE_ROWS + 50, 17),
        (3 * PIECE_ROWS - 3, 8, 3),
    ],
)
def test_pixels_are_those_that_pillow_writes(shape, quality):
    codes, once = codes_of(*shape), io.BytesIO()
    chroma = "4:4:4" if quality >= 90 else "4:2:0"
    Image.fromarray(codes).save(once, "JPEG", quality=quality, subsampling=chroma)
    np.testing.assert_array_equal(decoded(jpeg_bytes(codes, quality)), decoded(once.getvalue()))


def test_bytes_do_not_depend_on_the_number_of_threads():
    codes, usual = codes_of(3 * PIECE_ROWS + 9, 30, 3), workers()
    several = jpeg_bytes(codes, 95)
    set_workers(1)
    try:
        assert jpeg_bytes(codes, 95) == several
    finally:
        set_workers(usual)


def test_metadata_are_found_again():
    profile = np.random.default_rng(1).bytes(140_000)  # more than a segment holds
    data = jpeg_bytes(
        codes_of(9, 9, 3), 95, exif=b"Exif\0\0II*\0", xmp=b"<x/>", icc_profile=profile
    )
    with Image.open(io.BytesIO(data)) as image:
        assert image.info["exif"] == b"Exif\0\0II*\0"
        assert image.info["xmp"] == b"<x/>"
        assert image.info["icc_profile"] == profile
        assert image.size == (9, 9)
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape == (9, 9, 3)


def test_a_picture_that_is_too_large_is_refused():
    with pytest.raises(ValueError, match="a side of a JPEG is at most"):
        jpeg_bytes(np.zeros((1, LARGEST_SIDE + 1, 3), np.uint8), 90)
