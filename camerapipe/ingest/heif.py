"""HEIF pictures (HEIC, HIF), by the optional library pillow-heif.

libheif applies the orientation itself, so the EXIF orientation must not be applied again. Samples
of 10 and 12 bits are scaled to 16 bits.
"""

from __future__ import annotations

import importlib.util
from typing import Any, BinaryIO

import numpy as np

from camerapipe.errors import CaptureError
from camerapipe.ingest.files import check_pixels
from camerapipe.ingest.pixels import Decoded
from camerapipe.ingest.tags import heif_tags


def decode_heif(file: BinaryIO, max_pixels: int) -> Decoded:
    """Decode the primary picture of a HEIF file."""
    file.seek(0)
    image = _library().open_heif(file, convert_hdr_to_8bit=False)
    width, height = image.size
    check_pixels(width, height, max_pixels)
    bits = int(image.info.get("bit_depth", 8))
    samples = np.asarray(image)
    if bits > 8:  # the code is in the upper bits; repeat it in the lower ones for the full range
        samples = samples | samples >> bits
    return Decoded(
        samples=samples,
        bits=bits,
        tags=heif_tags(image.info, file),
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
