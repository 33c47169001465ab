"""Blur maps against measured ones and against masks, by the measures of the published tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.stats import spearmanr

from stages.params import Array

Values = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]
BETA2 = 0.3  # weight of precision in F (Achanta et al. 2009)
THRESHOLDS = 400
SLOPE_TOLERANCE = 1e-7  # of the largest slope that is tried; the error is convex in the slope


def affine_errors(found: Values, truth: Values) -> tuple[float, float]:
    """AI(1) and AI(2): error that is left after the best affine fit of a map to the truth.

    Parameters
    ----------
    found, truth : array
        Values at the pixels whose truth is known, 1-D; the truth in [0, 1].

    Returns
    -------
    (float, float)
        Mean absolute and root mean square error, each after the best fit in its own norm.

    References
    ----------
    Garg et al. 2019, Learning single camera depth estimation using dual-pixels, section 5.
    """
    x, y = found.astype(np.float64), truth.astype(np.float64)
    centred, variance = x - x.mean(), float(x.var())
    slope = float(np.mean(centred * y)) / variance if variance > 0 else 0.0
    squared = float(np.sqrt(np.mean((y - y.mean() - slope * centred) ** 2)))

    def absolute(slope: float) -> float:
        rest = y - slope * centred
        return float(np.mean(np.abs(rest - np.median(rest))))  # the best offset is the median

    if variance == 0:
        return absolute(0.0), squared
    reach = 4 * (abs(slope) + float(y.std()) / np.sqrt(variance))
    fine = {"xatol": reach * SLOPE_TOLERANCE}
    least = minimize_scalar(absolute, bounds=(-reach, reach), method="bounded", options=fine)
    return float(least.fun), squared


def rank_error(found: Values, truth: Values) -> float:
    """1 - |rho|, Spearman's rank correlation; 1 for a constant map."""
    if np.ptp(found) == 0:
        return 1.0
    return 1 - abs(float(spearmanr(found, truth).statistic))


def clipped_error(sigma: Array, truth: Array, most_px: float) -> float:
    """Mean absolute error where both are clipped at a blur and divided by it."""
    one, other = (np.minimum(each, np.float32(most_px)) / most_px for each in (sigma, truth))
    return float(np.mean(np.abs(one - other), dtype=np.float64))


def f_measures(sigma: Array, blurred: Mask, thresholds_px: Values) -> Values:
    """F of what lies above each threshold, taken for what is blurred, with beta^2 = 0.3."""
    inside, outside = np.sort(sigma[blurred]), np.sort(sigma[~blurred])
    hits = inside.size - np.searchsorted(inside, thresholds_px, "left")
    called = hits + outside.size - np.searchsorted(outside, thresholds_px, "left")
    precision = hits / np.maximum(called, 1)
    recall = hits / max(inside.size, 1)
    weighted = BETA2 * precision + recall
    return np.divide(
        (1 + BETA2) * precision * recall, weighted, out=np.zeros_like(recall), where=weighted > 0
    )


def best_threshold(pairs: Sequence[tuple[Array, Mask]]) -> tuple[float, float]:
    """Mean of the pictures' F and the threshold in px, one for all, at which it is largest.

    Parameters
    ----------
    pairs : sequence of (Array, array of bool)
        Sigma HxW and the mask of what is blurred, of each picture.
    """
    most = max(float(sigma.max()) for sigma, _ in pairs)
    thresholds = np.linspace(0, most, THRESHOLDS)
    mean = np.mean([f_measures(*pair, thresholds) for pair in pairs], axis=0)
    best = int(mean.argmax())
    return float(mean[best]), float(thresholds[best])
