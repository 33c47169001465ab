"""OpenEXR files, by the optional library OpenEXR: depth, and blur maps with their picture."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any, BinaryIO

import numpy as np

from camerapipe.errors import CaptureError
from camerapipe.extras import install
from camerapipe.ingest.files import CUT_OFF, check_pixels
from camerapipe.ingest.quiet import unprinted
from stages.params import Array

EXR_MAGIC = b"\x76\x2f\x31\x01"
MAX_CHANNELS = 8  # times the limit of pixels, of all parts together: all channels are decoded
DEPTH_NAMES = ("z", "depth", "y")  # of a channel, in this order; in lower case, without its layer


def has_exr() -> bool:
    """Whether the optional library is installed."""
    return importlib.util.find_spec("OpenEXR") is not None


def exr_library() -> Any:
    """The optional library; `CaptureError` if it is missing."""
    try:
        return importlib.import_module("OpenEXR")
    except ImportError as error:
        raise CaptureError(
            f"is an OpenEXR file, and the optional library is missing: {install('exr')}"
        ) from error


def exr_parts(file: BinaryIO, max_pixels: int) -> list[Any]:
    """Parts of a file, their channels separate, after a check of the sizes in the header."""
    library, name, samples = exr_library(), str(file.name), 0
    stated = library.File(name, header_only=True).parts
    for part in stated:
        first, last = part.header["dataWindow"]
        width, height = (int(b) - int(a) + 1 for a, b in zip(first, last, strict=True))
        check_pixels(width, height, max_pixels)
        samples += width * height * len(part.header["channels"])
    check_pixels(1, max(samples, 1), MAX_CHANNELS * max_pixels)
    with unprinted():
        parts = list(library.File(name, separate_channels=True).parts)
    if len(parts) < max(len(stated), 1):  # parts whose pixels are damaged are left out
        raise CaptureError(CUT_OFF)
    return parts


def depth_plane(file: BinaryIO, max_pixels: int) -> Array:
    """The depth channel of the first part: `Z`, `depth`, or the only channel."""
    channels = exr_parts(file, max_pixels)[0].channels
    by_name = {name.rpartition(".")[2].lower(): name for name in channels}
    name = next((by_name[each] for each in DEPTH_NAMES if each in by_name), None)
    if name is None and len(channels) == 1:
        (name,) = channels
    if name is None:
        raise CaptureError(f"has no channel named Z or depth; it has {', '.join(channels)}")
    return np.asarray(channels[name].pixels, np.float32)
