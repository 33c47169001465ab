"""The light on the sensor exactly, by the forward model of `stages.scene`; and what is true of it.

Sharp layers are projected, and every point is spread by its own disk, also over a relief. Slow.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.forward.drawing import (
    Texture,
    coarsest_level,
    composed,
    sampling_variance,
    texel_places,
)  # fmt: skip
from stages.forward.lens import Optics
from stages.forward.motion import PoseAt
from stages.forward.placing import Placed, Span, placed, spot_variance
from stages.forward.scenery import Level, Scenery, level_of, like_texels
from stages.forward.sensor import View
from stages.forward.sensor_light import light_of
from stages.forward.spread import occupied
from stages.params import Array
from stages.scene import Layer, compose

OPAQUE = 0.5  # coverage from which on a pixel shows a surface


class Truth(NamedTuple):
    """What each pixel shows, of surfaces that cover at least half of it.

    Attributes
    ----------
    surface : array of intp
        Index of the surface in the scenery, HxW.
    distance_m : Array
        Its distance from the camera, HxW float32.
    diameter_px : Array
        Diameter of its blur by the thin lens, HxW float32; negative before the focus.
    """

    surface: npt.NDArray[np.intp]
    distance_m: Array
    diameter_px: Array


def photograph_exactly(
    scenery: Scenery,
    pose: PoseAt,
    optics: Optics,
    focus_dpt: float,
    view: View,
    time_s: float = 0.0,
) -> Array:
    """Light on the sensor at a moment, by `stages.scene.compose`; slow.

    Parameters
    ----------
    scenery, pose, optics, focus_dpt, view
        As in `photograph`.
    time_s : float
        The moment.

    Returns
    -------
    Array
        Illuminance on the sensor in lux, HxWx3 float32.
    """
    span = Span(start_s=time_s)
    layers = []
    for each in placed(scenery, pose, optics, focus_dpt, view, span):
        level = sharp_level(each, optics, view)
        planes = _sampled_planes(each, level, view)
        light = light_of(each.surface, scenery, optics, focus_dpt, span)
        alpha = np.minimum(planes[..., 3], 1)
        straight = planes[..., :3] / np.maximum(planes[..., 3:], np.finfo(np.float32).tiny)
        sigma = _exact_sigma(each, level, optics, focus_dpt, view)
        layers.append(Layer(np.ascontiguousarray(straight * light[:3]), alpha, sigma))
    return compose(layers)


def true_blur(
    scenery: Scenery,
    pose: PoseAt,
    optics: Optics,
    focus_dpt: float,
    view: View,
    time_s: float = 0.0,
) -> Truth:
    """Surface, distance and blur of every pixel at a moment.

    Parameters
    ----------
    scenery, pose, optics, focus_dpt, view
        As in `photograph`.
    time_s : float
        The moment.

    Returns
    -------
    Truth
        Maps of the size of the view.
    """
    surface = np.zeros((view.rows, view.cols), np.intp)
    distance = np.full(surface.shape, np.inf, np.float32)
    for each in placed(scenery, pose, optics, focus_dpt, view, Span(start_s=time_s)):
        alpha = _sampled_planes(each, sharp_level(each, optics, view), view)[..., 3]
        shown = alpha >= OPAQUE
        surface[shown] = scenery.surfaces.index(each.surface)
        np.copyto(distance, _distance(each, view), where=shown)
    return Truth(surface, distance, _diameter_px(optics, focus_dpt, distance, view))


def sharp_level(each: Placed, optics: Optics, view: View) -> Level:
    """The coarsest level that is as sharp as the lens."""
    return level_of(each.surface, coarsest_level(each.scale, spot_variance(optics, view)))


def _sampled_planes(each: Placed, level: Level, view: View) -> Array:
    """A level at the pixels: premultiplied light and coverage, HxWx4."""
    texture = Texture(level.planes, occupied(level.planes), *texel_places(each, level))
    ones = [np.ones(4, np.float32)]
    planes = [composed([texture], ones, np.full(4, k, np.int64), view) for k in range(4)]
    return np.stack(planes, axis=2)


def _distance(each: Placed, view: View) -> Array:
    """Distance of a surface at each pixel, HxW in m."""
    relief = each.surface.relief_m
    if relief is None:
        return np.full((view.rows, view.cols), each.distance_m, np.float32)
    planes = np.ones((*relief.shape, 4), np.float32)
    planes[..., 0] = relief + np.float32(each.distance_m - each.surface.distance_m)
    return _sampled_planes(each, Level(like_texels(each.surface, planes), 0), view)[..., 0]


def _diameter_px(optics: Optics, focus_dpt: float, distance_m: Array, view: View) -> Array:
    """Diameter of the blur by the thin lens, HxW."""
    per_dpt = optics.lens.defocus_mm2(focus_dpt / 1000) / 1000 / view.pitch_mm
    return np.asarray(per_dpt * (focus_dpt - 1 / distance_m), np.float32)


def _exact_sigma(each: Placed, level: Level, optics: Optics, focus_dpt: float, view: View) -> Array:
    """Blur that is left to do at each pixel, HxW px."""
    diameter = _diameter_px(optics, focus_dpt, _distance(each, view), view)
    rest = diameter**2 / 16 + np.float32(
        spot_variance(optics, view) - sampling_variance(each.scale, level.number)
    )
    return np.asarray(np.sqrt(np.maximum(rest, 0)), np.float32)
