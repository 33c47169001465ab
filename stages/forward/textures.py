"""Textures and outlines of made scenery: reflectance and coverage, drawn with integers.

All values are rounded to 8-bit codes, so that every host draws the same.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from stages.bokeh.aperture import Doubles
from stages.params import Array
from stages.tone import linearise

Shape = tuple[int, int]
Tint = tuple[float, float, float]
Random = np.random.Generator
Codes = npt.NDArray[np.uint8]

LEAVES_PER_MP = 2000
LEAF_SIZES = (0.18, 3.0)  # radius of the largest as a share of the height, of the smallest in px
GRAIN_CODES = 14
SUBPIXEL_BITS = 4  # of the coordinates that OpenCV draws at
OUTLINE_POINTS, HAIR_POINTS = 360, 24
WAVES = (2, 3, 5, 9)  # periods of the waves of an outline
BALL_AMBIENT = 0.25  # light in the shade
LAMP_COLOURS = ((1, 0.7, 0.4), (1, 0.9, 0.8), (0.5, 0.7, 1), (1, 0.2, 0.15), (0.3, 1, 0.4))


def dead_leaves(shape: Shape, tint: Tint, rng: Random) -> Array:
    """Overlapping ellipses whose sizes follow a power law, with grain (Lee et al. 2001).

    Parameters
    ----------
    shape : (rows, columns)
        Size in texels.
    tint : (float, float, float)
        Factors of the colours.
    rng : Generator
        Random numbers.

    Returns
    -------
    Array
        Reflectance, HxWx3 float32.
    """
    codes = np.full((*shape, 3), 128, np.uint8)
    largest, smallest = LEAF_SIZES[0] * shape[0], LEAF_SIZES[1]
    shares = np.sort(rng.random(int(LEAVES_PER_MP * shape[0] * shape[1] / 1e6) + 200))
    for radius in 1 / (1 / largest + shares * (1 / smallest - 1 / largest)):
        centre = rng.uniform(0, shape[1]), rng.uniform(0, shape[0])
        axes = 2 * radius * rng.uniform(0.4, 1), 2 * radius * rng.uniform(0.4, 1)
        colour = np.clip(rng.normal(125, 50) * np.array(tint) + rng.normal(0, 15, 3), 12, 235)
        box = (centre, axes, rng.uniform(0, 180))
        cv2.ellipse(codes, box, tuple(map(float, colour)), -1, cv2.LINE_AA)
    grain = rng.integers(-GRAIN_CODES, GRAIN_CODES + 1, shape)[..., None]
    return linearise(np.clip(codes + grain, 0, 255).astype(np.uint8))


def body_with_hair(shape: Shape, hairs: int, hair_px: tuple[float, float], rng: Random) -> Array:
    """Coverage of a head-like body with waves in its outline, and bent hairs that stand off.

    Parameters
    ----------
    shape : (rows, columns)
        Size in texels; the body takes the middle, and nothing reaches the border.
    hairs : int
        Number of hairs.
    hair_px : (float, float)
        Widths of the thinnest and the thickest, in texels.
    rng : Generator
        Random numbers.

    Returns
    -------
    Array
        Coverage, HxW float32.
    """
    radius = 0.3 * min(shape)
    angle = np.linspace(0, 2 * np.pi, OUTLINE_POINTS, endpoint=False)
    reach = np.full(OUTLINE_POINTS, radius)
    for n in WAVES:
        reach += radius * rng.uniform(0.03, 0.1) / n * np.cos(n * angle + rng.uniform(0, 6))
    outline = np.array(shape) / 2 + reach[:, None] * _directions(angle) * np.array([1.2, 1])
    drawing = np.zeros((2 * shape[0], 2 * shape[1]), np.uint8)
    cv2.fillPoly(drawing, [_drawn(outline)], 255, cv2.LINE_AA, SUBPIXEL_BITS)
    part = np.linspace(0, 1, HAIR_POINTS)
    for start in rng.choice(OUTLINE_POINTS, hairs, replace=False):
        heading = angle[start] + rng.normal(0, 0.4) + rng.normal(0, 0.8) * part
        step = rng.uniform(0.15, 0.42) * radius / HAIR_POINTS
        hair = outline[start] + np.cumsum(step * _directions(heading), axis=0)
        _draw_line(drawing, hair, rng.uniform(*hair_px))
    return _halved(drawing)


def _directions(angle: Doubles) -> Doubles:
    """Unit vectors (y, x), n x 2."""
    return np.stack([np.sin(angle), np.cos(angle)], axis=1)


def _draw_line(drawing: Codes, points: Doubles, width: float) -> None:
    """Draw a line through points (y, x) on a drawing of twice the size."""
    thick = max(round(2 * width), 1)
    cv2.polylines(drawing, [_drawn(points)], False, 255, thick, cv2.LINE_AA, SUBPIXEL_BITS)


def ball(shape: Shape, tint: Tint) -> tuple[Array, Array]:
    """Reflectance and coverage of a smooth ball lit from the upper left, without texture.

    Parameters
    ----------
    shape : (rows, columns)
        Size in texels; the ball takes nine tenths of the smaller side.
    tint : (float, float, float)
        Its colour, linear.

    Returns
    -------
    (Array, Array)
        Reflectance HxWx3 and coverage HxW, float32.
    """
    y, x = (np.indices(shape) - (np.array(shape) - 1).reshape(2, 1, 1) / 2) / (0.45 * min(shape))
    square = x * x + y * y
    z = np.sqrt(np.maximum(1 - square, 0))
    lit = np.maximum(-0.5 * x - 0.55 * y + 0.67 * z, 0)
    shade = BALL_AMBIENT + (1 - BALL_AMBIENT) * lit
    light = np.rint(shade[..., None] * np.array(tint) * 4095) / 4095
    edge = (1 - np.sqrt(square)) * 0.45 * min(shape) + 0.5
    alpha = np.rint(np.clip(edge, 0, 1) * 255) / 255
    return light.astype(np.float32), alpha.astype(np.float32)


def blades(shape: Shape, count: int, width_px: float, rng: Random) -> Array:
    """Coverage of blades of grass that grow from below, HxW float32.

    Parameters
    ----------
    shape : (rows, columns)
        Size in texels.
    count : int
        Number of blades.
    width_px : float
        Their mean width.
    rng : Generator
        Random numbers.
    """
    drawing = np.zeros((2 * shape[0], 2 * shape[1]), np.uint8)
    along = np.linspace(0, 1, HAIR_POINTS)
    for _ in range(count):
        foot, height = rng.uniform(0, shape[1]), rng.uniform(0.3, 0.95) * shape[0]
        lean = rng.normal(0, 0.35) * height
        points = np.stack([shape[0] - along * height, foot + lean * along**2], axis=1)
        _draw_line(drawing, points, width_px * rng.uniform(0.5, 1.5))
    drawing[:2] = drawing[:, :2] = drawing[:, -2:] = 0  # a border that is covered would go on
    return _halved(drawing)


def lamps(shape: Shape, count: int, side_px: int, rng: Random) -> tuple[Array, Array]:
    """Small square lamps of several colours and powers, far apart.

    Parameters
    ----------
    shape : (rows, columns)
        Size in texels.
    count : int
        Number of lamps.
    side_px : int
        Their side.
    rng : Generator
        Random numbers.

    Returns
    -------
    (Array, Array)
        Light HxWx3, and coverage HxW, float32.
    """
    light, alpha = np.zeros((*shape, 3), np.float32), np.zeros(shape, np.float32)
    for _ in range(count):
        y, x = rng.integers(side_px, shape[0] // 2), rng.integers(side_px, shape[1] - 2 * side_px)
        colour = np.array(LAMP_COLOURS[rng.integers(len(LAMP_COLOURS))], np.float32)
        light[y : y + side_px, x : x + side_px] = np.float32(rng.uniform(0.2, 1)) * colour
        alpha[y : y + side_px, x : x + side_px] = 1
    return light, alpha


def _drawn(points: Doubles) -> npt.NDArray[np.int32]:
    """Points (y, x) in texels as OpenCV's fixed-point (x, y) on a drawing of twice the size."""
    return np.rint((points[:, ::-1] + 0.5) * 2 * (1 << SUBPIXEL_BITS)).astype(np.int32)


def _halved(drawing: Codes) -> Array:
    """Coverage from a drawing of twice the size."""
    wide = drawing.astype(np.uint16)
    quads = wide[0::2, 0::2] + wide[1::2, 0::2] + wide[0::2, 1::2] + wide[1::2, 1::2]
    return quads.astype(np.float32) / np.float32(4 * 255)
