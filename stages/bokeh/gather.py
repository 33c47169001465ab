"""Scatter as gather: the inner loops of the renderer where the disks that meet are alike.

Every source cell spreads its colour over its own disk. Seen from an output cell, that is a sum
over lattice offsets of clamp(q - slope d, 0, 1) times the cell at that offset, where
q = slope r + 1/2 belongs to the source; only offsets nearer than the largest q around are
visited. Cells lie in five flat planes: R, G, B and coverage, divided by the area of the disk, and
q (0 where a cell is empty, which then adds exactly nothing).

Offsets so near that every disk around contains them whole have weight 1, or meet nothing. They
make up rows, and a row is a few sums over 1, 2, 4, ... neighbours (`runs`), which all outputs
share: only the rim of the disks is visited cell by cell.

All indices are unsigned and the arrays flat: the form that Numba turns into vector code.
"""

from __future__ import annotations

import numpy as np

from stages.bokeh.disk import NEVER
from stages.kernels import inline

BLOCK_ROWS, BLOCK_COLS = 16, 64  # outputs of a block share their offsets
COVERED = 4  # planes that are summed: R, G, B, coverage
PLANES = 5  # and q
EVEN = np.float32(0.03)  # relative deviation of q up to which a layer is one surface
LENGTHS = 5  # of runs: 1, 2, 4, 8, 16 cells
FEWEST = 40  # offsets of weight 1 from which on runs are worth their making
u = np.uint64
WIDTH = u(BLOCK_COLS)  # a loop of known length leaves no remainder to compile


@inline
def offsets_within(distances, reach):  # type: ignore[no-untyped-def]
    """How many of the sorted offsets can touch anything, in whole passes of four."""
    count = u(0)
    while count < u(distances.size) and distances[count] < reach:
        count += u(4)
    return count


@inline
def is_even(low, high):  # type: ignore[no-untyped-def]
    """Whether cells of q from `low` to `high`, all that reaches a block, are one surface.

    A deviation of EVEN is at least half the range; twice that allows for slanted surfaces, of which
    an output meets but a part.
    """
    return high - low <= np.float32(4) * EVEN * low


@inline
def extremes(cells, first, stride, rows, cols, lows, highs):  # type: ignore[no-untyped-def]
    """Least and largest q of the cells of a part of a plane that are not empty; else NEVER and 0.

    `lows` and `highs` are scratch: extremes of columns are vector code, those of an array not.
    """
    zero, never = np.float32(0), np.float32(NEVER)
    for x in range(cols):
        lows[x], highs[x] = never, zero
    for y in range(rows):
        for x in range(cols):
            q = cells[first + y * stride + x]
            lows[x] = min(lows[x], q if q > zero else never)
            highs[x] = max(highs[x], q)
    low, high = never, zero
    for x in range(cols):
        low, high = min(low, lows[x]), max(high, highs[x])
    return low, high


@inline
def part_offsets(steps, distances, places, count, inner, room, firsts, lasts):  # type: ignore[no-untyped-def]
    """Part the first `count` offsets into rows of those up to `inner`, and the rest.

    `firsts` and `lasts` become the columns between which a row is whole (a row with nothing has
    its first beyond its last). The rest follows at index `room` of `steps` and `distances`.
    Returns how far rows reach along both axes, and how many are left, in whole passes of four.
    """
    middle, reach, rest = firsts.size >> 1, 0, room
    firsts[:], lasts[:] = 0, -1
    for k in range(count):
        row, col = middle - np.int64(places[k, 0]), -np.int64(places[k, 1])
        first, last = firsts[row], lasts[row]
        # Equal distances may come in any order: what does not go on with a row is left.
        if distances[k] <= inner and (last < first or col == first - 1 or col == last + 1):
            firsts[row] = col if last < first else min(first, col)
            lasts[row] = col if last < first else max(last, col)
            reach = max(reach, max(abs(row - middle), abs(col)))
        else:
            steps[rest], distances[rest] = steps[k], distances[k]
            rest += u(1)
    while (rest - room) & u(3):
        steps[rest], distances[rest] = u(0), np.float32(NEVER)
        rest += u(1)
    return u(reach), rest - room


@inline
def cut_rows(firsts, lasts, reach, cols, level, pieces):  # type: ignore[no-untyped-def]
    """Write rows as runs: indices into `runs` from an output on; returns how many."""
    count, middle = u(0), firsts.size >> 1
    for row in range(firsts.size):
        at, k = firsts[row], LENGTHS - 1
        while at <= lasts[row]:
            while 1 << k > lasts[row] - at + 1:
                k -= 1
            down, beside = u(row - middle + np.int64(reach)), u(at + np.int64(reach))
            pieces[count] = u(k) * level + down * cols + beside
            count, at = count + u(1), at + (1 << k)
    return count


@inline
def make_runs(cells, plane, first, stride, rows, cols, runs):  # type: ignore[no-untyped-def]
    """Sums over 1, 2, 4, ... neighbours in a row, from a cell on, of a part of four planes.

    Where they would leave a row they are not used.
    """
    for p in range(u(COVERED)):
        for y in range(rows):
            target, source = (p * rows + y) * cols, p * plane + first + y * stride
            for x in range(cols):
                runs[target + x] = cells[source + x]
    level = u(COVERED) * rows * cols
    for k in range(u(LENGTHS - 1)):
        below, above, step = k * level, (k + u(1)) * level, u(1) << k
        for i in range(level - step):
            runs[above + i] = runs[below + i] + runs[below + step + i]


@inline
def add_runs(runs, area, base, pieces, count, sums):  # type: ignore[no-untyped-def]
    """Add runs to four rows of sums, for outputs from cell `base` of the part on."""
    whole = count & ~u(3)
    for p in range(u(COVERED)):
        at, row = p * area + base, p * WIDTH
        for k in range(u(0), whole, u(4)):
            i0, i1 = at + pieces[k], at + pieces[k + u(1)]
            i2, i3 = at + pieces[k + u(2)], at + pieces[k + u(3)]
            for x in range(WIDTH):
                sums[row + x] += (runs[i0 + x] + runs[i1 + x]) + (runs[i2 + x] + runs[i3 + x])
        for k in range(whole, count):
            i0 = at + pieces[k]
            for x in range(WIDTH):
                sums[row + x] += runs[i0 + x]


@inline
def gather_row(  # type: ignore[no-untyped-def]
    cells, plane, base, steps, distances, begin, stop, sums
):
    """Add offsets [begin, stop) to four rows of sums, for WIDTH outputs from index `base` on.

    `plane` is the size of a plane of cells.
    """
    zero, one = np.float32(0), np.float32(1)
    g, b, w, q = plane, u(2) * plane, u(3) * plane, u(4) * plane
    for k in range(begin, stop, u(4)):
        i0, i1 = base + steps[k], base + steps[k + u(1)]
        i2, i3 = base + steps[k + u(2)], base + steps[k + u(3)]
        d0, d1 = distances[k], distances[k + u(1)]
        d2, d3 = distances[k + u(2)], distances[k + u(3)]
        for x in range(WIDTH):
            a0 = min(max(cells[q + i0 + x] - d0, zero), one)
            a1 = min(max(cells[q + i1 + x] - d1, zero), one)
            a2 = min(max(cells[q + i2 + x] - d2, zero), one)
            a3 = min(max(cells[q + i3 + x] - d3, zero), one)
            sums[x] += (
                a0 * cells[i0 + x] + a1 * cells[i1 + x] + a2 * cells[i2 + x] + a3 * cells[i3 + x]
            )
            sums[WIDTH + x] += (
                a0 * cells[g + i0 + x]
                + a1 * cells[g + i1 + x]
                + a2 * cells[g + i2 + x]
                + a3 * cells[g + i3 + x]
            )
            sums[u(2) * WIDTH + x] += (
                a0 * cells[b + i0 + x]
                + a1 * cells[b + i1 + x]
                + a2 * cells[b + i2 + x]
                + a3 * cells[b + i3 + x]
            )
            sums[u(3) * WIDTH + x] += (
                a0 * cells[w + i0 + x]
                + a1 * cells[w + i1 + x]
                + a2 * cells[w + i2 + x]
                + a3 * cells[w + i3 + x]
            )
