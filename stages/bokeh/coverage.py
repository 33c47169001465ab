"""How much of a cell the near surface covers, and the colours of both: models on the cells.

Along an outline coverage is affine in colour (Levin, Lischinski and Weiss 2008), so that a guided
filter of the near/far partition gives it (He, Sun and Tang 2013): one step of the matting system.
It is fitted on the cells and evaluated on the pixels. Where colour does not explain the partition,
it has no say. The two colours are smooth: means of what is near and of what is far, from as close
by as there is any (after Forte 2021, "Approximate fast foreground colour estimation").
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from stages.bokeh.jumps import OutlineParams
from stages.params import Array
from stages.upsample.fast import local_models

WIDTHS = ((1, 1.0), (3, 1e-2), (8, 1e-4))  # cells: radii of means of colour, and what they weigh
SEPARATION_RAMP = 0.3  # share of the partition from no say of colour to a full one
LEAST_VARIANCE = 1e-4  # of a partition, below which there is none
MIXED = 0.2  # share of the other surface from which on a cell tells nothing of its own
KNOWN = 0.25  # strength from which on the side of a cell is known
LEAST_SHARE = np.float32(0.01)  # divisor of what has next to no share
NOTHING = 1e-9  # weight that every cell has as either surface


class Model(NamedTuple):
    """Planes on the cells: coverage is a . colour + b, as far as `trust` says; linear colours.

    `hidden_colour` is that of the far surface where nothing of it is seen: without what cells hold
    of the near one, which would come out as a glow around it.
    """

    coverage: Array
    trust: Array
    near_colour: Array
    far_colour: Array
    hidden_colour: Array


def reach_of_models(params: OutlineParams) -> int:
    """How many cells around it a model depends on."""
    return 3 * params.reach + WIDTHS[-1][0]


def fit_coverage(
    light: Array, side: Array, strength: Array, taper: Array, params: OutlineParams
) -> Model:
    """Fit the coverage of the near surface, and estimate the colours of both.

    Parameters
    ----------
    light : Array
        Mean linear light of the cells, hxwx3 float32.
    side : Array
        Share of each cell that the partition calls near, hxw float32.
    strength, taper : Array
        How sure an outline is within reach, and how far colour decides in it, hxw float32 in
        [0, 1].
    params : OutlineParams
        Windows and thresholds.

    Returns
    -------
    Model
        `coverage` is 4xhxw, of the square root of light; `trust` hxw; the colours are hxwx3.
    """
    guide = np.sqrt(np.clip(light, 0, 1))
    model = local_models(guide, side, params.reach, params.epsilon)
    told = np.clip(np.einsum("khw,hwk->hw", model[:3], guide) + model[3], 0, 1)
    mean, square = (_box(p, params.reach) for p in (side, side * side))
    missed = _box((told - side) ** 2, params.reach)
    explained = 1 - missed / np.maximum(square - mean * mean, LEAST_VARIANCE)
    trust = np.clip((explained - params.separation) / SEPARATION_RAMP, 0, 1)
    covered = side + taper * trust * (told - side)
    here = np.minimum(strength / KNOWN, 1)
    near, far = (
        _colour(light, np.ones_like(share), here * np.maximum(share - MIXED, 0) ** 2)
        for share in (covered, 1 - covered)
    )
    behind = np.maximum(light - covered[..., None] * near, 0)
    hidden = _colour(behind, 1 - covered, here * np.maximum(1 - covered - MIXED, 0) ** 2)
    return Model(model, np.asarray(trust, np.float32), near, far, hidden)


def _box(plane: Array, radius: int) -> Array:
    return np.asarray(cv2.blur(plane, (2 * radius + 1,) * 2), np.float32)


def _colour(light: Array, share: Array, weight: Array) -> Array:
    """Mean light by weight, from the narrowest windows that have any, of what has a share in it."""
    weight = np.asarray(weight + np.float32(NOTHING), np.float32)
    planes = np.dstack([light * weight[..., None], weight * np.maximum(share, LEAST_SHARE)])
    total = np.sum([np.float32(wide) * _box(planes, radius) for radius, wide in WIDTHS], axis=0)
    return np.asarray(total[..., :3] / total[..., 3:], np.float32)
