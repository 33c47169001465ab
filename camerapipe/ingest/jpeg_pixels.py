"""Pixels of a JPEG file by OpenCV, which lets other threads run while it decodes.

Pillow decides which files are whole: it refuses damaged ones that OpenCV shows in part. So only
files without a trace of damage are decoded here: their scans (ITU-T T.81, B.1.1) hold nothing but
what belongs into scans, and end as they should. All others are left to Pillow; where both decode a
file, they give the same codes.
"""

from __future__ import annotations

import struct

import cv2
import numpy as np
import numpy.typing as npt

from camerapipe.ingest.quiet import muted

START_OF_SCAN, END_OF_IMAGE = 0xDA, 0xD9
STANDALONE = {0x01, *range(0xD0, 0xDA)}  # markers without a segment; none comes before a scan
EXPECTED = np.zeros(256, np.bool_)  # what may follow 0xFF in a scan, and between two:
EXPECTED[[0x00, 0xFF, *range(0xD0, 0xD8)]] = True  # a stuffed 0, filling, restarts,
EXPECTED[[0xC4, 0xDA, 0xDB, 0xDD, 0xD9]] = True  # tables, the next scan, the end
READ_AS = {"L": cv2.IMREAD_GRAYSCALE, "RGB": cv2.IMREAD_COLOR}


def sound_pixels(data: bytes, mode: str) -> npt.NDArray[np.uint8] | None:
    """Codes, HxW (mode `L`) or HxWx3 (`RGB`), not turned; None where Pillow is to decide."""
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
    """Whether the first picture of a file ends, and has no stray marker in its scans."""
    place = _first_scan(data)
    if place is None:
        return False
    codes = np.frombuffer(data, np.uint8, offset=place)
    following = codes[1:][codes[:-1] == 0xFF]
    ends = np.flatnonzero(following == END_OF_IMAGE)
    return ends.size > 0 and bool(EXPECTED[following[: ends[0]]].all())


def _first_scan(data: bytes) -> int | None:
    """Where the first scan begins; None where the segments before it are not in order."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == START_OF_SCAN:
            return place
        if marker in STANDALONE:
            return None
        (length,) = struct.unpack_from(">H", data, place + 2)
        place += 2 + length
    return None
