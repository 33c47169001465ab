"""JPEG files, encoded in strips that share the cores.

Every row of blocks ends in a restart marker, where an encoder forgets what came before (ITU-T T.81,
B.2.1 and E.1.4). So strips are pictures of their own, whose scans follow one another in the file
under the header of the first; they share its tables, which do not depend on the picture. Markers
count from 0 to 7 in turn: a strip of whole turns leaves the next one to start at 0. OpenCV encodes
each strip with libjpeg-turbo, and lets other threads of Python run meanwhile.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

import cv2
import numpy as np
import numpy.typing as npt

from stages.strips import run_strips

Segment = tuple[int, bytes]  # marker and content

BLOCK = 8  # px
FULL_CHROMA_QUALITY = 90  # from this quality on, colour is not subsampled
LARGEST_SIDE = 65_500  # px; of libjpeg
STRIP_BLOCKS = 32  # rows of blocks of a strip: whole turns of the markers
START, END, TURN = b"\xff\xd8", b"\xff\xd9", b"\xff\xd7"  # of a picture; last marker of a turn
APP1, APP2, FRAME, SCAN = 0xE1, 0xE2, 0xC0, 0xDA
PROFILE_PART = 65_519  # bytes of a profile that a segment holds


def jpeg_bytes(
    codes: npt.NDArray[np.uint8], quality: int, segments: Iterable[Segment] = ()
) -> bytes:
    """Encode HxW or HxWx3 (RGB) codes, with segments of metadata."""
    if max(codes.shape[:2]) > LARGEST_SIDE:
        raise ValueError(f"a side of a JPEG is at most {LARGEST_SIDE} px")
    full = codes.ndim == 2 or quality >= FULL_CHROMA_QUALITY
    unit = BLOCK if full else 2 * BLOCK
    options = [
        cv2.IMWRITE_JPEG_QUALITY, quality,
        cv2.IMWRITE_JPEG_RST_INTERVAL, -(-codes.shape[1] // unit),
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444 if full else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    ]  # fmt: skip
    strips = run_strips(
        lambda start, stop: _encoded(codes[start:stop], options), len(codes), STRIP_BLOCKS * unit
    )
    first, *others = (_parted(strip) for strip in strips)
    (jfif, *tables), scan = first
    head = [jfif, *segments, *(_of_height(segment, len(codes)) for segment in tables)]
    scans = TURN.join([scan, *(scan for _, scan in others)])
    return b"".join([START, *(_framed(segment) for segment in head), scans, END])


def metadata_segments(exif: bytes, xmp: bytes | None, profile: bytes | None) -> Iterator[Segment]:
    """Segments of EXIF (with its signature), XMP and an ICC profile, as far as there are any."""
    if exif:
        yield APP1, exif
    if xmp:
        yield APP1, b"http://ns.adobe.com/xap/1.0/\0" + xmp
    profile = profile or b""
    parts = [profile[k : k + PROFILE_PART] for k in range(0, len(profile), PROFILE_PART)]
    for number, part in enumerate(parts, 1):
        yield APP2, b"ICC_PROFILE\0" + bytes([number, len(parts)]) + part


def _encoded(codes: npt.NDArray[np.uint8], options: list[int]) -> bytes:
    swapped = codes if codes.ndim == 2 else cv2.cvtColor(codes, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", swapped, options)
    return data.tobytes()


def _parted(data: bytes) -> tuple[list[Segment], bytes]:
    """Segments of a file, that which starts the scan being the last, and the scan."""
    segments: list[Segment] = []
    place = len(START)
    while not segments or segments[-1][0] != SCAN:
        _, marker, length = struct.unpack_from(">BBH", data, place)
        segments.append((marker, data[place + 4 : place + 2 + length]))
        place += 2 + length
    return segments, data[place : -len(END)]


def _of_height(segment: Segment, height: int) -> Segment:
    """A segment of a picture of this height."""
    marker, content = segment
    if marker != FRAME:
        return segment
    return marker, content[:1] + struct.pack(">H", height) + content[3:]


def _framed(segment: Segment) -> bytes:
    marker, content = segment
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content
