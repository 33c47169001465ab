"""What a file says beside its pixels is read again from what is written, in every format."""

import io
import json
import shutil
import subprocess
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from camerapipe.errors import CaptureError
from camerapipe.ingest import capture_from_array, encode_picture, open_capture
from camerapipe.ingest.attachments import updated_xmp
from camerapipe.ingest.exif import EXIF, FIRST, GPS, ExifBlock
from camerapipe.ingest.irb import SEGMENT_HEAD, iptc_records, kept_resources, resource
from datasets import metadata_files
from datasets.coded_files import png_file
from datasets.gain_map_files import with_segments
from datasets.metadata_files import (
    IPTC_RECORDS,
    MAKER_NOTE,
    NOTE_AT,
    RATING,
    packet,
    raw_profile,
    rich_exif,
)
from stages.tone import encode

FORMATS = ("jpeg", "png", "tiff")
CODES = np.random.default_rng(1).integers(0, 256, (24, 36, 3)).astype(np.uint8)


def jpeg_file(*segments, **options):
    buffer = io.BytesIO()
    Image.fromarray(CODES).save(buffer, "JPEG", quality=95, **options)
    return with_segments(buffer.getvalue(), segments)


def opened(tmp_path, data):
    (tmp_path / "in").write_bytes(data)
    return open_capture(tmp_path / "in")


def written(capture, name, tmp_path):
    data = encode_picture(encode(capture.linear, capture.curve), capture, format=name)
    return data, opened(tmp_path, data)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_keeps_its_order_types_and_places(tmp_path, name, order):
    source = rich_exif(order)
    capture = opened(tmp_path, jpeg_file(exif=b"Exif\0\0" + source))
    data, back = written(capture, name, tmp_path)
    if name == "tiff":
        assert data[:2] == (b"II" if order == "<" else b"MM")
    before, after = ExifBlock(source), ExifBlock(back.exif)
    assert after.order == order
    for directory in (FIRST, EXIF, GPS):
        theirs = after.entries(directory)
        for tag, entry in before.entries(directory).items():
            if tag not in (EXIF, GPS):
                assert theirs[tag].value == entry.value, hex(tag)
    note = after.entries(EXIF)[MAKER_NOTE]
    if name != "tiff":  # a block that is gathered from a TIFF puts it there as well
        assert note.value_at == NOTE_AT
    assert (
        note.value_at == NOTE_AT and note.value.data == before.entries(EXIF)[MAKER_NOTE].value.data
    )


@pytest.mark.parametrize("name", FORMATS)
def test_iptc_resolution_rating_and_comment(tmp_path, name):
    iptc = IPTC_RECORDS
    resources = resource(0x0404, iptc) + resource(0x040C, b"thumbnail") + resource(0x040A, b"\1")
    rating = packet(RATING)
    data = jpeg_file((0xED, SEGMENT_HEAD + resources), dpi=(300, 200), xmp=rating, comment=b"Hello")
    capture = opened(tmp_path, data)
    assert capture.dpi == (300, 200) and iptc_records(capture.iptc) == iptc
    made, back = written(capture, name, tmp_path)
    assert iptc_records(back.iptc) == iptc and b"thumbnail" not in made
    assert kept_resources(back.iptc) == resource(0x0404, iptc) + resource(0x040A, b"\1")
    assert back.xmp == rating
    with Image.open(io.BytesIO(made)) as image:
        assert image.info["dpi"] == pytest.approx((300, 200), abs=0.02)
        assert name != "jpeg" or image.info["comment"] == b"Hello"


def test_bare_iptc_is_wrapped_and_damage_ends_it():
    assert iptc_records(kept_resources(b"\x1c\x02\x69\0\1a")) == b"\x1c\x02\x69\0\1a"
    assert kept_resources(b"8BIM\x04") is None and kept_resources(b"") is None
    assert kept_resources(b"8BIM\x04\x04\0\0\xff\xff\xff\xff") is None


PNG_SOURCES = {
    "eXIf behind the pixels": lambda exif: png_file(CODES, after=[(b"eXIf", exif)]),
    "raw profile": lambda exif: png_file(CODES, [raw_profile(b"exif", b"Exif\0\0" + exif)]),
    "raw profile APP1": lambda exif: png_file(CODES, [raw_profile(b"APP1", b"Exif\0\0" + exif)]),
}


@pytest.mark.parametrize("make", PNG_SOURCES.values(), ids=PNG_SOURCES)
@pytest.mark.parametrize("name", FORMATS)
def test_exif_of_pngs_wherever_it_stands(tmp_path, make, name):
    capture = opened(tmp_path, make(rich_exif()))
    back = ExifBlock(written(capture, name, tmp_path)[1].exif)
    assert back.text(FIRST, 0x013B) == "A. Person" and back.text(FIRST, 0x010F) == "Maker"
    assert capture.meta.focal_length_mm.value == 50


def test_compressed_text_of_a_png_is_bounded(tmp_path):
    bomb = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(bytes(100 << 20), 9)
    with pytest.raises(CaptureError, match="too large"):
        opened(tmp_path, png_file(CODES, [(b"iTXt", bomb)]))
    deep = CODES.astype(np.uint16)  # Pillow reads only the head of those
    behind = opened(tmp_path, png_file(deep, after=[(b"iTXt", bomb)]))
    assert len(behind.xmp) <= 64 << 20
    assert [f.code for f in behind.findings] == ["xmp_damaged"]


GONE = {
    "motion photo": b'xmlns:c="http://ns.google.com/photos/1.0/camera/" c:MotionPhoto="1"',
    "gain map": b'xmlns:h="http://ns.adobe.com/hdr-gain-map/1.0/" h:Version="1.0"',
    "extended XMP": b'xmlns:n="http://ns.adobe.com/xmp/note/" n:HasExtendedXMP="AA"',
    "depth map": b'xmlns:d="http://ns.google.com/photos/1.0/depthmap/" d:Near="1"',
}


@pytest.mark.parametrize("thing", GONE)
def test_what_announces_data_that_is_gone_goes_with_it(tmp_path, thing):
    inner = b"<rdf:Description xmlns:x='http://ns.adobe.com/xap/1.0/' x:Rating='4' %s/>"
    capture = opened(tmp_path, jpeg_file(xmp=packet(inner % GONE[thing])))
    code = "gain_map_ignored" if thing == "gain map" else "extras_left_out"
    assert [f.code for f in capture.findings] == [code]
    assert thing in capture.findings[0].message
    for name in FORMATS:
        back = written(capture, name, tmp_path)[1]
        assert back.findings == () and b"x:Rating='4'" in back.xmp


def test_sizes_in_xmp_follow_the_picture():
    inner = packet(b'<rdf:Description xmlns:e="http://ns.adobe.com/exif/1.0/" '
                   b'e:PixelXDimension="9" e:PixelYDimension="8"/>')  # fmt: skip
    assert b'e:PixelXDimension="40" e:PixelYDimension="30"' in updated_xmp(inner, 40, 30)


def test_xmp_behind_an_odd_head(tmp_path):
    body = b"XMP\0://ns.adobe.com/xap/1.0/\0" + packet(b"<rdf:Description/>")
    assert opened(tmp_path, jpeg_file((0xE1, body))).xmp == packet(b"<rdf:Description/>")


def test_pointers_that_have_no_place_are_dropped(tmp_path):
    exif = ExifBlock(rich_exif())
    exif.change(EXIF, {EXIF: exif.integer(9999, 4), 0xA005: exif.integer(99_999, 4)})
    capture = opened(tmp_path, jpeg_file(exif=b"Exif\0\0" + bytes(exif)))
    for name in FORMATS:
        back = ExifBlock(written(capture, name, tmp_path)[1].exif)
        assert not set(back.tags(EXIF)) & {EXIF, 0xA005}


def test_software_that_is_named_stays(tmp_path):
    capture = replace(capture_from_array(CODES, "srgb"), exif=rich_exif())
    for name in FORMATS:
        back = ExifBlock(written(capture, name, tmp_path)[1].exif)
        assert back.text(FIRST, 305).startswith("camerapipe ")
    exif = Image.Exif()
    exif[305], exif[282] = "Other 1.0", IFDRational(300)
    capture = replace(capture, exif=exif.tobytes())
    for name in FORMATS:
        assert ExifBlock(written(capture, name, tmp_path)[1].exif).text(FIRST, 305) == "Other 1.0"


def test_a_resolution_of_wrong_types_is_left_out(tmp_path):
    entries = [(271, 2, b"Maker\0"), (282, 2, b"Maker\0"), (283, 2, b"2\0"), (296, 3, b"\0\3")]
    exif = b"MM\0*\0\0\0\x08" + metadata_files.directory(entries, ">", 8)
    capture = replace(capture_from_array(CODES, "srgb"), exif=exif)
    for name in FORMATS:  # Pillow refuses a TIFF whose resolution is text
        data, back = written(capture, name, tmp_path)
        assert ExifBlock(back.exif).text(FIRST, 271) == "Maker"
        assert Image.open(io.BytesIO(data)).size == (36, 24)


IGNORED = ("SourceFile", "ExifTool:", "System:", "File:", "Composite:", "IFD1:", "ICC", "JFIF:",
           "PNG", "Photoshop:PhotoshopThumbnail")  # fmt: skip
CODING = {"Compression", "YCbCrPositioning", "Orientation", "BitsPerSample"}


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")
@pytest.mark.parametrize("name", FORMATS)
def test_exiftool_reads_after_what_it_read_before(tmp_path, name):
    iptc = resource(0x0404, b"\x1c\x02\x50\0\x08A Person")
    rating = packet(RATING)
    data = jpeg_file((0xED, SEGMENT_HEAD + iptc), exif=b"Exif\0\0" + rich_exif(), xmp=rating)
    capture = opened(tmp_path, data)
    (tmp_path / "before.jpg").write_bytes(data)
    (tmp_path / "after").write_bytes(written(capture, name, tmp_path)[0])
    before, after = (
        json.loads(subprocess.run(
            ["exiftool", "-j", "-G1", "-a", "-u", str(tmp_path / file)],
            capture_output=True, check=True,
        ).stdout)[0]
        for file in ("before.jpg", "after")
    )  # fmt: skip
    values = {key.split(":")[-1]: value for key, value in after.items()}
    lost = {
        key: value
        for key, value in before.items()
        if not key.startswith(IGNORED) and values.get(key.split(":")[-1]) != value
    }
    assert {key for key in lost if key.split(":")[-1] not in CODING} == set()
