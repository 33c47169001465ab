"""Colour and metadata of a file, in one form for all formats."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, BinaryIO

from PIL import Image

from camerapipe.ingest.coding import ColourTags, with_exif
from camerapipe.ingest.irb import SEGMENT_HEAD, kept_resources
from camerapipe.ingest.isobmff import nclx_of
from camerapipe.ingest.png_chunks import PngTags, read_chunks
from camerapipe.ingest.tiff_exif import exif_of_tiff, tiff_blocks

DENSITY_UNITS = (1, 2)  # of JFIF: per inch, per cm
XMP_HEAD_END = b"ns.adobe.com/xap/1.0/\0"
MAX_XMP_HEAD = 16  # bytes before; `http://` in files that are right
DPI_RANGE = (1.0, 100_000.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTags:
    """Colour and metadata of a file.

    `exif` and `xmp` are blocks of bytes, and `iptc` are Photoshop's image resources with the IPTC
    records. `dpi` is the resolution that the container states, and `comment` that of a JPEG.
    """

    colour: ColourTags = ColourTags()
    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    dpi: tuple[float, float] | None = None
    comment: bytes | None = None


def tags_of(image: Image.Image, file: BinaryIO) -> FileTags:
    """Tags of a picture that Pillow has opened; the position of the file does not change."""
    place = file.tell()
    try:
        if image.format == "PNG":
            return png_tags(read_chunks(file))
        if image.format == "TIFF":
            return tiff_tags(file)
        return _plain_tags(image, file)
    finally:
        file.seek(place)


def png_tags(chunks: PngTags) -> FileTags:
    """Tags of a PNG from its chunks."""
    return FileTags(
        colour=with_exif(chunks.colour, chunks.exif),
        exif=chunks.exif,
        xmp=chunks.xmp,
        iptc=kept_resources(chunks.iptc),
        dpi=_sane_dpi(chunks.dpi),
    )


def tiff_tags(file: BinaryIO, page_at: int | None = None) -> FileTags:
    """Tags of a TIFF from its first directory, replaced by those of the page at an offset."""
    exif, blocks = exif_of_tiff(file, page_at=page_at), tiff_blocks(file, page_at)
    return FileTags(
        colour=with_exif(ColourTags(icc=blocks.icc), exif),
        exif=exif,
        xmp=blocks.xmp,
        iptc=kept_resources(blocks.photoshop) or kept_resources(blocks.iptc),
    )


def heif_tags(info: dict[str, Any], file: BinaryIO) -> FileTags:
    """Tags of a HEIF picture from what pillow-heif found."""
    exif = info.get("exif") or None
    colour = ColourTags(icc=info.get("icc_profile") or None, cicp=nclx_of(file))
    return FileTags(colour=with_exif(colour, exif), exif=exif, xmp=info.get("xmp") or None)


def _plain_tags(image: Image.Image, file: BinaryIO) -> FileTags:
    """Tags of JPEG, WebP, AVIF, GIF and BMP."""
    info = image.info
    segments = getattr(image, "applist", ())
    exif, xmp = info.get("exif") or None, info.get("xmp") or _odd_xmp(segments)
    resources = b"".join(
        data.removeprefix(SEGMENT_HEAD)
        for name, data in segments
        if name == "APP13" and data.startswith(SEGMENT_HEAD)
    )
    comment = info.get("comment")
    cicp = nclx_of(file) if image.format == "AVIF" else None
    colour = ColourTags(icc=info.get("icc_profile") or None, cicp=cicp)
    return FileTags(
        colour=with_exif(colour, exif),
        exif=exif,
        xmp=xmp.encode() if isinstance(xmp, str) else xmp,
        iptc=kept_resources(resources),
        dpi=_sane_dpi(info.get("dpi") if info.get("jfif_unit") in DENSITY_UNITS else None),
        comment=comment if isinstance(comment, bytes) and image.format in ("JPEG", "MPO") else None,
    )


def _odd_xmp(segments: Iterable[tuple[str, bytes]]) -> bytes | None:
    """XMP of a JPEG behind a head that only the end is right of; some software writes those."""
    for name, data in segments:
        head, found, packet = data.partition(XMP_HEAD_END)
        if name == "APP1" and found and len(head) < MAX_XMP_HEAD:
            return packet
    return None


def _sane_dpi(dpi: tuple[float, float] | None) -> tuple[float, float] | None:
    if dpi is None:
        return None
    x, y = (float(value) for value in dpi)
    sane = all(math.isfinite(v) and DPI_RANGE[0] < v <= DPI_RANGE[1] for v in (x, y))
    return (x, y) if sane else None
