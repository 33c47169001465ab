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
from camerapipe.ingest.jpeg_segments import (
    APP13,
    COMMENT,
    END,
    FRAME,
    SCAN,
    end_of_applications,
    segment,
    segments_of,
)
from stages.strips import run_strips

FULL_CHROMA_QUALITY = 90  # from this quality on, colour is not subsampled
LARGEST_SIDE = 65_500  # px; of libjpeg
PIECE_ROWS = 512  # px; a multiple of 8 rows of blocks of up to 16 px, the period of restarts
LAST_RESTART = b"\xff\xd7"
MAX_CONTENT = 65_000  # of a segment of image resources


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
        segment(APP13, SEGMENT_HEAD + (resources or b"")[at : at + MAX_CONTENT])
        for at in range(0, len(resources or b""), MAX_CONTENT)
    )
    if comment:
        more += segment(COMMENT, comment[: 0xFFFF - 2])
    return head[: end_of_applications(head)] + more + pixels[end_of_applications(pixels) :]


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
    segments = {each.marker: each for each in segments_of(pieces[0])}
    head = bytearray(pieces[0][: segments[SCAN].end])
    struct.pack_into(">H", head, segments[FRAME].at + 1, codes.shape[0])
    scans = [data[len(head) : -len(END)] for data in pieces]  # heads differ in a number alone
    return bytes(head) + LAST_RESTART.join(scans) + END
