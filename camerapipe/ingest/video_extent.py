"""Size of a video file as stated by its container, so that a file that is cut off is recognised.

The sizes are those of the boxes of MP4 and MOV (ISO/IEC 14496-12, 4.2), of the RIFF chunks of AVI,
and of the segment of Matroska and WebM (RFC 9559, 4.5). Decoders end such a file without an error.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import BinaryIO

from camerapipe.ingest.files import file_size

BOXES = frozenset(
    {b"emsg", b"free", b"ftyp", b"mdat", b"meta", b"mfra", b"moof", b"moov", b"pnot", b"prft",
     b"sidx", b"skip", b"styp", b"udta", b"uuid", b"wide"}
)  # fmt: skip
MAX_PARTS = 1_000_000  # boxes or chunks; fragmented files have one or two a second
RIFF_UNKNOWN = (0, 0xFFFFFFFF)
EBML_MAGIC, SEGMENT = b"\x1aE\xdf\xa3", b"\x18S\x80g"


def missing_bytes(file: BinaryIO) -> int:
    """Bytes that a file lacks by its own statement; 0 for other formats and unknown sizes."""
    file.seek(0)
    head = file.read(12)
    if head.startswith(EBML_MAGIC):
        end = _matroska_end(file)
    elif head.startswith(b"RIFF"):
        end = _parts_end(file, _riff_size)
    else:
        end = _parts_end(file, _box_size)
    return max(end - file_size(file), 0)


def _parts_end(file: BinaryIO, size_of: Callable[[BinaryIO], int | None]) -> int:
    """End of the last part whose size is known, bytes."""
    end = 0
    for _ in range(MAX_PARTS):
        file.seek(end)
        size = size_of(file)
        if size is None:
            break
        end += size
    return end


def _box_size(file: BinaryIO) -> int | None:
    head = file.read(16)
    if len(head) < 8 or head[4:8] not in BOXES:
        return None
    (size,) = struct.unpack_from(">I", head)
    if size == 1 and len(head) == 16:
        (size,) = struct.unpack_from(">Q", head, 8)
    return int(size) if size >= 8 else None  # 0: to the end of the file


def _riff_size(file: BinaryIO) -> int | None:
    head = file.read(8)
    if len(head) < 8 or not head.startswith(b"RIFF"):
        return None
    (size,) = struct.unpack_from("<I", head, 4)
    return None if size in RIFF_UNKNOWN else 8 + int(size) + size % 2


def _matroska_end(file: BinaryIO) -> int:
    """End of the segment, which follows the EBML header; 0 if its size is unknown."""
    file.seek(len(EBML_MAGIC))
    header = _variable_size(file)
    if header is None:
        return 0
    file.seek(header, 1)
    size = _variable_size(file) if file.read(4) == SEGMENT else None
    return 0 if size is None else file.tell() + size


def _variable_size(file: BinaryIO) -> int | None:
    """Size of an EBML element; None if it is unknown (all bits set) or damaged."""
    first = file.read(1)
    if not first or first == b"\0":
        return None
    length = 9 - first[0].bit_length()
    rest = file.read(length - 1)
    number = int.from_bytes(first + rest, "big") & ((1 << 7 * length) - 1)
    return None if len(rest) < length - 1 or number == (1 << 7 * length) - 1 else number
