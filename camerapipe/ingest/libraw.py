"""LibRaw: opening, unpacking and demosaicing of a RAW, with errors in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
import rawpy

from camerapipe.errors import CaptureError
from camerapipe.ingest.files import RAW_CUT_OFF
from stages.params import Array


class NotRawError(Exception):
    """LibRaw does not support the file or finds no picture in it; it may be display-encoded."""


@contextmanager
def identified(file: BinaryIO) -> Iterator[Any]:
    """Open a file by LibRaw, whose pixels are not yet decoded."""
    file.seek(0)
    with rawpy.RawPy() as raw:
        try:
            raw.open_buffer(file)
        except (rawpy.LibRawFileUnsupportedError, rawpy.LibRawIOError) as error:
            raise NotRawError from error
        yield raw


def unpacked(raw: Any) -> None:
    """Decode the pixels of an opened RAW; `CaptureError` if that is not possible."""
    try:
        raw.unpack()
    except rawpy.LibRawFileUnsupportedError as error:
        raise CaptureError(
            "LibRaw cannot unpack the compression of this RAW; convert it to a plain DNG"
        ) from error
    except rawpy.LibRawIOError as error:
        raise CaptureError(RAW_CUT_OFF) from error


def demosaiced(raw: Any, space: rawpy.ColorSpace, **options: Any) -> Array:
    """White-balanced RGB in a colour space, HxWx3 float32; 1.0 where all channels are saturated."""
    codes = raw.postprocess(
        output_bps=16,
        gamma=(1, 1),
        no_auto_bright=True,
        use_camera_wb=True,
        output_color=space,
        **options,
    )
    if codes.ndim == 2 or codes.shape[2] == 1:  # monochrome sensors
        codes = np.repeat(codes.reshape(*codes.shape[:2], 1), 3, axis=2)
    return np.asarray(codes, np.float32) / np.float32(65535)
