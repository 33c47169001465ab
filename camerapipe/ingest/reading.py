"""Open a capture: from a path to an upright picture in linear light, or a one-line error."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from camerapipe.capture import Capture
from camerapipe.errors import CaptureError
from camerapipe.ingest.announced import GAIN_MAP, announcements
from camerapipe.ingest.attachments import is_readable
from camerapipe.ingest.deep import decode_png16, decode_tiff, tiff_pixels
from camerapipe.ingest.display import FORMATS, decode_display, open_header
from camerapipe.ingest.diverting import divertible
from camerapipe.ingest.dng import has_jpeg_xl
from camerapipe.ingest.files import DEFAULT_MAX_PIXELS, RAW_CUT_OFF, opened, refusing
from camerapipe.ingest.heif import decode_heif, has_heif, heif_pixels
from camerapipe.ingest.jpeg_gain_map import IGNORED
from camerapipe.ingest.libraw import NotRawError
from camerapipe.ingest.metadata import meta_from, read_exif_block
from camerapipe.ingest.pixels import Decoded, develop
from camerapipe.ingest.quiet import muted, quiet
from camerapipe.ingest.raw import open_raw, raw_pixels
from camerapipe.ingest.raw_extent import ends_early
from camerapipe.ingest.sniff import Kind, sniff
from camerapipe.ingest.video import has_video
from stages.findings import Finding, Severity

DECODERS = {
    Kind.DISPLAY: decode_display,
    Kind.PNG16: decode_png16,
    Kind.TIFF: decode_tiff,
    Kind.MAYBE_RAW: decode_tiff,
    Kind.HEIF: decode_heif,
}


@divertible
def open_capture(path: str | os.PathLike[str], *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Capture:
    """Open a RAW or display-encoded picture. Its format is recognised by its content.

    Parameters
    ----------
    path : path
        The file.
    max_pixels : int
        Largest size.

    Returns
    -------
    Capture
        Upright picture in linear light, with metadata and findings.

    Raises
    ------
    CaptureError
        If the file cannot be read. The message has one line: the file, the problem, and what to do.
    LimitError
        If the picture is larger than `max_pixels`; raised before decoding.
    """
    path = Path(path)
    with opened(path) as file, quiet(), refusing(path):
        return _read(file, sniff(file), max_pixels)


def count_pixels(path: str | os.PathLike[str]) -> int | None:
    """Number of pixels of a picture by its header; None if the header cannot be read."""
    try:
        with opened(Path(path)) as file, quiet(), muted():
            kind = sniff(file)
            if kind in (Kind.RAW, Kind.MAYBE_RAW):
                with suppress(NotRawError):
                    return raw_pixels(file)
            if kind in (Kind.TIFF, Kind.MAYBE_RAW):
                return tiff_pixels(file)
            if kind is Kind.HEIF:
                return heif_pixels(file)
            width, height = open_header(file, DEFAULT_MAX_PIXELS).size
            return int(width * height)
    except Exception:  # the error is reported when the picture is opened
        return None


def optional_formats() -> dict[str, bool]:
    """Formats that need an optional or a newer library, and whether they can be read here."""
    return {
        "HEIF": has_heif(),
        "AVIF": "AVIF" in FORMATS,
        "DNG with JPEG XL": has_jpeg_xl(),
        "video by PyAV": has_video(),
    }


def _read(file: BinaryIO, kind: Kind, max_pixels: int) -> Capture:
    if kind in (Kind.RAW, Kind.MAYBE_RAW):
        try:
            with muted():
                return open_raw(file, max_pixels)
        except NotRawError as error:
            if kind is Kind.RAW and ends_early(file):
                raise CaptureError(RAW_CUT_OFF) from error
            if kind is Kind.RAW:
                raise CaptureError(
                    "is no picture that camerapipe knows, or a damaged or unsupported RAW; "
                    "copy it again, or export it as JPEG, PNG, TIFF or DNG"
                ) from error
    return _display_capture(file, kind, max_pixels)


def _display_capture(file: BinaryIO, kind: Kind, max_pixels: int) -> Capture:
    if kind is Kind.DISPLAY:
        decoded = decode_display(file, max_pixels)
    else:
        with muted():  # libpng (in OpenCV) and libtiff write to stderr
            decoded = DECODERS[kind](file, max_pixels)
    picture = develop(decoded)
    return Capture(
        name=str(file.name),
        linear=picture.linear,
        kind="display",
        bit_depth=decoded.bits,
        grey=picture.grey,
        curve=picture.curve,
        alpha=picture.alpha,
        meta=meta_from(read_exif_block(decoded.tags.exif), decoded.samples.shape[:2]),
        profile=picture.profile,
        exif=decoded.tags.exif,
        xmp=decoded.tags.xmp,
        iptc=decoded.tags.iptc,
        dpi=decoded.tags.dpi,
        comment=decoded.tags.comment,
        gain_map=picture.gain_map,
        findings=picture.findings + _metadata_findings(decoded),
    )


def _metadata_findings(decoded: Decoded) -> tuple[Finding, ...]:
    tags = decoded.tags
    told = decoded.gain_map is not None or any(f.code == IGNORED for f in decoded.findings)
    found = announcements(tags.xmp, (GAIN_MAP,) if told else ())
    if not tags.exif or is_readable(tags.exif):
        return found
    message = "The metadata (EXIF) is damaged: only what could be read is kept in the picture."
    return (Finding("exif_damaged", Severity.INFO, message), *found)
