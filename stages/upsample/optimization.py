"""Upsampling by optimisation at full resolution after Park et al. 2011, for comparison.

The map D at full resolution minimises

    sum over samples p of (D_p - sigma_p)^2
        + lambda sum over p, q of (w_pq / W_p) (D_p - D_q)^2,        W_p = sum over q of w_pq,

where q are the eight neighbours of p, and w_pq is large if colours (in YUV) and the values of the
map D', interpolated from the samples, are alike:

    w_pq = exp(-|I_p - I_q|^2 / (2 s_I^2)) exp(-(D'_p - D'_q)^2 / (2 s_D^2)).

Their weights from a segmentation and from edge saliency, and their term of distant neighbours, are
left out. The system has as many unknowns as the picture has pixels, and is solved by conjugate
gradients from D'.

References
----------
Park, Kim, Tai, Brown and Kweon, High quality depth map upsampling for 3D-TOF cameras, ICCV 2011.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from stages.grid import BlurMap, Grid, interpolate
from stages.laplacian.windows import Floats
from stages.params import Array
from stages.propagate.conjugate_gradients import conjugate_gradient_steps
from stages.upsample.samples import sample_pixels

SMOOTHNESS = 10.0  # lambda of the authors
BLUR_SIGMA_PX = 1.0  # s_D
ENOUGH_PX = 0.01  # error of the solution, root mean square
MAX_STEPS = 1000
# One of each pair of opposite neighbours: rows down, columns to the right.
NEIGHBOURS = ((0, 1), (1, -1), (1, 0), (1, 1))


class Pair(NamedTuple):
    """Pixels and their neighbours in one direction, as slices, and the weight between them."""

    here: tuple[slice, slice]
    there: tuple[slice, slice]
    weight: Array


def optimized(low: BlurMap, guide: Array, range_sigma: float) -> Array:
    """Upsample a dense map by minimising the energy of this module.

    Parameters
    ----------
    low : BlurMap
        Dense map on the small grid. Samples between pixels move to the pixel above and to the left.
    guide : Array
        Display-encoded picture in [0, 1], HxWx3 float32.
    range_sigma : float
        s_I, in encoded values.

    Returns
    -------
    Array
        sigma >= 0, HxW float32, full-resolution px.
    """
    shape = guide.shape[:2]
    sigma = interpolate(low.sigma, low.grid, Grid(shape))
    place = np.ix_(*sample_pixels(low.grid, guide.shape))
    known, data = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    known[place], data[place] = 1, low.sigma
    apply = energy_system(pair_weights(guide, sigma, range_sigma), known)
    steps = conjugate_gradient_steps(apply, known, data, sigma, 1)
    for count, progress in enumerate(steps, 1):
        if count == MAX_STEPS or progress.settled and progress.error_px < ENOUGH_PX:
            break
    return np.maximum(sigma, 0)


def pair_weights(guide: Array, first: Array, range_sigma: float) -> list[Pair]:
    """Weights w_pq / W_p + w_qp / W_q between neighbours.

    Parameters
    ----------
    guide : Array
        Encoded picture, HxWx3 float32.
    first : Array
        D', HxW.
    range_sigma : float
        s_I.

    Returns
    -------
    list of Pair
        One for each of `NEIGHBOURS`.
    """
    yuv = cv2.cvtColor(guide, cv2.COLOR_RGB2YUV)
    height, width = first.shape
    pairs, total = [], np.zeros_like(first)
    for down, right in NEIGHBOURS:
        here = np.s_[: height - down, max(-right, 0) : width - max(right, 0)]
        there = np.s_[down:, max(right, 0) : width + min(right, 0)]
        colour = np.sum((yuv[here] - yuv[there]) ** 2, axis=2) / (2 * range_sigma**2)
        blur = (first[here] - first[there]) ** 2 / (2 * BLUR_SIGMA_PX**2)
        weight = np.exp(-colour - blur).astype(np.float32)
        total[here] += weight
        total[there] += weight
        pairs.append(Pair(here, there, weight))
    share = np.asarray(1 / np.maximum(total, np.finfo(np.float32).tiny), np.float32)
    return [pair._replace(weight=pair.weight * (share[pair.here] + share[pair.there]))
            for pair in pairs]  # fmt: skip


def energy_system(pairs: list[Pair], known: Array) -> Callable[[Floats, Floats], float]:
    """Product with the matrix of the energy.

    Parameters
    ----------
    pairs : list of Pair
        Of `pair_weights`.
    known : Array
        1 at samples, else 0, HxW.

    Returns
    -------
    callable
        `apply(p, out)` writes the product with p (HxW) to `out`, and returns p . product.
    """

    def apply(p: Floats, out: Floats) -> float:
        out[:] = known * p
        for here, there, weight in pairs:
            flow = np.float32(SMOOTHNESS) * weight * (p[here] - p[there])
            out[here] += flow
            out[there] -= flow
        return float(np.sum(p * out, dtype=np.float64))

    return apply
