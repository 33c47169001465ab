"""Coverage of a made subject: a body with a ragged outline, and hairs that stand off from it."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from stages.params import Array

SUPERSAMPLING = 2  # of an antialiased drawing, along each axis
SUBPIXEL_BITS = 4  # of the coordinates that OpenCV draws at
OUTLINE_POINTS = 720
RAGGED = (3, 5, 8, 13, 34)  # periods of the outline's waves
HAIR_LENGTH = (0.25, 0.6)  # of the body's radius
HAIR_POINTS = 24
NEAR_HAIR_PX = 2  # around a hair that is judged with it
Mask = npt.NDArray[np.bool_]


class Subject(NamedTuple):
    """Coverage of a subject HxW in [0, 1], and the pixels at its hairs, HxW bool."""

    alpha: Array
    strands: Mask


def hairy_subject(
    shape: tuple[int, int],
    seed: int,
    hairs: int = 60,
    centre: tuple[float, float] = (0.58, 0.5),
    radius: float = 0.27,
    hair_px: tuple[float, float] = (0.8, 2.6),
) -> Subject:
    """Draw a body and hairs.

    Parameters
    ----------
    shape : (rows, columns)
        Size of the picture, px.
    seed : int
        The same seed gives the same subject.
    hairs : int
        Number of hairs.
    centre : (y, x)
        Centre of the body, as parts of the sides.
    radius : float
        Mean radius of the body, as a part of the height.
    hair_px : (float, float)
        Widths of the thinnest and of the thickest hair.
    """
    rng = np.random.default_rng(seed)
    middle = np.array(centre) * shape
    angle = np.linspace(0, 2 * np.pi, OUTLINE_POINTS, endpoint=False)
    waves = sum(
        rng.uniform(0.5, 1) * 0.22 / n**0.8 * np.cos(n * angle + rng.uniform(0, 6.3))
        for n in RAGGED
    )
    reach = radius * shape[0] * (1 + waves)
    outline = middle + reach[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    body, whole = _empty(shape), _empty(shape)
    for canvas in (body, whole):
        cv2.fillPoly(canvas, [_drawn(outline)], 255, cv2.LINE_AA, SUBPIXEL_BITS)
    for start in rng.choice(OUTLINE_POINTS, hairs, replace=False):
        hair = _hair(outline[start], angle[start], radius * shape[0], rng)
        width = max(round(rng.uniform(*hair_px) * SUPERSAMPLING), 1)
        cv2.polylines(whole, [_drawn(hair)], False, 255, width, cv2.LINE_AA, SUBPIXEL_BITS)
    alpha, inside = _reduced(whole), _reduced(body)
    stray = (alpha > 0) & (inside == 0)
    return Subject(alpha, _grown(stray) & ~_grown(inside > 0))


def _hair(
    root: npt.NDArray[np.float64], angle: float, length_px: float, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Points (y, x) of a bent hair that begins below the outline and leads outwards."""
    heading = angle + rng.normal(0, 0.35)
    bend = rng.normal(0, 0.7)
    along = np.linspace(-0.05, rng.uniform(*HAIR_LENGTH), HAIR_POINTS) * length_px
    turned = heading + bend * np.linspace(0, 1, HAIR_POINTS)
    steps = np.diff(along, prepend=along[0])[:, None]
    first = root + along[0] * np.array([np.sin(heading), np.cos(heading)])
    return first + np.cumsum(steps * np.stack([np.sin(turned), np.cos(turned)], axis=1), axis=0)


def _empty(shape: tuple[int, int]) -> npt.NDArray[np.uint8]:
    return np.zeros((shape[0] * SUPERSAMPLING, shape[1] * SUPERSAMPLING), np.uint8)


def _drawn(points: npt.NDArray[np.float64]) -> npt.NDArray[np.int32]:
    """Points (y, x) in px as OpenCV's fixed-point (x, y) on the drawing."""
    scale = SUPERSAMPLING * (1 << SUBPIXEL_BITS)
    return np.rint((points[:, ::-1] + 0.5) * scale).astype(np.int32)


def _reduced(drawing: npt.NDArray[np.uint8]) -> Array:
    rows, cols = (n // SUPERSAMPLING for n in drawing.shape)
    small = cv2.resize(drawing, (cols, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32) / 255


def _grown(mask: Mask) -> Mask:
    side = 2 * NEAR_HAIR_PX + 1
    return cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
