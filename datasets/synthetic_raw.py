"""Bayer DNG files with known contents, so that RAW tests need no foreign file.

The synthetic camera has the primaries of sRGB: its colour matrix is XYZ (D65) -> linear sRGB, so
that a developer which follows the file gives back the linear picture that was sampled. White
balance is real work all the same: red and blue are less sensitive (`NEUTRAL`), as in most sensors.
Layout after Adobe's DNG specification 1.4; optics are written as TIFF/EP tags of the first
directory, where every reader looks.
"""

from __future__ import annotations

import os
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tifffile

COLOURS = "RGB"
NEUTRAL = (0.5, 1.0, 0.625)  # camera values of a grey that is 1 in green; exact in binary
XYZ_TO_SRGB = np.array(  # IEC 61966-2-1, the inverse of its matrix to XYZ
    [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]
)
BLACK_LEVEL = 512
WHITE_LEVEL = 16383  # 14 bits
CFA_PHOTOMETRIC = 32803
D65 = 21  # EXIF light source

BYTE, ASCII, SHORT, LONG, RATIONAL, SRATIONAL = 1, 2, 3, 4, 5, 10  # TIFF types
RATIONAL_LIMIT = 10**6  # largest denominator: exact for what cameras write


class Optics(NamedTuple):
    """What the synthetic camera says of itself; None leaves the tag out."""

    make: str = "Synthetic"
    model: str = "Bayer One"
    focal_length_mm: float | None = 50.0
    f_number: float | None = 2.0
    exposure_s: float | None = 0.01
    iso: int | None = 100
    focal_length_35mm: int | None = None
    subject_distance_m: float | None = None


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


def write_dng(
    path: str | os.PathLike[str],
    mosaic: npt.NDArray[np.uint16],
    *,
    pattern: str = "RGGB",
    black_level: int = BLACK_LEVEL,
    white_level: int = WHITE_LEVEL,
    orientation: int = 1,
    crop: tuple[int, int, int, int] | None = None,
    optics: Optics = Optics(),  # noqa: B008 - an immutable tuple
) -> None:
    """Write sensor values (HxW) as an uncompressed Bayer DNG.

    `crop` is the default crop: left, top, width and height of the picture among the sensor values.
    """
    tags = [
        (274, SHORT, 1, orientation),
        (33421, SHORT, 2, (2, 2)),  # CFARepeatPatternDim
        (33422, BYTE, 4, bytes(COLOURS.index(colour) for colour in pattern)),  # CFAPattern
        (50706, BYTE, 4, bytes((1, 4, 0, 0))),  # DNGVersion
        (50707, BYTE, 4, bytes((1, 1, 0, 0))),  # DNGBackwardVersion
        (50708, ASCII, 0, f"{optics.make} {optics.model}"),  # UniqueCameraModel
        (50714, LONG, 1, black_level),
        (50717, LONG, 1, white_level),
        (50721, SRATIONAL, 9, _rationals(XYZ_TO_SRGB.ravel())),  # ColorMatrix1
        (50728, RATIONAL, 3, _rationals(NEUTRAL)),  # AsShotNeutral
        (50778, SHORT, 1, D65),  # CalibrationIlluminant1
        *_crop_tags(crop, mosaic.shape),
        *_optics_tags(optics),
    ]
    tifffile.imwrite(
        path,
        mosaic,
        photometric=CFA_PHOTOMETRIC,
        byteorder="<",
        metadata=None,
        software=False,
        extratags=[(*tag, True) for tag in tags],
    )


def _crop_tags(
    crop: tuple[int, int, int, int] | None, shape: tuple[int, ...]
) -> list[tuple[int, int, int, Any]]:
    if crop is None:
        return []
    left, top, width, height = crop
    return [
        (50829, LONG, 4, (0, 0, *shape)),  # ActiveArea
        (50719, LONG, 2, (left, top)),  # DefaultCropOrigin
        (50720, LONG, 2, (width, height)),  # DefaultCropSize
    ]


def _optics_tags(optics: Optics) -> list[tuple[int, int, int, Any]]:
    rationals = {
        33434: optics.exposure_s,
        33437: optics.f_number,
        37386: optics.focal_length_mm,
        37382: optics.subject_distance_m,
    }
    shorts = {34855: optics.iso, 41989: optics.focal_length_35mm}
    return [
        (271, ASCII, 0, optics.make),
        (272, ASCII, 0, optics.model),
        *((tag, RATIONAL, 1, _rationals([v])) for tag, v in rationals.items() if v is not None),
        *((tag, SHORT, 1, value) for tag, value in shorts.items() if value is not None),
    ]


def _rationals(values: Any) -> tuple[int, ...]:
    """Numerators and denominators in turn."""
    exact = (Fraction(float(value)).limit_denominator(RATIONAL_LIMIT) for value in values)
    return tuple(part for number in exact for part in number.as_integer_ratio())
