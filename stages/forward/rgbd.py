"""Scenery from a picture with disparity: sliced into surfaces, with what is hidden filled in.

The distance of a pixel is focal length (px) * baseline / (disparity + offset). Slices have equal
widths in inverse distance, in which blur is linear; each keeps the exact distance of its pixels as
relief. Behind the outline of a slice, the next one goes on with the colours at its border, so that
a blurred outline has something behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from stages.forward.scenery import MIN_SIDE, Scenery, Surface
from stages.params import Array

MOST_SLICES = 12
MARGIN = MIN_SIDE  # texels around a slice: a surface has so many at least


class Stereo(NamedTuple):
    """Calibration of a rectified pair of pictures.

    Attributes
    ----------
    focal_px : float
        Focal length in pixels.
    baseline_m : float
        Distance of the two cameras.
    offset_px : float
        Difference of their principal points, added to disparities.
    """

    focal_px: float
    baseline_m: float
    offset_px: float = 0.0


def rgbd_scenery(
    linear: Array,
    disparity: Array,
    stereo: Stereo,
    *,
    name: str = "rgbd",
    lux: float | Callable[[float], float] = 300.0,
    slices: int = MOST_SLICES,
) -> Scenery:
    """Scenery from a picture and its disparity.

    Parameters
    ----------
    linear : Array
        Linear light of the picture, HxWx3 float32; taken for reflectance.
    disparity : Array
        In px, HxW float32; values that are not finite or not positive are unknown, and filled with
        the nearest known one.
    stereo : Stereo
        Calibration.
    name : str
        For people.
    lux : float or callable
        Light level, or that by the time in s.
    slices : int
        Surfaces to make, at most.

    Returns
    -------
    Scenery
        Slices from back to front; the subject is the slice that covers the middle of the picture.

    Raises
    ------
    ValueError
        If sizes do not fit, nothing is known, or a number is not positive.
    """
    if linear.shape != (*disparity.shape, 3):
        raise ValueError(
            f"scenery: picture and disparity must have one size; got {linear.shape} and "
            f"{disparity.shape}"
        )
    if not (stereo.focal_px > 0 and stereo.baseline_m > 0 and slices >= 1):
        raise ValueError("scenery: focal_px, baseline_m and slices must be above 0")
    inverse = _inverse_distance(disparity, stereo)
    edges = np.linspace(float(inverse.min()), float(inverse.max()), slices + 1)
    number = np.clip(np.searchsorted(edges, inverse, "right") - 1, 0, slices - 1)
    present = np.unique(number)
    surfaces = tuple(
        _slice(linear, inverse, number, k, first=k == present[0], stereo=stereo) for k in present
    )
    middle = number[linear.shape[0] // 2, linear.shape[1] // 2]
    level = lux if callable(lux) else lambda time_s: lux
    return Scenery(
        name=name, surfaces=surfaces, subject=int(np.searchsorted(present, middle)), lux=level
    )


def _inverse_distance(disparity: Array, stereo: Stereo) -> npt.NDArray[np.float64]:
    """1 / distance in 1/m of every pixel."""
    known = np.isfinite(disparity) & (disparity + stereo.offset_px > 0) & (disparity > 0)
    if not known.any():
        raise ValueError("scenery: the disparity is known nowhere")
    nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    filled = disparity[tuple(nearest)].astype(np.float64)
    return np.asarray((filled + stereo.offset_px) / (stereo.focal_px * stereo.baseline_m))


def _slice(
    linear: Array,
    inverse: npt.NDArray[np.float64],
    number: npt.NDArray[np.intp],
    index: int,
    *,
    first: bool,
    stereo: Stereo,
) -> Surface:
    """One slice, continued behind the nearer ones; the farthest covers everything."""
    own = number == index
    nearest = ndimage.distance_transform_edt(~own, return_distances=False, return_indices=True)
    within = np.ones_like(own) if first else own | ((number > index) & _near(own))
    part = _around(within)
    source = tuple(axis[part] for axis in nearest)
    distance_m = float(1 / np.median(inverse[own]))
    texel_m = distance_m / stereo.focal_px
    middle = [
        (span.start + span.stop - side) / 2 for span, side in zip(part, own.shape, strict=True)
    ]
    return Surface(
        light=np.ascontiguousarray(linear[source]),
        alpha=within[part].astype(np.float32),
        distance_m=distance_m,
        texel_m=texel_m,
        centre_m=(middle[1] * texel_m, middle[0] * texel_m),
        relief_m=np.asarray(1 / inverse[source], np.float32),
    )


def _around(within: npt.NDArray[np.bool_]) -> tuple[slice, slice]:
    """The part of a picture that holds a slice, with a margin where nothing is covered."""
    spans = []
    for axis in (1, 0):
        found = np.flatnonzero(within.any(axis=axis))
        side = within.shape[1 - axis]
        spans.append(slice(max(found[0] - MARGIN, 0), min(found[-1] + 1 + MARGIN, side)))
    return spans[0], spans[1]


def _near(own: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Pixels near a slice, to which it is continued behind others."""
    reach = max(own.shape) // 40
    return np.asarray(ndimage.distance_transform_edt(~own) <= reach)
