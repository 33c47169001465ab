"""Line plots as PNG, both axes logarithmic, drawn with OpenCV: no plotting package is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

SIZE = (640, 900)  # px, rows and columns
FRAME = (60, 90, 80, 30)  # px left free: top, left, bottom, right
COLOURS = ((40, 40, 40), (30, 90, 220), (60, 150, 40), (200, 80, 30), (160, 40, 160))  # BGR
FONT, GREY = cv2.FONT_HERSHEY_SIMPLEX, (225, 225, 225)

Curve = Sequence[tuple[float, float]]
Picture = npt.NDArray[np.uint8]


def log_plot(path: Path, title: str, labels: tuple[str, str], curves: Mapping[str, Curve]) -> None:
    """Write a plot of named curves of (x, y) points, all positive."""
    points = np.log10([point for curve in curves.values() for point in curve])
    low, high = np.floor(points.min(axis=0)), np.ceil(points.max(axis=0))
    canvas = np.full((*SIZE, 3), 255, np.uint8)
    _draw_axes(canvas, low, high, labels)
    cv2.putText(canvas, title, (10, 20), FONT, 0.6, (0, 0, 0), 1, cv2.LINE_AA)
    for row, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[row % len(COLOURS)]
        places = [_place(point, low, high) for point in np.log10(curve)]
        cv2.polylines(canvas, [np.array(places)], False, colour, 2, cv2.LINE_AA)
        for place in places:
            cv2.circle(canvas, place, 4, colour, -1, cv2.LINE_AA)
        corner = (SIZE[1] - 330, SIZE[0] - FRAME[2] - 15 - 22 * row)
        cv2.putText(canvas, name, corner, FONT, 0.5, colour, 1, cv2.LINE_AA)
    cv2.imwrite(str(path), canvas)


def _place(
    point: npt.NDArray[np.float64], low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]
) -> tuple[int, int]:
    """Pixel (x, y) of a point given as logarithms."""
    top, left, bottom, right = FRAME
    share = (point - low) / (high - low)
    x = left + share[0] * (SIZE[1] - left - right)
    return round(x), round(SIZE[0] - bottom - share[1] * (SIZE[0] - top - bottom))


def _draw_axes(
    canvas: Picture,
    low: npt.NDArray[np.float64],
    high: npt.NDArray[np.float64],
    labels: tuple[str, str],
) -> None:
    """Draw a line and a number at every power of ten."""
    for axis in (0, 1):
        for power in range(int(low[axis]), int(high[axis]) + 1):
            first, second = low.copy(), high.copy()
            first[axis] = second[axis] = power
            begin = _place(first, low, high)
            cv2.line(canvas, begin, _place(second, low, high), GREY, 1)
            shift = (-15, 22) if axis == 0 else (-60, 5)
            spot = (begin[0] + shift[0], begin[1] + shift[1])
            cv2.putText(canvas, f"1e{power}", spot, FONT, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    spots = (SIZE[1] // 2 - 60, SIZE[0] - 25), (10, 45)
    for label, spot in zip(labels, spots, strict=True):
        cv2.putText(canvas, label, spot, FONT, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
