"""The light on the sensor: fast for every frame, and exactly by `stages.scene`.

Both project the same textures. The fast form blurs each surface as a whole by one disk, on the
level of its mipmap on which the disk has a few texels, and samples the result at every pixel, only
in the colour of the pixel. Levels and interpolation blur as well; the disk is smaller by their
variance, so that the variance of the image of a point is the exact one. Its error is in the shape:
the rim of a disk is softer. The exact form projects sharp layers and spreads every point by its own
disk, also over a relief.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.bokeh.aperture import Doubles
from stages.forward.lens import Optics
from stages.forward.motion import PoseAt
from stages.forward.placing import Placed, Span, blur_variance, placed, samples_of, spot_variance
from stages.forward.scenery import Level, Scenery, Surface, level_of, like_texels, middle_of
from stages.forward.sensor import COLOURS, View
from stages.forward.spread import convolved, disk_of_variance, reach_of
from stages.kernels import f32, f64, i64, kernel, reads, writes
from stages.params import Array
from stages.scene import Layer, compose
from stages.strips import run_strips

LEVEL_SHARE = 0.2  # of the variance of the blur that a level of the mipmap may have by itself
WINDOW_SHARE = 0.5  # of a level; a picture that shows less is blurred without the rest
MOST_SAMPLES = 32  # moments of an exposure
VARIANCE_STEPS = 64  # rounding of the variance per px^2, so that a blurred texture is used again
INTERPOLATION_VARIANCE = 1 / 6  # texels^2, of linear interpolation
SAMPLE_PX = 0.25  # from the middle of a pixel to its samples, along each axis


class Texture(NamedTuple):
    """Premultiplied light and coverage HxWx4, and where pixels are in it.

    `first` is the place (y, x) in texels of the first pixel of each row, and `step` the texels from
    one pixel to the next.
    """

    planes: Array
    first: Doubles
    step: float


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
        textures = [_blurred(each, optics, focus_dpt, view) for each in seen]
        lights = [_light(each.surface, scenery, optics, focus_dpt, span) for each in seen]
        for plane, places in zip(total, colours, strict=True):
            plane += _composed(textures, lights, np.array(places, np.int64), view)
    total /= np.float32(count)
    return total[0] if pattern else np.ascontiguousarray(np.moveaxis(total, 0, 2))


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
        level = _sharp_level(each, optics, view)
        planes = _sampled_planes(each, level, view)
        light = _light(each.surface, scenery, optics, focus_dpt, span)
        alpha = np.minimum(planes[..., 3], 1)
        straight = planes[..., :3] / np.maximum(planes[..., 3:], np.finfo(np.float32).tiny)
        sigma = _exact_sigma(each, level, optics, focus_dpt, view)
        layers.append(Layer(np.ascontiguousarray(straight * light[:3]), alpha, sigma))
    return compose(layers)


def _light(
    surface: Surface, scenery: Scenery, optics: Optics, focus_dpt: float, span: Span
) -> Array:
    """Lux on the sensor of a white texel, by plane; the light level is that of the middle."""
    lux = scenery.lux(span.start_s + span.exposure_s / 2 + span.readout_s / 2)
    lux = lux if surface.own_lux is None else surface.own_lux
    level = lux * optics.relative_light(focus_dpt)
    return np.asarray(level * np.array([*scenery.illuminant, 1.0]), np.float32)


def _chain(scale: float, number: int) -> float:
    """Variance in px^2 that a level of the mipmap and its sampling have."""
    texels = 4.0**number
    return ((texels - 1) / 4 + INTERPOLATION_VARIANCE * texels) * scale**2 + SAMPLE_PX**2


def _coarsest(scale: float, variance: float) -> int:
    """Number of the coarsest level that blurs by no more than a variance (px^2)."""
    number = 0
    while _chain(scale, number + 1) <= variance:
        number += 1
    return number


def _sharp_level(each: Placed, optics: Optics, view: View) -> Level:
    """The coarsest level that is as sharp as the lens."""
    return level_of(each.surface, _coarsest(each.scale, spot_variance(optics, view)))


def _blurred(each: Placed, optics: Optics, focus_dpt: float, view: View) -> Texture:
    """The level on which the disk is small, blurred where the picture shows it."""
    variance = blur_variance(optics, focus_dpt, each.distance_m, view)
    share = max(LEVEL_SHARE * variance, spot_variance(optics, view))
    level = level_of(each.surface, _coarsest(each.scale, share))
    rest = (
        max(variance - _chain(each.scale, level.number), 0.0) / (each.scale * 2**level.number) ** 2
    )
    steps = round(rest * VARIANCE_STEPS)
    reach = reach_of(steps / VARIANCE_STEPS)
    first, step = _texel_places(each, level)
    box = _box(level.planes.shape, first, step, view, reach)
    if (box[1] - box[0]) * (box[3] - box[2]) > WINDOW_SHARE * level.planes[..., 0].size:
        planes = _blurred_level(each.surface, level.number, steps)
        return Texture(planes, first + reach, step)
    part = _with_margin(level.planes, box, reach)
    planes = convolved(part, disk_of_variance(steps / VARIANCE_STEPS))
    return Texture(planes, first - np.array([box[0], box[2]]), step)


def _box(
    shape: tuple[int, ...], first: Doubles, step: float, view: View, reach: int
) -> tuple[int, int, int, int]:
    """Rows and columns of texels that a picture shows, at least two each.

    Beyond a level they go as far as its border is blurred.
    """
    low = first.min(axis=0)
    high = first.max(axis=0) + np.array([0, step * view.cols])
    spans = []
    for begin, end, side in zip(low, high, shape, strict=False):
        start = min(max(math.floor(begin - step), -reach), side + reach - 2)
        spans += [start, max(min(math.ceil(end + step) + 1, side + reach), start + 2)]
    return spans[0], spans[1], spans[2], spans[3]


def _with_margin(planes: Array, box: tuple[int, int, int, int], reach: int) -> Array:
    """A part of a level and a margin around it; beyond the border, the border goes on."""
    spans, margins = [], []
    for begin, end, side in zip(box[::2], box[1::2], planes.shape, strict=False):
        start, stop = begin - reach, end + reach
        inner = slice(min(max(start, 0), side - 1), max(min(stop, side), 1))
        spans.append(inner)
        margins.append((inner.start - start, stop - inner.stop))
    part = planes[spans[0], spans[1]]
    return np.ascontiguousarray(np.pad(part, [*margins, (0, 0)], mode="edge"))


@lru_cache(maxsize=8)
def _blurred_level(surface: Surface, number: int, steps: int) -> Array:
    """A level of a surface after a disk of a variance in texels^2 * `VARIANCE_STEPS`.

    The result is larger than the level by the reach of the disk on all sides.
    """
    weights = disk_of_variance(steps / VARIANCE_STEPS)
    planes, reach = level_of(surface, number).planes, len(weights) // 2
    whole = -reach, planes.shape[0] + reach, -reach, planes.shape[1] + reach
    return convolved(_with_margin(planes, whole, reach), weights)


def _composed(
    textures: list[Texture], lights: list[Array], mosaic: npt.NDArray[np.int64], view: View
) -> Array:
    """Composite the surfaces from back to front, in one colour per pixel."""
    out = np.zeros((view.rows, view.cols), np.float32)
    layers = list(zip(textures, lights, strict=True))

    def rows(start: int, stop: int) -> None:
        for texture, light in layers:
            _over(*texture, light, mosaic, start, stop, out)

    run_strips(rows, view.rows)
    return out


def _texel_places(each: Placed, level: Level) -> tuple[Doubles, float]:
    """Texel coordinates (y, x) of the first pixel of each row, and texels per pixel."""
    step = 1 / (each.scale * 2**level.number)
    rows = np.arange(len(each.middle))
    middle = middle_of(each.surface, level.number)
    first = np.empty_like(each.middle)
    first[:, 0] = middle[0] + (rows - each.middle[:, 0]) * step
    first[:, 1] = middle[1] - each.middle[:, 1] * step
    return first, step


def _sampled_planes(each: Placed, level: Level, view: View) -> Array:
    """A level at the pixels: premultiplied light and coverage, HxWx4."""
    texture = Texture(level.planes, *_texel_places(each, level))
    ones = [np.ones(4, np.float32)]
    planes = [_composed([texture], ones, np.full(4, k, np.int64), view) for k in range(4)]
    return np.stack(planes, axis=2)


def _exact_sigma(each: Placed, level: Level, optics: Optics, focus_dpt: float, view: View) -> Array:
    """Blur that is left to do at each pixel, HxW px."""
    relief = each.surface.relief_m
    if relief is None:
        variance = blur_variance(optics, focus_dpt, each.distance_m, view)
        sigma = max(variance - _chain(each.scale, level.number), 0.0) ** 0.5
        return np.full((view.rows, view.cols), sigma, np.float32)
    moved = each.distance_m - each.surface.distance_m
    planes = np.ones((*relief.shape, 4), np.float32)
    planes[..., 0] = relief + np.float32(moved)
    fine = Level(like_texels(each.surface, planes), 0)
    distance = _sampled_planes(each, fine, view)[..., 0].astype(np.float64)
    diameter = np.abs(focus_dpt - 1 / distance) * abs(
        optics.lens.defocus_mm2(focus_dpt / 1000) / 1000 / view.pitch_mm
    )
    rest = diameter**2 / 16 + spot_variance(optics, view)
    return np.sqrt(np.maximum(rest - _chain(each.scale, level.number), 0)).astype(np.float32)


@kernel(reads(f32, 3), reads(f64, 2), f64, reads(f32, 1), reads(i64, 1), i64, i64, writes(f32, 2))
def _over(planes, first, step, light, mosaic, start, stop, out):  # type: ignore[no-untyped-def]
    """Composite a surface over the picture, in the colour of each pixel.

    A pixel is the mean of 2 x 2 samples, a quarter of a pixel from its middle. The mean is zero at
    a frequency of one cycle per pixel, so that small lights do not flicker when they move.
    """
    height, width = planes.shape[0], planes.shape[1]
    line = np.empty((width, 4), np.float32)
    half = np.float32(0.5)
    for y in range(start, stop):
        above = min(max(first[y, 0] - SAMPLE_PX * step, 0.0), height - 1.0)
        below = min(max(first[y, 0] + SAMPLE_PX * step, 0.0), height - 1.0)
        top, base = min(int(above), height - 2), min(int(below), height - 2)
        p, q = np.float32(above - top), np.float32(below - base)
        a, b = half - half * p, half * p
        c, d = half - half * q, half * q
        begin = int(min(max(first[y, 1] - SAMPLE_PX * step, 0.0), width - 2.0))
        end = int(min(max(first[y, 1] + step * out.shape[1], 0.0), width - 2.0)) + 2
        for u in range(begin, end):
            for k in range(4):
                line[u, k] = (a * planes[top, u, k] + b * planes[top + 1, u, k]) + (
                    c * planes[base, u, k] + d * planes[base + 1, u, k]
                )
        for x in range(out.shape[1]):
            before = min(max(first[y, 1] + step * (x - SAMPLE_PX), 0.0), width - 1.0)
            behind = min(max(first[y, 1] + step * (x + SAMPLE_PX), 0.0), width - 1.0)
            left, right = min(int(before), width - 2), min(int(behind), width - 2)
            p, q = np.float32(before - left), np.float32(behind - right)
            a, b = half - half * p, half * p
            c, d = half - half * q, half * q
            alpha = (a * line[left, 3] + b * line[left + 1, 3]) + (
                c * line[right, 3] + d * line[right + 1, 3]
            )
            if alpha > 0:
                k = mosaic[(y & 1) * 2 + (x & 1)]
                value = (a * line[left, k] + b * line[left + 1, k]) + (
                    c * line[right, k] + d * line[right + 1, k]
                )
                out[y, x] = value * light[k] + (np.float32(1) - alpha) * out[y, x]
