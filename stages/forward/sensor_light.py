"""The light on the sensor, fast: for every frame of a simulated camera.

Each surface is blurred as a whole by one disk, on the level of its mipmap on which the disk has a
few texels, and sampled at every pixel, only in the colour of the pixel. Levels and sampling blur as
well; the disk is smaller by their variance, so that the variance of the image of a point is exact.
The error is in the shape: the rim of a disk is softer. Made scenery has at least 41 dB to
`exact.photograph_exactly` (display-encoded, disks of up to 18 px).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from stages.forward.drawing import (
    Spans,
    Texture,
    coarsest_level,
    composed,
    sampling_variance,
    texel_places,
    visible_box,
    with_margin,
)  # fmt: skip
from stages.forward.lens import Optics
from stages.forward.motion import PoseAt
from stages.forward.placing import Placed, Span, blur_variance, placed, samples_of, spot_variance
from stages.forward.scenery import Scenery, Surface, level_of
from stages.forward.sensor import COLOURS, View
from stages.forward.spread import convolved, disk_of_variance, occupied, reach_of
from stages.params import Array

LEVEL_SHARE = 0.2  # of the variance of the blur that a level of the mipmap may have by itself
LAMP_SHARE = 0.05  # the same for lamps, whose disks clip, so that their rims show
WINDOW_SHARE = 0.5  # of a level; a picture that shows less is blurred without the rest
MOST_SAMPLES = 32  # moments of an exposure
OPAQUE = 1 - 1e-5  # coverage
VARIANCE_STEPS = 64  # rounding of the variance per px^2, so that a blurred texture is used again


def photograph(
    scenery: Scenery,
    pose: PoseAt,
    optics: Optics,
    focus_dpt: float,
    view: View,
    span: Span = Span(),  # noqa: B008 - an immutable tuple
    pattern: str = "",
) -> Array:
    """Light on the sensor, fast.

    Parameters
    ----------
    scenery : Scenery
        What stands before the camera.
    pose : callable
        Pose of the camera by the time in s.
    optics : Optics
        The lens.
    focus_dpt : float
        Its focus in dioptres.
    view : View
        Pixels.
    span : Span
        Times of the exposure and the readout: movements in between blur and bend.
    pattern : str
        Mosaic of the pixels by rows, such as RGGB; empty: all colours at every pixel.

    Returns
    -------
    Array
        Illuminance on the sensor in lux at each pixel, HxW float32, or HxWx3 without a pattern.
    """
    count = samples_of(scenery, pose, optics, focus_dpt, view, span, MOST_SAMPLES)
    colours = [[COLOURS.index(c) for c in pattern]] if pattern else [[k] * 4 for k in range(3)]
    total = np.zeros((len(colours), view.rows, view.cols), np.float32)
    for number in range(count):
        seen = placed(scenery, pose, optics, focus_dpt, view, span, (number + 0.5) / count)
        textures = _textures(seen, optics, focus_dpt, view)
        shown = seen[len(seen) - len(textures) :]
        lights = [light_of(each.surface, scenery, optics, focus_dpt, span) for each in shown]
        for plane, places in zip(total, colours, strict=True):
            plane += composed(textures, lights, np.array(places, np.int64), view)
    total /= np.float32(count)
    return total[0] if pattern else np.ascontiguousarray(np.moveaxis(total, 0, 2))


def light_of(
    surface: Surface, scenery: Scenery, optics: Optics, focus_dpt: float, span: Span
) -> Array:
    """Lux on the sensor of a white texel, by plane; the light level is that of the middle."""
    lux = scenery.lux(span.start_s + span.exposure_s / 2 + span.readout_s / 2)
    lux = lux if surface.own_lux is None else surface.own_lux
    level = lux * optics.relative_light(focus_dpt)
    return np.asarray(level * np.array([*scenery.illuminant, 1.0]), np.float32)


def _textures(seen: list[Placed], optics: Optics, focus_dpt: float, view: View) -> list[Texture]:
    """From back to front, without what is hidden everywhere."""
    found: list[Texture] = []
    for each in reversed(seen):
        texture, hides = _blurred(each, optics, focus_dpt, view)
        found.append(texture)
        if hides:
            break
    return found[::-1]


def _blurred(each: Placed, optics: Optics, focus_dpt: float, view: View) -> tuple[Texture, bool]:
    """The level on which the disk is small, blurred where it is shown; whether it hides others."""
    variance = blur_variance(optics, focus_dpt, each.distance_m, view)
    share = LEVEL_SHARE if each.surface.own_lux is None else LAMP_SHARE
    most = max(share * variance, spot_variance(optics, view))
    level = level_of(each.surface, coarsest_level(each.scale, most))
    rest = max(variance - sampling_variance(each.scale, level.number), 0.0)
    steps = round(rest / (each.scale * 2**level.number) ** 2 * VARIANCE_STEPS)
    reach = reach_of(steps / VARIANCE_STEPS)
    first, step = texel_places(each, level)
    box = visible_box(level.planes.shape, first, step, view, reach)
    if (box[1] - box[0]) * (box[3] - box[2]) > WINDOW_SHARE * level.planes[..., 0].size:
        rows, cols = level.planes.shape[:2]
        box = -reach, rows + reach, -reach, cols + reach
    planes, spans, hides = _blurred_part(each.surface, level.number, steps, box)
    return Texture(planes, spans, first - np.array([box[0], box[2]]), step), hides


@lru_cache(maxsize=12)
def _blurred_part(
    surface: Surface, number: int, steps: int, box: tuple[int, int, int, int]
) -> tuple[Array, Spans, bool]:
    """Part of a level after a disk of a variance in texels^2 * `VARIANCE_STEPS`, and its spans.

    The last value says whether all of it is opaque, up to the rounding of the weights.
    """
    weights = disk_of_variance(steps / VARIANCE_STEPS)
    planes = level_of(surface, number).planes
    blurred = convolved(with_margin(planes, box, len(weights) // 2), weights)
    return blurred, occupied(blurred), bool(blurred[..., 3].min() >= OPAQUE)
