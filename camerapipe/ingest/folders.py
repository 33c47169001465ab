"""Pictures in a folder: which files are meant if a person names the folder."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

from camerapipe.errors import CaptureError
from camerapipe.ingest.formats import PICTURES
from camerapipe.ingest.sniff import Kind, sniff

WRITTEN_ONLY = frozenset({".exr", ".jxl"})  # suffixes of `PICTURES` that cannot be opened
FINISHED = frozenset({*PICTURES, ".bmp", ".gif", ".webp"}) - WRITTEN_ONLY
MOVING = frozenset({".gif", ".mjpeg", ".mjpg"})  # pictures by content, and usually many
RAW = frozenset(
    {
        ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".gpr", ".iiq",
        ".k25", ".kdc", ".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw",
        ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f",
    }
)  # fmt: skip

DEVELOPED = frozenset({".heic", ".heif", ".hif", ".jpeg", ".jpg"})  # by a camera, beside its RAW


class Pairs(StrEnum):
    """Which files of a RAW+JPEG pair are meant if a person names their folder."""

    RAW = "raw"
    JPEG = "jpeg"
    BOTH = "both"


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
        found = [path for path in files if not path.name.startswith(".") and is_picture(path)]
    except OSError as error:
        raise CaptureError(f"{folder}: cannot be read ({error.strerror or error})") from error
    if not found:
        raise CaptureError(f"{folder}: has no pictures in it")
    return sorted(found, key=natural_order)


def passed_over(paths: Iterable[Path], pairs: Pairs) -> frozenset[Path]:
    """Files that are left out because another file of the same photograph is used.

    A RAW, and a JPEG or HEIC that the camera developed from it, are one photograph if they have the
    same stem in the same folder, whatever the case of its letters.
    """
    left_out: set[Path] = set()
    photographs = defaultdict(list)
    for path in paths:
        photographs[path.parent, path.stem.casefold()].append(path)
    for files in photographs.values():
        raw = {path for path in files if path.suffix.lower() in RAW}
        developed = {path for path in files if path.suffix.lower() in DEVELOPED}
        if raw and developed and pairs is not Pairs.BOTH:
            left_out |= developed if pairs is Pairs.RAW else raw
    return frozenset(left_out)


def natural_order(path: Path) -> tuple[list[str | int], str]:
    """Sorting key of a name: digits count as numbers, upper and lower case are equal."""
    parts = re.split(r"([0-9]+)", path.name.casefold())
    return [int(part) if k % 2 else part for k, part in enumerate(parts)], path.name


def is_photograph(path: Path) -> bool:
    """Whether a file is a single picture, by its suffix or its content, and no animation."""
    return path.suffix.lower() not in MOVING and is_picture(path)


def is_picture(path: Path) -> bool:
    """Whether a file is a picture or an animation, by its suffix or its content."""
    if path.suffix.lower() in FINISHED | RAW:
        return True
    try:
        with path.open("rb") as file:
            return sniff(file) is not Kind.RAW  # which includes unknown content
    except PermissionError:
        return False
