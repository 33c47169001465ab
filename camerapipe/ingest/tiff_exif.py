"""EXIF and other blocks of a TIFF file, or of a RAW with the structure of one.

The directories of a TIFF file may be anywhere between pixels, in a BigTIFF also beyond 4 GB. Their
entries are therefore copied to an EXIF block, with the same types and byte order. A maker note
contains offsets from the start of the file, so it is written to its old offset if possible.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import BinaryIO, NamedTuple

from camerapipe.ingest.exif import (
    EXIF,
    FIRST,
    GPS,
    INTEROPERABILITY,
    LONG,
    MAX_ENTRIES,
    TYPE_BYTES,
    BrokenExifError,
    ExifBlock,
    Value,
)

MAKER_NOTE = 0x927C
XMP_TAG, IPTC_TAG, PHOTOSHOP_TAG, ICC_TAG = 700, 33723, 34377, 34675
IMAGE_DESCRIPTION = 270
SHAPE_HEAD = b'{"shape": ['  # of a description that tifffile writes; it is no text of a person
# Tags of the first directory that describe the storage of the pixels, or contain other blocks.
LAYOUT = {
    254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281, 284,
    288, 289, 290, 291, 292, 293, 297, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325, 326, 327,
    328, 330, 332, 338, 339, 340, 341, 342, 343, 344, 345, 346, 347, 512, 513, 514, 515, 517, 518,
    519, 520, 521, 529, 530, 531, 532, 559, XMP_TAG, 32995, 32996, 32997, 32998, IPTC_TAG,
    PHOTOSHOP_TAG, ICC_TAG, 37724,
}  # fmt: skip
FIRST_PRIVATE_DNG, LAST_PRIVATE_DNG = 50706, 52600  # DNGVersion, and how a DNG is developed
SIZES = {**TYPE_BYTES, 16: 8, 17: 8, 18: 8}  # with the 64-bit types of BigTIFF
POINTERS = (LONG, 13, 16, 18)
OFFSETS = (273, 324, 330, 513, EXIF, GPS)  # tags of places in the file: pixels, directories
MAX_VALUE_BYTES = 16 << 20
MAX_BLOCK_BYTES = 64 << 20
FARTHEST_NOTE = 1 << 20  # offset of a maker note that is worth the zeros before it


class Blocks(NamedTuple):
    """Blocks in entries of their own."""

    xmp: bytes | None
    iptc: bytes | None
    photoshop: bytes | None
    icc: bytes | None


class _Row(NamedTuple):
    """An entry of a file: type, count and bytes, and where these lie."""

    kind: int
    number: int
    data: bytes
    at: int


class _Listed(NamedTuple):
    """End of a directory, and tag, type, count and place of the value of each entry."""

    end: int
    entries: list[tuple[int, int, int, int]]


def exif_of_tiff(
    file: BinaryIO, kept: frozenset[int] | None = None, page_at: int | None = None
) -> bytes | None:
    """Copy the EXIF of a TIFF file to a block; None if there is none.

    `kept` are the tags of the first directory to take; None takes all that are no layout.
    `page_at` is the offset of the directory of the picture, if it is not the first one. Its tags
    replace those of the first.
    """
    try:
        return _gathered(_Reader(file), kept, page_at)
    except (BrokenExifError, struct.error):  # contradictions that only damage brings about
        return None


def _gathered(reader: _Reader, kept: frozenset[int] | None, page_at: int | None) -> bytes | None:
    first = reader.joined(page_at)
    if first is None:
        return None
    block = ExifBlock.empty(reader.order)
    details = reader.behind(first, EXIF)
    note = details.pop(MAKER_NOTE, None)
    if note is not None:
        block.place_note(note.at if note.at <= FARTHEST_NOTE else 0, note.data)
    own = {tag: row for tag, row in first.items() if _is_kept(tag, kept)}
    if IMAGE_DESCRIPTION in own and own[IMAGE_DESCRIPTION].data.startswith(SHAPE_HEAD):
        del own[IMAGE_DESCRIPTION]
    for directory, rows in (
        (FIRST, own),
        (EXIF, details),
        (INTEROPERABILITY, reader.behind(details, INTEROPERABILITY)),
        (GPS, reader.behind(first, GPS)),
    ):
        rows = {tag: row for tag, row in rows.items() if tag not in (EXIF, GPS, INTEROPERABILITY)}
        if rows:
            values = {tag: Value(row.kind, row.number, row.data) for tag, row in rows.items()}
            block.change(directory, values)
    if note is not None:
        block.point_to_note(MAKER_NOTE)
    return bytes(block) if any(block.tags(each) for each in (FIRST, EXIF, GPS)) else None


def tiff_blocks(file: BinaryIO, page_at: int | None = None) -> Blocks:
    """The blocks in the first directory of a TIFF file, replaced by those of a page."""
    first = _Reader(file).joined(page_at) or {}
    found = (first.get(tag) for tag in (XMP_TAG, IPTC_TAG, PHOTOSHOP_TAG, ICC_TAG))
    return Blocks(*(None if row is None else row.data or None for row in found))


def first_numbers(file: BinaryIO, tags: Iterable[int]) -> dict[int, int]:
    """Single numbers in the first directory of a file that is built like a TIFF."""
    reader = _Reader(file)
    rows = reader.directory(reader.first) or {}
    order = "little" if reader.order == "<" else "big"
    return {
        tag: int.from_bytes(rows[tag].data, order)  # type: ignore[arg-type]
        for tag in tags
        if tag in rows and rows[tag].number == 1
    }


def farthest_reference(file: BinaryIO) -> int:
    """Largest offset that the first directory of a file like a TIFF refers to; 0 without one."""
    return _Reader(file).farthest()


def is_dng(file: BinaryIO) -> bool:
    """Whether a file is a DNG, by its tag DNGVersion."""
    reader = _Reader(file)
    return FIRST_PRIVATE_DNG in (reader.directory(reader.first) or {})


def _is_kept(tag: int, kept: frozenset[int] | None) -> bool:
    if kept is not None:
        return tag in kept
    return tag not in LAYOUT and not FIRST_PRIVATE_DNG <= tag <= LAST_PRIVATE_DNG


class _Reader:
    """Directories of a TIFF or BigTIFF file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = MAX_BLOCK_BYTES
        head = self._read(0, 16).ljust(16, b"\0")
        self.is_tiff = head[:2] in (b"II", b"MM")
        self.order = "<" if head[:2] == b"II" else ">"
        self._big = head[2:4] in (b"+\0", b"\0+")
        if self._big:
            (self.first,) = struct.unpack(f"{self.order}Q", head[8:16])
        else:
            (self.first,) = struct.unpack(f"{self.order}I", head[4:8])

    def joined(self, page_at: int | None) -> dict[int, _Row] | None:
        """Entries of the first directory, replaced by those of a page; None if there is none."""
        first = self.directory(self.first)
        if first is None or page_at is None:
            return first
        return first | (self.directory(page_at) or {})

    def behind(self, rows: dict[int, _Row], pointer: int) -> dict[int, _Row]:
        """Directory that an entry points to; empty if there is none."""
        row = rows.get(pointer)
        if row is None or row.kind not in POINTERS or row.number != 1:
            return {}
        order = "little" if self.order == "<" else "big"
        return self.directory(int.from_bytes(row.data, order)) or {}  # type: ignore[arg-type]

    def directory(self, place: int) -> dict[int, _Row] | None:
        """Entries by tag, except those of types that are not valid in an EXIF block."""
        listed = self._listed(place)
        if listed is None:
            return None
        found: dict[int, _Row] = {}
        for tag, kind, number, value_at in listed.entries:
            size = SIZES.get(kind, 0) * number
            if not 0 < size <= MAX_VALUE_BYTES or tag in found:
                continue
            data = self._read(value_at, size)
            wide = kind not in TYPE_BYTES and tag not in (EXIF, GPS, INTEROPERABILITY)
            if len(data) == size and not wide:
                found[tag] = _Row(kind, number, data, value_at)
        return found

    def farthest(self) -> int:
        """End of the first directory and of its values, or the largest offset among these."""
        listed = self._listed(self.first)
        if listed is None:
            return int(self.first) + 1
        ends: list[int] = [listed.end]
        order = "little" if self.order == "<" else "big"
        for tag, kind, number, value_at in listed.entries:
            each = SIZES.get(kind, 0)
            ends.append(value_at + each * number)
            if tag in OFFSETS and kind in POINTERS and each * number <= MAX_VALUE_BYTES:
                data = self._read(value_at, each * number)
                places = (data[at : at + each] for at in range(0, len(data), each))
                ends += [int.from_bytes(place, order) for place in places]  # type: ignore[arg-type]
        return max(ends)

    def _listed(self, place: int) -> _Listed | None:
        """Where a directory ends, and its entries; None if there is none at this place."""
        counter, entry, word = ("Q", 20, "Q") if self._big else ("H", 12, "I")
        head = self._read(place, struct.calcsize(f"{self.order}{counter}"))
        if place == 0 or not self.is_tiff or len(head) < struct.calcsize(f"{self.order}{counter}"):
            return None
        (count,) = struct.unpack(f"{self.order}{counter}", head)
        if count > MAX_ENTRIES:
            return None
        start, inline = place + len(head), struct.calcsize(word)
        table = self._read(start, count * entry)
        entries = []
        for at in range(0, len(table) - entry + 1, entry):
            tag, kind, number = struct.unpack_from(f"{self.order}HH{word}", table, at)
            value_at = start + at + entry - inline
            if SIZES.get(kind, 0) * number > inline:
                (value_at,) = struct.unpack_from(f"{self.order}{word}", table, at + entry - inline)
            entries.append((tag, kind, number, value_at))
        return _Listed(start + count * entry, entries)

    def _read(self, place: int, size: int) -> bytes:
        self._left -= size
        if self._left < 0 or place >= 1 << 62:
            return b""
        self._file.seek(place)
        return self._file.read(size)
