"""Pictures as bytes: formats, bits, metadata; and inputs that pass through untouched."""

import io
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from PIL import Image

from camerapipe.errors import RequestError
from camerapipe.ingest import (
    MAPS,
    PICTURES,
    capture_from_array,
    encode_picture,
    format_named,
    format_of,
    open_capture,
    untouched_bytes,
    write_picture,
)
from stages.tone import encode

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    b'xmlns:e="http://ns.adobe.com/exif/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
    b'e:GPSLatitude="48,8N" xmp:Rating="4"><e:GPSLongitude>11,34E</e:GPSLongitude>'
    b"</rdf:Description></rdf:RDF></x:xmpmeta>"
)
GPS_IFD = 0x8825
FORMATS = ("jpeg", "png", "tiff")


@pytest.fixture
def picture():
    codes = np.random.default_rng(5).integers(0, 65536, (9, 14, 3))
    return (codes / 65535).astype(np.float32)


@pytest.fixture
def capture(picture):
    exif = Image.Exif()
    exif[271] = "Maker"
    exif.get_ifd(GPS_IFD)[1] = "N"
    made = capture_from_array(picture, "srgb")
    return replace(made, exif=exif.tobytes(), xmp=XMP)


def test_names_and_suffixes_come_from_one_table():
    assert PICTURES[:5] == (".jpg", ".jpeg", ".png", ".tif", ".tiff")
    assert {".avif", ".heic", ".jxl", ".exr"} < set(PICTURES)
    assert MAPS == (".tif", ".tiff", ".npz", ".png", ".exr", ".jpg", ".jpeg")
    for name in ("jpeg", "JPG", ".jpg", "jpeg"):
        assert format_named(name) == "jpeg"
    assert format_of("folder.png/a.TIF") == "tiff"
    with pytest.raises(RequestError, match="expected jpeg, png, .*, exr; got 'webp'"):
        format_named("webp")


@pytest.mark.parametrize("name", FORMATS)
def test_a_path_gets_the_bytes(tmp_path, picture, capture, name):
    path = tmp_path / f"a.{name}"
    write_picture(path, picture, capture, quality=80)
    assert path.read_bytes() == encode_picture(picture, capture, format=name, quality=80)


@pytest.mark.parametrize("name", ["png", "tiff"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("source_bits", [8, 16])
def test_bits_are_those_asked_for(tmp_path, picture, capture, name, bits, source_bits):
    capture = replace(capture, bit_depth=source_bits)
    path = tmp_path / "a"
    path.write_bytes(encode_picture(picture, capture, format=name, bits=bits))
    back = open_capture(path)
    assert back.bit_depth == bits
    np.testing.assert_allclose(encode(back.linear), picture, atol=0.51 / (2**bits - 1))
    path.write_bytes(encode_picture(picture, capture, format=name))
    assert open_capture(path).bit_depth == source_bits


def test_what_a_format_cannot_hold_is_said(picture, capture):
    with pytest.raises(RequestError, match="JPEG has 8 bits per sample, not 16; choose png or ti"):
        encode_picture(picture, capture, format="jpeg", bits=16)
    with pytest.raises(RequestError, match="expected 8, 10, 16, 32; got 12"):
        encode_picture(picture, capture, format="png", bits=12)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("metadata", ["all", "without-gps", "none"])
def test_metadata_kept(picture, capture, name, metadata):
    data = encode_picture(picture, capture, format=name, metadata=metadata)
    with Image.open(io.BytesIO(data)) as image:
        exif, gps = image.getexif(), dict(image.getexif().get_ifd(GPS_IFD))
        xmp = image.info.get("xmp", b"") or bytes(exif.get(700, b""))
    xmp = xmp.encode() if isinstance(xmp, str) else xmp
    assert (exif.get(271) == "Maker") == (metadata != "none")
    assert (b'xmp:Rating="4"' in xmp) == (metadata != "none")
    assert bool(gps) == (b"GPSL" in xmp) == (b"GPSL" in data) == (metadata == "all")


class TestUntouched:
    @pytest.fixture
    def sources(self, tmp_path):
        codes = np.random.default_rng(1).integers(0, 256, (8, 8, 3)).astype(np.uint8)
        Image.fromarray(codes).save(tmp_path / "jpeg.png", "JPEG", quality=70)  # a wrong suffix
        Image.fromarray(codes).save(tmp_path / "png.png")
        tifffile.imwrite(tmp_path / "tiff.tif", codes.astype(np.uint16), photometric="rgb")
        Image.fromarray(codes).save(tmp_path / "webp.webp")
        return {path.stem: path for path in tmp_path.iterdir()}

    @pytest.mark.parametrize("name", FORMATS)
    def test_the_same_format_passes_by_content(self, sources, name):
        for stem, path in sources.items():
            got = untouched_bytes(path, open_capture(path), format=name)
            assert got == (path.read_bytes() if stem == name else None)

    @pytest.mark.parametrize(
        "asked", [{"quality": 95}, {"bits": 16}, {"metadata": "without-gps"}, {"metadata": "none"}]
    )
    def test_what_was_asked_needs_encoding(self, sources, asked):
        path = sources["png"]
        assert untouched_bytes(path, open_capture(path), format="png", bits=8) is not None
        assert untouched_bytes(path, open_capture(path), format="png", **asked) is None

    def test_a_raw_and_an_array_are_always_encoded(self, sources):
        path = sources["tiff"]
        for kind in ("raw", "array"):
            changed = replace(open_capture(path), kind=kind)
            assert untouched_bytes(path, changed, format="tiff") is None
