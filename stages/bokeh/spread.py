"""Spreading a layer: all its outputs gathered, block by block.

The one kernel in which light moves; layers of any resolution pass through it. Every block finds
out which offsets matter to it, and which of them have weight 1. That decides in which order an
output is summed: blocks lie at fixed places of a layer, so that no cut into strips changes a bit.
"""

from __future__ import annotations

import numpy as np
from numba import types

from stages.bokeh.aperture import aim
from stages.bokeh.gather import (
    COVERED,
    FEWEST,
    LENGTHS,
    add_runs,
    cut_rows,
    extremes,
    gather_row,
    is_even,
    make_runs,
    offsets_within,
    part_offsets,
    part_row,
)
from stages.kernels import f32, inline, kernel, reads, writes

BLOCK_ROWS = 16  # outputs of a block share their offsets; its width is a parameter

u64 = types.uint64
u = np.uint64


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
def _spread_row(  # type: ignore[no-untyped-def]
    cells, plane, base, steps, distances, count, even, runs, area, place, pieces, number, rest,
    across, width, wanted, scale, sums, line, target, target_plane, out,
):  # fmt: skip
    """Gather the halves of one row of a block; `line` gets where they part.

    With `number` runs, `rest` offsets from the middle of `steps` on remain to be visited.
    """
    for x in range(across):
        line[x] = np.float32(0)
    parted = not even and part_row(
        cells, plane, base, steps, distances, count, across, width, sums, line
    )
    begin, stop = u(0), count
    if number > u(0) and not parted:
        begin = u(steps.size) >> u(1)
        stop = begin + rest
    for far in range(u(2)):
        sums[:] = np.float32(0)
        if far == u(1) or parted:
            if begin > u(0):
                add_runs(runs, area, place, pieces, number, width, sums)
            gather_row(
                cells, plane, base, steps, distances, begin, stop, across, width, line,
                far == u(1), sums,
            )  # fmt: skip
        for p in range(u(COVERED)):
            first = target + (far * u(COVERED) + p) * target_plane
            for x in range(wanted):
                out[first + x] = scale * sums[p * width + x]


@inline
def _copy_offsets(steps, distances):  # type: ignore[no-untyped-def]
    """Copies of a layer's offsets, with room for those that a block chooses."""
    room = u(distances.size)
    own_steps, own_distances = np.empty(u(2) * room, u), np.empty(u(2) * room, np.float32)
    for k in range(room):
        own_steps[k], own_distances[k] = steps[k], distances[k]
    return own_steps, own_distances


@kernel(
    reads(f32, 1), u64, u64, u64, u64, reads(u64, 1), reads(f32, 1), reads(f32, 2), f32,
    reads(f32, 1), reads(f32, 1), u64, u64, u64, u64, u64, u64, writes(f32, 2), writes(f32, 1),
)  # fmt: skip
def gather(  # type: ignore[no-untyped-def]
    cells, plane, stride, first, halo, steps, distances, places, slope,
    facts, areas, piece, width, rows, cols, y0, y1, limits, out,
):  # fmt: skip
    """Rows [y0, y1) of both halves of a layer, four planes each, and where these are parted.

    Cells are those of `gather.py`, the first output is cell `first`, and `halo` cells around are
    within reach. Blocks are `width` outputs wide; a cat's eye is the same for `piece` x `piece`.
    """
    own_steps, own_distances = _copy_offsets(steps, distances)
    firsts = np.empty(u(2) * halo + u(1), np.int64)
    lasts, pieces = np.empty(firsts.size, np.int64), np.empty(distances.size, u)
    lows = np.empty(width + u(2) * halo, np.float32)
    highs = np.empty(lows.size, np.float32)
    sums, line = np.empty(u(COVERED) * width, np.float32), np.empty(width, np.float32)
    largest = (u(BLOCK_ROWS) + u(2) * halo) * (width + u(2) * halo)
    runs = np.empty(u(LENGTHS * COVERED) * largest, np.float32)
    cutting, scale = facts[4] > np.float32(0), np.float32(1)
    for top in range(y0, y1, u(BLOCK_ROWS)):
        high = min(u(BLOCK_ROWS), y1 - top)
        for x0 in range(u(0), cols, width):
            corner = first + top * stride + x0
            least, most = extremes(
                cells, u(4) * plane + corner - halo * (stride + u(1)), stride,
                high + u(2) * halo, width + u(2) * halo, lows, highs,
            )  # fmt: skip
            count, even = offsets_within(distances, most), is_even(least, most)
            inner = least - np.float32(1)  # up to here all weights are 1
            whole = not cutting and offsets_within(distances, inner) > u(FEWEST)
            deep, wide, number, rest = u(0), u(0), u(0), u(0)
            if whole:
                deep, wide, number, rest = _choose(
                    cells, plane, stride, corner, high, width, places, count, inner, own_steps,
                    own_distances, firsts, lasts, pieces, runs,
                )  # fmt: skip
            across = piece if cutting else width
            for left in range(u(0), width, across):
                wanted = min(across, cols - min(cols, x0 + left))
                for y in range(top, top + high):
                    if cutting and (y - top) % piece == u(0):
                        half = piece >> u(1)
                        scale = aim(
                            places, distances, count, slope, facts, areas, y + half,
                            x0 + left + half, own_distances,
                        )  # fmt: skip
                    _spread_row(
                        cells, plane, first + y * stride + x0 + left, own_steps, own_distances,
                        count, even, runs, deep * wide, (y - top) * wide, pieces, number, rest,
                        across, width, wanted, scale, sums, line, y * cols + x0 + left,
                        rows * cols, out,
                    )  # fmt: skip
                    for x in range(wanted):
                        limits[y, x0 + left + x] = line[x]
