"""Synthetic moving scenes with known blur.

A frame is determined by name, size, seed and index. Three textured layers (a wall, posts, a flower)
are at three depths. The camera has a Gaussian point spread function, and its focus, its position or
the content of the scene changes from frame to frame (`SCENES`), at 30 frames per second. Depth is 0
at the wall and 1 at the flower; blur is proportional to the difference from the depth in focus.
Noise is that of a small sensor in good light, with the same deviation at all 8-bit codes. Nothing
is read from disk, and data that frames share is cached.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from stages.params import Array
from stages.tone import SRGB, encode, linearise

Random = np.random.Generator

SIZE = (720, 1280)
LARGEST_SIGMA_PX = 5.0  # in a frame 1280 px wide, at a difference of 1 from the depth in focus
SHARP_SIGMA_PX = 0.5  # of the lens, in focus
NOISE_CODES = 2.0  # standard deviation of the noise, 8-bit codes
EPISODE = 30  # frames between two steps or cuts
PULL_FRAMES = 120  # frames of a focus pull from the flower to the wall and back
PAN_FRAMES, PAN_SHARE = 120, 0.06  # frames of a swing and its amplitude, as a share of the width
MARGIN = 2 * PAN_SHARE + 0.02  # extra width of a layer, as a share of the width of the frame
LEAVES = 1500  # ellipses in the texture of a layer
LEAF_SIZES = (0.25, 3.0)  # largest radius as a share of the height, and smallest radius in px
HALF_FROM_PX = 2.5  # sigma from which a layer is blurred at half resolution
NOISE_TILE = 512  # px by which the noise is larger than a frame, so that its offset can vary


class State(NamedTuple):
    """What may change between frames: content, depth in focus, camera position in frame widths."""

    content: int = 0
    focus: float = 1.0
    place: float = 0.0


class Scene(NamedTuple):
    """Description of a scene, and its state as a function of the frame index."""

    summary: str
    state: Callable[[int], State]


class KnownFrame(NamedTuple):
    """A frame and its true blur.

    Attributes
    ----------
    picture : array of uint8
        sRGB codes, HxWx3.
    sigma : Array
        True blur, HxW float32, px of the frame.
    """

    picture: npt.NDArray[np.uint8]
    sigma: Array


SCENES = {
    "static": Scene("a flower before posts and a wall; nothing moves but noise",
                    lambda k: State()),
    "pull": Scene("focus goes smoothly from the flower to the wall and back in 4 s",
                  lambda k: State(focus=0.5 + 0.5 * math.cos(2 * math.pi * k / PULL_FRAMES))),
    "step": Scene("focus jumps from the flower to the wall, and back, every second",
                  lambda k: State(focus=1.0 - (k // EPISODE) % 2)),
    "pan": Scene("the camera swings to and fro; what is near moves further",
                 lambda k: State(place=PAN_SHARE * math.sin(2 * math.pi * k / PAN_FRAMES))),
    "cut": Scene("another scene every second", lambda k: State(content=k // EPISODE)),
}  # fmt: skip


def synthetic_frame(
    scene: str, index: int, size: tuple[int, int] = SIZE, seed: int = 0
) -> KnownFrame:
    """Frame of a synthetic scene.

    Parameters
    ----------
    scene : str
        Name, of `SCENES`.
    index : int
        Number of the frame, from 0.
    size : (int, int)
        Rows and columns, at least 16, px.
    seed : int
        Seed of all random numbers.

    Returns
    -------
    KnownFrame
        Frame and true blur.

    Raises
    ------
    ValueError
        If there is no such scene, or if index or size is out of range.
    """
    if scene not in SCENES:
        raise ValueError(f"synthetic: scene must be one of {', '.join(SCENES)}; got {scene!r}")
    if index < 0 or min(size) < 16:
        raise ValueError(
            f"synthetic: expected an index >= 0 and at least 16x16 px; got {index}, {size}"
        )
    clean, sigma = _photograph(size, seed, SCENES[scene].state(index))
    rng = np.random.default_rng([seed, index])
    y, x = rng.integers(NOISE_TILE, size=2)
    noisy = cv2.add(clean, _noise(size, seed)[y : y + size[0], x : x + size[1]])
    return KnownFrame(np.asarray(cv2.convertScaleAbs(cv2.max(noisy, 0.0)), np.uint8), sigma)


@lru_cache(maxsize=2)
def _photograph(size: tuple[int, int], seed: int, state: State) -> tuple[Array, Array]:
    """Frame without noise in codes that are not rounded, HxWx3, and sigma, HxW."""
    light, sigma = np.zeros((*size, 3), np.float32), np.zeros(size, np.float32)
    content = seed + 1009 * state.content
    for number, depth in enumerate(DEPTHS):
        largest = LARGEST_SIGMA_PX * size[1] / 1280
        blur = math.hypot(SHARP_SIGMA_PX, largest * abs(depth - state.focus))
        layer = _blurred_layer(size, content, number, round(blur, 3))
        matte = _layer(size, content, number)[..., 3]
        shift = size[1] * state.place * (0.5 + 0.5 * depth)
        seen, inside = (_window(planes, size, shift) for planes in (layer, matte))
        light = seen[..., :3] + (1 - seen[..., 3:]) * light
        sigma = np.where(inside >= 0.5, np.float32(blur), sigma)
    codes = encode(np.asarray(light, np.float32), SRGB) * np.float32(255)
    return codes, sigma


def _window(planes: Array, size: tuple[int, int], shift: float) -> Array:
    """Part of a layer in the frame, for a shift of the camera in px."""
    left = (planes.shape[1] - size[1]) / 2 + shift
    aim = np.array([[1, 0, left], [0, 1, 0]], np.float64)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen = cv2.warpAffine(planes, aim, size[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(seen, np.float32)


@lru_cache(maxsize=4)
def _blurred_layer(size: tuple[int, int], seed: int, number: int, sigma: float) -> Array:
    """Blurred layer: premultiplied linear light (3 channels) and coverage, HxWx4."""
    layer = _layer(size, seed, number)
    if sigma < HALF_FROM_PX:
        return np.asarray(cv2.GaussianBlur(layer, (0, 0), sigma), np.float32)
    small = cv2.resize(layer, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    inner = (
        math.sqrt(sigma**2 - 1) / 2
    )  # averaging and interpolation add a variance of about 1 px^2
    small = cv2.GaussianBlur(small, (0, 0), inner)
    return np.asarray(cv2.resize(small, layer.shape[1::-1]), np.float32)


@lru_cache(maxsize=6)
def _layer(size: tuple[int, int], seed: int, number: int) -> Array:
    """Sharp layer, wider than the frame: premultiplied linear light and coverage, HxWx4."""
    margin = 2 * math.ceil(size[1] * MARGIN / 2)
    shape = size[0], size[1] + margin
    rng = np.random.default_rng([seed, number])
    matte = MATTES[number](shape, size[0], rng)
    light = _leaves(shape, TINTS[number], rng)
    return np.dstack([light * matte[..., None], matte])


def _leaves(shape: tuple[int, int], tint: tuple[float, float, float], rng: Random) -> Array:
    """Linear light of overlapping ellipses of all sizes, from large to small, with fine texture.

    The sizes follow a power law, as in the dead leaves model.
    """
    codes = np.full((*shape, 3), 128, np.uint8)
    largest, smallest = LEAF_SIZES[0] * shape[0], LEAF_SIZES[1]
    shares = np.sort(rng.random(LEAVES))  # a density of 1 / size^2: most leaves are small
    for radius in 1 / (1 / largest + shares * (1 / smallest - 1 / largest)):
        centre = rng.uniform(0, shape[1]), rng.uniform(0, shape[0])
        axes = 2 * radius * rng.uniform(0.4, 1), 2 * radius * rng.uniform(0.4, 1)
        colour = np.clip(rng.normal(130, 60) * np.array(tint) + rng.normal(0, 18, 3), 10, 240)
        box = (centre, axes, rng.uniform(0, 180))
        cv2.ellipse(codes, box, tuple(map(float, colour)), -1, cv2.LINE_AA)
    grain = 12 * cv2.GaussianBlur(rng.standard_normal(shape, np.float32), (0, 0), 0.8)
    return linearise(np.clip(np.rint(codes + grain[..., None]), 0, 255).astype(np.uint8))


def _wall(shape: tuple[int, int], height: int, rng: Random) -> Array:
    """Coverage of the wall: 1 everywhere."""
    return np.asarray(np.ones(shape), np.float32)


def _posts(shape: tuple[int, int], height: int, rng: Random) -> Array:
    """Coverage of vertical posts of several widths on both sides of the flower."""
    matte = np.zeros(shape, np.uint8)
    for place in (0.12, 0.3, 0.72, 0.9):
        x, half = (place + rng.uniform(-0.03, 0.03)) * shape[1], rng.uniform(0.02, 0.06) * height
        top = int(rng.uniform(0.1, 0.5) * height)
        cv2.rectangle(matte, (int(x - half), top), (int(x + half), height), 255, -1)
    return np.asarray(matte.astype(np.float32) / np.float32(255), np.float32)


def _flower(shape: tuple[int, int], height: int, rng: Random) -> Array:
    """Coverage of a flower with nine petals and a stem, in the middle."""
    y, x = np.indices(shape, np.float32)
    y, x = y - np.float32(0.45 * height), x - np.float32(shape[1] / 2)
    turn = np.arctan2(y, x) + rng.uniform(0, math.pi)
    petals = np.hypot(y, x) - 0.3 * height * (0.8 + 0.2 * np.cos(9 * turn))
    stem = np.maximum(np.abs(x) - 0.02 * height, -y)
    return np.clip(0.5 - np.minimum(petals, stem), 0, 1).astype(np.float32)


@lru_cache(maxsize=2)
def _noise(size: tuple[int, int], seed: int) -> Array:
    """Gaussian noise in codes, larger than a frame by `NOISE_TILE`."""
    shape = size[0] + NOISE_TILE, size[1] + NOISE_TILE, 3
    rng = np.random.default_rng([seed, *size])
    return np.asarray(NOISE_CODES * rng.standard_normal(shape, np.float32), np.float32)


DEPTHS = (0.0, 0.5, 1.0)  # from back to front
MATTES = (_wall, _posts, _flower)
TINTS = ((0.8, 1.0, 0.9), (0.9, 0.9, 1.1), (1.3, 0.9, 0.35))
