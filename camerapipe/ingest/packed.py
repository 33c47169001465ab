"""TIFF samples of 10, 12 or 14 bits, packed without gaps, which tifffile and OpenCV do not read.

Rows begin at whole bytes, and the highest bit comes first (TIFF 6.0, section 3).
"""

from __future__ import annotations

import zlib
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from camerapipe.errors import CaptureError

PACKED_BITS = (10, 12, 14)
NONE, DEFLATE, OLD_DEFLATE = 1, 8, 32946  # compressions
NO_PREDICTOR, CONTIGUOUS = 1, 1


def packed_samples(file: BinaryIO, page: Any) -> npt.NDArray[np.uint16]:
    """Samples of a page in strips, HxW or HxWxC, as integers of its bits."""
    bits, channels = int(page.bitspersample), int(page.samplesperpixel)
    plain = page.compression in (NONE, DEFLATE, OLD_DEFLATE) and page.predictor == NO_PREDICTOR
    if not plain or page.is_tiled or page.planarconfig != CONTIGUOUS:
        raise CaptureError(f"a compressed TIFF of packed {bits}-bit samples; export 16 bits")
    height, width = page.imagelength, page.imagewidth
    row_bytes = -(-width * channels * bits // 8)
    out = np.zeros((height, width * channels), np.uint16)
    for index, (at, count) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=True)):
        first = index * page.rowsperstrip
        rows = min(page.rowsperstrip, height - first)
        if rows <= 0:
            break
        file.seek(at)
        data = file.read(count)
        if page.compression != NONE:
            data = zlib.decompressobj().decompress(data, rows * row_bytes)
        if len(data) < rows * row_bytes:
            raise CaptureError("its strips are too short for its size; copy it again")
        packed = np.frombuffer(data, np.uint8, rows * row_bytes).reshape(rows, row_bytes)
        out[first : first + rows] = _unpacked(packed, width * channels, bits)
    return out if channels == 1 else out.reshape(height, width, channels)


def _unpacked(rows: npt.NDArray[np.uint8], count: int, bits: int) -> npt.NDArray[np.uint16]:
    single = np.unpackbits(rows, axis=1)[:, : count * bits].reshape(len(rows), count, bits)
    weights = (1 << np.arange(bits - 1, -1, -1)).astype(np.uint16)
    return np.asarray((single * weights).sum(axis=2), np.uint16)
