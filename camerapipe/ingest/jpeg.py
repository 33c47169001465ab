"""JPEG files: pixels by OpenCV, which lets other threads run meanwhile, metadata by Pillow.

Neither library does both. A JPEG file is a row of segments (ITU-T T.81, B.1.1), and those of
applications come first: Pillow writes them for a picture of one pixel, and its pixels are left out.
"""

from __future__ import annotations

import io
import struct
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

FULL_CHROMA_QUALITY = 90  # from this quality on, colour is not subsampled
LARGEST_SIDE = 65_500  # px; of libjpeg
START = b"\xff\xd8"
APPLICATION = range(0xE0, 0xF0)  # markers of the segments that applications write


def jpeg_bytes(codes: npt.NDArray[np.uint8], quality: int, **metadata: Any) -> bytes:
    """Encode HxW or HxWx3 (RGB) codes, with `exif`, `xmp` and `icc_profile` as Pillow has them."""
    if max(codes.shape[:2]) > LARGEST_SIDE:
        raise ValueError(f"a side of a JPEG is at most {LARGEST_SIDE} px")
    full = quality >= FULL_CHROMA_QUALITY
    options = [
        cv2.IMWRITE_JPEG_QUALITY, quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444 if full else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    ]  # fmt: skip
    swapped = codes if codes.ndim == 2 else cv2.cvtColor(codes, cv2.COLOR_RGB2BGR)
    pixels = cv2.imencode(".jpg", swapped, options)[1].tobytes()
    pixel = io.BytesIO()
    Image.new("RGB", (1, 1)).save(pixel, "JPEG", **metadata)
    head = pixel.getvalue()
    return head[: _end_of_applications(head)] + pixels[_end_of_applications(pixels) :]


def _end_of_applications(data: bytes) -> int:
    """Where the segments of applications end in a file."""
    place = len(START)
    while data[place + 1] in APPLICATION:
        (length,) = struct.unpack_from(">H", data, place + 2)
        place += 2 + length
    return place
