"""Files on their way in: may this one be opened, how large may a picture be, whose fault was it.

`opened` answers for everything the system can say of a path, `check_pixels` for the limit, and
`refusing` turns whatever a decoder raises on bad data into one line for a person.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from camerapipe.errors import CaptureError, LimitError

DEFAULT_MAX_PIXELS = 150_000_000  # a 100 MP picture works; about 2 GB while it is being decoded
MAX_FILE_BYTES = 4 << 30  # decoders that want all bytes at once must not take a disk image
MAX_REASON = 120  # characters of a library's own words in a message


def one_line(error: BaseException) -> str:
    """Say what a library said, short and without line breaks."""
    if isinstance(error.args[0] if error.args else None, bytes):  # LibRaw speaks in bytes
        words = error.args[0].decode("latin-1")
    else:
        words = str(error)
    words = " ".join(words.split())
    if not any(letter.isalpha() for letter in words):  # a bare key or nothing at all
        words = type(error).__name__
    return words if len(words) <= MAX_REASON else words[: MAX_REASON - 3] + "..."


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a regular, non-empty file for reading; everything else is refused in plain words."""
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
    """Bytes of an open file; its position is kept."""
    here = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(here)
    return size


def check_pixels(width: int, height: int, max_pixels: int) -> None:
    """Hold a size, as the header states it, against the limit: before any decoding."""
    if width <= 0 or height <= 0:
        raise CaptureError(f"its header says {width} x {height} pixels; the file is damaged")
    if width * height > max_pixels:
        raise over_limit(f"{width} x {height} = {width * height} pixels", max_pixels)


def over_limit(size: str, max_pixels: int) -> LimitError:
    """The error for a picture that is too large."""
    return LimitError(
        f"{size} are more than the limit of {max_pixels}; "
        "raise it with --max-pixels if you trust the file"
    )


@contextmanager
def refusing(name: object) -> Iterator[None]:
    """Put the name of the file before every refusal, and make one of whatever a library raises."""
    try:
        yield
    except CaptureError as error:
        raise type(error)(f"{name}: {error}") from (error.__cause__ or error)
    except MemoryError as error:
        raise LimitError(f"{name}: does not fit into memory; use a smaller picture") from error
    except Exception as error:  # decoders raise all sorts: SyntaxError, struct.error, cv2.error...
        raise CaptureError(
            f"{name}: damaged or not supported ({one_line(error)}); "
            "copy it again, or export it as JPEG, PNG or TIFF"
        ) from error
