"""Sources one by one: the inner loops where disks of different sizes meet, or few disks at all.

For a chunk of outputs the cells in reach that are not empty are listed, row by row. Seen from an
output, slope times the distance to a source is an entry of a table that all sources share: to move
the source is to move the window on the table. So empty cells cost nothing, and colours are scalars
in the innermost loop, which runs over LANES outputs in a row.

Within a layer, too, what is sharper covers what is blurrier. So where the disks that meet in an
output differ in size, it is summed in two halves, parted at the mean q of what meets there: two
surfaces always lie on either side of it.
"""

from __future__ import annotations

import numpy as np

from stages.bokeh.disk import NEVER
from stages.bokeh.gather import EVEN, PLANES
from stages.kernels import inline

LANES = 32  # outputs in a row that a source is added to at a time
NONE = np.float32(1e-12)  # coverage of an output that nothing reaches
u = np.uint64
ALL = u(LANES)


@inline
def table_width(halo):  # type: ignore[no-untyped-def]
    """Columns of the table: sources up to `halo` beyond LANES outputs on either side."""
    return u(2 * LANES) + u(2) * halo


@inline
def tabulate(places, distances, halo, table):  # type: ignore[no-untyped-def]
    """Lay offsets out in a table, and NEVER around them.

    Row `halo` + dy, column LANES - 1 + `halo` - dx, for light that comes from (dy, dx).
    """
    wide, middle = table_width(halo), np.int64(LANES - 1) + np.int64(halo)
    for k in range(table.size):
        table[k] = np.float32(NEVER)
    for k in range(distances.size):
        if distances[k] < np.float32(NEVER):  # others fill up the last pass
            row, col = np.int64(halo) - np.int64(places[k, 0]), middle + np.int64(places[k, 1])
            table[u(row) * wide + u(col)] = distances[k]


@inline
def list_cells(cells, plane, corner, stride, rows, halo, table, starts, windows, listed):  # type: ignore[no-untyped-def]
    """List the cells that reach any of `rows` x LANES outputs, of which the first is `corner`.

    A cell gives R, G, B, coverage and q; `windows` are where its distances from the outputs begin
    in the table; those from the outputs a row below begin a row earlier. `starts` are the first
    cells of the rows of sources. Four empty cells follow the last one. Returns the largest q.
    """
    wide, n, q, most = table_width(halo), u(0), u(4) * plane, np.float32(0)
    first, last_col = corner - halo * (stride + u(1)), u(LANES - 1)
    for j in range(rows + u(2) * halo):
        starts[j] = n
        nearest = min(max(j, halo) - halo, rows - u(1)) * wide
        for i in range(last_col + u(2) * halo + u(1)):
            cell, window = first + j * stride + i, j * wide + last_col + u(2) * halo - i
            beside = min(max(i, halo) - halo, last_col)
            if cells[q + cell] > table[window - nearest + beside]:
                for p in range(u(PLANES)):
                    listed[n * u(PLANES) + p] = cells[p * plane + cell]
                windows[n], most = window, max(most, cells[q + cell])
                n += u(1)
    starts[rows + u(2) * halo] = n
    for k in range(n, n + u(4)):
        windows[k] = (rows - u(1)) * wide
        for p in range(u(PLANES)):
            listed[k * u(PLANES) + p] = np.float32(0)
    return most


@inline
def part_listed(table, windows, listed, begin, stop, above, sums, limits):  # type: ignore[no-untyped-def]
    """Where to part each of LANES outputs: at the mean q of what meets there, 0 where it is even.

    Arguments are those of `add_listed`. Returns whether any output is parted.
    """
    zero, one = np.float32(0), np.float32(1)
    for x in range(u(3) * ALL):
        sums[x] = zero
    for k in range(begin, stop, u(4)):
        t0, t1 = windows[k] - above, windows[k + u(1)] - above
        t2, t3 = windows[k + u(2)] - above, windows[k + u(3)] - above
        j = k * u(PLANES)
        w0, q0, w1, q1 = listed[j + u(3)], listed[j + u(4)], listed[j + u(8)], listed[j + u(9)]
        w2, q2, w3, q3 = listed[j + u(13)], listed[j + u(14)], listed[j + u(18)], listed[j + u(19)]
        for x in range(ALL):
            a0 = w0 * min(max(q0 - table[t0 + x], zero), one)
            a1 = w1 * min(max(q1 - table[t1 + x], zero), one)
            a2 = w2 * min(max(q2 - table[t2 + x], zero), one)
            a3 = w3 * min(max(q3 - table[t3 + x], zero), one)
            sums[x] += (a0 + a1) + (a2 + a3)
            a0, a1, a2, a3 = a0 * q0, a1 * q1, a2 * q2, a3 * q3
            sums[ALL + x] += (a0 + a1) + (a2 + a3)
            sums[u(2) * ALL + x] += (a0 * q0 + a1 * q1) + (a2 * q2 + a3 * q3)
    most = zero
    for x in range(ALL):
        share = one / max(sums[x], NONE)
        mean, square = share * sums[ALL + x], share * sums[u(2) * ALL + x]
        uneven = square - mean * mean > EVEN * EVEN * mean * mean
        limits[x] = mean if uneven else zero
    for x in range(ALL):
        most = max(most, limits[x])
    return most > zero


@inline
def add_listed(table, windows, listed, begin, stop, above, limits, far, sums):  # type: ignore[no-untyped-def]
    """Add listed cells [begin, stop), in fours, to four rows of sums of LANES outputs.

    Windows on the table lie `above` earlier than listed. Only cells whose q is at least the limit
    of an output count, or below it where not `far`.
    """
    zero, one = np.float32(0), np.float32(1)
    for k in range(begin, stop, u(4)):
        t0, t1 = windows[k] - above, windows[k + u(1)] - above
        t2, t3 = windows[k + u(2)] - above, windows[k + u(3)] - above
        i0 = k * u(PLANES)
        i1, i2, i3 = i0 + u(PLANES), i0 + u(2 * PLANES), i0 + u(3 * PLANES)
        r0, g0, b0 = listed[i0], listed[i0 + u(1)], listed[i0 + u(2)]
        r1, g1, b1 = listed[i1], listed[i1 + u(1)], listed[i1 + u(2)]
        r2, g2, b2 = listed[i2], listed[i2 + u(1)], listed[i2 + u(2)]
        r3, g3, b3 = listed[i3], listed[i3 + u(1)], listed[i3 + u(2)]
        w0, w1, w2, w3 = listed[i0 + u(3)], listed[i1 + u(3)], listed[i2 + u(3)], listed[i3 + u(3)]
        q0, q1, q2, q3 = listed[i0 + u(4)], listed[i1 + u(4)], listed[i2 + u(4)], listed[i3 + u(4)]
        for x in range(ALL):
            limit = limits[x]
            a0 = min(max(q0 - table[t0 + x], zero), one) if (q0 >= limit) == far else zero
            a1 = min(max(q1 - table[t1 + x], zero), one) if (q1 >= limit) == far else zero
            a2 = min(max(q2 - table[t2 + x], zero), one) if (q2 >= limit) == far else zero
            a3 = min(max(q3 - table[t3 + x], zero), one) if (q3 >= limit) == far else zero
            sums[x] += (a0 * r0 + a1 * r1) + (a2 * r2 + a3 * r3)
            sums[ALL + x] += (a0 * g0 + a1 * g1) + (a2 * g2 + a3 * g3)
            sums[u(2) * ALL + x] += (a0 * b0 + a1 * b1) + (a2 * b2 + a3 * b3)
            sums[u(3) * ALL + x] += (a0 * w0 + a1 * w1) + (a2 * w2 + a3 * w3)
