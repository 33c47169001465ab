"""Metadata that are copied from the source to the written picture.

Fields that describe the old pixels are updated: orientation, size, colour space. Thumbnails are
removed, and so are announcements of data that are not copied (gain map, motion photo, depth,
extended XMP). All other fields are copied unchanged. If a block cannot be read, it is replaced by
the known fields. A problem with metadata never prevents a picture from being written.
"""

from __future__ import annotations

import struct
from enum import StrEnum
from fractions import Fraction
from typing import BinaryIO, NamedTuple

from camerapipe.capture import Capture, CaptureMeta
from camerapipe.ingest.announced import is_announcement
from camerapipe.ingest.coding import ADOBE_SPACE, COLOUR_SPACE, INTEROP_INDEX, R03, SRGB_SPACE
from camerapipe.ingest.exif import (
    ASCII,
    EXIF,
    FIRST,
    GPS,
    INTEROPERABILITY,
    LONG,
    RATIONAL,
    SHORT,
    BrokenExifError,
    ExifBlock,
    Value,
)
from camerapipe.ingest.icc import srgb_profile
from camerapipe.ingest.tiff_exif import MAKER_NOTE, exif_of_tiff
from camerapipe.ingest.xmp import EXIF as XMP_EXIF
from camerapipe.ingest.xmp import TIFF as XMP_TIFF
from camerapipe.ingest.xmp import BrokenXmpError, Name, edited
from camerapipe.version import __version__

SOFTWARE_NAME = f"camerapipe {__version__}"
ORIENTATION, SOFTWARE, MAKE, MODEL = 0x0112, 0x0131, 271, 272
IMAGE_WIDTH, IMAGE_LENGTH = 256, 257
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 282, 283, 296  # the last one: 2 for inches
OLD_PLACES = {273, 278, 279, 322, 323, 324, 325, 330, 513, 514}  # of pixels and other pictures
PIXEL_WIDTH, PIXEL_HEIGHT = 0xA002, 0xA003
# First-directory tags of a RAW about the picture; all others describe how it is developed.
KEPT_OF_RAW = frozenset({
    270, MAKE, MODEL, ORIENTATION, 282, 283, 296, SOFTWARE, 306, 315, 316, 531, 18246, 33432,
    40091, 40092, 40093, 40094, 40095,
})  # fmt: skip
MAX_EXIF_BYTES = 65_527  # of a JPEG segment, its length and signature taken off
MAX_XMP_BYTES = 65_500  # of a JPEG segment, likewise
MAX_DENOMINATOR = 10**6


class Metadata(StrEnum):
    """Which metadata a written picture keeps; the colour profile belongs to its pixels."""

    ALL = "all"
    WITHOUT_GPS = "without-gps"
    NONE = "none"


class Attached(NamedTuple):
    """Blocks that are written besides the pixels; None: not present."""

    exif: ExifBlock | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    dpi: tuple[float, float] | None = None
    comment: bytes | None = None


def attached(
    capture: Capture, width: int, height: int, metadata: Metadata = Metadata.ALL
) -> Attached:
    """Metadata of a capture, updated for a picture of this size."""
    if metadata is Metadata.NONE:
        return Attached(dpi=capture.dpi)
    gps = metadata is Metadata.ALL
    return Attached(
        exif=_updated_exif(capture, width, height, gps=gps),
        xmp=updated_xmp(capture.xmp, width, height, gps=gps),
        iptc=capture.iptc,
        dpi=capture.dpi,
        comment=capture.comment,
    )


def is_readable(block: bytes) -> bool:
    """Whether an EXIF block can be read at all; one without entries is empty, not damaged."""
    try:
        exif = ExifBlock(block)
    except BrokenExifError:
        return False
    return exif.is_empty or bool(exif.tags(FIRST))


def exif_bytes(exif: ExifBlock | None, limit: int = 1 << 31) -> bytes:
    """The bytes of a block; maker notes go first where it is too long, then all of it."""
    if exif is None:
        return b""
    block = bytes(exif)
    if len(block) > limit:
        block = bytes(_without_note(exif))
    return block if len(block) <= limit else b""


def with_dpi(exif: ExifBlock | None, dpi: tuple[float, float] | None) -> ExifBlock | None:
    """EXIF with the resolution of the container, for formats that have no other place for it."""
    if dpi is None or (exif is not None and X_RESOLUTION in exif.tags(FIRST)):
        return exif
    exif = exif or ExifBlock.empty()
    x, y = (_rational(exif, each) for each in dpi)
    if x and y:
        exif.change(FIRST, {X_RESOLUTION: x, Y_RESOLUTION: y, RESOLUTION_UNIT: exif.integer(2)})
    return exif


def updated_xmp(packet: bytes | None, width: int, height: int, *, gps: bool = True) -> bytes | None:
    """XMP, updated for a picture of this size; None if there is none, or if it is broken."""
    if not packet:
        return None
    values = {
        Name(XMP_TIFF, "Orientation"): "1",
        Name(XMP_TIFF, "ImageWidth"): str(width),
        Name(XMP_TIFF, "ImageLength"): str(height),
        Name(XMP_EXIF, "PixelXDimension"): str(width),
        Name(XMP_EXIF, "PixelYDimension"): str(height),
    }

    def removed(name: Name) -> bool:
        is_gps = name.space == XMP_EXIF and name.local.startswith("GPS")
        return is_announcement(name) or (is_gps and not gps)

    try:
        return edited(packet, values=values, removed=removed)
    except BrokenXmpError:
        return None


def raw_exif(file: BinaryIO, meta: CaptureMeta) -> bytes:
    """EXIF of a RAW: that of a file with the structure of a TIFF, and all other known fields."""
    block = exif_of_tiff(file, KEPT_OF_RAW)
    exif = ExifBlock.empty() if block is None else ExifBlock(block)
    _complete(exif, meta)
    return bytes(exif)


def _updated_exif(capture: Capture, width: int, height: int, *, gps: bool) -> ExifBlock | None:
    """EXIF to be written; a block that cannot be changed is replaced by the known fields."""
    if not capture.exif:
        return None
    try:
        return _brought_up_to_date(ExifBlock(capture.exif), capture, width, height, gps=gps)
    except (BrokenExifError, struct.error):
        return _brought_up_to_date(ExifBlock.empty(), capture, width, height, gps=gps)


def _brought_up_to_date(
    exif: ExifBlock, capture: Capture, width: int, height: int, *, gps: bool
) -> ExifBlock:
    _complete(exif, capture.meta)
    exif.drop_thumbnail()
    if not gps:
        exif.drop(GPS)
    first = set(exif.tags(FIRST))
    values = {ORIENTATION: exif.integer(1), IMAGE_WIDTH: exif.integer(width, LONG),
              IMAGE_LENGTH: exif.integer(height, LONG)}  # fmt: skip
    changes: dict[int, Value | None] = {tag: v for tag, v in values.items() if tag in first}
    changes |= dict.fromkeys(OLD_PLACES & first)
    changes |= {pointer: None for pointer in (EXIF, GPS) if pointer not in exif}
    if SOFTWARE not in first:
        changes[SOFTWARE] = _text(SOFTWARE_NAME)
    exif.change(FIRST, changes)
    if EXIF in exif:
        details: dict[int, Value | None] = {
            PIXEL_WIDTH: exif.integer(width, LONG),
            PIXEL_HEIGHT: exif.integer(height, LONG),
        }
        details |= {EXIF: None, GPS: None}  # pointers that have no place there
        if INTEROPERABILITY not in exif:
            details[INTEROPERABILITY] = None
        exif.change(EXIF, details)
    _update_colour_space(exif, capture)
    return exif


def _update_colour_space(exif: ExifBlock, capture: Capture) -> None:
    """State sRGB if the picture was converted to it."""
    interop = exif.text(INTEROPERABILITY, INTEROP_INDEX)
    said_adobe = interop == R03 or exif.number(EXIF, COLOUR_SPACE) == ADOBE_SPACE
    if said_adobe and capture.profile in (None, srgb_profile()):
        exif.change(EXIF, {COLOUR_SPACE: exif.integer(SRGB_SPACE)})
        if interop is not None:
            exif.change(INTEROPERABILITY, {INTEROP_INDEX: _text("R98")})


def _without_note(exif: ExifBlock) -> ExifBlock:
    """A new block with all entries except the maker note."""
    slim = ExifBlock.empty(exif.order)
    for directory in (FIRST, EXIF, INTEROPERABILITY, GPS):
        entries = exif.entries(directory)
        skipped = {MAKER_NOTE, EXIF, GPS, INTEROPERABILITY}
        values = {tag: entry.value for tag, entry in entries.items() if tag not in skipped}
        if values:
            slim.change(directory, values)
    return slim


def _complete(exif: ExifBlock, meta: CaptureMeta) -> None:
    """Add known fields that the block leaves out: broken, or kept elsewhere (TIFF/EP)."""
    texts = {MAKE: meta.make.value, MODEL: meta.model.value}
    _add(exif, FIRST, {tag: _text(text) for tag, text in texts.items() if text})
    found = {
        0x829A: _rational(exif, meta.exposure_s.value),
        0x829D: _rational(exif, meta.f_number.value),
        0x920A: _rational(exif, meta.focal_length_mm.value),
        0x9206: _rational(exif, meta.subject_distance_m.value),
        0x8827: _short(exif, meta.iso.value),
        0xA405: _short(exif, meta.focal_length_35mm.value),
        0xA434: _text(meta.lens.value) if meta.lens.value else None,
    }
    _add(exif, EXIF, {tag: value for tag, value in found.items() if value is not None})


def _add(exif: ExifBlock, directory: int, values: dict[int, Value]) -> None:
    have = exif.tags(directory)
    missing = {tag: value for tag, value in values.items() if tag not in have}
    if missing:
        exif.change(directory, missing)


def _text(words: str) -> Value:
    data = words.encode() + b"\0"
    return Value(ASCII, len(data), data)


def _short(exif: ExifBlock, number: float | None) -> Value | None:
    if number is None or not 0 < round(number) <= 0xFFFF:
        return None
    return exif.integer(round(number), SHORT)


def _rational(exif: ExifBlock, number: float | None) -> Value | None:
    if number is None:
        return None
    fraction = Fraction(number).limit_denominator(MAX_DENOMINATOR)
    if not 0 < fraction.numerator < 1 << 32:
        return None
    order = "little" if exif.order == "<" else "big"
    parts = (fraction.numerator, fraction.denominator)
    data = b"".join(part.to_bytes(4, order) for part in parts)  # type: ignore[arg-type]
    return Value(RATIONAL, 1, data)
