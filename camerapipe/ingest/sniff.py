"""What is this file? Decided by its content, never by its name.

Most formats say so in their first bytes. TIFF is the delicate one: DNG, NEF, ARW, CR2 and many
other RAW files are TIFF files too, and read as such they give their thumbnail. Whatever could come
from a camera is therefore offered to LibRaw first (`MAYBE_RAW`), and what only LibRaw can read
(`RAW`) never goes to a display decoder. Unknown content is offered to LibRaw as well.
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
    """Which reader a file goes to."""

    DISPLAY = "display"  # Pillow
    PNG16 = "png16"  # OpenCV: Pillow keeps only 8 bits of each colour
    TIFF = "tiff"
    HEIF = "heif"
    MAYBE_RAW = "maybe raw"  # LibRaw first, then as TIFF
    RAW = "raw"


def sniff(file: BinaryIO) -> Kind:
    """Decide which reader a file goes to; its position is left at the start."""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    kind = _by_magic(head)
    if kind is Kind.TIFF:
        kind = _tiff_kind(file, head)
    file.seek(0)
    return kind


def picture_format(file: BinaryIO) -> str | None:
    """Name of the output format that a file has by its content; its position is left at the start.

    A RAW that is built like a TIFF is not told from one here.
    """
    file.seek(0)
    head = file.read(HEAD_BYTES)
    file.seek(0)
    for name, magics in OUTPUT_MAGIC.items():
        if head.startswith(magics):
            return name
    return None


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
    except Exception:  # a damaged first directory: LibRaw and Pillow shall say what is wrong
        return Kind.MAYBE_RAW
    if scan and DNG_VERSION not in tags and head[8:10] != CR2_MAGIC:
        return Kind.TIFF  # a finished picture behind its preview
    preview_first = reduced and MAKE in tags
    if DNG_VERSION in tags or photometric in RAW_PHOTOMETRICS or preview_first:
        return Kind.RAW
    if head[8:10] == CR2_MAGIC:
        return Kind.RAW
    if photometric in PLAIN_PHOTOMETRICS and SUB_IFDS not in tags:
        return Kind.TIFF  # a finished picture; a camera's name alone does not make it a RAW
    return Kind.MAYBE_RAW if tags else Kind.TIFF
