"""Spreading a layer: all its outputs gathered, block by block.

The kernel in which light moves; layers of any resolution pass through it, and both halves of each.
A block finds out what disks reach it: many are gathered (`gather.py`), few are scattered
(`scatter.py`), and where there are none nothing is written. The content of a block decides in which
order an output is summed: blocks lie at fixed places of a layer, so that no cut into strips changes
a bit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import types

from stages.bokeh.aperture import Lens, Outline, aim
from stages.bokeh.disk import Offsets, lattice_offsets
from stages.bokeh.gather import (
    BLOCK_COLS,
    BLOCK_ROWS,
    COVERED,
    FEWEST,
    LENGTHS,
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
from stages.kernels import f32, inline, kernel, reads, u8, writes
from stages.params import Array

NO_HALF, FAR_HALF, BOTH_HALVES = range(3)  # what a block gives
SCATTERED = 5  # offsets that are gathered for one output in the time that one source is scattered

u64 = types.uint64
u = np.uint64
Halves = npt.NDArray[np.uint8]


class Source(NamedTuple):
    """Planes of cells as `gather.py` wants them, and the disks that they spread over.

    `first` is the cell of the first output, `halo` how many cells around are within reach. Offsets
    are those of `offsets_of`.
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
    written.
    """

    planes: Array
    halves: Halves

    @classmethod
    def empty(cls, rows: int, cols: int) -> Spread:
        """Room for a layer."""
        return cls(
            np.empty(2 * COVERED * rows * cols, np.float32),
            np.empty((-(-rows // BLOCK_ROWS), -(-cols // BLOCK_COLS)), np.uint8),
        )


def offsets_of(reach: float, halo: int, slope: float, outline: Outline) -> Offsets:
    """Offsets of disks, in the planes that a block copies."""
    return lattice_offsets(reach, BLOCK_COLS + 2 * halo, slope, outline)


def gather(source: Source, piece: int, rows: int, cols: int, y0: int, y1: int, out: Spread) -> None:
    """Gather rows [y0, y1) of a layer of rows x cols outputs.

    A cat's eye is the same for `piece` x `piece` outputs.
    """
    _gather(
        *source[:5], *source.offsets, source.slope, source.lens.facts, source.lens.areas, piece,
        rows, cols, y0, y1, out.halves, out.planes,
    )  # fmt: skip


@inline
def _copy_offsets(steps, distances):  # type: ignore[no-untyped-def]
    """Copies of a layer's offsets, with room for those that a block chooses."""
    room = u(distances.size)
    own_steps, own_distances = np.empty(u(2) * room, u), np.empty(u(2) * room, np.float32)
    for k in range(room):
        own_steps[k], own_distances[k] = steps[k], distances[k]
    return own_steps, own_distances


@inline
def _decide(least, most, count, distances, outputs):  # type: ignore[no-untyped-def]
    """How to spread `count` cells of q from `least` to `most` over a block of `outputs`.

    Returns the distance up to which all weights are 1, how many offsets reach anything, whether
    runs are worth their making, and whether the cells are so few that they are scattered.
    """
    inner = min(least, most) - np.float32(1)
    stop, alike = offsets_within(distances, most), offsets_within(distances, inner)
    in_runs = alike > u(FEWEST)
    gathered = stop - alike if in_runs else stop
    return inner, stop, in_runs, u(count) * stop < u(SCATTERED) * outputs * gathered


@inline
def _choose_runs(  # type: ignore[no-untyped-def]
    part, area, wide, places, stop, inner, steps, distances, firsts, lasts, pieces
):
    """Make the runs of a block, for offsets up to `inner`; returns how many make up a disk.

    The offsets that are left follow in the second half of `steps` and `distances`, from the first
    to the second number that is returned after that.
    """
    room = u(places.shape[0])
    rest = part_offsets(steps, distances, places, stop, inner, room, firsts, lasts)
    number = cut_rows(firsts, lasts, wide, area, pieces)
    make_runs(part, area)
    return number, room, room + rest


@inline
def _gather_rows(part, area, halo, wide, high, pieces, number, steps, distances, begin, stop, sums):  # type: ignore[no-untyped-def]
    """Gather the rows of a block from runs, and offsets [begin, stop)."""
    for row in range(high):
        base, at = (row + halo) * wide + halo, row * PITCH
        add_runs(part, area, base, pieces, number, at, sums)
        gather_row(part, area, base, steps, distances, begin, stop, at, sums)


@inline
def _write(sums, scale, y0, y1, x0, x1, out, first, cols, plane):  # type: ignore[no-untyped-def]
    """Write a part of a block, whose first output is `first`."""
    for p in range(u(COVERED)):
        for y in range(y0, y1):
            target, source = first + p * plane + y * cols, p * PLANE + y * PITCH
            for x in range(x0, x1):
                out[target + x] = scale * sums[source + x]


@kernel(
    reads(f32, 1), u64, u64, u64, u64, reads(u64, 1), reads(f32, 1), reads(f32, 2), f32,
    reads(f32, 1), reads(f32, 1), u64, u64, u64, u64, u64, writes(u8, 2), writes(f32, 1),
)  # fmt: skip
def _gather(  # type: ignore[no-untyped-def]
    cells, plane, stride, first, halo, steps, distances, places, slope, facts, areas, piece, rows,
    cols, y0, y1, halves, out,
):  # fmt: skip
    """Gather the blocks of both halves of a layer, or scatter what is few."""
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
                least, most, count = survey_half(
                    cells, plane, corner, stride, deep, sign, lows, highs
                )
                if count == 0 and kept == u(NO_HALF):
                    continue
                kept = u(BOTH_HALVES) if far == u(0) else max(kept, u(FAR_HALF))
                inner, stop, in_runs, few = _decide(least, most, count, distances, high * WIDTH)
                begin, number, few = u(0), u(0), few or cutting
                if not few:
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
                        if few:
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
