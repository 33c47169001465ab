"""Cells: the members of a coarse layer, summed over s x s pixels.

Sums are membership times colour, membership, and membership times radius. Each pixel belongs to a
layer by its own radius, so that surfaces of different layers never share a cell, and pixels in
focus enter none. A finished cell holds its share of colour and coverage, divided by the area of
its disk, and the reach of that disk as `gather.py` wants it. Outside the picture there is nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import types

from stages.bokeh.aperture import Outline
from stages.bokeh.bands import Fade
from stages.bokeh.disk import area_table, look_up_areas
from stages.bokeh.gather import BLOCK, PLANES
from stages.kernels import f32, inline, kernel, reads, writes
from stages.params import Array
from stages.strips import run_strips

EDGE_SLOPE = 1.5  # of coarse disks: upsampling softens their edge, so it is made harder
SPREAD_VARIANCE = 1.0  # of cell box and upsampling, as 4 variance / (s^2 - 1), taken off a disk
SMALLEST_CELL_RADIUS = 0.1  # cells; keeps the area of a corrected disk above 0
AREA_TABLE_PX = 18  # cells; the largest disk of a layer is 16
LEAST = np.float32(1e-20)  # divisor of an empty cell
STRIP_PX = 64  # rows of the picture that a worker sums at a time

u64 = types.uint64
u = np.uint64


@dataclass(frozen=True, slots=True)
class Cells:
    """Five padded planes of cells in one flat array: R, G, B, coverage, radius (then reach)."""

    flat: Array
    rows: int
    cols: int
    pad: int

    @classmethod
    def empty(cls, rows: int, cols: int, pad: int) -> Cells:
        """Zeros; rows are long enough for whole blocks to be gathered."""
        stride = -(-(cols + 2 * pad) // BLOCK) * BLOCK + 2 * pad
        return cls(np.zeros(PLANES * stride * (rows + 2 * pad), np.float32), rows, cols, pad)

    @property
    def plane(self) -> int:
        """Size of one plane."""
        return self.flat.size // PLANES

    @property
    def stride(self) -> int:
        """Length of a padded row."""
        return self.plane // (self.rows + 2 * self.pad)

    @property
    def first(self) -> int:
        """Flat index of the first cell that is not padding."""
        return self.pad * (self.stride + 1)


def sum_pixels(
    linear: Array, radius: Array, stays: Array, cells: Cells, step: int, begin: Fade, end: Fade
) -> None:
    """Sum the members of the layer between two fades over `step` x `step` pixels.

    `stays` is the part of its light that each block of 2 x 2 pixels keeps.
    """
    height, width = radius.shape
    flat_image, flat_radius = linear.reshape(-1), radius.reshape(-1)
    run_strips(
        lambda y0, y1: _sum_pixels(
            flat_image, flat_radius, stays, height, width, step, *begin, *end, y0, y1,
            cells.flat, cells.plane, cells.stride, cells.first, cells.cols,
        ),
        cells.rows,
        strip_rows=STRIP_PX // step,
    )  # fmt: skip


def finish(cells: Cells, step: int, outline: Outline) -> None:
    """Turn sums over `step` x `step` pixels into shares and disks."""
    areas = area_table(AREA_TABLE_PX, EDGE_SLOPE, outline)
    run_strips(
        lambda y0, y1: _finish_cells(
            cells.flat, cells.plane, cells.stride, cells.first, cells.cols, step, areas, y0, y1
        ),
        cells.rows,
    )


@inline
def rise(radius, start, slope):  # type: ignore[no-untyped-def]
    """Membership that fades in linearly from radius `start` on."""
    return min(max((radius - start) * slope, np.float32(0)), np.float32(1))


@inline
def membership(radius, start, rising, end, falling):  # type: ignore[no-untyped-def]
    """Membership in a layer that fades in and out."""
    return rise(radius, start, rising) * (np.float32(1) - rise(radius, end, falling))


@inline
def block_of_pixels(y, x, height, width):  # type: ignore[no-untyped-def]
    """Flat indices of 2 x 2 pixels, and 0 or 1 for what the border cuts off below and beside."""
    one, zero, last = np.float32(1), np.float32(0), u(1)
    a = u(2) * y * width + u(2) * x
    inside_x, inside_y = u(2) * x + last < width, u(2) * y + last < height
    b = a + (last if inside_x else u(0))
    down = width if inside_y else u(0)
    return a, b, a + down, b + down, one if inside_y else zero, one if inside_x else zero


@inline
def _any_member(radius, row, x0, x1, width, start, beyond):  # type: ignore[no-untyped-def]
    """Whether a pixel of a block row lies between two radii."""
    found = np.int32(0)
    for x in range(u(2) * x0, min(u(2) * x1, width)):
        r = radius[row + x]
        found += np.int32((r > start) & (r < beyond))
    return found > 0


@kernel(
    reads(f32, 1), reads(f32, 1), reads(f32, 2), u64, u64, u64, f32, f32, f32, f32, u64, u64,
    writes(f32, 1), u64, u64, u64, u64,
)  # fmt: skip
def _sum_pixels(  # type: ignore[no-untyped-def]
    image, radius, stays, height, width, step, start, rising, end, falling, y0, y1,
    cells, plane, stride, first, cols,
):  # fmt: skip
    """Sums over 2 x 2 pixels are collected in `line`, from which those of a cell are made."""
    halves, blocks, beyond = step >> u(1), (width + u(1)) >> u(1), end + np.float32(1) / falling
    room = cols * halves
    line = np.empty(u(PLANES) * room, np.float32)
    for y in range(y0, y1):
        line[:] = np.float32(0)
        for j in range(y * halves, min((y + u(1)) * halves, (height + u(1)) >> u(1))):
            below = min(u(2) * j + u(1), height - u(1)) * width
            for x0 in range(u(0), blocks, u(BLOCK)):
                x1 = min(x0 + u(BLOCK), blocks)
                if not (
                    _any_member(radius, u(2) * j * width, x0, x1, width, start, beyond)
                    or _any_member(radius, below, x0, x1, width, start, beyond)
                ):
                    continue
                for x in range(x0, x1):
                    a, b, c, d, down, beside = block_of_pixels(j, x, height, width)
                    wa = membership(radius[a], start, rising, end, falling)
                    wb = membership(radius[b], start, rising, end, falling) * beside
                    wc = membership(radius[c], start, rising, end, falling) * down
                    wd = membership(radius[d], start, rising, end, falling) * beside * down
                    keep = stays[j, x]
                    for p in range(u(3)):
                        line[p * room + x] += keep * (
                            wa * image[u(3) * a + p]
                            + wb * image[u(3) * b + p]
                            + wc * image[u(3) * c + p]
                            + wd * image[u(3) * d + p]
                        )
                    line[u(3) * room + x] += wa + wb + wc + wd
                    line[u(4) * room + x] += (
                        wa * radius[a] + wb * radius[b] + wc * radius[c] + wd * radius[d]
                    )
        for p in range(u(PLANES)):
            for x in range(cols):
                total = np.float32(0)
                for k in range(p * room + x * halves, p * room + (x + u(1)) * halves):
                    total += line[k]
                cells[p * plane + first + y * stride + x] = total


@inline
def disk_in_cells(radius, scale):  # type: ignore[no-untyped-def]
    """Radius to draw at a layer's scale, where box and upsampling add variance of their own."""
    added = np.float32(SPREAD_VARIANCE) * (scale * scale - np.float32(1))
    least = np.float32(SMALLEST_CELL_RADIUS) * scale
    return np.sqrt(max(radius * radius - added, least * least)) / scale


@kernel(writes(f32, 1), u64, u64, u64, u64, u64, reads(f32, 1), u64, u64)
def _finish_cells(cells, plane, stride, first, cols, step, areas, y0, y1):  # type: ignore[no-untyped-def]
    """Share and disk of each cell of one strip."""
    zero, half, scale = np.float32(0), np.float32(0.5), np.float32(step)
    covered, reach = u(3) * plane, u(4) * plane
    line = np.empty(cols, np.float32)
    for y in range(y0, y1):
        row = first + y * stride
        for x in range(cols):
            radius = cells[reach + row + x] / max(cells[covered + row + x], LEAST)
            disk = disk_in_cells(radius, scale)
            line[x] = disk
            q = np.float32(EDGE_SLOPE) * disk + half
            cells[reach + row + x] = q if cells[covered + row + x] > zero else zero
        look_up_areas(areas, line, cols)
        for x in range(cols):
            share = np.float32(1) / (scale * scale * line[x])
            for p in range(u(4)):
                cells[p * plane + row + x] *= share
