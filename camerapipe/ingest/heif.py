"""HEIF pictures (HEIC, HIF), by the optional library pillow-heif.

libheif applies the orientation itself, so the EXIF orientation must not be applied again. Samples
of 10 and 12 bits are scaled to 16 bits.
"""

from __future__ import annotations

import importlib.util
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from camerapipe.errors import CaptureError
from camerapipe.extras import install
from camerapipe.ingest.files import CUT_OFF, check_pixels
from camerapipe.ingest.gain_metadata import BrokenGainMapError, gain_map_of_apple
from camerapipe.ingest.isobmff import TONE_MAP, ends_early, item_types
from camerapipe.ingest.jpeg_gain_map import Read, check_size, ignored
from camerapipe.ingest.pixels import Decoded, Samples
from camerapipe.ingest.tags import heif_tags

APPLE_GAIN_MAP = "urn:com:apple:photo:2020:aux:hdrgainmap"


def decode_heif(file: BinaryIO, max_pixels: int) -> Decoded:
    """Decode the primary picture of a HEIF file."""
    if ends_early(file):
        raise CaptureError(CUT_OFF)
    file.seek(0)
    image = _library().open_heif(file, convert_hdr_to_8bit=False)
    width, height = image.size
    check_pixels(width, height, max_pixels)
    bits = int(image.info.get("bit_depth", 8))
    samples = np.asarray(image)
    if bits > 8:  # the code is in the upper bits; repeat it in the lower ones for the full range
        samples = samples | samples >> bits
    tags = heif_tags(image.info, file)
    hdr = _gain_map(image, tags.exif, file)
    return Decoded(
        samples=samples,
        bits=bits,
        tags=tags,
        gain_map=hdr.gain_map,
        findings=hdr.findings,
    )


def heif_pixels(file: BinaryIO) -> int:
    """Number of pixels of the primary picture of a HEIF file by its header."""
    file.seek(0)
    width, height = _library().open_heif(file, convert_hdr_to_8bit=False).size
    return int(width * height)


def _gain_map(image: Any, exif: bytes | None, file: BinaryIO) -> Read:
    """Apple's gain map, an auxiliary image. libheif does not give those of ISO 21496-1."""
    found = image.info.get("aux", {}).get(APPLE_GAIN_MAP)
    if not found:
        reason = "of HEIF files, only Apple's can be read"
        return Read(findings=(ignored(reason),)) if TONE_MAP in item_types(file) else Read()
    try:
        auxiliary = image[image.primary_index].get_aux_image(found[0])
        check_size(auxiliary.size, image.size)
        codes = np.asarray(auxiliary)
        values = (codes if codes.ndim == 2 else codes[..., 0]).astype(np.float32) / np.float32(255)
        return Read(gain_map_of_apple(exif, None, values))
    except BrokenGainMapError as error:
        return Read(findings=(ignored(error),))
    except (RuntimeError, ValueError, SyntaxError, EOFError, OSError):
        return Read(findings=(ignored("it is damaged"),))


def has_heif() -> bool:
    """Whether the optional reader is installed."""
    return importlib.util.find_spec("pillow_heif") is not None


def _library() -> Any:
    try:
        return importlib.import_module("pillow_heif")
    except ImportError as error:
        raise CaptureError(
            f"is a HEIF picture, and the optional reader is missing: {install('heif')}"
        ) from error


class HeifDepth(NamedTuple):
    """The depth picture of a HEIF file: its samples, and what the file says about them."""

    samples: Samples
    said: dict[str, Any]


def heif_depth(file: BinaryIO, max_pixels: int) -> HeifDepth | None:
    """The depth picture that belongs to the primary picture; None if there is none."""
    file.seek(0)
    pictures = _library().open_heif(file, convert_hdr_to_8bit=False).info.get("depth_images")
    if not pictures:
        return None
    width, height = pictures[0].size
    check_pixels(width, height, max_pixels)
    return HeifDepth(np.asarray(pictures[0]), dict(pictures[0].info.get("metadata") or {}))
