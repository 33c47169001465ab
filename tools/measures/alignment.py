"""Two shots of one scene made to agree in place and in exposure, so that only blur differs.

Between two apertures a camera moves a little, and shutter and white balance follow. The place is
found by an affine transform that maximises the correlation of blurred copies (ECC, Evangelidis and
Psarakis 2008), started from their phase correlation. Where that leads to a high correlation of what
is sharp in both shots, that decides: errors of place show there, and not in what is blurred. Tone
is matched by a curve of each channel, fitted to copies so strongly blurred that the aperture does
not show in them; black and white stay, because what is clipped in one shot tells nothing of the
other. Pictures are display-encoded HxWx3 float32 in [0, 1].
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from stages.arrays import luma
from stages.params import Array

BLUR_PX, FINE_BLUR_PX = 4.0, 1.5  # of the copies that are correlated, first and last
DETAIL_PX, WINDOW_PX = 2.0, 15  # finer than this is detail; its mean is taken over this window
SHARP = 0.4  # of the largest detail, from which on a pixel is sharp
SURE = 0.9  # correlation of what is sharp from which on it decides
UNTIL = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 200, 1e-6)
STRONG_BLUR = 0.02  # of the diagonal, of the copies that tones are fitted to
CLIPPED = (0.01, 0.97)  # blurred values beyond are not fitted
FITTED_EVERY = 4  # px along each axis


class Aligned(NamedTuple):
    """A shot in the place and tone of another, and the correlation that was reached."""

    image: Array
    correlation: float


def align(shot: Array, onto: Array) -> Aligned:
    """Move a shot onto another and give it the other's tone.

    Parameters
    ----------
    shot, onto : Array
        Encoded pictures HxWx3 of one scene and of one size.

    Raises
    ------
    ValueError
        If sizes differ, or if nothing correlates: the shots do not show one scene.
    """
    if shot.shape != onto.shape:
        raise ValueError(f"align: shots must have one size; got {shot.shape} and {onto.shape}")
    size = onto.shape[1::-1]
    one, other = luma(onto), luma(shot)
    try:
        correlation, warp = _affine(one, other)
    except cv2.error as error:
        raise ValueError("align: the shots do not show one scene") from error
    how = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(shot, warp, size, flags=how, borderMode=cv2.BORDER_REPLICATE)
    return Aligned(match_tone(np.clip(moved, 0, 1), onto), correlation)


def _affine(one: Array, other: Array) -> tuple[float, npt.NDArray[np.float32]]:
    """Transform from the places of one plane to those of another, and its correlation."""
    blurred = [cv2.GaussianBlur(plane, (0, 0), BLUR_PX) for plane in (one, other)]
    window = cv2.createHanningWindow(one.shape[::-1], cv2.CV_32F)
    copies = (plane.copy() for plane in blurred)  # OpenCV 5 multiplies its inputs by the window
    (x, y), _ = cv2.phaseCorrelate(*copies, window)
    start = np.array([[1, 0, x], [0, 1, y]], np.float32)
    reached, warp = cv2.findTransformECC(*blurred, start, cv2.MOTION_AFFINE, UNTIL, None, 1)
    fine = [cv2.GaussianBlur(plane, (0, 0), FINE_BLUR_PX) for plane in (one, other)]
    try:
        again, finer = cv2.findTransformECC(
            *fine, warp.copy(), cv2.MOTION_AFFINE, UNTIL, _sharp(other), 1
        )
    except cv2.error:  # nothing is sharp
        return float(reached), warp
    return (float(again), finer) if again > SURE else (float(reached), warp)


def _sharp(plane: Array) -> npt.NDArray[np.uint8]:
    """Mask of what is sharp."""
    detail = cv2.blur(np.abs(plane - cv2.GaussianBlur(plane, (0, 0), DETAIL_PX)), (WINDOW_PX,) * 2)
    return (detail > SHARP * np.percentile(detail, 99.5)).astype(np.uint8)


def match_tone(shot: Array, onto: Array) -> Array:
    """Give a shot the tone of another that shows the same in the same place.

    Each channel goes through x + x (1 - x) (a + b x), with a and b fitted by least squares to
    strongly blurred copies.
    """
    blur_px = STRONG_BLUR * float(np.hypot(*onto.shape[:2]))
    copies = [cv2.GaussianBlur(each, (0, 0), blur_px) for each in (shot, onto)]
    source, target = (copy[::FITTED_EVERY, ::FITTED_EVERY] for copy in copies)
    out = np.empty_like(shot)
    for channel in range(3):
        x, y = source[..., channel].ravel(), target[..., channel].ravel()
        inside = (np.minimum(x, y) > CLIPPED[0]) & (np.maximum(x, y) < CLIPPED[1])
        x, y = x[inside], y[inside]
        basis = np.stack([x * (1 - x), x * x * (1 - x)], axis=1)
        (a, b), *_ = np.linalg.lstsq(basis, y - x, rcond=None)
        plane = shot[..., channel]
        out[..., channel] = plane + plane * (1 - plane) * (a + b * plane)
    return np.clip(out, 0, 1)
