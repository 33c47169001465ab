"""Tables of sprites, and their assignment to coarse layers and tiles."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.bokeh.aperture import stretch
from stages.bokeh.bands import BokehParams
from stages.bokeh.enlarge import TILE_COLS, TILE_ROWS
from stages.kernels import f32, record, u64, writes
from stages.params import Array

FIELDS = 7  # of a sprite: y, x, radius in px; edge slope per px; R, G, B of a pixel of its disk
REACH_PX = 1.0  # px; bound of the width of the edge of a disk outside of its radius


class Sprites(NamedTuple):
    """Table of sprites (n x FIELDS float32), and its rows sorted by tile and half.

    `members[starts[k] : starts[k + 1]]` are the rows of the table that belong to half h of the
    coarse layers and overlap tile t, with k = t * halves + h. Tiles are in row-major order.
    """

    table: Array
    starts: npt.NDArray[np.uint64]
    members: npt.NDArray[np.uint64]


SPRITES = record(Sprites, writes(f32, 2), writes(u64, 1), writes(u64, 1))


def no_sprites() -> Array:
    """An empty table."""
    return np.zeros((0, FIELDS), np.float32)


def layer_of(table: Array, params: BokehParams, layers: int) -> npt.NDArray[np.int64]:
    """Coarse layer of each sprite by its radius, n int64 in [0, layers).

    Parameters
    ----------
    table : Array
        Sprites, n x FIELDS float32.
    params : BokehParams
        Boundaries of the layers.
    layers : int
        Number of coarse layers.
    """
    ends = [params.coarse_boundary(k) * (1 - params.crossfade / 2) for k in range(1, layers)]
    return np.searchsorted(ends, table[:, 2], "right").astype(np.int64)


def sort_by_tile(
    table: Array,
    half: npt.NDArray[np.int64],
    shape: tuple[int, int],
    params: BokehParams,
    halves: int,
) -> Sprites:
    """Sprites sorted by the tiles that they overlap.

    Parameters
    ----------
    table : Array
        Sprites, n x FIELDS float32.
    half : array of int64
        Half of the coarse layers to which each sprite belongs, of shape (n,), in [0, halves).
    shape : (int, int)
        Height and width of the picture in px.
    params : BokehParams
        Only the shape of the aperture is used.
    halves : int
        Number of halves, two for each coarse layer.
    """
    reach = stretch(params.outline) * table[:, 2:3] + REACH_PX
    first, last = (
        np.floor((table[:, :2] + sign * reach) / (TILE_ROWS, TILE_COLS)) for sign in (-1, 1)
    )
    tiles = np.array([-(-shape[0] // TILE_ROWS), -(-shape[1] // TILE_COLS)])
    first, last = (np.clip(t, 0, tiles - 1).astype(np.int64) for t in (first, last))
    rows, cols = (last - first + 1).T
    index = np.repeat(np.arange(len(table)), rows * cols)
    within = np.arange(len(index)) - np.repeat(np.cumsum(rows * cols) - rows * cols, rows * cols)
    row, col = first[index, 0] + within // cols[index], first[index, 1] + within % cols[index]
    key = (row * tiles[1] + col) * halves + half[index]
    order = np.argsort(key, kind="stable")
    starts = np.searchsorted(key[order], np.arange(tiles.prod() * halves + 1))
    return Sprites(table, starts.astype(np.uint64), index[order].astype(np.uint64))
