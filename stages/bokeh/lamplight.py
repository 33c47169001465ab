"""Rendering with lamps: the picture without them, and the larger disks added.

The disks are drawn with hard rims. A surface that is notably less blurred than that of a lamp is in
front of it. Where such surfaces hide a disk follows from the renderer itself: it renders which
share of each pixel shows far surfaces.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from stages.bokeh.aperture import area_left, cut, gauge, lens_on
from stages.bokeh.bands import BokehParams
from stages.bokeh.coarse_first import render_surfaces_preview, render_surfaces_steps
from stages.bokeh.lamps import (
    Lamps,
    core_light,
    near_disks,
    rim_of,
    surroundings,
    window,
)
from stages.bokeh.render import render_surfaces
from stages.bokeh.surfaces import Surfaces
from stages.kernels import f32, i64, kernel, reads, writes
from stages.kinds import LinearLight
from stages.params import Array, Estimate
from stages.strips import run_strips

HIDING = np.float32(0.15)  # share of a pixel inside a disk from which on it hides the disk
NEARER = (0.15, 0.4)  # radius over that of the surface of a lamp: in front of it .. as far away
REACH = 2.0  # radii of a larger disk within which surfaces can hide it


def render_lit(
    linear: LinearLight, surfaces: Surfaces, lamps: Lamps, params: BokehParams
) -> LinearLight:
    """Blur a picture, and enlarge the disks of its lamps.

    Parameters
    ----------
    linear : Array
        Linear light, HxWx3 float32; may exceed 1.
    surfaces : Surfaces
        Radii in px, and the far surface along outlines.
    lamps : Lamps
        Lamps out of focus.
    params : BokehParams
        Boundaries of the layers, and the aperture.

    Returns
    -------
    Array
        Linear light, HxWx3 float32. Without lamps it is that of `render_surfaces`.

    Raises
    ------
    ValueError
        If an input has the wrong shape, type or range.
    """
    if not lamps:
        return render_surfaces(linear, surfaces, params)
    dark, parts = without_lamps(linear, surfaces, lamps)
    return render_surfaces(dark, parts, params) + lamplight(linear, parts, lamps, params)


def render_lit_preview(
    linear: LinearLight, surfaces: Surfaces, lamps: Lamps, params: BokehParams
) -> LinearLight:
    """Render as `render_lit`, the picture at half resolution; see `render_surfaces_preview`.

    Parameters
    ----------
    linear : Array
        Linear light, HxWx3 float32; may exceed 1.
    surfaces, lamps, params
        As for `render_lit`.
    """
    if not lamps:
        return render_surfaces_preview(linear, surfaces, params)
    dark, parts = without_lamps(linear, surfaces, lamps)
    return render_surfaces_preview(dark, parts, params) + lamplight(linear, parts, lamps, params)


def render_lit_steps(
    linear: LinearLight, surfaces: Surfaces, lamps: Lamps, params: BokehParams
) -> Iterator[Estimate[LinearLight]]:
    """Render as `render_lit`, coarse first; see `render_surfaces_steps`.

    Parameters
    ----------
    linear : Array
        Linear light, HxWx3 float32; may exceed 1.
    surfaces, lamps, params
        As for `render_lit`.
    """
    if not lamps:
        yield from render_surfaces_steps(linear, surfaces, params)
        return
    dark, parts = without_lamps(linear, surfaces, lamps)
    added = lamplight(linear, parts, lamps, params)
    shown = lit = None
    for estimate in render_surfaces_steps(dark, parts, params):
        if lit is None or estimate.value is not shown:
            shown, lit = estimate.value, estimate.value + added
        yield estimate._replace(value=lit)


def without_lamps(
    linear: LinearLight, surfaces: Surfaces, lamps: Lamps
) -> tuple[LinearLight, Surfaces]:
    """Replace the disks of lamps by their surroundings.

    Parameters
    ----------
    linear : Array
        Linear light, HxWx3 float32; may exceed 1.
    surfaces : Surfaces
        Surfaces of the picture.
    lamps : Lamps
        Lamps out of focus.

    Returns
    -------
    Array, Surfaces
        Linear light and surfaces without the lamps. A pixel that the disk covers in part, at its
        rim or behind a hair, keeps its own part; hairs are surfaces in focus.
    """
    out, parts = linear.copy(), _own_planes(surfaces)
    taken = near_disks(lamps.places, lamps.radius, linear.shape)
    for k, ((y, x), size) in enumerate(zip(lamps.places, lamps.radius, strict=True)):
        around = surroundings(linear, taken, y, x, size)
        disk = core_light(linear, y, x, size) - around
        area = window(linear.shape, y, x, size + 2 * rim_of(size))
        inside = area.distance <= size - rim_of(size) / 2
        share = _share(linear[area.part], around, disk)
        for light in (out, parts.far_light):
            _take_out(light[area.part], around, disk, area.distance, size)
        _part(Surfaces(*(plane[area.part] for plane in parts)), inside, share, around,
              lamps.surface[k])  # fmt: skip
    return out, parts


def _own_planes(surfaces: Surfaces) -> Surfaces:
    """Copy of surfaces that has a second one, if only with a share of 0."""
    if surfaces.has_outlines:
        return Surfaces(*(plane.copy() for plane in surfaces))
    shape = surfaces.near.shape
    far, share = (np.zeros(shape, np.float32) for _ in range(2))
    return Surfaces(surfaces.near.copy(), far, share, np.zeros((*shape, 3), np.float32))


def _share(light: Array, around: Array, disk: Array) -> Array:
    """Share of a disk in pixels by its brightest channel; `disk` is its light beyond `around`."""
    k = int(disk.argmax())
    share = np.clip((light[..., k] - around[k]) / max(float(disk[k]), 1e-6), 0, 1)
    return np.asarray(share, np.float32)


def _take_out(light: Array, around: Array, disk: Array, distance: Array, size: float) -> None:
    """Take a disk off the light around its centre, in place."""
    rim, share = rim_of(size), _share(light, around, disk)[..., None]
    weight = np.clip((size + 2 * rim - distance) / rim, 0, 1)[..., None]
    left = np.where(share == 1, around, light - share * disk)
    light += weight * (np.maximum(left, 0) - light)


def _part(
    parts: Surfaces,
    inside: npt.NDArray[np.bool_],
    share: Array,
    around: Array,
    surface: float,
) -> None:
    """Write the surfaces inside a disk, in place: that of the lamp, and what hides it.

    The disk is even, so that what is darker is in front of it. It has fine detail, so that it is in
    focus.
    """
    hair = inside & (share < 1 - HIDING)
    parts.near[inside], parts.far[inside], parts.far_share[inside] = surface, 0, 0
    parts.far_light[inside] = 0
    parts.near[hair], parts.far[hair], parts.far_share[hair] = 0, surface, share[hair]
    parts.far_light[hair] = around


def lamplight(
    linear: LinearLight, surfaces: Surfaces, lamps: Lamps, params: BokehParams
) -> LinearLight:
    """Light of the larger disks alone, as far as nearer surfaces do not hide it.

    Parameters
    ----------
    linear : Array
        Linear light, HxWx3 float32. If it is brighter than a lamp is thought to be, its light is
        used.
    surfaces : Surfaces
        Radii in px, and the far surface along outlines.
    lamps : Lamps
        Lamps out of focus, at least one.
    params : BokehParams
        Boundaries of the layers, and the aperture.

    Returns
    -------
    Array
        Linear light, HxWx3 float32; 0 away from the disks.
    """
    taken, spread = near_disks(lamps.places, lamps.radius, linear.shape), lamps.spread
    disks = np.empty((len(spread), 6), np.float32)
    disks[:, :2], disks[:, 2] = lamps.places, spread
    for k, ((y, x), size) in enumerate(zip(lamps.places, lamps.radius, strict=True)):
        shown = core_light(linear, y, x, size) - surroundings(linear, taken, y, x, size)
        disks[k, 3:] = np.maximum(lamps.light[k], shown) * (size / spread[k]) ** 2
    lens = lens_on(params.outline, params.cats_eye, (linear.shape[0], linear.shape[1]))
    out = np.zeros_like(linear)
    run_strips(lambda start, stop: _draw(disks, *lens, start, stop, out), len(out))
    out *= _visibility(surfaces, lamps, params)
    return out


def _visibility(surfaces: Surfaces, lamps: Lamps, params: BokehParams) -> Array:
    """Share of each pixel that shows surfaces as far away as the lamp next to it, HxWx3.

    It is rendered like a picture, in which far surfaces are white and nearer ones are black. Only
    what can hide a lamp is rendered.
    """
    shape = surfaces.near.shape
    nearest, surface = np.full(shape, np.inf, np.float32), np.zeros(shape, np.float32)
    for (y, x), size, own in zip(lamps.places, lamps.spread, lamps.surface, strict=True):
        area = window(shape, y, x, REACH * size)
        distance = area.distance / size
        closer = (distance < nearest[area.part]) & (distance < REACH)
        nearest[area.part][closer] = distance[closer]
        surface[area.part][closer] = own
    inside = surface > 0

    def farness(radius: Array) -> Array:
        limit = np.where(inside, surface, np.float32(np.inf))
        part = (radius / limit - np.float32(NEARER[0])) / np.float32(NEARER[1] - NEARER[0])
        return np.asarray(np.clip(part, 0, 1), np.float32)

    def grey(plane: Array) -> Array:
        return np.repeat(plane[..., None], 3, axis=2)

    light = farness(surfaces.near)
    if not surfaces.has_outlines:
        return render_surfaces(grey(light), Surfaces.single(surfaces.near * inside), params)
    share, behind = surfaces.far_share * inside, farness(surfaces.far)
    light += share * (behind - light)
    parts = Surfaces(surfaces.near * inside, surfaces.far * inside, share, grey(behind))
    return render_surfaces(grey(light), parts, params)


@kernel(
    reads(f32, 2), reads(f32, 2), reads(f32, 1), reads(f32, 1), i64, i64, writes(f32, 3),
    seldom=True,
)  # fmt: skip
def _draw(disks, sides, facts, areas, start, stop, out):  # type: ignore[no-untyped-def]
    """Add disks (y, x, radius, R, G, B) to rows [start, stop), with an edge of 1 px."""
    zero, half, one = np.float32(0), np.float32(0.5), np.float32(1)
    for k in range(len(disks)):
        y, x, radius = disks[k, 0], disks[k, 1], disks[k, 2]
        reach, below, beside = facts[1] * (radius + half), y - facts[2], x - facts[3]
        scale = one / area_left(facts, areas, below, beside) if facts[4] > zero else one
        top, left = max(int(y - reach), start), max(int(x - reach), 0)
        bottom, right = min(int(y + reach) + 2, stop), min(int(x + reach) + 2, out.shape[1])
        for j in range(top, bottom):
            down = np.float32(j) - y
            for i in range(left, right):
                across = np.float32(i) - x
                distance = gauge(down, across, sides, facts[0])
                if facts[4] > zero:
                    distance = max(distance, cut(down, across, facts, below, beside))
                weight = scale * min(max(radius + half - distance, zero), one)
                for p in range(3):
                    out[j, i, p] += weight * disks[k, 3 + p]
