"""Scatter as gather: the inner loops of the renderer.

Every source cell spreads its colour over its own disk. Seen from an output cell, that is a sum
over lattice offsets of clamp(q - slope d, 0, 1) times the cell at that offset, where
q = slope r + 1/2 belongs to the source; only offsets nearer than the largest q around are
visited. Cells lie in five flat planes: R, G, B and coverage, divided by the area of the disk, and
q (0 where a cell is empty, which then adds exactly nothing; below 0 in the nearer half of a layer,
see `parting.py`). A block copies the part of one half that can reach it.

Offsets so near that every disk around contains them whole have weight 1, or meet nothing. They
make up rows, and a row is a few sums over 1, 2, 4, ... neighbours (`runs`), which all outputs
share: only the rim of the disks is visited cell by cell.

All indices are unsigned and the arrays flat: the form that Numba turns into vector code.
"""

from __future__ import annotations

import numpy as np

from stages.bokeh.disk import NEVER
from stages.kernels import apart

BLOCK_ROWS, BLOCK_COLS = 16, 64  # outputs of a block share their offsets
COVERED = 4  # planes that are summed: R, G, B, coverage
PLANES = 5  # and q
LENGTHS = 5  # of runs: 1, 2, 4, 8, 16 cells
FEWEST = 40  # offsets of weight 1 from which on runs are worth their making
LANES = 16  # outputs in a row that `scatter.py` adds light to at a time
u = np.uint64
WIDTH = u(BLOCK_COLS)  # a loop of known length leaves no remainder to compile
PITCH = WIDTH + u(LANES)  # of a row of sums: a disk may add nothing beyond its end
PLANE = u(BLOCK_ROWS) * PITCH  # of sums; there are four


@apart
def offsets_within(distances, reach):  # type: ignore[no-untyped-def]
    """How many of the sorted offsets can touch anything, in whole passes of four."""
    count = u(0)
    while count < u(distances.size) and distances[count] < reach:
        count += u(4)
    return count


@apart
def survey_half(cells, plane, corner, stride, rows, sign, lows, highs):  # type: ignore[no-untyped-def]
    """Least and largest q of the cells of a half (`sign` -1 nearer, 1 further), and their number.

    Of a part of a layer, from cell `corner` on; NEVER and 0 where there are none. `lows` and
    `highs` are scratch: extremes of columns are vector code, those of an array not.
    """
    zero, never, count = np.float32(0), np.float32(NEVER), np.int32(0)
    for x in range(u(lows.size)):
        lows[x], highs[x] = never, zero
    for y in range(rows):
        first = u(4) * plane + corner + y * stride
        for x in range(u(lows.size)):
            q = sign * cells[first + x]
            lows[x] = min(lows[x], q if q > zero else never)
            highs[x] = max(highs[x], q)
            count += np.int32(q > zero)
    low, high = never, zero
    for x in range(u(lows.size)):
        low, high = min(low, lows[x]), max(high, highs[x])
    return low, high, count


@apart
def copy_half(cells, plane, corner, stride, rows, wide, sign, part, area):  # type: ignore[no-untyped-def]
    """Copy the cells of a half to planes of their own, of size `area`; that of q comes last."""
    zero, last = np.float32(0), u(LENGTHS * COVERED) * area
    for y in range(rows):
        first, target = corner + y * stride, y * wide
        for x in range(wide):
            part[last + target + x] = max(sign * cells[u(4) * plane + first + x], zero)
        for p in range(u(COVERED)):
            for x in range(wide):
                own = part[last + target + x] > zero
                part[p * area + target + x] = cells[p * plane + first + x] if own else zero


@apart
def part_offsets(steps, distances, places, count, inner, room, firsts, lasts):  # type: ignore[no-untyped-def]
    """Part the first `count` offsets into rows of those up to `inner`, and the rest.

    `firsts` and `lasts` become the columns between which a row is whole (a row with nothing has
    its first beyond its last). The rest follows at index `room` of `steps` and `distances`.
    Returns how many are left, in whole passes of four.
    """
    middle, rest = firsts.size >> 1, room
    firsts[:], lasts[:] = 0, -1
    for k in range(count):
        row, col = middle - np.int64(places[k, 0]), -np.int64(places[k, 1])
        first, last = firsts[row], lasts[row]
        # Equal distances may come in any order: what does not go on with a row is left.
        if distances[k] <= inner and (last < first or col == first - 1 or col == last + 1):
            firsts[row] = col if last < first else min(first, col)
            lasts[row] = col if last < first else max(last, col)
        else:
            steps[rest], distances[rest] = steps[k], distances[k]
            rest += u(1)
    while (rest - room) & u(3):
        steps[rest], distances[rest] = u(0), np.float32(NEVER)
        rest += u(1)
    return rest - room


@apart
def cut_rows(firsts, lasts, wide, area, pieces):  # type: ignore[no-untyped-def]
    """Write rows as runs: indices from an output on; returns how many."""
    count, middle = u(0), firsts.size >> 1
    for row in range(firsts.size):
        at, k = firsts[row], LENGTHS - 1
        while at <= lasts[row]:
            while 1 << k > lasts[row] - at + 1:
                k -= 1
            step = (row - middle) * np.int64(wide) + at
            pieces[count] = u(k * COVERED) * area + u(step)
            count, at = count + u(1), at + (1 << k)
    return count


@apart
def make_runs(part, area):  # type: ignore[no-untyped-def]
    """Sums over 2, 4, ... neighbours in a row of the four planes of a part, behind these.

    Where they would leave a row they are not used.
    """
    level = u(COVERED) * area
    for k in range(u(LENGTHS - 1)):
        below, above, step = k * level, (k + u(1)) * level, u(1) << k
        for i in range(level - step):
            part[above + i] = part[below + i] + part[below + step + i]


@apart
def add_runs(part, area, base, pieces, count, at, sums):  # type: ignore[no-untyped-def]
    """Add runs to four rows of sums, from `at` on, for WIDTH outputs from cell `base` on."""
    whole = count & ~u(3)
    for p in range(u(COVERED)):
        first, row = p * area + base, p * PLANE + at
        for k in range(u(0), whole, u(4)):
            i0, i1 = first + pieces[k], first + pieces[k + u(1)]
            i2, i3 = first + pieces[k + u(2)], first + pieces[k + u(3)]
            for x in range(WIDTH):
                sums[row + x] += (part[i0 + x] + part[i1 + x]) + (part[i2 + x] + part[i3 + x])
        for k in range(whole, count):
            i0 = first + pieces[k]
            for x in range(WIDTH):
                sums[row + x] += part[i0 + x]


@apart
def gather_row(part, area, base, steps, distances, begin, stop, at, sums):  # type: ignore[no-untyped-def]
    """Add offsets [begin, stop) to four rows of sums, likewise."""
    zero, one = np.float32(0), np.float32(1)
    g, b, w, q = area, u(2) * area, u(3) * area, u(LENGTHS * COVERED) * area
    for k in range(begin, stop, u(4)):
        i0, i1 = base + steps[k], base + steps[k + u(1)]
        i2, i3 = base + steps[k + u(2)], base + steps[k + u(3)]
        d0, d1 = distances[k], distances[k + u(1)]
        d2, d3 = distances[k + u(2)], distances[k + u(3)]
        for x in range(WIDTH):
            a0 = min(max(part[q + i0 + x] - d0, zero), one)
            a1 = min(max(part[q + i1 + x] - d1, zero), one)
            a2 = min(max(part[q + i2 + x] - d2, zero), one)
            a3 = min(max(part[q + i3 + x] - d3, zero), one)
            sums[at + x] += (
                a0 * part[i0 + x] + a1 * part[i1 + x] + a2 * part[i2 + x] + a3 * part[i3 + x]
            )
            sums[PLANE + at + x] += (
                a0 * part[g + i0 + x]
                + a1 * part[g + i1 + x]
                + a2 * part[g + i2 + x]
                + a3 * part[g + i3 + x]
            )
            sums[u(2) * PLANE + at + x] += (
                a0 * part[b + i0 + x]
                + a1 * part[b + i1 + x]
                + a2 * part[b + i2 + x]
                + a3 * part[b + i3 + x]
            )
            sums[u(3) * PLANE + at + x] += (
                a0 * part[w + i0 + x]
                + a1 * part[w + i1 + x]
                + a2 * part[w + i2 + x]
                + a3 * part[w + i3 + x]
            )
