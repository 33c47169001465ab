"""Highlights: what a display-encoded picture clipped, given back before it is blurred.

A lamp that a file clips at white holds far more light than white; blurred as white it vanishes. In
small clipped regions that are out of focus and much brighter than what is around them, light is
added in the colour of the ring around, where the channels still differ. Large regions (skies,
shirts) and those among bright things stay as they are. A picture that kept its headroom (any RAW,
and any picture that exceeds 1) is returned as it came. Linear light.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stages.arrays import check_image
from stages.kernels import f32, i32, i64, inline, kernel, reads, u8, writes
from stages.params import Array, Params, param
from stages.strips import run_strips

HEADROOM = 1.05  # a picture that reaches this kept more light than a display shows
CLIPPED = 0.9  # of white, from which on light is added, fully at white
LEAST_RADIUS_PX = 2.0  # smaller disks leave a highlight as it is
RING_PX = 3  # around the box of a region, where its colour is taken
BRIGHT_AROUND = np.float32(0.5)  # mean of a ring from which on a region is no lamp
LARGEST_SIDE = 0.5  # of the disk's radius: side of a square as large as the largest region


@dataclass(frozen=True, slots=True, kw_only=True)
class HighlightsParams(Params):
    """Parameters of the recovery of highlights."""

    boost: float = param(
        4.0, 1.0, 16.0, help="How many times white a small clipped highlight becomes; 1: off."
    )


def recover_highlights(
    linear: Array, radius: Array, headroom: bool, params: HighlightsParams
) -> Array:
    """Give small clipped highlights that will be blurred some of their light back.

    Parameters
    ----------
    linear : Array
        Linear light, HxWx3 float32.
    radius : Array
        Radius of the disk of each pixel in px, HxW float32; negative in front of the focus.
    headroom : bool
        Whether the capture could hold more light than display white, as a RAW does: what is white
        there was no brighter, and stays.
    params : HighlightsParams
        How much.

    Returns
    -------
    Array
        Linear light, HxWx3 float32; `linear` itself where there is nothing to do.

    Raises
    ------
    ValueError
        If an input has the wrong shape or type.
    """
    check_image("highlights", "linear", linear)
    if radius.shape != linear.shape[:2] or radius.dtype != np.float32:
        raise ValueError(
            f"highlights: radius must be {linear.shape[:2]} float32; "
            f"got {radius.shape} {radius.dtype}"
        )
    if headroom or params.boost == 1:
        return linear
    image, disks = np.ascontiguousarray(linear), np.ascontiguousarray(radius)
    clipped = np.empty(radius.shape, np.uint8)
    brightest = max(run_strips(lambda y0, y1: _clip(image, disks, y0, y1, clipped), len(image)))
    if not CLIPPED < brightest <= HEADROOM or not clipped.any():
        return linear
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(clipped, connectivity=8)
    small = _small_regions(boxes, disks, labels)
    if not small.any():
        return linear
    out = image.copy()
    regions = np.ascontiguousarray(boxes[small][:, :4].astype(np.int64))
    numbers = np.flatnonzero(small).astype(np.int64)
    _recover(image, np.asarray(labels, np.int32), regions, numbers, params.boost - 1, out)
    return out


def _small_regions(
    boxes: npt.NDArray[np.generic], disks: Array, labels: npt.NDArray[np.generic]
) -> npt.NDArray[np.bool_]:
    """Which regions are smaller than their disk makes them; region 0 is what is not clipped."""
    small = np.zeros(len(boxes), bool)
    most = (LARGEST_SIDE * max(float(disks.max()), -float(disks.min()))) ** 2
    areas = np.asarray(boxes[1:, cv2.CC_STAT_AREA], np.int64)
    for k in 1 + np.flatnonzero(areas <= max(most, 1.0)):
        left, top, width, height, area = (int(v) for v in boxes[k])
        box = np.s_[top : top + height, left : left + width]
        largest = LARGEST_SIDE * float(np.abs(disks[box][labels[box] == k]).mean())
        small[k] = area <= max(largest * largest, 1.0)
    return small


@inline
def _brightest(image, y, x):  # type: ignore[no-untyped-def]
    return max(max(image[y, x, 0], image[y, x, 1]), image[y, x, 2])


@kernel(reads(f32, 3), reads(f32, 2), i64, i64, writes(u8, 2))
def _clip(image, radius, start, stop, clipped):  # type: ignore[no-untyped-def]
    """Mark clipped pixels that will be blurred; give the brightest value of all."""
    brightest, white = np.float32(0), np.float32(CLIPPED)
    for y in range(start, stop):
        for x in range(clipped.shape[1]):
            value = _brightest(image, y, x)
            brightest = max(brightest, value)
            clipped[y, x] = (value > white) & (abs(radius[y, x]) > np.float32(LEAST_RADIUS_PX))
    return brightest


@kernel(reads(f32, 3), reads(i32, 2), reads(i64, 2), reads(i64, 1), f32, writes(f32, 3))
def _recover(image, labels, boxes, numbers, gain, out):  # type: ignore[no-untyped-def]
    """Add light in the colour of its ring to each region."""
    zero, one, white = np.float32(0), np.float32(1), np.float32(CLIPPED)
    ring = np.empty(3, np.float32)
    for n in range(len(numbers)):
        left, top, width, height = boxes[n]
        rows = range(max(top - RING_PX, 0), min(top + height + RING_PX, labels.shape[0]))
        start, stop = max(left - RING_PX, 0), min(left + width + RING_PX, labels.shape[1])
        ring[:] = zero
        total = around = count = zero
        for y in rows:
            for x in range(start, stop):
                if labels[y, x] == 0:
                    value = _brightest(image, y, x)
                    weight = value * value  # the glow rather than the dark
                    total += weight
                    around += value
                    count += one
                    for p in range(3):
                        ring[p] += weight * image[y, x, p]
        if count == zero or around >= BRIGHT_AROUND * count:
            continue
        most = max(max(ring[0], ring[1]), ring[2])
        lamp = min(np.float32(2) - np.float32(2) * around / (BRIGHT_AROUND * count), one)
        for y in rows:
            for x in range(start, stop):
                if labels[y, x] == numbers[n]:
                    t = min((_brightest(image, y, x) - white) / (one - white), one)
                    part = t * t * (np.float32(3) - np.float32(2) * t)
                    for p in range(3):
                        colour = ring[p] / most if most > zero else one
                        out[y, x, p] += gain * lamp * part * part * colour
