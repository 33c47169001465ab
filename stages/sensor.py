"""The sensor of the forward model: noise, and the codes of a camera file.

Linear light in, with 1.0 at display white. Truth for tests and benchmarks; the camera does not use
it.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stages.params import Array
from stages.tone import SRGB, ToneCurve, encode, to_codes


def add_noise(linear: Array, shot: float, read: float, seed: int) -> Array:
    """Add the noise of a sensor, of variance shot * light + read^2.

    Parameters
    ----------
    linear : Array
        Linear light, float32, any shape.
    shot, read : float
        Variance per unit of light, and standard deviation of the read noise, in units of light.
    seed : int
        Of the random numbers.

    Returns
    -------
    Array
        Linear light of the same shape, float32; may be negative.
    """
    rng = np.random.default_rng(seed)
    deviation = np.sqrt(shot * np.maximum(linear, 0) + read * read)
    return np.asarray(linear + deviation * rng.standard_normal(linear.shape), np.float32)


def develop(linear: Array, jpeg_quality: int = 0, curve: ToneCurve = SRGB) -> npt.NDArray[np.uint8]:
    """Round a picture to the codes of a camera file: clipped, encoded, 8 bits.

    Parameters
    ----------
    linear : Array
        Linear light, HxWx3 float32.
    jpeg_quality : int
        1 to 100: the codes after JPEG compression; 0: without.
    curve : ToneCurve
        Display encoding.

    Returns
    -------
    array of uint8
        HxWx3, display-encoded.
    """
    codes = to_codes(encode(linear, curve), 8).astype(np.uint8)
    if jpeg_quality == 0:
        return codes
    _, data = cv2.imencode(".jpg", codes[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])
    read = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(read[..., ::-1])
