"""Joint bilateral upsampling (Kopf, Cohen, Lischinski and Uyttendaele 2007), for comparison.

The value of a pixel p is a mean of the samples q in a 5x5 neighbourhood of the small grid, weighted
by a Gaussian f of the distance and a Gaussian g of the difference of colour:

    sum over q of sigma_q f(|p - q|) g(|I_p - I_q|)  /  sum over q of f g.
"""

from __future__ import annotations

import numpy as np

from stages.grid import BlurMap
from stages.kernels import f32, f64, i64, kernel, reads, writes
from stages.params import Array
from stages.strips import run_strips
from stages.upsample.samples import reduced_guide

REACH = 2  # samples to each side
DISTANCE_SIGMA = 0.5  # standard deviation of f, in steps of the small grid
MIN_RANGE_WEIGHT = 1e-6  # added to g: if no colour is similar, the distance alone decides


def joint_bilateral(low: BlurMap, guide: Array, range_sigma: float) -> Array:
    """Upsample a dense map by joint bilateral upsampling.

    Parameters
    ----------
    low : BlurMap
        Dense map on the small grid.
    guide : Array
        Display-encoded picture in [0, 1], HxWx3 float32.
    range_sigma : float
        Standard deviation of g, in encoded values.

    Returns
    -------
    Array
        sigma, HxW float32, full-resolution px.
    """
    small = np.ascontiguousarray(reduced_guide(low.grid, guide))
    out = np.empty(guide.shape[:2], np.float32)
    step, phase = float(low.grid.step), low.grid.phase
    height = guide.shape[0]
    run_strips(
        lambda start, stop: _upsample(
            low.sigma, small, guide, step, phase, range_sigma, start, stop, out
        ),
        height,
    )
    return out


@kernel(
    reads(f32, 2), reads(f32, 3), reads(f32, 3), f64, f64, f64, i64, i64, writes(f32, 2),
    seldom=True,
)  # fmt: skip
def _upsample(sigma, small, guide, step, phase, range_sigma, start, stop, out):  # type: ignore[no-untyped-def]
    """Write rows [start, stop) of the weighted mean."""
    height, width = sigma.shape
    for y in range(start, stop):
        row = (y - phase) / step
        for x in range(out.shape[1]):
            column = (x - phase) / step
            total = weights = 0.0
            for i in range(max(round(row) - REACH, 0), min(round(row) + REACH + 1, height)):
                for j in range(
                    max(round(column) - REACH, 0), min(round(column) + REACH + 1, width)
                ):
                    colour = 0.0
                    for c in range(3):
                        difference = guide[y, x, c] - small[i, j, c]
                        colour += difference * difference
                    distance = (row - i) ** 2 + (column - j) ** 2
                    weight = np.exp(-distance / (2 * DISTANCE_SIGMA**2)) * (
                        np.exp(-colour / (2 * range_sigma**2)) + MIN_RANGE_WEIGHT
                    )
                    total += weight * sigma[i, j]
                    weights += weight
            out[y, x] = total / weights
