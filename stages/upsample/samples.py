"""Where the samples of a small grid lie in the picture, and what colours they have."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.arrays import reduce_by
from stages.grid import Grid
from stages.kernels import f32, i64, kernel, reads, writes
from stages.params import Array
from stages.strips import STRIP_ROWS, run_strips
from stages.tone import SRGB, encode, srgb_of


def sample_pixels(
    grid: Grid, shape: tuple[int, ...]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows and columns of the pixels that stand for the samples of a grid."""
    rows, cols = (
        np.minimum(np.floor(grid.positions(axis)).astype(np.int64), shape[axis] - 1)
        for axis in (0, 1)
    )
    return rows, cols


def reduced_guide(grid: Grid, guide: Array, *, linear: bool = False) -> Array:
    """Colours at the samples of a grid: means of its cells, or the pixels that it picks.

    A guide in linear light is encoded as sRGB, and then averaged, row by row.
    """
    full = guide.shape[0], guide.shape[1]
    if grid != Grid.cells(full, grid.step):
        picked = guide[np.ix_(*sample_pixels(grid, full))]
        return encode(picked, SRGB) if linear else picked
    if not linear:
        return reduce_by(guide, grid.step)
    small, flat = np.empty((*grid.shape, 3), np.float32), np.ascontiguousarray(guide).reshape(-1)
    run_strips(
        lambda start, stop: _encode_cells(flat, *full, grid.step, start, stop, small),
        grid.shape[0],
        max(STRIP_ROWS // grid.step, 1),
    )
    return small


@kernel(reads(f32, 1), i64, i64, i64, i64, i64, writes(f32, 3))
def _encode_cells(light, height, width, step, start, stop, out):  # type: ignore[no-untyped-def]
    """Rows [start, stop) of cell means of the encoded picture; cut cells repeat its border."""
    total = np.empty(3 * (width + step), np.float32)
    share, three = np.float32(1) / np.float32(step * step), np.uint64(3)
    for row in range(start, stop):
        total[:] = np.float32(0)
        for y in range(row * step, (row + 1) * step):
            line = light[3 * width * min(y, height - 1) :]
            for k in range(3 * width):
                total[k] += srgb_of(line[k])
        for k in range(3 * width, total.size):
            total[k] = total[k - 3]
        for x in range(np.uint64(out.shape[1])):
            for channel in range(three):
                mean = np.float32(0)
                for column in range(x * np.uint64(step), (x + np.uint64(1)) * np.uint64(step)):
                    mean += total[three * column + channel]
                out[row, x, channel] = share * mean
