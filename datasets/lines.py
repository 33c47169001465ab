"""Pictures of straight lines made from nothing: sharp everywhere, with detail of one direction.

Horizons, roads, poles, wires, blinds and cloth look shaken to a measure of the direction of detail.
They are in focus from edge to edge, with the softness, grain and compression of a camera. Display-
encoded codes, HxWx3 uint8.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from stages.params import Array

Shape = tuple[int, int]
Codes = npt.NDArray[np.uint8]

SHAPE = (720, 1280)
FINER = 3  # subsamples of a pixel along each axis
SOFTNESS_PX = 0.4  # blur of a lens in focus and of the sampling
GRAIN_CODES, JPEG = 1.0, 90


def _plane(shape: Shape, degrees: float) -> tuple[Array, Array]:
    """Coordinates across and along lines of a direction, px, from the middle."""
    y, x = np.indices(shape, np.float32)
    y, x = y - shape[0] / 2, x - shape[1] / 2
    sine, cosine = np.float32(np.sin(np.radians(degrees))), np.float32(np.cos(np.radians(degrees)))
    return y * cosine - x * sine, x * cosine + y * sine


def _noise(rng: np.random.Generator, shape: Shape, size: tuple[float, float]) -> Array:
    """Smooth noise of standard deviation 1, with a size in px along rows and columns."""
    small = tuple(max(round(n / s), 2) for n, s in zip(shape, size, strict=True))
    noise = rng.standard_normal(small, np.float32)
    return np.asarray(cv2.resize(noise, shape[::-1], interpolation=cv2.INTER_CUBIC))


def _bands(position: Array, rng: np.random.Generator, widths: tuple[float, float]) -> Array:
    """Bands of random widths and levels in [0, 1], by the position across them."""
    low, high = float(position.min()), float(position.max())
    edges = low + np.cumsum(rng.uniform(*widths, int((high - low) / widths[0]) + 2))
    levels = rng.permutation(np.linspace(0, 1, edges.size + 1)).astype(np.float32)
    return levels[np.searchsorted(edges, position)]


def horizon(shape: Shape, rng: np.random.Generator, degrees: float) -> Array:
    """Sky with a soft gradient, a dark coast, and flat land with a few long field borders."""
    across, _ = _plane(shape, degrees)
    unit = shape[0] / 720
    land = 0.25 + 0.3 * _bands(across, rng, (12 * unit, 60 * unit))
    sky = 0.85 + 0.0004 / unit * across
    return np.where(across < -20 * unit, sky, np.where(across < 0, 0.12, land))


def road(shape: Shape, rng: np.random.Generator, degrees: float) -> Array:
    """A straight road to the horizon, with border lines, seen from above it."""
    across, along = _plane(shape, degrees)
    depth = (across + 0.2 * shape[0]) / shape[0]
    place = along / np.maximum(depth, 1e-3) / shape[1]
    ground = np.where(np.abs(place) < 0.42, 0.35, 0.5 + 0.02 * _noise(rng, shape, (30, 60)))
    for line in (-0.36, -0.01, 0.35):
        ground = np.where(np.abs(place - line) < 0.012, 0.9, ground)
    return np.where(depth < 0.01, 0.8, ground)


def poles(shape: Shape, rng: np.random.Generator, degrees: float) -> Array:
    """Poles before a plain sky."""
    across, _ = _plane(shape, degrees)
    plane = 0.8 + 0.0002 * across
    for at in np.arange(across.min(), across.max(), shape[0] / 8):
        centre, half = at + rng.uniform(0, shape[0] / 12), rng.uniform(4, 16) * shape[0] / 720
        level = 0.15 + 0.3 * np.clip((across - centre) / half, -1, 1) ** 2
        plane = np.where(np.abs(across - centre) < half, level, plane)
    return plane


def wires(shape: Shape, rng: np.random.Generator, degrees: float) -> Array:
    """Thin wires that sag slightly."""
    across, along = _plane(shape, degrees)
    plane = 0.75 + 0.05 * _noise(rng, shape, (300, 300))
    unit = shape[0] / 720
    for at in np.linspace(-0.45, 0.45, 14) * shape[0]:
        sag = at + rng.uniform(0, 12 * unit) * (along / shape[1]) ** 2
        plane = np.where(np.abs(across - sag) < 1.2 * unit, 0.2, plane)
    return plane


def blinds(shape: Shape, rng: np.random.Generator, degrees: float) -> Array:
    """Slats, each brighter towards one edge."""
    across, along = _plane(shape, degrees)
    period = shape[0] / 36
    part = np.mod(across, period) / period
    return 0.3 + 0.5 * part + 0.06 * np.sin(along / shape[1] * 3 + float(rng.uniform(0, 6)))


def cloth(shape: Shape, rng: np.random.Generator, degrees: float) -> Array:
    """Striped cloth with soft folds and the grain of its weave."""
    across, _ = _plane(shape, degrees)
    unit = shape[0] / 720
    folds = 0.06 * _noise(rng, shape, (160 * unit, 160 * unit))
    weave = 0.015 * _noise(rng, shape, (1.5 * unit, 1.5 * unit))
    return 0.2 + 0.55 * _bands(across, rng, (5 * unit, 18 * unit)) + folds + weave


def shelf(shape: Shape, rng: np.random.Generator, degrees: float) -> Array:
    """Spines of books in two rows, without letters."""
    across, along = _plane(shape, degrees)
    unit = shape[0] / 720
    upper, lower = (_bands(across, rng, (10 * unit, 40 * unit)) for _ in range(2))
    books = 0.15 + 0.7 * np.where(along < 0, upper, lower)
    return np.where(np.abs(along) < 10 * unit, 0.5, books)


def planks(shape: Shape, rng: np.random.Generator, degrees: float) -> Array:
    """Boards with dark joints and fine grain along them."""
    across, along = _plane(shape, degrees)
    period = shape[0] / 9
    part = np.mod(across, period) / period
    lines = _noise(rng, (4 * shape[0], 64), (4 * shape[0] / 500, 32))[:, 0]
    grain = lines[np.mod((across * 2).astype(int), 4 * shape[0])] * (1 + 0.1 * along / shape[1])
    return np.where(part < 0.04, 0.1, 0.5 + 0.05 * grain)


Maker = Callable[[Shape, np.random.Generator, float], Array]
SCENES: dict[str, tuple[Maker, float, int]] = {  # direction of the lines in degrees, seed
    "horizon": (horizon, 0, 1), "horizon tilted": (horizon, 6, 2),
    "horizon rising": (horizon, -14, 3), "road": (road, 0, 4), "road tilted": (road, -9, 5),
    "road to the left": (road, 5, 6),
    "poles": (poles, 90, 7), "poles leaning": (poles, 72, 8), "poles falling": (poles, 60, 9),
    "wires": (wires, 0, 10), "wires rising": (wires, 25, 11), "wires falling": (wires, -40, 12),
    "blinds": (blinds, 0, 13), "blinds aslant": (blinds, 12, 14),
    "blinds upright": (blinds, 90, 15), "cloth": (cloth, 90, 16),
    "cloth across": (cloth, 0, 17), "cloth on the bias": (cloth, 45, 18),
    "shelf": (shelf, 90, 19), "shelf on its side": (shelf, 0, 20), "shelf leaning": (shelf, 80, 21),
    "planks": (planks, 0, 22), "planks upright": (planks, 90, 23),
    "planks aslant": (planks, 30, 24),
}  # fmt: skip


def picture_of_lines(name: str, shape: Shape = SHAPE) -> Codes:
    """One of `SCENES`, sharp everywhere.

    Parameters
    ----------
    name : str
        Its name.
    shape : (int, int)
        Rows and columns, px.

    Returns
    -------
    array of uint8
        HxWx3 codes, as a camera's JPEG decodes.
    """
    make, degrees, seed = SCENES[name]
    rng = np.random.default_rng(seed)
    fine = make((FINER * shape[0], FINER * shape[1]), rng, degrees).astype(np.float32)
    plane = cv2.resize(fine, shape[::-1], interpolation=cv2.INTER_AREA)
    plane = cv2.GaussianBlur(plane, (0, 0), SOFTNESS_PX)[..., None] * np.float32([1, 0.97, 0.92])
    grain = rng.normal(0, GRAIN_CODES, plane.shape)
    codes = np.clip(np.rint(255 * plane + grain), 0, 255).astype(np.uint8)
    coded = cv2.imencode(".jpg", codes, [cv2.IMWRITE_JPEG_QUALITY, JPEG])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
