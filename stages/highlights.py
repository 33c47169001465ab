"""Highlights: light that a display-encoded picture has clipped is restored before it is blurred.

A lamp that is clipped at white was far brighter than white. Blurred as white, it would vanish. In
small clipped regions that are out of focus and much brighter than their surroundings, light is
added. Its colour is that of the ring around the region, where the channels are not clipped. Large
regions (skies, shirts) and regions in bright surroundings do not change. A picture with headroom
(any RAW, and any picture that exceeds 1) is returned unchanged. Linear light.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.arrays import check_image
from stages.kernels import f32, f64, i32, i64, inline, kernel, reads, writes
from stages.kinds import LinearLight, Radius
from stages.params import Array, Params, param
from stages.runs import Runs, add_runs, join_runs
from stages.strips import STRIP_ROWS, run_strips

HEADROOM = 1.05  # a picture with larger values has headroom
CLIPPED = 0.9  # of white; light is added from here, in full at white
MIN_RADIUS_PX = 2.0  # disk radius; with smaller disks, a highlight does not change
RING_PX = 3  # width of the ring around the box of a region, where its colour is measured
BRIGHT_AROUND = np.float32(0.5)  # of white; regions whose ring has this mean are not light sources
LARGEST_SIDE = 0.5  # of the disk radius; a square of this side has the area of the largest region


@dataclass(frozen=True, slots=True, kw_only=True)
class HighlightsParams(Params):
    """Parameters of the recovery of highlights."""

    boost: float = param(
        4.0, 1.0, 16.0, help="How many times white a small clipped highlight becomes; 1: off."
    )


def recover_highlights(
    linear: LinearLight, radius: Radius, headroom: bool, params: HighlightsParams
) -> LinearLight:
    """Restore light of small clipped highlights that will be blurred.

    Parameters
    ----------
    linear : Array
        Linear light, HxWx3 float32.
    radius : Array
        Radius of the disk of each pixel in px, HxW float32; negative in front of the focus.
    headroom : bool
        Whether the capture can hold more light than display white, as a RAW can. Its white areas
        were no brighter, and do not change.
    params : HighlightsParams
        How much light is added.

    Returns
    -------
    Array
        Linear light, HxWx3 float32; `linear` itself if there is nothing to do.

    Raises
    ------
    ValueError
        If an input has the wrong shape or type.
    """
    check_image("highlights", "linear", linear, finite=False)
    if radius.shape != linear.shape[:2] or radius.dtype != np.float32:
        raise ValueError(
            f"highlights: radius must be {linear.shape[:2]} float32; "
            f"got {radius.shape} {radius.dtype}"
        )
    if headroom or params.boost == 1:
        return linear
    image, disks = np.ascontiguousarray(linear), np.ascontiguousarray(radius)
    clipped = _clipped_runs(image, disks)
    if not CLIPPED < clipped.brightest <= HEADROOM:
        return linear
    runs, boxes = _small_regions(clipped)
    light = np.zeros((len(boxes), 3), np.float32)
    _measure(image, disks, boxes, params.boost - 1, light)
    if not light.any():
        return linear
    out = np.empty_like(image)
    run_strips(lambda start, stop: np.copyto(out[start:stop], image[start:stop]), len(image))
    _add(runs, light, out)
    return out


class Clipped(NamedTuple):
    """Clipped pixels that will be blurred.

    Attributes
    ----------
    runs : array of int32
        Runs of such pixels, Nx3.
    radii : array of float64
        Sum of the disk radii over the pixels of each run, px.
    brightest : float
        Largest value of the picture, clipped or not.
    """

    runs: Runs
    radii: npt.NDArray[np.float64]
    brightest: float


def _clipped_runs(image: Array, radius: Array) -> Clipped:
    capacity = STRIP_ROWS * (radius.shape[1] // 2 + 1)

    def strip(start: int, stop: int) -> Clipped:
        runs, radii = np.empty((capacity, 3), np.int32), np.empty(capacity)
        count, brightest = _find(image, radius, start, stop, runs, radii)
        return Clipped(runs[:count].copy(), radii[:count].copy(), brightest)

    runs, radii, brightest = zip(*run_strips(strip, len(image)), strict=True)
    return Clipped(np.concatenate(runs), np.concatenate(radii), max(brightest))


def _small_regions(clipped: Clipped) -> tuple[Runs, npt.NDArray[np.int32]]:
    """Regions that are small against their disk: runs with the number of the region, and boxes."""
    number, boxes = join_runs(clipped.runs)
    areas = np.bincount(number, clipped.runs[:, 2] - clipped.runs[:, 1], len(boxes))
    disks = np.bincount(number, clipped.radii, len(boxes)) / areas
    small = areas <= np.maximum((LARGEST_SIDE * disks) ** 2, 1)
    kept = small[number]
    renumbered = (np.cumsum(small) - 1)[number[kept]]
    return np.column_stack([clipped.runs[kept], renumbered]).astype(np.int32), boxes[small]


@inline
def _brightest(image, y, x):  # type: ignore[no-untyped-def]
    return max(max(image[y, x, 0], image[y, x, 1]), image[y, x, 2])


@inline
def _is_clipped(value, radius):  # type: ignore[no-untyped-def]
    """Whether a value is clipped and will be blurred."""
    return (value > np.float32(CLIPPED)) & (abs(radius) > np.float32(MIN_RADIUS_PX))


@kernel(reads(f32, 3), reads(f32, 2), i64, i64, writes(i32, 2), writes(f64, 1))
def _find(image, radius, start, stop, runs, radii):  # type: ignore[no-untyped-def]
    """Write the runs of clipped pixels in rows [start, stop); return their number, and the maximum.

    The maximum is that of all pixels of these rows.
    """
    brightest, count = np.float32(0), 0
    marks = np.empty(radius.shape[1], np.bool_)
    for y in range(start, stop):
        top = np.float32(0)
        for x in range(marks.size):
            value = _brightest(image, y, x)
            top = max(top, value)
            marks[x] = _is_clipped(value, radius[y, x])
        brightest = max(brightest, top)
        if top <= np.float32(CLIPPED):
            continue
        first, count = count, add_runs(marks, y, runs, count)
        for k in range(first, count):
            radii[k] = 0.0
            for x in range(runs[k, 1], runs[k, 2]):
                radii[k] += abs(radius[y, x])
    return count, brightest


@kernel(reads(f32, 3), reads(f32, 2), reads(i32, 2), f32, writes(f32, 2))
def _measure(image, radius, boxes, gain, light):  # type: ignore[no-untyped-def]
    """Write the light to add to each region, in the colour of its ring; `light` is 0 before."""
    zero, one = np.float32(0), np.float32(1)
    ring = np.empty(3, np.float32)
    for n in range(len(boxes)):
        top, left, bottom, right = boxes[n]
        ring[:] = zero
        around = count = zero
        for y in range(max(top - RING_PX, 0), min(bottom + RING_PX, image.shape[0])):
            for x in range(max(left - RING_PX, 0), min(right + RING_PX, image.shape[1])):
                value = _brightest(image, y, x)
                if not _is_clipped(value, radius[y, x]):
                    weight = value * value  # the glow has more weight than the dark surroundings
                    around += value
                    count += one
                    for p in range(3):
                        ring[p] += weight * image[y, x, p]
        if count == zero or around >= BRIGHT_AROUND * count:
            continue
        largest = max(max(ring[0], ring[1]), ring[2])
        lamp = min(np.float32(2) - np.float32(2) * around / (BRIGHT_AROUND * count), one)
        for p in range(3):
            light[n, p] = gain * lamp * (ring[p] / largest if largest > zero else one)


@kernel(reads(i32, 2), reads(f32, 2), writes(f32, 3), seldom=True)
def _add(runs, light, out):  # type: ignore[no-untyped-def]
    """Add light to the pixels of the regions: from `CLIPPED` on, in full at white."""
    one, white = np.float32(1), np.float32(CLIPPED)
    for k in range(len(runs)):
        y, begin, end, n = runs[k]
        for x in range(begin, end):
            t = min((_brightest(out, y, x) - white) / (one - white), one)
            part = t * t * (np.float32(3) - np.float32(2) * t)
            for p in range(3):
                out[y, x, p] += part * part * light[n, p]
