"""TIFF files of 8 or 16 bits, with EXIF that keeps its places.

This is own code because other libraries move maker notes when they write EXIF directories. The file
begins with the unchanged EXIF block, so that all offsets in it remain valid. Pixels follow, and
then the first directory, which has the entries of the block and those of the picture. Strips are
deflated with the horizontal predictor. Layout: TIFF 6.0; Adobe's technical note 2 for deflate.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from camerapipe.ingest.exif import (
    ASCII,
    BYTE,
    FIRST,
    INLINE_BYTES,
    LONG,
    RATIONAL,
    SHORT,
    UNDEFINED,
    Entry,
    ExifBlock,
)
from camerapipe.ingest.tiff_exif import ICC_TAG, IPTC_TAG, LAYOUT, PHOTOSHOP_TAG, XMP_TAG
from stages.strips import run_strips

STRIP_BYTES = 1 << 18
ZLIB_LEVEL = 3  # higher levels save 5 % of the size, and take three times as long
DEFLATE, HORIZONTAL, CONTIGUOUS, UNASSOCIATED, INCHES = 8, 2, 1, 2, 2
NO_UNIT, SQUARE = 1, (1.0, 1.0)  # no resolution, but the aspect of pixels: both are required
MIN_IS_BLACK, RGB = 1, 2
SOFTWARE, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 305, 282, 283, 296
RESOLUTION = {X_RESOLUTION: RATIONAL, Y_RESOLUTION: RATIONAL, RESOLUTION_UNIT: SHORT}
BLOCK_TYPES = {ICC_TAG: UNDEFINED, XMP_TAG: BYTE, PHOTOSHOP_TAG: BYTE, IPTC_TAG: UNDEFINED}
MAX_FILE_BYTES = (1 << 32) - 1
FORMATS = {ASCII: "s", SHORT: "H", LONG: "I", RATIONAL: "I"}

Codes = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


def tiff_bytes(
    codes: Codes,
    exif: ExifBlock,
    *,
    software: str,
    dpi: tuple[float, float] | None = None,
    blocks: Mapping[int, bytes] | None = None,
) -> bytes:
    """Encode HxW or HxWxC codes (grey, grey + alpha, RGB, RGB + alpha).

    Parameters
    ----------
    codes : array
        uint8 or uint16.
    exif : ExifBlock
        Begins the file, and gives its byte order and the entries of its first directory.
    software : str
        For files that name none.
    dpi : (x, y) or None
        Resolution, for files that state none.
    blocks : mapping
        ICC profile, XMP, IPTC and image resources by their tags.

    Raises
    ------
    ValueError
        If the file would be larger than 4 GB.
    """
    order = exif.order
    data = bytearray(bytes(exif))
    data += b"\0" * (len(data) % 2)
    given = exif.entries(FIRST)
    left_out = LAYOUT if _has_resolution(given) else LAYOUT.union(RESOLUTION)
    rows = {tag: exif.raw_entry(entry) for tag, entry in given.items() if tag not in left_out}
    values = _picture(codes)
    values |= {tag: (BLOCK_TYPES[tag], block) for tag, block in (blocks or {}).items()}
    if SOFTWARE not in rows:
        values[SOFTWARE] = (ASCII, software.encode() + b"\0")
    if X_RESOLUTION not in rows:
        x, y = dpi or SQUARE
        values |= {
            X_RESOLUTION: (RATIONAL, _ratio(x)),
            Y_RESOLUTION: (RATIONAL, _ratio(y)),
            RESOLUTION_UNIT: (SHORT, [INCHES if dpi else NO_UNIT]),
        }
    places, sizes = [], []
    rows_per_strip, strips = _strips(codes, order)
    for strip in strips:
        places.append(len(data))
        sizes.append(len(strip))
        data += strip
    values |= {273: (LONG, places), 278: (LONG, [rows_per_strip]), 279: (LONG, sizes)}
    _append_directory(data, order, rows, values)
    if len(data) > MAX_FILE_BYTES:
        raise ValueError(f"{len(data)} bytes are more than a TIFF can hold")
    return bytes(data)


def _has_resolution(given: Mapping[int, Entry]) -> bool:
    """Whether entries state a resolution in the right types; readers refuse a file of others."""
    return all(
        tag in given and (given[tag].value.kind, given[tag].value.number) == (kind, 1)
        for tag, kind in RESOLUTION.items()
        if tag != RESOLUTION_UNIT or tag in given
    )


def _picture(codes: Codes) -> dict[int, tuple[int, Any]]:
    """Entries that describe the pixels."""
    height, width = codes.shape[:2]
    channels = codes.shape[2] if codes.ndim == 3 else 1
    values: dict[int, tuple[int, Any]] = {
        256: (LONG, [width]),
        257: (LONG, [height]),
        258: (SHORT, [codes.dtype.itemsize * 8] * channels),
        259: (SHORT, [DEFLATE]),
        262: (SHORT, [RGB if channels > 2 else MIN_IS_BLACK]),
        277: (SHORT, [channels]),
        284: (SHORT, [CONTIGUOUS]),
        317: (SHORT, [HORIZONTAL]),
    }
    if channels in (2, 4):
        values[338] = (SHORT, [UNASSOCIATED])
    return values


def _strips(codes: Codes, order: str) -> tuple[int, list[bytes]]:
    """Rows of a strip, and the strips."""
    height = codes.shape[0]
    rows = min(max(1, STRIP_BYTES * height // max(codes.nbytes, 1)), height)
    kind = codes.dtype.newbyteorder(order)  # type: ignore[arg-type]

    def encoded(start: int, stop: int) -> bytes:
        part = codes[start:stop]
        steps = part.copy()
        np.subtract(part[:, 1:], part[:, :-1], out=steps[:, 1:])
        return zlib.compress(steps.astype(kind).tobytes(), ZLIB_LEVEL)

    return rows, run_strips(encoded, height, rows)


def _ratio(value: float) -> list[int]:
    fraction = Fraction(value).limit_denominator(10_000)
    return [fraction.numerator, fraction.denominator]


def _append_directory(
    data: bytearray, order: str, rows: dict[int, bytes], values: Mapping[int, tuple[int, Any]]
) -> None:
    """Write the first directory after the pixels, and its offset to the header."""
    data += b"\0" * (len(data) % 2)
    for tag, (kind, value) in values.items():
        raw = value if isinstance(value, bytes) else _packed(order, kind, value)
        count = len(raw) // (8 if kind == RATIONAL else struct.calcsize(FORMATS.get(kind, "B")))
        head = struct.pack(f"{order}HHI", tag, kind, count)
        if len(raw) <= INLINE_BYTES:
            rows[tag] = head + raw.ljust(INLINE_BYTES, b"\0")
        else:
            rows[tag] = head + struct.pack(f"{order}I", len(data))
            data += raw + b"\0" * (len(raw) % 2)
    struct.pack_into(f"{order}I", data, 4, len(data))
    data += struct.pack(f"{order}H", len(rows))
    data += b"".join(rows[tag] for tag in sorted(rows)) + bytes(4)


def _packed(order: str, kind: int, numbers: list[int]) -> bytes:
    return struct.pack(f"{order}{len(numbers)}{FORMATS[kind]}", *numbers)
