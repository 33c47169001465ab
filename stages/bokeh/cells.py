"""Cells of a coarse layer: weighted sums over s x s pixels.

The weight of a pixel is its membership in the layer, a function of its own radius. Therefore
surfaces in different layers are never mixed in a cell, and pixels in focus are in no cell. Both
surfaces of a pixel of an outline have a weight; if they are in the same layer, the far one only
fills what the near one leaves free. A cell sums membership times colour, membership, and membership
times radius. The finished cell stores premultiplied colour and coverage, both divided by the area
of its disk, and q (see `gather.py`). Cells outside of the picture are empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from stages.arrays import LARGE_BYTES, lazy_zeros
from stages.bokeh.aperture import Outline
from stages.bokeh.bands import Fade
from stages.bokeh.checks import PIXELS, RenderInput
from stages.bokeh.disk import area_table, look_up_areas
from stages.bokeh.gather import BLOCK_COLS, COVERED, PLANES
from stages.bokeh.parting import SIDE, largest_in_squares, part_cells, parting_limits
from stages.bokeh.sums import (
    BAND,
    SPAN,
    Band,
    add_far,
    add_pixels,
    any_above,
    subtract_far,
    sum_columns,
)
from stages.kernels import apart, f32, inline, kernel, reads, record, u64, writes
from stages.params import Array
from stages.strips import run_strips

EDGE_SLOPE = 1.5  # per cell; a harder edge compensates for the softening by upsampling
SPREAD_VARIANCE = 1.0  # 4 variance / (s^2 - 1) of cell box and upsampling; subtracted from a disk
SMALLEST_CELL_RADIUS = 0.1  # cells; keeps the area of a corrected disk above 0
AREA_TABLE_PX = 18  # cells; the largest disk of a layer has a radius of 16
LEAST = np.float32(1e-20)  # minimum of a divisor, for empty cells

u = np.uint64


@dataclass(frozen=True, slots=True)
class Cells:
    """Padded cells of a layer.

    Attributes
    ----------
    flat : Array
        Five planes in one flat float32 array: R, G, B, coverage, q.
    rows, cols : int
        Number of cells along each axis, without padding.
    pad : int
        Cells of padding on each side.
    """

    flat: Array
    rows: int
    cols: int
    pad: int

    @classmethod
    def empty(cls, rows: int, cols: int, pad: int) -> Cells:
        """Empty cells; rows are padded to whole blocks of the gather."""
        stride = -(-(cols + 2 * pad) // BLOCK_COLS) * BLOCK_COLS + 2 * pad
        size = PLANES * stride * (rows + 2 * pad)
        large = 4 * size >= LARGE_BYTES
        flat = lazy_zeros((size,), dense=True) if large else np.zeros(size, np.float32)
        return cls(flat, rows, cols, pad)

    @property
    def plane(self) -> int:
        """Size of one plane, in cells."""
        return self.flat.size // PLANES

    @property
    def stride(self) -> int:
        """Length of a padded row, in cells."""
        return self.plane // (self.rows + 2 * self.pad)

    @property
    def first(self) -> int:
        """Flat index of the first cell that is not padding."""
        return self.pad * (self.stride + 1)


class Part(NamedTuple):
    """A strip of a picture of height x width px: its first row of blocks, and the side of cells."""

    first: np.uint64
    height: np.uint64
    width: np.uint64
    step: np.uint64


class Place(NamedTuple):
    """Where the cells of a layer lie; the properties of `Cells` of these names."""

    plane: np.uint64
    stride: np.uint64
    first: np.uint64
    cols: np.uint64


PART, PLACE = record(Part, *4 * [u64]), record(Place, *4 * [u64])


def make_cells(
    picture: RenderInput, stays: tuple[Array, Array], y0: int, cells: Cells, step: int,
    band: tuple[Fade, Fade], outline: Outline,
) -> None:  # fmt: skip
    """Compute the cells of one layer in a strip.

    Parameters
    ----------
    picture : RenderInput
        Linear light and radius, of both surfaces where there are two.
    stays : (Array, Array)
        Fraction of the light of each block of 2 x 2 pixels that is not drawn as sprites; 2-D
        float32 in [0, 1], for the rows of the strip. The second one is that of second surfaces.
    y0 : int
        First row of these blocks; it must be at the top of a cell.
    cells : Cells
        Written in the strip.
    step : int
        Side of a cell in px, a power of two.
    band : (Fade, Fade)
        Fade-in and fade-out of the layer.
    outline : Outline
        Shape of the aperture.
    """
    part = Part(*map(u, (y0, *picture.radius.shape, step)))
    place = Place(*map(u, (cells.plane, cells.stride, cells.first, cells.cols)))
    fades = Band(*map(np.float32, (*band[0], *band[1])))
    areas = area_table(AREA_TABLE_PX, EDGE_SLOPE, outline)
    _make_cells(picture.pixels, *stays, part, fades, areas, cells.flat, place)


def part(cells: Cells) -> None:
    """Split finished cells into a front and a back half (see `parting.py`), in place."""
    where = cells.first + COVERED * cells.plane, cells.stride, cells.rows, cells.cols
    largest = np.empty((-(-cells.rows // SIDE), -(-cells.cols // SIDE)), np.float32)
    run_strips(lambda a, b: largest_in_squares(cells.flat, *where, a, b, largest), len(largest))
    limits = parting_limits(largest, cells.pad)
    run_strips(lambda a, b: part_cells(cells.flat, *where, a, b, limits), len(limits))


@apart
def disk_in_cells(radius, scale):  # type: ignore[no-untyped-def]
    """Radius of a disk in cells, less the variance that cell box and upsampling add."""
    added = np.float32(SPREAD_VARIANCE) * (scale * scale - np.float32(1))
    least = np.float32(SMALLEST_CELL_RADIUS) * scale
    return np.sqrt(max(radius * radius - added, least * least)) / scale


@inline
def _any_member(radius, pixel, length, start, beyond):  # type: ignore[no-untyped-def]
    """Whether any pixel in a part of a row has a radius between `start` and `beyond`."""
    found = np.int32(0)
    for x in range(length):
        r = radius[pixel + x]
        found += np.int32((r > start) & (r < beyond))
    return found > 0


@inline
def _finish(totals, begin, step, count, areas, line, cells, target, plane):  # type: ignore[no-untyped-def]
    """Write sums as cells: colour and coverage divided by the area of the disk, and q."""
    zero, half, scale = np.float32(0), np.float32(0.5), np.float32(step)
    covered, size = begin + u(3 * SPAN), begin + u(4 * SPAN)
    for x in range(count):
        disk = disk_in_cells(totals[size + x] / max(totals[covered + x], LEAST), scale)
        line[x] = disk
        q = np.float32(EDGE_SLOPE) * disk + half
        cells[u(4) * plane + target + x] = q if totals[covered + x] > zero else zero
    look_up_areas(areas, line, count)
    for p in range(u(COVERED)):
        for x in range(count):
            share = np.float32(1) / (scale * scale * line[x])
            cells[p * plane + target + x] = share * totals[begin + p * u(SPAN) + x]


@inline
def _spread_over_pixels(stays, row, x0, length, keep):  # type: ignore[no-untyped-def]
    """Values of blocks of 2 x 2 pixels for a part of a row of pixels."""
    for i in range((length + u(1)) >> u(1)):
        part = stays[row, (x0 >> u(1)) + i]
        keep[u(2) * i], keep[u(2) * i + u(1)] = part, part


@kernel(PIXELS, reads(f32, 2), reads(f32, 2), PART, BAND, reads(f32, 1), writes(f32, 1), PLACE)
def _make_cells(pixels, stays, far_stays, strip, band, areas, cells, place):  # type: ignore[no-untyped-def]
    """Sum the pixels of each cell, first along columns, then along rows; skip empty cells."""
    y0, height, width, step = strip
    image, radius, start = pixels.image, pixels.radius, band.start
    plane, stride, first, cols = place
    zero, beyond = np.float32(0), band.end + np.float32(1) / band.falling
    sums, totals = (
        np.empty(u(PLANES * SPAN), np.float32),
        np.empty(u(2 * PLANES * SPAN), np.float32),
    )
    keep, weights = np.empty(u(SPAN), np.float32), np.empty(u(3 * SPAN), np.float32)
    top, bottom = u(2) * y0, min(u(2) * (y0 + u(stays.shape[0])), height)
    for y in range(top // step, (bottom + step - u(1)) // step):
        for x0 in range(u(0), width, u(SPAN)):
            length, found = min(u(SPAN), width - x0), False
            near_above = any_above(pixels.tops, y * step, x0, length, start)
            far_above = any_above(pixels.far_tops, y * step, x0, length, start)
            if not (near_above or far_above):
                continue
            shared = any_above(pixels.far_tops, y * step, x0, length, zero)
            for row in range(y * step, min((y + u(1)) * step, bottom)):
                pixel, block = row * width + x0, (row >> u(1)) - y0
                near = near_above and _any_member(radius, pixel, length, start, beyond)
                far = far_above and _any_member(pixels.far_radius, pixel, length, start, beyond)
                if not found and (near or far):
                    sums[:], found = zero, True
                if near:
                    _spread_over_pixels(stays, block, x0, length, keep)
                    if shared:
                        subtract_far(pixels, row, x0, length, width, band, keep, sums)
                    add_pixels(image, radius, pixel, length, band, keep, weights, sums)
                if far:
                    _spread_over_pixels(far_stays, block, x0, length, keep)
                    add_far(pixels, row, x0, length, width, band, keep, sums)
            if found:
                count = min(u(SPAN) // step, cols - x0 // step)
                _finish(
                    totals, sum_columns(sums, step, totals), step, count, areas, keep, cells,
                    first + y * stride + x0 // step, plane,
                )  # fmt: skip
