"""Files of every kind, in and out: cases tried and right, and the largest errors.

All files are made by `datasets.case_files`; photographs of `--data` are added for their maker
notes. Metadata are read by exiftool and exiv2, where they are installed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measures.file_cases import Found
from measures.file_colours import codings, formats, gain_maps, hdr_signals
from measures.file_metadata import metadata
from measures.file_pictures import damaged, depths, dngs, pictures
from measures.file_videos import optics, videos

KINDS: dict[str, Callable[[Path], Found]] = {
    "SDR codings": codings,
    "written formats": formats,
    "HDR signals": hdr_signals,
    "gain maps": gain_maps,
    "which picture": pictures,
    "DNG": dngs,
    "depth": depths,
    "damaged": damaged,
    "metadata": metadata,
    "video": videos,
    "optics": optics,
}
PHOTOGRAPHS = ("photos/canon_eos450d_red_car.jpg", "photos/panasonic_lc70_rose.jpg")


def measure(context: Any) -> dict[str, float]:
    """Print tables of cases by kind and of those that are wrong; give counts and errors."""
    found: dict[str, Found] = {}
    for kind, judge in KINDS.items():
        if context.wants(kind):
            with tempfile.TemporaryDirectory() as folder:
                found[kind] = judge(Path(folder))
    if not context.quick and context.wants("metadata"):
        photographs = [path for name in PHOTOGRAPHS if (path := context.picture(name))]
        with tempfile.TemporaryDirectory() as folder:
            found["metadata of photographs"] = metadata(Path(folder), photographs, made=False)
    rows, wrong = [], []
    for kind, each in found.items():
        bad = [outcome for outcome in each.outcomes if outcome.wrong]
        rows.append([kind, len(each.outcomes), len(each.outcomes) - len(bad)])
        wrong += [[kind, outcome.name, outcome.wrong] for outcome in bad]
        context.missing += [name for name in each.missing if name not in context.missing]
    context.table("files", ["kind", "tried", "right"], rows)
    if wrong:
        context.table("wrong", ["kind", "case", "what is wrong"], wrong)
    results = {"files.wrong": float(len(wrong))}
    if any(found[kind].outcomes for kind in found if kind.startswith("metadata")):
        results["files.metadata_lost"] = float(sum(each.lost for each in found.values()))
    errors = {
        "files.colour_error_max": "colour_error",
        "files.dng_error": "dng_error",
        "files.depth_sigma_px": "depth_sigma_px",
    }
    for key, field in errors.items():
        values = [value for each in found.values() if (value := getattr(each, field)) is not None]
        results |= {key: max(values)} if values else {}
    return results
