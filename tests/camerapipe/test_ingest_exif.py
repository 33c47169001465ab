"""EXIF blocks are changed in place: order, types and places stay, and damage stops nothing."""

import io
import random
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from camerapipe.ingest import Metadata, capture_from_array
from camerapipe.ingest.attachments import attached, exif_bytes
from camerapipe.ingest.exif import (
    ASCII,
    EXIF,
    FIRST,
    GPS,
    INTEROPERABILITY,
    LONG,
    SHORT,
    UNDEFINED,
    BrokenExifError,
    ExifBlock,
    Value,
)
from camerapipe.ingest.tiff_exif import exif_of_tiff, tiff_blocks

MAKER_NOTE, ORIENTATION, SOFTWARE, MAKE = 0x927C, 0x0112, 0x0131, 0x010F


def block(order="<", note_at=400, thumbnail=b"JPEG" * 20):
    """A block as cameras write it: a maker note with an offset into itself, a thumbnail at the end.

    It has a signed rational, an undefined comment, GPS and interoperability.
    """
    pack = lambda form, *values: struct.pack(order + form, *values)  # noqa: E731
    entry = lambda tag, kind, count, value: pack("HHI", tag, kind, count) + value  # noqa: E731
    long = lambda number: pack("I", number)  # noqa: E731
    short = lambda number: pack("HH", number, 0)  # noqa: E731
    rows = {
        8: [entry(MAKE, 2, 6, long(200)), entry(ORIENTATION, 3, 1, short(6)),
            entry(EXIF, 4, 1, long(80)), entry(GPS, 4, 1, long(170))],
        80: [entry(0x9204, 10, 1, long(208)), entry(0x9286, 7, 11, long(216)),
             entry(MAKER_NOTE, 7, 40, long(note_at)), entry(0xA002, 3, 1, short(4000)),
             entry(0xA003, 3, 1, short(3000)), entry(INTEROPERABILITY, 4, 1, long(230))],
        170: [entry(1, 2, 2, b"N\0\0\0")],
        230: [entry(1, 2, 4, b"R98\0")],
        260: [entry(0x0201, 4, 1, long(note_at + 40)), entry(0x0202, 4, 1, long(len(thumbnail)))],
    }  # fmt: skip
    data = bytearray(note_at)
    data[:8] = (b"II*\0" if order == "<" else b"MM\0*") + long(8)
    for place, directory in rows.items():
        following = 260 if place == 8 else 0
        body = pack("H", len(directory)) + b"".join(directory) + long(following)
        data[place : place + len(body)] = body
    data[200:206], data[208:216] = b"Maker\0", pack("ii", -1, 3)
    data[216:227] = b"ASCII\0\0\0Hey"
    note = b"NOTE" + long(note_at + 8) + b"what the offset points to".ljust(32, b".")
    return bytes(data) + note + thumbnail


@pytest.mark.parametrize("order", ["<", ">"])
class TestInPlace:
    def test_what_it_holds(self, order):
        exif = ExifBlock(b"Exif\0\0" + block(order))
        assert exif.order == order and exif.text(FIRST, MAKE) == "Maker"
        assert exif.number(FIRST, ORIENTATION) == 6 and exif.text(GPS, 1) == "N"
        assert exif.text(INTEROPERABILITY, 1) == "R98"
        assert exif.entries(EXIF)[0x9204].value.kind == 10
        assert bytes(exif) == block(order)

    def test_a_number_that_fits_changes_its_bytes_only(self, order):
        exif = ExifBlock(block(order))
        exif.change(FIRST, {ORIENTATION: exif.integer(1)})
        changed = [at for at, (a, b) in enumerate(zip(block(order), bytes(exif), strict=True))
                   if a != b]  # fmt: skip
        assert exif.number(FIRST, ORIENTATION) == 1 and len(changed) == 1

    def test_a_short_becomes_a_long_where_it_must(self, order):
        exif = ExifBlock(block(order))
        exif.change(EXIF, {0xA002: exif.integer(70_000, LONG)})
        assert exif.number(EXIF, 0xA002) == 70_000 and len(bytes(exif)) == len(block(order))

    def test_a_new_entry_moves_its_directory_and_nothing_else(self, order):
        before = block(order)
        exif = ExifBlock(before)
        text = Value(ASCII, 8, b"longer!\0")
        exif.change(EXIF, {0xA434: text})
        exif.change(FIRST, {SOFTWARE: text})
        after = bytes(exif)
        assert exif.text(FIRST, SOFTWARE) == exif.text(EXIF, 0xA434) == "longer!"
        assert exif.tags(FIRST) == sorted(exif.tags(FIRST))
        assert after[200:][: len(before) - 200] == before[200:]  # values, note, other directories
        note = exif.entries(EXIF)[MAKER_NOTE]
        assert note.value_at == 400 and note.value.data[:4] == b"NOTE"
        with Image.open(jpeg_with(after)) as image:
            assert image.getexif()[MAKE] == "Maker"
            assert image.getexif().get_ifd(EXIF)[0xA434] == "longer!"
            assert image.getexif().get_ifd(GPS)[1] == "N"

    def test_a_longer_text_replaces_one(self, order):
        exif = ExifBlock(block(order))
        exif.change(FIRST, {MAKE: Value(ASCII, 20, b"a much longer name.\0")})
        assert exif.text(FIRST, MAKE) == "a much longer name."
        exif.change(FIRST, {MAKE: Value(ASCII, 2, b"M\0")})
        assert exif.text(FIRST, MAKE) == "M"
        assert exif.number(FIRST, ORIENTATION) == 6 and GPS in exif

    def test_entries_and_directories_are_removed(self, order):
        exif = ExifBlock(block(order))
        exif.change(FIRST, {MAKE: None, 0x9999: None})
        exif.drop(GPS)
        exif.drop(GPS)
        assert exif.tags(FIRST) == [ORIENTATION, EXIF] and GPS not in exif
        assert exif.text(INTEROPERABILITY, 1) == "R98"
        assert bytes(exif)[170:200] == bytes(30)  # no trace of the place

    def test_the_thumbnail_goes_from_the_end_or_is_blanked(self, order):
        exif = ExifBlock(block(order))
        exif.drop_thumbnail()
        assert len(bytes(exif)) == 440 and exif.entries(EXIF)[MAKER_NOTE].value.data[:4] == b"NOTE"
        exif = ExifBlock(block(order) + b"more")
        exif.drop_thumbnail()
        assert bytes(exif)[440:] == bytes(80) + b"more"
        exif.drop_thumbnail()

    def test_a_thumbnail_that_shares_bytes_with_others_stays(self, order):
        data = bytearray(block(order))
        struct.pack_into(f"{order}I", data, 260 + 2 + 8, 100)  # into the EXIF directory
        exif = ExifBlock(bytes(data))
        exif.drop_thumbnail()
        assert exif.tags(EXIF) == ExifBlock(block(order)).tags(EXIF)


def jpeg_with(exif):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", exif=b"Exif\0\0" + exif)
    buffer.seek(0)
    return buffer


def test_directories_are_made_from_nothing():
    exif = ExifBlock.empty(">")
    exif.change(INTEROPERABILITY, {1: Value(ASCII, 4, b"R98\0")})
    exif.change(GPS, {1: Value(ASCII, 2, b"N\0")})
    exif.change(FIRST, {ORIENTATION: exif.integer(1)})
    with Image.open(jpeg_with(bytes(exif))) as image:
        assert image.getexif()[ORIENTATION] == 1
        assert image.getexif().get_ifd(INTEROPERABILITY)[1] == "R98"
        assert image.getexif().get_ifd(GPS)[1] == "N"


@pytest.mark.parametrize("data", [b"", b"II*\0", b"II*\0\xff\xff\xff\xff", b"Exif\0\0garbage",
                                  b"II*\0\x08\0\0\0\xff\xff", bytes(100)])  # fmt: skip
def test_what_is_no_block_is_refused(data):
    with pytest.raises(BrokenExifError):
        ExifBlock(data)


def test_pointers_that_lead_nowhere_are_as_absent():
    data = bytearray(block())
    struct.pack_into("<I", data, 8 + 2 + 3 * 12 + 8, 8)  # GPS: the first directory, a loop
    struct.pack_into("<I", data, 8 + 2 + 2 * 12 + 8, 1 << 30)
    exif = ExifBlock(bytes(data))
    assert EXIF not in exif and INTEROPERABILITY not in exif
    exif.change(EXIF, {0xA002: exif.integer(7)})
    assert exif.number(EXIF, 0xA002) == 7


@pytest.mark.parametrize("seed", range(4))
def test_damaged_blocks_never_stop_a_picture(seed):
    """Random damage: whatever is written can be read again."""
    rng = random.Random(seed)
    capture = capture_from_array(np.zeros((4, 4, 3), np.uint8), "srgb")
    for _ in range(300):
        data = bytearray(block(rng.choice("<>")))
        for _ in range(rng.randrange(1, 12)):
            data[rng.randrange(8, 330)] = rng.randrange(256)
        changed = bytes(data[: rng.randrange(20, len(data) + 1)])
        object.__setattr__(capture, "exif", changed)
        for metadata in ("all", "without-gps"):
            written = exif_bytes(attached(capture, 4, 4, Metadata(metadata)).exif, 65_527)
            again = ExifBlock(written)
            assert again.number(FIRST, ORIENTATION) in (None, 0, 1)  # 0: directories that overlap
            assert metadata == "all" or GPS not in again


class TestOfTiff:
    def source(self, order, big, note_at=0):
        """A TIFF with EXIF, GPS, a maker note and blocks; bare enough to be written by hand."""
        buffer = io.BytesIO()
        tifffile.imwrite(
            buffer, np.zeros((4, 4), np.uint8), byteorder=order, bigtiff=big, metadata=None,
            extratags=[(271, 2, 0, "Maker", True), (315, 2, 0, "A. Person", True),
                       (18246, 3, 1, 4, True), (700, 1, 3, b"xmp", True),
                       (33723, 7, 4, b"\x1ciim", True), (EXIF + 1, 4, 1, 0, True)],
        )  # fmt: skip
        data = bytearray(buffer.getvalue())
        buffer.seek(0)
        with tifffile.TiffFile(buffer) as tiff:
            at = tiff.pages.first.tags[EXIF + 1].offset
        note = b"NOTE" + bytes(20)
        data += bytes(max(note_at - len(data), len(data) % 2))
        here = len(data)
        data += note
        kind = "Q" if big else "I"
        place = len(data)
        data += struct.pack(f"{order}{'Q' if big else 'H'}", 2)
        for tag, type_, count, value in ((0x9286, 7, 3, b"hey"), (MAKER_NOTE, 7, 24, here)):
            raw = value if isinstance(value, bytes) else struct.pack(f"{order}{kind}", value)
            data += struct.pack(f"{order}HH{kind}", tag, type_, count)
            data += raw.ljust(struct.calcsize(kind), b"\0")
        data += struct.pack(f"{order}{kind}", 0)
        row = struct.pack(f"{order}HH{kind}{kind}", EXIF, 16 if big else 4, 1, place)
        data[at : at + len(row)] = row
        return io.BytesIO(bytes(data)), here

    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize("big", [False, True])
    def test_entries_are_gathered_with_their_types(self, order, big):
        file, here = self.source(order, big)
        exif = ExifBlock(exif_of_tiff(file))
        assert exif.order == order
        assert exif.text(FIRST, 271) == "Maker" and exif.text(FIRST, 315) == "A. Person"
        assert exif.number(FIRST, 18246) == 4 and not set(exif.tags(FIRST)) & {256, 273, 700, 33723}
        comment, note = exif.entries(EXIF)[0x9286], exif.entries(EXIF)[MAKER_NOTE]
        assert comment.value == Value(UNDEFINED, 3, b"hey")
        assert note.value_at == here and note.value.data[:4] == b"NOTE"
        blocks = tiff_blocks(file)
        assert (blocks.xmp, blocks.iptc, blocks.icc) == (b"xmp", b"\x1ciim", None)

    def test_a_far_maker_note_comes_nearer(self):
        file, here = self.source("<", False, note_at=2 << 20)
        exif = ExifBlock(exif_of_tiff(file))
        assert exif.entries(EXIF)[MAKER_NOTE].value_at < 100 < here

    def test_what_is_no_tiff_has_none(self):
        for data in (b"", b"FUJIFILM" + bytes(50), b"II*\0\x08\0\0\0\xff\xff" + bytes(9)):
            assert exif_of_tiff(io.BytesIO(data)) is None


def test_values_are_packed_in_the_order_of_the_block():
    assert ExifBlock.empty(">").integer(258) == Value(SHORT, 1, b"\1\2")
    assert ExifBlock.empty("<").integer(1, LONG) == Value(LONG, 1, b"\1\0\0\0")
