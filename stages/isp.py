"""A short image signal processor: RAW mosaic to linear light, by known parts.

Black level and white balance, then demosaicing by OpenCV (edge-aware), then a colour matrix. White
balance comes first, since edge-aware demosaicing compares colours. Each value is clipped where the
first colour clips, so that clipped light is white.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stages.forward.sensor import COLOURS, Sensor
from stages.kinds import LinearLight

WIDE = 65535  # codes that are demosaiced
UNCHANGED = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
Matrix = tuple[tuple[float, float, float], ...]


def develop_raw(
    mosaic: npt.NDArray[np.uint16],
    sensor: Sensor,
    white_balance: tuple[float, float],
    colour_matrix: Matrix = UNCHANGED,
) -> LinearLight:
    """Develop a RAW mosaic to linear light.

    Parameters
    ----------
    mosaic : array of uint16
        Codes, HxW.
    sensor : Sensor
        Black level, white level and pattern.
    white_balance : (float, float)
        Gains of red and blue over green.
    colour_matrix : 3 x 3
        From balanced camera values to linear sRGB. The simulated sensor has the primaries of sRGB.

    Returns
    -------
    Array
        Linear light, HxWx3 float32; 1 where the sensor clips.
    """
    gains = np.array([white_balance[0], 1.0, white_balance[1]])
    gains /= gains.min()
    codes = np.arange(sensor.white_level + 1)
    signal = np.clip((codes - sensor.black_level) / (sensor.white_level - sensor.black_level), 0, 1)
    balanced = np.empty_like(mosaic)
    for place, colour in enumerate(sensor.colour_of_places()):
        row, col = divmod(place, 2)
        table = np.rint(np.minimum(signal * gains[colour], 1) * WIDE).astype(np.uint16)
        balanced[row::2, col::2] = table[mosaic[row::2, col::2]]
    code = getattr(cv2, f"COLOR_Bayer{sensor.pattern}2{COLOURS}_EA")
    linear = np.asarray(cv2.demosaicing(balanced, code), np.float32)
    linear *= np.float32(1 / WIDE)
    if colour_matrix == UNCHANGED:
        return linear
    red, green, blue = (linear[..., k] for k in range(3))
    rows = [
        np.float32(a) * red + np.float32(b) * green + np.float32(c) * blue
        for a, b, c in colour_matrix
    ]
    return np.stack(rows, axis=2)
