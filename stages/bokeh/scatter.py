"""Sources one by one: the inner loops where few disks meet.

Every pair of cells of a half that are not empty adds its colours to the outputs of a block that
its disks cover, a row at a time. Slope times the distance from a cell is an entry of a table that
all share: to move the cell is to move the window on the table. So empty cells cost nothing, and
neither do outputs that nothing reaches.
"""

from __future__ import annotations

import numpy as np

from stages.bokeh.disk import NEVER
from stages.bokeh.gather import LANES, PITCH, PLANE
from stages.kernels import apart, inline

u = np.uint64
ALL = u(LANES)


@apart
def table_width(halo):  # type: ignore[no-untyped-def]
    """Columns of the table: offsets up to `halo` on either side, and what LANES exceed."""
    return u(2) * halo + u(3) + ALL


@apart
def tabulate(places, distances, halo, table):  # type: ignore[no-untyped-def]
    """Lay distances out by offset, (0, 0) in row `halo`, column `halo` + 1; NEVER elsewhere."""
    wide = np.int64(table_width(halo))
    for k in range(table.size):
        table[k] = np.float32(NEVER)
    for k in range(distances.size):
        if distances[k] < np.float32(NEVER):  # others fill up the last pass
            row, col = np.int64(places[k, 0]), np.int64(places[k, 1])
            table[(np.int64(halo) + row) * wide + np.int64(halo) + 1 + col] = distances[k]


@apart
def _light(cells, plane, cell, q):  # type: ignore[no-untyped-def]
    """R, G, B and coverage of a cell; 0 where its q is, whatever is written there."""
    if q == np.float32(0):
        return np.float32(0), np.float32(0), np.float32(0), np.float32(0)
    return cells[cell], cells[plane + cell], cells[u(2) * plane + cell], cells[u(3) * plane + cell]


@inline
def scatter(  # type: ignore[no-untyped-def]
    cells, plane, corner, stride, rows, wide, sign, reach_of_q, halo, table, begin_y, end_y,
    begin_x, end_x, sums,
):  # fmt: skip
    """Add the cells of a half (see `gather.survey_half`) to some outputs of a block, in pairs.

    A disk reaches `reach_of_q` cells for each unit of q.
    """
    zero, one, tall = np.float32(0), np.float32(1), np.int64(halo)
    across = np.int64(table_width(halo))
    top, bottom = np.int64(begin_y), np.int64(end_y)
    left, right = np.int64(begin_x), np.int64(end_x)
    for j in range(rows):
        for i in range(u(0), wide, u(2)):
            cell = corner + j * stride + i
            q0 = max(sign * cells[u(4) * plane + cell], zero)
            q1 = max(sign * cells[u(4) * plane + cell + u(1)], zero)
            if max(q0, q1) == zero:
                continue
            r0, g0, b0, w0 = _light(cells, plane, cell, q0)
            r1, g1, b1, w1 = _light(cells, plane, cell + u(1), q1)
            y0, x0 = np.int64(j) - tall, np.int64(i) - tall
            reach = np.int64(max(q0, q1) * reach_of_q)
            begin, end = max(x0 - reach, left), min(x0 + reach + 2, right)
            if begin >= end:
                continue
            length = u(end - begin)
            for y in range(max(y0 - reach, top), min(y0 + reach + 1, bottom)):
                at = u(y) * PITCH + u(begin)
                window = u((y - y0 + tall) * across + begin - x0 + tall + 1)
                for first in range(u(0), length, ALL):
                    k, t = at + first, window + first
                    for x in range(ALL):
                        a0 = min(max(q0 - table[t + x], zero), one)
                        a1 = min(max(q1 - table[t - u(1) + x], zero), one)
                        sums[k + x] += a0 * r0 + a1 * r1
                        sums[PLANE + k + x] += a0 * g0 + a1 * g1
                        sums[u(2) * PLANE + k + x] += a0 * b0 + a1 * b1
                        sums[u(3) * PLANE + k + x] += a0 * w0 + a1 * w1
