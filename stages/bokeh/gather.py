"""Scatter as gather: the inner loop of the renderer.

Every source cell spreads its colour over its own disk. Seen from an output cell, that is a sum
over lattice offsets of clamp(q - slope d, 0, 1) times the cell at that offset, where
q = slope r + 1/2 belongs to the source; only offsets nearer than the largest q around are
visited. Cells lie in five flat planes: R, G, B and coverage, divided by the area of the disk, and
q (0 where a cell is empty, which then adds exactly nothing).

Within a layer, too, what is sharper covers what is blurrier. So where the disks that meet in an
output differ in size, the layer is gathered in two halves, parted at the mean q of what meets
there: two surfaces always lie on either side of it.

All indices are unsigned and the arrays flat: the form that Numba turns into vector code.
"""

from __future__ import annotations

import numpy as np

from stages.kernels import inline

BLOCK = 64  # rows are gathered in multiples of this many cells, so that vectors are full
COVERED = 4  # planes that are summed: R, G, B, coverage
PLANES = 5  # and q
EVEN = np.float32(0.03)  # relative deviation of q up to which a layer is one surface
NONE = np.float32(1e-12)  # coverage of an output that nothing reaches
u = np.uint64


@inline
def offsets_within(distances, reach):  # type: ignore[no-untyped-def]
    """How many of the sorted offsets can touch anything, in whole passes of four."""
    count = u(0)
    while count < u(distances.size) and distances[count] < reach:
        count += u(4)
    return count


@inline
def whole_blocks(length):  # type: ignore[no-untyped-def]
    """Round a length up to a multiple of BLOCK."""
    return (length + u(BLOCK - 1)) & ~u(BLOCK - 1)


@inline
def is_even(low, high):  # type: ignore[no-untyped-def]
    """Whether no output among cells of q from `low` to `high` is parted by `part_row`.

    A deviation is at most half the range; the rest is room for rounding.
    """
    return high - low <= np.float32(1.98) * EVEN * low


@inline
def part_row(  # type: ignore[no-untyped-def]
    cells, plane, base, steps, distances, count, length, width, sums, limits
):
    """Where to part each output: at the mean q of what meets there, 0 where it is even.

    Arguments are those of `gather_row`. Returns whether any output is parted.
    """
    zero, one = np.float32(0), np.float32(1)
    for x in range(u(3) * width):
        sums[x] = zero
    w, q = u(3) * plane, u(4) * plane
    for k in range(u(0), count, u(2)):
        i0, i1 = base + steps[k], base + steps[k + u(1)]
        d0, d1 = distances[k], distances[k + u(1)]
        for x in range(length):
            q0, q1 = cells[q + i0 + x], cells[q + i1 + x]
            a0 = min(max(q0 - d0, zero), one) * cells[w + i0 + x]
            a1 = min(max(q1 - d1, zero), one) * cells[w + i1 + x]
            sums[x] += a0 + a1
            sums[width + x] += a0 * q0 + a1 * q1
            sums[u(2) * width + x] += a0 * q0 * q0 + a1 * q1 * q1
    most = zero
    for x in range(length):
        share = one / max(sums[x], NONE)
        mean, square = share * sums[width + x], share * sums[u(2) * width + x]
        uneven = square - mean * mean > EVEN * EVEN * mean * mean
        limits[x] = mean if uneven else zero
    for x in range(length):
        most = max(most, limits[x])
    return most > zero


@inline
def gather_row(  # type: ignore[no-untyped-def]
    cells, plane, base, steps, distances, count, length, width, limits, far, sums
):
    """Sum `count` offsets for `length` outputs from flat index `base` on, into four rows of sums.

    `plane` is the size of a plane of cells, `width` that of a row of sums. Only cells whose q is
    at least the limit of an output count, or below it where not `far`.
    """
    zero, one = np.float32(0), np.float32(1)
    for x in range(u(4) * width):
        sums[x] = zero
    g, b, w, q = plane, u(2) * plane, u(3) * plane, u(4) * plane
    for k in range(u(0), count, u(4)):
        i0, i1 = base + steps[k], base + steps[k + u(1)]
        i2, i3 = base + steps[k + u(2)], base + steps[k + u(3)]
        d0, d1 = distances[k], distances[k + u(1)]
        d2, d3 = distances[k + u(2)], distances[k + u(3)]
        for x in range(length):
            q0, q1, limit = cells[q + i0 + x], cells[q + i1 + x], limits[x]
            q2, q3 = cells[q + i2 + x], cells[q + i3 + x]
            a0 = min(max(q0 - d0, zero), one) if (q0 >= limit) == far else zero
            a1 = min(max(q1 - d1, zero), one) if (q1 >= limit) == far else zero
            a2 = min(max(q2 - d2, zero), one) if (q2 >= limit) == far else zero
            a3 = min(max(q3 - d3, zero), one) if (q3 >= limit) == far else zero
            sums[x] += (
                a0 * cells[i0 + x] + a1 * cells[i1 + x] + a2 * cells[i2 + x] + a3 * cells[i3 + x]
            )
            sums[width + x] += (
                a0 * cells[g + i0 + x]
                + a1 * cells[g + i1 + x]
                + a2 * cells[g + i2 + x]
                + a3 * cells[g + i3 + x]
            )
            sums[u(2) * width + x] += (
                a0 * cells[b + i0 + x]
                + a1 * cells[b + i1 + x]
                + a2 * cells[b + i2 + x]
                + a3 * cells[b + i3 + x]
            )
            sums[u(3) * width + x] += (
                a0 * cells[w + i0 + x]
                + a1 * cells[w + i1 + x]
                + a2 * cells[w + i2 + x]
                + a3 * cells[w + i3 + x]
            )
