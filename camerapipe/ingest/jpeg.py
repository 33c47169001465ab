"""Writing of JPEG files: pixels by OpenCV, which releases the GIL, and metadata by Pillow.

Neither library does both. A JPEG file is a sequence of segments (ITU-T T.81, B.1.1), of which those
of applications come first. Pillow writes these for a picture of one pixel, which is then dropped.

Pixels are encoded in pieces, in parallel. There is a restart marker after every row of blocks, and
pieces begin where the numbering of restarts begins (B.2.1: modulo 8). Pieces can therefore be
joined by dropping the headers of all but the first. Decoders return the same codes as without
pieces.
"""

from __future__ import annotations

import io
import struct
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from camerapipe.ingest.irb import SEGMENT_HEAD
from stages.strips import run_strips

FULL_CHROMA_QUALITY = 90  # from this quality on, colour is not subsampled
LARGEST_SIDE = 65_500  # px; of libjpeg
PIECE_ROWS = 512  # px; a multiple of 8 rows of blocks of up to 16 px, the period of restarts
START, END, LAST_RESTART = b"\xff\xd8", b"\xff\xd9", b"\xff\xd7"
APPLICATION = range(0xE0, 0xF0)  # markers of the segments that applications write
RESOURCES, COMMENT = 0xED, 0xFE  # APP13, COM
MAX_CONTENT = 65_000  # of a segment of image resources
FRAME, SCAN = 0xC0, 0xDA  # markers of the segments with the size, and before the pixels


def jpeg_bytes(
    codes: npt.NDArray[np.uint8],
    quality: int,
    *,
    resources: bytes | None = None,
    comment: bytes | None = None,
    **metadata: Any,
) -> bytes:
    """Encode HxW or HxWx3 (RGB) codes.

    `resources` are Photoshop's image resources, with IPTC; `metadata` are `exif`, `xmp`, `dpi` and
    `icc_profile` as Pillow has them.
    """
    if max(codes.shape[:2]) > LARGEST_SIDE:
        raise ValueError(f"a side of a JPEG is at most {LARGEST_SIDE} px")
    pixels = _encoded(codes, quality)
    pixel = io.BytesIO()
    Image.new("RGB", (1, 1)).save(pixel, "JPEG", **metadata)
    head = pixel.getvalue()
    more = b"".join(
        _segment(RESOURCES, SEGMENT_HEAD + (resources or b"")[at : at + MAX_CONTENT])
        for at in range(0, len(resources or b""), MAX_CONTENT)
    )
    if comment:
        more += _segment(COMMENT, comment[: 0xFFFF - 2])
    return head[: _end_of_applications(head)] + more + pixels[_end_of_applications(pixels) :]


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def _encoded(codes: npt.NDArray[np.uint8], quality: int) -> bytes:
    """Encode pixels, piece by piece."""
    full = quality >= FULL_CHROMA_QUALITY
    block = 8 if full or codes.ndim == 2 else 16
    options = [
        cv2.IMWRITE_JPEG_QUALITY, quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444 if full else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
        cv2.IMWRITE_JPEG_RST_INTERVAL, -(-codes.shape[1] // block),
    ]  # fmt: skip

    def piece(start: int, stop: int) -> bytes:
        part = codes[start:stop]
        swapped = part if part.ndim == 2 else cv2.cvtColor(part, cv2.COLOR_RGB2BGR)
        return cv2.imencode(".jpg", swapped, options)[1].tobytes()

    pieces = run_strips(piece, codes.shape[0], PIECE_ROWS)
    segments = _segments(pieces[0])
    head = bytearray(pieces[0][: _end(pieces[0], segments[SCAN])])
    struct.pack_into(">H", head, segments[FRAME] + 5, codes.shape[0])
    scans = [data[len(head) : -len(END)] for data in pieces]  # heads differ in a number alone
    return bytes(head) + LAST_RESTART.join(scans) + END


def _segments(data: bytes) -> dict[int, int]:
    """Offsets of the segments of a file up to its pixels, with their markers."""
    place, found = len(START), {}
    while SCAN not in found:
        found[data[place + 1]] = place
        place = _end(data, place)
    return found


def _end(data: bytes, segment: int) -> int:
    """Offset of the end of a segment, whose length includes itself, but not the marker."""
    (length,) = struct.unpack_from(">H", data, segment + 2)
    return int(segment + 2 + length)


def _end_of_applications(data: bytes) -> int:
    """Offset of the end of the segments of applications."""
    place = len(START)
    while data[place + 1] in APPLICATION:
        place = _end(data, place)
    return place
