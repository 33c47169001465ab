"""Positions of the samples of a small grid in the picture, and their colours."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.arrays import reduce_by
from stages.grid import Grid
from stages.kernels import f32, i64, inline, kernel, reads, writes
from stages.params import Array
from stages.strips import STRIP_ROWS, run_strips


def sample_pixels(
    grid: Grid, shape: tuple[int, ...]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows and columns of the pixels at the samples of a grid; positions are rounded down.

    Parameters
    ----------
    grid : Grid
        Grid over the picture.
    shape : tuple of int
        Shape of the picture, (H, W, ...).

    Returns
    -------
    array of int64, array of int64
        One index for each row and each column of the grid.
    """
    rows, cols = (
        np.minimum(np.floor(grid.positions(axis)).astype(np.int64), shape[axis] - 1)
        for axis in (0, 1)
    )
    return rows, cols


def reduced_guide(grid: Grid, guide: Array, *, linear: bool = False) -> Array:
    """Colours at the samples of a grid: means of cells, or single pixels.

    Parameters
    ----------
    grid : Grid
        Grid over the picture. If it is not `Grid.cells` of its step, single pixels are taken.
    guide : Array
        Picture, HxWx3 float32.
    linear : bool
        Whether the guide is in linear light. Its square root is then taken, which is close to any
        display encoding (see `root_of`), row by row and before averaging.

    Returns
    -------
    Array
        rows x cols x 3 float32. The mean of a cell is not finite if one of its pixels is not.
    """
    full = guide.shape[0], guide.shape[1]
    if grid != Grid.cells(full, grid.step):
        picked = guide[np.ix_(*sample_pixels(grid, full))]
        return np.sqrt(np.clip(picked, 0, 1)) if linear else picked
    if not linear:
        return reduce_by(guide, grid.step)
    small, flat = np.empty((*grid.shape, 3), np.float32), np.ascontiguousarray(guide).reshape(-1)
    run_strips(
        lambda start, stop: _roots_of_cells(flat, *full, grid.step, start, stop, small),
        grid.shape[0],
        max(STRIP_ROWS // grid.step, 1),
    )
    return small


@inline
def root_of(light):  # type: ignore[no-untyped-def]
    """Square root of light clipped to [0, 1]: near any display encoding, at a third of the cost."""
    return np.sqrt(min(max(light, np.float32(0)), np.float32(1)))


@kernel(reads(f32, 1), i64, i64, i64, i64, i64, writes(f32, 3))
def _roots_of_cells(light, height, width, step, start, stop, out):  # type: ignore[no-untyped-def]
    """Write rows [start, stop) of cell means of square roots; the border of the picture repeats."""
    total = np.empty(3 * (width + step), np.float32)
    share, three = np.float32(1) / np.float32(step * step), np.uint64(3)
    for row in range(start, stop):
        total[:] = np.float32(0)
        for y in range(row * step, (row + 1) * step):
            line = light[3 * width * min(y, height - 1) :]
            for k in range(3 * width):
                total[k] += root_of(line[k]) + (line[k] - line[k])  # NaN where not finite
        for k in range(3 * width, total.size):
            total[k] = total[k - 3]
        for x in range(np.uint64(out.shape[1])):
            for channel in range(three):
                mean = np.float32(0)
                for column in range(x * np.uint64(step), (x + np.uint64(1)) * np.uint64(step)):
                    mean += total[three * column + channel]
                out[row, x, channel] = share * mean
