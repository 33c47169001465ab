"""Expose a RAW frame: light on the sensor to electrons, noise, gain and codes.

Random numbers come from a hash of seed, frame and pixel. They do not depend on the number of
threads, and a part of the sensor that is exposed alone has noise of its own.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from stages.forward.lens import Optics
from stages.forward.motion import PoseAt
from stages.forward.placing import Span
from stages.forward.scenery import Scenery
from stages.forward.sensor import Sensor, View
from stages.forward.sensor_light import photograph
from stages.kernels import f32, f64, i64, inline, kernel, reads, u16, u64, writes
from stages.params import Array
from stages.strips import rows_of_strips, run_strips

QUANTILES = 1 << 16  # values of the normal distribution that are drawn
Mosaic = npt.NDArray[np.uint16]


class Exposure(NamedTuple):
    """Exposure time in s and ISO sensitivity of a frame."""

    time_s: float
    iso: float


class RawFrame(NamedTuple):
    """A frame of a sensor.

    Attributes
    ----------
    mosaic : array of uint16
        Codes, HxW.
    sensor : Sensor
        Its levels and pattern.
    exposure : Exposure
        Time and sensitivity.
    focus_dpt : float
        Focus of the lens.
    start_s : float
        Begin of the exposure of the first row.
    """

    mosaic: Mosaic
    sensor: Sensor
    exposure: Exposure
    focus_dpt: float
    start_s: float


def capture_raw(
    scenery: Scenery,
    pose: PoseAt,
    optics: Optics,
    focus_dpt: float,
    sensor: Sensor,
    exposure: Exposure,
    start_s: float = 0.0,
    seed: int = 0,
    view: View | None = None,
) -> RawFrame:
    """Take a RAW frame.

    Parameters
    ----------
    scenery : Scenery
        What stands before the camera.
    pose : callable
        Pose of the camera by the time in s.
    optics : Optics
        The lens.
    focus_dpt : float
        Its focus in dioptres.
    sensor : Sensor
        The sensor.
    exposure : Exposure
        Time and sensitivity. The sensitivity is brought into the range of the sensor.
    start_s : float
        Begin of the exposure of the first row; the others follow during the readout.
    seed : int
        Of the noise; give every frame another.
    view : View or None
        Part of the sensor (`Sensor.window`); None: all of it.

    Returns
    -------
    RawFrame
        The mosaic and how it was taken.
    """
    iso = min(max(exposure.iso, sensor.base_iso), sensor.base_iso * sensor.most_gain)
    exposure = exposure._replace(iso=iso)
    whole = sensor.view()
    view = whole if view is None else view
    first_row = (whole.rows - view.rows) / 2 + view.offset_px[0]
    row_s = sensor.readout_ms / 1000 / whole.rows
    span = Span(start_s + first_row * row_s, exposure.time_s, view.rows * row_s)
    lux = photograph(scenery, pose, optics, focus_dpt, view, span, sensor.pattern)
    electrons = lux * _electrons_per_lux(sensor, exposure.time_s, lux.shape)
    mosaic = expose(electrons, sensor, sensor.gain_at(exposure.iso), seed)
    return RawFrame(mosaic, sensor, exposure, focus_dpt, start_s)


def _electrons_per_lux(sensor: Sensor, time_s: float, shape: tuple[int, ...]) -> Array:
    """Electrons per lux in each pixel of a mosaic, HxW."""
    per_lux = np.array(sensor.neutral)[list(sensor.colour_of_places())]
    quad = np.float32(per_lux * sensor.electrons_per_lux_s * time_s).reshape(2, 2)
    return np.tile(quad, (shape[0] // 2, shape[1] // 2))


def expose(electrons: Array, sensor: Sensor, gain: float, seed: int) -> Mosaic:
    """Codes of a sensor for mean numbers of electrons.

    Parameters
    ----------
    electrons : Array
        Means, HxW float32, >= 0.
    sensor : Sensor
        Its noise model and levels.
    gain : float
        Amplification; cut to 1..`most_gain`.
    seed : int
        Of the noise.

    Returns
    -------
    array of uint16
        Codes, HxW.
    """
    gain = min(max(gain, 1.0), sensor.most_gain)
    means = np.ascontiguousarray(electrons, np.float32)
    out = np.empty(means.shape, np.uint16)
    levels = np.array([
        sensor.read_noise_e(gain) ** 2, sensor.full_well_e, gain / sensor.electrons_per_code,
        sensor.black_level, sensor.white_level,
    ])  # fmt: skip
    key = np.uint64(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])
    run_strips(
        lambda y0, y1: _expose(means, levels, _normal_quantiles(), key, y0, y1, out),
        len(means),
        rows_of_strips(means.shape[1]),
    )
    return out


@lru_cache(maxsize=1)
def _normal_quantiles() -> Array:
    """Quantiles of the normal distribution in even steps, of variance 1 exactly."""
    values = ndtri((np.arange(QUANTILES) + 0.5) / QUANTILES)
    return np.asarray(values / values.std(), np.float32)


@inline
def _hash(key):  # type: ignore[no-untyped-def]
    """SplitMix64 (Steele, Lea and Flood 2014)."""
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return key ^ (key >> np.uint64(31))


@kernel(reads(f32, 2), reads(f64, 1), reads(f32, 1), u64, i64, i64, writes(u16, 2))
def _expose(means, levels, quantiles, key, start, stop, out):  # type: ignore[no-untyped-def]
    """Electrons with photon and read noise, clipped at the full well, as codes."""
    read, well, scale = np.float32(levels[0]), np.float32(levels[1]), np.float32(levels[2])
    black, white = np.float32(levels[3]), np.float32(levels[4])
    width = means.shape[1]
    for y in range(start, stop):
        for x in range(width):
            mean = max(means[y, x], np.float32(0))
            place = np.uint64(y * width + x + 1) * np.uint64(0x9E3779B97F4A7C15)
            drawn = quantiles[_hash(key + place) >> np.uint64(48)]
            signal = min(mean + np.sqrt(mean + read) * drawn, well)
            code = np.rint(black + scale * signal)
            out[y, x] = np.uint16(min(max(code, np.float32(0)), white))
