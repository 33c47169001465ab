"""Guided upsampling as printed: Kriener et al. 2013, eq. (7) and (8), at full resolution.

In a window around each pixel k blur is affine in colour, with the a_k, b_k that fit the samples in
the window best (eq. 7); samples are set among undefined pixels. A pixel takes the mean of what all
windows around it say (eq. 8). Windows are cut at the border of the picture. Float64: the oracle.
"""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np

from stages.grid import BlurMap
from stages.laplacian.windows import Floats, box_sum, ldl_factors, ldl_solve
from stages.params import Array
from stages.strips import STRIP_ROWS, run_strips
from stages.upsample.samples import sample_pixels

MASKED_ROWS = 2 * STRIP_ROWS  # a strip has a halo of 40 rows or more


def masked_guided(low: BlurMap, guide: Array, radius: int, epsilon: float) -> Array:
    """Upsampled sigma, HxW; `radius` is that of a window in pixels of the picture."""
    height, width = guide.shape[:2]
    rows, cols = sample_pixels(low.grid, guide.shape)
    out = np.empty((height, width), np.float32)

    def upsample(start: int, stop: int) -> None:
        top, bottom = max(start - 2 * radius, 0), min(stop + 2 * radius, height)
        first, last = np.searchsorted(rows, (top, bottom))
        value, defined = np.zeros((2, bottom - top, width))
        place = np.ix_(rows[first:last] - top, cols)
        value[place] = low.sigma[first:last]
        defined[place] = 1
        colours = np.moveaxis(guide[top:bottom], 2, 0).astype(np.float64)
        model = mean_model(colours, value, defined, radius, epsilon)
        inner = slice(start - top, stop - top)
        sigma = np.sum(model[:3, inner] * colours[:, inner], axis=0) + model[3, inner]
        out[start:stop] = np.maximum(sigma, 0)

    run_strips(upsample, height, MASKED_ROWS)
    return out


def mean_model(
    colours: Floats, value: Floats, defined: Floats, radius: int, epsilon: float
) -> Floats:
    """Fit the model in every window and average it over the windows: planes a_r, a_g, a_b, b.

    `colours` is 3xHxW; `defined` is 1 where `value` holds a sample, and `value` is 0 elsewhere.
    """
    samples = box_sum(defined, radius)
    pixels = box_sum(np.ones_like(defined), radius)
    masked = [colour * defined for colour in colours]
    mean_value = _mean(value, radius, samples)
    mean_colour = [_mean(plane, radius, samples) for plane in masked]
    covariance = np.empty((6, *value.shape))
    for plane, (i, j) in zip(covariance, combinations_with_replacement(range(3), 2), strict=True):
        plane[:] = _mean(masked[i] * colours[j], radius, samples) - mean_colour[i] * mean_colour[j]
        plane += epsilon * (i == j)
    cross = [
        _mean(colour * value, radius, samples) - mu * mean_value
        for colour, mu in zip(colours, mean_colour, strict=True)
    ]
    slopes = ldl_solve(ldl_factors(covariance), cross)
    for a, mu in zip(slopes, mean_colour, strict=True):
        mean_value -= a * mu  # ends as b
    return np.stack([_mean(plane, radius, pixels) for plane in (*slopes, mean_value)])


def _mean(plane: Floats, radius: int, count: Floats) -> Floats:
    """Mean over a window of which `count` pixels matter."""
    total = box_sum(plane, radius)
    total /= count
    return total
