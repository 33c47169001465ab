"""HEIF pictures (HEIC, HIF), through the optional pillow-heif.

libheif turns the pixels itself, so that the EXIF orientation must not be applied again. Samples of
10 and 12 bits come stretched to 16.
"""

from __future__ import annotations

import importlib.util
from typing import Any, BinaryIO

import numpy as np

from camerapipe.errors import CaptureError
from camerapipe.ingest.files import check_pixels
from camerapipe.ingest.pixels import Decoded
from stages.findings import Finding, Severity

HDR_TRANSFERS = {16: "PQ", 18: "HLG"}  # transfer characteristics of ITU-T H.273
PLAIN_PRIMARIES = (1, 2)  # of BT.709, or not stated


def decode_heif(file: BinaryIO, max_pixels: int) -> Decoded:
    """Decode the primary picture of a HEIF file."""
    file.seek(0)
    image = _library().open_heif(file, convert_hdr_to_8bit=False)
    width, height = image.size
    check_pixels(width, height, max_pixels)
    bits = int(image.info.get("bit_depth", 8))
    samples = np.asarray(image)
    if bits > 8:  # the upper bits carry the code: the lower ones repeat them to the full range
        samples = samples | samples >> bits
    return Decoded(
        samples=samples,
        bits=bits,
        icc=image.info.get("icc_profile"),
        exif=image.info.get("exif"),
        xmp=image.info.get("xmp"),
        findings=colour_findings(image.info),
    )


def has_heif() -> bool:
    """Whether the optional reader is installed."""
    return importlib.util.find_spec("pillow_heif") is not None


def _library() -> Any:
    try:
        return importlib.import_module("pillow_heif")
    except ImportError as error:
        raise CaptureError(
            'is a HEIF picture, and the optional reader is missing: pip install "camerapipe[heif]"'
        ) from error


def colour_findings(info: dict[str, Any]) -> tuple[Finding, ...]:
    """Colour that is stated by numbers instead of a profile, and is not sRGB."""
    nclx = info.get("nclx_profile") or {}
    if info.get("icc_profile") or not nclx:
        return ()
    transfer = HDR_TRANSFERS.get(int(nclx.get("transfer_characteristics", 2)))
    if transfer:
        message = f"The picture is HDR ({transfer}); it is read as sRGB and will look flat."
        return (Finding("hdr_as_srgb", Severity.WARNING, message),)
    if int(nclx.get("color_primaries", 2)) not in PLAIN_PRIMARIES:
        message = "The picture has other primaries than sRGB, without a profile; they are ignored."
        return (Finding("primaries_ignored", Severity.INFO, message),)
    return ()
