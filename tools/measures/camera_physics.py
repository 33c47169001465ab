"""A simulated camera against physics: blur of a point light, and noise of grey patches."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import rawpy

from camerapipe.ingest.dng.raw_frame import Device, encode_raw_frame
from stages.forward import (
    SCENERIES,
    Exposure,
    Optics,
    RawFrame,
    Scenery,
    Sensor,
    Surface,
    capture_raw,
    make_scenery,
    photograph,
    still,
)  # fmt: skip
from stages.forward.exact import photograph_exactly
from stages.forward.placing import PIXEL_VARIANCE
from stages.optics import Lens
from stages.tone import encode

Doubles = npt.NDArray[np.float64]

PHONE = Optics(
    lens=Lens(focal_length_mm=4.48, f_number=1.8, sensor_diagonal_mm=7.34), nearest_focus_m=0.1
)
FOCUS_DPT = (0.0, 1.0, 2.5, 5.0, 8.0)
DISTANCES_M = (0.12, 0.25, 0.5, 1.0, 3.0, 20.0)
LEAST_DIAMETER_PX = 1.0  # disks that are measured; the second moment hardly sees smaller ones
TEXELS_PER_RAD = 1300
LIGHT_SIDE = 129  # texels of the black surface around a light
EXPOSED_SHARE = 0.5  # of the full well, the brightest pixel
GREY_LEVELS = np.geomspace(0.01, 0.75, 8)  # of the white level, at each gain
GAINS = (1.0, 4.0, 16.0, 64.0)
GREY = 0.18  # linear light of the median, of pictures that are compared
PATCH = 480  # px, the side of a patch: more than 10^5 green pixels


class Disk(NamedTuple):
    """A point light out of focus: diameters in px."""

    focus_dpt: float
    distance_m: float
    formula_px: float
    measured_px: float


def point_light(distance_m: float, place: tuple[float, float]) -> Scenery:
    """A point light before black, moved by parts of a texel (right, down)."""
    light = np.zeros((LIGHT_SIDE, LIGHT_SIDE, 3), np.float32)
    light[LIGHT_SIDE // 2, LIGHT_SIDE // 2] = 1
    alpha = np.ones((LIGHT_SIDE, LIGHT_SIDE), np.float32)
    texel_m = distance_m / TEXELS_PER_RAD
    lamp = Surface(
        light=light, alpha=alpha, distance_m=distance_m, texel_m=texel_m,
        centre_m=(place[0] * texel_m, place[1] * texel_m),
    )  # fmt: skip
    return Scenery(name="point", surfaces=(lamp,), lux=lambda time_s: 1e6)


def disks(seed: int = 0) -> list[Disk]:
    """Point lights at several depths, at several focus distances, from RAW pixels."""
    rng = np.random.default_rng(seed)
    found = []
    sensor = Sensor(rows=120, cols=120, bits=14, black_level=512)
    for focus_dpt in FOCUS_DPT:
        for distance_m in DISTANCES_M:
            formula = abs(PHONE.blur_mm(focus_dpt, distance_m)) / (sensor.pitch_um / 1000)
            if formula < LEAST_DIAMETER_PX:
                continue
            scenery = point_light(distance_m, tuple(rng.uniform(-1, 1, 2)))
            exposed = _exposed(scenery, focus_dpt, sensor)
            frame = capture_raw(
                scenery, still(), PHONE, focus_dpt, sensor, exposed, seed=len(found)
            )
            found.append(Disk(focus_dpt, distance_m, formula, diameter_px(frame, formula)))
    return found


def _exposed(scenery: Scenery, focus_dpt: float, sensor: Sensor) -> Exposure:
    """Exposure at which the brightest pixel has half of the full well, at gain 1."""
    lux = photograph(scenery, still(), PHONE, focus_dpt, sensor.view())
    wanted_e = EXPOSED_SHARE * sensor.full_well_e
    return Exposure(wanted_e / (sensor.electrons_per_lux_s * float(lux.max())), sensor.base_iso)


def diameter_px(frame: RawFrame, formula_px: float) -> float:
    """Diameter by the second moment, without the variances of the spot and of the pixel."""
    sensor = frame.sensor
    signal = frame.mosaic.astype(float) - sensor.black_level
    neutral = np.array(sensor.neutral)[list(sensor.colour_of_places())].reshape(2, 2)
    signal /= np.tile(neutral, (sensor.rows // 2, sensor.cols // 2))
    axes = np.indices(signal.shape) - np.array(signal.shape).reshape(2, 1, 1) / 2
    near = np.hypot(*axes) < 0.6 * formula_px + 4
    total = signal[near].sum()
    middle = [(axis[near] * signal[near]).sum() / total for axis in axes]
    second = [((axis[near] - m) ** 2 * signal[near]).sum() / total
              for axis, m in zip(axes, middle, strict=True)]  # fmt: skip
    spot_px = PHONE.spot_um / sensor.pitch_um
    return 4 * math.sqrt(max(np.mean(second) - spot_px**2 - PIXEL_VARIANCE, 0))


class Likeness(NamedTuple):
    """PSNR in dB of the fast light to the exact one, display-encoded."""

    scenery: str
    focus_dpt: float
    psnr_db: float


def fast_light(sceneries: Sequence[str] = tuple(SCENERIES)) -> list[Likeness]:
    """The fast form against the exact one, at several focus distances."""
    view, found = Sensor(rows=360, cols=640).view(), []
    for name in sceneries:
        scenery = make_scenery(name, subject_m=0.4)
        for focus_dpt in FOCUS_DPT:
            fast = photograph(scenery, still(), PHONE, focus_dpt, view)
            exact = photograph_exactly(scenery, still(), PHONE, focus_dpt, view)
            level = np.float32(GREY / np.median(exact))
            error = encode(fast * level) - encode(exact * level)
            psnr_db = -10 * math.log10(float(np.mean(error**2)))
            found.append(Likeness(name, focus_dpt, psnr_db))
    return found


class Patch(NamedTuple):
    """A grey patch: gain, its mean code over black, and its variance over that of the model."""

    gain: float
    mean: float
    ratio: float


def patches(seed: int = 0) -> list[Patch]:
    """Green pixels of grey walls, from DNG files that rawpy has read back, without clipped ones.

    The model has the mean number of electrons of the photometric formula; nothing is fitted.
    """
    sensor = Sensor(rows=PATCH, cols=PATCH)
    span = sensor.white_level - sensor.black_level
    grey = np.ones((LIGHT_SIDE, LIGHT_SIDE, 3), np.float32)
    wall = Surface(light=grey, alpha=grey[..., 0].copy(), distance_m=1.0, texel_m=0.01)
    found = []
    for gain in GAINS:
        for level in GREY_LEVELS:
            time_s = level * sensor.full_well_e / gain / sensor.electrons_per_lux_s
            lux = 1 / PHONE.relative_light(1.0)  # on the wall, for one on the sensor
            scenery = Scenery(name="wall", surfaces=(wall,), lux=lambda at_s, lux=lux: lux)
            exposure = Exposure(time_s, gain * sensor.base_iso)
            frame = capture_raw(
                scenery, still(), PHONE, 1.0, sensor, exposure, seed=seed + len(found)
            )
            data = encode_raw_frame(frame, Device("camerapipe", "bench", PHONE), (2.0, 1.6))
            with rawpy.imread(io.BytesIO(data)) as raw:
                codes = raw.raw_image.astype(float)
            green = np.concatenate([codes[0::2, 1::2].ravel(), codes[1::2, 0::2].ravel()])
            green = green[green < sensor.white_level]
            scale, offset = sensor.noise_profile(gain)
            ratio = float(green.var() / ((scale * level + offset) * span**2))
            found.append(Patch(gain, float(green.mean() - sensor.black_level), ratio))
    return found
