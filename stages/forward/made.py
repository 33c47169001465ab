"""Scenery made from nothing, by name: what people photograph, at distances that are known.

Sizes are those of real things. Textures are fine enough for a phone's frame 1280 px wide.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from stages.forward.motion import swing
from stages.forward.scenery import Scenery, Surface
from stages.forward.textures import Random, Tint, ball, blades, body_with_hair, dead_leaves, lamps

TEXELS_PER_RAD = 1100.0  # of a texture at its distance; 1280 px over 71 degrees are 900 px a rad
FIELD = (1.0, 1.7)  # height and width of a background over its distance: more than the view
HEAD_M, BALL_M = 0.26, 0.12  # heights of subjects
LARGEST_SHARE = 0.6  # height of a subject over its distance at most, so that it is seen in whole
LAMP_LUX = 200_000.0  # light level at which a white surface is as bright as a small lamp
LAMP_TEXELS = 1
SWING_M, SWING_S = 0.15, 3.0  # amplitude and period of what moves
SKIN = (0.55, 0.36, 0.27)
DAYLIGHT, TUNGSTEN = (1.0, 1.0, 1.0), (1.55, 1.0, 0.5)


class Parts(NamedTuple):
    """Surfaces from back to front, and the index of the subject."""

    surfaces: tuple[Surface, ...]
    subject: int


class Detail(NamedTuple):
    """Fineness of textures in texels per radian, and random numbers."""

    texels_per_rad: float
    rng: Random

    def texels(self, usual: float) -> float:
        """A width in texels that is given for the usual fineness."""
        return usual * self.texels_per_rad / TEXELS_PER_RAD


class Kind(NamedTuple):
    """A made scenery: what it is, its usual light, and what makes it from two distances."""

    summary: str
    lux: float
    illuminant: tuple[float, float, float]
    parts: Callable[[float, float, Detail], Parts]


def make_scenery(
    name: str,
    *,
    subject_m: float = 1.0,
    background_m: float = 6.0,
    lux: float | Callable[[float], float] | None = None,
    seed: int = 0,
    texels_per_rad: float = TEXELS_PER_RAD,
) -> Scenery:
    """Make a scenery.

    Parameters
    ----------
    name : str
        One of `SCENERIES`.
    subject_m, background_m : float
        Distances of subject and background.
    lux : float, callable or None
        Light level, or that by the time in s; None: usual for the scenery.
    seed : int
        Of all textures and outlines.
    texels_per_rad : float
        Fineness of textures: at least 1.2 times the focal length of the camera in px.

    Returns
    -------
    Scenery
        Surfaces from back to front.

    Raises
    ------
    ValueError
        If there is none of this name, or distances do not fit.
    """
    if name not in SCENERIES:
        raise ValueError(f"scenery: expected one of {', '.join(SCENERIES)}; got {name!r}")
    if not 0.05 <= subject_m < background_m:
        raise ValueError(
            f"scenery: expected 0.05 m <= subject_m < background_m; got {subject_m}, {background_m}"
        )
    kind = SCENERIES[name]
    detail = Detail(texels_per_rad, np.random.default_rng([seed, *name.encode()]))
    surfaces, subject = kind.parts(subject_m, background_m, detail)
    level = kind.lux if lux is None else lux
    return Scenery(
        name=name,
        surfaces=surfaces,
        subject=subject,
        lux=level if callable(level) else lambda time_s: level,
        illuminant=kind.illuminant,
    )


def backdrop(distance_m: float, tint: Tint, detail: Detail) -> Surface:
    """A textured wall that fills the view.

    Parameters
    ----------
    distance_m : float
        Of the wall.
    tint : (float, float, float)
        Its colour.
    detail : Detail
        Fineness and random numbers.
    """
    shape = int(FIELD[0] * detail.texels_per_rad), int(FIELD[1] * detail.texels_per_rad)
    return Surface(
        light=dead_leaves(shape, tint, detail.rng),
        alpha=np.ones(shape, np.float32),
        distance_m=distance_m,
        texel_m=distance_m / detail.texels_per_rad,
    )


def _head(distance_m: float, detail: Detail) -> Surface:
    """A textured head with hairs."""
    height_m = min(HEAD_M, LARGEST_SHARE * distance_m)
    side = max(int(1.6 * height_m / distance_m * detail.texels_per_rad), 64)
    return Surface(
        light=dead_leaves((side, side), (1.1, 0.95, 0.85), detail.rng),
        alpha=body_with_hair(
            (side, side), 50, (detail.texels(0.8), detail.texels(2.6)), detail.rng
        ),
        distance_m=distance_m,
        texel_m=1.6 * height_m / side,
    )


def _ball(distance_m: float, detail: Detail, centre_m: tuple[float, float]) -> Surface:
    """A smooth ball like skin."""
    diameter_m = min(BALL_M, LARGEST_SHARE * distance_m)
    side = max(int(diameter_m / 0.9 / distance_m * detail.texels_per_rad), 64)
    light, alpha = ball((side, side), SKIN)
    texel_m = diameter_m / 0.9 / side
    return Surface(
        light=light, alpha=alpha, distance_m=distance_m, texel_m=texel_m, centre_m=centre_m
    )


def _grass(distance_m: float, below: float, detail: Detail) -> Surface:
    """Blades of grass along the lower border; `below` is their place over the distance."""
    shape = int(0.4 * detail.texels_per_rad), int(FIELD[1] * detail.texels_per_rad)
    return Surface(
        light=dead_leaves(shape, (0.7, 1.1, 0.5), detail.rng),
        alpha=blades(shape, 60, detail.texels(8), detail.rng),
        distance_m=distance_m,
        texel_m=distance_m / detail.texels_per_rad,
        centre_m=(0.0, below * distance_m),
    )


def _portrait(subject_m: float, background_m: float, detail: Detail) -> Parts:
    wall = backdrop(background_m, (0.8, 1.0, 0.9), detail)
    grass = _grass((subject_m * background_m) ** 0.5, 0.3, detail)
    return Parts((wall, grass, _head(subject_m, detail)), 2)


def _still_life(subject_m: float, background_m: float, detail: Detail) -> Parts:
    wall = backdrop(background_m, (1.0, 0.95, 0.85), detail)
    smooth = _ball(1.25 * subject_m, detail, (0.5 * subject_m, 0.05 * subject_m))
    front = _grass(0.8 * subject_m, 0.45, detail)
    surfaces = [wall, smooth, _head(subject_m, detail), front]
    surfaces.sort(key=lambda surface: -surface.distance_m)
    return Parts(tuple(surfaces), 2)


def _night(subject_m: float, background_m: float, detail: Detail) -> Parts:
    wall = backdrop(background_m, (0.8, 0.8, 1.0), detail)
    light, alpha = lamps(
        wall.alpha.shape, 40, max(round(detail.texels(LAMP_TEXELS)), 1), detail.rng
    )
    lights = Surface(
        light=light,
        alpha=alpha,
        distance_m=background_m,
        texel_m=wall.texel_m,
        own_lux=LAMP_LUX,
    )
    return Parts((wall, lights, _head(subject_m, detail)), 2)


def _swing(subject_m: float, background_m: float, detail: Detail) -> Parts:
    wall = backdrop(background_m, (0.8, 1.0, 0.9), detail)
    moving = replace(_head(subject_m, detail), moves=swing(SWING_M * subject_m, SWING_S))
    return Parts((wall, moving), 1)


def _wall(subject_m: float, background_m: float, detail: Detail) -> Parts:
    return Parts((backdrop(subject_m, (1.0, 1.0, 1.0), detail),), 0)


SCENERIES = {
    "portrait": Kind("a head with hair, grass behind it, and a wall", 500.0, DAYLIGHT, _portrait),
    "still-life": Kind(
        "a textured thing beside a smooth ball, grass before them, and a wall",
        150.0, TUNGSTEN, _still_life,
    ),
    "night": Kind("a head before a dim wall with lamps", 8.0, TUNGSTEN, _night),
    "swing": Kind("a head that swings to the side and back before a wall", 300.0, DAYLIGHT, _swing),
    "wall": Kind("a textured wall alone: nothing to blur", 500.0, DAYLIGHT, _wall),
}  # fmt: skip
