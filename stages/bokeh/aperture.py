"""The shape of the aperture: a disk, blades, and the cat's eye towards the corners.

A shape is given by its gauge: the radius at which its outline reaches an offset. The disk's gauge
is the distance; blades make a polygon, whose gauge is the largest projection on the normals of its
sides; curved blades mix the two. Every outline has the area of the disk of the same radius, so
that exposure and strength do not change. Towards the corners the barrel of a lens cuts the shape
from both sides: the intersection with two disks moved apart, which keeps the centre of a
highlight in its place.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.kernels import apart
from stages.params import Array

Doubles = npt.NDArray[np.float64]

FEWEST_BLADES = 5  # fewer would reach further than the layers allow for
DIRECTIONS = 3600  # over which areas are integrated
NEAR_PX = 2.0  # offsets below keep at least their distance: the kernel is the identity at 1/2 px
PIECE = 8  # cells of a coarse layer, along both axes, that are cut alike
TILE_PIECE = 16  # px at full resolution, likewise; its disks are small
CUTS = 65  # entries of the table of areas that the cat's eye leaves


class Outline(NamedTuple):
    """Blades of an aperture (fewer than FEWEST_BLADES: a disk), their rotation and curvature."""

    blades: int = 0
    rotation_deg: float = 0.0
    curvature: float = 0.0

    @property
    def is_round(self) -> bool:
        """Whether this is the disk."""
        return self.blades < FEWEST_BLADES or self.curvature == 1


ROUND = Outline()


class Lens(NamedTuple):
    """What kernels need to know of an aperture on some grid; see `gauge` and `cut`.

    `sides` has a row (y, x) per blade, scaled; `facts` are the round part, the reach beyond the
    radius, the middle of the picture (y, x) and the cat's eye per unit of the grid away from it.
    `areas` is the part of the area that cats' eyes of 0 to 1 leave.
    """

    sides: Array
    facts: Array
    areas: Array


@lru_cache(maxsize=16)
def _sides(outline: Outline) -> tuple[Doubles, float]:
    """Scaled normals of the sides, and the scaled round part, of an outline of the disk's area."""
    if outline.is_round:
        return np.zeros((0, 2)), 1.0
    step = 2 * np.pi / outline.blades
    angles = np.deg2rad(outline.rotation_deg) + step * (np.arange(outline.blades) + 0.5)
    normals = np.stack([np.sin(angles), np.cos(angles)], axis=1)
    sides = (1 - outline.curvature) / np.cos(step / 2) * normals
    around = _gauge(*_directions(), sides, outline.curvature)
    scale = float(np.sqrt(np.mean(around**-2.0)))
    return scale * sides, scale * outline.curvature


def _directions() -> tuple[Doubles, Doubles]:
    angles = (np.arange(DIRECTIONS) + 0.5) * (2 * np.pi / DIRECTIONS)
    return np.sin(angles), np.cos(angles)


def _gauge(dy: Doubles, dx: Doubles, sides: Doubles, round_part: float) -> Doubles:
    most = np.zeros(np.broadcast_shapes(dy.shape, dx.shape))
    for side in sides:
        most = np.maximum(most, dy * side[0] + dx * side[1])
    return np.asarray(most + round_part * np.hypot(dy, dx), np.float64)


def gauges(dy: npt.NDArray[np.number], dx: npt.NDArray[np.number], outline: Outline) -> Doubles:
    """Radius at which an outline reaches each offset, px."""
    distance = np.asarray(np.hypot(dy, dx), np.float64)
    if outline.is_round:
        return distance
    found = _gauge(np.asarray(dy, np.float64), np.asarray(dx, np.float64), *_sides(outline))
    near = distance < NEAR_PX
    found[near] = np.maximum(found[near], distance[near])
    return found


@lru_cache(maxsize=16)
def stretch(outline: Outline) -> float:
    """How far the corners of an outline reach, in radii."""
    return float(1 / _gauge(*_directions(), *_sides(outline)).min())


@lru_cache(maxsize=16)
def _areas(outline: Outline) -> Array:
    """Part of the area that a cat's eye of each strength k / (CUTS - 1) leaves, at least 1 %."""
    dy, dx = _directions()
    around = _gauge(dy, dx, *_sides(outline))
    left = []
    for strength in np.minimum(np.arange(CUTS) / (CUTS - 1), 0.99):
        along, rest = np.abs(strength * dx), 1 - strength * strength
        cutting = (along + np.sqrt(along * along + rest)) / rest / stretch(outline)
        left.append(np.mean(np.maximum(around, cutting) ** -2.0))
    return np.asarray(np.maximum(left, 0.01), np.float32)


def lens_on(outline: Outline, cats_eye: float, shape: tuple[int, int], step: int = 1) -> Lens:
    """Aperture over a picture of some shape, for a grid of cells of `step` pixels."""
    sides, round_part = _sides(outline)
    middle = (np.array(shape) / step - 1) / 2
    per_unit = cats_eye / max(float(np.hypot(*middle)), 1.0)
    facts = [round_part, stretch(outline), *middle, per_unit]
    return Lens(sides.astype(np.float32), np.array(facts, np.float32), _areas(outline))


@apart
def gauge(dy, dx, sides, round_part):  # type: ignore[no-untyped-def]
    """Radius at which the outline reaches an offset."""
    most = np.float32(0)
    for k in range(sides.shape[0]):
        most = max(most, dy * sides[k, 0] + dx * sides[k, 1])
    return most + round_part * np.sqrt(dy * dy + dx * dx)


@apart
def cut(dy, dx, facts, down, across):  # type: ignore[no-untyped-def]
    """Radius at which the barrel lets through an offset, for a place given from the middle."""
    along = abs(dy * down + dx * across) * facts[4]
    rest = np.float32(1) - (down * down + across * across) * facts[4] * facts[4]
    distance = dy * dy + dx * dx
    return (along + np.sqrt(along * along + rest * distance)) / (rest * facts[1])


@apart
def area_left(facts, areas, down, across):  # type: ignore[no-untyped-def]
    """Part of its area that a shape keeps at a place given from the middle."""
    strength = np.sqrt(down * down + across * across) * facts[4] * np.float32(CUTS - 1)
    lower = np.int64(min(strength, np.float32(CUTS - 2)))
    return areas[lower] + (strength - np.float32(lower)) * (areas[lower + 1] - areas[lower])


@apart
def aim(places, distances, slope, facts, areas, y, x, own):  # type: ignore[no-untyped-def]
    """Cut the distances (px * slope) of offsets as at a place of the grid; returns 1 / area."""
    down, across = np.float32(y) - facts[2], np.float32(x) - facts[3]
    for k in range(distances.size):
        cutting = slope * cut(places[k, 0], places[k, 1], facts, down, across)
        own[k] = max(distances[k], cutting)
    return np.float32(1) / area_left(facts, areas, down, across)
