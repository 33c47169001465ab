"""Segments of JPEG files (ITU-T T.81, B.1.1): markers with contents, before the pixels."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

START, END = b"\xff\xd8", b"\xff\xd9"
APP0, APP1, APP2, APP13 = 0xE0, 0xE1, 0xE2, 0xED
APPLICATION = range(0xE0, 0xF0)  # markers of the segments that applications write
FRAME, SCAN, COMMENT = 0xC0, 0xDA, 0xFE
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # segments with the size, of all processes
STANDALONE = {0x01, *range(0xD0, 0xDA)}  # markers without a segment; none is allowed before a scan
FILL = 0xFF  # a byte that may precede a marker
XMP_HEAD = b"http://ns.adobe.com/xap/1.0/\0"


class Segment(NamedTuple):
    """A segment: its marker, its content, and the offset of its content in the file."""

    marker: int
    content: bytes
    at: int

    @property
    def end(self) -> int:
        """Offset of the byte after the segment."""
        return self.at + len(self.content)


def segments_of(data: bytes) -> Iterator[Segment]:
    """Segments up to the head of the first scan, or up to the first that is damaged."""
    place = len(START)
    while data[:2] == START and place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == FILL:
            place += 1
            continue
        (length,) = struct.unpack_from(">H", data, place + 2)
        end = place + 2 + length
        if marker in STANDALONE or length < 2 or end > len(data):
            return
        yield Segment(marker, data[place + 4 : end], place + 4)
        if marker == SCAN:
            return
        place = end


def segment(marker: int, content: bytes) -> bytes:
    """Bytes of a segment."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def end_of_applications(data: bytes) -> int:
    """Offset of the end of the segments of applications at the start of a file."""
    end = len(START)
    for each in segments_of(data):
        if each.marker not in APPLICATION:
            break
        end = each.end
    return end
