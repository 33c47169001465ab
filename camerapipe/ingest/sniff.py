"""Recognition of file formats by content, never by name.

Most formats have a signature in their first bytes. TIFF is difficult, because DNG, NEF, ARW, CR2
and many other RAW files are TIFF files as well; a TIFF decoder would return their thumbnail. Files
that could come from a camera are therefore given to LibRaw first (`MAYBE_RAW`). Files that only
LibRaw can read (`RAW`) are never given to a display decoder. Unknown content is `RAW` too, so that
LibRaw can try it.
"""

from __future__ import annotations

from enum import Enum
from typing import BinaryIO

import tifffile

from camerapipe.ingest.pages import (
    MIN_IS_BLACK,
    MIN_IS_WHITE,
    RAW_PHOTOMETRICS,
    REDUCED,
    RGB,
    SUB_IFDS,
    choose_page,
)

HEAD_BYTES = 32
JPEG_MAGIC = b"\xff\xd8\xff"
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
OUTPUT_MAGIC = {"jpeg": (JPEG_MAGIC,), "png": (PNG_MAGIC,), "tiff": TIFF_MAGIC}
HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
AVIF_BRANDS = (b"avif", b"avis")

DNG_VERSION, MAKE = 50706, 271
CR2_MAGIC = b"CR"  # at byte 8
PLAIN_PHOTOMETRICS = (MIN_IS_WHITE, MIN_IS_BLACK, RGB)


class Kind(Enum):
    """The reader of a file."""

    DISPLAY = "display"  # Pillow
    PNG16 = "png16"  # OpenCV, since Pillow keeps only 8 bits of each colour
    TIFF = "tiff"
    HEIF = "heif"
    MAYBE_RAW = "maybe raw"  # LibRaw first, then as TIFF
    RAW = "raw"


def sniff(file: BinaryIO) -> Kind:
    """Reader of a file; afterwards, the file is at its start."""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    kind = _by_magic(head)
    if kind is Kind.TIFF:
        kind = _tiff_kind(file, head)
    file.seek(0)
    return kind


def picture_format(file: BinaryIO) -> str | None:
    """Name of the output format of a file by its signature, or None.

    Afterwards, the file is at its start. A RAW with the structure of a TIFF counts as TIFF.
    """
    file.seek(0)
    head = file.read(HEAD_BYTES)
    file.seek(0)
    for name, magics in OUTPUT_MAGIC.items():
        if head.startswith(magics):
            return name
    if _by_magic(head) is Kind.HEIF:
        return "heic"
    return "avif" if head[4:8] == b"ftyp" and _by_magic(head) is Kind.DISPLAY else None


def _by_magic(head: bytes) -> Kind:
    if head.startswith(PNG_MAGIC):
        return Kind.PNG16 if head[24:25] == b"\x10" else Kind.DISPLAY  # bit depth in the header
    if head.startswith((JPEG_MAGIC, b"GIF87a", b"GIF89a", b"BM")):
        return Kind.DISPLAY
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return Kind.DISPLAY
    if head.startswith(TIFF_MAGIC):
        return Kind.TIFF
    if head[4:8] == b"ftyp":
        brands = {head[i : i + 4] for i in range(8, HEAD_BYTES, 4)} - {head[12:16]}
        if brands & set(AVIF_BRANDS):
            return Kind.DISPLAY
        if brands & set(HEIF_BRANDS):
            return Kind.HEIF
    return Kind.RAW


def _tiff_kind(file: BinaryIO, head: bytes) -> Kind:
    file.seek(0)
    try:
        with tifffile.TiffFile(file) as tiff:
            page, choice = tiff.pages.first, choose_page(tiff)
            tags = {code for code in (DNG_VERSION, MAKE, SUB_IFDS) if code in page.tags}
            photometric, reduced = page.photometric, page.subfiletype & REDUCED
            scan = not choice.is_first and not choice.has_raw and choice.page.photometric == RGB
    except Exception:  # the first directory is damaged; LibRaw and Pillow will report the error
        return Kind.MAYBE_RAW
    if scan and DNG_VERSION not in tags and head[8:10] != CR2_MAGIC:
        return Kind.TIFF  # a developed picture that follows its preview
    preview_first = reduced and MAKE in tags
    if DNG_VERSION in tags or photometric in RAW_PHOTOMETRICS or preview_first:
        return Kind.RAW
    if head[8:10] == CR2_MAGIC:
        return Kind.RAW
    if photometric in PLAIN_PHOTOMETRICS and SUB_IFDS not in tags:
        return Kind.TIFF  # a developed picture; a camera's name alone is no sign of a RAW
    return Kind.MAYBE_RAW if tags else Kind.TIFF
