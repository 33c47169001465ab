"""Extended XMP: a second packet of a JPEG, in as many segments as it needs (ISO 16684-3, 6).

A segment of a JPEG holds up to 64 kB. Larger properties stand in a packet of their own, which is
cut into parts. The first packet names it by the MD5 of its bytes (`xmpNote:HasExtendedXMP`).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable

from camerapipe.ingest.jpeg_segments import APP1, XMP_HEAD, segment, segments_of
from camerapipe.ingest.xmp import MAX_BYTES

HEAD = b"http://ns.adobe.com/xmp/extension/\0"
GUID_BYTES = 32  # hexadecimal digits of an MD5
MAX_PART_BYTES = 65_400  # of the packet in a segment


class BrokenExtensionError(ValueError):
    """Parts that do not make up the packet that they were cut from."""


def xmp_packets(data: bytes) -> tuple[bytes, ...]:
    """XMP packets of a JPEG file: the first one, and the extended one if there is one.

    Raises
    ------
    BrokenExtensionError
        If parts of the extended packet are missing, damaged, or more than `xmp.MAX_BYTES`.
    """
    contents = [each.content for each in segments_of(data) if each.marker == APP1]
    first = next((each for each in contents if each.startswith(XMP_HEAD)), b"")
    packet = first.removeprefix(XMP_HEAD).rstrip(b"\0")
    extended = _joined(packet, (each for each in contents if each.startswith(HEAD)))
    return tuple(each for each in (packet, extended) if each)


def _joined(packet: bytes, segments: Iterable[bytes]) -> bytes:
    """The extended packet that the first one names; other ones are ignored."""
    out, known = bytearray(), 0
    for content in segments:
        rest = content[len(HEAD) :]
        guid, rest = rest[:GUID_BYTES], rest[GUID_BYTES:]
        if len(guid) < GUID_BYTES or len(rest) < 8 or guid not in packet:
            continue
        total, offset = struct.unpack_from(">II", rest)
        part = rest[8:]
        if total > MAX_BYTES or offset + len(part) > total or total != len(out or b"\0" * total):
            raise BrokenExtensionError("its extended XMP has parts of impossible size")
        out = out or bytearray(total)
        out[offset : offset + len(part)] = part
        known += len(part)
    if not out:
        return b""
    if known < len(out) or guid_of(bytes(out)).encode() not in packet:
        raise BrokenExtensionError("its extended XMP is incomplete or damaged")
    return bytes(out)


def guid_of(packet: bytes) -> str:
    """The name of an extended packet: the MD5 of its bytes, in upper-case digits."""
    return hashlib.md5(packet, usedforsecurity=False).hexdigest().upper()


def extension_segments(packet: bytes) -> bytes:
    """Segments of a JPEG with the parts of an extended packet."""
    head, total = HEAD + guid_of(packet).encode(), len(packet)
    return b"".join(
        segment(APP1, head + struct.pack(">II", total, at) + packet[at : at + MAX_PART_BYTES])
        for at in range(0, total, MAX_PART_BYTES)
    )
