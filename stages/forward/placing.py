"""Where surfaces are in the picture, and how blurred: projection through the lens.

A texel of a surface at the distance Z appears v * texel / (Z * pitch) pixels wide, where v is the
distance of the sensor from the lens. A turn of the camera moves the picture by v / pitch * tan.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from stages.bokeh.aperture import Doubles
from stages.forward.lens import Optics
from stages.forward.motion import Offset, Pose, PoseAt
from stages.forward.scenery import NEAREST_M, Scenery, Surface
from stages.forward.sensor import View

PIXEL_VARIANCE = 1 / 12  # px^2, of the square pixel


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
    out = []
    for surface in scenery.surfaces:
        first = _place(surface, pose(first_s), first_s, v_px)
        last_s = first_s + span.readout_s
        last = _place(surface, pose(last_s), last_s, v_px) if span.readout_s else first
        if first is None or last is None:
            continue
        part = np.linspace(0, 1, view.rows)[:, None]
        if span.readout_s:
            middle_s = first_s + span.readout_s / 2
            middle = _place(surface, pose(middle_s), middle_s, v_px) or first
            path = _through(np.array(first[:2]), np.array(middle[:2]), np.array(last[:2]), part)
        else:
            path = np.broadcast_to(np.array(first[:2]), (view.rows, 2))
        corner = np.array([view.rows / 2 - 0.5, view.cols / 2 - 0.5]) - np.array(view.offset_px)
        distance = first[2]
        scale = v_px * surface.texel_m / distance
        out.append(Placed(surface, scale, path + corner, distance))
    return out


def _through(first: Doubles, middle: Doubles, last: Doubles, part: Doubles) -> Doubles:
    """Parabola through three places of a movement."""
    bend = 2 * (first - 2 * middle + last)
    return np.asarray(first + part * (last - first) + bend * part * (part - 1))


def _place(
    surface: Surface, pose: Pose, time_s: float, v_px: float
) -> tuple[float, float, float] | None:
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
    one_row = view._replace(rows=1)
    still = span._replace(readout_s=0.0)
    ends = [
        placed(scenery, pose, optics, focus_dpt, one_row, still, share) for share in (0, 0.5, 1)
    ]
    if len({len(each) for each in ends}) > 1:
        return 1
    path = 0.0
    for start, middle, end in zip(*ends, strict=True):
        steps = middle.middle - start.middle, end.middle - middle.middle
        path = max(path, sum(float(np.hypot(*step[0])) for step in steps))
    return min(max(math.ceil(2 * path), 1), most)


def spot_variance(optics: Optics, view: View) -> float:
    """Variance along each axis of the image of a point in focus, px^2: spot and square pixel."""
    return (optics.spot_um / 1000 / view.pitch_mm) ** 2 + PIXEL_VARIANCE


def blur_variance(optics: Optics, focus_dpt: float, distance_m: float, view: View) -> float:
    """Variance along each axis of the image of a point, px^2: defocus, spot and pixel."""
    diameter_px = optics.blur_mm(focus_dpt, distance_m) / view.pitch_mm
    return diameter_px**2 / 16 + spot_variance(optics, view)
