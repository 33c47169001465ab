"""Image resource blocks of Photoshop, in which JPEG and TIFF files carry IPTC.

Layout: Adobe Photoshop File Formats Specification, "Image Resources Section". Blocks that describe
the pixels of the old file (thumbnails, profile) or repeat other metadata are left out of a copy.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

SEGMENT_HEAD = b"Photoshop 3.0\0"  # of APP13 in a JPEG
MARK = b"8BIM"
IPTC = 0x0404
LEFT_OUT = {0x0409, 0x040C, 0x040F, 0x0422, 0x0423, 0x0424}  # thumbnails, ICC, EXIF, XMP
IPTC_MARK = b"\x1c"  # of IPTC-IIM records


class Resource(NamedTuple):
    """One block: its number, its content, and all of its bytes."""

    number: int
    content: bytes
    raw: bytes


def kept_resources(data: bytes | None) -> bytes | None:
    """Blocks that are valid for any copy, from blocks or from bare IPTC records; None: none."""
    if not data:
        return None
    if data.startswith(IPTC_MARK):
        return resource(IPTC, data)
    return b"".join(each.raw for each in resources(data) if each.number not in LEFT_OUT) or None


def iptc_records(data: bytes | None) -> bytes | None:
    """The IPTC records in a row of blocks."""
    found = [each.content for each in resources(data or b"") if each.number == IPTC]
    return found[0] if found else None


def resource(number: int, content: bytes) -> bytes:
    """A block without a name."""
    head = MARK + struct.pack(">HxxI", number, len(content))
    return head + content + b"\0" * (len(content) % 2)


def resources(data: bytes) -> Iterator[Resource]:
    """Blocks up to the first one that is damaged."""
    place = 0
    while data[place : place + 4] == MARK and place + 7 <= len(data):
        (number,) = struct.unpack_from(">H", data, place + 4)
        name_bytes = 1 + data[place + 6]
        size_at = place + 6 + name_bytes + name_bytes % 2
        if size_at + 4 > len(data):
            return
        (size,) = struct.unpack_from(">I", data, size_at)
        start, end = size_at + 4, size_at + 4 + size
        if end > len(data):
            return
        end_padded = min(end + size % 2, len(data))
        yield Resource(
            number, data[start:end], data[place:end_padded].ljust(end + size % 2 - place)
        )
        place = end_padded
