"""Pixels with two surfaces: the representation of outlines for the renderer.

Along an outline, a pixel of a photograph mixes the light of two surfaces, I = a F + (1 - a) B. Here
a is the coverage of the near surface F, which is in front of the far surface B. Each surface has
its own radius. The far surface extends behind the near one, also where it is hidden (a = 1). All
other pixels have one surface.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stages.arrays import lazy_zeros
from stages.bokeh.checks import check_radius
from stages.kernels import f32, i64, kernel, reads, writes
from stages.kinds import LinearLight, Radius
from stages.params import Array
from stages.strips import run_strips

SEEN = 0.5  # share of a pixel above which the far surface is the visible one


class Surfaces(NamedTuple):
    """The near surface of each pixel, and the far surface in a band along outlines.

    The last three arrays are 0 outside the band, which is where `far` is positive. They are empty
    if there are no outlines.

    Attributes
    ----------
    near : Array
        Radius of the near surface in px, HxW float32; negative in front of the focus.
    far : Array
        Radius of the far surface in px, HxW float32, >= 0.
    far_share : Array
        Share 1 - a of the far surface, HxW float32 in [0, 1].
    far_light : Array
        Linear light B of the far surface, HxWx3 float32.
    """

    near: Array
    far: Array
    far_share: Array
    far_light: Array

    @classmethod
    def single(cls, radius: Array) -> Surfaces:
        """Surfaces of a picture without outlines.

        Parameters
        ----------
        radius : Array
            Disk radius in px, HxW float32; negative in front of the focus.

        Returns
        -------
        Surfaces
            `near` is `radius` itself; the other arrays are empty.
        """
        none = np.empty((0, 0), np.float32)
        return cls(radius, none, none, np.empty((0, 0, 0), np.float32))

    @property
    def has_outlines(self) -> bool:
        """Whether any pixel has two surfaces."""
        return self.far.size > 0


def seen_radius(surfaces: Surfaces) -> Radius:
    """Radius of the surface that has the larger share of each pixel.

    Parameters
    ----------
    surfaces : Surfaces
        Surfaces of a picture.

    Returns
    -------
    Array
        Radius in px, HxW float32; `surfaces.near` itself if there are no outlines.
    """
    if not surfaces.has_outlines:
        return surfaces.near
    near, far, share = surfaces.near, surfaces.far, surfaces.far_share
    out = np.empty_like(near)

    def strip(start: int, stop: int) -> None:
        rows = slice(start, stop)
        out[rows] = near[rows]
        np.copyto(out[rows], far[rows], where=share[rows] > SEEN)

    run_strips(strip, len(out))
    return out


def relit(surfaces: Surfaces, linear: LinearLight, light: LinearLight) -> Surfaces:
    """Surfaces of a picture after the recovery of clipped highlights.

    If the far surface has the larger share of a pixel, the added light is attributed to it,
    otherwise to the near surface.

    Parameters
    ----------
    surfaces : Surfaces
        Surfaces of the picture before the recovery.
    linear, light : Array
        Linear light before and after the recovery, HxWx3 float32; may exceed 1.

    Returns
    -------
    Surfaces
        Surfaces with the new light; `surfaces` itself if `light` is `linear` or if there are no
        outlines.
    """
    if light is linear or not surfaces.has_outlines:
        return surfaces
    far_light = lazy_zeros(surfaces.far_light.shape)
    sources = (np.ascontiguousarray(a) for a in (*surfaces[1:], linear, light))
    planes = tuple(sources)
    run_strips(lambda start, stop: _relight(*planes, start, stop, far_light), len(far_light))
    return surfaces._replace(far_light=far_light)


@kernel(
    reads(f32, 2), reads(f32, 2), reads(f32, 3), reads(f32, 3), reads(f32, 3), i64, i64,
    writes(f32, 3),
    seldom=True,
)  # fmt: skip
def _relight(far, share, far_light, before, after, start, stop, out):  # type: ignore[no-untyped-def]
    """Add the gain of each pixel, divided by `share`, to the far light in rows [start, stop)."""
    for y in range(start, stop):
        for x in range(share.shape[1]):
            if far[y, x] == np.float32(0):
                continue
            if share[y, x] > np.float32(SEEN):
                for c in range(3):
                    gained = after[y, x, c] - before[y, x, c]
                    out[y, x, c] = far_light[y, x, c] + gained / share[y, x]
            else:
                for c in range(3):
                    out[y, x, c] = far_light[y, x, c]


def check_surfaces(stage: str, surfaces: Surfaces, shape: tuple[int, int]) -> None:
    """Raise an error if surfaces do not match a picture.

    Parameters
    ----------
    stage : str
        Name of the stage, for the message.
    surfaces : Surfaces
        Surfaces to check.
    shape : (int, int)
        Height and width of the picture.

    Raises
    ------
    ValueError
        If a radius is not HxW float32 within its limits, or if a plane has another size.
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
