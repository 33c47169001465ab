"""Blur from gradient energies at two scales: the formula, inlined into kernels.

An edge of blur sigma has energy E_s ~ (sigma^2 + v_s)^-p at scale s, with p = 1 if it is isolated.
With rho = (E_a / E_b)^(1/p),

    sigma^2 = (v_b - rho v_a) / (rho - 1).

If rho does not exceed 1 by more than noise explains, there is no estimate.
"""

from __future__ import annotations

import math

import numpy as np

from stages.kernels import inline

# px^2, added by the Scharr operator: between 1/3 (central difference) and 3/8 (its cross smoothing)
SCHARR_VARIANCE = 0.345
ENERGY_FLOOR = np.float32(1e-12)  # luma^2 / px^2, avoids division by zero
# Excess of rho over 1. Below, the energies differ by no more than noise: no estimate, rather than a
# very large one
MIN_EXCESS = np.float32(0.02)
MIN_SIGMA_PX = np.float32(0.2)  # px of the view; smaller blur is not resolved
# px of the view: below, the 3x3 maximum of the energies is used; above, the pixel itself
SHARP_BLEND = (np.float32(0.6), np.float32(1.6))
ISOLATED = np.float32(1)  # power p of an edge without neighbours


@inline
def ratio_blur(fine, coarse, fine_variance, coarse_variance, power, largest):  # type: ignore[no-untyped-def]
    """Blur in px of the view, at most `largest`, from two energies; 0 if there is no estimate.

    `power` is p in the formula of the module.
    """
    ratio = max(fine, ENERGY_FLOOR) / max(coarse, ENERGY_FLOOR)
    if power > ISOLATED:
        ratio = ratio ** (ISOLATED / power)
    excess = ratio - ISOLATED
    if excess <= MIN_EXCESS / power:
        return np.float32(0)
    square = (coarse_variance - ratio * fine_variance) / excess
    return min(math.sqrt(max(square, MIN_SIGMA_PX * MIN_SIGMA_PX)), largest)


@inline
def smoothstep(value, low, high):  # type: ignore[no-untyped-def]
    """Cubic ramp from 0 at `low` to 1 at `high`, with zero slope at both."""
    t = min(max((value - low) / (high - low), np.float32(0)), np.float32(1))
    return t * t * (np.float32(3) - (t + t))


@inline
def full_sigma(blur, step):  # type: ignore[no-untyped-def]
    """Full-resolution sigma of a blur in px of a view of step k.

    Averaging over k x k pixels adds a variance of (k^2 - 1) / 12, which is subtracted.
    """
    added = (step * step - np.float32(1)) / np.float32(12)
    return math.sqrt(max(step * step * (blur * blur) - added, np.float32(0)))
