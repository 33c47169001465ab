"""Encoding of a picture as a file: JPEG by `jpeg`, TIFF by `tiff`, PNG by `png`.

Values are display-encoded, in [0, 1] or codes of 8 bits. Grey pictures stay grey, and alpha is kept
if the format supports it. The profile of the capture is embedded. If the input has no profile, the
output has none either, and both mean sRGB.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from camerapipe.capture import Capture
from camerapipe.errors import OutputError
from camerapipe.ingest.attachments import (
    MAX_EXIF_BYTES,
    MAX_XMP_BYTES,
    SOFTWARE_NAME,
    Attached,
    Metadata,
    attached,
    exif_bytes,
)
from camerapipe.ingest.exif import SIGNATURE, ExifBlock
from camerapipe.ingest.formats import bits_for, format_named
from camerapipe.ingest.irb import iptc_records
from camerapipe.ingest.jpeg import jpeg_bytes
from camerapipe.ingest.jpeg_gain_map import jpeg_with_gain_map
from camerapipe.ingest.pixels import as_unit, three
from camerapipe.ingest.png import (
    density_chunk,
    exif_chunk,
    png_bytes,
    profile_chunk,
    raw_profile_chunk,
    xmp_chunk,
)
from camerapipe.ingest.quiet import quiet
from camerapipe.ingest.tiff import tiff_bytes
from camerapipe.ingest.tiff_exif import ICC_TAG, IPTC_TAG, PHOTOSHOP_TAG, XMP_TAG
from stages.arrays import check_image
from stages.findings import Finding, Severity
from stages.gain_map import GainMap, measured_gain
from stages.params import Array
from stages.tone import linearise, to_codes

Codes = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
Pixels = Array | npt.NDArray[np.uint8]
DEFAULT_QUALITY = 95  # of JPEG
MAX_GAIN_STEP = 2  # px of the picture for one of a written gain map, along each side


def encode_picture(
    image: Pixels,
    capture: Capture,
    *,
    format: str,
    bits: int | None = None,
    quality: int = DEFAULT_QUALITY,
    metadata: Metadata | str = Metadata.ALL,
    hdr: Array | None = None,
) -> bytes:
    """Encode a picture as a file, with the profile and metadata of its capture.

    Parameters
    ----------
    image : array
        HxWx3 display-encoded, float32 in [0, 1] or uint8 codes.
    capture : Capture
        Where it comes from: grey, alpha, profile and metadata are taken from it.
    format : str
        A format of `PICTURE_FORMATS`: jpeg, png or tiff.
    bits : int or None
        Bits per sample, 8 or 16. None: 16 where the capture had more than 8 and the format can.
    quality : int
        Of a JPEG, 1..100.
    metadata : Metadata
        Which metadata are kept: all, without-gps or none.
    hdr : Array or None
        HDR light of the picture, HxWx3 float32 linear, 1 at SDR white, of a capture that has a gain
        map. A JPEG gets a gain map from it; other formats cannot hold one (`hdr_left_out`).

    Returns
    -------
    bytes
        A whole file.

    Raises
    ------
    RequestError
        If the format is not known, or cannot hold what was asked for.
    OutputError
        If the picture does not fit the format.
    """
    name = format_named(format)
    bits = bits_for(name, bits, capture.bit_depth)
    if image.dtype != np.uint8:
        check_image("encode_picture", "image", image)
    try:
        with quiet():
            blocks = attached(capture, image.shape[1], image.shape[0], Metadata(metadata))
            if name == "jpeg":
                codes = np.asarray(_codes(image, capture, 8, alpha=False), np.uint8)
                gain_map = _gain_map(codes, hdr, capture)
                return _jpeg(codes, capture, blocks, quality, gain_map)
            encode = _png if name == "png" else _tiff
            return encode(_codes(image, capture, bits, alpha=True), capture, blocks)
    except (OSError, ValueError, struct.error) as error:
        raise OutputError(f"this picture does not fit {name.upper()} ({error})") from error


def hdr_left_out(format: str, hdr: Array | None) -> tuple[Finding, ...]:
    """Finding for HDR light that a format cannot hold."""
    name = format_named(format)
    if hdr is None or name == "jpeg":
        return ()
    message = f"The picture is HDR, and a {name.upper()} is written without it; a JPEG keeps it."
    return (Finding("hdr_left_out", Severity.WARNING, message),)


def _codes(image: Pixels, capture: Capture, bits: int, *, alpha: bool) -> Codes:
    """Codes as they are stored: HxW, or HxWxC with C = 2 (grey + alpha), 3 or 4."""
    opacity = capture.alpha
    if opacity is not None and opacity.shape != image.shape[:2]:
        opacity = None  # the picture is another one, such as a sheet of several
    extra = opacity if alpha else None
    planes = image[..., 1] if capture.grey else image
    if opacity is not None and not alpha:
        planes = _over_white(planes, opacity)
    if planes.dtype == np.uint8 and bits == 8 and extra is None:
        return np.ascontiguousarray(planes, np.uint8)
    unit = as_unit(planes) if planes.dtype == np.uint8 else np.asarray(planes, np.float32)
    return to_codes(unit if extra is None else np.dstack([unit, extra]), bits)


def _over_white(planes: Pixels, alpha: Array) -> Pixels:
    """Composite of a transparent picture on white, for formats without alpha."""
    unit = as_unit(planes)
    opacity = alpha if unit.ndim == 2 else alpha[..., None]
    return np.asarray(1 + opacity * (unit - 1), np.float32)


def _gain_map(codes: npt.NDArray[np.uint8], hdr: Array | None, capture: Capture) -> GainMap | None:
    """Gain map of the HDR light over the light of the codes; None without HDR light.

    It has as many pixels as that of the capture, or a quarter of those of the picture, since
    outlines of disks are sharp.
    """
    source = capture.gain_map
    if hdr is None or source is None:
        return None
    sdr = linearise(codes, capture.curve)
    step = round(codes.shape[1] / source.values.shape[1])
    return measured_gain(three(sdr), hdr, source.headroom_stops, min(max(step, 1), MAX_GAIN_STEP))


def _jpeg(
    codes: npt.NDArray[np.uint8],
    capture: Capture,
    blocks: Attached,
    quality: int,
    gain_map: GainMap | None,
) -> bytes:
    exif = exif_bytes(blocks.exif, MAX_EXIF_BYTES)
    metadata: dict[str, Any] = {"exif": SIGNATURE + exif if exif else b""}
    if blocks.dpi:
        metadata["dpi"] = blocks.dpi

    def encoded(xmp: bytes | None) -> bytes:
        return jpeg_bytes(
            codes,
            quality,
            resources=blocks.iptc,
            comment=blocks.comment,
            icc_profile=capture.profile,
            **metadata,
            **({"xmp": xmp} if xmp else {}),
        )

    xmp = blocks.xmp if len(blocks.xmp or b"") <= MAX_XMP_BYTES else None
    if gain_map is None:
        return encoded(xmp)
    return jpeg_with_gain_map(gain_map, xmp, encoded)


def _png(codes: Codes, capture: Capture, blocks: Attached) -> bytes:
    exif = exif_bytes(blocks.exif)
    chunks = [profile_chunk(capture.profile)] if capture.profile else []
    chunks += [density_chunk(blocks.dpi)] if blocks.dpi else []
    chunks += [exif_chunk(exif)] if exif else []
    chunks += [xmp_chunk(blocks.xmp)] if blocks.xmp else []
    chunks += [raw_profile_chunk("iptc", blocks.iptc)] if blocks.iptc else []
    return png_bytes(codes, chunks)


def _tiff(codes: Codes, capture: Capture, blocks: Attached) -> bytes:
    found = {
        ICC_TAG: capture.profile,
        XMP_TAG: blocks.xmp,
        PHOTOSHOP_TAG: blocks.iptc,
        IPTC_TAG: iptc_records(blocks.iptc),
    }
    return tiff_bytes(
        codes,
        blocks.exif or ExifBlock.empty(),
        software=SOFTWARE_NAME,
        dpi=blocks.dpi,
        blocks={tag: block for tag, block in found.items() if block},
    )
