"""JPEG pixels by OpenCV: those of Pillow to the code, and never of a file that Pillow refuses."""

import io
import warnings

import numpy as np
import pytest
from PIL import Image

from camerapipe.errors import CaptureError
from camerapipe.ingest import display, open_capture
from camerapipe.ingest.jpeg_pixels import is_sound, sound_pixels

PICTURE = np.kron(np.random.default_rng(3).integers(0, 256, (9, 14, 3)), np.ones((8, 8, 1)))
WAYS = {
    "plain": {},
    "progressive": {"progressive": True},
    "full chroma": {"subsampling": 0},
    "half chroma": {"subsampling": 1},
    "restarts": {"restart_marker_rows": 1},
    "coarse": {"quality": 5},
    "RGB": {"keep_rgb": True},
    "turned": {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"},
    "comment": {"comment": b"\xff\xd9 and \xff\xc0"},
}


def jpeg(*, grey=False, **options):
    picture = Image.fromarray(PICTURE[:69, :110].astype(np.uint8))
    buffer = io.BytesIO()
    (picture.convert("L") if grey else picture).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def by_pillow(data):
    """Codes, or None where Pillow refuses."""
    try:
        with warnings.catch_warnings(action="ignore"):
            return np.asarray(Image.open(io.BytesIO(data)))
    except Exception:  # it raises errors of all sorts
        return None


@pytest.mark.parametrize("grey", [False, True], ids=["colour", "grey"])
@pytest.mark.parametrize("way", WAYS)
def test_codes_are_those_of_pillow(way, grey):
    options = {k: v for k, v in WAYS[way].items() if not (grey and k == "keep_rgb")}
    data = jpeg(grey=grey, **options)
    codes = sound_pixels(data, "L" if grey else "RGB")
    assert codes is not None and codes.dtype == np.uint8
    np.testing.assert_array_equal(codes, by_pillow(data))


@pytest.mark.parametrize("way", WAYS)
def test_what_is_cut_is_not_sound(way):
    data = jpeg(**WAYS[way])
    assert is_sound(data)
    assert not any(is_sound(data[:cut]) for cut in range(len(data)))


def test_what_follows_the_picture_does_not_matter():
    data = jpeg()
    assert is_sound(data + b"\xff\xc0 of another picture") and is_sound(data + data)


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_shown_that_pillow_refuses(way):
    rng, whole = np.random.default_rng(7), jpeg(**WAYS[way])
    shown = 0
    for _ in range(150):
        data = bytearray(whole)
        for at in rng.integers(2, len(data), 3):
            data[at] = rng.integers(256)
        theirs = by_pillow(bytes(data))
        ours = sound_pixels(bytes(data), "RGB")
        if ours is not None and theirs is not None and theirs.ndim == 3:
            np.testing.assert_array_equal(ours, theirs)
            shown += 1
        assert ours is None or theirs is not None
    assert shown > 0


def test_other_kinds_of_pixels_are_left_to_pillow():
    assert sound_pixels(jpeg(), "CMYK") is None and not is_sound(b"\xff\xd8")


def test_a_file_is_read_by_opencv_and_where_in_doubt_by_pillow(tmp_path, monkeypatch):
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg())
    ours = open_capture(path).linear
    monkeypatch.setattr(display, "sound_pixels", lambda data, mode: None)
    np.testing.assert_array_equal(ours, open_capture(path).linear)
    path.write_bytes(jpeg()[:-40])
    with pytest.raises(CaptureError, match="is cut off or damaged"):
        open_capture(path)
