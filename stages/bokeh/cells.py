"""Cells: the members of a coarse layer, summed over s x s pixels.

Sums are membership times colour, membership, and membership times radius. They are made level by
level, each from the one below, and a cell moves on to the next level by its mean radius. Pixels in
focus enter no cell. A finished cell holds its share of colour and coverage, divided by the area of
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
AREA_TABLE_PX = 16  # cells; the largest disk of the deepest layer is 12.5
LEAST = np.float32(1e-20)  # divisor of an empty cell

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
        stride = -(-cols // BLOCK) * BLOCK + 2 * pad
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

    @property
    def reach(self) -> Array:
        """View of the last plane without its padding."""
        padded = self.flat[-self.plane :].reshape(-1, self.stride)
        return padded[self.pad : self.pad + self.rows, self.pad : self.pad + self.cols]


def sum_pixels(linear: Array, radius: Array, cells: Cells, begin: Fade) -> None:
    """Sum the members of the first coarse layer, which begin at a radius, over 2 x 2 pixels."""
    height, width = radius.shape
    flat_image, flat_radius = linear.reshape(-1), radius.reshape(-1)
    run_strips(
        lambda y0, y1: _sum_pixels(
            flat_image, flat_radius, height, width, *begin, y0, y1,
            cells.flat, cells.plane, cells.stride, cells.first,
        ),
        cells.rows,
    )  # fmt: skip


def sum_cells(below: Cells, cells: Cells, begin: Fade) -> None:
    """Sum what moves on to the next layer over 2 x 2 cells of the layer below."""
    run_strips(
        lambda y0, y1: _sum_cells(
            below.flat, below.plane, below.stride, below.first, *begin, y0, y1, cells.cols,
            cells.flat, cells.plane, cells.stride, cells.first,
        ),
        cells.rows,
    )  # fmt: skip


def finish(cells: Cells, step: int, end: Fade, outline: Outline) -> None:
    """Turn sums over `step` x `step` pixels into shares and disks; no share beyond the end."""
    areas = area_table(AREA_TABLE_PX, EDGE_SLOPE, outline)
    run_strips(
        lambda y0, y1: _finish_cells(
            cells.flat, cells.plane, cells.stride, cells.first, cells.cols, step, *end, areas,
            y0, y1,
        ),
        cells.rows,
    )  # fmt: skip


@inline
def rise(radius, start, slope):  # type: ignore[no-untyped-def]
    """Membership that fades in linearly from radius `start` on."""
    return min(max((radius - start) * slope, np.float32(0)), np.float32(1))


@kernel(
    reads(f32, 1), reads(f32, 1), u64, u64, f32, f32, u64, u64, writes(f32, 1), u64, u64, u64
)  # fmt: skip
def _sum_pixels(image, radius, height, width, start, slope, y0, y1, cells, plane, stride, first):  # type: ignore[no-untyped-def]
    """Sums over 2 x 2 pixels; what the border cuts off counts nothing."""
    zero, one, last = np.float32(0), np.float32(1), u(1)
    for y in range(y0, y1):
        upper, row = u(2) * y * width, first + y * stride
        lower = min(u(2) * y + last, height - last) * width
        below = one if u(2) * y + last < height else zero
        for x in range((width + last) >> last):
            a = upper + u(2) * x
            b = upper + min(u(2) * x + last, width - last)
            c, d = lower + a - upper, lower + b - upper
            beside = one if b > a else zero
            wa, wb = rise(radius[a], start, slope), rise(radius[b], start, slope) * beside
            wc = rise(radius[c], start, slope) * below
            wd = rise(radius[d], start, slope) * beside * below
            for p in range(u(3)):
                cells[p * plane + row + x] = (
                    wa * image[u(3) * a + p]
                    + wb * image[u(3) * b + p]
                    + wc * image[u(3) * c + p]
                    + wd * image[u(3) * d + p]
                )
            cells[u(3) * plane + row + x] = wa + wb + wc + wd
            cells[u(4) * plane + row + x] = (
                wa * radius[a] + wb * radius[b] + wc * radius[c] + wd * radius[d]
            )


@kernel(
    reads(f32, 1), u64, u64, u64, f32, f32, u64, u64, u64, writes(f32, 1), u64, u64, u64
)  # fmt: skip
def _sum_cells(  # type: ignore[no-untyped-def]
    below, plane_b, stride_b, first_b, start, slope, y0, y1, cols, cells, plane, stride, first
):
    """Sums over 2 x 2 cells of the level below, of what its mean radius sends on."""
    for y in range(y0, y1):
        row = first + y * stride
        upper = first_b + u(2) * y * stride_b
        for x in range(cols):
            a, c = upper + u(2) * x, upper + stride_b + u(2) * x
            b, d = a + u(1), c + u(1)  # beyond the border they are padding, which is empty
            wa = _moves_on(below, plane_b, a, start, slope)
            wb = _moves_on(below, plane_b, b, start, slope)
            wc = _moves_on(below, plane_b, c, start, slope)
            wd = _moves_on(below, plane_b, d, start, slope)
            for p in range(u(PLANES)):
                k = p * plane_b
                cells[p * plane + row + x] = (
                    wa * below[k + a] + wb * below[k + b] + wc * below[k + c] + wd * below[k + d]
                )


@inline
def _moves_on(cells, plane, k, start, slope):  # type: ignore[no-untyped-def]
    """Part of a cell that belongs to layers of larger radius."""
    mean = cells[u(4) * plane + k] / max(cells[u(3) * plane + k], LEAST)
    return rise(mean, start, slope)


@inline
def disk_in_cells(radius, scale):  # type: ignore[no-untyped-def]
    """Radius to draw at a layer's scale, where box and upsampling add variance of their own."""
    added = np.float32(SPREAD_VARIANCE) * (scale * scale - np.float32(1))
    least = np.float32(SMALLEST_CELL_RADIUS) * scale
    return np.sqrt(max(radius * radius - added, least * least)) / scale


@kernel(writes(f32, 1), u64, u64, u64, u64, u64, f32, f32, reads(f32, 1), u64, u64)
def _finish_cells(cells, plane, stride, first, cols, step, start, slope, areas, y0, y1):  # type: ignore[no-untyped-def]
    """Share and disk of each cell of one strip."""
    zero, one, scale = np.float32(0), np.float32(1), np.float32(step)
    covered, reach = u(3) * plane, u(4) * plane
    line = np.empty(cols, np.float32)
    for y in range(y0, y1):
        row = first + y * stride
        for x in range(cols):
            radius = cells[reach + row + x] / max(cells[covered + row + x], LEAST)
            cells[reach + row + x] = radius
            # A cell that has moved on entirely may be larger; its share is then 0.
            line[x] = min(disk_in_cells(radius, scale), np.float32(AREA_TABLE_PX))
        look_up_areas(areas, line, cols)
        for x in range(cols):
            k = row + x
            radius = cells[reach + k]
            stays = one - rise(radius, start, slope)
            share = stays / (scale * scale * line[x])
            cells[k] *= share
            cells[plane + k] *= share
            cells[u(2) * plane + k] *= share
            cells[covered + k] *= share
            q = np.float32(EDGE_SLOPE) * disk_in_cells(radius, scale) + np.float32(0.5)
            cells[reach + k] = q if cells[covered + k] > zero else zero
