"""Upsampling of coarse layers inside a tile: bilinear, doubling level by level.

A block holds the cells of a tile and a margin of two on each side, in four planes. Doubling a
block with its margin gives exactly the next block with its margin: weights 3/4 and 1/4 along each
axis, cell centres in the middle of their pixels. Tiles are cut on cells of the deepest layer.
"""

from __future__ import annotations

import numpy as np

from stages.bokeh.gather import COVERED
from stages.kernels import inline

TILE_ROWS, TILE_COLS = 32, 256  # multiples of the cells of the deepest layer
MARGIN = 2  # cells around a tile that doubling needs, at every level
ROW = TILE_COLS + 2 * MARGIN  # a row of a layer; its four planes follow one another
BLOCK_SIZE = (TILE_ROWS // 2 + 2 * MARGIN) * (TILE_COLS // 2 + 2 * MARGIN)  # at half resolution

u = np.uint64


@inline
def load_block(planes, start, rows, cols, y0, x0, high, wide, block):  # type: ignore[no-untyped-def]
    """Copy a tile's cells of a coarse layer with their margin; returns whether any is covered.

    The planes have that margin, too. Coverage comes first: an empty block is left there. Further
    beyond the picture, cells are repeated.
    """
    empty, last = True, cols - u(1)
    width = wide + u(2 * MARGIN)
    known = min(width, cols - x0)
    for p in (u(3), u(0), u(1), u(2)):
        for j in range(high + u(2 * MARGIN)):
            source = start + (p * rows + min(y0 + j, rows - u(1))) * cols
            target = p * u(BLOCK_SIZE) + j * width
            for i in range(known):
                block[target + i] = planes[source + x0 + i]
            for i in range(known, width):
                block[target + i] = planes[source + last]
            for i in range(width):
                if not empty:
                    break
                empty = block[target + i] <= np.float32(0)
        if empty:
            return False
    return True


@inline
def double_row(block, cols, row, line, out):  # type: ignore[no-untyped-def]
    """One row (counted with the margin) of a block of `cols` columns, upsampled by two."""
    near, far = np.float32(0.75), np.float32(0.25)
    width = cols + u(2 * MARGIN)
    for p in range(u(COVERED)):
        centre = p * u(BLOCK_SIZE) + ((row >> u(1)) + u(1)) * width
        other = p * u(BLOCK_SIZE) + ((row >> u(1)) + (row & u(1)) * u(2)) * width
        for x in range(width):
            line[x] = near * block[centre + x] + far * block[other + x]
        first = p * u(ROW)
        for x in range(cols + u(MARGIN)):
            out[first + u(2) * x] = near * line[x + u(1)] + far * line[x]
            out[first + u(2) * x + u(1)] = near * line[x + u(1)] + far * line[x + u(2)]


@inline
def store_row(sums, row, width, block):  # type: ignore[no-untyped-def]
    """Put an upsampled row of four planes into a block."""
    for p in range(u(COVERED)):
        target = p * u(BLOCK_SIZE) + row * width
        for x in range(width):
            block[target + x] = sums[p * u(ROW) + x]
