"""Splatting by scatter: the inner loops of the renderer for few disks.

Cells are processed in pairs. A pair that is not empty adds its colours to those outputs of a block
that its disks cover, row by row. The weights need slope times the distance from the cell. All cells
share one table of it by offset: another cell reads another window of the table. Therefore empty
cells and outputs out of reach cost nothing.
"""

from __future__ import annotations

import numpy as np

from stages.bokeh.disk import NEVER
from stages.bokeh.gather import LANES, PITCH, PLANE
from stages.kernels import apart, inline

u = np.uint64
LANE_COUNT = u(LANES)


@apart
def table_width(halo):  # type: ignore[no-untyped-def]
    """Columns of the table: offsets up to `halo` on both sides, and LANES that are read beyond."""
    return u(2) * halo + u(3) + LANE_COUNT


@apart
def tabulate(places, distances, halo, table):  # type: ignore[no-untyped-def]
    """Write distances to a table by offset; (0, 0) is at row `halo`, column `halo` + 1.

    All other entries are NEVER.
    """
    wide = np.int64(table_width(halo))
    for k in range(table.size):
        table[k] = np.float32(NEVER)
    for k in range(distances.size):
        if distances[k] < np.float32(NEVER):  # not padding
            row, col = np.int64(places[k, 0]), np.int64(places[k, 1])
            table[(np.int64(halo) + row) * wide + np.int64(halo) + 1 + col] = distances[k]


@apart
def _light(cells, plane, cell, q):  # type: ignore[no-untyped-def]
    """R, G, B and coverage of a cell; 0 if q is 0, since the planes are not set in empty cells."""
    if q == np.float32(0):
        return np.float32(0), np.float32(0), np.float32(0), np.float32(0)
    return cells[cell], cells[plane + cell], cells[u(2) * plane + cell], cells[u(3) * plane + cell]


@inline
def scatter(  # type: ignore[no-untyped-def]
    cells, plane, corner, stride, rows, wide, sign, reach_of_q, halo, table, begin_y, end_y,
    begin_x, end_x, sums,
):  # fmt: skip
    """Add the cells of one half (window as in `gather.survey_half`) to a part of the outputs.

    The outputs are rows [begin_y, end_y) and columns [begin_x, end_x) of a block. The reach of a
    disk is q times `reach_of_q` cells.
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
                for first in range(u(0), length, LANE_COUNT):
                    k, t = at + first, window + first
                    for x in range(LANE_COUNT):
                        a0 = min(max(q0 - table[t + x], zero), one)
                        a1 = min(max(q1 - table[t - u(1) + x], zero), one)
                        sums[k + x] += a0 * r0 + a1 * r1
                        sums[PLANE + k + x] += a0 * g0 + a1 * g1
                        sums[u(2) * PLANE + k + x] += a0 * b0 + a1 * b1
                        sums[u(3) * PLANE + k + x] += a0 * w0 + a1 * w1
