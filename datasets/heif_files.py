"""HEIC files with an auxiliary picture, such as Apple's gain map.

pillow-heif writes both pictures. The boxes that make the second one auxiliary are added here (ISO
/IEC 23008-12: auxC, 6.5.8; reference auxl, 6.4.4).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image

APPLE_GAIN_MAP = b"urn:com:apple:photo:2020:aux:hdrgainmap"

Box = tuple[bytes, bytes]  # type and content


def heic_with_auxiliary(
    picture: npt.NDArray[np.uint8],
    auxiliary: npt.NDArray[np.uint8],
    *,
    urn: bytes = APPLE_GAIN_MAP,
    exif: bytes | None = None,
) -> bytes:
    """A HEIC file of a picture (HxWx3) with an auxiliary picture (hxw); `exif` has no signature."""
    import pillow_heif  # an optional extra

    pictures = pillow_heif.from_pillow(Image.fromarray(picture))
    pictures.add_from_pillow(Image.fromarray(auxiliary))
    file = io.BytesIO()
    pictures.save(file, quality=100, chroma=444, exif=exif and b"Exif\0\0" + exif)
    boxes = list(_boxes(file.getvalue()))
    meta = next(content for name, content in boxes if name == b"meta")
    second = _items(meta)[1]
    larger = _with_auxiliary(meta, urn, second)
    moved = _moved(larger, len(larger) - len(meta))
    return b"".join(_box(name, moved if name == b"meta" else content) for name, content in boxes)


def _boxes(data: bytes) -> Iterator[Box]:
    place = 0
    while place + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, place)
        yield name, data[place + 8 : place + size]
        place += size


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, name) + content


def _items(meta: bytes) -> list[int]:
    """Numbers of the coded pictures."""
    entries = dict(_boxes(meta[4:]))[b"iinf"][6:]
    found = [content for _, content in _boxes(entries) if content[8:12] == b"hvc1"]
    return [int.from_bytes(content[4:6], "big") for content in found]


def _with_auxiliary(meta: bytes, urn: bytes, item: int) -> bytes:
    """Metadata in which an item is an auxiliary picture of the first one."""
    reference = _box(b"auxl", struct.pack(">HHH", item, 1, _items(meta)[0]))
    parts, has_references = [], False
    for name, content in _boxes(meta[4:]):
        if name == b"iprp":
            content = _with_property(content, _box(b"auxC", bytes(4) + urn + b"\0"), item)
        if name == b"iref":
            content, has_references = content + reference, True
        parts.append(_box(name, content))
    if not has_references:
        parts.append(_box(b"iref", bytes(4) + reference))
    return meta[:4] + b"".join(parts)


def _with_property(iprp: bytes, prop: bytes, item: int) -> bytes:
    """Item properties with one more, which belongs to an item."""
    boxes = dict(_boxes(iprp))
    number = len(list(_boxes(boxes[b"ipco"]))) + 1
    ipma = boxes[b"ipma"]
    out, place = ipma[:8], 8
    for _ in range(int.from_bytes(ipma[4:8], "big")):
        count = ipma[place + 2]
        own = ipma[place + 3 : place + 3 + count]
        if int.from_bytes(ipma[place : place + 2], "big") == item:
            own += bytes((0x80 | number,))
        out += ipma[place : place + 2] + bytes((len(own),)) + own
        place += 3 + count
    return _box(b"ipco", boxes[b"ipco"] + prop) + _box(b"ipma", out)


def _moved(meta: bytes, by: int) -> bytes:
    """Metadata whose item locations in the file are shifted."""
    parts = []
    for name, content in _boxes(meta[4:]):
        if name == b"iloc":  # version 0: one extent each, offsets and lengths of 4 bytes
            rows, base = bytearray(content), content[5] >> 4  # bytes of a base offset, which is 0
            for index in range(int.from_bytes(content[6:8], "big")):
                at = 8 + (14 + base) * index + 6 + base
                (offset,) = struct.unpack_from(">I", rows, at)
                struct.pack_into(">I", rows, at, offset + by)
            content = bytes(rows)
        parts.append(_box(name, content))
    return meta[:4] + b"".join(parts)
