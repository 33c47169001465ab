"""Pass-through of the bytes of an input file, if the request does not change the picture."""

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
    """Bytes of an input file, if they can be the output in the requested format.

    Parameters
    ----------
    path : path
        The file that was opened.
    capture : Capture
        The opened capture.
    format : str
        Requested format, of `PICTURE_FORMATS`; that of the file is recognised by its content.
    bits, quality, metadata
        As for `encode_picture`; None if not requested.

    Returns
    -------
    bytes or None
        The whole file. None if the picture must be encoded: another format, other bits, a requested
        quality, metadata to be left out, a RAW or an array.

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
