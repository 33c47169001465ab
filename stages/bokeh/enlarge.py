"""Bilinear upsampling of coarse layers within a tile, by factors of two.

A block holds the cells of one tile and a margin of two cells on each side, in four planes (R, G, B
and coverage). One factor of two has the weights 3/4 and 1/4 along each axis, since the centre of a
cell is the centre of its pixels. It turns a block with its margin into exactly the next block with
its margin. Tile borders coincide with cell borders of the coarsest layer.
"""

from __future__ import annotations

import numpy as np

from stages.bokeh.gather import BLOCK_COLS, BLOCK_ROWS, COVERED
from stages.bokeh.spread import BOTH_HALVES
from stages.kernels import apart, inline

TILE_ROWS, TILE_COLS = 32, 256  # px; multiples of the largest cell, which has 32 px
SPAN_COLS = 3 * TILE_COLS  # px; adjacent tiles that are composited together
MARGIN = 2  # cells around a tile that upsampling needs, at every level
ROW = TILE_COLS + 2 * MARGIN  # px; length of a row of one plane, with margin
BLOCK_SIZE = (TILE_ROWS // 2 + 2 * MARGIN) * (TILE_COLS // 2 + 2 * MARGIN)  # cells of 2 x 2 px

u = np.uint64


@inline
def load_block(planes, halves, side, rows, cols, y0, x0, high, wide, always, blocks, first):  # type: ignore[no-untyped-def]
    """Copy the cells of a tile, with margin, from the front or back half (`side`) of a layer.

    The planes have the same margin. Beyond it, the last cells are repeated. Coverage is copied
    first. If it is 0 everywhere and `always` is false, the other planes are not copied. Returns
    whether all planes are copied.
    """
    width, covered = wide + u(2 * MARGIN), np.int32(0)
    inside = min(width, cols - min(cols, x0))
    for k in range(u(COVERED)):
        p = (k + u(3)) & u(3)
        first_cell = first + p * u(BLOCK_SIZE)
        for j in range(high + u(2 * MARGIN)):
            row, begin = min(y0 + j, rows - u(1)), u(0)
            source = ((side * u(COVERED) + p) * rows + row) * cols + x0
            target = first_cell + j * width
            while begin < inside:
                block = (x0 + begin) // u(BLOCK_COLS)
                stop = min(inside, (block + u(1)) * u(BLOCK_COLS) - x0)
                if halves[row // u(BLOCK_ROWS), block] + side >= u(BOTH_HALVES):
                    for i in range(begin, stop):
                        blocks[target + i] = planes[source + i]
                else:
                    for i in range(begin, stop):
                        blocks[target + i] = np.float32(0)
                begin = stop
            for i in range(inside, width):
                blocks[target + i] = blocks[target + inside - u(1)]
        for i in range(first_cell, first_cell + (high + u(2 * MARGIN)) * width):
            covered += np.int32(blocks[i] > np.float32(0))
        if covered == 0 and not always:
            return False
    return True


@apart
def double_row(blocks, first, cols, row, line, out, target, plane):  # type: ignore[no-untyped-def]
    """Write one row of a block, upsampled by two, to index `target` of each plane of `out`.

    `row` counts output rows with the margin. The block starts at index `first` and has `cols`
    columns without the margin. `plane` is the size of an output plane; `line` is scratch.
    """
    near, far = np.float32(0.75), np.float32(0.25)
    width = cols + u(2 * MARGIN)
    centre = first + ((row >> u(1)) + u(1)) * width
    other = first + ((row >> u(1)) + (row & u(1)) * u(2)) * width
    for p in range(u(COVERED)):
        for x in range(width):
            line[x] = near * blocks[centre + x] + far * blocks[other + x]
        at = target + p * plane
        for x in range(cols + u(MARGIN)):
            out[at + u(2) * x] = near * line[x + u(1)] + far * line[x]
            out[at + u(2) * x + u(1)] = near * line[x + u(1)] + far * line[x + u(2)]
        centre += u(BLOCK_SIZE)
        other += u(BLOCK_SIZE)
