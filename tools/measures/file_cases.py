"""Verdicts on files (`datasets.case_files`): what is shared by all kinds.

A file is rendered with a blur map of zeros, as a person would render it, so that the right picture
is that of the file. A kind is a function of a folder that gives `Found`.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

import camerapipe
from camerapipe.capture import Capture
from camerapipe.ingest import PICTURE_FORMATS, can_write, open_capture

MAX_CODES = 2.0  # error of a patch
SHAPE = (48, 72)
RNG_SEED = 8

Floats = npt.NDArray[np.floating]


class Outcome(NamedTuple):
    """A case that was tried; `wrong` says what is, and is empty where all is right."""

    kind: str
    name: str
    wrong: str = ""


class Found(NamedTuple):
    """Outcomes of a kind, and what was measured.

    `colour_error` is the largest of a patch in codes, `lost` counts metadata, `dng_error` is the
    largest of a patch in linear light, and `depth_sigma_px` the largest of a sigma from depth.
    """

    outcomes: list[Outcome]
    colour_error: float | None = None
    lost: int = 0
    dng_error: float | None = None
    depth_sigma_px: float | None = None
    missing: tuple[str, ...] = ()


def writable_formats() -> list[str]:
    """Formats whose library is installed."""
    return [name for name in PICTURE_FORMATS if can_write(name)]


def rendered(path: Path, to: Path, **how: Any) -> Capture:
    """Render a file with a blur map of zeros; give its capture."""
    capture = open_capture(path)
    sharp = np.zeros(capture.linear.shape[:2], np.float32)
    shot = camerapipe.render(capture, from_map=sharp, force=True, keep=("bokeh",))
    shot.save(to, overwrite=True, **how)
    return capture


def opened(folder: Path, name: str, data: bytes) -> Path:
    """Path of a file that is written to a folder."""
    path = folder / name.replace("/", " ")
    path.write_bytes(data)
    return path


def off_by(errors: Floats, limit: float, unit: str = "codes") -> str:
    """What is wrong with errors, in words; empty if all are within the limit."""
    worst = float(np.max(errors))
    return "" if worst <= limit else f"off by {worst:.3g} {unit}"


def smooth(rng: np.random.Generator, *shape: int) -> npt.NDArray[np.uint8]:
    """Codes that a JPEG keeps."""
    small = rng.integers(30, 226, (4, 6, *shape[2:]), dtype=np.uint8)
    sides = (shape[1], shape[0])
    return np.asarray(Image.fromarray(small).resize(sides, Image.Resampling.BICUBIC))


def decoded(data: bytes) -> npt.NDArray[np.uint8]:
    """Codes of a file by Pillow."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)
