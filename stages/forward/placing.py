"""Where surfaces are in the picture, and how blurred: projection through the lens.

A texel of a surface at the distance Z appears v * texel / (Z * pitch) pixels wide, where v is the
distance of the sensor from the lens. A turn of the camera moves the picture by v / pitch * tan.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from stages.bokeh.aperture import Doubles
from stages.forward.lens import Optics
from stages.forward.motion import Offset, Pose, PoseAt
from stages.forward.scenery import NEAREST_M, Scenery, Surface
from stages.forward.sensor import View

PIXEL_VARIANCE = 1 / 12  # px^2, of the square pixel
Place = tuple[float, float, float]  # (y, x) in px from the axis, and the distance in m


class Placed(NamedTuple):
    """A surface in the picture.

    Attributes
    ----------
    scale : float
        Pixels per texel.
    middle : array of float64
        Place (y, x) in px of the middle of the texture, for each row of the picture, rows x 2.
    distance_m : float
        From the camera.
    """

    surface: Surface
    scale: float
    middle: Doubles
    distance_m: float


class Span(NamedTuple):
    """Times of a frame: begin and end of the exposure of the first row, and the readout, s."""

    start_s: float = 0.0
    exposure_s: float = 0.0
    readout_s: float = 0.0


def placed(
    scenery: Scenery, pose: PoseAt, optics: Optics, focus_dpt: float, view: View, span: Span,
    share: float = 0.5,
) -> list[Placed]:  # fmt: skip
    """All visible surfaces from back to front, at a moment of the exposure of each row.

    Parameters
    ----------
    scenery : Scenery
        Surfaces.
    pose : callable
        Pose of the camera by the time in s.
    optics : Optics
        The lens.
    focus_dpt : float
        Its focus.
    view : View
        Pixels.
    span : Span
        Times of the frame. The rows begin one after the other.
    share : float
        Moment, as a share of the exposure.
    """
    first_s = span.start_s + share * span.exposure_s
    v_px = optics.image_distance_mm(focus_dpt) / view.pitch_mm
    rows = (0.0, 0.5, 1.0) if span.readout_s else (0.0,)
    times = [first_s + part * span.readout_s for part in rows]
    poses = [pose(time_s) for time_s in times]
    corner = np.array([view.rows / 2 - 0.5, view.cols / 2 - 0.5]) - np.array(view.offset_px)
    out = []
    for surface in scenery.surfaces:
        places = [_place(surface, *when, v_px) for when in zip(poses, times, strict=True)]
        first, last = places[0], places[-1]
        if first is None or last is None:
            continue
        ways = (first, places[len(places) // 2] or first, last)
        path = _path(ways, corner, view.rows, bends=len(times) > 1)
        distance = first[2]
        out.append(Placed(surface, v_px * surface.texel_m / distance, path, distance))
    return out


def _path(ways: tuple[Place, Place, Place], corner: Doubles, rows: int, *, bends: bool) -> Doubles:
    """Place (y, x) for each row, rows x 2: a parabola through those of three rows, in px."""
    first, middle, last = (np.array(way[:2]) + corner for way in ways)
    if not bends:
        return np.tile(first, (rows, 1))
    part, bulge = _parts(rows)
    return np.asarray(first + part * (last - first) + bulge * (2 * (first - 2 * middle + last)))


@lru_cache(maxsize=16)
def _parts(rows: int) -> tuple[Doubles, Doubles]:
    """Place p of each row between the first and the last, and p (p - 1), rows x 1."""
    part = np.linspace(0, 1, rows)[:, None]
    return part, part * (part - 1)


def _place(surface: Surface, pose: Pose, time_s: float, v_px: float) -> Place | None:
    """Place (y, x) in px from the axis of the middle of a texture, and its distance."""
    moved = surface.moves(time_s) if surface.moves else Offset()
    distance = surface.distance_m + moved.away_m - pose.forward_m
    if distance < NEAREST_M:
        return None
    x_m = surface.centre_m[0] + moved.x_m - pose.x_m
    y_m = surface.centre_m[1] + moved.y_m - pose.y_m
    y_px = v_px * (y_m / distance - math.tan(pose.pitch_rad))
    x_px = v_px * (x_m / distance - math.tan(pose.yaw_rad))
    return y_px, x_px, distance


def samples_of(
    scenery: Scenery, pose: PoseAt, optics: Optics, focus_dpt: float, view: View, span: Span,
    most: int,
) -> int:  # fmt: skip
    """Number of moments of the exposure to average, at most half a pixel of movement apart."""
    if span.exposure_s <= 0:
        return 1
    v_px = optics.image_distance_mm(focus_dpt) / view.pitch_mm
    times = [span.start_s + share * span.exposure_s for share in (0.0, 0.5, 1.0)]
    poses = [pose(time_s) for time_s in times]
    path = 0.0
    for surface in scenery.surfaces:
        places = [_place(surface, *when, v_px) for when in zip(poses, times, strict=True)]
        seen = [place[:2] for place in places if place is not None]
        if 0 < len(seen) < len(places):  # it comes into the picture, or leaves it
            return 1
        path = max(path, sum(map(math.dist, seen, seen[1:])))
    return min(max(math.ceil(2 * path), 1), most)


def spot_variance(optics: Optics, view: View) -> float:
    """Variance along each axis of the image of a point in focus, px^2: spot and square pixel."""
    return (optics.spot_um / 1000 / view.pitch_mm) ** 2 + PIXEL_VARIANCE


def blur_variance(optics: Optics, focus_dpt: float, distance_m: float, view: View) -> float:
    """Variance along each axis of the image of a point, px^2: defocus, spot and pixel."""
    diameter_px = optics.blur_mm(focus_dpt, distance_m) / view.pitch_mm
    return diameter_px**2 / 16 + spot_variance(optics, view)
