"""Coarse layers: large disks rendered at 1/2, 1/4, ... of full resolution.

Each octave of radius has a layer of cells (`cells.py`). The radius of a disk is exact and
continuous, but its centre and edge are only as accurate as a cell. Every layer is splatted on its
own grid. `tiles.py` upsamples the layers and composites them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.bokeh.aperture import PIECE, Lens, Outline, lens_on, stretch
from stages.bokeh.bands import DEEPEST_LEVEL, NO_END, BokehParams
from stages.bokeh.cells import EDGE_SLOPE, Cells, make_cells, part
from stages.bokeh.checks import RenderInput
from stages.bokeh.enlarge import MARGIN
from stages.bokeh.gather import BLOCK_ROWS, COVERED
from stages.bokeh.spread import Halves, Source, Spread, gather, offsets_of
from stages.bokeh.sprite_table import Sprites, layer_of, no_sprites, sort_by_tile
from stages.bokeh.sprites import BLOCK_CELLS, take_sprites
from stages.grid import Grid
from stages.params import Array
from stages.strips import run_strips


class CoarseLayers(NamedTuple):
    """Splatted layers of all levels.

    Attributes
    ----------
    planes : tuple of Array
        Eight planes of each level in one flat float32 array: premultiplied R, G, B and coverage of
        the front half, then of the back half, with a margin of MARGIN cells around the picture.
    halves : tuple of Halves
        Halves that are present in each block of `spread.py`. An absent half is not written.
    shapes : array of uint64
        Rows and columns of each level in cells, with the margin, n x 2.
    sprites : Sprites
        Highlights that are drawn into the upsampled layers.
    """

    planes: tuple[Array, ...]
    halves: tuple[Halves, ...]
    shapes: npt.NDArray[np.uint64]
    sprites: Sprites


def spread_coarse_layers(picture: RenderInput, params: BokehParams) -> CoarseLayers:
    """Build and splat all coarse layers that are needed for the radii of a picture.

    Parameters
    ----------
    picture : RenderInput
        Linear light and radius, of both surfaces where there are two.
    params : BokehParams
        Boundaries of the layers, and the aperture.

    Returns
    -------
    CoarseLayers
        The layers. They take up to 10.7 bytes per pixel, and up to 5 more while they are built.
    """
    shape, largest = picture.radius.shape, picture.largest_px
    count = params.levels(largest)
    shapes = [Grid.cells(shape, 2 << level).shape for level in range(count)]
    cells = [_empty_cells(shapes[level], level, largest, params) for level in range(count)]
    table = _collect(picture, params, cells)
    layer, in_back = layer_of(table, params, count), np.ones(len(table), bool)
    planes = [np.empty(0, np.float32)] * DEEPEST_LEVEL
    halves = [np.empty((0, 0), np.uint8)] * DEEPEST_LEVEL
    for level in range(count):
        step, own = 2 << level, layer == level
        part(cells[0])
        in_back[own] = _in_back_half(table[own], cells[0], step)
        lens = lens_on(params.outline, params.cats_eye, (shape[0], shape[1]), step)
        spread = _spread(cells.pop(0), lens, params.outline)  # popped, so that the cells are freed
        planes[level], halves[level] = spread.planes, spread.halves
    sprites = sort_by_tile(table, 2 * layer + in_back, (shape[0], shape[1]), params, 2 * count)
    around = np.array(shapes, np.uint64).reshape(-1, 2) + np.uint64(2 * MARGIN)
    return CoarseLayers(tuple(planes), tuple(halves), around, sprites)


def _collect(picture: RenderInput, params: BokehParams, cells: list[Cells]) -> Array:
    """Fill the cells of all levels with the picture without its sprites; returns the sprites."""
    if not cells:
        return no_sprites()
    fades = [params.fade(params.coarse_boundary(level)) for level in range(len(cells))]
    bands = list(zip(fades, [*fades[1:], NO_END], strict=True))

    behind = picture.behind

    def strip(y0: int, y1: int) -> Array:
        table, stays = take_sprites(picture, params, y0, y1)
        far_stays = np.empty((0, 0), np.float32)
        if behind is not None:
            far_table, far_stays = take_sprites(behind, params, y0, y1)
            table = np.concatenate((table, far_table))
        for level, band in enumerate(bands):
            make_cells(
                picture, (stays, far_stays), y0, cells[level], 2 << level, band, params.outline
            )
        return table

    return np.concatenate(run_strips(strip, cells[0].rows, BLOCK_CELLS))


def _in_back_half(table: Array, cells: Cells, step: int) -> npt.NDArray[np.bool_]:
    """Whether the cell of each sprite belongs to the back half of its layer."""
    rows, cols = (table[:, :2] / step).astype(np.int64).T
    q = cells.flat[COVERED * cells.plane + cells.first + rows * cells.stride + cols]
    return np.asarray(q > 0, bool)


def _empty_cells(shape: tuple[int, int], level: int, largest: float, params: BokehParams) -> Cells:
    """Empty cells of a level, padded by the reach of its largest disk."""
    widest = largest if level == DEEPEST_LEVEL - 1 else params.coarse_boundary(level + 1)
    in_cells = min(widest, largest) / (2 << level)
    reach = stretch(params.outline) * (in_cells + 0.5 / EDGE_SLOPE)
    return Cells.empty(*shape, int(np.ceil(reach)) + 1 + MARGIN)


def _spread(cells: Cells, lens: Lens, outline: Outline) -> Spread:
    """Splatted layer of finished cells."""
    rows, cols = cells.rows + 2 * MARGIN, cells.cols + 2 * MARGIN
    halo = cells.pad - MARGIN
    reach = EDGE_SLOPE * halo / stretch(outline)
    offsets = offsets_of(reach, halo, EDGE_SLOPE, outline)
    lens = lens._replace(facts=lens.facts + np.array([0, 0, MARGIN, MARGIN, 0], np.float32))
    first = cells.first - MARGIN * (cells.stride + 1)
    source = Source(cells.flat, cells.plane, cells.stride, first, halo, offsets, EDGE_SLOPE, lens)
    out = Spread.empty(rows, cols)
    run_strips(
        lambda y0, y1: gather(source, PIECE, rows, cols, y0, y1, out),
        rows,
        strip_rows=BLOCK_ROWS,
    )
    return out
