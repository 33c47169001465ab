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
from stages.params import Array
from stages.upsample.fast import local_models

WIDTHS = ((1, 1.0), (3, 1e-2), (8, 1e-4))  # (radius in cells, weight) of the windows of colour
SEPARATION_RAMP = 0.3  # width of the ramp from confidence 0 to 1, in explained variance
LEAST_VARIANCE = 1e-4  # lower limit of the variance of the partition
MIXED = 0.2  # coverage up to which a cell has weight 0 in the colour of a surface
KNOWN = 0.25  # strength of a jump from which a cell has its full weight
LEAST_SHARE = np.float32(0.01)  # lower limit of the coverage as a divisor
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
        Linear light of the surfaces, hxwx3.
    hidden_colour : Array
        Linear light of the far surface where the near one hides it, hxwx3. The light of the near
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
    known = np.minimum(strength / KNOWN, 1)
    near, far = (
        _colour(light, np.ones_like(share), known * np.maximum(share - MIXED, 0) ** 2)
        for share in (covered, 1 - covered)
    )
    behind = np.maximum(light - covered[..., None] * near, 0)
    hidden = _colour(behind, 1 - covered, known * np.maximum(1 - covered - MIXED, 0) ** 2)
    return Model(model, np.asarray(trust, np.float32), near, far, hidden)


def _box(plane: Array, radius: int) -> Array:
    return np.asarray(cv2.blur(plane, (2 * radius + 1,) * 2), np.float32)


def _colour(light: Array, share: Array, weight: Array) -> Array:
    """Weighted mean of light / share; the smallest window that has data dominates."""
    weight = np.asarray(weight + np.float32(MIN_WEIGHT), np.float32)
    planes = np.dstack([light * weight[..., None], weight * np.maximum(share, LEAST_SHARE)])
    total = np.sum([np.float32(wide) * _box(planes, radius) for radius, wide in WIDTHS], axis=0)
    return np.asarray(total[..., :3] / total[..., 3:], np.float32)
