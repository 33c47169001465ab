"""The rim of an image circle: a vignette that ends in black, or the border of a fisheye picture.

The rim is a soft edge of the lens, and not defocus of the scene. The area around the picture is
black and touches the border of the file, and the lit area is convex: a circle, or a rectangle with
round corners. A dark scene that touches the border is rarely convex.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stages.params import Array

SIDE_PX = 200  # long side of the plane on which the circle is looked for
BLACK = 0.06  # encoded luma
MIN_SHARE = 0.002  # of the plane that is black around the picture
MIN_SOLIDITY = 0.97  # lit area over that of its convex hull
RIM_SHARE = 0.06  # of the long side: width of a rim


def within_rim(plane: Array) -> npt.NDArray[np.bool_] | None:
    """Find the pixels that are away from the rim of an image circle.

    Parameters
    ----------
    plane : Array
        HxW float32, luma of a display-encoded view in [0, 1].

    Returns
    -------
    array of bool or None
        HxW; None if the picture has no rim.
    """
    scale = min(SIDE_PX / max(plane.shape), 1.0)
    size = tuple(max(round(n * scale), 1) for n in plane.shape[::-1])
    dark = cv2.resize(plane, size, interpolation=cv2.INTER_AREA) < BLACK
    border = np.ones(dark.shape, bool)
    border[1:-1, 1:-1] = False
    if not (dark & border).any():
        return None
    _, labels = cv2.connectedComponents(dark.astype(np.uint8), connectivity=4)
    outside = dark & np.isin(labels, np.unique(labels[dark & border]))
    lit = (~outside).astype(np.uint8)
    if outside.mean() < MIN_SHARE or not lit.any() or _solidity(lit) < MIN_SOLIDITY:
        return None
    reach = max(round(RIM_SHARE * max(dark.shape)), 1)
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2)
    inner = cv2.erode(lit, disk, borderType=cv2.BORDER_CONSTANT, borderValue=1)
    whole = cv2.resize(inner, plane.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return np.asarray(whole.astype(bool))


def _solidity(lit: npt.NDArray[np.uint8]) -> float:
    """Area of pixels over the area of their convex hull."""
    points = np.argwhere(lit)[:, ::-1].astype(np.int32)
    hull = np.zeros_like(lit)
    cv2.fillConvexPoly(hull, cv2.convexHull(points), 1)
    return float(lit.sum() / max(hull.sum(), 1))
