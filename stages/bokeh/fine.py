"""Layers at full resolution, for small disks: their cells are pixels.

The cells are computed for one span of the picture at a time, with a halo, and splatted like those
of coarse layers. If both surfaces of a pixel of an outline are in the same layer, the far one is in
a second layer, which is composited under the first one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from stages.bokeh.aperture import TILE_PIECE, Lens, lens_on, stretch
from stages.bokeh.bands import BokehParams
from stages.bokeh.checks import PIXELS, SQUARE_PX, RenderInput
from stages.bokeh.disk import FOCUS_PX, Offsets, area_table, look_up_areas
from stages.bokeh.enlarge import SPAN_COLS, TILE_ROWS
from stages.bokeh.gather import PLANES
from stages.bokeh.parting import SIDE, parting_limits, signed
from stages.bokeh.spread import Source, Spread, gather, offsets_of
from stages.bokeh.sums import membership
from stages.kernels import apart, b1, f32, i64, kernel, largest_of, reads, record, u64, writes
from stages.params import Array
from stages.strips import run_strips

u = np.uint64


class FineLayer(NamedTuple):
    """Data from which a layer at full resolution is computed.

    Attributes
    ----------
    picture : RenderInput
        Linear light and radius, of both surfaces where there are two.
    under : bool
        Whether it has only the far surfaces of pixels whose near surface is in the same layer. The
        first layer has all others.
    band : Array
        Fade-in and fade-out: start (px), slope (1/px), end (px), slope (1/px), float32.
    halo : int
        Reach of the disks in px.
    offsets : Offsets
        Offsets within reach.
    areas : Array
        Table of disk areas.
    lens : Lens
        Aperture on the grid of the picture.
    limits : Array
        Limits of `parting.py` for squares of the picture; 0 if no radius of the band is within
        reach of a square.
    """

    picture: RenderInput
    under: bool
    band: Array
    halo: int
    offsets: Offsets
    areas: Array
    lens: Lens
    limits: Array


class Window(NamedTuple):
    """A span [y0, y1) x [x0, x1) of a picture of height x width px, and its cells with a halo."""

    height: np.uint64
    width: np.uint64
    y0: np.uint64
    y1: np.uint64
    x0: np.uint64
    x1: np.uint64
    halo: np.uint64
    stride: np.uint64  # cells of a row


WINDOW = record(Window, *8 * [u64])


class Scratch(NamedTuple):
    """Arrays for one span: cells with their halo, and the splatted layer."""

    cells: Array
    spread: Spread


def fine_layers(
    picture: RenderInput, params: BokehParams, *, under: bool = False
) -> list[FineLayer]:
    """Layers of a picture at full resolution, in order of radius; see `FineLayer.under`."""
    outline, shape = params.outline, picture.radius.shape
    areas = area_table(int(np.ceil(params.coarse_px)), outline=outline)
    lens = lens_on(outline, params.cats_eye, (shape[0], shape[1]))
    layers = []
    bands, ends = zip(*params.full_resolution_bands(), strict=True)
    for band, end_px, largest in zip(bands, ends, _largest(picture, bands, under), strict=True):
        reach = min(max(picture.largest_px, FOCUS_PX), end_px) + 0.5
        halo = int(np.ceil(stretch(outline) * reach)) + 1
        limits = parting_limits(largest, halo)
        offsets = offsets_of(reach, halo, 1.0, outline)
        layers.append(FineLayer(picture, under, band, halo, offsets, areas, lens, limits))
    return layers


def _largest(picture: RenderInput, bands: Sequence[Array], under: bool) -> Array:
    """Largest q of each band in each square of a picture."""
    radius, far_radius, far_tops = picture.radius, picture.far_radius, picture.far_tops
    largest = np.empty((len(bands), *(-(-n // SIDE) for n in radius.shape)), np.float32)
    table = np.array(bands, np.float32)
    run_strips(
        lambda a, b: _largest_of_bands(radius, far_radius, far_tops, table, under, a, b, largest),
        largest.shape[1],
    )
    return largest


def scratch_for(layers: list[FineLayer]) -> Scratch:
    """Uninitialised arrays that are large enough for one span of each layer."""
    halo = max(layer.halo for layer in layers)
    cells = np.empty(PLANES * (TILE_ROWS + 2 * halo) * (SPAN_COLS + 2 * halo), np.float32)
    return Scratch(cells, Spread.empty(TILE_ROWS, SPAN_COLS))


def gather_fine(layer: FineLayer, span: tuple[int, int, int, int], scratch: Scratch) -> bool:
    """Splat one layer for a span (y0, y1, x0, x1); returns False if it is certainly empty there."""
    halo, (y0, y1, x0, x1) = layer.halo, span
    near = layer.limits[y0 // SIDE : -(-y1 // SIDE), x0 // SIDE : -(-x1 // SIDE)]
    if not near.any():
        return False
    rows, stride = TILE_ROWS + 2 * halo, SPAN_COLS + 2 * halo
    cells = scratch.cells[: PLANES * rows * stride]
    window = Window(*map(u, (*layer.picture.radius.shape, *span, halo, stride)))
    _fill(layer.picture.pixels, window, layer.band, layer.under, layer.areas, layer.limits, cells)
    place = np.array([0, 0, y0, x0, 0], np.float32)
    lens = layer.lens._replace(facts=layer.lens.facts - place)
    source = Source(
        cells, rows * stride, stride, halo * (stride + 1), halo, layer.offsets, 1.0, lens
    )
    gather(source, TILE_PIECE, TILE_ROWS, x1 - x0, 0, y1 - y0, scratch.spread)
    return True


@kernel(
    reads(f32, 2), reads(f32, 2), reads(f32, 2), reads(f32, 2), b1, i64, i64, writes(f32, 3)
)  # fmt: skip
def _largest_of_bands(radius, far_radius, far_tops, bands, under, first, last, largest):  # type: ignore[no-untyped-def]
    """Write the largest q of each band for the squares in rows [first, last) of squares."""
    height, width = radius.shape
    zero, half, tops = np.float32(0), np.float32(0.5), np.empty(width, np.float32)
    for j in range(first, last):
        for band in range(len(bands)):
            start, widest = bands[band, 0], bands[band, 2] + np.float32(1) / bands[band, 3]
            tops[:] = zero
            shared = far_tops.size > 0 and largest_of(far_tops[j * SIDE // SQUARE_PX]) > zero
            for y in range(j * SIDE, min((j + 1) * SIDE, height)):
                for x in range(width):
                    r = zero if under else radius[y, x]
                    tops[x] = max(tops[x], r if r < widest else zero)
                if not shared:
                    continue
                for x in range(width):
                    r, near = far_radius[y, x], radius[y, x]
                    in_layer = ((near > start) & (near < widest)) == under
                    tops[x] = max(tops[x], r if in_layer & (r < widest) else zero)
            for i in range(largest.shape[2]):
                most = start
                for x in range(i * SIDE, min((i + 1) * SIDE, width)):
                    most = max(most, tops[x])
                largest[band, j, i] = most + half if most > start else zero


@apart
def _add_near(image, radius, source, n, band, areas, cells, target, plane, line):  # type: ignore[no-untyped-def]
    """Write the cells of first surfaces in a part of a row; `line` is scratch."""
    zero, half, one, three = np.float32(0), np.float32(0.5), np.float32(1), u(3)
    start, rising, end, falling = band[0], band[1], band[2], band[3]
    widest = end + one / falling
    for x in range(n):
        line[x] = max(min(radius[source + x], widest), zero)
    look_up_areas(areas, line, n)
    for x in range(n):
        r, at = radius[source + x], target + x
        share = membership(r, start, rising, end, falling) / line[x]
        cells[at] = share * image[three * (source + x)]
        cells[plane + at] = share * image[three * (source + x) + u(1)]
        cells[u(2) * plane + at] = share * image[three * (source + x) + u(2)]
        cells[three * plane + at] = share
        cells[u(4) * plane + at] = r + half if share > zero else zero


@apart
def _subtract_far(far_share, far, source, n, cells, target, plane):  # type: ignore[no-untyped-def]
    """Take the second surface off the cells of a part of a row."""
    zero, three = np.float32(0), u(3)
    for x in range(n):
        hidden = far_share[source + x]
        if hidden > zero:
            share = cells[three * plane + target + x]
            for p in range(three):
                cells[p * plane + target + x] -= share * hidden * far[three * (source + x) + p]
            cells[three * plane + target + x] = share * (np.float32(1) - hidden)
            if hidden >= np.float32(1):
                cells[u(4) * plane + target + x] = zero


@apart
def _add_far(pixels, source, n, band, under, areas, cells, target, plane, line):  # type: ignore[no-untyped-def]
    """Write the cells of second surfaces in a part of a row; `line` is scratch."""
    zero, half, one, three = np.float32(0), np.float32(0.5), np.float32(1), u(3)
    start, rising, end, falling = band[0], band[1], band[2], band[3]
    widest, radius = end + one / falling, pixels.radius
    for x in range(n):
        line[x] = max(min(pixels.far_radius[source + x], widest), zero)
    look_up_areas(areas, line, n)
    for x in range(n):
        r, at = pixels.far_radius[source + x], target + x
        near = membership(radius[source + x], start, rising, end, falling)
        share = membership(r, start, rising, end, falling) / line[x]
        if share > zero and (near > zero) == under:
            for p in range(three):
                cells[p * plane + at] = share * pixels.far[three * (source + x) + p]
            cells[three * plane + at], cells[u(4) * plane + at] = share, r + half


@kernel(PIXELS, WINDOW, reads(f32, 1), b1, reads(f32, 1), reads(f32, 2), writes(f32, 1))
def _fill(pixels, window, band, under, areas, limits, cells):  # type: ignore[no-untyped-def]
    """Write the cells of one layer for a window."""
    image, radius = pixels.image, pixels.radius
    height, width, y0, y1, x0, x1, halo, stride = window
    zero, side, line = np.float32(0), u(SIDE), np.empty(stride, np.float32)
    left, length = x0 - min(halo, x0), min(x1 + halo, width) - (x0 - min(halo, x0))
    plane = u(cells.size) // u(PLANES)
    reach = u(4) * plane
    cells[reach:] = zero  # marks all cells as empty
    for y in range(y0 - min(halo, y0), min(y1 + halo, height)):
        row = (y + halo - y0) * stride + halo - x0  # index of the cell of column x, less x
        begin = left
        while begin < left + length:
            stop = min((begin // side + u(1)) * side, left + length)
            if limits[y // side, begin // side] == zero:
                begin = stop
                continue
            while stop < left + length and limits[y // side, stop // side] > zero:
                stop = min(stop + side, left + length)
            source, target, n = y * width + begin, row + begin, stop - begin
            if not under:
                _add_near(image, radius, source, n, band, areas, cells, target, plane, line)
            first = u(0) if pixels.far_tops.size > 0 else n
            while first < n:
                square = (begin + first) // u(SQUARE_PX)
                last = min((square + u(1)) * u(SQUARE_PX) - begin, n)
                if pixels.far_tops[y // u(SQUARE_PX), square] > zero:
                    if not under:
                        _subtract_far(
                            pixels.far_share, pixels.far, source + first, last - first, cells,
                            target + first, plane,
                        )  # fmt: skip
                    _add_far(
                        pixels, source + first, last - first, band, under, areas, cells,
                        target + first, plane, line,
                    )  # fmt: skip
                first = last
            for x in range(n):
                limit = limits[y // side, (begin + x) // side]
                cells[reach + target + x] = signed(cells[reach + target + x], limit)
            begin = stop
