"""A synthetic camera with known colours, so that RAW tests need no foreign file.

It has the primaries of sRGB, so that a developer which follows the file gives back the linear
picture that was sampled. White balance is real work all the same: red and blue are less sensitive
(`NEUTRAL`), as in most sensors. Its colour matrix is therefore XYZ (D65) -> linear sRGB, times
`NEUTRAL`. Its files are written by `camerapipe.ingest.dng.writing`; opcode lists are made by
`dng_opcodes`.
"""

from __future__ import annotations

import io
import os
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from camerapipe.ingest.dng import writing
from camerapipe.ingest.dng.writing import COLOURS, Colour, Samples
from stages.forward.sensor import NEUTRAL, XYZ_TO_SRGB

COLOUR_MATRIX = np.array(NEUTRAL)[:, None] * np.array(XYZ_TO_SRGB)
BLACK_LEVEL = 512
WHITE_LEVEL = 16383  # 14 bits
Optics = partial(
    writing.Optics,
    make="Synthetic",
    model="Bayer One",
    focal_length_mm=50.0,
    f_number=2.0,
    exposure_s=0.01,
    iso=100,
)


def sample_mosaic(
    linear: npt.NDArray[np.floating],
    *,
    pattern: str = "RGGB",
    black_level: int = BLACK_LEVEL,
    white_level: int = WHITE_LEVEL,
) -> npt.NDArray[np.uint16]:
    """Sample a linear sRGB picture (HxWx3, 1 at white) as the sensor does: one colour per pixel."""
    camera = np.clip(linear * np.array(NEUTRAL), 0, 1)
    mosaic = np.empty(linear.shape[:2])
    for place, colour in enumerate(pattern):
        row, col = divmod(place, 2)
        mosaic[row::2, col::2] = camera[row::2, col::2, COLOURS.index(colour)]
    return np.rint(black_level + mosaic * (white_level - black_level)).astype(np.uint16)


def sample_linear(
    linear: npt.NDArray[np.floating], *, black_level: int = 0, white_level: int = 65535
) -> npt.NDArray[np.uint16]:
    """Camera values of a linear sRGB picture (HxWx3, 1 at white), all colours at each pixel."""
    camera = np.clip(linear * np.array(NEUTRAL), 0, 1)
    return np.rint(black_level + camera * (white_level - black_level)).astype(np.uint16)


def write_dng(
    path: str | os.PathLike[str] | io.BytesIO,
    samples: Samples,
    *,
    pattern: str = "RGGB",
    black_level: int = BLACK_LEVEL,
    white_level: int = WHITE_LEVEL,
    optics: writing.Optics = Optics(),  # noqa: B008 - an immutable tuple
    **options: Any,
) -> None:
    """Write sensor values of the synthetic camera; options as of `writing.write_dng`."""
    colour = Colour(black_level, white_level, NEUTRAL, COLOUR_MATRIX, pattern)
    writing.write_dng(path, samples, colour, optics, **options)
