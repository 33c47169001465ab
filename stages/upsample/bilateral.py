"""Joint bilateral upsampling (Kopf, Cohen, Lischinski and Uyttendaele 2007), for comparison.

A pixel p takes the mean of the samples q in a 5x5 neighbourhood of the small grid, weighted by
distance (Gaussian, half a step) and by how alike their colours are:

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
DISTANCE_SIGMA = 0.5  # steps of the small grid
LEAST_WEIGHT = 1e-6  # of distance alone, added to g: where no colour is alike, distance decides


def joint_bilateral(low: BlurMap, guide: Array, range_sigma: float) -> Array:
    """Upsampled sigma, HxW; `range_sigma` is a deviation of encoded colour."""
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


@kernel(reads(f32, 2), reads(f32, 3), reads(f32, 3), f64, f64, f64, i64, i64, writes(f32, 2))
def _upsample(sigma, small, guide, step, phase, range_sigma, start, stop, out):  # type: ignore[no-untyped-def]
    """Rows [start, stop) of the weighted mean."""
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
                        np.exp(-colour / (2 * range_sigma**2)) + LEAST_WEIGHT
                    )
                    total += weight * sigma[i, j]
                    weights += weight
            out[y, x] = total / weights
