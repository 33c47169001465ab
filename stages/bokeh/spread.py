"""Spreading a layer: all its outputs gathered, block by block.

The kernels in which light moves; layers of any resolution pass through them. A block finds out what
disks reach it. Where they are all alike they are summed by runs and offsets (`gather.py`), else
one by one (`listed.py`), and where there are none nothing is written. The content of a block
decides in which order an output is summed: blocks lie at fixed places of a layer, so that no cut
into strips changes a bit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import types

from stages.bokeh.aperture import Lens, aim
from stages.bokeh.disk import Offsets
from stages.bokeh.gather import (
    BLOCK_COLS,
    BLOCK_ROWS,
    COVERED,
    FEWEST,
    LENGTHS,
    PLANES,
    WIDTH,
    add_runs,
    cut_rows,
    extremes,
    gather_row,
    is_even,
    make_runs,
    offsets_within,
    part_offsets,
)
from stages.bokeh.listed import (
    LANES,
    add_listed,
    list_cells,
    part_listed,
    table_width,
    tabulate,
)
from stages.kernels import f32, inline, kernel, reads, u8, writes
from stages.params import Array

NO_HALF, FAR_HALF, BOTH_HALVES, MIXED = range(4)  # what a block gives; MIXED: not yet known

u64 = types.uint64
u = np.uint64
Halves = npt.NDArray[np.uint8]


class Source(NamedTuple):
    """Planes of cells as `gather.py` wants them, and the disks that they spread over.

    `first` is the cell of the first output, `halo` how many cells around are within reach.
    """

    cells: Array
    plane: int
    stride: int
    first: int
    halo: int
    offsets: Offsets
    slope: float
    lens: Lens


class Spread(NamedTuple):
    """What a layer of some rows and columns gives.

    `planes` are R, G, B times coverage, and coverage, of its nearer half and then of the further
    one. `halves` of each block are NO_HALF, FAR_HALF or BOTH_HALVES: of what is missing nothing is
    written, and where not both are there no `limits`: the q from which on cells belong to the
    further half.
    """

    planes: Array
    halves: Halves
    limits: Array

    @classmethod
    def empty(cls, rows: int, cols: int) -> Spread:
        """Room for a layer."""
        return cls(
            np.empty(2 * COVERED * rows * cols, np.float32),
            np.empty((-(-rows // BLOCK_ROWS), -(-cols // BLOCK_COLS)), np.uint8),
            np.empty((rows, cols), np.float32),
        )


def gather(source: Source, piece: int, rows: int, cols: int, y0: int, y1: int, out: Spread) -> None:
    """Gather rows [y0, y1) of a layer of rows x cols outputs.

    A cat's eye is the same for `piece` x `piece` outputs.
    """
    given = source[:5]
    steps, distances, places = source.offsets
    _gather_alike(
        *given, steps, distances, places, source.lens.facts, rows, cols, y0, y1,
        out.halves, out.planes,
    )  # fmt: skip
    if np.any(out.halves[y0 // BLOCK_ROWS : -(-y1 // BLOCK_ROWS)] == MIXED):
        _gather_mixed(
            *given, distances, places, source.slope, source.lens.facts, source.lens.areas, piece,
            rows, cols, y0, y1, out.halves, out.limits, out.planes,
        )  # fmt: skip


@inline
def _choose(  # type: ignore[no-untyped-def]
    cells, plane, stride, corner, high, length, places, count, inner, steps, distances, firsts,
    lasts, pieces, runs,
):  # fmt: skip
    """Make the runs of a block, for offsets up to `inner`.

    Returns the rows of the part they cover, its columns, how many runs make up the disk, and how
    many offsets are left; these follow in the second half of `steps` and `distances`.
    """
    half = u(steps.size) >> u(1)
    reach, rest = part_offsets(steps, distances, places, count, inner, half, firsts, lasts)
    deep, wide = high + u(2) * reach, length + u(2) * reach
    number = cut_rows(firsts, lasts, reach, wide, u(COVERED) * deep * wide, pieces)
    make_runs(cells, plane, corner - reach * (stride + u(1)), stride, deep, wide, runs)
    return deep, wide, number, rest


@inline
def _copy_offsets(steps, distances):  # type: ignore[no-untyped-def]
    """Copies of a layer's offsets, with room for those that a block chooses."""
    room = u(distances.size)
    own_steps, own_distances = np.empty(u(2) * room, u), np.empty(u(2) * room, np.float32)
    for k in range(room):
        own_steps[k], own_distances[k] = steps[k], distances[k]
    return own_steps, own_distances


@kernel(
    reads(f32, 1), u64, u64, u64, u64, reads(u64, 1), reads(f32, 1), reads(f32, 2), reads(f32, 1),
    u64, u64, u64, u64, writes(u8, 2), writes(f32, 1),
)  # fmt: skip
def _gather_alike(  # type: ignore[no-untyped-def]
    cells, plane, stride, first, halo, steps, distances, places, facts, rows, cols, y0, y1,
    halves, out,
):  # fmt: skip
    """Gather the blocks that only disks of about one size reach, as one half; mark the others."""
    own_steps, own_distances = _copy_offsets(steps, distances)
    firsts = np.empty(u(2) * halo + u(1), np.int64)
    lasts, pieces = np.empty(firsts.size, np.int64), np.empty(distances.size, u)
    lows = np.empty(WIDTH + u(2) * halo, np.float32)
    highs = np.empty(lows.size, np.float32)
    largest = (u(BLOCK_ROWS) + u(2) * halo) * (WIDTH + u(2) * halo)
    runs = np.empty(u(LENGTHS * COVERED) * largest, np.float32)
    sums = np.empty(u(COVERED) * WIDTH, np.float32)
    for top in range(y0, y1, u(BLOCK_ROWS)):
        high = min(u(BLOCK_ROWS), y1 - top)
        for x0 in range(u(0), cols, WIDTH):
            corner, wanted = first + top * stride + x0, min(WIDTH, cols - x0)
            least, most = extremes(
                cells, u(4) * plane + corner - halo * (stride + u(1)), stride,
                high + u(2) * halo, WIDTH + u(2) * halo, lows, highs,
            )  # fmt: skip
            kept = u(NO_HALF)
            if most > np.float32(0):
                alike = is_even(least, most) and facts[4] == np.float32(0)
                kept = u(FAR_HALF) if alike else u(MIXED)
            halves[top // u(BLOCK_ROWS), x0 // WIDTH] = kept
            if kept != u(FAR_HALF):
                continue
            begin, stop = u(0), offsets_within(distances, most)
            deep, wide, number, rest = u(0), u(0), u(0), u(0)
            inner = least - np.float32(1)  # up to here all weights are 1
            if offsets_within(distances, inner) > u(FEWEST):
                deep, wide, number, rest = _choose(
                    cells, plane, stride, corner, high, WIDTH, places, stop, inner, own_steps,
                    own_distances, firsts, lasts, pieces, runs,
                )  # fmt: skip
                begin = u(own_steps.size) >> u(1)
                stop = begin + rest
            for y in range(high):
                sums[:] = np.float32(0)
                add_runs(runs, deep * wide, y * wide, pieces, number, sums)
                gather_row(
                    cells, plane, corner + y * stride, own_steps, own_distances, begin, stop,
                    sums,
                )  # fmt: skip
                for p in range(u(COVERED)):
                    target = ((u(COVERED) + p) * rows + top + y) * cols + x0
                    for x in range(wanted):
                        out[target + x] = sums[p * WIDTH + x]


@inline
def _spread_row(  # type: ignore[no-untyped-def]
    table, windows, listed, begin, stop, above, wanted, scale, sums, line, target, plane, out
):
    """Gather both halves of a row of a chunk; returns whether any output is parted."""
    parted = part_listed(table, windows, listed, begin, stop, above, sums, line)
    for far in range(u(2)):
        for x in range(u(COVERED * LANES)):
            sums[x] = np.float32(0)
        if far == u(1) or parted:
            add_listed(table, windows, listed, begin, stop, above, line, far == u(1), sums)
        for p in range(u(COVERED)):
            first = target + (far * u(COVERED) + p) * plane
            for x in range(wanted):
                out[first + x] = scale * sums[p * u(LANES) + x]
    return parted


@kernel(
    reads(f32, 1), u64, u64, u64, u64, reads(f32, 1), reads(f32, 2), f32, reads(f32, 1),
    reads(f32, 1), u64, u64, u64, u64, u64, writes(u8, 2), writes(f32, 2), writes(f32, 1),
)  # fmt: skip
def _gather_mixed(  # type: ignore[no-untyped-def]
    cells, plane, stride, first, halo, distances, places, slope, facts, areas, piece, rows,
    cols, y0, y1, halves, limits, out,
):  # fmt: skip
    """Gather both halves of the blocks that are marked, in chunks."""
    tall, wide = u(BLOCK_ROWS) + u(2) * halo, table_width(halo)
    room = tall * (u(LANES) + u(2) * halo) + u(4)
    table, listed = np.empty(tall * wide, np.float32), np.empty(u(PLANES) * room, np.float32)
    starts, windows = np.empty(tall + u(1), u), np.empty(room, u)
    sums, line = np.empty(u(COVERED * LANES), np.float32), np.empty(u(LANES), np.float32)
    own, scale = distances.copy(), np.float32(1)
    cutting = facts[4] > np.float32(0)
    across, down = (piece, piece) if cutting else (u(LANES), u(BLOCK_ROWS))
    tabulate(places, distances, halo, table)
    for top in range(y0, y1, u(BLOCK_ROWS)):
        for x0 in range(u(0), cols, WIDTH):
            if halves[top // u(BLOCK_ROWS), x0 // WIDTH] != u(MIXED):
                continue
            both = False
            for y in range(top, min(top + u(BLOCK_ROWS), y1), down):
                for x in range(x0, min(x0 + WIDTH, cols), across):
                    if cutting:
                        half = piece >> u(1)
                        scale = aim(places, distances, slope, facts, areas, y + half, x + half, own)
                        tabulate(places, own, halo, table)
                    high, wanted = min(down, y1 - y), min(across, cols - x)
                    most = list_cells(
                        cells, plane, first + y * stride + x, stride, high, halo, table, starts,
                        windows, listed,
                    )  # fmt: skip
                    near = min(halo, u(np.ceil(most * facts[1] / slope)))
                    for row in range(high):
                        begin, stop = starts[row + halo - near], starts[row + halo + near + u(1)]
                        parted = _spread_row(
                            table, windows, listed, begin, stop, row * wide, wanted, scale, sums,
                            line, (y + row) * cols + x, rows * cols, out,
                        )  # fmt: skip
                        both = both or parted
                        for i in range(wanted):
                            limits[y + row, x + i] = line[i]
            halves[top // u(BLOCK_ROWS), x0 // WIDTH] = u(BOTH_HALVES) if both else u(FAR_HALF)
