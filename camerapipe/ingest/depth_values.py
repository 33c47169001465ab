"""Depth pictures: from their codes to inverse depth, complete and checked.

A depth picture is linear in distance or in inverse distance, between two values that its container
states. Unknown samples are filled along the colours of the picture.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np

from camerapipe.errors import CaptureError
from camerapipe.ingest.pixels import Samples, split, upright
from camerapipe.ingest.saved_map import ASPECT_SLACK
from camerapipe.spreading import solve
from stages.areas import reduce_to
from stages.depth import DepthMap
from stages.params import Array
from stages.tone import encode

MAX_COLOUR = 8 / 255  # difference of channels that JPEG compression of a grey picture explains
MAX_INVERSE = 1e12  # of any unit; beyond it a depth is no distance, and arithmetic would overflow
LEAST_KNOWN = 1e-3  # share of the samples; with less there is no depth
FILL_SAMPLES = 1e6  # about as many are solved for; larger maps are solved on cells
FILL_WEIGHT = 20.0  # of known samples against smoothness


class DepthPicture(NamedTuple):
    """A depth picture as it stands in a file.

    Attributes
    ----------
    samples : array
        Codes or floats, hxw or hxwxC with equal channels.
    first, last : float
        What code 0 and the largest code mean; floats are values themselves.
    is_inverse : bool
        Whether these values are inverse distances.
    unit_m : float or None
        Metres per unit of distance; None if the file does not state a unit.
    focus : float or None
        Distance in focus in the same unit, if the file states it.
    orientation : int
        EXIF orientation that is still to be applied.
    zero_is_unknown : bool
        Whether code 0 means that the depth is unknown.
    assumptions : tuple of str
        Sentences about properties that the file does not state.
    """

    samples: Samples
    first: float = 0.0
    last: float = 1.0
    is_inverse: bool = True
    unit_m: float | None = None
    focus: float | None = None
    orientation: int = 1
    zero_is_unknown: bool = False
    assumptions: tuple[str, ...] = ()


class GivenDepth(NamedTuple):
    """A depth map for a picture, what was assumed about it, and the path that it was read from."""

    depth: DepthMap
    assumptions: tuple[str, ...] = ()
    source: str = ""


def depth_from(picture: DepthPicture, linear: Array) -> GivenDepth:
    """Inverse depth of a depth picture, for a photograph in linear light (HxWx3).

    Raises
    ------
    CaptureError
        If it has colours, the aspect ratio of another picture, no depth, or the same depth
        everywhere.
    """
    plane = upright(_plane(picture.samples), picture.orientation)
    check_aspect(plane.shape, linear.shape)
    inverse = _inverse(plane, picture)
    known = np.isfinite(inverse)
    notes = picture.assumptions
    if known.mean() < LEAST_KNOWN:
        raise CaptureError("its depth is unknown everywhere (zero, negative or not a number)")
    if np.ptp(inverse[known]) == 0:
        raise CaptureError("its depth is the same everywhere; there is nothing to tell apart")
    if not known.all():
        unknown = 100 * (1 - known.mean())
        inverse = _filled(inverse, linear)
        notes += (f"The depth is unknown at {unknown:.2g} % of its samples, which are filled.",)
    per_unit = 1 / (picture.unit_m or 1.0)
    focus = 1 / picture.focus if picture.focus else None
    depth = DepthMap(
        inverse=np.ascontiguousarray(inverse * per_unit, np.float32),
        is_metric=picture.unit_m is not None,
        focus=None if focus is None else focus * per_unit,
    )
    return GivenDepth(depth, notes)


def _plane(samples: Samples) -> Samples:
    """Samples as one plane, hxw."""
    if samples.size == 0:
        raise CaptureError("the depth has no samples")
    colour, _ = split(samples)
    if colour.ndim == 2:
        return colour
    top = np.iinfo(colour.dtype).max if colour.dtype.kind != "f" else 1
    if float(np.nanmax(np.ptp(colour.astype(np.float32), axis=2))) > MAX_COLOUR * top:
        raise CaptureError("is a colour picture; depth is a grey one")
    return np.asarray(colour[..., 1])


def check_aspect(shape: tuple[int, ...], full: tuple[int, ...]) -> None:
    """Check that depth of some shape is that of a picture of a shape; `CaptureError` if not."""
    (rows, cols), (height, width) = shape[:2], full[:2]
    # Rounding may change each side of a small map by half a sample.
    slack = ASPECT_SLACK + 0.5 / rows + 0.5 / cols
    if abs(cols * height / (rows * width) - 1) > slack:
        raise CaptureError(
            f"the depth has {cols} x {rows} samples and another shape than the picture "
            f"({width} x {height}); use the depth of this picture"
        )


def _inverse(plane: Samples, picture: DepthPicture) -> Array:
    """Inverse depth in 1 / unit, NaN where it is unknown."""
    values = plane.astype(np.float64)
    if plane.dtype.kind != "f":
        unit = values / np.iinfo(plane.dtype).max
        values = picture.first + unit * (picture.last - picture.first)
        if picture.zero_is_unknown:
            values[plane == 0] = np.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        if not picture.is_inverse:
            values = np.where(values > 0, 1 / values, np.nan)
    values[~(np.abs(values) <= MAX_INVERSE)] = np.nan
    return values.astype(np.float32)


def _filled(inverse: Array, linear: Array) -> Array:
    """Inverse depth with its NaN filled along the colours of the picture; the rest is kept."""
    rows, cols = inverse.shape
    step = max(round(math.sqrt(inverse.size / FILL_SAMPLES)), 1)
    if rows > linear.shape[0] or cols > linear.shape[1]:
        guide = cv2.resize(linear, (cols, rows), interpolation=cv2.INTER_LINEAR)
    else:
        guide = reduce_to(linear, (rows, cols))
    colours = encode(np.asarray(guide, np.float32))
    filled = solve(colours, inverse, data_weight=FILL_WEIGHT, step=step)
    return np.where(np.isfinite(inverse), inverse, filled)
