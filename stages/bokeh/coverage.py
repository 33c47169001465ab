"""Local models of the coverage of the near surface, and of the colours of both surfaces.

Along an outline, coverage is locally an affine function of colour (Levin, Lischinski and Weiss
2008). A guided filter of the near/far partition therefore estimates it (He, Sun and Tang 2013). The
model is fitted on the cells and evaluated on the pixels. Where colour does not explain the
partition, the confidence of the model is 0.

The two colours are smooth. Each is a weighted mean of the cells of its surface over windows of
several sizes, in which the smallest window that has data dominates (after Forte 2021, "Approximate
fast foreground colour estimation").
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from stages.bokeh.jumps import OutlineParams
from stages.kernels import b1, f32, inline, kernel, reads, writes
from stages.params import Array
from stages.upsample.fast import local_models

WIDTHS = ((1, 1.0), (3, 1e-2), (8, 1e-4))  # (radius in cells, weight) of the windows of colour
SEPARATION_RAMP = 0.3  # width of the ramp from confidence 0 to 1, in explained variance
LEAST_VARIANCE = 1e-4  # lower limit of the variance of the partition
MIXED = 0.2  # coverage up to which a cell has weight 0 in the colour of a surface
KNOWN = 0.25  # strength of a jump from which a cell has its full weight
MIN_SHARE = np.float32(0.01)  # lower limit of the coverage as a divisor
MIN_WEIGHT = 1e-9  # weight of every cell in both colours, so that both are always defined


class Model(NamedTuple):
    """Model of an outline, on the cells; all planes are float32.

    Attributes
    ----------
    coverage : Array
        Coefficients (a, b) of the coverage a . colour + b of the near surface, 4xhxw.
    trust : Array
        Confidence of the coverage, hxw in [0, 1].
    near_colour, far_colour : Array
        Linear light of the surfaces, 3xhxw.
    hidden_colour : Array
        Linear light of the far surface where the near one hides it, 3xhxw. The light of the near
        surface is subtracted from each cell first, because it would cause a halo.
    """

    coverage: Array
    trust: Array
    near_colour: Array
    far_colour: Array
    hidden_colour: Array


def reach_of_models(params: OutlineParams) -> int:
    """Radius in cells of the neighbourhood on which a model depends."""
    return 3 * params.reach + WIDTHS[-1][0]


def fit_coverage(
    light: Array, side: Array, strength: Array, taper: Array, params: OutlineParams
) -> Model:
    """Fit the coverage of the near surface, and estimate the colours of both surfaces.

    Parameters
    ----------
    light : Array
        Mean linear light of the cells, hxwx3 float32; may exceed 1.
    side : Array
        Share of the pixels of each cell on the near side, hxw float32 in [0, 1].
    strength : Array
        Confidence of a jump within reach, hxw float32 in [0, 1].
    taper : Array
        Weight of the colour model against the partition, hxw float32 in [0, 1].
    params : OutlineParams
        Windows and thresholds.

    Returns
    -------
    Model
        Planes of hxw cells. `coverage` is a function of the square root of linear light.
    """
    guide = np.sqrt(np.clip(light, 0, 1))
    model = local_models(guide, side, params.reach, params.epsilon)
    fitted = np.clip(np.einsum("khw,hwk->hw", model[:3], guide) + model[3], 0, 1)
    mean, square = (_box(p, params.reach) for p in (side, side * side))
    residual = _box((fitted - side) ** 2, params.reach)
    explained = 1 - residual / np.maximum(square - mean * mean, LEAST_VARIANCE)
    trust = np.clip((explained - params.separation) / SEPARATION_RAMP, 0, 1)
    covered = side + taper * trust * (fitted - side)
    near, far = (_colour(light, share, strength) for share in (covered, 1 - covered))
    behind = np.maximum(light - covered[..., None] * np.moveaxis(near, 0, 2), 0)
    hidden = _colour(np.ascontiguousarray(behind), 1 - covered, strength, mixed=True)
    return Model(model, np.asarray(trust, np.float32), near, far, hidden)


def _box(plane: Array, radius: int) -> Array:
    return np.asarray(cv2.blur(plane, (2 * radius + 1,) * 2), np.float32)


def _colour(light: Array, coverage: Array, strength: Array, *, mixed: bool = False) -> Array:
    """Colour of a surface around each cell, 3xhxw; `mixed` light is multiplied by its coverage."""
    out = np.empty((3, *coverage.shape), np.float32)
    _mean_colours(light, coverage, strength, mixed, out)
    return out


@inline
def _mirrored(place, length):  # type: ignore[no-untyped-def]
    """Index of a place beyond the ends of an axis, which is mirrored at its outermost cells."""
    period = max(2 * length - 2, 1)
    place = abs(place) % period
    return place if place < length else period - place


@kernel(reads(f32, 3), reads(f32, 2), reads(f32, 2), b1, writes(f32, 3))
def _mean_colours(light, coverage, strength, mixed, out):  # type: ignore[no-untyped-def]
    """Write weighted means of light / coverage; the smallest window that has data dominates.

    The sums over windows are running sums, along the columns and then along each row.
    """
    rows, cols = coverage.shape
    zero, one, size = np.float32(0), np.float32(1), np.uint64(4 * cols)
    values, total = np.empty((rows, 4 * cols), np.float32), np.zeros((rows, 4 * cols))
    for y in range(rows):
        for x in range(cols):
            beyond = max(coverage[y, x] - np.float32(MIXED), zero)
            weight = min(strength[y, x] / np.float32(KNOWN), one) * (beyond * beyond)
            weight += np.float32(MIN_WEIGHT)
            for c in range(3):
                values[y, 4 * x + c] = light[y, x, c] * weight
            values[y, 4 * x + 3] = weight * (max(coverage[y, x], MIN_SHARE) if mixed else one)
    for radius, wide in WIDTHS:
        scale = wide / (2 * radius + 1) ** 2
        column, line = np.zeros(4 * cols), np.empty(4 * (cols + 2 * radius + 1))
        for y in range(-radius, rows + radius):
            row = values[_mirrored(y, rows)]
            for k in range(size):
                column[k] += row[k]
            middle = y - radius
            if middle < 0:
                continue
            for k in range(size):
                line[np.uint64(4 * radius) + k] = column[k]
            for beyond in range(2 * radius + 1):  # the margins of the row
                x = beyond - radius if beyond < radius else beyond - radius + cols
                place = 4 * _mirrored(x, cols)
                for c in range(4):
                    line[4 * (x + radius) + c] = column[place + c]
            _add_along(line, radius, scale, total[middle])
            row = values[_mirrored(middle - radius, rows)]
            for k in range(size):
                column[k] -= row[k]
    for y in range(rows):
        for x in range(cols):
            for c in range(3):
                out[c, y, x] = total[y, 4 * x + c] / total[y, 4 * x + 3]


@inline
def _add_along(line, radius, scale, total):  # type: ignore[no-untyped-def]
    """Add scaled sums over windows of a row of four interleaved values."""
    a = b = c = d = 0.0
    for k in range(0, 8 * radius + 4, 4):
        a, b, c, d = a + line[k], b + line[k + 1], c + line[k + 2], d + line[k + 3]
    ahead = 8 * radius + 4
    for k in range(0, total.size, 4):
        total[k] += scale * a
        total[k + 1] += scale * b
        total[k + 2] += scale * c
        total[k + 3] += scale * d
        a += line[k + ahead] - line[k]
        b += line[k + ahead + 1] - line[k + 1]
        c += line[k + ahead + 2] - line[k + 2]
        d += line[k + ahead + 3] - line[k + 3]
