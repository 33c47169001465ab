"""Metadata of files: what independent readers find before and after rendering."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from camerapipe.ingest import PICTURE_FORMATS, left_out
from datasets.metadata_files import metadata_files
from measures.file_cases import (
    RNG_SEED,
    SHAPE,
    Found,
    Outcome,
    opened,
    rendered,
    smooth,
    writable_formats,
)


def metadata(folder: Path, photographs: Iterable[Path] = (), *, made: bool = True) -> Found:
    """What exiftool and exiv2 read before is read after, but for what a finding names.

    Files that are made, and photographs, are rendered to every format.
    """
    readers = {"exiftool": _by_exiftool, "exiv2": _by_exiv2}
    present = [name for name in readers if shutil.which(name)]
    missing = tuple(f"{name}, a reader of metadata" for name in readers if name not in present)
    codes = smooth(np.random.default_rng(RNG_SEED), *SHAPE, 3)
    files = metadata_files(codes) if made else {}
    paths = [*(opened(folder, name, data) for name, data in files.items()), *photographs]
    tried: list[tuple[Path, str, Path, str]] = []  # input, format, output, what is told as lost
    for path in paths if present else ():
        for name in writable_formats():
            out = folder / f"out{len(tried)}{PICTURE_FORMATS[name].suffixes[0]}"
            told = " ".join(each.message for each in left_out(name, rendered(path, out)))
            tried.append((path, name, out, told))
    every = [*paths, *(out for _, _, out, _ in tried)]
    tags = [readers[reader](every) for reader in present]
    outcomes, count = [], 0
    for path, name, out, told in tried:
        lost = sorted({key for each in tags for key in _lost(each[path], each[out], told)})
        count += len(lost)
        outcomes.append(Outcome("metadata", f"{path.name} as {name}", ", ".join(lost)))
    return Found(outcomes, lost=count, missing=missing)


# Groups and tags that describe the file or its coding, and what a rendered picture does not have
NOT_KEPT = re.compile(
    r"^SourceFile$|^(ExifTool|System|File|Composite|IFD1|ICC.*|JFIF|PNG.*|QuickTime|Meta|Jpeg2000|"
    r"OpenEXR|MPF.*|MPImage.*|Adobe|PrintIM|Exif\.Thumbnail.*|Exif\.PrintImageMatching.*)[:.]"
    r"|[:.](Compression|YCbCr\w+|Orientation|BitsPerSample|ImageWidth|ImageLength|ImageHeight|"
    r"ExifImage\w+|PixelXDimension|PixelYDimension|Interoperability(Offset|Tag)|ExifTag|GPSTag|"
    r"ExifOffset|GPSInfo|ExifByteOrder|PhotoshopThumbnail|CurrentIPTCDigest|ThumbnailOffset|"
    r"MakerNote(ByteOrder|Offset)|Offset|ByteOrder|ThumbnailLength|ThumbnailImage|PreviewImage\w*)$"
)


def _lost(before: dict[str, Any], after: dict[str, Any], told: str) -> Iterator[str]:
    """Tags that are gone or have another value; groups may differ between formats."""
    values: dict[str, list[Any]] = {}
    for key, value in after.items():
        values.setdefault(re.split("[:.]", key)[-1], []).append(value)
    for key, value in before.items() if after else ():
        group = re.split("[:.]", key)[0].removeprefix("IFD0")
        named = group.upper().startswith(("IPTC", "PHOTOSHOP")) and "IPTC" in told
        named |= "EXIF" in told or (group.upper().startswith("XMP") and "XMP" in told)
        if NOT_KEPT.search(key) or named:
            continue
        if value not in values.get(re.split("[:.]", key)[-1], []):
            yield key


def _by_exiftool(paths: list[Path]) -> dict[Path, dict[str, Any]]:
    call = ["exiftool", "-j", "-G1", "-a", "-u", *map(str, paths)]
    done = subprocess.run(call, capture_output=True, check=False, text=True)
    return {Path(each["SourceFile"]): each for each in json.loads(done.stdout or "[]")}


def _by_exiv2(paths: list[Path]) -> dict[Path, dict[str, Any]]:
    """Tags of JPEG, PNG and TIFF files; of others if this exiv2 reads them."""
    found = {}
    for path in paths:
        call = ["exiv2", "-q", "-Pkv", str(path)]
        done = subprocess.run(call, capture_output=True, check=False, text=True, errors="replace")
        rows = (line.split(None, 1) for line in done.stdout.splitlines())
        found[path] = {row[0]: row[1].strip() for row in rows if len(row) == 2}
    return found
