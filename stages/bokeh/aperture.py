"""Shape of the aperture: a disk, a polygon of blades, and the cat's eye towards the corners.

A shape is defined by its gauge function: the radius at which the outline passes through an offset.
The gauge of a disk is the distance. The gauge of a regular polygon is the largest projection of the
offset on the normals of its sides. The gauge of curved blades is a weighted sum of the two. Every
outline has the area of the disk of the same radius, so that exposure and strength of the blur do
not depend on the shape.

Towards the corners of the picture, the lens barrel clips the aperture from both sides (optical
vignetting, "cat's eye"). The clipped shape is the intersection with two disks that are shifted by
opposite offsets, so its centre does not move.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.kernels import apart, f32, record, writes
from stages.params import Array

Doubles = npt.NDArray[np.float64]

MIN_BLADES = 5  # corners of a triangle or square would exceed the halo of the layers
DIRECTIONS = 3600  # samples of the angle in integrals of the area
NEAR_PX = 2.0  # the gauge of closer offsets is >= distance: radius 1/2 px must be the identity
PIECE = 8  # cells of a coarse layer along both axes over which the cat's eye is constant
TILE_PIECE = 16  # px at full resolution, likewise; more, because the disks are small there
CUTS = 65  # entries of the table of clipped areas


class Outline(NamedTuple):
    """Outline of an aperture in the middle of the picture.

    Attributes
    ----------
    blades : int
        Number of blades; fewer than MIN_BLADES mean a disk.
    rotation_deg : float
        Rotation of the blades, in degrees.
    curvature : float
        Curvature of the blades, in [0, 1]: 0 is a polygon, 1 a disk.
    """

    blades: int = 0
    rotation_deg: float = 0.0
    curvature: float = 0.0

    @property
    def is_round(self) -> bool:
        """Whether the outline is a disk."""
        return self.blades < MIN_BLADES or self.curvature == 1


ROUND = Outline()


class Lens(NamedTuple):
    """Aperture on a grid, as arrays for the kernels; see `gauge` and `cut`.

    Attributes
    ----------
    sides : Array
        Scaled normal (y, x) of each side, n x 2 float32; no rows for a disk.
    facts : Array
        Five float32 values: weight of the round part of the gauge; largest distance of the outline
        from the centre, in radii; centre of the picture (y, x) in cells; strength of the cat's eye
        per cell of distance from that centre.
    areas : Array
        Fraction of the area that is left after clipping, CUTS float32 values for strengths of the
        cat's eye from 0 to 1.
    """

    sides: Array
    facts: Array
    areas: Array


LENS = record(Lens, writes(f32, 2), writes(f32, 1), writes(f32, 1))


@lru_cache(maxsize=16)
def _sides(outline: Outline) -> tuple[Doubles, float]:
    """Normals of the sides and weight of the round part, scaled to the area of the unit disk."""
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
    """Unit vectors (y, x) in DIRECTIONS equally spaced directions."""
    angles = (np.arange(DIRECTIONS) + 0.5) * (2 * np.pi / DIRECTIONS)
    return np.sin(angles), np.cos(angles)


def _gauge(dy: Doubles, dx: Doubles, sides: Doubles, round_part: float) -> Doubles:
    """Gauge of offsets, as `gauge` computes it in kernels."""
    projection = np.zeros(np.broadcast_shapes(dy.shape, dx.shape))
    for side in sides:
        projection = np.maximum(projection, dy * side[0] + dx * side[1])
    return np.asarray(projection + round_part * np.hypot(dy, dx), np.float64)


def gauges(dy: npt.NDArray[np.number], dx: npt.NDArray[np.number], outline: Outline) -> Doubles:
    """Gauge of offsets: the radius at which an outline passes through each of them.

    Parameters
    ----------
    dy, dx : array of numbers
        Offsets from the centre in px, of shapes that broadcast.
    outline : Outline
        The shape.

    Returns
    -------
    array of float64
        Radius in px, >= 0, of the broadcast shape.
    """
    distance = np.asarray(np.hypot(dy, dx), np.float64)
    if outline.is_round:
        return distance
    radius = _gauge(np.asarray(dy, np.float64), np.asarray(dx, np.float64), *_sides(outline))
    near = distance < NEAR_PX
    radius[near] = np.maximum(radius[near], distance[near])
    return radius


@lru_cache(maxsize=16)
def stretch(outline: Outline) -> float:
    """Largest distance of an outline from its centre, in radii; 1 for a disk."""
    return float(1 / _gauge(*_directions(), *_sides(outline)).min())


@lru_cache(maxsize=16)
def _areas(outline: Outline) -> Array:
    """Fraction of the area left after clipping, for strengths k / (CUTS - 1); at least 1 %."""
    dy, dx = _directions()
    around = _gauge(dy, dx, *_sides(outline))
    fractions = []
    for strength in np.minimum(np.arange(CUTS) / (CUTS - 1), 0.99):
        along, rest = np.abs(strength * dx), 1 - strength * strength
        cutting = (along + np.sqrt(along * along + rest)) / rest / stretch(outline)
        fractions.append(np.mean(np.maximum(around, cutting) ** -2.0))
    return np.asarray(np.maximum(fractions, 0.01), np.float32)


def lens_on(outline: Outline, cats_eye: float, shape: tuple[int, int], step: int = 1) -> Lens:
    """Aperture on a grid of cells over a picture.

    Parameters
    ----------
    outline : Outline
        Shape in the middle of the picture.
    cats_eye : float
        Strength of the cat's eye in the corners, in [0, 1].
    shape : (int, int)
        Rows and columns of the picture, in px.
    step : int
        Side of a cell in px.

    Returns
    -------
    Lens
        Arrays for the kernels, in units of the grid.
    """
    sides, round_part = _sides(outline)
    middle = (np.array(shape) / step - 1) / 2
    per_unit = cats_eye / max(float(np.hypot(*middle)), 1.0)
    facts = [round_part, stretch(outline), *middle, per_unit]
    return Lens(sides.astype(np.float32), np.array(facts, np.float32), _areas(outline))


@apart
def gauge(dy, dx, sides, round_part):  # type: ignore[no-untyped-def]
    """Radius at which the outline passes through an offset."""
    projection = np.float32(0)
    for k in range(sides.shape[0]):
        projection = max(projection, dy * sides[k, 0] + dx * sides[k, 1])
    return projection + round_part * np.sqrt(dy * dy + dx * dx)


@apart
def cut(dy, dx, facts, down, across):  # type: ignore[no-untyped-def]
    """Radius from which the lens barrel no longer clips an offset.

    `down` and `across` are the position in the picture relative to its centre, in cells.
    """
    along = abs(dy * down + dx * across) * facts[4]
    rest = np.float32(1) - (down * down + across * across) * facts[4] * facts[4]
    distance = dy * dy + dx * dx
    return (along + np.sqrt(along * along + rest * distance)) / (rest * facts[1])


@apart
def area_left(facts, areas, down, across):  # type: ignore[no-untyped-def]
    """Fraction of the area that is left after clipping, at a position as of `cut`."""
    strength = np.sqrt(down * down + across * across) * facts[4] * np.float32(CUTS - 1)
    lower = np.int64(min(strength, np.float32(CUTS - 2)))
    return areas[lower] + (strength - np.float32(lower)) * (areas[lower + 1] - areas[lower])


@apart
def aim(places, distances, slope, facts, areas, y, x, own):  # type: ignore[no-untyped-def]
    """Write the distances of offsets in the clipped aperture at cell (y, x) to `own`.

    `distances` are those of the unclipped aperture, in cells * slope. Returns the reciprocal of the
    fraction of the area that is left, by which weights are scaled.
    """
    down, across = np.float32(y) - facts[2], np.float32(x) - facts[3]
    for k in range(distances.size):
        cutting = slope * cut(places[k, 0], places[k, 1], facts, down, across)
        own[k] = max(distances[k], cutting)
    return np.float32(1) / area_left(facts, areas, down, across)
