"""Scenery: surfaces with light and coverage that stand at known distances, under a known light.

A surface is a plane that faces the camera, with a texture whose texels have a size in m. It may
have a relief: a distance for each texel. Textures hold the reflectance; the light level of the
scenery and its colour multiply it. Lamps have a light level of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from stages.forward.motion import OffsetAt
from stages.params import Array

NEAREST_M = 0.01  # a surface that is nearer than this, or behind the camera, is not seen
MIN_SIDE = 8  # texels; no coarser level of a texture


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Surface:
    """A plane that faces the camera.

    Attributes
    ----------
    light : Array
        Reflectance, linear, HxWx3 float32; of lamps more than 1.
    alpha : Array
        Coverage, HxW float32 in [0, 1]. What covers the border of the texture goes on beyond it.
    distance_m : float
        From the origin of the scenery, where `Pose()` stands.
    texel_m : float
        Side of a texel.
    centre_m : (float, float)
        Place of the middle of the texture: to the right and down from the axis.
    own_lux : float or None
        Light level of a lamp; None: that of the scenery.
    moves : callable or None
        Offset from its place by the time in s.
    relief_m : Array or None
        Distance of each texel, HxW float32, for `photograph_exactly`; None: that of the plane.
    """

    light: Array
    alpha: Array
    distance_m: float
    texel_m: float
    centre_m: tuple[float, float] = (0.0, 0.0)
    own_lux: float | None = None
    moves: OffsetAt | None = None
    relief_m: Array | None = None

    def __post_init__(self) -> None:
        shape = self.alpha.shape
        if self.light.shape != (*shape, 3) or {self.light.dtype, self.alpha.dtype} != {
            np.dtype(np.float32)
        }:
            raise ValueError(
                f"scenery: light must be HxWx3 and alpha HxW float32; got {self.light.shape} "
                f"{self.light.dtype} and {shape} {self.alpha.dtype}"
            )
        if min(shape) < MIN_SIDE or not (self.distance_m > 0 and self.texel_m > 0):
            raise ValueError(
                f"scenery: a surface needs {MIN_SIDE} texels along each axis, and distance_m and "
                f"texel_m above 0; got {shape}, {self.distance_m}, {self.texel_m}"
            )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Scenery:
    """What stands before the camera.

    Attributes
    ----------
    name : str
        For people.
    surfaces : tuple of Surface
        From back to front; the first covers the whole picture.
    subject : int
        Index of the surface that is to be sharp.
    lux : callable
        Light level by the time in s.
    illuminant : (float, float, float)
        Colour of the light in linear sRGB, 1 in green.
    """

    name: str
    surfaces: tuple[Surface, ...]
    subject: int = 0
    lux: Callable[[float], float] = field(default=lambda time_s: 500.0)
    illuminant: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @property
    def subject_m(self) -> float:
        """Distance of the subject from the origin."""
        return self.surfaces[self.subject].distance_m


class Level(NamedTuple):
    """A level of a texture: premultiplied light and coverage HxWx4, texels reduced by 2^number."""

    planes: Array
    number: int


def level_of(surface: Surface, number: int) -> Level:
    """Level of the mipmap of a surface, or the coarsest if there are fewer.

    Each level is the one before after a binomial filter along both axes, at every second texel
    (Burt and Adelson 1983). It keeps the centre of every point and adds a variance of 3/4 texel^2
    of the level before.
    """
    planes = _mipmap(surface)
    number = min(number, len(planes) - 1)
    return Level(planes[number], number)


def like_texels(surface: Surface, plane: Array) -> Array:
    """Pad a plane of a surface as level 0 of its mipmap is padded, to multiples of a coarse texel.

    Parameters
    ----------
    surface : Surface
        The surface.
    plane : Array
        HxW or HxWxC float32.
    """
    most = _coarsest(surface)
    spare = [(0, -side % 2**most) for side in surface.alpha.shape]
    padding = [*spare, (0, 0)][: plane.ndim]
    return np.ascontiguousarray(np.pad(plane, padding, mode="edge"))


def middle_of(surface: Surface, number: int) -> tuple[float, float]:
    """Place (y, x) of the middle of the texture among the texels of a level."""
    height, width = surface.alpha.shape
    return height / 2 / 2**number - 0.5, width / 2 / 2**number - 0.5


def _coarsest(surface: Surface) -> int:
    """Number of the coarsest level."""
    return int(min(surface.alpha.shape) // MIN_SIDE).bit_length() - 1


@lru_cache(maxsize=16)
def _mipmap(surface: Surface) -> tuple[Array, ...]:
    """All levels, from fine to coarse."""
    premultiplied = surface.light * surface.alpha[..., None]
    levels = [like_texels(surface, np.dstack([premultiplied, surface.alpha]))]
    for _ in range(_coarsest(surface)):
        levels.append(_halved(_halved(levels[-1], 0), 1))
    return tuple(levels)


def _halved(planes: Array, axis: int) -> Array:
    """Every second texel after the binomial filter 1 3 3 1; the border goes on."""
    padded = np.pad(planes, [(int(k == axis),) * 2 for k in range(3)], mode="edge")
    even, odd = (np.take(padded, range(k, padded.shape[axis], 2), axis) for k in (0, 1))
    count = planes.shape[axis] // 2
    first, third = (np.take(even, range(k, count + k), axis) for k in (0, 1))
    second, fourth = (np.take(odd, range(k, count + k), axis) for k in (0, 1))
    out = (first + fourth) + np.float32(3) * (second + third)
    return np.ascontiguousarray(out * np.float32(0.125))
