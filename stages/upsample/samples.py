"""Where the samples of a small grid lie in the picture, and what colours they have."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.arrays import reduce_by
from stages.grid import Grid
from stages.params import Array
from stages.strips import STRIP_ROWS, run_strips
from stages.tone import ToneCurve, encode


def sample_pixels(
    grid: Grid, shape: tuple[int, ...]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows and columns of the pixels that stand for the samples of a grid."""
    rows, cols = (
        np.minimum(np.floor(grid.positions(axis)).astype(np.int64), shape[axis] - 1)
        for axis in (0, 1)
    )
    return rows, cols


def reduced_guide(grid: Grid, guide: Array, curve: ToneCurve | None = None) -> Array:
    """Colours at the samples of a grid: means of its cells, or the pixels that it picks.

    A guide in linear light is encoded by the curve, and then averaged, strip by strip.
    """
    full = guide.shape[0], guide.shape[1]
    if grid != Grid.cells(full, grid.step):
        picked = guide[np.ix_(*sample_pixels(grid, full))]
        return picked if curve is None else encode(picked, curve)
    if curve is None or grid.step == 1:
        return reduce_by(guide if curve is None else encode(guide, curve), grid.step)
    small = np.empty((*grid.shape, 3), np.float32)

    def reduce(start: int, stop: int) -> None:
        rows = guide[start * grid.step : stop * grid.step]
        small[start:stop] = reduce_by(encode(rows, curve), grid.step)

    run_strips(reduce, grid.shape[0], max(STRIP_ROWS // grid.step, 1))
    return small
