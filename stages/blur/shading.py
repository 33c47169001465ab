"""Edges that shading explains as well as blur does: a rounded surface has soft edges in focus.

Kriener et al. 2013, Fig. 7. A wide luma edge along which colour keeps its direction (channels
change in proportion, as under more or less light) may be a fold of a surface; where another colour
begins, an edge is one of matter, and a wide one is blurred. Narrow edges are sharp either way.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stages.arrays import reduce_by
from stages.grid import BlurMap
from stages.params import Array, Params, param

SMOOTHING_CELLS = 1.25  # Gaussian before gradients, as at edges, in cells of 2 px
PROPORTIONAL = (0.02, 0.1)  # share of colour change out of proportion: shading .. another colour
WIDE_PX = (3.0, 6.0)  # px of the view: blur from which on an edge may be shading
FLOOR = np.float32(1e-12)  # squared encoded values, guards quotients


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadingParams(Params):
    """Parameters of the doubt about soft edges."""

    doubt: float = param(
        0.7, 0.0, 1.0, help="share of its confidence that an edge loses which may be shading"
    )


def doubt_shading(sparse: BlurMap, view: Array, params: ShadingParams) -> BlurMap:
    """Lower the confidence of wide edges that may be shading.

    Parameters
    ----------
    sparse : BlurMap
        Blur on cells of 2 x 2 pixels of the view.
    view : Array
        HxWx3 float32, display-encoded in [0, 1].
    params : ShadingParams
        How much to doubt.

    Returns
    -------
    BlurMap
        The same samples with confidence times 1 - doubt * (how well shading explains them).
    """
    cells = cv2.GaussianBlur(reduce_by(view, 2), (0, 0), SMOOTHING_CELLS)
    change = along = np.zeros(sparse.sigma.shape, np.float32)
    for axis in ((1, 0), (0, 1)):
        slope = _slope(cells, axis)
        change = change + np.sum(slope * slope, axis=2)
        along = along + np.sum(slope * cells, axis=2) ** 2
    size = np.sum(cells * cells, axis=2)
    apart = 1 - along / np.maximum(size * change, FLOOR)
    step = sparse.grid.step / 2
    shading = (1 - _smoothstep(apart, *PROPORTIONAL)) * _smoothstep(sparse.sigma / step, *WIDE_PX)
    confidence = sparse.confidence * (1 - np.float32(params.doubt) * shading)
    return BlurMap(sparse.sigma, confidence.astype(np.float32), sparse.grid)


def _slope(cells: Array, axis: tuple[int, int]) -> Array:
    return np.dstack([cv2.Scharr(channel, cv2.CV_32F, *axis) for channel in cv2.split(cells)])


def _smoothstep(values: Array, low: float, high: float) -> Array:
    t = np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)
