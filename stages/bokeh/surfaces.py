"""Two surfaces in one pixel: what the renderer knows of an outline.

Along an outline a pixel of a photograph holds light of two surfaces: I = a F + (1 - a) B, with the
coverage a of the near surface F before the far one B. The far surface goes on behind the near one,
where nothing of it is seen (a = 1), and each surface has a radius of its own. All other pixels have
one surface.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stages.bokeh.checks import check_radius
from stages.kernels import f32, i64, kernel, reads, writes
from stages.kinds import LinearLight, Radius
from stages.params import Array
from stages.strips import run_strips

SEEN = 0.5  # share of a pixel from which on its surface is the one that is seen


class Surfaces(NamedTuple):
    """Radius of the near surface of each pixel, and the far surface in a band along outlines.

    Radii are in px, HxW float32 (`near` may be below 0 in front of the focus). `far` is 0 where
    there is one surface only. `far_share` is 1 - a, HxW float32 in [0, 1], and `far_light` is B,
    linear, HxWx3 float32; both are 0 outside the band, and empty where there is no outline at all.
    """

    near: Array
    far: Array
    far_share: Array
    far_light: Array

    @classmethod
    def single(cls, radius: Array) -> Surfaces:
        """Surfaces of a picture without outlines."""
        none = np.empty((0, 0), np.float32)
        return cls(radius, none, none, np.empty((0, 0, 0), np.float32))

    @property
    def has_outlines(self) -> bool:
        """Whether any pixel has two surfaces."""
        return self.far.size > 0


def seen_radius(surfaces: Surfaces) -> Radius:
    """Radius of the surface that has the larger part in each pixel, px, HxW float32."""
    if not surfaces.has_outlines:
        return surfaces.near
    return np.where(surfaces.far_share > SEEN, surfaces.far, surfaces.near)


def relit(surfaces: Surfaces, linear: LinearLight, light: LinearLight) -> Surfaces:
    """Surfaces of a picture whose highlights were given light back.

    Parameters
    ----------
    surfaces : Surfaces
        Of the picture before.
    linear, light : Array
        The picture before and after, HxWx3 float32. What was added to a pixel of which the far
        surface has the larger part is that surface's.

    Returns
    -------
    Surfaces
        `surfaces` itself where nothing was added.
    """
    if light is linear or not surfaces.has_outlines:
        return surfaces
    far_light = np.zeros(surfaces.far_light.shape, np.float32)
    sources = (np.ascontiguousarray(a) for a in (*surfaces[2:], linear, light))
    planes = tuple(sources)
    run_strips(lambda start, stop: _relight(*planes, start, stop, far_light), len(far_light))
    return surfaces._replace(far_light=far_light)


@kernel(
    reads(f32, 2), reads(f32, 3), reads(f32, 3), reads(f32, 3), i64, i64, writes(f32, 3)
)  # fmt: skip
def _relight(share, far_light, before, after, start, stop, out):  # type: ignore[no-untyped-def]
    """Rows [start, stop): add what a pixel gained to its far surface, by its share."""
    for y in range(start, stop):
        for x in range(share.shape[1]):
            if share[y, x] > np.float32(SEEN):
                for c in range(3):
                    gained = after[y, x, c] - before[y, x, c]
                    out[y, x, c] = far_light[y, x, c] + gained / share[y, x]
            else:
                for c in range(3):
                    out[y, x, c] = far_light[y, x, c]


def check_surfaces(stage: str, surfaces: Surfaces, shape: tuple[int, int]) -> None:
    """Refuse surfaces that do not belong to a picture of some shape.

    Raises
    ------
    ValueError
        If radii are not HxW float32 within the limits, or a plane has another size.
    """
    check_radius(stage, surfaces.near, signed=True)
    planes = (surfaces.near, *((surfaces.far, surfaces.far_share) if surfaces.has_outlines else ()))
    for plane in planes:
        if plane.shape != shape:
            raise ValueError(
                f"{stage}: surfaces must have the size of the picture, {shape}; got {plane.shape}"
            )
    if surfaces.has_outlines:
        check_radius(stage, surfaces.far)
