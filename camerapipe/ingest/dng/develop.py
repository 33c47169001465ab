"""Development of a DNG to linear light: levels, opcodes, demosaicing, colour, crop.

Mosaics are corrected first and then demosaiced by LibRaw; from there on, they are treated like
pictures without mosaic (LinearRaw). As in Adobe's software, channels clip where the sensor is
saturated in all of them after white balance, so that highlights have no tint.
"""

from __future__ import annotations

from typing import BinaryIO

import cv2
import numpy as np

from camerapipe.errors import CaptureError
from camerapipe.ingest.dng.colour import balanced_to_srgb
from camerapipe.ingest.dng.corrections import CODES, corrected
from camerapipe.ingest.dng.decode import linear_codes
from camerapipe.ingest.dng.demosaic import demosaiced_camera
from camerapipe.ingest.dng.levels import Codes, normalised
from camerapipe.ingest.dng.negative import Negative
from camerapipe.ingest.dng.opcodes import OpcodeList
from camerapipe.ingest.pixels import upright
from stages.params import Array
from stages.strips import run_strips


def develop_dng(file: BinaryIO, negative: Negative) -> Array:
    """Develop the full picture of a DNG.

    Parameters
    ----------
    file : binary file
        The DNG.
    negative : Negative
        Its tags.

    Returns
    -------
    Array
        Linear light with sRGB primaries, H x W x 3 float32, upright and cropped; 1 is white before
        the baseline exposure of the file, which has been applied.

    Raises
    ------
    CaptureError
        If the pixels or the tags are damaged, or an optional reader is missing.
    """
    if not negative.is_supported:
        raise CaptureError("a DNG of an unusual kind (samples or colours); export it as TIFF")
    try:
        light = _light(linear_samples(linear_codes(file, negative), negative), negative)
    except ValueError as error:
        raise CaptureError(f"{error}; copy the file again, or export it as TIFF") from error
    light *= np.float32(2**negative.baseline_exposure)
    return np.ascontiguousarray(upright(_framed(light, negative), negative.orientation))


def linear_samples(codes: Codes, negative: Negative) -> Array:
    """Values of the active area, 0 at black and 1 at white, after opcode lists 1 and 2.

    Parameters
    ----------
    codes : array
        Linear codes, H x W x P.
    negative : Negative
        Tags of the file.

    Returns
    -------
    Array
        h x w x P float32 in [0, 1].
    """
    codes = _corrected_codes(codes, negative.opcodes[0])
    return corrected(normalised(codes, negative.levels), negative.opcodes[1].corrections)


def _corrected_codes(codes: Codes, opcodes: OpcodeList) -> Codes:
    if not opcodes.corrections:
        return codes
    picture = corrected(codes.astype(np.float32) / np.float32(CODES), opcodes.corrections)
    return np.asarray(np.rint(picture * np.float32(CODES)), np.uint16)


def _light(samples: Array, negative: Negative) -> Array:
    """Linear light of the active area, after opcode list 3."""
    third = negative.opcodes[2].corrections
    if negative.colour is None or (negative.pattern is None and samples.shape[2] == 1):
        return np.repeat(corrected(samples, third), 3, axis=2)
    colour = balanced_to_srgb(negative.colour)
    neutral = colour.neutral.astype(np.float32)
    if negative.pattern is not None:
        samples = demosaiced_camera(samples[..., 0], negative.pattern, colour)
        samples *= neutral
    light = corrected(samples, third)
    matrix = colour.matrix.T.astype(np.float32)

    def converted(start: int, stop: int) -> None:
        part = light[start:stop]
        np.maximum(np.minimum(part / neutral, 1) @ matrix, 0, out=part)

    run_strips(converted, len(light))
    return light


def _framed(light: Array, negative: Negative) -> Array:
    """Default crop, and square pixels by the default scale."""
    height, width = light.shape[:2]
    left, top, across, down = (round(each) for each in negative.crop)
    if 0 <= left < left + across <= width and 0 <= top < top + down <= height:
        light = light[top : top + down, left : left + across]
    if negative.scale == (1.0, 1.0):
        return light
    across, down = (
        max(1, round(side * factor))
        for side, factor in zip(light.shape[1::-1], negative.scale, strict=True)
    )
    return np.asarray(cv2.resize(light, (across, down), interpolation=cv2.INTER_CUBIC))
