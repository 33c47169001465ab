"""EXIF, XMP and IPTC with known contents, and files that carry them, put together byte by byte."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from datasets.coded_files import png_file
from datasets.gain_map_files import XMP_HEAD, plain_jpeg, with_segments

NOTE_AT = 120  # offset of the maker note in the block; notes contain offsets, so it must stay
MAKER_NOTE = 0x927C
BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, SRATIONAL = 1, 2, 3, 4, 5, 7, 10
SIZES = {BYTE: 1, ASCII: 1, SHORT: 2, LONG: 4, RATIONAL: 8, UNDEFINED: 1, SRATIONAL: 8}
XMP_SPACE = "http://ns.adobe.com/xap/1.0/"
RATING = f'<rdf:Description xmlns:x="{XMP_SPACE}" x:Rating="4"/>'.encode()
IPTC_RECORDS = b"\x1c\x02\x50\0\x08A Person" + b"\x1c\x02\x69\0\x03Sun"
PHOTOSHOP = b"Photoshop 3.0\0"

Entry = tuple[int, int, bytes]  # tag, type, value


def rich_exif(order: str = ">") -> bytes:
    """An EXIF block with texts, rating, resolution, GPS, signed and undefined types, a maker note.

    `order` is that of the bytes: `<` or `>`.
    """
    fraction = struct.Struct(f"{order}II")
    note = b"NOTE" + struct.pack(f"{order}I", NOTE_AT + 8) + bytes(40)
    details: list[Entry] = [
        (0x9204, SRATIONAL, struct.pack(f"{order}ii", -2, 3)),  # exposure bias
        (0x920A, RATIONAL, fraction.pack(50, 1)),  # focal length
        (MAKER_NOTE, UNDEFINED, note),
        (0x9286, UNDEFINED, b"ASCII\0\0\0Hey"),  # user comment
    ]
    block = bytes(NOTE_AT) + note
    places = {MAKER_NOTE: NOTE_AT}
    pointers = {}
    for tag, entries in ((0x8769, details), (0x8825, [(1, ASCII, b"N\0")])):
        pointers[tag] = len(block)
        block += directory(entries, order, len(block), places)
    first: list[Entry] = [
        (0x010F, ASCII, b"Maker\0"),
        (0x0112, SHORT, struct.pack(f"{order}H", 1)),
        (282, RATIONAL, fraction.pack(300, 1)),
        (283, RATIONAL, fraction.pack(300, 1)),
        (296, SHORT, struct.pack(f"{order}H", 2)),
        (0x013B, ASCII, b"A. Person\0"),
        (18246, SHORT, struct.pack(f"{order}H", 4)),  # rating
        *((tag, LONG, struct.pack(f"{order}I", place)) for tag, place in pointers.items()),
        (40091, BYTE, "Hi\0".encode("utf-16-le")),  # title
    ]
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", len(block))
    return head + block[len(head) :] + directory(first, order, len(block))


def directory(
    entries: Iterable[Entry], order: str, at: int, places: dict[int, int] | None = None
) -> bytes:
    """A TIFF directory at an offset, with its values after it, or at given places."""
    rows = sorted(entries)
    value_at = at + 2 + 12 * len(rows) + 4
    table, values = struct.pack(f"{order}H", len(rows)), b""
    for tag, kind, value in rows:
        table += struct.pack(f"{order}HHI", tag, kind, len(value) // SIZES[kind])
        if len(value) <= 4:
            table += value.ljust(4, b"\0")
            continue
        place = (places or {}).get(tag)
        if place is None:
            place = value_at + len(values)
            values += value + b"\0" * (len(value) % 2)
        table += struct.pack(f"{order}I", place)
    return table + bytes(4) + values


def packet(inner: bytes) -> bytes:
    """An XMP packet without wrapper."""
    space = b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    return b'<x:xmpmeta xmlns:x="adobe:ns:meta/">' + space + inner + b"</rdf:RDF></x:xmpmeta>"


def image_resource(number: int, content: bytes) -> bytes:
    """An image resource block of Photoshop."""
    head = b"8BIM" + struct.pack(">HxxI", number, len(content))
    return head + content + b"\0" * (len(content) % 2)


def raw_profile(name: bytes, block: bytes) -> tuple[bytes, bytes]:
    """Chunk of a PNG with a block as ImageMagick writes it."""
    text = b"\n%s\n%8d\n%s\n" % (name, len(block), block.hex().encode())
    return b"zTXt", b"Raw profile type " + name + b"\0\0" + zlib.compress(text)


def metadata_files(codes: npt.NDArray[np.uint8]) -> dict[str, bytes]:
    """Files of a picture that keep what they say in different places, by their names."""
    jpeg = plain_jpeg(codes, 95)
    exif = b"Exif\0\0" + rich_exif()
    iptc = PHOTOSHOP + image_resource(0x0404, IPTC_RECORDS)
    density = struct.pack(">IIB", 11811, 11811, 1)
    return {
        "EXIF, big endian.jpg": with_segments(jpeg, [(0xE1, exif)]),
        "EXIF, little endian.jpg": with_segments(jpeg, [(0xE1, b"Exif\0\0" + rich_exif("<"))]),
        "XMP.jpg": with_segments(jpeg, [(0xE1, XMP_HEAD + packet(RATING))]),
        "EXIF, XMP, IPTC.jpg": with_segments(
            jpeg, [(0xE1, exif), (0xE1, XMP_HEAD + packet(RATING)), (0xED, iptc)]
        ),
        "EXIF.png": png_file(codes, [(b"eXIf", rich_exif()), (b"pHYs", density)]),
        "EXIF after the pixels.png": png_file(codes, after=[(b"eXIf", rich_exif())]),
        "EXIF as text.png": png_file(codes, [raw_profile(b"exif", exif)]),
        "XMP.png": png_file(codes, [(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet(RATING))]),
    }
