"""EXIF and XMP on their way from the source to the written picture.

What described the old pixels is brought up to date or dropped: orientation 1, the new pixel
dimensions, no thumbnail, no layout of the old file. Makernotes travel as they are. A block that
cannot be read is replaced by the fields that were: metadata never stops a picture from being
written.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import BinaryIO, NamedTuple

from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from camerapipe.capture import Capture, CaptureMeta
from camerapipe.ingest.xmp import EXIF, NOTE, TIFF, BrokenXmpError, Name, edited
from camerapipe.version import __version__

EXIF_IFD, GPS_IFD, MAKER_NOTE, INTEROPERABILITY = 0x8769, 0x8825, 0x927C, 0xA005
ORIENTATION, SOFTWARE = 0x0112, 0x0131
PIXEL_WIDTH, PIXEL_HEIGHT = 0xA002, 0xA003

# First-directory tags about the picture as such; all others describe the layout of the old file.
KEPT = {
    270, 271, 272, ORIENTATION, 282, 283, 296, SOFTWARE, 306, 315, 316, 531, 18246, 33432,
    40091, 40092, 40093, 40094, 40095,
}  # fmt: skip
MAX_EXIF_BYTES = 65_527  # of a JPEG segment, its length and signature taken off
MAX_XMP_BYTES = 65_500  # of a JPEG segment, likewise


class Metadata(StrEnum):
    """Which metadata a written picture keeps; the colour profile belongs to its pixels."""

    ALL = "all"
    WITHOUT_GPS = "without-gps"
    NONE = "none"


class Attached(NamedTuple):
    """Blocks for a written picture; None where there is nothing to write."""

    exif: Image.Exif | None
    xmp: bytes | None


def attached(
    capture: Capture, width: int, height: int, metadata: Metadata = Metadata.ALL
) -> Attached:
    """EXIF and XMP of a capture, brought up to date for a picture of this size."""
    if metadata is Metadata.NONE:
        return Attached(None, None)
    exif = None
    if capture.exif:
        exif = readable_exif(capture.exif)
        complete(exif, capture.meta)
        exif[ORIENTATION] = 1
        exif[SOFTWARE] = f"camerapipe {__version__}"
        details = exif.get_ifd(EXIF_IFD)
        details[PIXEL_WIDTH], details[PIXEL_HEIGHT] = width, height
        if metadata is Metadata.WITHOUT_GPS:
            exif._ifds.pop(GPS_IFD, None)
            if GPS_IFD in exif:
                del exif[GPS_IFD]
    return Attached(exif, kept_xmp(capture.xmp, gps=metadata is Metadata.ALL))


def readable_exif(block: bytes) -> Image.Exif:
    """What `kept_exif` keeps; nothing where the block is broken."""
    kept = kept_exif(block)
    return Image.Exif() if kept is None else kept


def kept_exif(block: bytes) -> Image.Exif | None:
    """Read an EXIF block and keep what is true of any copy; None where the block is broken."""
    kept = Image.Exif()
    try:
        source = Image.Exif()
        source.load(block)
        for tag in KEPT & set(source):
            kept[tag] = source[tag]
        for ifd in (EXIF_IFD, GPS_IFD):
            content = dict(source.get_ifd(ifd))
            content.pop(INTEROPERABILITY, None)  # an offset into the old block
            if content:
                kept.get_ifd(ifd).update(content)
        kept.tobytes()
    except Exception:  # Pillow raises whatever broken EXIF provokes
        return None
    return kept


def exif_bytes(exif: Image.Exif | None, limit: int = 1 << 31) -> bytes:
    """Serialise EXIF; makernotes go first where it is too long, then all of it."""
    if exif is None:
        return b""
    block = exif.tobytes()
    if len(block) > limit:
        exif.get_ifd(EXIF_IFD).pop(MAKER_NOTE, None)
        block = exif.tobytes()
    return block if len(block) <= limit else b""


def kept_xmp(packet: bytes | None, *, gps: bool = True) -> bytes | None:
    """XMP with orientation 1 and without the pointer to an extension, which does not travel.

    None where there is none or it is broken.
    """
    if not packet:
        return None
    removed: Callable[[Name], bool] = _left_out if gps else _left_out_or_gps
    try:
        return edited(packet, values={Name(TIFF, "Orientation"): "1"}, removed=removed)
    except BrokenXmpError:
        return None


def _left_out(name: Name) -> bool:
    return name == (NOTE, "HasExtendedXMP")


def _left_out_or_gps(name: Name) -> bool:
    return _left_out(name) or (name.space == EXIF and name.local.startswith("GPS"))


def raw_exif(file: BinaryIO, meta: CaptureMeta) -> bytes:
    """EXIF of a RAW: its own where the file is built like a TIFF, completed from what is known."""
    try:
        file.seek(0)
        source = Image.Exif()
        source.load_from_fp(file)
        exif = readable_exif(source.tobytes())
    except Exception:  # not a TIFF, or damaged
        exif = Image.Exif()
    complete(exif, meta)
    return exif.tobytes()


def complete(exif: Image.Exif, meta: CaptureMeta) -> None:
    """Add known fields that the block leaves out: broken, or kept elsewhere (TIFF/EP)."""
    details = exif.get_ifd(EXIF_IFD)
    for tag, text in ((271, meta.make), (272, meta.model)):
        if text.value and tag not in exif:
            exif[tag] = text.value
    known = {
        0xA434: meta.lens.value,
        0x829A: _rational(meta.exposure_s.value),
        0x829D: _rational(meta.f_number.value),
        0x920A: _rational(meta.focal_length_mm.value),
        0x9206: _rational(meta.subject_distance_m.value),
        0x8827: round(meta.iso.value) if meta.iso.value else None,
        0xA405: round(meta.focal_length_35mm.value) if meta.focal_length_35mm.value else None,
    }
    for tag, value in known.items():
        if value is not None:
            details.setdefault(tag, value)


def _rational(value: float | None) -> IFDRational | None:
    return None if value is None else IFDRational(value)
