"""Where the samples of a small grid lie in the picture, and what colours they have."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.arrays import reduce_by
from stages.grid import Grid
from stages.params import Array


def sample_pixels(
    grid: Grid, shape: tuple[int, ...]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows and columns of the pixels that stand for the samples of a grid."""
    rows, cols = (
        np.minimum(np.floor(grid.positions(axis)).astype(np.int64), shape[axis] - 1)
        for axis in (0, 1)
    )
    return rows, cols


def reduced_guide(grid: Grid, guide: Array) -> Array:
    """Colours at the samples of a grid: means of its cells, or the pixels that it picks."""
    if grid == Grid.cells((guide.shape[0], guide.shape[1]), grid.step):
        return reduce_by(guide, grid.step)
    return guide[np.ix_(*sample_pixels(grid, guide.shape))]
