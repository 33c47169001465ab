"""Propagation by colourisation (Levin, Lischinski and Weiss 2004), as in Bae and Durand (2007).

Each pixel r should be the mean of its neighbours s in a 3x3 window, weighted by the similarity of
their luma Y. This minimises

    sum over r of (alpha_r - sum over s of w_rs alpha_s)^2,
    w_rs ~ exp(-(Y_r - Y_s)^2 / (2 sigma_r^2)),      sum over s of w_rs = 1,

where sigma_r^2 is the variance of Y around r. The method is for comparison: since its windows are
small, plain conjugate gradients converge slowly.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from stages.arrays import box_mean
from stages.laplacian import MattingLaplacian
from stages.laplacian.windows import Floats
from stages.params import Array
from stages.propagate.conjugate_gradients import System

NEIGHBOURS = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]
MIN_VARIANCE = 2e-6  # luma^2, lower limit of sigma_r^2: the square of about a third of a code


def colorization_system(laplacian: MattingLaplacian, weight: Array) -> System:
    """Normal equations of the colourisation energy, plus a diagonal of weights.

    Parameters
    ----------
    laplacian : MattingLaplacian
        Only the guide is used. Its first plane is the mean of the colours times sqrt(3).
    weight : Array
        Diagonal lambda D, HxW float32.

    Returns
    -------
    callable
        `apply(p, out)` writes the product with p (HxW) to `out`, and returns p . product.
    """
    deviation = neighbour_deviation(laplacian.guide[0].astype(np.float64) / np.sqrt(3))
    transposed = deviation.T.tocsr()

    def apply(p: Floats, out: Floats) -> float:
        flat = transposed @ (deviation @ p.ravel())
        out[:] = flat.reshape(p.shape) + weight * p
        return float(np.sum(p * out, dtype=np.float64))

    return apply


def neighbour_deviation(luma: Floats) -> sparse.csr_array:
    """Sparse matrix of alpha_r - sum of w_rs alpha_s.

    Parameters
    ----------
    luma : array of float64
        HxW in [0, 1].

    Returns
    -------
    scipy.sparse.csr_array
        One row for each pixel r, HW x HW.
    """
    height, width = luma.shape
    inside = box_mean(np.ones_like(luma), 1)
    mean = box_mean(luma, 1) / inside
    variance = np.maximum(box_mean(luma * luma, 1) / inside - mean**2, MIN_VARIANCE)
    place = np.arange(luma.size).reshape(luma.shape)
    rows, columns, weights = [], [], []
    for i, j in NEIGHBOURS:
        here = np.s_[max(-i, 0) : height - max(i, 0), max(-j, 0) : width - max(j, 0)]
        there = np.s_[max(i, 0) : height + min(i, 0), max(j, 0) : width + min(j, 0)]
        alike = np.exp(-((luma[here] - luma[there]) ** 2) / (2 * variance[here]))
        rows.append(place[here].ravel())
        columns.append(place[there].ravel())
        weights.append(alike.ravel())
    entries = (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns)))
    affinity = sparse.csr_array(entries, (luma.size, luma.size))
    total = affinity.sum(axis=1)
    share = np.divide(1, total, out=np.zeros_like(total), where=total > 0)
    return sparse.csr_array(sparse.eye_array(luma.size) - sparse.diags_array(share) @ affinity)
