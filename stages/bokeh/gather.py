"""Splatting as a gather: the inner loops of the renderer for many disks.

Splatting distributes the colour of every source cell over its own disk. A gather computes the same
sums per output cell: the sum over lattice offsets of clamp(q - slope d, 0, 1) times the source cell
at that offset, where d is the distance and q = slope r + 1/2 belongs to the source. Only offsets
with slope d below the largest q in the neighbourhood are visited.

Cells are stored in five flat planes: R, G, B and coverage, all divided by the area of the disk, and
q. In an empty cell q = 0, so its weight is exactly 0. In the front half of a layer q < 0 (see
`parting.py`). Outputs are computed in blocks. A block first copies all cells of one half that are
within reach.

For offsets near the centre the weight is 1 for every cell that is not empty. Such offsets form
contiguous rows. A row is the sum of a few runs, which are precomputed sums of 1, 2, 4, ...
neighbours that all outputs of a block share. Only the edges of the disks are then summed cell by
cell.

All indices are unsigned and all arrays flat, because Numba vectorises loops of this form.
"""

from __future__ import annotations

import numpy as np

from stages.bokeh.disk import NEVER
from stages.kernels import apart

BLOCK_ROWS, BLOCK_COLS = 16, 64  # outputs of a block, which share their offsets
COVERED = 4  # planes that are summed: R, G, B, coverage
PLANES = 5  # those and q
LENGTHS = 5  # number of run lengths: 1, 2, 4, 8, 16 cells
MIN_RUN_OFFSETS = 40  # offsets of weight 1; for fewer, the precomputation of runs does not pay off
LANES = 16  # adjacent outputs that `scatter.py` updates at a time
u = np.uint64
WIDTH = u(BLOCK_COLS)  # outputs; a constant loop length needs no remainder loop
PITCH = WIDTH + u(LANES)  # length of a row of sums; `scatter.py` may write up to LANES beyond WIDTH
PLANE = u(BLOCK_ROWS) * PITCH  # size of a plane of sums; there are four


@apart
def offsets_within(distances, reach):  # type: ignore[no-untyped-def]
    """Number of sorted offsets with a distance below `reach`, rounded up to a multiple of four."""
    count = u(0)
    while count < u(distances.size) and distances[count] < reach:
        count += u(4)
    return count


@apart
def survey_half(cells, plane, corner, stride, rows, sign, lows, highs):  # type: ignore[no-untyped-def]
    """Smallest q, largest q and number of the cells of one half, in a window of a layer.

    `sign` is -1 for the front half and 1 for the back half. The window starts at cell `corner` and
    has as many columns as `lows`. Without cells the results are NEVER, 0 and 0. `lows` and `highs`
    are scratch for the extremes of each column, because these loops are vectorised and a reduction
    to one number is not.
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
    """Copy a window of the cells of one half to planes of size `area` in `part`, q to the last."""
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
    """Split the first `count` offsets into rows of distance up to `inner`, and the rest.

    The first and last column of each row are written to `firsts` and `lasts` (first > last if the
    row is empty). The rest is written from index `room` of `steps` and `distances` on. Returns the
    number of offsets in the rest, padded to a multiple of four.
    """
    middle, rest = firsts.size >> 1, room
    firsts[:], lasts[:] = 0, -1
    for k in range(count):
        row, col = middle - np.int64(places[k, 0]), -np.int64(places[k, 1])
        first, last = firsts[row], lasts[row]
        # Offsets of equal distance have no defined order. An offset that is not adjacent to its row
        # therefore belongs to the rest.
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
    """Decompose rows into runs.

    The index of each run relative to an output is written to `pieces`. Returns the number of runs.
    """
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
    """Write the sums of 2, 4, ... neighbours along rows behind the four planes of `part`.

    Sums across the end of a row are computed as well, but never used.
    """
    level = u(COVERED) * area
    for k in range(u(LENGTHS - 1)):
        below, above, step = k * level, (k + u(1)) * level, u(1) << k
        for i in range(level - step):
            part[above + i] = part[below + i] + part[below + step + i]


@apart
def add_runs(part, area, base, pieces, count, at, sums):  # type: ignore[no-untyped-def]
    """Add runs to the sums of WIDTH outputs.

    The first output is at cell `base`, and its sums are at index `at` of the four planes of `sums`.
    """
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
    """Add the cells at offsets [begin, stop), times their weights, to the sums, as `add_runs`."""
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
