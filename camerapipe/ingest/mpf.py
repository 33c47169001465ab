"""Multi-Picture Format: the index of the pictures in a JPEG file, read and written.

The index is an APP2 segment of the first picture (CIPA DC-007-2009). Offsets of the other pictures
count from the byte after the signature of that segment.
"""

from __future__ import annotations

import struct

from camerapipe.ingest.exif import FIRST, BrokenExifError, ExifBlock
from camerapipe.ingest.jpeg_segments import APP2, Segment, segment, segments_of

SIGNATURE = b"MPF\0"
ENTRIES = 0xB002
ENTRY_BYTES = 16
MAX_PICTURES = 64  # cameras write up to about ten
PRIMARY = 0x03_0000  # type of the first picture; that of the second is undefined (0)
VERSION, NUMBER = 0xB000, 0xB001
LONG, UNDEFINED = 4, 7


def other_pictures(data: bytes) -> list[tuple[int, int]]:
    """Begin and end of the pictures after the first, as the index of a file states them.

    They may lie outside of the file. Empty if there is no index, or if it is damaged.
    """
    for each in segments_of(data):
        if each.marker == APP2 and each.content.startswith(SIGNATURE):
            return _listed(each)
    return []


def _listed(index: Segment) -> list[tuple[int, int]]:
    origin = index.at + len(SIGNATURE)
    try:
        block = ExifBlock(index.content[len(SIGNATURE) :])
        rows = block.entries(FIRST)[ENTRIES].value.data
    except (BrokenExifError, KeyError):
        return []
    rows = rows[: len(rows) // ENTRY_BYTES * ENTRY_BYTES][: MAX_PICTURES * ENTRY_BYTES]
    places = [row[1:3] for row in struct.iter_unpack(f"{block.order}IIIHH", rows)]
    return [(origin + offset, origin + offset + size) for size, offset in places if offset]


def with_first_size(data: bytes) -> bytes:
    """A file whose index states the size of the first picture as it is now; other bytes stay.

    The first picture ends where the second begins.
    """
    others = other_pictures(data)
    index = next((s for s in segments_of(data)
                  if s.marker == APP2 and s.content.startswith(SIGNATURE)), None)  # fmt: skip
    if index is None or not others:
        return data
    block = ExifBlock(index.content[len(SIGNATURE) :])
    entry = block.entries(FIRST)[ENTRIES]
    place = index.at + len(SIGNATURE) + entry.value_at + 4  # after its attributes
    size = struct.pack(f"{block.order}I", min(start for start, _ in others))
    return data[:place] + size + data[place + 4 :]


def with_picture(first: bytes, second: bytes, place: int) -> bytes:
    """A JPEG file with a second picture, and the index of both.

    Parameters
    ----------
    first, second : bytes
        Whole JPEG files.
    place : int
        Offset in the first file at which the segment of the index is put.
    """
    added = len(segment(APP2, SIGNATURE + _index(0, 0, 0)))
    total = len(first) + added
    origin = place + added - len(_index(0, 0, 0))
    index = segment(APP2, SIGNATURE + _index(total, len(second), total - origin))
    return first[:place] + index + first[place:] + second


def _index(first_bytes: int, second_bytes: int, offset: int) -> bytes:
    """Directory with version, number of pictures, and an entry for each of two pictures."""
    rows = struct.pack(">IIIHH", PRIMARY, first_bytes, 0, 0, 0)
    rows += struct.pack(">IIIHH", 0, second_bytes, offset, 0, 0)
    head = b"MM\0*" + struct.pack(">IH", 8, 3)
    place = len(head) + 3 * 12 + 4
    tags = struct.pack(">HHI4s", VERSION, UNDEFINED, 4, b"0100")
    tags += struct.pack(">HHII", NUMBER, LONG, 1, 2)
    tags += struct.pack(">HHII", ENTRIES, UNDEFINED, len(rows), place)
    return head + tags + struct.pack(">I", 0) + rows
