"""A picture against the photograph of a wider lens: errors in dB, and shares of pixels touched.

Pictures are display-encoded, HxWx3 float32 in [0, 1], unless they are called codes (uint8).
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from stages.params import Array

SHARP_PX, BLURRED_PX = 0.8, 1.5  # defocus below: sharp; above: blurred
BAND_PX = 12  # distance to both within which outlines are judged
VISIBLE_CODES = 2  # a change of a code value above this is visible
ALONE_CODES = 1  # what truth changes by at most this, it leaves alone
FULL_SCALE = 255
Mask = npt.NDArray[np.bool_]


class Scores(NamedTuple):
    """PSNR to truth (dB), of the whole and within the band; share of pixels touched wrongly."""

    whole_db: float
    band_db: float
    touched: float


def outline_band(defocus: Array) -> Mask:
    """Pixels within 12 px of both something sharp and something blurred.

    Parameters
    ----------
    defocus : Array
        True defocus HxW, px.
    """
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * BAND_PX + 1,) * 2)
    near_sharp, near_blurred = (
        cv2.dilate(part.astype(np.uint8), disk) > 0
        for part in (defocus < SHARP_PX, defocus > BLURRED_PX)
    )
    return near_sharp & near_blurred


def psnr_db(one: Array, other: Array, where: Mask | None = None) -> float:
    """PSNR in dB, of the whole or of a part; not a number where that is empty."""
    error = np.square(one.astype(np.float64) - other).mean(axis=2)
    if where is not None:
        error = error[where]
    if error.size == 0:
        return float("nan")
    return float(-10 * np.log10(max(float(error.mean()), 1e-12)))


def left_alone(light: Array, truth: Array) -> Mask:
    """Pixels that the wider lens shows as the narrower one does, to 1/255."""
    change = np.abs(truth - light).max(axis=2)
    return np.asarray(FULL_SCALE * change <= ALONE_CODES)


def changed(image: Array, codes: npt.NDArray[np.uint8]) -> Mask:
    """Pixels of a picture that differ visibly from the photograph that it was made of."""
    return np.asarray(np.abs(np.rint(FULL_SCALE * image) - codes).max(axis=2) > VISIBLE_CODES)


def share(part: Mask, of: Mask) -> float:
    """Share of the pixels of a region in a part; not a number where the region is empty."""
    return float(part[of].mean()) if of.any() else float("nan")
