"""Guided upsampling as printed in Kriener et al. 2013, eq. (7) and (8), at full resolution.

Samples of the small map are placed on a full-resolution grid whose other pixels are undefined. In
the window around each pixel k, blur is an affine function of colour; a_k and b_k are the least
squares fit to the samples in the window (eq. 7). The value of a pixel is the mean of the models of
all windows that contain it (eq. 8). Windows are cropped at the border of the picture. All
arithmetic is float64, so that this method is a reference for the fast one.
"""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np

from stages.grid import BlurMap
from stages.laplacian.windows import Floats, box_sum, ldl_factors, ldl_solve
from stages.params import Array
from stages.strips import STRIP_ROWS, run_strips
from stages.upsample.samples import sample_pixels

MASKED_ROWS = 2 * STRIP_ROWS  # higher than usual, since the halo is two window radii on each side


def masked_guided(low: BlurMap, guide: Array, radius: int, epsilon: float) -> Array:
    """Upsample a dense map by the guided filter over the defined samples.

    Parameters
    ----------
    low : BlurMap
        Dense map on the small grid.
    guide : Array
        Display-encoded picture in [0, 1], HxWx3 float32.
    radius : int
        Window radius, px of the picture.
    epsilon : float
        Regularisation of the slopes a_k.

    Returns
    -------
    Array
        sigma >= 0, HxW float32, full-resolution px.
    """
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
    """Fit the affine model in every window, and average the models over windows.

    Parameters
    ----------
    colours : array of float64
        Guide, 3xHxW.
    value, defined : array of float64
        HxW; `defined` is 1 where `value` has a sample, and both are 0 elsewhere.
    radius : int
        Window radius, px.
    epsilon : float
        Regularisation of the slopes.

    Returns
    -------
    array of float64
        Mean models, 4xHxW: a_r, a_g, a_b, b.
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
        mean_value -= a * mu  # becomes b after the last colour
    return np.stack([_mean(plane, radius, pixels) for plane in (*slopes, mean_value)])


def _mean(plane: Floats, radius: int, count: Floats) -> Floats:
    """Sum over each window, divided by the number of pixels that count, HxW."""
    total = box_sum(plane, radius)
    total /= count
    return total
