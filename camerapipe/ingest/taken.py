"""When a capture was taken, by its EXIF: for RAW video, which is a folder of frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from camerapipe.ingest.files import opened
from camerapipe.ingest.metadata import read_tags

NS = 1_000_000_000
PLACES = ("EXIF", "Image")  # directories that have the time; DNG has it in either


def taken_s(path: Path) -> float | None:
    """Time of the exposure in s, from any origin, to the fraction that the file has.

    Parameters
    ----------
    path : Path
        A TIFF, a RAW file or a JPEG.

    Returns
    -------
    float or None
        None if the file does not say it.

    Raises
    ------
    CaptureError
        If the file cannot be read.
    """
    with opened(path) as file:
        tags = read_tags(file)
    for place in PLACES:
        text = str(tags.get(f"{place} DateTimeOriginal", ""))
        part = str(tags.get(f"{place} SubSecTimeOriginal", "")).strip()
        date, _, clock = text.partition(" ")
        try:
            whole = np.datetime64(f"{date.replace(':', '-')}T{clock}", "s")
        except ValueError:
            continue
        return float(whole.astype(np.int64)) + (float(f"0.{part}") if part.isdecimal() else 0.0)
    return None
