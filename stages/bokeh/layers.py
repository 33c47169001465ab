"""Coarse layers: large disks rendered at 1/2, 1/4, ... of full resolution.

Each octave of radius has its layer of cells (`cells.py`), whose disks are 4 to 8 cells wide: their
radius is exact and continuous, only their place and edge are known to a cell. Every layer is
spread over its own grid, and `tiles.py` brings them together.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from numba import types

from stages.bokeh.aperture import PIECE, Lens, Outline, aim, lens_on, stretch
from stages.bokeh.bands import DEEPEST_LEVEL, NO_END, BokehParams
from stages.bokeh.cells import EDGE_SLOPE, Cells, finish, sum_cells, sum_pixels
from stages.bokeh.checks import RenderInput
from stages.bokeh.disk import lattice_offsets
from stages.bokeh.gather import COVERED, gather_row, offsets_within, whole_blocks
from stages.bokeh.sprites import Sprites, no_sprites, sort_by_tile, take_sprites
from stages.grid import Grid
from stages.kernels import f32, kernel, reads, writes
from stages.params import Array
from stages.strips import run_strips

BLOCK_ROWS, BLOCK_COLS = 16, 128  # cells that share one number of offsets

u64 = types.uint64
u = np.uint64


class CoarseLayers(NamedTuple):
    """Spread layers of all levels in one flat array.

    `table` has a row per level: first index, rows, columns. Each level is four planes: R, G, B
    multiplied by coverage, and coverage. `sprites` are drawn into them at full resolution.
    """

    planes: Array
    table: npt.NDArray[np.uint64]
    sprites: Sprites


def spread_coarse_layers(picture: RenderInput, params: BokehParams) -> CoarseLayers:
    """Make and spread all coarse layers that the radii of a picture need.

    Parameters
    ----------
    picture : RenderInput
        Linear light and radius.
    params : BokehParams
        Where the layers part.

    Returns
    -------
    CoarseLayers
        At most 5.3 bytes a pixel; 6.7 more are in use while this function runs.
    """
    linear, radius, largest = picture
    count = params.levels(largest)
    shapes = [Grid.cells(radius.shape, 2 << level).shape for level in range(count)]
    ends = np.cumsum([0] + [COVERED * rows * cols for rows, cols in shapes])
    table = [(e, *s) for e, s in zip(ends, shapes, strict=False)]
    planes, sprites = np.empty(ends[-1], np.float32), no_sprites()
    begins = [params.fade(params.coarse_boundary(level)) for level in range(count)]
    pyramid = [_empty_cells(shape, level, largest, params) for level, shape in enumerate(shapes)]
    for level, cells in enumerate(pyramid):
        if level == 0:
            sum_pixels(linear, radius, cells, begins[level])
            sprites = sort_by_tile(
                take_sprites(picture, cells, params), radius.shape, params, count
            )
        else:
            sum_cells(pyramid[level - 1], cells, begins[level])
    for level, (cells, end) in enumerate(zip(pyramid, [*begins[1:], NO_END], strict=False)):
        finish(cells, 2 << level, end, params.outline)
        lens = lens_on(params.outline, params.cats_eye, radius.shape, 2 << level)
        _spread(cells, lens, params.outline, int(ends[level]), planes)
    return CoarseLayers(planes, np.array(table, np.uint64).reshape(-1, 3), sprites)


def _empty_cells(shape: tuple[int, int], level: int, largest: float, params: BokehParams) -> Cells:
    """Cells of a level, padded by the reach of its largest disk."""
    widest = largest if level == DEEPEST_LEVEL - 1 else params.coarse_boundary(level + 1)
    in_cells = min(widest, largest) / (2 << level)
    reach = stretch(params.outline) * (in_cells + 0.5 / EDGE_SLOPE)
    return Cells.empty(*shape, int(np.ceil(reach)) + 1)


def _spread(cells: Cells, lens: Lens, outline: Outline, start: int, out: Array) -> None:
    """Spread finished cells over their disks into four planes of `out`, from index `start` on."""
    reach = _reach_of_blocks(cells)
    offsets = lattice_offsets(float(reach.max()), cells.stride, EDGE_SLOPE, outline)
    run_strips(
        lambda y0, y1: _gather_cells(
            cells.flat, cells.plane, cells.stride, cells.first, cells.rows, cells.cols,
            *offsets, reach, *lens, y0, y1, out, start,
        ),
        cells.rows,
        strip_rows=BLOCK_ROWS,
    )  # fmt: skip


def _reach_of_blocks(cells: Cells) -> Array:
    """Largest reach of the disks of each block and its neighbours, which is as far as any goes."""
    rows, cols = np.arange(0, cells.rows, BLOCK_ROWS), np.arange(0, cells.cols, BLOCK_COLS)
    own = np.maximum.reduceat(np.maximum.reduceat(cells.reach, rows, axis=0), cols, axis=1)
    around = cv2.dilate(own, np.ones((3, 3), np.uint8))
    return np.asarray(around, np.float32).reshape(own.shape)


@kernel(
    reads(f32, 1), u64, u64, u64, u64, u64, reads(types.uint64, 1), reads(f32, 1), reads(f32, 2),
    reads(f32, 2), reads(f32, 2), reads(f32, 1), reads(f32, 1), u64, u64, writes(f32, 1), u64,
)  # fmt: skip
def _gather_cells(  # type: ignore[no-untyped-def]
    cells,
    plane,
    stride,
    first,
    rows,
    cols,
    steps,
    distances,
    places,
    reach,
    sides,
    facts,
    areas,
    y0,
    y1,
    out,
    start,
):
    """One strip of blocks: sum each block over the offsets that its reach calls for."""
    sums = np.empty(COVERED * BLOCK_COLS, np.float32)
    own, scale, slope = distances.copy(), np.float32(1), np.float32(EDGE_SLOPE)
    cutting = facts[4] > np.float32(0)
    piece = u(PIECE) if cutting else u(BLOCK_COLS)
    for x0 in range(u(0), cols, piece):
        count = offsets_within(distances, reach[y0 // u(BLOCK_ROWS), x0 // u(BLOCK_COLS)])
        wanted = min(piece, cols - x0)
        length = piece if cutting else whole_blocks(wanted)
        for y in range(y0, y1):
            if cutting and (y - y0) % piece == u(0):
                half = piece >> u(1)
                scale = aim(places, distances, count, slope, facts, areas, y + half, x0 + half, own)
            base = first + y * stride + x0
            gather_row(cells, plane, base, steps, own, count, length, u(BLOCK_COLS), sums)
            for p in range(u(COVERED)):
                target = start + (p * rows + y) * cols + x0
                for x in range(wanted):
                    out[target + x] = scale * sums[p * u(BLOCK_COLS) + x]
