"""Colour of fully transparent pixels, which is arbitrary and would become visible by blur.

It is replaced by a push-pull interpolation of the visible colours around it (Gortler et al., "The
Lumigraph", 1996, section 3.4). Visible pixels do not change.
"""

from __future__ import annotations

import cv2
import numpy as np

from stages.params import Array

MIN_WEIGHT = 1e-6  # avoids division by zero in cells without visible pixels
CELLS = 4  # finer cells per coarser cell; a coarser cell with one visible one has weight 1


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
        The same where alpha is above 0; elsewhere interpolated from visible pixels. If no pixel is
        visible, `linear` itself.
    """
    visible = alpha > 0
    if visible.all() or not visible.any():
        return linear
    filled = _filled(linear, visible.astype(np.float32))
    return np.where(visible[..., None], linear, filled)


def _filled(colours: Array, weight: Array) -> Array:
    """Colours, blended with those of coarser cells where the weight is below 1."""
    height, width = weight.shape
    if max(height, width) == 1 or weight.min() >= 1:
        return colours
    size = (-(-width // 2), -(-height // 2))
    mean_weight, sums = (
        np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)
        for plane in (weight, colours * weight[..., None])
    )
    means = np.asarray(sums / np.maximum(mean_weight, MIN_WEIGHT)[..., None], np.float32)
    coarse = _filled(means, np.minimum(CELLS * mean_weight, 1))
    spread = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(spread + weight[..., None] * (colours - spread), np.float32)
