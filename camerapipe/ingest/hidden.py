"""Colour under full transparency: nobody has chosen it, and blur would bring it out.

It is replaced by the visible colours around it, averaged and spread from coarse to fine (push-pull;
Gortler et al., "The Lumigraph", 1996, section 4.4). Visible pixels keep their values.
"""

from __future__ import annotations

import cv2
import numpy as np

from stages.params import Array

LEAST_WEIGHT = 1e-6  # of a cell with anything visible in it
CELLS = 4  # that one coarser cell covers: one visible among them makes it known


def fill_hidden(linear: Array, alpha: Array) -> Array:
    """Replace colour where alpha is 0.

    Parameters
    ----------
    linear : Array
        HxWx3 linear light, float32.
    alpha : Array
        HxW in [0, 1].

    Returns
    -------
    Array
        The same where alpha is above 0; elsewhere what the visible pixels around it suggest. Where
        nothing is visible, the picture itself.
    """
    visible = alpha > 0
    if visible.all() or not visible.any():
        return linear
    filled = _filled(linear, visible.astype(np.float32))
    return np.where(visible[..., None], linear, filled)


def _filled(colours: Array, weight: Array) -> Array:
    """Colours as they are where the weight is 1, and mixed with those of coarser cells below."""
    height, width = weight.shape
    if max(height, width) == 1 or weight.min() >= 1:
        return colours
    size = (-(-width // 2), -(-height // 2))
    mean_weight, sums = (
        np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)
        for plane in (weight, colours * weight[..., None])
    )
    means = np.asarray(sums / np.maximum(mean_weight, LEAST_WEIGHT)[..., None], np.float32)
    coarse = _filled(means, np.minimum(CELLS * mean_weight, 1))
    spread = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(spread + weight[..., None] * (colours - spread), np.float32)
