"""Push and pull: what can be said of a pixel from data around it, without a guide or a system.

Gortler, Grzeszczuk, Szeliski and Cohen, The Lumigraph, 1996, section 3.4: average down to one
pixel, then fill the gaps on the way back up. `fill` is a complete first map; `nearness` is the
confidence of every dense map and says how near data is: 1 at data, halved where the distance
doubles.
"""

from __future__ import annotations

import cv2
import numpy as np

from stages.arrays import reduce_by
from stages.grid import BlurMap
from stages.params import Array

LESS_SURE = np.array([1, 0.5], np.float32)  # sigma, confidence where distance to data doubles
NO_DATA_CONFIDENCE = 1e-3  # of a map that is complete although nothing is known
NEARNESS_STEP = 4  # px; distances below are all the same to a reader of confidence


def fill(constraints: BlurMap) -> BlurMap:
    """Fill a sparse map by push and pull.

    Parameters
    ----------
    constraints : BlurMap
        Sparse map; may have no data at all.

    Returns
    -------
    BlurMap
        Dense map on the same grid. Sigma lies within the range of the data (zero without any);
        confidence is the data's up to 1 and halves where the distance to data doubles.
    """
    if not constraints.confidence.any():
        low = np.full_like(constraints.confidence, NO_DATA_CONFIDENCE)
        return BlurMap(np.zeros_like(constraints.sigma), low, constraints.grid)
    weight = constraints.confidence
    filled = _push_pull(np.stack([weight * constraints.sigma, weight], axis=2))
    sigma, confidence = (np.ascontiguousarray(filled[..., k]) for k in (0, 1))
    return BlurMap(sigma, confidence, constraints.grid)


def _push_pull(sums: Array) -> Array:
    """Sigma and confidence (HxWx2) from sums of weighted data and of weights (HxWx2)."""
    height, width = sums.shape[:2]
    trust = np.minimum(sums[..., 1:], 1)
    own = np.ones_like(sums)
    np.divide(sums[..., 0], sums[..., 1], out=own[..., 0], where=sums[..., 1] > 0)
    if height == width == 1:
        own[..., 1:] = trust
        return own
    coarse = _push_pull(4 * reduce_by(sums, 2))
    above = _doubled(coarse)[:height, :width]
    return np.asarray(trust * own + (1 - trust) * above * LESS_SURE, np.float32)


def nearness(weight: Array) -> Array:
    """Confidence of a dense map from that of its data.

    Parameters
    ----------
    weight : Array
        HxW, confidence of the data, 0 where there is none; somewhere positive.

    Returns
    -------
    Array
        HxW in (0, 1]: at least min(weight, 1), and falling with the distance to data.
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
    return np.asarray(trust + (1 - trust) * above * LESS_SURE[1], np.float32)


def _doubled(plane: Array) -> Array:
    rows, cols = plane.shape[:2]
    return np.asarray(cv2.resize(plane, (2 * cols, 2 * rows)))
