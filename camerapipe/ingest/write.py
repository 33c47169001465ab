"""Write a picture to a path: encoded in memory (`encode`), then written atomically (`atomic`)."""

from __future__ import annotations

import os
from pathlib import Path

from camerapipe.capture import Capture
from camerapipe.errors import OutputError
from camerapipe.ingest.atomic import check_output, write_bytes
from camerapipe.ingest.attachments import Metadata
from camerapipe.ingest.encode import DEFAULT_QUALITY, Pixels, encode_picture
from camerapipe.ingest.formats import PICTURES, format_of
from stages.params import Array


def write_picture(
    path: str | os.PathLike[str],
    image: Pixels,
    capture: Capture,
    *,
    overwrite: bool = False,
    bits: int | None = None,
    quality: int = DEFAULT_QUALITY,
    metadata: Metadata | str = Metadata.ALL,
    light: Array | None = None,
) -> None:
    """Write a picture; the suffix chooses the format, the rest is as in `encode_picture`.

    Raises
    ------
    OutputError
        If the file cannot be written; nothing is left under its name.
    """
    path = Path(path)
    check_output(path, overwrite=overwrite, suffixes=PICTURES)
    try:
        data = encode_picture(
            image,
            capture,
            format=format_of(path),
            bits=bits,
            quality=quality,
            metadata=metadata,
            light=light,
        )
    except OutputError as error:
        raise OutputError(f"{path}: {error}") from error
    write_bytes(path, data, overwrite=overwrite)
