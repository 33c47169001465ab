"""Sums of the pixels of a layer, in parts of rows: what cells and sprites are made of.

The weight of a pixel is its membership in the layer, a function of its own radius.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stages.bokeh.checks import SQUARE_PX
from stages.bokeh.gather import PLANES
from stages.kernels import apart, f32, inline, record

SPAN = 256  # columns of the picture that are summed at a time; a multiple of the largest cell

u = np.uint64


class Band(NamedTuple):
    """Fade-in and fade-out of a layer: radii in px, slopes per px."""

    start: np.float32
    rising: np.float32
    end: np.float32
    falling: np.float32


BAND = record(Band, *4 * [f32])


@apart
def rise(radius, start, slope):  # type: ignore[no-untyped-def]
    """Linear ramp from 0 at radius `start` to 1."""
    return min(max((radius - start) * slope, np.float32(0)), np.float32(1))


@apart
def membership(radius, start, rising, end, falling):  # type: ignore[no-untyped-def]
    """Membership of a radius in a layer: fade-in at `start`, fade-out at `end`."""
    return rise(radius, start, rising) * (np.float32(1) - rise(radius, end, falling))


@apart
def block_of_pixels(y, x, height, width):  # type: ignore[no-untyped-def]
    """Flat indices of 2 x 2 pixels, and whether the lower and right ones are in the picture."""
    one, zero, last = np.float32(1), np.float32(0), u(1)
    a = u(2) * y * width + u(2) * x
    inside_x, inside_y = u(2) * x + last < width, u(2) * y + last < height
    b = a + (last if inside_x else u(0))
    down = width if inside_y else u(0)
    return a, b, a + down, b + down, one if inside_y else zero, one if inside_x else zero


@inline
def any_above(tops, y, x, length, least):  # type: ignore[no-untyped-def]
    """Whether the squares of a part of row `y` have a radius above `least`; False if no squares."""
    found = False
    if tops.size > 0:
        for square in range(x // u(SQUARE_PX), (x + length - u(1)) // u(SQUARE_PX) + u(1)):
            found |= tops[y // u(SQUARE_PX), square] > least
    return found


@apart
def subtract_far(pixels, y, x0, length, width, band, keep, sums):  # type: ignore[no-untyped-def]
    """Subtract the far surfaces of a part of a row from the sums of `add_pixels`."""
    radius, far_share, far, side = pixels.radius, pixels.far_share, pixels.far, u(SQUARE_PX)
    number, size, pixel = u(3 * SPAN), u(4 * SPAN), y * width + x0
    start, rising, end, falling = band
    for begin in range(u(0), length, side):
        if not any_above(pixels.far_tops, y, x0 + begin, u(1), np.float32(0)):
            continue
        for x in range(begin, min(begin + side, length)):
            r = radius[pixel + x]
            hidden = membership(r, start, rising, end, falling) * far_share[pixel + x]
            for p in range(u(3)):
                light = keep[x] * far[u(3) * (pixel + x) + p]
                sums[u(3) * x + p] -= hidden * light
            sums[number + x] -= hidden
            sums[size + x] -= hidden * r


@apart
def add_far(pixels, y, x0, length, width, band, keep, sums):  # type: ignore[no-untyped-def]
    """Add the far surfaces of a part of a row to the sums of `add_pixels`.

    Where the near surface belongs to the layer as well, only what it leaves free is added.
    """
    radius, far_share, far, side = pixels.radius, pixels.far_share, pixels.far, u(SQUARE_PX)
    number, size, pixel, one = u(3 * SPAN), u(4 * SPAN), y * width + x0, np.float32(1)
    start, rising, end, falling = band
    for begin in range(u(0), length, side):
        if not any_above(pixels.far_tops, y, x0 + begin, u(1), start):
            continue
        for x in range(begin, min(begin + side, length)):
            r = pixels.far_radius[pixel + x]
            member = membership(r, start, rising, end, falling)
            near = membership(radius[pixel + x], start, rising, end, falling)
            member *= one - near * (one - far_share[pixel + x])
            for p in range(u(3)):
                sums[u(3) * x + p] += member * keep[x] * far[u(3) * (pixel + x) + p]
            sums[number + x] += member
            sums[size + x] += member * r


@apart
def add_pixels(image, radius, pixel, length, band, keep, weights, sums):  # type: ignore[no-untyped-def]
    """Add a part of a row to the sums of SPAN columns.

    The sums are membership times interleaved R, G, B, membership, and membership times radius.
    Colours are also multiplied by `keep`. `weights` is scratch.
    """
    number, size = u(3 * SPAN), u(4 * SPAN)
    start, rising, end, falling = band
    for x in range(length):
        r = radius[pixel + x]
        member = membership(r, start, rising, end, falling)
        sums[number + x] += member
        sums[size + x] += member * r
        member *= keep[x]
        weights[u(3) * x] = member
        weights[u(3) * x + u(1)] = member
        weights[u(3) * x + u(2)] = member
    for k in range(u(3) * length):
        sums[k] += weights[k] * image[u(3) * pixel + k]


@apart
def sum_columns(sums, step, totals):  # type: ignore[no-untyped-def]
    """Sum each of five values of SPAN columns over groups of `step` columns.

    The five results are `SPAN` apart in `totals`. Returns the index of the first one; the rest of
    `totals` is scratch.
    """
    for x in range(u(SPAN)):
        for p in range(u(3)):
            totals[p * u(SPAN) + x] = sums[u(3) * x + p]
        totals[u(3 * SPAN) + x], totals[u(4 * SPAN) + x] = (
            sums[u(3 * SPAN) + x],
            sums[u(4 * SPAN) + x],
        )
    here, there = u(0), u(PLANES * SPAN)
    while step > u(1):
        for p in range(u(PLANES)):
            for x in range((u(SPAN) + u(1)) >> u(1)):
                source = here + p * u(SPAN) + u(2) * x
                totals[there + p * u(SPAN) + x] = totals[source] + totals[source + u(1)]
        here, there, step = there, here, step >> u(1)
    return here
