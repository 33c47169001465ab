"""Finish: encoding, dither and grain of blurred areas.

Blurred areas change by less than one 8-bit code from pixel to pixel, so that rounding would cause
banding. A rectangular dither of one code chooses between the two nearest codes at random, with the
right mean. Values that are exact codes do not change, so white stays white. Blurred areas have also
lost the grain of the picture and can look like plastic beside the subject. Grain of the same
strength is added; it is measured where the picture was out of focus before and has no detail.
Random numbers are a hash of the pixel's position, so that they are the same in any tile. Nothing is
added to pixels in focus.

Where the radius grows from 0 on one surface, a step would be visible beside the pixels in focus,
which do not change: slight blur fades in there. Encoding happens in the same pass. Input is linear
light, output is encoded values in [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from stages.arrays import check_image
from stages.bokeh.disk import FOCUS_PX
from stages.kernels import b1, f32, i64, inline, kernel, largest_of, reads, u8, writes
from stages.kinds import Encoded, LinearLight, Radius
from stages.params import Array, Params, param
from stages.strips import run_strips, with_halo
from stages.tone import ToneCurve, encode, encode_line

CODE = 1 / 255
FADED_PX = (4.0, 10.0)  # radius up to which blur fades in completely, and from which not at all
RAMP_PX = (0.5, 1.5)  # radius over which the finish fades in
SMOOTH_PX = 4.0  # radius from which a picture has no detail as fine as its grain
TONES = 16  # brightness levels at which the grain is measured
SAMPLES = 300_000  # values that are enough to measure the grain
MAD_TO_DEVIATION = 1.4826  # of a normal distribution
FILTER_DEVIATION = 6.0  # of the filter of the grain, for white noise of deviation 1
ROUNDING = 0.6 * CODE  # largest grain that may come from the rounding of an 8-bit picture
MOST_OVER_USUAL = 2.0  # grain of a level over that of all; what exceeds it is texture
MIN_SAMPLES = 200  # differences at a level; with fewer, the median of all levels is used


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishParams(Params):
    """Parameters of the finish."""

    dither: bool = param(True, help="Hide the bands of 8-bit codes in blurred areas.")
    fade_px: int = param(
        4, 0, 32, unit="px", help="Distance from what is in focus over which slight blur fades in."
    )
    grain: float = param(
        1.0, 0.0, 2.0, help="Grain added to blurred areas, as a multiple of the picture's own."
    )


def measure_grain(linear: LinearLight, radius: Radius) -> Array:
    """Measure the grain of a picture at `TONES` levels of brightness.

    The grain is what a filter without response to planes leaves of the encoded picture where it is
    out of focus: blurred detail has little of such high frequencies. The median of the absolute
    value is robust against remaining detail.

    Parameters
    ----------
    linear : Array
        The picture before it was blurred, HxWx3 float32, linear light.
    radius : Array
        Disk radius in px, HxW float32.

    Returns
    -------
    Array
        Standard deviation in encoded units, `TONES` float32; 0 if nothing is out of focus.

    References
    ----------
    J. Immerkaer: Fast noise variance estimation, 1996.
    """
    height, width = radius.shape
    if height < 3 or width < 3:
        return np.zeros(TONES, np.float32)
    middle = np.arange(1, height - 1, max(1, 3 * radius.size // SAMPLES))
    above, values, below = (encode(linear[middle + k, :, 1]) for k in (-1, 0, 1))
    curved = above - 2 * values + below
    rough = np.abs(curved[:, :-2] - 2 * curved[:, 1:-1] + curved[:, 2:])
    smooth = np.abs(radius[middle, 1:-1]) > SMOOTH_PX
    size = rough[smooth]
    tone = np.minimum(values[:, 1:-1][smooth] * TONES, TONES - 1).astype(np.int64)
    if size.size < MIN_SAMPLES:
        return np.zeros(TONES, np.float32)
    usual = np.median(size)
    found = np.full(TONES, usual)
    for level in range(TONES):
        own = size[tone == level]
        if own.size >= MIN_SAMPLES:
            found[level] = min(np.median(own), MOST_OVER_USUAL * usual)
    return np.asarray(found * MAD_TO_DEVIATION / FILTER_DEVIATION, np.float32)


def finish(
    light: LinearLight,
    curve: ToneCurve,
    linear: LinearLight,
    radius: Radius,
    params: FinishParams,
    out: Array | None = None,
) -> Encoded:
    """Encode a blurred picture, dither it against banding and add grain.

    Parameters
    ----------
    light : Array
        The blurred picture, linear light, HxWx3 float32.
    curve : ToneCurve
        Encoding of the result.
    linear : Array
        The picture before it was blurred, linear light, HxWx3 float32.
    radius : Array
        Disk radius in px, HxW float32; negative in front of the focus.
    params : FinishParams
        Dither, grain and fade.
    out : Array, optional
        Array that may be used for the result, HxWx3 float32, C-contiguous; it may be `light`.

    Returns
    -------
    Array
        Encoded picture in [0, 1], HxWx3 float32; `encode(light, curve)` where the radius is up to
        1/2 px.

    Raises
    ------
    ValueError
        If the inputs are no pictures or differ in size.
    """
    check_image("finish", "light", light, finite=False)
    if params.grain:  # otherwise it is not used
        check_image("finish", "linear", linear)
    if not light.shape == linear.shape == (*radius.shape, 3):
        raise ValueError(
            f"finish: light, linear and radius must have one size; "
            f"got {light.shape}, {linear.shape}, {radius.shape}"
        )
    if not (params.dither or params.grain or params.fade_px):
        return encode(light, curve)
    grain = np.zeros(TONES, np.float32)
    if params.grain:
        found = measure_grain(linear, radius)
        visible = np.sqrt(np.maximum(found**2 - np.float32(ROUNDING) ** 2, 0))
        grain = np.float32(params.grain) * visible
    out = np.empty(light.shape, np.float32) if out is None else out
    disks, table = np.ascontiguousarray(radius), curve.encoder
    flat_in, flat_out = np.ascontiguousarray(light).reshape(-1), out.reshape(-1)
    sharp = np.ascontiguousarray(linear).reshape(-1)

    def strip(start: int, stop: int) -> None:
        near = _focus_around(disks, start, stop, params.fade_px)
        _finish_rows(
            flat_in, table, disks, sharp, near, grain, params.dither, start, stop, flat_out
        )

    run_strips(strip, len(out))
    return out


def _focus_around(radius: Array, start: int, stop: int, reach: int) -> npt.NDArray[np.uint8]:
    """Share of pixels in focus around each pixel of rows [start, stop), 255 for all.

    The array is empty if nothing has to fade there.
    """
    read, own = with_halo(start, stop, reach, len(radius))
    focus = np.abs(radius[read]) <= FOCUS_PX
    if reach == 0 or not focus.any() or focus[own].all():
        return np.empty((0, 0), np.uint8)
    mask = np.where(focus, np.uint8(255), np.uint8(0))
    return np.ascontiguousarray(cv2.blur(mask, (2 * reach + 1,) * 2)[own])


@inline
def _mixed(z):  # type: ignore[no-untyped-def]
    """Hash of 32 bits (multipliers found by C. Wellons' hash prospector, bias 0.17)."""
    z = np.uint32((z ^ (z >> np.uint32(16))) * np.uint32(0x7FEB352D))
    z = np.uint32((z ^ (z >> np.uint32(15))) * np.uint32(0x846CA68B))
    return np.uint32(z ^ (z >> np.uint32(16)))


@inline
def _uniform(bits):  # type: ignore[no-untyped-def]
    """Uniform random number in (-1/2, 1/2), from the lowest 16 bits."""
    low = np.float32(np.int32(bits & np.uint32(0xFFFF)))
    return (low - np.float32(32767.5)) * np.float32(1 / 65537)


@inline
def _blurred(radius, part):  # type: ignore[no-untyped-def]
    """Write the weight of the finish, in [0, 1], for each value of a row; return the largest."""
    zero, one, three = np.float32(0), np.float32(1), np.uint64(3)
    begin, slope = np.float32(RAMP_PX[0]), np.float32(1 / (RAMP_PX[1] - RAMP_PX[0]))
    largest = zero
    for x in range(np.uint64(radius.size)):
        share, k = min(max((abs(radius[x]) - begin) * slope, zero), one), three * x
        part[k], part[k + np.uint64(1)], part[k + np.uint64(2)] = share, share, share
        largest = max(largest, share)
    return largest


@inline
def _fade(light, sharp, radius, near, out):  # type: ignore[no-untyped-def]
    """Write a row of the blurred picture, with slight blur beside what is in focus faded in."""
    zero, one, two = np.float32(0), np.float32(1), np.float32(2)
    low, slope = np.float32(FADED_PX[0]), np.float32(1 / (FADED_PX[1] - FADED_PX[0]))
    for x in range(radius.size):
        size = abs(radius[x])
        share = min(two * np.float32(near[x]) * np.float32(1 / 255), one)
        share *= one - min(max((size - low) * slope, zero), one)
        share = share if size > np.float32(FOCUS_PX) else zero
        for c in range(3):
            k = 3 * x + c
            out[k] = light[k] + share * (sharp[k] - light[k])


@inline
def _shift(y, line, grain, with_grain, dither, chance, shift):  # type: ignore[no-untyped-def]
    """Write the random shift of each value of a row.

    The dither is one uniform random number, the grain a sum of three others.
    """
    step = np.float32(CODE if dither else 0)
    row = _mixed(np.uint32(y))
    for k in range(chance.size):
        chance[k] = _mixed(np.uint32(np.uint32(k) ^ row))
    for k in range(shift.size):
        shift[k] = step * _uniform(chance[k] >> np.uint32(16))
    if not with_grain:
        return
    for k in range(shift.size):
        bits = _mixed(np.uint32(~chance[k]))
        rough = _uniform(chance[k]) + _uniform(bits) + _uniform(bits >> np.uint32(16))
        tone = min(np.int64(line[k] * np.float32(TONES)), TONES - 1)
        shift[k] += np.float32(2) * grain[tone] * rough  # the sum of three has variance 1/4


@kernel(
    reads(f32, 1), reads(f32, 1), reads(f32, 2), reads(f32, 1), reads(u8, 2), reads(f32, 1), b1,
    i64, i64, writes(f32, 1),
)  # fmt: skip
def _finish_rows(  # type: ignore[no-untyped-def]
    light, table, radius, sharp, near, grain, dither, start, stop, out
):
    """Encode rows [start, stop), then add dither and grain where the picture is blurred."""
    width = radius.shape[1]
    faded = np.empty(3 * width, np.float32)
    places, parts = np.empty(3 * width, np.uint32), np.empty(3 * width, np.float32)
    part, shift = np.empty(3 * width, np.float32), np.empty(3 * width, np.float32)
    zero, one, codes = np.float32(0), np.float32(1), np.float32(1 / CODE)
    chance = np.empty(3 * width, np.uint32)
    with_grain = largest_of(grain) > zero
    for y in range(start, stop):
        line = out[3 * width * y : 3 * width * (y + 1)]
        row = light[3 * width * y : 3 * width * (y + 1)]
        if near.size > 0:
            _fade(
                row, sharp[3 * width * y : 3 * width * (y + 1)], radius[y], near[y - start], faded
            )
        else:
            for k in range(faded.size):  # a copy, since `out` may be `light`
                faded[k] = row[k]
        encode_line(faded, table, places, parts, line)
        if _blurred(radius[y], part) == zero:
            continue
        _shift(y, line, grain, with_grain, dither, chance, shift)
        for k in range(shift.size):
            value = line[k]
            room = min(one, min(value, one - value) * codes)  # black and white do not change
            moved = value + part[k] * max(room, zero) * shift[k]
            line[k] = min(max(moved, zero), one)
