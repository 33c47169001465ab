"""Pictures in a folder: which files are meant if a person names the folder."""

from __future__ import annotations

import os
import re
from pathlib import Path

from camerapipe.errors import CaptureError
from camerapipe.ingest.formats import PICTURES
from camerapipe.ingest.sniff import Kind, sniff

# Suffixes of files that can be opened, besides those of `PICTURES`.
FINISHED = frozenset({".avif", ".bmp", ".gif", ".heic", ".heif", ".hif", ".webp"})
RAW = frozenset(
    {
        ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".gpr", ".iiq",
        ".k25", ".kdc", ".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw",
        ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f",
    }
)  # fmt: skip


def pictures_in(folder: str | os.PathLike[str]) -> list[Path]:
    """Pictures in a folder in natural order (`IMG_2` before `IMG_10`).

    Hidden files, folders and files of other kinds are passed over. A picture is recognised by its
    suffix or by its content.

    Raises
    ------
    CaptureError
        If the folder cannot be read or has no pictures in it.
    """
    folder = Path(folder)
    try:
        files = [path for path in folder.iterdir() if path.is_file()]
        found = [path for path in files if not path.name.startswith(".") and _is_picture(path)]
    except OSError as error:
        raise CaptureError(f"{folder}: cannot be read ({error.strerror or error})") from error
    if not found:
        raise CaptureError(f"{folder}: has no pictures in it")
    return sorted(found, key=natural_order)


def natural_order(path: Path) -> tuple[list[str | int], str]:
    """Sorting key of a name: digits count as numbers, upper and lower case are equal."""
    parts = re.split(r"([0-9]+)", path.name.casefold())
    return [int(part) if k % 2 else part for k, part in enumerate(parts)], path.name


def _is_picture(path: Path) -> bool:
    if path.suffix.lower() in {*PICTURES, *FINISHED, *RAW}:
        return True
    try:
        with path.open("rb") as file:
            return sniff(file) is not Kind.RAW  # which includes unknown content
    except PermissionError:
        return False
