"""Demosaicing of corrected sensor values by LibRaw, by way of a plain DNG in memory."""

from __future__ import annotations

import io
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import rawpy
import tifffile

from camerapipe.ingest.colorimetry import Matrix
from camerapipe.ingest.dng.colour import Balanced
from camerapipe.ingest.libraw import demosaiced, identified, unpacked
from stages.params import Array

CFA_PHOTOMETRIC = 32803
D65_LIGHT = 21
BYTE, ASCII, SHORT, LONG, RATIONAL, SRATIONAL = 1, 2, 3, 4, 5, 10
WHITE = 65535
DENOMINATOR = 10**6


def demosaiced_camera(mosaic: Array, pattern: npt.NDArray[np.uint8], colour: Balanced) -> Array:
    """Demosaic by LibRaw.

    Parameters
    ----------
    mosaic : Array
        H x W sensor values, float32 in [0, 1].
    pattern : array
        Colour filters from the first pixel: 0 red, 1 green, 2 blue.
    colour : Balanced
        White balance. The matrix from XYZ only guides the choice of directions.

    Returns
    -------
    Array
        H x W x 3 camera values divided by the neutral ones, at most 1.
    """
    with identified(plain_dng(mosaic, pattern, colour)) as raw:
        unpacked(raw)
        return demosaiced(raw, rawpy.ColorSpace.raw, adjust_maximum_thr=0.0)


def plain_dng(mosaic: Array, pattern: npt.NDArray[np.uint8], colour: Balanced) -> BinaryIO:
    """Uncompressed DNG of a mosaic, with the levels 0 and 65535."""
    codes = np.rint(mosaic * np.float32(WHITE)).astype(np.uint16)
    tags = [
        (33421, SHORT, 2, pattern.shape),
        (33422, BYTE, pattern.size, pattern.tobytes()),
        (50706, BYTE, 4, bytes((1, 4, 0, 0))),
        (50708, ASCII, 0, "camerapipe mosaic"),
        (50714, LONG, 1, 0),
        (50717, LONG, 1, WHITE),
        (50721, SRATIONAL, 9, _rationals(colour.from_xyz)),
        (50728, RATIONAL, 3, _rationals(colour.neutral)),
        (50778, SHORT, 1, D65_LIGHT),
    ]
    file = io.BytesIO()
    tifffile.imwrite(
        file,
        codes,
        photometric=CFA_PHOTOMETRIC,
        metadata=None,
        software=False,
        extratags=[(*tag, True) for tag in tags],
    )
    return file


def _rationals(values: Matrix) -> tuple[int, ...]:
    """Numerators and denominators in turn."""
    return tuple(
        part for value in values.ravel() for part in (round(value * DENOMINATOR), DENOMINATOR)
    )
