"""Stored samples of a DNG: JPEG XL by imagecodecs, lossy JPEG by Pillow, the rest by LibRaw."""

from __future__ import annotations

import io
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from camerapipe.errors import CaptureError
from camerapipe.ingest.dng.jpeg_xl import decode_jpeg_xl
from camerapipe.ingest.dng.levels import Codes
from camerapipe.ingest.dng.negative import JPEG_XL, LOSSY_JPEG, Negative
from camerapipe.ingest.libraw import identified, unpacked

MODES = {1: "L", 3: "RGB"}


def linear_codes(file: BinaryIO, negative: Negative) -> Codes:
    """Decode the samples of the full picture, and apply its linearisation table.

    Parameters
    ----------
    file : binary file
        The DNG.
    negative : Negative
        Its tags.

    Returns
    -------
    array
        H x W x P unsigned integers, in raster order.

    Raises
    ------
    CaptureError
        If the data are damaged, or an optional reader is missing.
    """
    if negative.compression == JPEG_XL:
        codes = _by_chunks(file, negative, decode_jpeg_xl)
    elif negative.compression == LOSSY_JPEG:
        codes = _by_chunks(file, negative, _decode_jpeg)
    else:
        codes = _by_libraw(file, negative)  # applies the table itself
    return _in_raster_order(codes, negative.interleave)


def _by_chunks(file: BinaryIO, negative: Negative, decode: Any) -> Codes:
    (height, width, planes), chunks = negative.shape, negative.chunks
    codes: Codes | None = None
    across = -(-width // chunks.width)
    for index, (at, size) in enumerate(zip(chunks.offsets, chunks.sizes, strict=True)):
        top, left = index // across * chunks.height, index % across * chunks.width
        rows = chunks.height if chunks.is_tiled else min(chunks.height, height - top)
        file.seek(at)
        samples = decode(file.read(size), rows, chunks.width, planes)
        if codes is None:
            codes = np.empty(negative.shape, samples.dtype)
        if samples.dtype != codes.dtype:
            raise CaptureError("its tiles have different bit depths; the file is damaged")
        part = codes[top : top + chunks.height, left : left + chunks.width]
        part[...] = samples[: part.shape[0], : part.shape[1]]
    if codes is None:
        raise CaptureError("it has no pixel data; copy it again from the camera")
    table = negative.table
    return codes if table is None else table[np.minimum(codes, len(table) - 1)]


def _decode_jpeg(data: bytes, height: int, width: int, planes: int) -> Codes:
    """Decode a baseline JPEG; whether it is YCbCr or RGB is told by the JPEG itself."""
    try:
        image = Image.open(io.BytesIO(data), formats=("JPEG",))
        if image.size != (width, height) or image.mode != MODES.get(planes):
            raise CaptureError("its JPEG data differ from its directory; the file is damaged")
        return np.asarray(image).reshape(height, width, planes)
    except (OSError, SyntaxError) as error:
        raise CaptureError("its JPEG data are damaged; copy it again") from error


def _by_libraw(file: BinaryIO, negative: Negative) -> Codes:
    height, width, planes = negative.shape
    with identified(file) as raw:
        unpacked(raw)
        found = raw.raw_image
        if found is None or found.shape[:2] != (height, width):
            raise CaptureError("LibRaw reads another picture than its directory says; export it")
        return np.array(found.reshape(height, width, -1)[..., :planes])


def _in_raster_order(codes: Codes, factors: tuple[int, int]) -> Codes:
    """Put fields of rows and columns, which are stored one after another, into their places."""
    if factors == (1, 1):
        return codes
    out = np.empty_like(codes)
    rows, columns = factors
    top = 0
    for row in range(rows):
        left = 0
        for column in range(columns):
            field = out[row::rows, column::columns]
            field[...] = codes[top : top + field.shape[0], left : left + field.shape[1]]
            left += field.shape[1]
        top += field.shape[0]
    return out
