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
from stages.bokeh.cells import (
    EDGE_SLOPE,
    SPREAD_VARIANCE,
    Cells,
    finish,
    sum_pixels,
)
from stages.bokeh.checks import RenderInput
from stages.bokeh.disk import NEVER, lattice_offsets
from stages.bokeh.enlarge import MARGIN
from stages.bokeh.gather import (
    COVERED,
    gather_row,
    is_even,
    offsets_within,
    part_row,
    whole_blocks,
)
from stages.bokeh.sprites import Sprites, layer_of, no_sprites, sort_by_tile, take_sprites
from stages.grid import Grid
from stages.kernels import f32, kernel, reads, writes
from stages.params import Array
from stages.strips import run_strips

BLOCK = BLOCK_ROWS, BLOCK_COLS = 16, 128  # cells that share one number of offsets

u64 = types.uint64
u = np.uint64


class CoarseLayers(NamedTuple):
    """Spread layers of all levels.

    Each level has eight planes in one flat array: R, G, B multiplied by coverage, and coverage, of
    its nearer and then of its further half, with MARGIN cells around the picture. `shapes` are rows
    and columns with these. `sprites` are drawn into the layers at full resolution.
    """

    planes: tuple[Array, ...]
    shapes: npt.NDArray[np.uint64]
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
        At most 10.7 bytes a pixel; up to 5 more are in use while this function runs.
    """
    linear, radius, largest = picture
    count = params.levels(largest)
    shapes = [Grid.cells(radius.shape, 2 << level).shape for level in range(count)]
    begins = [params.fade(params.coarse_boundary(level)) for level in range(count)]
    planes = [np.empty(0, np.float32)] * DEEPEST_LEVEL
    table, stays = take_sprites(picture, params) if count else no_sprites()
    layer, is_far = layer_of(table, params, count), np.ones(len(table), bool)
    for level, (begin, end) in enumerate(zip(begins, [*begins[1:], NO_END], strict=False)):
        step, own = 2 << level, layer == level
        cells = _empty_cells(shapes[level], level, largest, params)
        sum_pixels(linear, radius, stays, cells, step, begin, end)
        finish(cells, step, params.outline)
        lens = lens_on(params.outline, params.cats_eye, radius.shape, step)
        planes[level], limits = _spread(cells, lens, params.outline)
        is_far[own] = _lie_far(table[own], limits, step)
    sprites = sort_by_tile(table, 2 * layer + is_far, radius.shape, params, 2 * count)
    around = np.array(shapes, np.uint64).reshape(-1, 2) + np.uint64(2 * MARGIN)
    return CoarseLayers(tuple(planes), around, sprites)


def _lie_far(table: Array, limits: Array, step: int) -> npt.NDArray[np.bool_]:
    """Whether sprites belong to the further half of their layer, by where it is parted."""
    rows, cols = (table[:, :2] / step).astype(np.int64).T + MARGIN
    disks = np.sqrt(np.maximum(table[:, 2] ** 2 - SPREAD_VARIANCE * (step * step - 1), 0)) / step
    return np.asarray(EDGE_SLOPE * disks + 0.5 >= limits[rows, cols], bool)


def _empty_cells(shape: tuple[int, int], level: int, largest: float, params: BokehParams) -> Cells:
    """Cells of a level, padded by the reach of its largest disk."""
    widest = largest if level == DEEPEST_LEVEL - 1 else params.coarse_boundary(level + 1)
    in_cells = min(widest, largest) / (2 << level)
    reach = stretch(params.outline) * (in_cells + 0.5 / EDGE_SLOPE)
    return Cells.empty(*shape, int(np.ceil(reach)) + 1 + MARGIN)


def _spread(cells: Cells, lens: Lens, outline: Outline) -> tuple[Array, Array]:
    """Spread finished cells over their disks; returns eight planes, and where halves part."""
    low, high = _reach_of_blocks(cells)
    offsets = lattice_offsets(float(high.max()), cells.stride, EDGE_SLOPE, outline)
    rows, cols = cells.rows + 2 * MARGIN, cells.cols + 2 * MARGIN
    first = cells.first - MARGIN * (cells.stride + 1)
    out = np.empty(2 * COVERED * rows * cols, np.float32)
    limits = np.zeros((rows, cols), np.float32)
    shift = np.array([0, 0, MARGIN, MARGIN, 0], np.float32)
    lens = lens._replace(facts=lens.facts + shift)
    run_strips(
        lambda y0, y1: _gather_cells(
            cells.flat, cells.plane, cells.stride, first, rows, cols, *offsets, low, high, *lens,
            y0, y1, limits, out,
        ),
        rows,
        strip_rows=BLOCK_ROWS,
    )  # fmt: skip
    return out, limits


def _reach_of_blocks(cells: Cells) -> tuple[Array, Array]:
    """Least and largest reach of the disks of each block and its neighbours: none goes further."""
    reach = cells.reach(MARGIN)
    rows, cols = (np.arange(0, n, block) for n, block in zip(reach.shape, BLOCK, strict=True))
    window, found = np.ones((3, 3), np.uint8), []
    covered = np.where(reach > 0, reach, NEVER)
    for plane, extreme, around in (
        (covered, np.minimum, cv2.erode), (reach, np.maximum, cv2.dilate),
    ):  # fmt: skip
        own = extreme.reduceat(extreme.reduceat(plane, rows, axis=0), cols, axis=1)
        found.append(np.asarray(around(own, window), np.float32).reshape(own.shape))
    return found[0], found[1]


@kernel(
    reads(f32, 1), u64, u64, u64, u64, u64, reads(types.uint64, 1), reads(f32, 1), reads(f32, 2),
    reads(f32, 2), reads(f32, 2), reads(f32, 2), reads(f32, 1), reads(f32, 1), u64, u64,
    writes(f32, 2), writes(f32, 1),
)  # fmt: skip
def _gather_cells(  # type: ignore[no-untyped-def]
    cells, plane, stride, first, rows, cols, steps, distances, places, low, high, sides, facts,
    areas, y0, y1, limits, out,
):  # fmt: skip
    """One strip of blocks: sum each block over the offsets that its reach calls for."""
    sums, line = np.empty(COVERED * BLOCK_COLS, np.float32), np.zeros(BLOCK_COLS, np.float32)
    own, scale, slope = distances.copy(), np.float32(1), np.float32(EDGE_SLOPE)
    cutting = facts[4] > np.float32(0)
    piece, width = u(PIECE) if cutting else u(BLOCK_COLS), u(BLOCK_COLS)
    for x0 in range(u(0), cols, piece):
        block = y0 // u(BLOCK_ROWS), x0 // u(BLOCK_COLS)
        count, even = offsets_within(distances, high[block]), is_even(low[block], high[block])
        wanted = min(piece, cols - x0)
        length = piece if cutting else whole_blocks(wanted)
        for y in range(y0, y1):
            if cutting and (y - y0) % piece == u(0):
                half = piece >> u(1)
                scale = aim(places, distances, count, slope, facts, areas, y + half, x0 + half, own)
            base = first + y * stride + x0
            line[:] = np.float32(0)
            parted = not even and part_row(
                cells, plane, base, steps, own, count, length, width, sums, line
            )
            for x in range(wanted):
                limits[y, x0 + x] = line[x]
            for far in range(u(2)):
                if far == u(1) or parted:
                    gather_row(
                        cells,
                        plane,
                        base,
                        steps,
                        own,
                        count,
                        length,
                        width,
                        line,
                        far == u(1),
                        sums,
                    )
                else:
                    sums[:] = np.float32(0)
                for p in range(u(COVERED)):
                    target = ((far * u(COVERED) + p) * rows + y) * cols + x0
                    for x in range(wanted):
                        out[target + x] = scale * sums[p * width + x]
