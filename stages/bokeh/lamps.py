"""Lamps: lights out of focus, of which a wider lens makes larger disks with an equally hard rim.

A lamp is much smaller than its blur. Blurring its disk of radius r once more gives a soft blob, not
the larger disk of a wider lens. Lamps are therefore taken out of the picture, and each is rendered
as a point with the light of its disk (`lamplight.py`). The variances of blurs add, so its radius is

    R = sqrt(r^2 + s^2),

where s is the radius that the surface of the lamp is blurred by. The light of its disk is known if
no channel is clipped. A clipped channel follows from the others and from the hue of the rim, where
the disk covers pixels in part. If all are clipped, the light is unknown: `highlights.boost` times
white, or more if the larger disk would be dim, since people expect lamps to stay bright.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.blur.balls import Balls
from stages.bokeh.checks import LARGEST_RADIUS_PX
from stages.bokeh.disk import FOCUS_PX
from stages.grid import DenseBlur
from stages.highlights import CLIPPED, HighlightsParams
from stages.kinds import LinearLight, Radius
from stages.params import Array

AGREEMENT = (0.75, 1.35)  # sigma of the map over that of a ball; beyond, it is none
CORE = 0.7  # of the radius of a ball; where its light and its blur are read
RIM_PX, RIM_SHARE = 2.0, 0.12  # width of the rim: px, plus this share of the radius
AROUND = 1.5  # radius of the surroundings over that of the ball and its rim
MIXED = (0.1, 0.8)  # share of the ball in a pixel of the rim from which its hue is read
LEAST_HUE = 0.15  # of the largest channel; a darker one does not tell the level of a clipped one
SHOWN = 0.8  # least light of a larger disk, over white, if all channels are clipped


class Lamps(NamedTuple):
    """Lamps to render, N of them.

    Attributes
    ----------
    places : Array
        Centres (y, x) in px, Nx2 float32.
    radius : Array
        Radius of the disk in the photograph, px, N float32.
    surface : Array
        Radius that the surface of the lamp is blurred by, px, N float32.
    light : Array
        Linear light of the disk in the photograph, without the surroundings, Nx3 float32.
    """

    places: Array
    radius: Array
    surface: Array
    light: Array

    def __bool__(self) -> bool:
        return len(self.radius) > 0

    @property
    def spread(self) -> Array:
        """Radius R of the larger disks in px, N float32."""
        return np.minimum(np.hypot(self.radius, self.surface), np.float32(LARGEST_RADIUS_PX))


class Window(NamedTuple):
    """Part of a picture around a lamp: where it is, and the distances from the centre in px."""

    part: tuple[slice, slice]
    distance: npt.NDArray[np.float32]


def find_lamps(
    balls: Balls,
    radius: Radius,
    blur: DenseBlur,
    linear: LinearLight,
    headroom: bool,
    params: HighlightsParams,
) -> Lamps:
    """Balls that will be blurred, and whose size fits the blur map.

    Parameters
    ----------
    balls : Balls
        Bright disks with a hard rim.
    radius : Array
        Radius of the disk of each pixel in px, HxW float32; negative in front of the focus.
    blur : BlurMap
        Dense, at full resolution; sigma in full-resolution px.
    linear : Array
        Linear light, HxWx3 float32.
    headroom : bool
        Whether the capture can hold more light than display white: then nothing is added.
    params : HighlightsParams
        Light of lamps of which all channels are clipped.

    Returns
    -------
    Lamps
        Balls in front of the focus are none.
    """
    rows = []
    taken = near_disks(balls.places, balls.radius, radius.shape) if balls else None
    for (y, x), size in zip(balls.places, balls.radius, strict=True):
        core = window(radius.shape, y, x, CORE * size)
        inside = core.distance <= CORE * size
        surface = float(np.median(radius[core.part][inside]))
        ratio = float(np.median(blur.sigma[core.part][inside])) / (size / 2)
        if surface <= FOCUS_PX or not AGREEMENT[0] <= ratio <= AGREEMENT[1]:
            continue
        around = surroundings(linear, taken, y, x, size)
        shown = core_light(linear, y, x, size)
        light = shown
        if not headroom and params.boost > 1 and shown.max() > CLIPPED:
            hue = _hue(linear, y, x, size, around, shown)
            times = (size**2 + surface**2) / size**2
            light = _recovered(shown, hue, max(params.boost, SHOWN * times))
        rows.append((y, x, size, surface, *np.maximum(light - around, 0)))
    table = np.array(rows, np.float32).reshape(-1, 7)
    return Lamps(table[:, :2], table[:, 2], table[:, 3], table[:, 4:])


def window(shape: tuple[int, ...], y: float, x: float, reach: float) -> Window:
    """Part of a picture within a square of `reach` px around a place."""
    rows, cols = (
        np.arange(max(int(centre - reach), 0), min(int(centre + reach) + 2, size))
        for centre, size in zip((y, x), shape[:2], strict=True)
    )
    away = (rows - np.float32(y))[:, None], cols - np.float32(x)
    part = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(cols[0]), int(cols[-1]) + 1)
    return Window(part, np.asarray(np.hypot(*away), np.float32))


def rim_of(size: float) -> float:
    """Width of the rim of a disk, px."""
    return float(RIM_PX + RIM_SHARE * size)


def near_disks(places: Array, radius: Array, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Mask of the pixels of disks and their rims.

    Parameters
    ----------
    places, radius : Array
        Centres (y, x), Nx2, and radii of the disks, N, in px.
    shape : tuple of int
        Shape of the picture.

    Returns
    -------
    array of bool
        HxW.
    """
    near = np.zeros(shape[:2], bool)
    for (y, x), size in zip(places, radius, strict=True):
        around = window(shape, y, x, size + rim_of(size))
        near[around.part] |= around.distance <= size + rim_of(size)
    return near


def surroundings(
    light: Array, taken: npt.NDArray[np.bool_] | None, y: float, x: float, size: float
) -> Array:
    """Median light around a disk.

    Parameters
    ----------
    light : Array
        Linear light, HxWx3 float32.
    taken : array of bool, optional
        HxW: pixels of disks, which do not count.
    y, x, size : float
        Centre and radius of the disk in px.

    Returns
    -------
    Array
        3 values.
    """
    reach = AROUND * (size + rim_of(size))
    area = window(light.shape, y, x, reach)
    ring = (area.distance <= reach) & (area.distance > size + rim_of(size))
    free = ring if taken is None else ring & ~taken[area.part]
    colours = light[area.part][free if free.any() else ring]
    return np.median(colours, axis=0) if len(colours) else np.zeros(3, np.float32)


def core_light(light: Array, y: float, x: float, size: float) -> Array:
    """Median light of a disk.

    Parameters
    ----------
    light : Array
        Linear light, HxWx3 float32.
    y, x, size : float
        Centre and radius of the disk in px.

    Returns
    -------
    Array
        3 values.
    """
    core = window(light.shape, y, x, CORE * size)
    return np.asarray(np.median(light[core.part][core.distance <= CORE * size], axis=0))


def _hue(light: Array, y: float, x: float, size: float, around: Array, shown: Array) -> Array:
    """Colour of a disk by the pixels of its rim that are not clipped; its largest channel is 1."""
    area = window(light.shape, y, x, size + rim_of(size))
    beyond = light[area.part] - around
    brightest = beyond.max(axis=2)
    low, high = (share * float((shown - around).max()) for share in MIXED)
    rim = (area.distance > size - rim_of(size)) & (area.distance <= size + rim_of(size))
    rim &= (brightest > low) & (brightest < high)
    weight = brightest * rim
    colour = np.maximum((beyond * weight[..., None]).sum(axis=(0, 1)), 0)
    colour = colour if colour.max() > 0 else shown
    return np.asarray(colour / colour.max(), np.float32)


def _recovered(shown: Array, hue: Array, unknown: float) -> Array:
    """Light of a disk of which some channels are clipped; `unknown` is the level if all are."""
    clipped = shown > CLIPPED
    telling = ~clipped & (hue > LEAST_HUE)
    level = unknown
    if telling.any():
        level = float(np.clip(np.median(shown[telling] / hue[telling]), 1, unknown))
    return np.where(clipped, np.maximum(level * hue, shown), shown)
