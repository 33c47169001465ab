"""The sparse blur map: hysteresis thresholding of edges, and blur in full-resolution pixels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.arrays import box_mean, luma
from stages.blur.alone import EdgeCandidates
from stages.blur.edges import linked_edges
from stages.blur.params import BlurParams
from stages.grid import BlurMap, Grid, SparseBlur
from stages.kinds import Encoded


def link_edges(candidates: EdgeCandidates, grid: Grid) -> SparseBlur:
    """Sparse map of strong edges, and of weak edges that are connected to a strong one.

    Parameters
    ----------
    candidates : EdgeCandidates
        Edges of the whole view, with blur s in pixels of the view.
    grid : Grid
        Grid of the view, step k.

    Returns
    -------
    BlurMap
        Sparse; sigma in full-resolution pixels, confidence k at edges (the length of edge that a
        sample represents) and 0 elsewhere.

    Notes
    -----
    sigma = sqrt((k s)^2 - (k^2 - 1) / 12), since averaging over k x k pixels adds a variance of
    (k^2 - 1) / 12.
    """
    kept = linked_edges(candidates.strength) & (candidates.sigma > 0)
    step = grid.step
    square = (step * candidates.sigma) ** 2 - np.float32((step**2 - 1) / 12)
    sigma = np.where(kept, np.sqrt(np.maximum(square, 0)), 0).astype(np.float32)
    return BlurMap(sigma, kept.astype(np.float32) * np.float32(step), grid)


def clean_sparse(sparse: SparseBlur, view: Encoded, params: BlurParams) -> SparseBlur:
    """Smooth a sparse map along its edges by a guided filter over the defined samples.

    Parameters
    ----------
    sparse : BlurMap
        Blur at edges, on the grid of the view.
    view : Array
        HxWx3 float32, display-encoded in [0, 1]; its luma is the guide.
    params : BlurParams
        Window radius and regularisation.

    Returns
    -------
    BlurMap
        Smoothed sigma >= 0 at the same samples, with the same confidence.

    References
    ----------
    Kriener, Binder and Wille (2013), section 2.1.
    """
    guide = luma(view).astype(np.float64)
    weight = (sparse.confidence > 0).astype(np.float64)

    def mean(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(box_mean(values, params.cleanup_radius_px), np.float64)

    share = np.maximum(mean(weight), np.finfo(np.float32).tiny)
    mean_i = mean(weight * guide) / share
    mean_s = mean(weight * sparse.sigma) / share
    cov = mean(weight * guide * sparse.sigma) / share - mean_i * mean_s
    var = mean(weight * guide * guide) / share - mean_i * mean_i
    a = cov / (var + params.cleanup_epsilon)
    b = mean_s - a * mean_i
    smooth = (mean(weight * a) * guide + mean(weight * b)) / share
    sigma = np.where(weight > 0, np.maximum(smooth, 0), 0).astype(np.float32)
    return BlurMap(sigma, sparse.confidence, sparse.grid)
