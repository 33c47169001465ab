"""How large the disk of a lamp is in a picture: that of the circle with its area."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stages.arrays import luma
from stages.params import Array

CORE = 0.3  # of the expected radius, in which the plateau is read
RING = (1.25, 1.45)  # of the expected radius, where the ground is read
PLATEAU_PERCENTILE = 75
LEAST_CONTRAST = 0.02  # of linear light: less is no ball


def ball_radius(linear: Array, centre: tuple[float, float], expected_px: float) -> float:
    """Equal-area radius of a bright disk at half of its plateau, px.

    Parameters
    ----------
    linear : Array
        Linear light HxWx3, clipped as the display clips it.
    centre : (y, x)
        Of the disk, px.
    expected_px : float
        Radius that it should have; what lies beyond 1.45 times that does not count.

    Returns
    -------
    float
        0 where there is no disk.
    """
    reach = int(np.ceil(RING[1] * expected_px)) + 1
    y0, x0 = (max(round(c) - reach, 0) for c in centre)
    part = luma(np.ascontiguousarray(
        linear[y0 : round(centre[0]) + reach + 1, x0 : round(centre[1]) + reach + 1]
    ))  # fmt: skip
    y, x = np.indices(part.shape)
    distance = np.hypot(y + y0 - centre[0], x + x0 - centre[1]) / expected_px
    ground = float(np.median(part[(distance > RING[0]) & (distance < RING[1])]))
    plateau = float(np.percentile(part[distance < CORE], PLATEAU_PERCENTILE))
    if plateau - ground < LEAST_CONTRAST:
        return 0.0
    bright = ((part > (ground + plateau) / 2) & (distance < RING[1])).astype(np.uint8)
    _, number = cv2.connectedComponents(bright)
    core = number[(distance < CORE) & (bright > 0)]
    if core.size == 0:
        return 0.0
    return float(np.sqrt(np.count_nonzero(number == np.bincount(core).argmax()) / np.pi))


def ball_ratio(
    image: Array, truth: Array, centres: npt.NDArray[np.float64], expected_px: float
) -> float:
    """Median over balls of the radius got over the true one.

    Parameters
    ----------
    image, truth : Array
        Linear light HxWx3 of the picture and of the true photograph, clipped to [0, 1].
    centres : array
        (y, x) of each ball, px.
    expected_px : float
        Radius that the wider lens gives them.
    """
    pairs = [
        (ball_radius(image, (y, x), expected_px), ball_radius(truth, (y, x), expected_px))
        for y, x in centres
    ]
    ratios = [got / true for got, true in pairs if true > 0]
    return float(np.median(ratios)) if ratios else float("nan")
