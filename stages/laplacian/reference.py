"""The product L p by box filters, as in the formula of `matting.py`: the reference.

Float64 gives reference results, float32 the speed of the published method.
"""

from __future__ import annotations

import numpy as np

from stages.laplacian.matting import MattingLaplacian
from stages.laplacian.windows import Floats, box_sum, ldl_solve, window_mean, windows_per_pixel
from stages.strips import run_strips


def apply_laplacian(laplacian: MattingLaplacian, p: Floats) -> Floats:
    """Product L p.

    Parameters
    ----------
    laplacian : MattingLaplacian
        The operator.
    p : array
        HxW map of the operator's dtype.

    Returns
    -------
    array
        L p, HxW of the same dtype. Float32 errs by about 1e-6 of the largest value.
    """
    out = np.zeros_like(p)
    if not laplacian.has_windows:
        return out
    radius, (height, width) = laplacian.params.window_radius, laplacian.shape
    rows, cols = (windows_per_pixel(n, radius).astype(p.dtype) for n in (height, width))

    def product(start: int, stop: int) -> None:
        top, bottom = max(start - 2 * radius, 0), min(stop + 2 * radius, height)
        strip = p[top:bottom] - p[(start + stop) // 2].mean()  # L is blind to a constant
        sums = _coefficient_sums(laplacian, strip, top)
        inner = slice(start - top, stop - top)
        product = rows[start:stop, None] * cols * strip[inner] - sums[3, inner]
        for total, colour in zip(sums[:3, inner], laplacian.guide[:, start:stop], strict=True):
            product -= total * colour
        out[start:stop] = product

    run_strips(product, height)
    return out


def _coefficient_sums(laplacian: MattingLaplacian, strip: Floats, top: int) -> Floats:
    """Sums of a (3 planes) and b over the windows that hold each pixel of a strip of p."""
    radius = laplacian.params.window_radius
    inside = np.s_[radius:-radius, radius:-radius]
    windows = np.s_[:, top : top + strip.shape[0] - 2 * radius]
    mean, factors = laplacian.mean[windows], laplacian.factors[windows]
    colours = laplacian.guide[:, top : top + strip.shape[0]]
    mean_p = window_mean(strip, radius)
    covariance = [
        window_mean(colour * strip, radius) - mu * mean_p
        for colour, mu in zip(colours, mean, strict=True)
    ]
    slopes = ldl_solve(factors, covariance)
    offset = mean_p
    for a, mu in zip(slopes, mean, strict=True):
        offset = offset - a * mu
    padded = np.zeros_like(strip)
    sums = np.empty((4, *strip.shape), strip.dtype)
    for plane, total in zip((*slopes, offset), sums, strict=True):
        padded[inside] = plane
        box_sum(padded, radius, total)
    return sums
