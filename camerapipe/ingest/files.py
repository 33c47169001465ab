"""Opening of input files: checks of the path and of the size, and errors in one line.

`opened` checks the path, `check_pixels` the size, and `refusing` turns any exception of a decoder
into an error with one line for a person.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from camerapipe.errors import CaptureError, LimitError

DEFAULT_MAX_PIXELS = (
    150_000_000  # more than 100 MP cameras have; a RAW takes 40 bytes of memory each
)
MAX_FILE_BYTES = 4 << 30  # some decoders read the whole file; this excludes disk images
CUT_OFF = "is cut off or damaged: parts are missing; copy it again"
RAW_CUT_OFF = "this RAW is cut off; copy it again from the camera"
# In messages of Pillow, tifffile and libheif, in lower case.
SIGNS_OF_A_CUT = (
    "truncated", "corrupted ifd", "unexpected end of file", "cannot read full meta box",
    "insufficient input data",
)  # fmt: skip
MAX_REASON = 120  # characters of a library's message that are quoted


def one_line(error: BaseException) -> str:
    """Message of an exception, shortened and without line breaks."""
    if isinstance(error.args[0] if error.args else None, bytes):  # messages of LibRaw are bytes
        words = error.args[0].decode("latin-1")
    elif isinstance(error, OSError) and error.strerror:
        words = error.strerror  # without its number and the name, which the caller knows
    else:
        words = str(error)
    words = " ".join(words.split())
    if not any(letter.isalpha() for letter in words):  # a number, or no message
        words = type(error).__name__
    return words if len(words) <= MAX_REASON else words[: MAX_REASON - 3] + "..."


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a regular, non-empty file for reading; `CaptureError` for anything else."""
    try:
        status = path.stat()  # before open(): opening a FIFO would wait for a writer
        if stat.S_ISDIR(status.st_mode):
            raise CaptureError(f"{path}: is a folder; name the pictures in it")
        if not stat.S_ISREG(status.st_mode):
            raise CaptureError(f"{path}: is a device or a pipe; copy its data to a file first")
        if status.st_size == 0:
            raise CaptureError(f"{path}: is empty (0 bytes); copy it again from the camera")
        if status.st_size > MAX_FILE_BYTES:
            limit = f"{MAX_FILE_BYTES >> 30} GiB"
            raise LimitError(f"{path}: {status.st_size} bytes are more than the limit of {limit}")
        file = path.open("rb")
    except FileNotFoundError as error:
        raise CaptureError(f"{path}: does not exist; check the name") from error
    except PermissionError as error:
        raise CaptureError(f"{path}: may not be read; change its permissions") from error
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL in it
        raise CaptureError(f"{path}: cannot be opened ({one_line(error)})") from error
    with file:
        yield file


def file_size(file: BinaryIO) -> int:
    """Size of an open file in bytes; its position does not change."""
    here = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(here)
    return size


def check_pixels(width: int, height: int, max_pixels: int) -> None:
    """Check the size that a header states against the limit, before decoding."""
    if width <= 0 or height <= 0:
        raise CaptureError(f"its header says {width} x {height} pixels; the file is damaged")
    if width * height > max_pixels:
        raise over_limit(f"{width} x {height} = {width * height} pixels", max_pixels)


def over_limit(size: str, max_pixels: int) -> LimitError:
    """Error for a picture that is too large."""
    return LimitError(
        f"{size} are more than the limit of {max_pixels}; "
        "raise it with --max-pixels if you trust the file"
    )


@contextmanager
def refusing(name: object) -> Iterator[None]:
    """Turn any exception into a `CaptureError` whose message starts with the name of the file."""
    try:
        yield
    except CaptureError as error:
        raise type(error)(f"{name}: {error}") from (error.__cause__ or error)
    except MemoryError as error:
        raise LimitError(f"{name}: does not fit into memory; use a smaller picture") from error
    except Exception as error:  # decoders raise SyntaxError, struct.error, cv2.error and others
        if any(sign in str(error).lower() for sign in SIGNS_OF_A_CUT):
            raise CaptureError(f"{name}: {CUT_OFF}") from error
        raise CaptureError(
            f"{name}: damaged or not supported ({one_line(error)}); "
            "copy it again, or export it as JPEG, PNG or TIFF"
        ) from error
