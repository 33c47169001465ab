"""Draw surfaces into a picture: textures sampled at its pixels, composited from back to front."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.bokeh.aperture import Doubles
from stages.forward.placing import Placed
from stages.forward.scenery import Level, middle_of
from stages.forward.sensor import View
from stages.kernels import f32, f64, i64, kernel, reads, writes
from stages.params import Array
from stages.strips import rows_of_strips, run_strips

INTERPOLATION_VARIANCE = 1 / 6  # texels^2, of linear interpolation
GRID = 16  # texels; parts of textures begin and end on it, so that they are used again
SAMPLE_PX = 0.25  # from the middle of a pixel to its samples, along each axis

Spans = npt.NDArray[np.int64]  # rows x 2


class Texture(NamedTuple):
    """Premultiplied light and coverage HxWx4, and where pixels are in it.

    `spans` are the first column of each row that is covered, and the end; `first` is the place
    (y, x) in texels of the first pixel of each row, and `step` the texels from one pixel to the
    next.
    """

    planes: Array
    spans: Spans
    first: Doubles
    step: float


def sampling_variance(scale: float, number: int) -> float:
    """Variance in px^2 that a level of the mipmap and its sampling have."""
    texels = 4.0**number
    return ((texels - 1) / 4 + INTERPOLATION_VARIANCE * texels) * scale**2 + SAMPLE_PX**2


def coarsest_level(scale: float, variance: float) -> int:
    """Number of the coarsest level that blurs by no more than a variance (px^2)."""
    number = 0
    while sampling_variance(scale, number + 1) <= variance:
        number += 1
    return number


def texel_places(each: Placed, level: Level) -> tuple[Doubles, float]:
    """Texel coordinates (y, x) of the first pixel of each row, and texels per pixel."""
    step = 1 / (each.scale * 2**level.number)
    rows = np.arange(len(each.middle))
    middle = middle_of(each.surface, level.number)
    first = np.empty_like(each.middle)
    first[:, 0] = middle[0] + (rows - each.middle[:, 0]) * step
    first[:, 1] = middle[1] - each.middle[:, 1] * step
    return first, step


def visible_box(
    shape: tuple[int, ...], first: Doubles, step: float, view: View, reach: int
) -> tuple[int, int, int, int]:
    """Rows and columns of texels that a picture shows, on a coarse grid, at least two each.

    Parameters
    ----------
    shape : (int, ...)
        Of a level.
    first : array of float64
        Place (y, x) in texels of the first pixel of each row, rows x 2.
    step : float
        Texels from one pixel to the next.
    view : View
        Pixels.
    reach : int
        Reach of the blur: beyond a level the box goes as far as its border is blurred.

    Returns
    -------
    (int, int, int, int)
        First row and end, first column and end.
    """
    low = first.min(axis=0)
    high = first.max(axis=0) + np.array([0, step * view.cols])
    spans = []
    for begin, end, side in zip(low, high, shape, strict=False):
        start = math.floor(begin - step) // GRID * GRID
        stop = -(-math.ceil(end + step) // GRID) * GRID + 1
        start = min(max(start, -reach), side + reach - 2)
        spans += [start, max(min(stop, side + reach), start + 2)]
    return spans[0], spans[1], spans[2], spans[3]


def with_margin(planes: Array, box: tuple[int, int, int, int], reach: int) -> Array:
    """Cut a part of a level, with a margin; beyond the border of the level, the border goes on.

    Parameters
    ----------
    planes : Array
        A level, HxWxC.
    box : (int, int, int, int)
        First row and end, first column and end.
    reach : int
        Width of the margin.
    """
    spans, margins = [], []
    for begin, end, side in zip(box[::2], box[1::2], planes.shape, strict=False):
        start, stop = begin - reach, end + reach
        inner = slice(min(max(start, 0), side - 1), max(min(stop, side), 1))
        spans.append(inner)
        margins.append((inner.start - start, stop - inner.stop))
    part = planes[spans[0], spans[1]]
    return np.ascontiguousarray(np.pad(part, [*margins, (0, 0)], mode="edge"))


def composed(
    textures: list[Texture], lights: list[Array], mosaic: npt.NDArray[np.int64], view: View
) -> Array:
    """Composite surfaces from back to front, in one plane per pixel.

    Parameters
    ----------
    textures : list of Texture
        From back to front.
    lights : list of Array
        Factors of the planes of each, 4 x float32 values.
    mosaic : array of int64
        The plane (0 to 2: colours, 3: coverage) at each place of 2 x 2 pixels.
    view : View
        Pixels.

    Returns
    -------
    Array
        HxW float32.
    """
    out = np.zeros((view.rows, view.cols), np.float32)
    layers = [
        (each.planes.reshape(len(each.planes), -1), *each[1:], light)
        for each, light in zip(textures, lights, strict=True)
    ]

    def rows(start: int, stop: int) -> None:
        for layer in layers:
            _over(*layer, mosaic, start, stop, out)

    run_strips(rows, view.rows, rows_of_strips(view.cols))
    return out


@kernel(
    reads(f32, 2), reads(i64, 2), reads(f64, 2), f64, reads(f32, 1), reads(i64, 1), i64, i64,
    writes(f32, 2),
)  # fmt: skip
def _over(lines, spans, first, step, light, mosaic, y0, y1, out):  # type: ignore[no-untyped-def]
    """Composite a surface over the picture, in the colour of each pixel.

    A pixel is the mean of 2 x 2 samples, a quarter of a pixel from its middle. The mean is zero at
    a frequency of one cycle per pixel, so that small lights do not flicker when they move. Beyond
    the texture its border goes on.
    """
    height, width = lines.shape[0], lines.shape[1] // 4
    columns = out.shape[1]
    line = np.empty(4 * width, np.float32)
    half, one = np.float32(0.5), np.float32(1)
    reach = int(3 * step) + 3  # texels that the pixels at the border of a span read beyond it
    for y in range(y0, y1):
        above = min(max(first[y, 0] - SAMPLE_PX * step, 0.0), height - 1.0)
        below = min(max(first[y, 0] + SAMPLE_PX * step, 0.0), height - 1.0)
        top, base = min(int(above), height - 2), min(int(below), height - 2)
        covered, over = width, 0  # columns: the first that is covered, and the end
        for row in (top, top + 1, base, base + 1):
            covered, over = min(covered, spans[row, 0]), max(over, spans[row, 1])
        if covered >= over:
            continue
        begin = int(min(max(first[y, 1] - SAMPLE_PX * step, 0.0), width - 2.0))
        end = int(min(max(first[y, 1] + step * columns, 0.0), width - 2.0)) + 2
        first_x, end_x = 0, columns
        if covered > 0:
            begin = max(begin, covered - reach)
            first_x = int(min(max((covered - 1 - first[y, 1]) / step - 1, 0.0), float(columns)))
        if over < width:
            end = min(end, over + reach)
            end_x = int(min(max((over - first[y, 1]) / step + 2, 0.0), float(columns)))
        p, q = np.float32(above - top), np.float32(below - base)
        a, b = half - half * p, half * p
        c, d = half - half * q, half * q
        upper, under = lines[top], lines[top + 1]
        third, fourth = lines[base], lines[base + 1]
        for i in range(4 * begin, 4 * end):
            line[i] = (a * upper[i] + b * under[i]) + (c * third[i] + d * fourth[i])
        for x in range(first_x, end_x):
            before = min(max(first[y, 1] + step * (x - SAMPLE_PX), 0.0), width - 1.0)
            behind = min(max(first[y, 1] + step * (x + SAMPLE_PX), 0.0), width - 1.0)
            left, right = min(int(before), width - 2), min(int(behind), width - 2)
            p, q = np.float32(before - left), np.float32(behind - right)
            a, b = half - half * p, half * p
            c, d = half - half * q, half * q
            left, right = 4 * left, 4 * right
            alpha = (a * line[left + 3] + b * line[left + 7]) + (
                c * line[right + 3] + d * line[right + 7]
            )
            if alpha > 0:
                k = mosaic[(y & 1) * 2 + (x & 1)]
                value = (a * line[left + k] + b * line[left + k + 4]) + (
                    c * line[right + k] + d * line[right + k + 4]
                )
                out[y, x] = value * light[k] + (one - alpha) * out[y, x]
