"""Blur from gradient energies at two scales, as kernels compute it.

An edge of blur sigma has energy E_s ~ (sigma^2 + v_s)^-p at scale s, p = 1 if it is isolated. With
rho = (E_a / E_b)^(1/p),

    sigma^2 = (v_b - rho v_a) / (rho - 1)

and no data where rho does not exceed 1 by more than noise can make it.
"""

from __future__ import annotations

import math

import numpy as np

from stages.kernels import inline

SCHARR_VARIANCE = 0.345  # px^2, added by the Scharr operator: between 1/3 (central difference) and
# 3/8 (its cross smoothing)
ENERGY_FLOOR = np.float32(1e-12)  # luma^2 / px^2, guards ratios of energies
LEAST_EXCESS = np.float32(
    0.02
)  # of a ratio over 1: below, energies do not differ beyond noise: no data, never "very blurred"
LEAST_SIGMA = np.float32(0.2)  # px of the view: sharper cannot be told apart
SHARP_BLEND = (
    np.float32(0.6),
    np.float32(1.6),
)  # px: below, the 3x3 maximum is trusted; above, the pixel itself
ISOLATED = np.float32(1)  # power of an edge without neighbours


@inline
def ratio_blur(fine, coarse, fine_variance, coarse_variance, power, largest):  # type: ignore[no-untyped-def]
    """Blur from two energies that fall with a power of the variance; 0 where they do not fall."""
    ratio = max(fine, ENERGY_FLOOR) / max(coarse, ENERGY_FLOOR)
    if power > ISOLATED:
        ratio = ratio ** (ISOLATED / power)
    excess = ratio - ISOLATED
    if excess <= LEAST_EXCESS / power:
        return np.float32(0)
    square = (coarse_variance - ratio * fine_variance) / excess
    return min(math.sqrt(max(square, LEAST_SIGMA * LEAST_SIGMA)), largest)


@inline
def smoothstep(value, low, high):  # type: ignore[no-untyped-def]
    """From 0 at `low` to 1 at `high`, with zero slope at both."""
    t = min(max((value - low) / (high - low), np.float32(0)), np.float32(1))
    return t * t * (np.float32(3) - (t + t))


@inline
def full_sigma(blur, step):  # type: ignore[no-untyped-def]
    """Full-resolution sigma of a blur in px of a view: averaging k x k pixels adds (k^2 - 1)/12."""
    added = (step * step - np.float32(1)) / np.float32(12)
    return math.sqrt(max(step * step * (blur * blur) - added, np.float32(0)))
