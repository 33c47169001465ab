"""End of the data of a RAW file, as stated by its header.

If a file of Panasonic or Phase One is cut off, LibRaw returns uninitialised memory without an
error. Therefore the end is checked before decoding. For other RAW files that LibRaw does not
recognise, `ends_early` tells whether they are cut off.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from camerapipe.errors import CaptureError
from camerapipe.ingest.files import RAW_CUT_OFF, file_size
from camerapipe.ingest.tiff_exif import farthest_reference, first_numbers

PANASONIC_MAGIC = (b"IIU\0",)
STRIP_BYTES, RAW_OFFSET = 0x0117, 0x0118
PHASE_ONE_MAGIC = (b"IIII", b"MMMM")
PHASE_ONE_RAW = 0x526177  # "Raw" in the upper bytes of the second word
PHASE_ONE_DATA = 0x010F
PHASE_ONE_ENTRY = struct.Struct("4I")  # tag, type, bytes, offset
MAX_ENTRIES = 1000
FUJIFILM_MAGIC = b"FUJIFILMCCD-RAW "
FUJIFILM_DATA = struct.Struct(">84x6I")  # offset and size of a JPEG, of tags, and of the pixels
TIFF_LIKE = (b"II*\0", b"MM\0*", b"IIRO", b"IIRS", b"MMOR", *PANASONIC_MAGIC)


def check_whole(file: BinaryIO) -> None:
    """Refuse a RAW that ends before its pixel data do; formats that are not known here pass."""
    end = data_end(file)
    if end is not None and end > file_size(file):
        raise CaptureError(RAW_CUT_OFF)


def ends_early(file: BinaryIO) -> bool:
    """Whether a RAW that is built like a TIFF, or Fujifilm's, points beyond the end of the file."""
    size = file_size(file)
    file.seek(0)
    head = file.read(FUJIFILM_DATA.size)
    if head.startswith(FUJIFILM_MAGIC):
        places = FUJIFILM_DATA.unpack(head.ljust(FUJIFILM_DATA.size, b"\xff"))
        return any(at + count > size for at, count in zip(places[::2], places[1::2], strict=True))
    return head[:4] in TIFF_LIKE and farthest_reference(file) > size


def data_end(file: BinaryIO) -> int | None:
    """End of the pixel data by the header of an RW2 or IIQ file, bytes; None for other formats."""
    file.seek(0)
    magic = file.read(4)
    if magic in PANASONIC_MAGIC:
        numbers = first_numbers(file, (RAW_OFFSET, STRIP_BYTES))
        known = len(numbers) == 2 and numbers[RAW_OFFSET] > 0
        return numbers[RAW_OFFSET] + numbers[STRIP_BYTES] if known else None
    if magic in PHASE_ONE_MAGIC:
        return _phase_one_end(file, "<" if magic == PHASE_ONE_MAGIC[0] else ">")
    return None


def _phase_one_end(file: BinaryIO, order: str) -> int | None:
    head = file.read(8)
    if len(head) < 8:
        return None
    word, offset = struct.unpack(f"{order}II", head)
    if word >> 8 != PHASE_ONE_RAW:
        return None
    file.seek(offset)
    count = file.read(8)
    if len(count) < 8:
        raise CaptureError(RAW_CUT_OFF)
    (entries,) = struct.unpack_from(f"{order}I", count)
    for _ in range(min(entries, MAX_ENTRIES)):
        row = file.read(PHASE_ONE_ENTRY.size)
        if len(row) < PHASE_ONE_ENTRY.size:
            break
        tag, _, size, place = struct.unpack(f"{order}4I", row)
        if tag == PHASE_ONE_DATA:
            return int(place + size)
    return None
