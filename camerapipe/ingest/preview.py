"""The picture that a camera embeds in its RAW file, for a check without developing the RAW."""

from __future__ import annotations

import io
import os
from pathlib import Path

import rawpy

from camerapipe.capture import Capture
from camerapipe.ingest.display import decode_display
from camerapipe.ingest.files import DEFAULT_MAX_PIXELS, opened
from camerapipe.ingest.libraw import identified
from camerapipe.ingest.metadata import meta_from, read_tags
from camerapipe.ingest.pixels import develop
from camerapipe.ingest.quiet import muted, quiet
from camerapipe.ingest.sniff import Kind, sniff


def embedded_jpeg(path: str | os.PathLike[str]) -> bytes | None:
    """The JPEG in a RAW file; None if the file is no RAW or has none."""
    try:
        with opened(Path(path)) as file, quiet(), muted():
            if sniff(file) not in (Kind.RAW, Kind.MAYBE_RAW):
                return None
            with identified(file) as raw:
                found = raw.extract_thumb()
    except Exception:  # the error is reported when the file is opened
        return None
    return found.data if found.format is rawpy.ThumbFormat.JPEG else None


def open_preview(
    path: str | os.PathLike[str], least_side_px: int, *, max_pixels: int = DEFAULT_MAX_PIXELS
) -> Capture | None:
    """The embedded picture of a RAW file as a capture.

    Parameters
    ----------
    path : path
        The file.
    least_side_px : int
        Least long side, px.
    max_pixels : int
        Largest size.

    Returns
    -------
    Capture or None
        With the metadata of the RAW; None if there is no such picture, or it is smaller.
    """
    data = embedded_jpeg(path)
    if data is None:
        return None
    try:
        with quiet(), muted():
            picture = develop(decode_display(io.BytesIO(data), max_pixels))
            with opened(Path(path)) as file:
                meta = meta_from(read_tags(file))
    except Exception:  # a damaged preview: the RAW itself is developed
        return None
    if max(picture.linear.shape) < least_side_px:
        return None
    return Capture(name=str(path), linear=picture.linear, kind="display", meta=meta)
