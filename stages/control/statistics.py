"""Statistics of a RAW frame for 3A, in integers: brightness, colour and contrast.

A mosaic is divided into quads of 2 x 2 pixels (one red, two green, one blue).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.forward.sensor import COLOURS, Sensor

Mosaic = npt.NDArray[np.uint16]
Ints = npt.NDArray[np.int64]

FULL_SCALE = 1 << 16  # of means: 1.0 at the white level
PER_MILLE = 1000
CELLS = (9, 12)  # of metering: rows and columns
CENTRE_WEIGHT = 4  # of the middle third; 1 at the border
CLIPPED = 0.98  # of the white level, from which a quad counts as clipped
WINDOW_SHARE = 0.25  # side of the focus window over the sides of the sensor
SHARPNESS_SCALE = 1 << 20
SIGNIFICANT_BITS = 12  # that are kept of a sharpness


class Light(NamedTuple):
    """Brightness and colour of a frame.

    Attributes
    ----------
    mean : int
        Centre-weighted mean of the green pixels over black, 65536 at the white level.
    clipped : int
        Weighted share of clipped quads, per mille.
    red, green, blue : int
        Means over black of quads that are not clipped, 65536 at the white level.
    """

    mean: int
    clipped: int
    red: int
    green: int
    blue: int


class Statistics(NamedTuple):
    """What 3A knows of a frame.

    Attributes
    ----------
    light : Light
        Brightness and colour.
    sharpness : int
        Contrast in the focus window.
    exposure_ns, iso : int
        How the frame was exposed.
    focus_dpt : float
        Focus in the middle of its exposure.
    lens_moving : bool
        Whether the lens moved during it.
    """

    light: Light
    sharpness: int
    exposure_ns: int
    iso: int
    focus_dpt: float
    lens_moving: bool


def measure_light(mosaic: Mosaic, sensor: Sensor) -> Light:
    """Measure brightness and colour.

    Parameters
    ----------
    mosaic : array of uint16
        A frame or a reduced one, HxW, at least 18 x 24.
    sensor : Sensor
        Its levels and pattern.

    Returns
    -------
    Light
        Integers.
    """
    red, green, blue = _planes(mosaic, sensor)  # green: the sum of two pixels
    limit = int(sensor.black_level + CLIPPED * (sensor.white_level - sensor.black_level))
    clipped = (np.maximum(np.maximum(red, blue), green // 2) >= limit).astype(np.int64)
    weights = _weights(red.shape)
    total = int(weights.sum())
    open_total = total - int((weights * clipped).sum())
    span = sensor.white_level - sensor.black_level

    def mean(plane: Ints, weight: Ints, count: int, pixels: int = 1) -> int:
        over = int((weight * plane).sum()) - pixels * sensor.black_level * count
        return max(over, 0) * FULL_SCALE // max(span * count * pixels, 1)

    unclipped = weights * (1 - clipped)
    return Light(
        mean=mean(green, weights, total, 2),
        clipped=(total - open_total) * PER_MILLE // total,
        red=mean(red, unclipped, open_total),
        green=mean(green, unclipped, open_total, 2),
        blue=mean(blue, unclipped, open_total),
    )


def measure_sharpness(mosaic: Mosaic, sensor: Sensor, gain: float) -> int:
    """Contrast of the green pixels of a window, for contrast autofocus.

    Squared differences of neighbouring quads along rows and columns (Tenengrad without its
    smoothing; Krotkov 1988), less what the noise adds, over the squared mean.

    Parameters
    ----------
    mosaic : array of uint16
        The window, HxW.
    sensor : Sensor
        Its levels, pattern and noise.
    gain : float
        Gain of the exposure.

    Returns
    -------
    int
        Rounded to 12 significant bits; 0 if there is only noise.
    """
    _, green, _ = _planes(mosaic, sensor)
    across, down = np.diff(green, axis=1), np.diff(green, axis=0)
    squares = int((across * across).sum()) + int((down * down).sum())
    count = across.size + down.size
    signal = max(int(green.sum()) // green.size - 2 * sensor.black_level, 1)
    scale, offset = sensor.noise_profile(gain)
    span = sensor.white_level - sensor.black_level
    noise = 2 * 2 * (scale * signal / 2 / span + offset) * span**2  # of a difference of two sums
    contrast = max(squares - round(noise * count), 0) * SHARPNESS_SCALE // (count * signal * signal)
    spare = max(contrast.bit_length() - SIGNIFICANT_BITS, 0)
    return contrast >> spare << spare


def focus_window(sensor: Sensor, most_pixels: int = 96 * 128) -> tuple[int, int]:
    """Rows and columns of the focus window: a share of the sensor, limited in pixels.

    Parameters
    ----------
    sensor : Sensor
        Size.
    most_pixels : int
        Largest number of pixels.
    """
    rows, cols = sensor.rows * WINDOW_SHARE, sensor.cols * WINDOW_SHARE
    shrink = min((most_pixels / (rows * cols)) ** 0.5, 1.0)
    return max(int(rows * shrink) // 2 * 2, 4), max(int(cols * shrink) // 2 * 2, 4)


def _planes(mosaic: Mosaic, sensor: Sensor) -> tuple[Ints, Ints, Ints]:
    """Red, the sum of both green, and blue pixels of each quad."""
    height, width = (side // 2 * 2 for side in mosaic.shape)
    planes = [np.zeros((height // 2, width // 2), np.int64) for _ in COLOURS]
    for place, colour in enumerate(sensor.colour_of_places()):
        row, col = divmod(place, 2)
        planes[colour] += mosaic[row:height:2, col:width:2]
    return planes[0], planes[1], planes[2]


def _weights(shape: tuple[int, ...]) -> Ints:
    """Centre-weighted metering: 4 in the middle third along both axes, 2 in the cross, else 1."""
    axes = []
    for side in shape:
        place = np.arange(side)
        inside = (3 * place >= side) & (3 * place < 2 * side)
        axes.append(np.where(inside, 2, 1))
    return np.asarray(axes[0][:, None] * axes[1][None, :], np.int64)
