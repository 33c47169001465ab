"""Push-pull interpolation of sparse data, without a guide and without a linear system.

Data are averaged in a pyramid down to one pixel, and gaps are then filled from coarse to fine
(Gortler, Grzeszczuk, Szeliski and Cohen, The Lumigraph, 1996, section 3.4). `fill` makes the first
complete map. `nearness` is the confidence of every dense map: 1 at data, and halved each time the
distance to data doubles.
"""

from __future__ import annotations

import cv2
import numpy as np

from stages.arrays import reduce_by
from stages.grid import BlurMap
from stages.params import Array

DOUBLING_FACTOR = np.float32(0.5)  # factor of the confidence when the distance to data doubles
NO_DATA_CONFIDENCE = 1e-3  # of a dense map that was made without any data
NEARNESS_STEP = 4  # px; smaller distances to data are not distinguished


def fill(constraints: BlurMap) -> BlurMap:
    """Fill a sparse map by push-pull interpolation.

    Parameters
    ----------
    constraints : BlurMap
        Sparse map; may have no data at all.

    Returns
    -------
    BlurMap
        Dense map on the same grid. Sigma is within the range of the data, or 0 if there are none.
        Confidence is that of the data, but at most 1, and is halved each time the distance to data
        doubles.
    """
    if not constraints.confidence.any():
        low = np.full_like(constraints.confidence, NO_DATA_CONFIDENCE)
        return BlurMap(np.zeros_like(constraints.sigma), low, constraints.grid)
    weight = constraints.confidence
    sigma, confidence = _push_pull(weight * constraints.sigma, weight)
    return BlurMap(sigma, confidence, constraints.grid)


def _push_pull(moment: Array, weight: Array) -> tuple[Array, Array]:
    """Sigma and confidence, HxW, from the sums of weighted data and of weights in each cell."""
    trust = np.minimum(weight, 1)
    if weight.size == 1:
        return np.divide(moment, weight), trust
    sigma, confidence = (
        _doubled(plane)[: weight.shape[0], : weight.shape[1]]
        for plane in _push_pull(4 * reduce_by(moment, 2), 4 * reduce_by(weight, 2))
    )
    rest = np.float32(1) - trust
    own = np.divide(moment, np.maximum(weight, 1))  # trust times the mean of the data
    return own + rest * sigma, trust + DOUBLING_FACTOR * rest * confidence


def nearness(weight: Array) -> Array:
    """Confidence of a dense map, from the confidence of its data.

    Parameters
    ----------
    weight : Array
        Confidence of the data, HxW float32 >= 0; 0: no data. At least one value is positive.

    Returns
    -------
    Array
        HxW float32 in (0, 1]: at least min(weight, 1), and decreasing with the distance to data.
    """
    around = _pull(NEARNESS_STEP**2 * reduce_by(weight, NEARNESS_STEP))
    rows, cols = (n * NEARNESS_STEP for n in around.shape)
    near = cv2.resize(around, (cols, rows))[: weight.shape[0], : weight.shape[1]]
    near = np.maximum(near / np.float32(NEARNESS_STEP), weight)
    return np.asarray(np.minimum(near, 1, out=near), np.float32)


def _pull(count: Array) -> Array:
    """Confidence of cells from the amount of data in them."""
    trust = np.minimum(count, 1)
    if count.shape == (1, 1):
        return trust
    above = _doubled(_pull(4 * reduce_by(count, 2)))[: count.shape[0], : count.shape[1]]
    return np.asarray(trust + (1 - trust) * above * DOUBLING_FACTOR, np.float32)


def _doubled(plane: Array) -> Array:
    """Plane of twice the size, by bilinear interpolation."""
    rows, cols = plane.shape[:2]
    return np.asarray(cv2.resize(plane, (2 * cols, 2 * rows)))
