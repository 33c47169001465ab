"""Pixels of a JPEG file by OpenCV, which releases the GIL while it decodes.

OpenCV decodes damaged files in part, while Pillow refuses them. Therefore only files that are
certainly not damaged are decoded here: their scans (ITU-T T.81, B.1.1) contain only valid markers,
and are complete. All other files are decoded by Pillow. If both decode a file, they give the same
codes.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from camerapipe.ingest.jpeg_segments import SCAN, segments_of
from camerapipe.ingest.quiet import muted

END_OF_IMAGE = 0xD9
EXPECTED = np.zeros(256, np.bool_)  # bytes that may follow 0xFF within and between scans:
EXPECTED[[0x00, 0xFF, *range(0xD0, 0xD8)]] = True  # byte stuffing, fill bytes, restart markers,
EXPECTED[[0xC4, 0xDA, 0xDB, 0xDD, 0xD9]] = True  # tables, start of the next scan, end of image
READ_AS = {"L": cv2.IMREAD_GRAYSCALE, "RGB": cv2.IMREAD_COLOR}


def sound_pixels(data: bytes, mode: str) -> npt.NDArray[np.uint8] | None:
    """Codes of a JPEG file as stored, HxW (mode `L`) or HxWx3 (`RGB`); None: use Pillow."""
    if mode not in READ_AS or not is_sound(data):
        return None
    with muted():
        encoded = np.frombuffer(data, np.uint8)
        codes = cv2.imdecode(encoded, READ_AS[mode] | cv2.IMREAD_IGNORE_ORIENTATION)
    if codes is None:
        return None
    if codes.ndim == 3:
        cv2.cvtColor(codes, cv2.COLOR_BGR2RGB, dst=codes)
    return np.asarray(codes, np.uint8)


def is_sound(data: bytes) -> bool:
    """Whether the first picture of a file is complete, with valid markers in its scans only."""
    place = _first_scan(data)
    if place is None:
        return False
    codes = np.frombuffer(data, np.uint8, offset=place)
    following = codes[1:][codes[:-1] == 0xFF]
    ends = np.flatnonzero(following == END_OF_IMAGE)
    return ends.size > 0 and bool(EXPECTED[following[: ends[0]]].all())


def _first_scan(data: bytes) -> int | None:
    """Offset of the first scan; None if the segments before it are not valid."""
    found = [each.end for each in segments_of(data) if each.marker == SCAN]
    return found[0] if found else None
