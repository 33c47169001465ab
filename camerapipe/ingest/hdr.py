"""Conversion of HDR signals (PQ, HLG) to SDR light and a gain map.

Both transfer functions are those of ITU-R BT.2100. Light is relative to the reference white of
ITU-R BT.2408 (203 cd/m2, which is 75 % of an HLG signal). Up to half of it, light does not change.
Above, a shoulder compresses it to display white. The largest of R, G and B is compressed, and the
others are scaled by the same factor, so that hue does not change. The inverse of this factor is the
gain of the HDR light.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt

from camerapipe.ingest.colorimetry import Primaries, to_srgb_primaries
from stages.gain_map import GainCurve, GainMap
from stages.params import Array
from stages.strips import run_strips
from stages.tone import ToneCurve, curve_from, linearise

PQ, HLG = 16, 18  # transfer characteristics of ITU-T H.273
NAMES = {PQ: "PQ", HLG: "HLG"}
WHITE_NITS = 203.0  # reference white, cd/m2
PQ_PEAK_NITS, HLG_PEAK_NITS = 10_000.0, 1000.0
HLG_SYSTEM_GAMMA = 1.2  # at the peak above
KNEE = 0.5  # of reference white; below, light does not change
# Multiples of reference white that become display white; brighter light is clipped.
LARGEST = {PQ: 8.0, HLG: HLG_PEAK_NITS / WHITE_NITS}
LUMA = np.array([0.2627, 0.6780, 0.0593], np.float32)  # of BT.2020
ROWS = 64

Floats = npt.NDArray[np.float64]


def sdr_light(codes: Array, transfer: int, primaries: Primaries) -> Array:
    """SDR light of an HDR signal.

    Parameters
    ----------
    codes : Array
        HxW or HxWx3 signal in [0, 1], float32.
    transfer : int
        `PQ` or `HLG`.
    primaries : Primaries
        Of the signal.

    Returns
    -------
    Array
        Linear light with the primaries of sRGB in [0, 1], float32, of the same shape.
    """
    return tone_mapped(codes, transfer, primaries)[0]


def tone_mapped(codes: Array, transfer: int, primaries: Primaries) -> tuple[Array, GainMap]:
    """SDR light of an HDR signal, as `sdr_light`, and the gain map that leads back to HDR light."""
    curve = _curve(transfer)
    matrix = to_srgb_primaries(primaries).astype(np.float32)
    out, stops = np.empty(codes.shape, np.float32), np.empty(codes.shape[:2], np.float32)

    def strip(start: int, stop: int) -> None:
        light = linearise(np.ascontiguousarray(codes[start:stop]), curve)
        out[start:stop], stops[start:stop] = _displayed(light, transfer, matrix)

    run_strips(strip, codes.shape[0], ROWS)
    peak = math.log2(LARGEST[transfer])
    gain = GainCurve(0.0, peak, 1.0, 0.0, 0.0)
    gain_map = GainMap(values=stops / peak, curves=(gain,) * 3, headroom_stops=peak)
    return out, gain_map


def _displayed(light: Array, transfer: int, matrix: Array) -> tuple[Array, Array]:
    """Light relative to reference white, compressed to SDR, and the stops of the compression.

    PQ or HLG scene light comes in.
    """
    grey = light.ndim == 2
    if transfer == HLG:
        luma = light if grey else (light @ LUMA)[..., None]
        gain = luma ** (HLG_SYSTEM_GAMMA - 1) * (HLG_PEAK_NITS / WHITE_NITS)
        light = np.asarray(light * gain, np.float32)
    else:
        light = light * np.float32(PQ_PEAK_NITS / WHITE_NITS)
    if not grey:
        light = np.maximum(light @ matrix.T, 0)
    light = np.asarray(light, np.float32)
    brightest = light if grey else light.max(axis=2, keepdims=True)
    brightest = np.maximum(brightest, np.float32(1e-6))
    gain = _shoulder(brightest, LARGEST[transfer]) / brightest
    stops = -np.log2(np.maximum(gain, np.float32(1 / LARGEST[transfer])))
    return np.asarray(np.minimum(light * gain, 1), np.float32), stops.reshape(light.shape[:2])


def _shoulder(light: Array, largest: float) -> Array:
    """Compress light above the knee so that the largest becomes 1, smoothly (Reinhard et al. 2002).

    With t = (x - k) / (1 - k), and T that of the largest: k + (1 - k) t (1 + t / T^2) / (1 + t).
    """
    over = np.clip(light - KNEE, 0, largest - KNEE) / (1 - KNEE)
    most = (largest - KNEE) / (1 - KNEE)
    squeezed = over * (1 + over / most**2) / (1 + over)
    return np.asarray(np.minimum(light, KNEE) + (1 - KNEE) * squeezed, np.float32)


@cache
def _curve(transfer: int) -> ToneCurve:
    return curve_from(NAMES[transfer], _DECODE[transfer])


def _pq(code: Floats) -> Floats:
    """SMPTE ST 2084: 1 is 10,000 cd/m2."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    power = code ** (1 / m2)
    return np.asarray((np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1))


def _hlg(code: Floats) -> Floats:
    """ARIB STD-B67, the inverse of its OETF: scene light in [0, 1]."""
    a = 0.17883277
    b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
    return np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)


_DECODE: dict[int, Callable[[Floats], Floats]] = {PQ: _pq, HLG: _hlg}
