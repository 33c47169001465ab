"""The picture untouched is the input's bytes, where nothing was asked that would change them."""

from __future__ import annotations

import os
from pathlib import Path

from camerapipe.capture import Capture
from camerapipe.ingest.attachments import Metadata
from camerapipe.ingest.files import opened
from camerapipe.ingest.formats import format_named
from camerapipe.ingest.sniff import picture_format


def untouched_bytes(
    path: str | os.PathLike[str],
    capture: Capture,
    *,
    format: str,
    bits: int | None = None,
    quality: int | None = None,
    metadata: Metadata | str = Metadata.ALL,
) -> bytes | None:
    """Bytes of an input that can stand for its picture in a wanted format, or None.

    Parameters
    ----------
    path : path
        The file that was opened.
    capture : Capture
        What it was opened as.
    format : str
        The format wanted, of `PICTURE_FORMATS`; that of the file is told by its content.
    bits, quality, metadata
        As in `encode_picture`; None is what was not asked for.

    Returns
    -------
    bytes or None
        The whole file, as it is; None where the picture has to be encoded: another format, other
        bits, a quality that was asked for, metadata to be left out, a RAW or an array.

    Raises
    ------
    CaptureError
        If the file cannot be read any more.
    """
    wanted = format_named(format)
    same_bits = bits is None or bits == capture.bit_depth
    if capture.kind != "display" or quality is not None or not same_bits:
        return None
    if Metadata(metadata) is not Metadata.ALL:
        return None
    with opened(Path(path)) as file:
        return file.read() if picture_format(file) == wanted else None
