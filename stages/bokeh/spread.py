"""Splatting of a layer, block by block.

Both halves of layers of any resolution are splatted by one kernel. For each block of outputs it
determines which disks are within reach. Many disks are gathered (`gather.py`), and few are
scattered (`scatter.py`). Without disks, nothing is written. If a block has a front half, its back
half is written even if it is empty.

The order of the sums depends on the content of a block. Blocks have fixed positions in a layer, so
the results do not depend on the division into strips, to the last bit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.arrays import lazy_empty
from stages.bokeh.aperture import Lens, Outline, aim
from stages.bokeh.disk import Offsets, lattice_offsets
from stages.bokeh.gather import (
    BLOCK_COLS,
    BLOCK_ROWS,
    COVERED,
    LENGTHS,
    MIN_RUN_OFFSETS,
    PITCH,
    PLANE,
    WIDTH,
    add_runs,
    copy_half,
    cut_rows,
    gather_row,
    make_runs,
    offsets_within,
    part_offsets,
    survey_half,
)
from stages.bokeh.scatter import scatter, table_width, tabulate
from stages.kernels import f32, inline, kernel, reads, record, u8, u64, writes
from stages.params import Array

NO_HALF, FAR_HALF, BOTH_HALVES = range(3)  # halves present in a block: none, back, front and back
# Largest number of (cell, offset) pairs that are scattered, per (output, offset) pair of a gather.
# It is above 1, because many of the former lie outside of the block and cost nothing.
MAX_SCATTER_RATIO = 5

u = np.uint64
Halves = npt.NDArray[np.uint8]


class Source(NamedTuple):
    """Cells of a layer (see `gather.py`), and the disks over which they are splatted.

    Attributes
    ----------
    cells : Array
        Five planes of cells in one flat float32 array: R, G, B, coverage, signed q.
    plane, stride : int
        Size of a plane and length of its rows, in cells.
    first : int
        Flat index of the cell of the first output.
    halo : int
        Reach of the disks in cells; the planes have at least this margin around the outputs.
    offsets : Offsets
        Offsets within reach, from `offsets_of`.
    slope : float
        Slope of the weights at the edge of a disk, per cell.
    lens : Lens
        Aperture on the grid of the layer.
    """

    cells: Array
    plane: int
    stride: int
    first: int
    halo: int
    offsets: Offsets
    slope: float
    lens: Lens


class Layout(NamedTuple):
    """Where the cells of a source lie; the fields of `Source` of these names."""

    plane: np.uint64
    stride: np.uint64
    first: np.uint64
    halo: np.uint64


class Extent(NamedTuple):
    """Rows [y0, y1) of a layer of `rows` x `cols` outputs, in pieces for a cat's eye."""

    piece: np.uint64
    rows: np.uint64
    cols: np.uint64
    y0: np.uint64
    y1: np.uint64


LAYOUT, EXTENT = record(Layout, *4 * [u64]), record(Extent, *5 * [u64])
OFFSETS = record(Offsets, writes(u64, 1), writes(f32, 1), writes(f32, 2))


class Spread(NamedTuple):
    """A splatted layer.

    Attributes
    ----------
    planes : Array
        Premultiplied R, G, B and coverage of the front half, then of the back half, in one flat
        float32 array. Blocks of an absent half are not written.
    halves : Halves
        NO_HALF, FAR_HALF or BOTH_HALVES for each block, uint8.
    """

    planes: Array
    halves: Halves

    @classmethod
    def empty(cls, rows: int, cols: int) -> Spread:
        """Uninitialised arrays for a layer of rows x cols outputs."""
        return cls(
            lazy_empty(2 * COVERED * rows * cols),
            np.empty((-(-rows // BLOCK_ROWS), -(-cols // BLOCK_COLS)), np.uint8),
        )


def offsets_of(reach: float, halo: int, slope: float, outline: Outline) -> Offsets:
    """Offsets within `reach` (cells * slope), in the planes that a block copies."""
    return lattice_offsets(reach, BLOCK_COLS + 2 * halo, slope, outline)


def gather(source: Source, piece: int, rows: int, cols: int, y0: int, y1: int, out: Spread) -> None:
    """Splat rows [y0, y1) of a layer.

    Parameters
    ----------
    source : Source
        Cells of the layer.
    piece : int
        Outputs along both axes over which the cat's eye is constant.
    rows, cols : int
        Number of outputs of the layer along each axis.
    y0, y1 : int
        Range of rows; y0 is a multiple of BLOCK_ROWS.
    out : Spread
        Written in these rows.
    """
    layout = Layout(*map(u, source[1:5]))
    extent = Extent(*map(u, (piece, rows, cols, y0, y1)))
    _gather(
        source.cells, layout, source.offsets, source.slope, source.lens.facts, source.lens.areas,
        extent, out.halves, out.planes,
    )  # fmt: skip


@inline
def _copy_offsets(steps, distances):  # type: ignore[no-untyped-def]
    """Copies of the offsets of a layer, with equal space for the offsets that a block selects."""
    room = u(distances.size)
    own_steps, own_distances = np.empty(u(2) * room, u), np.empty(u(2) * room, np.float32)
    for k in range(room):
        own_steps[k], own_distances[k] = steps[k], distances[k]
    return own_steps, own_distances


@inline
def _method(q_min, q_max, count, distances, outputs):  # type: ignore[no-untyped-def]
    """Method by which `count` cells are splatted to a number of outputs.

    `q_min` and `q_max` are the extremes of q. Returns the distance up to which all weights are
    1, the number of offsets within reach, whether runs are used, and whether the cells are
    scattered.
    """
    inner = min(q_min, q_max) - np.float32(1)
    stop, uniform = offsets_within(distances, q_max), offsets_within(distances, inner)
    in_runs = uniform > u(MIN_RUN_OFFSETS)
    gathered = stop - uniform if in_runs else stop
    return inner, stop, in_runs, u(count) * stop < u(MAX_SCATTER_RATIO) * outputs * gathered


@inline
def _choose_runs(  # type: ignore[no-untyped-def]
    part, area, wide, places, stop, inner, steps, distances, firsts, lasts, pieces
):
    """Precompute the runs of a block for offsets up to `inner`.

    The other offsets are written to the second half of `steps` and `distances`. Returns the number
    of runs per output, and the range [begin, stop) of the other offsets.
    """
    room = u(places.shape[0])
    rest = part_offsets(steps, distances, places, stop, inner, room, firsts, lasts)
    number = cut_rows(firsts, lasts, wide, area, pieces)
    make_runs(part, area)
    return number, room, room + rest


@inline
def _gather_rows(part, area, halo, wide, high, pieces, number, steps, distances, begin, stop, sums):  # type: ignore[no-untyped-def]
    """Gather the rows of a block from `number` runs and the offsets [begin, stop)."""
    for row in range(high):
        base, at = (row + halo) * wide + halo, row * PITCH
        add_runs(part, area, base, pieces, number, at, sums)
        gather_row(part, area, base, steps, distances, begin, stop, at, sums)


@inline
def _write(sums, scale, y0, y1, x0, x1, out, first, cols, plane):  # type: ignore[no-untyped-def]
    """Write rows [y0, y1) and columns [x0, x1) of a block, times `scale`.

    `first` is the flat index of the first output of the block.
    """
    for p in range(u(COVERED)):
        for y in range(y0, y1):
            target, source = first + p * plane + y * cols, p * PLANE + y * PITCH
            for x in range(x0, x1):
                out[target + x] = scale * sums[source + x]


@kernel(
    reads(f32, 1), LAYOUT, OFFSETS, f32, reads(f32, 1), reads(f32, 1), EXTENT, writes(u8, 2),
    writes(f32, 1),
)  # fmt: skip
def _gather(cells, layout, offsets, slope, facts, areas, extent, halves, out):  # type: ignore[no-untyped-def]
    """Splat both halves of the blocks in rows [y0, y1)."""
    plane, stride, first, halo = layout
    steps, distances, places = offsets
    piece, rows, cols, y0, y1 = extent
    own_steps, own_distances = _copy_offsets(steps, distances)
    firsts = np.empty(u(2) * halo + u(1), np.int64)
    lasts, pieces = np.empty(firsts.size, np.int64), np.empty(distances.size, u)
    wide, room = WIDTH + u(2) * halo, u(distances.size)
    lows, highs = np.empty(wide, np.float32), np.empty(wide, np.float32)
    area = (u(BLOCK_ROWS) + u(2) * halo) * wide
    part = np.empty(u(LENGTHS * COVERED + 1) * area, np.float32)
    table = np.empty(firsts.size * table_width(halo), np.float32)
    sums = np.empty(u(COVERED) * PLANE, np.float32)
    scale, cutting, half = np.float32(1), facts[4] > np.float32(0), piece >> u(1)
    across, down = (piece, piece) if cutting else (WIDTH, u(BLOCK_ROWS))
    tabulate(places, distances, halo, table)
    for top in range(y0, y1, u(BLOCK_ROWS)):
        high = min(u(BLOCK_ROWS), y1 - top)
        deep = high + u(2) * halo
        for x0 in range(u(0), cols, WIDTH):
            corner, kept = first + top * stride + x0 - halo * (stride + u(1)), u(NO_HALF)
            for far in range(u(2)):
                sign = np.float32(1) if far == u(1) else np.float32(-1)
                q_min, q_max, count = survey_half(
                    cells, plane, corner, stride, deep, sign, lows, highs
                )
                if count == 0 and kept == u(NO_HALF):
                    continue
                kept = u(BOTH_HALVES) if far == u(0) else max(kept, u(FAR_HALF))
                inner, stop, in_runs, sparse = _method(q_min, q_max, count, distances, high * WIDTH)
                begin, number, sparse = u(0), u(0), sparse or cutting
                if not sparse:
                    copy_half(cells, plane, corner, stride, deep, wide, sign, part, area)
                    if in_runs:
                        number, begin, stop = _choose_runs(
                            part, area, wide, places, stop, inner, own_steps, own_distances,
                            firsts, lasts, pieces,
                        )  # fmt: skip
                for y in range(u(0), high, down):
                    for x in range(u(0), min(WIDTH, cols - x0), across):
                        below, beside = min(y + down, high), min(x + across, cols - x0)
                        sums[:] = np.float32(0)
                        if cutting:
                            at = top + y + half, x0 + x + half
                            scale = aim(places, distances, slope, facts, areas, *at, own_distances)
                            tabulate(places, own_distances[:room], halo, table)
                        if sparse:
                            scatter(
                                cells, plane, corner, stride, deep, wide, sign, facts[1] / slope,
                                halo, table, y, below, x, beside, sums,
                            )  # fmt: skip
                        else:
                            _gather_rows(
                                part, area, halo, wide, high, pieces, number, own_steps,
                                own_distances, begin, stop, sums,
                            )  # fmt: skip
                        target = (far * u(COVERED) * rows + top) * cols + x0
                        _write(sums, scale, y, below, x, beside, out, target, cols, rows * cols)
            halves[top // u(BLOCK_ROWS), x0 // WIDTH] = kept
