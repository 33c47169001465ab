"""Layers at full resolution: the cells of small disks are pixels.

They are built for a span of the picture at a time, with a halo, and gathered like any others.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import types

from stages.bokeh.aperture import TILE_PIECE, Lens, lens_on, stretch
from stages.bokeh.bands import BokehParams
from stages.bokeh.cells import membership
from stages.bokeh.checks import RenderInput
from stages.bokeh.disk import FOCUS_PX, Offsets, area_table, lattice_offsets, look_up_areas
from stages.bokeh.enlarge import SPAN_COLS, TILE_ROWS
from stages.bokeh.gather import PLANES
from stages.bokeh.spread import Source, Spread, gather
from stages.kernels import f32, kernel, reads, writes
from stages.params import Array

u64 = types.uint64
u = np.uint64


class FineLayers(NamedTuple):
    """What it takes to make a layer at full resolution."""

    picture: RenderInput
    bands: Array
    halo: int
    offsets: Offsets
    areas: Array
    lens: Lens


class Scratch(NamedTuple):
    """Cells of a span and its halo, and what they give."""

    cells: Array
    spread: Spread


def fine_layers(picture: RenderInput, params: BokehParams) -> FineLayers:
    """Prepare the layers of a picture."""
    outline, shape = params.outline, picture.radius.shape
    largest = min(max(picture.largest_px, FOCUS_PX), params.coarse_px)
    halo = int(np.ceil(stretch(outline) * (largest + 0.5))) + 1
    offsets = lattice_offsets(largest + 0.5, SPAN_COLS + 2 * halo, outline=outline)
    areas = area_table(int(np.ceil(params.coarse_px)), outline=outline)
    lens = lens_on(outline, params.cats_eye, (shape[0], shape[1]))
    return FineLayers(picture, params.full_resolution_bands(), halo, offsets, areas, lens)


def scratch_for(layers: FineLayers) -> Scratch:
    """Room for one span."""
    rows, cols = TILE_ROWS + 2 * layers.halo, SPAN_COLS + 2 * layers.halo
    cells = np.empty(PLANES * rows * cols, np.float32)
    return Scratch(cells, Spread.empty(TILE_ROWS, SPAN_COLS))


def gather_fine(
    layers: FineLayers, index: int, span: tuple[int, int, int, int], radii: list[float],
    scratch: Scratch,
) -> bool:  # fmt: skip
    """Make one layer for a span (y0, y1, x0, x1); returns whether there may be anything in it.

    `radii` are the least and largest radius beyond focus in the span and its halo.
    """
    (linear, radius, _), halo, (y0, y1, x0, x1) = layers.picture, layers.halo, span
    start, rising, end, falling = layers.bands[index]
    if radii[1] <= start or radii[0] >= end + 1 / falling:
        return False
    rows, stride = TILE_ROWS + 2 * halo, SPAN_COLS + 2 * halo
    _fill(
        linear.reshape(-1), radius.reshape(-1), *radius.shape, *span, halo,
        start, rising, end, falling, layers.areas, stride, scratch.cells,
    )  # fmt: skip
    place = np.array([0, 0, y0, x0, 0], np.float32)
    lens = layers.lens._replace(facts=layers.lens.facts - place)
    source = Source(
        scratch.cells, rows * stride, stride, halo * (stride + 1), halo, layers.offsets, 1.0, lens
    )
    gather(source, TILE_PIECE, TILE_ROWS, x1 - x0, 0, y1 - y0, scratch.spread)
    return True


@kernel(
    reads(f32, 1), reads(f32, 1), u64, u64, u64, u64, u64, u64, u64, f32, f32, f32, f32,
    reads(f32, 1), u64, writes(f32, 1),
)  # fmt: skip
def _fill(  # type: ignore[no-untyped-def]
    image, radius, height, width, y0, y1, x0, x1, halo, start, rising, end, falling, areas,
    stride, cells,
):  # fmt: skip
    """Cells of one layer for a span and its halo."""
    zero, half, one, three = np.float32(0), np.float32(0.5), np.float32(1), u(3)
    widest, line = end + one / falling, np.empty(stride, np.float32)
    left, length = x0 - min(halo, x0), min(x1 + halo, width) - (x0 - min(halo, x0))
    green = u(cells.size) // u(PLANES)
    blue, covered, reach = u(2) * green, three * green, u(4) * green
    cells[:] = zero
    for y in range(y0 - min(halo, y0), min(y1 + halo, height)):
        source, target = y * width + left, (y + halo - y0) * stride + left + halo - x0
        for x in range(length):
            line[x] = max(min(radius[source + x], widest), zero)
        look_up_areas(areas, line, length)
        for x in range(length):
            r, at = radius[source + x], target + x
            share = membership(r, start, rising, end, falling) / line[x]
            cells[at] = share * image[three * (source + x)]
            cells[green + at] = share * image[three * (source + x) + u(1)]
            cells[blue + at] = share * image[three * (source + x) + u(2)]
            cells[covered + at] = share
            cells[reach + at] = r + half if share > zero else zero
