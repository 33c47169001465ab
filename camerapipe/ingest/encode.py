"""Encoding of a picture as a file: the module of each format has its encoder.

Values are display-encoded, in [0, 1] or codes of 8 bits. Grey pictures stay grey, and alpha is kept
if the format supports it. The profile of the capture is embedded. If the input has no profile, the
output has none either, and both mean sRGB.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from camerapipe.capture import Capture, CaptureMeta
from camerapipe.errors import OutputError
from camerapipe.ingest.attachments import (
    MAX_EXIF_BYTES,
    MAX_XMP_BYTES,
    SOFTWARE_NAME,
    Attached,
    Metadata,
    attached,
    exif_bytes,
    with_dpi,
)
from camerapipe.ingest.colorimetry import BT709, same, to_srgb_primaries
from camerapipe.ingest.exif import SIGNATURE, ExifBlock
from camerapipe.ingest.exr import exr_bytes
from camerapipe.ingest.formats import PICTURE_FORMATS, bits_for, check_library, format_named
from camerapipe.ingest.icc import primaries_of
from camerapipe.ingest.irb import iptc_records
from camerapipe.ingest.jpeg import jpeg_bytes
from camerapipe.ingest.jpeg_gain_map import jpeg_with_gain_map
from camerapipe.ingest.modern import avif_bytes, heic_bytes, jxl_bytes
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
from stages.tone import encode, linearise, to_codes

Codes = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
Pixels = Array | npt.NDArray[np.uint8]
DEFAULT_QUALITY = 95
MAX_GAIN_STEP = 2  # px of the picture for one of a written gain map, along each side


def encode_picture(
    image: Pixels,
    capture: Capture,
    *,
    format: str,
    bits: int | None = None,
    quality: int = DEFAULT_QUALITY,
    metadata: Metadata | str = Metadata.ALL,
    light: Array | None = None,
) -> bytes:
    """Encode a picture as a file, with the profile and metadata of its capture.

    Parameters
    ----------
    image : array
        HxWx3 display-encoded, float32 in [0, 1] or uint8 codes.
    capture : Capture
        Where it comes from: grey, alpha, profile and metadata are taken from it.
    format : str
        A format of `PICTURE_FORMATS`.
    bits : int or None
        Bits per sample. None: as many as the capture has, as far as the format can.
    quality : int
        Of a JPEG, AVIF, HEIC or JXL, 1..100.
    metadata : Metadata
        Which metadata are kept: all, without-gps or none.
    light : Array or None
        Linear light of the picture with values above white, HxWx3 float32. It is written as EXR,
        and gives the gain map of a JPEG if the capture has one.

    Returns
    -------
    bytes
        A whole file.

    Raises
    ------
    RequestError
        If the format is not known, cannot hold what was asked for, or lacks its library.
    OutputError
        If the picture does not fit the format.
    """
    name = format_named(format)
    bits = bits_for(name, bits, capture.bit_depth)
    check_library(name)
    if image.dtype != np.uint8:
        check_image("encode_picture", "image", image)
    try:
        with quiet():
            kept = Metadata(metadata)
            blocks = attached(capture, image.shape[1], image.shape[0], kept)
            if name == "exr":
                meta = CaptureMeta() if kept is Metadata.NONE else capture.meta
                return _exr(image, capture, blocks, bits, light, meta)
            if name == "jpeg":
                codes = np.asarray(_codes(image, capture, 8, alpha=False), np.uint8)
                return _jpeg(codes, capture, blocks, quality, _gain_map(codes, light, capture))
            if name in ("png", "tiff"):
                write = _png if name == "png" else _tiff
                return write(_codes(image, capture, bits, alpha=True), capture, blocks)
            return _modern(name, image, capture, blocks, bits, quality)
    except (OSError, ValueError, RuntimeError, struct.error) as error:
        raise OutputError(f"this picture does not fit {name.upper()} ({error})") from error


def left_out(
    format: str, capture: Capture, metadata: Metadata | str = Metadata.ALL
) -> tuple[Finding, ...]:
    """Findings about what a written picture lacks because its format cannot hold it."""
    name = format_named(format)
    found = []
    if capture.gain_map is not None and not PICTURE_FORMATS[name].hdr:
        message = (
            f"The picture is HDR, and the {name.upper()} is written as SDR; a JPEG or an EXR "
            "keeps HDR."
        )
        found.append(Finding("hdr_left_out", Severity.WARNING, message))
    if name == "jxl" and not same(primaries_of(capture.profile), BT709):
        message = "The colours are converted to sRGB, since the JXL is written without a profile."
        found.append(Finding("converted_to_srgb", Severity.WARNING, message))
    lost = (
        [] if name in ("jpeg", "png", "tiff") or not capture.iptc else ["IPTC and image resources"]
    )
    lost += [] if name != "exr" or not capture.xmp else ["XMP"]
    lost += [] if name != "exr" or not capture.exif else ["EXIF (but for camera and exposure)"]
    if lost and Metadata(metadata) is not Metadata.NONE:
        message = f"{name.upper()} has no place for these metadata: {', '.join(lost)}."
        severity = Severity.WARNING if capture.iptc else Severity.INFO
        found.append(Finding("metadata_left_out", severity, message))
    return tuple(found)


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
    stored = unit if extra is None else np.dstack([unit, extra])
    return to_codes(stored, 8 if bits == 8 else 16)


def _over_white(planes: Pixels, alpha: Array) -> Pixels:
    """Composite of a transparent picture on white, for formats without alpha."""
    unit = as_unit(planes)
    opacity = alpha if unit.ndim == 2 else alpha[..., None]
    return np.asarray(1 + opacity * (unit - 1), np.float32)


def _gain_map(
    codes: npt.NDArray[np.uint8], light: Array | None, capture: Capture
) -> GainMap | None:
    """Gain map of HDR light over the light of the codes; None if the capture has no gain map.

    It has as many pixels as that of the capture, or a quarter of those of the picture, since
    outlines of disks are sharp.
    """
    source = capture.gain_map
    if light is None or source is None:
        return None
    sdr = linearise(codes, capture.curve)
    step = round(codes.shape[1] / source.values.shape[1])
    return measured_gain(three(sdr), light, source.headroom_stops, min(max(step, 1), MAX_GAIN_STEP))


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


def _modern(
    name: str, image: Pixels, capture: Capture, blocks: Attached, bits: int, quality: int
) -> bytes:
    """AVIF, HEIC and JXL. Grey with alpha has no profile there, and JXL never has one."""
    profile = capture.profile
    opaque = capture.alpha is None or capture.alpha.shape != image.shape[:2]
    if profile is not None and (name == "jxl" or (capture.grey and not opaque)):
        image, profile = _as_srgb(image, capture), None
    codes = _codes(image, capture, bits, alpha=True)
    exif = exif_bytes(with_dpi(blocks.exif, blocks.dpi))
    if name == "jxl":
        return jxl_bytes(codes, quality, exif=exif, xmp=blocks.xmp)
    if codes.ndim == 3 and codes.shape[2] == 2:
        codes = codes.take((0, 0, 0, 1), axis=2)
    if name == "heic":
        return heic_bytes(codes, quality, exif=exif, xmp=blocks.xmp, profile=profile)
    return avif_bytes(
        np.asarray(codes, np.uint8), quality, exif=exif, xmp=blocks.xmp, profile=profile
    )


def _as_srgb(image: Pixels, capture: Capture) -> Array:
    """Picture converted from the profile of the capture to sRGB; other colours are clipped."""
    linear = linearise(np.ascontiguousarray(image), capture.curve)
    if not capture.grey:
        linear = linear @ to_srgb_primaries(primaries_of(capture.profile)).T.astype(np.float32)
    return encode(np.clip(linear, 0, 1))


def _exr(
    image: Pixels,
    capture: Capture,
    blocks: Attached,
    bits: int,
    light: Array | None,
    meta: CaptureMeta,
) -> bytes:
    if light is None:
        light = linearise(np.ascontiguousarray(image), capture.curve)
    alpha = capture.alpha
    return exr_bytes(
        light[..., 1] if capture.grey else light,
        alpha if alpha is not None and alpha.shape == image.shape[:2] else None,
        bits=bits,
        primaries=BT709 if capture.grey else primaries_of(capture.profile),
        meta=meta,
        software=SOFTWARE_NAME,
        dpi=blocks.dpi,
    )


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
