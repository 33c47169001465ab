"""Scenes with exact blur: an all-in-focus picture, how much a lens defocuses it, a photograph.

Blur grows with the distance from the plane in focus in inverse depth, which is what stereo
disparity measures; where a scene has no depth, a slanted plane stands in. Every scene is sharp in
front and blurred behind. `CONDITIONS` are the ways in which a scene is photographed. Pictures are
linear sRGB, float32 in [0, 1]; sigma is in pixels.

The real scenes need files: Middlebury stereo (Scharstein and Szeliski 2003; Hirschmueller and
Scharstein 2007; Scharstein et al. 2014), two photographs that come with scikit-learn and
scikit-image. The `SYNTHETIC` ones need none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from datasets.scenes import dead_leaves
from stages.params import Array
from stages.scene import lens_blur
from stages.sensor import add_noise, develop
from stages.tone import SRGB, encode, linearise

SOURCE_SIGMA_PX = 0.4  # blur that a sharp photograph has of its own
SHARP_SHARE = 0.1  # of the picture in front is in focus
SHAPE = (400, 600)  # of what is made from nothing
BALL_PX, BALL_SHINE = 120, 60  # radius; exponent of the highlight (Phong)
SLANT_SHARP_ROWS = 0.25  # of a slanted plane, from the bottom


@dataclass(frozen=True, slots=True)
class Scene:
    """An all-in-focus picture HxWx3 (linear) and its defocus HxW, standard deviation in px."""

    name: str
    linear: Array
    defocus: Array

    @property
    def sigma(self) -> Array:
        """Blur of what a camera sees: the defocus and the source's own blur, in variance."""
        return np.sqrt(self.defocus**2 + np.float32(SOURCE_SIGMA_PX**2))


class Condition(NamedTuple):
    """How a scene is photographed: aperture, noise, JPEG quality (0: none).

    `noise_codes` is the deviation in codes of the encoded picture; `shot` and `read` are those of a
    sensor, whose variance is shot * light + read^2 in linear light.
    """

    name: str
    disk: bool = True
    noise_codes: float = 0.0
    jpeg: int = 0
    shot: float = 0.0
    read: float = 0.0


CONDITIONS = (
    Condition("clean"),
    Condition("noise 2", noise_codes=2),
    Condition("noise 5", noise_codes=5),
    Condition("jpeg 85", disk=False, noise_codes=1, jpeg=85),
)


SENSOR_NOISE = Condition("iso 1600", shot=4e-4, read=2e-3)  # 2500 electrons full well, 5 of them


def through_lens(scene: Scene, *, disk: bool = True) -> Array:
    """Linear light of a scene behind the lens, HxWx3; slow."""
    return lens_blur(scene.linear, scene.defocus, "disk" if disk else "gauss")


def photograph(light: Array, condition: Condition, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Display-encoded 8-bit picture of light behind the lens, HxWx3 RGB."""
    if condition.shot or condition.read:
        light = np.maximum(add_noise(light, condition.shot, condition.read, seed), 0)
    encoded = encode(light, SRGB)
    noise = np.random.default_rng(seed).normal(0, condition.noise_codes / 255, encoded.shape)
    noisy = np.clip(encoded + noise, 0, 1).astype(np.float32)
    return develop(linearise(noisy), condition.jpeg)


def load_scene(name: str, data: Path, largest_sigma_px: float = 5.0) -> Scene | None:
    """Load a named scene; None where its files are absent."""
    try:
        linear, far = SCENES[name](data)
    except FileNotFoundError:
        return None
    return Scene(name, linear, (largest_sigma_px * far).astype(np.float32))


def _picture(path: Path) -> Array:
    encoded = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if encoded is None:
        raise FileNotFoundError(path)
    return linearise(np.ascontiguousarray(encoded[:, :, ::-1]).astype(np.float32) / 255)


def _stereo(picture: str, disparity: str, reduce: int = 1) -> Callable[[Path], tuple[Array, Array]]:
    """A picture and its disparity, both reduced by a factor, to 0 in focus .. 1 farthest."""

    def load(data: Path) -> tuple[Array, Array]:
        linear, found = _picture(data / picture), _disparity(data / disparity)
        if reduce > 1:
            rows, cols = (n // reduce for n in found.shape)
            linear = cv2.resize(linear, (cols, rows), interpolation=cv2.INTER_AREA)
            found = cv2.resize(found, (cols, rows), interpolation=cv2.INTER_NEAREST)
        near, far = np.quantile(found, [1 - SHARP_SHARE, 0.01])
        return linear, np.clip((near - found) / (near - far), 0, 1)

    return load


def _disparity(path: Path) -> Array:
    """Disparity with its unknown pixels filled: by the farther of the neighbours in the row."""
    if not path.is_file():
        raise FileNotFoundError(path)
    if path.suffix == ".npz":
        found = np.load(path)["arr_0"].astype(np.float32)
    else:
        found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED).astype(np.float32)
    known = np.isfinite(found) & (found > 0)
    columns = np.arange(found.shape[1])
    left = np.maximum.accumulate(np.where(known, columns, -1), axis=1)
    right = np.minimum.accumulate(np.where(known, columns, columns.size)[:, ::-1], axis=1)[:, ::-1]
    rows = np.arange(found.shape[0])[:, None]
    from_left = np.where(left >= 0, found[rows, left], np.inf)
    from_right = np.where(right < columns.size, found[rows, right % columns.size], np.inf)
    filled = np.minimum(from_left, from_right)
    lost = ~np.isfinite(filled)  # a row without a single known pixel
    nearest = ndimage.distance_transform_edt(lost, return_distances=False, return_indices=True)
    return np.asarray(filled[tuple(nearest)], np.float32)


def _slanted(picture: str) -> Callable[[Path], tuple[Array, Array]]:
    """A picture on a plane that tilts away from the lower rows, which are in focus."""

    def load(data: Path) -> tuple[Array, Array]:
        linear = _picture(data / picture)
        rows, cols = linear.shape[:2]
        height = 1 - np.arange(rows, dtype=np.float32)[:, None] / rows
        far = np.clip((height - SLANT_SHARP_ROWS) / (1 - SLANT_SHARP_ROWS), 0, 1)
        return linear, np.repeat(far, cols, axis=1)

    return load


def _leaves(_: Path) -> tuple[Array, Array]:
    """A ground of overlapping leaves, sharp in front, that tilts away."""
    linear = dead_leaves(SHAPE, 11, (1.0, 0.9, 0.6))
    rows = np.arange(SHAPE[0], dtype=np.float32)[:, None] / SHAPE[0]
    far = np.clip(1 - rows / (1 - SLANT_SHARP_ROWS), 0, 1)
    return np.minimum(linear, 1), np.repeat(far, SHAPE[1], axis=1)


def _ball(_: Path) -> tuple[Array, Array]:
    """A shiny plastic ball, in focus, before far leaves: shading looks like blur (Fig. 7)."""
    y, x = (np.mgrid[: SHAPE[0], : SHAPE[1]] - np.array([200, 300])[:, None, None]) / BALL_PX
    inside = np.hypot(y, x) < 1
    z = np.sqrt(np.maximum(1 - x * x - y * y, 0))
    facing = np.maximum(-0.5 * x - 0.6 * y + np.sqrt(1 - 0.61) * z, 0)
    matt = (0.06 + 0.75 * facing)[..., None] * np.array([0.9, 0.35, 0.08])
    ball = matt + 0.6 * facing[..., None] ** BALL_SHINE
    wall = dead_leaves(SHAPE, 7, (0.7, 1.0, 0.8))
    linear = np.where(inside[..., None], ball, wall).astype(np.float32)
    return np.clip(linear, 0, 1), (~inside).astype(np.float32)


def _cells(_: Path) -> tuple[Array, Array]:
    """A disc of 10-px cells, in focus, before a far wall of the same make."""
    rng = np.random.default_rng(5)
    grey = cv2.resize(rng.random((40, 60, 3), np.float32), (600, 400), interpolation=0)
    y, x = np.mgrid[:400, :600]
    subject = np.hypot(y - 200, x - 300) < 120
    return linearise((0.15 + 0.7 * grey).astype(np.float32)), (~subject).astype(np.float32)


SCENES: dict[str, Callable[[Path], tuple[Array, Array]]] = {
    "motorcycle": _stereo(
        "depth_gt/motorcycle/motorcycle_left.png", "depth_gt/motorcycle/motorcycle_disp.npz"
    ),
    "aloe": _stereo("depth_gt/aloe/aloeL.jpg", "depth_gt/aloe/aloeGT.png", reduce=2),
    "teddy": _stereo("depth_gt/teddy/im2.png", "depth_gt/teddy/disp2.png"),
    "cones": _stereo("depth_gt/cones/im2.png", "depth_gt/cones/disp2.png"),
    "china": _slanted("all_in_focus/sklearn_china.jpg"),
    "astronaut": _slanted("photos/astronaut.png"),
    "cells": _cells,
    "leaves": _leaves,
    "ball": _ball,
}
SYNTHETIC = ("cells", "leaves", "ball")
REAL = ("motorcycle", "aloe", "teddy", "cones", "china", "astronaut")
