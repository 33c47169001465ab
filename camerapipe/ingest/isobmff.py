"""Boxes of ISO base media files (HEIF, AVIF) that the decoders do not return.

Colour: colr boxes of kind nclx (ISO/IEC 14496-12, 12.1.5), by the associations of the primary item
(ISO/IEC 23008-12). XMP: the items of that type (ISO/IEC 14496-12, 8.11), also those that describe
auxiliary pictures.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from camerapipe.ingest.coding import Cicp
from camerapipe.ingest.files import file_size

MAX_META_BYTES = 16 << 20
MAX_BOXES = 10_000
TONE_MAP = b"tmap"  # type of the item that joins a picture and its gain map (ISO/IEC 23008-12)
MAX_XMP_ITEMS, MAX_XMP_BYTES = 16, 1 << 20  # of an item; real ones have some kB
XMP_TYPE = b"application/rdf+xml"


def nclx_of(file: BinaryIO) -> Cicp | None:
    """Code points of the primary picture, or of any picture if those cannot be identified."""
    meta = _meta(file)
    if meta is None:
        return None
    try:
        boxes = dict(reversed(list(_boxes(meta[4:]))))
        held = dict(reversed(list(_boxes(boxes[b"iprp"]))))
        properties = list(_boxes(held[b"ipco"]))
        own = _associated(held.get(b"ipma", b""), _primary(boxes.get(b"pitm", b"")))
    except (KeyError, IndexError, struct.error):
        return None
    numbered = list(enumerate(properties, 1))
    for wanted in (own, {index for index, _ in numbered}):
        for index, (name, content) in numbered:
            if index in wanted and name == b"colr" and content[:4] == b"nclx" and len(content) > 10:
                primaries, transfer = struct.unpack_from(">HH", content, 4)
                return Cicp(primaries, transfer)  # decoders always return full range
    return None


def item_types(file: BinaryIO) -> frozenset[bytes]:
    """Types of the items in a file, such as `hvc1` (ISO/IEC 14496-12, 8.11.6)."""
    try:
        items = dict(_boxes((_meta(file) or b"")[4:])).get(b"iinf", b"\0" * 6)
        entries = _boxes(items[6:] if items[0] == 0 else items[8:])
        found = [(content[0], content) for name, content in entries if name == b"infe"]
        return frozenset(c[8:12] if version == 2 else c[10:14] for version, c in found)
    except IndexError:
        return frozenset()


def ends_early(file: BinaryIO) -> bool:
    """Whether an item of a file ends behind the file, which decoders may fill with noise."""
    try:
        boxes = dict(reversed(list(_boxes((_meta(file) or b"")[4:]))))
        items = _extents(boxes[b"iloc"]).values()
    except (KeyError, IndexError):
        return False
    size = file_size(file)
    return any(at + length > size for extents in items for at, length in extents)


def xmp_items(file: BinaryIO) -> list[bytes]:
    """XMP packets of a file: of the picture, and of auxiliary pictures such as depth."""
    meta = _meta(file)
    if meta is None:
        return []
    try:
        boxes = dict(reversed(list(_boxes(meta[4:]))))
        entries = boxes[b"iinf"][4 + (2 if boxes[b"iinf"][0] == 0 else 4) :]
        wanted = [_xmp_item(content) for name, content in _boxes(entries) if name == b"infe"]
        places = {item: extents[0] for item, extents in _extents(boxes[b"iloc"]).items()}
    except (KeyError, IndexError, struct.error):
        return []
    found = []
    for item in [each for each in wanted if each in places][:MAX_XMP_ITEMS]:
        offset, length = places[item or 0]
        file.seek(offset)
        found.append(file.read(min(length, MAX_XMP_BYTES)))
    return found


def _xmp_item(content: bytes) -> int | None:
    """Number of the item that an entry describes, if it is XMP."""
    wide = content[0] >= 3
    (number,) = struct.unpack_from(">I" if wide else ">H", content, 4)
    rest = content[4 + (4 if wide else 2) + 2 :]
    is_xmp = rest[:4] == b"mime" and XMP_TYPE in rest[4:].split(b"\0")[:2]
    return int(number) if is_xmp else None


def _extents(content: bytes) -> dict[int, list[tuple[int, int]]]:
    """Offsets in the file and lengths of the extents of each item that is stored as ranges."""
    version, place, found = content[0], 6, {}
    offset_bytes, length_bytes = content[4] >> 4, content[4] & 15
    base_bytes, index_bytes = content[5] >> 4, content[5] & 15 if version else 0
    wide = version >= 2

    def number(size: int) -> int:
        nonlocal place
        if place + size > len(content):
            raise IndexError(place)
        place += size
        return int.from_bytes(content[place - size : place], "big")

    for _ in range(min(number(4 if wide else 2), MAX_BOXES)):
        item = number(4 if wide else 2)
        method = number(2) & 15 if version else 0
        number(2)
        base = number(base_bytes)
        extents = []
        for _ in range(min(number(2), MAX_BOXES)):
            number(index_bytes)
            extents.append((base + number(offset_bytes), number(length_bytes)))
        if method == 0 and extents:
            found[item] = extents
    return found


def _meta(file: BinaryIO) -> bytes | None:
    """Content of the box of metadata."""
    file.seek(0)
    for _ in range(MAX_BOXES):
        head = file.read(8)
        if len(head) < 8:
            return None
        size, name = struct.unpack(">I4s", head)
        used = 8
        if size == 1:
            (size,) = struct.unpack(">Q", file.read(8).ljust(8, b"\0"))
            used = 16
        if name == b"meta":
            return file.read(min(size - used, MAX_META_BYTES)) if size > used else None
        if size < used:
            return None
        file.seek(size - used, 1)
    return None


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 0
    while place + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, place)
        if size < 8:
            return
        yield name, data[place + 8 : place + size]
        place += size


def _primary(content: bytes) -> int:
    """Number of the primary item."""
    kind = ">H" if content[0] == 0 else ">I"
    (item,) = struct.unpack_from(kind, content, 4)
    return int(item)


def _associated(content: bytes, item: int) -> set[int]:
    """Numbers of the properties of an item."""
    version, wide = content[0], content[3] & 1
    (count,) = struct.unpack_from(">I", content, 4)
    place, found = 8, set()
    for _ in range(min(count, MAX_BOXES)):
        (number,) = struct.unpack_from(">H" if version < 1 else ">I", content, place)
        place += 2 if version < 1 else 4
        for _ in range(content[place]):
            raw = content[place + 1 : place + 3] if wide else content[place + 1 : place + 2]
            index = int.from_bytes(raw, "big") & (0x7FFF if wide else 0x7F)
            place += 2 if wide else 1
            if number == item:
                found.add(index)
        place += 1
    return found
