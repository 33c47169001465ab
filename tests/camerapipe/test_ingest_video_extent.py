"""Sizes that containers of videos state: exact for each, and 0 where nothing is stated."""

import io
import struct

import pytest

from camerapipe.ingest.video_extent import missing_bytes


def box(name, size, wide=False):
    """A box of some size in bytes, with its header."""
    head = struct.pack(">I4sQ", 1, name, size) if wide else struct.pack(">I4s", size, name)
    return head.ljust(size, b"x")


MP4 = box(b"ftyp", 24) + box(b"moov", 300) + box(b"mdat", 5000, wide=True)
AVI = b"RIFF" + struct.pack("<I", 992) + b"AVI ".ljust(992, b"x")
LONG_AVI = AVI + b"RIFF" + struct.pack("<I", 501) + b"AVIX".ljust(502, b"x")
EBML = b"\x1aE\xdf\xa3\x84abcd"
MKV = EBML + b"\x18S\x80g" + struct.pack(">Q", 1 << 56 | 700) + b"x" * 700


@pytest.mark.parametrize("data", [MP4, AVI, LONG_AVI, MKV], ids=["MP4", "AVI", "OpenDML", "MKV"])
@pytest.mark.parametrize("missing", [0, 1, 200])
def test_what_is_missing_is_counted(data, missing):
    assert missing_bytes(io.BytesIO(data[: len(data) - missing])) == missing


@pytest.mark.parametrize(
    "data",
    [
        b"", b"nothing", b"\x47" * 188, MP4 + b"SEFT trailer of a camera",
        box(b"ftyp", 24) + struct.pack(">I4s", 0, b"mdat") + b"x" * 99,  # to the end
        box(b"ftyp", 24) + struct.pack(">I4s", 3, b"mdat"),
        b"RIFF\0\0\0\0AVI ", b"RIFF\xff\xff\xff\xffAVI ",
        EBML + b"\x18S\x80g\x01" + b"\xff" * 7 + b"x" * 50,  # a live recording
        EBML + b"\x18S\x80g\0", EBML[:4], EBML[:5] + b"\0",
    ],
)  # fmt: skip
def test_unknown_sizes_and_formats_miss_nothing(data):
    assert missing_bytes(io.BytesIO(data)) == 0
