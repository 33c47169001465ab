"""Gain maps: HDR light as a gain over SDR light, for each pixel (ISO 21496-1).

With the encoded gain g in [0, 1], per channel:

    gain = min + (max - min) * g^(1 / gamma), in stops
    hdr = (sdr + sdr_offset) * 2^gain - hdr_offset

A gain map usually has fewer pixels than its picture, and is interpolated between them. Light is 1
at the white of the SDR picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from stages.areas import reduce_to
from stages.kinds import LinearLight
from stages.params import Array
from stages.strips import run_strips

OFFSET = 1 / 64  # added to both lights when a gain is measured, so that black has a finite one
MIN_RANGE_STOPS = 1e-3  # of measured gains, so that the range can be divided by
SAME_STOPS = 0.005  # gains of the three channels that differ by up to this are one
ROWS = 64  # of a strip


class GainCurve(NamedTuple):
    """Conversion of the encoded gain of one channel.

    Attributes
    ----------
    min_stops, max_stops : float
        Gain of the encoded values 0 and 1.
    gamma : float
        Exponent of the encoding.
    sdr_offset, hdr_offset : float
        Light added to SDR before the gain, and subtracted after it.
    """

    min_stops: float
    max_stops: float
    gamma: float = 1.0
    sdr_offset: float = OFFSET
    hdr_offset: float = OFFSET


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GainMap:
    """Gain of HDR light over SDR light.

    Attributes
    ----------
    values : Array
        Encoded gain in [0, 1], float32, hxw or hxwx3; it covers the whole picture.
    curves : tuple of GainCurve
        Of red, green and blue.
    headroom_stops : float
        Peak of the display over SDR white from which on the gain is applied in full.
    space : Array or None
        3x3 matrix from the primaries of the picture to those in which the gain is applied; None if
        they are the same.
    """

    values: Array
    curves: tuple[GainCurve, GainCurve, GainCurve]
    headroom_stops: float
    space: Array | None = None


def hdr_light(linear: LinearLight, gain_map: GainMap) -> LinearLight:
    """HDR light of a picture: SDR light with the gain applied in full.

    Parameters
    ----------
    linear : Array
        SDR light, HxWx3 float32.
    gain_map : GainMap
        Its gain map, of any size.

    Returns
    -------
    Array
        Linear light, HxWx3 float32, 0 or more; 1 is SDR white.

    References
    ----------
    ISO 21496-1:2025, section 5.2; Adobe, "Gain Map Specification" 1.0.
    """
    height, width = linear.shape[:2]
    low, high, gamma, before, after = (
        np.array(column, np.float32) for column in zip(*gain_map.curves, strict=True)
    )
    one = gain_map.values.ndim == 2 and len(set(gain_map.curves)) == 1  # gain for all channels
    curve = slice(0, 1) if one else slice(0, 3)
    values = np.atleast_3d(np.clip(gain_map.values, 0, 1))
    stops = low[curve] + (high - low)[curve] * values ** (1 / gamma[curve])
    gain = np.atleast_3d(cv2.resize(stops, (width, height), interpolation=cv2.INTER_LINEAR))
    out = np.empty_like(linear)
    space = gain_map.space
    forth = back = None
    if space is not None:
        forth, back = np.float32(space).T, np.float32(np.linalg.inv(space)).T

    def strip(start: int, stop: int) -> None:
        sdr = linear[start:stop] if forth is None else linear[start:stop] @ forth
        lit = (sdr + before) * np.exp2(gain[start:stop]) - after
        if back is not None:
            lit = np.maximum(lit, 0) @ back
        np.maximum(lit, 0, out=out[start:stop])

    run_strips(strip, height, ROWS)
    return out


def measured_gain(
    sdr: LinearLight, hdr: LinearLight, headroom_stops: float, step: int = 1
) -> GainMap:
    """Gain map between two renditions of a picture.

    Parameters
    ----------
    sdr, hdr : Array
        Linear light, HxWx3 float32, of one size.
    headroom_stops : float
        Headroom from which on the gain is to be applied in full.
    step : int
        Pixels of the picture for one of the map, along each side. Lights are averaged over them.

    Returns
    -------
    GainMap
        With three channels, or with one if their gains are equal. The values are not rounded.
    """
    size = tuple(-(-side // step) for side in sdr.shape[:2])
    if size != sdr.shape[:2]:
        sdr, hdr = reduce_to(sdr, size), reduce_to(hdr, size)
    stops = np.empty(sdr.shape, np.float32)

    def strip(start: int, stop: int) -> float:
        part = _log_light(hdr[start:stop]) - _log_light(sdr[start:stop])
        stops[start:stop] = part
        return float(np.ptp(part, axis=2).max())

    if max(run_strips(strip, len(stops), ROWS)) <= SAME_STOPS:
        stops = stops.mean(axis=2, keepdims=True)
    low, high = stops.min(axis=(0, 1)), stops.max(axis=(0, 1))
    high = np.maximum(high, low + np.float32(MIN_RANGE_STOPS))
    stops -= low
    stops /= high - low
    curves = [GainCurve(float(a), float(b)) for a, b in zip(low, high, strict=True)]
    return GainMap(
        values=stops[..., 0] if len(curves) == 1 else stops,
        curves=(curves[0], curves[len(curves) // 2], curves[-1]),
        headroom_stops=headroom_stops,
    )


def _log_light(light: Array) -> Array:
    """Logarithm of light plus `OFFSET`, stops."""
    return np.asarray(np.log2(np.maximum(light, 0) + np.float32(OFFSET)), np.float32)
