"""Named scenes with exact truth for the lens blur: every name and seed gives the same scene.

`day` and `night` are made from nothing: a flower with a stem and a hair before a slanted wall of
dead leaves (overlapping shapes whose sizes follow a power law, as in natural pictures), the wall
known in full behind the flower. At night there are lamps, far brighter than display white.
`hand` (before white) and `table` (a slant through all radii) are made to be looked at.
`motorcycle` (shipped with scikit-image) and `aloe` have measured disparity; what is hidden there is
made up by the forward model. The truth of all is `stages.scene`'s thin lens.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from stages.bokeh.disk import FOCUS_PX, effective_radius
from stages.params import Array
from stages.scene import Layer, compose, lens_blur
from stages.tone import linearise

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SHAPE = (536, 800)
SUPERSAMPLING = 4  # of mattes, along each axis
LEAVES = 4000
LEAF_PX = (0.3, 3.0)  # largest, as a part of the height; smallest
LAMPS_PER_MP = 140
LAMP_COLOURS = np.array(
    [[1, 0.7, 0.4], [1, 0.9, 0.8], [0.5, 0.7, 1], [1, 0.2, 0.15], [0.3, 1, 0.4]], np.float32
)


class KnownScene(NamedTuple):
    """A picture that is sharp everywhere, the radius of each pixel (px), and the true lens blur.

    `matte` is the true coverage of the subject; None where it is not known.
    """

    linear: Array
    radius: Array
    truth: Array
    matte: Array | None


def sigma_of_radius(radius: Array) -> Array:
    """Standard deviation of the lattice disk of each radius, in px."""
    nominal = np.linspace(FOCUS_PX, max(float(radius.max()), 1.0), 2000)
    sigma = [effective_radius(r) / 2 for r in nominal]
    return np.interp(radius, nominal, sigma).astype(np.float32)


def dead_leaves(shape: tuple[int, int], seed: int, tint: tuple[float, float, float]) -> Array:
    """Linear light of overlapping ellipses of all sizes, from large to small, with fine texture."""
    rng = np.random.default_rng(seed)
    height, width = shape
    codes = np.full((*shape, 3), 128, np.uint8)
    largest, smallest = LEAF_PX[0] * height, LEAF_PX[1]
    shares = np.sort(rng.random(LEAVES))  # a density of 1 / size^2: most leaves are small
    for radius in 1 / (1 / largest + shares * (1 / smallest - 1 / largest)):
        centre = rng.uniform(0, width), rng.uniform(0, height)
        axes = (2 * radius * rng.uniform(0.4, 1), 2 * radius * rng.uniform(0.4, 1))
        colour = np.clip(rng.normal(130, 60) * np.array(tint) + rng.normal(0, 18, 3), 4, 250)
        box = (centre, axes, rng.uniform(0, 180))
        cv2.ellipse(codes, box, tuple(map(float, colour)), -1, cv2.LINE_AA)
    grain = cv2.GaussianBlur(rng.standard_normal(codes.shape), (0, 0), 0.8) * 9
    return linearise(np.clip(np.rint(codes + grain), 0, 255).astype(np.uint8))


def flower_matte(shape: tuple[int, int]) -> Array:
    """Coverage of a flower with nine petals, a bent stem and a hair 2.4 px wide."""
    height, width = shape
    y, x = np.mgrid[0 : height * SUPERSAMPLING, 0 : width * SUPERSAMPLING] / SUPERSAMPLING
    y, x = y - 0.45 * height, x - 0.5 * width
    petals = np.hypot(y, x) < 0.26 * height * (0.8 + 0.2 * np.cos(9 * np.arctan2(y, x)))
    bend = 0.03 * width * np.sin(y / (0.2 * height))
    stem = (np.abs(x - bend) < 0.008 * width) & (y > 0)
    hair = (np.abs(x + 0.8 * y) < 1.2 * np.hypot(1, 0.8)) & (y < 0) & (y > -0.37 * height)
    inside = (petals | stem | hair).astype(np.float32)
    return np.asarray(cv2.resize(inside, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def add_lamps(linear: Array, seed: int, brightness: float) -> Array:
    """Add small lamps of 2 x 2 px, 3 to 200 times display white, scaled by `brightness`."""
    rng = np.random.default_rng(seed)
    out, (height, width) = linear.copy(), linear.shape[:2]
    for _ in range(round(LAMPS_PER_MP * height * width / 1e6)):
        y, x = rng.integers(height), rng.integers(width)
        power = rng.uniform(0.15, 1) * rng.choice([20, 60, 200]) * brightness
        out[y : y + 2, x : x + 2] += np.float32(power) * LAMP_COLOURS[rng.integers(5)]
    return out


def flower(
    largest_px: float, shape: tuple[int, int] = SHAPE, *, night: bool, seed: int = 1
) -> KnownScene:
    """A sharp flower before a slanted wall, whose radius falls from `largest_px` to 40 % of it."""
    height, width = shape
    wall = dead_leaves(shape, seed, (0.8, 1.0, 0.9))
    petals = dead_leaves(shape, seed + 100, (1.3, 0.9, 0.35))
    if night:  # brighter lamps for larger disks, so that these stay visible
        wall = add_lamps(np.float32(0.02) * wall, seed, (largest_px / 25) ** 2)
        petals = np.float32(0.25) * petals
    slant = largest_px * (1 - 0.6 * np.linspace(0, 1, height)[:, None])
    behind = np.broadcast_to(slant, shape).astype(np.float32)
    matte = flower_matte(shape)
    linear = matte[..., None] * petals + (1 - matte[..., None]) * wall
    layers = (
        Layer(wall, np.ones(shape, np.float32), sigma_of_radius(behind)),
        Layer(petals, matte, np.zeros(shape, np.float32)),
    )
    radius = np.where(matte >= 0.5, np.float32(0), behind)
    return KnownScene(linear.astype(np.float32), radius, compose(layers), matte)


def day(largest_px: float, shape: tuple[int, int] = SHAPE, seed: int = 1) -> KnownScene:
    """The flower in daylight."""
    return flower(largest_px, shape, night=False, seed=seed)


def night(largest_px: float, shape: tuple[int, int] = SHAPE, seed: int = 1) -> KnownScene:
    """The flower before lamps at night."""
    return flower(largest_px, shape, night=True, seed=seed)


def hand_matte(shape: tuple[int, int]) -> Array:
    """Coverage of a hand with spread fingers, and hairs of 1 px on its wrist."""
    height, width = shape
    matte = np.zeros((height * SUPERSAMPLING, width * SUPERSAMPLING), np.uint8)

    def line(start: tuple[float, float], end: tuple[float, float], thick: float) -> None:
        ends = [(round(x * SUPERSAMPLING), round(y * SUPERSAMPLING)) for y, x in (start, end)]
        cv2.line(matte, *ends, 255, max(round(thick * SUPERSAMPLING), 1), cv2.LINE_AA)

    y, x, size = 0.62 * height, 0.5 * width, 0.5 * height
    line((y, x), (height * 1.2, x), 0.42 * size)
    for angle, length in zip((-70, -28, -8, 12, 32), (0.55, 0.85, 0.95, 0.9, 0.7), strict=True):
        up, aside = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
        root = y - 0.1 * size * up, x + 0.2 * size * aside
        line(root, (y - length * size * up, x + length * size * aside), 0.13 * size)
    for k in range(12):
        root = y + (0.15 + 0.04 * k) * size, x + 0.2 * size
        line(root, (root[0] - 0.1 * size, root[1] + (0.06 + 0.01 * k) * size), 1.0)
    inside = matte.astype(np.float32) / 255
    return np.asarray(cv2.resize(inside, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def hand(largest_px: float, shape: tuple[int, int] = SHAPE, seed: int = 1) -> KnownScene:
    """A sharp hand before a white wall with dark leaves on it, all of one radius."""
    wall = np.maximum(dead_leaves(shape, seed, (0.4, 0.6, 0.4)), 0.0)
    white = cv2.GaussianBlur(np.random.default_rng(seed).random(shape), (0, 0), 30)
    wall[white > np.median(white)] = 1.0
    skin = 0.4 * dead_leaves(shape, seed + 50, (1.4, 1.0, 0.8)) + np.float32([0.45, 0.25, 0.18])
    matte, behind = hand_matte(shape), np.full(shape, largest_px, np.float32)
    ones = np.ones(shape, np.float32)
    layers = (
        Layer(wall, ones, sigma_of_radius(behind)),
        Layer(skin.astype(np.float32), matte, 0 * ones),
    )
    linear = matte[..., None] * skin + (1 - matte[..., None]) * wall
    radius = np.where(matte >= 0.5, np.float32(0), behind)
    return KnownScene(linear.astype(np.float32), radius, compose(layers), matte)


def table(largest_px: float, shape: tuple[int, int] = SHAPE, seed: int = 1) -> KnownScene:
    """A slanted table, in focus at its near end, whose radius meets every layer of the renderer."""
    linear = dead_leaves(shape, seed, (1.1, 1.0, 0.8))
    slant = largest_px * np.linspace(1, -0.1, shape[0], dtype=np.float32)[:, None]
    radius = np.broadcast_to(np.where(slant > FOCUS_PX, slant, 0), shape).astype(np.float32)
    layer = Layer(linear, np.ones(shape, np.float32), sigma_of_radius(radius))
    return KnownScene(linear, radius, compose((layer,)), None)


def motorcycle(largest_px: float, every: int = 1) -> KnownScene:
    """Middlebury 2014 Motorcycle at quarter size, focused on what is nearest.

    The truth is made for one of `every` bands of rows; it is not a number elsewhere.
    """
    from skimage import data

    left, _, disparity = data.stereo_motorcycle()
    return _stereo(left, disparity, np.isfinite(disparity) & (disparity > 0), largest_px, every)


def aloe(largest_px: float, every: int = 1, folder: Path = SHARED_DATA) -> KnownScene:
    """Middlebury 2006 Aloe at half size, focused on what is nearest; see `motorcycle`.

    Raises
    ------
    FileNotFoundError
        If `folder` does not hold it.
    """
    paths = [folder / "depth_gt" / "aloe" / name for name in ("aloeL.jpg", "aloeGT.png")]
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"aloe: {path} is missing")
    picture = cv2.imread(str(paths[0]))[..., ::-1]
    disparity = cv2.imread(str(paths[1]), cv2.IMREAD_UNCHANGED)
    half = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return _stereo(half, disparity[::2, ::2] / 2, disparity[::2, ::2] > 0, largest_px, every)


def _stereo(
    picture: npt.NDArray[np.uint8],
    disparity: npt.NDArray[np.floating],
    known: npt.NDArray[np.bool_],
    largest_px: float,
    every: int,
) -> KnownScene:
    """Fill unknown disparity from the nearest known, smooth its steps, focus on the nearest."""
    from scipy import ndimage

    nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    filled = cv2.medianBlur(disparity[tuple(nearest)].astype(np.float32), 5)
    near, far = np.percentile(filled, [98, 0.5])
    radius = largest_px * np.clip((near - filled) / (near - far), 0, 1)
    radius = np.where(radius <= FOCUS_PX, 0, radius).astype(np.float32)
    linear = linearise(np.ascontiguousarray(picture))
    truth = lens_blur(linear, sigma_of_radius(radius), every=every)
    return KnownScene(linear, radius, truth, None)


SCENES: dict[str, Callable[[float, int], KnownScene]] = {
    "day": lambda largest_px, every: day(largest_px),  # its truth is quick
    "night": lambda largest_px, every: night(largest_px),
    "motorcycle": motorcycle,
    "aloe": aloe,
}
