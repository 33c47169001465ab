"""JPEG XL in a DNG: the header, which is checked before decoding, and samples by imagecodecs.

A few kilobytes of JPEG XL may decode to gigapixels, or to thousands of channels. Therefore the
header of the codestream (ISO/IEC 18181-1, annex D) is compared with the directory of the DNG.
"""

from __future__ import annotations

import importlib
import importlib.util
import struct
from typing import Any, NamedTuple

import numpy as np

from camerapipe.errors import CaptureError
from camerapipe.extras import install
from camerapipe.ingest.dng.levels import Codes

CODESTREAM = b"\xff\x0a"
CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
HEADER_BYTES = 64  # of a codestream; size and metadata need fewer
MAX_BOXES = 64
RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
FULL_RANGE = 65535
MISSING = (
    "is a DNG with JPEG XL, and the optional reader is missing: "
    f"{install('dng')}, or export it as TIFF"
)


class Header(NamedTuple):
    """Size, bits per sample, and numbers of extra channels; whether samples are floats."""

    width: int
    height: int
    bits: int
    is_float: bool
    extra_channels: int
    is_plain: bool  # no preview, animation, or other size than that of the picture


def has_jpeg_xl() -> bool:
    """Whether the optional reader is installed."""
    return importlib.util.find_spec("imagecodecs") is not None


def decode_jpeg_xl(data: bytes, height: int, width: int, planes: int) -> Codes:
    """Decode one tile or strip.

    Parameters
    ----------
    data : bytes
        A codestream, or one in a container.
    height, width, planes : int
        What the directory of the DNG says.

    Returns
    -------
    array
        H x W x P, uint8 or uint16. Samples of 9 to 15 bits are scaled to 16 bits, as Adobe's
        software reads them, so that the levels of the DNG fit.

    Raises
    ------
    CaptureError
        If the header differs from the directory, the data are damaged, or imagecodecs is missing.
    """
    try:
        imagecodecs: Any = importlib.import_module("imagecodecs")
    except ImportError as error:
        raise CaptureError(MISSING) from error
    header = read_header(data)
    if (header.height, header.width) != (height, width):
        raise CaptureError(
            f"its JPEG XL data say {header.width} x {header.height} pixels, and its directory "
            f"{width} x {height}; the file is damaged"
        )
    if header.is_float or header.extra_channels or not header.is_plain:
        raise CaptureError("its JPEG XL data are of an unusual kind; export it as TIFF")
    try:
        samples = np.asarray(imagecodecs.jpegxl_decode(data, index=0, keeporientation=True))
    except Exception as error:  # imagecodecs raises its own errors, and some of numpy's
        raise CaptureError("its JPEG XL data are damaged; copy it again") from error
    samples = samples.reshape(height, width, -1)
    if samples.shape[2] != planes or samples.dtype not in (np.uint8, np.uint16):
        raise CaptureError("its JPEG XL data have another number of channels than its directory")
    if not 8 < header.bits < 16:
        return samples
    scale = np.float32(FULL_RANGE / (2**header.bits - 1))
    return np.rint(samples * scale).astype(np.uint16)


def read_header(data: bytes) -> Header:
    """Header of JPEG XL data; `CaptureError` if they do not begin with one."""
    try:
        start = _codestream(data)
        if not start.startswith(CODESTREAM):
            raise ValueError("no codestream")
        return _header(_Bits(start[len(CODESTREAM) :]))
    except (ValueError, struct.error) as error:
        raise CaptureError("its JPEG XL data are damaged; copy it again") from error


def _codestream(data: bytes) -> bytes:
    """First bytes of the codestream, which may be in a box of a container."""
    if not data.startswith(CONTAINER):
        return data[:HEADER_BYTES]
    at = len(CONTAINER)
    for _ in range(MAX_BOXES):
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, at + head)
            head = 16
        if kind in (b"jxlc", b"jxlp"):
            start = at + head + (4 if kind == b"jxlp" else 0)  # a part begins with its number
            return data[start : start + HEADER_BYTES]
        if not head <= size <= len(data) - at:
            break
        at += size
    raise ValueError("no codestream")


class _Bits:
    """Bits of a codestream, least significant first."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "little")
        self._left = len(data) * 8

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise ValueError("the header is cut off")
        value = self._value & (1 << count) - 1
        self._value >>= count
        return value

    def choice(self, *options: tuple[int, int]) -> int:
        """U32 of the standard: two bits choose an offset, and the bits that are added to it."""
        offset, count = options[self.take(2)]
        return offset + self.take(count)


def _header(bits: _Bits) -> Header:
    height, width = _size(bits)
    if bits.take(1):  # all other fields have their defaults
        return Header(width, height, 8, False, 0, True)
    plain = True
    if bits.take(1):  # extra fields
        bits.take(3)  # orientation; the DNG has its own
        plain = not bits.take(3)  # flags of another size, a preview, and an animation
    if not plain:
        return Header(width, height, 0, False, 0, plain)
    is_float = bool(bits.take(1))
    if is_float:
        depth = bits.choice((32, 0), (16, 0), (24, 0), (1, 6))
        bits.take(4)
    else:
        depth = bits.choice((8, 0), (10, 0), (12, 0), (1, 6))
    bits.take(1)  # whether buffers of 16 bits are sufficient
    extra = bits.choice((0, 0), (1, 0), (2, 4), (1, 12))
    return Header(width, height, depth, is_float, extra, plain)


def _size(bits: _Bits) -> tuple[int, int]:
    """Height and width."""
    small = bool(bits.take(1))

    def side() -> int:
        if small:
            return 8 * (1 + bits.take(5))
        return bits.choice((1, 9), (1, 13), (1, 18), (1, 30))

    height = side()
    ratio = bits.take(3)
    if not ratio:
        return height, side()
    across, down = RATIOS[ratio]
    return height, height * across // down
