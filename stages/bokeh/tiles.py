"""The final pass: tiles of the picture, from sharp to blurred.

For each tile the two layers at full resolution are built with a halo and gathered, the coarse
layers are upsampled (bilinear, doubling), and all are laid over one another in order of blur: each
takes min(coverage, what is left) of the pixel, and the sum is divided by the coverage reached. So
background next to the subject is filled in from background, and nothing darkens at the borders.
Pixels in focus are laid on top, unchanged to the bit. Absent layers cost nothing.
"""

from __future__ import annotations

import numpy as np
from numba import types

from stages.bokeh.aperture import TILE_PIECE, aim, lens_on, stretch
from stages.bokeh.bands import BokehParams
from stages.bokeh.cells import rise
from stages.bokeh.checks import RenderInput
from stages.bokeh.disk import FOCUS_PX, area_table, lattice_offsets, look_up_areas
from stages.bokeh.enlarge import (
    BLOCK_SIZE,
    MARGIN,
    ROW,
    TILE_COLS,
    TILE_ROWS,
    double_row,
    load_block,
    store_row,
)
from stages.bokeh.gather import COVERED, PLANES, gather_row, offsets_within, whole_blocks
from stages.bokeh.layers import CoarseLayers
from stages.bokeh.sprites import draw_row
from stages.kernels import f32, inline, kernel, reads, writes
from stages.params import Array
from stages.strips import run_strips

FOCUS_FADE_PX = np.float32(0.05)  # the kernel is the identity at FOCUS_PX: a short fade suffices
LEAST_COVERAGE = np.float32(1e-12)  # divisor of an empty layer
NOTHING = np.float32(1e-9)  # coverage below this means that no layer reaches a pixel

WITH_FOCUS, WITHOUT_FOCUS, IN_FRONT = range(3)  # stacks of layers

u64 = types.uint64
u = np.uint64
TILE_WIDTH = u(TILE_COLS)


def render_tiles(
    picture: RenderInput, coarse: CoarseLayers, params: BokehParams, stack: int, out: Array
) -> None:
    """Compose the picture from layers at full resolution, coarse layers and what is in focus.

    Parameters
    ----------
    picture : RenderInput
        Linear light and radius.
    coarse : CoarseLayers
        The spread coarse layers.
    params : BokehParams
        Where the layers part.
    stack : int
        WITH_FOCUS: what is in focus covers the rest. WITHOUT_FOCUS: it shows only where nothing
        else does. IN_FRONT: all is laid over what `out` holds, and what is blurrier is nearer.
    out : Array
        Linear light, HxWx3 float32, is written here. Radii < 0 are left out of a stack.
    """
    linear, radius, largest = picture
    height, width = radius.shape
    largest = min(max(largest, FOCUS_PX), params.coarse_px)
    outline = params.outline
    halo = int(np.ceil(stretch(outline) * (largest + 0.5))) + 1
    stride = TILE_COLS + 2 * halo
    offsets = lattice_offsets(largest + 0.5, stride, outline=outline)
    areas = area_table(int(np.ceil(params.coarse_px)), outline=outline)
    lens = lens_on(outline, params.cats_eye, radius.shape)
    bands = params.full_resolution_bands()
    flat_image, flat_radius, flat_out = linear.reshape(-1), radius.reshape(-1), out.reshape(-1)

    def strip(y0: int, y1: int) -> None:
        around = radius[max(y0 - halo, 0) : y1 + halo]
        _render_strip(
            flat_image, flat_radius, height, width, y0, y1, halo, *offsets, areas, bands,
            around.min(axis=0), around.max(axis=0), np.abs(radius[y0:y1]).max(axis=0),
            coarse.planes, coarse.table, *coarse.sprites, *lens, stack, flat_out,
        )  # fmt: skip

    run_strips(strip, height, strip_rows=TILE_ROWS)


@inline
def _fill(image, radius, height, width, y0, x0, halo, band, areas, line, cells, plane, stride):  # type: ignore[no-untyped-def]
    """Cells of one full-resolution layer for a tile and its halo."""
    zero, half, one = np.float32(0), np.float32(0.5), np.float32(1)
    start, rising, end, falling = band[0], band[1], band[2], band[3]
    widest = end + one / falling
    cells[:] = zero
    left = halo - min(halo, x0)
    right = min(stride, width + halo - x0)
    for row in range(halo - min(halo, y0), min(u(TILE_ROWS) + u(2) * halo, height + halo - y0)):
        source = (y0 + row - halo) * width + x0 - halo
        target = row * stride
        for x in range(right - left):
            line[x] = max(min(radius[source + left + x], widest), zero)
        look_up_areas(areas, line, right - left)
        for x in range(left, right):
            r = radius[source + x]
            share = rise(r, start, rising) * (one - rise(r, end, falling)) / line[x - left]
            cells[target + x] = share * image[u(3) * (source + x)]
            cells[plane + target + x] = share * image[u(3) * (source + x) + u(1)]
            cells[u(2) * plane + target + x] = share * image[u(3) * (source + x) + u(2)]
            cells[u(3) * plane + target + x] = share
            cells[u(4) * plane + target + x] = r + half if share > zero else zero


@inline
def _lay_under(front, row, layer, first, length, scale):  # type: ignore[no-untyped-def]
    """Lay one row of a layer under what is there: it takes what coverage is left."""
    tile = u(TILE_ROWS * TILE_COLS)
    for x in range(length):
        coverage = scale * layer[u(3 * ROW) + first + x]
        covered = front[u(3) * tile + row + x]
        taken = min(coverage, np.float32(1) - covered)
        part = scale * taken / max(coverage, LEAST_COVERAGE)
        front[row + x] += part * layer[first + x]
        front[tile + row + x] += part * layer[u(ROW) + first + x]
        front[u(2) * tile + row + x] += part * layer[u(2 * ROW) + first + x]
        front[u(3) * tile + row + x] = covered + taken


@inline
def _gather_band(  # type: ignore[no-untyped-def]
    front, cells, plane, stride, halo, y0, y1, x0, length, steps, distances, count,
    places, facts, areas, own, sums,
):  # fmt: skip
    """Gather the cells of a layer at full resolution for a tile, and lay them under."""
    one, cutting = np.float32(1), facts[4] > np.float32(0)
    piece = u(TILE_PIECE) if cutting else length
    scale = one
    for left in range(u(0), length, piece):
        if cutting:
            middle, beside = y0 + u(TILE_ROWS // 2), x0 + left + u(TILE_PIECE // 2)
            scale = aim(places, distances, count, one, facts, areas, middle, beside, own)
        for y in range(y1 - y0):
            base = (y + halo) * stride + halo + left
            gather_row(cells, plane, base, steps, own, count, piece, u(ROW), sums)
            _lay_under(front, y * TILE_WIDTH + left, sums, u(0), piece, scale)


@inline
def _lay_level(  # type: ignore[no-untyped-def]
    front,
    step,
    y0,
    y1,
    x0,
    length,
    block,
    other,
    line,
    sums,
    sprites,
    members,
    start,
    stop,
    sides,
    facts,
    areas,
):
    """Double a block of a coarse layer up to full resolution, draw its sprites, lay it under."""
    while step > u(2):
        cols = TILE_WIDTH // step
        for row in range(u(2 * TILE_ROWS) // step + u(2 * MARGIN)):
            double_row(block, cols, row, line, sums)
            store_row(sums, row, u(2) * cols + u(2 * MARGIN), other)
        block, other = other, block
        step >>= u(1)
    for y in range(y1 - y0):
        double_row(block, u(TILE_COLS // 2), y + u(MARGIN), line, sums)
        draw_row(
            sprites,
            members,
            start,
            stop,
            sides,
            facts,
            areas,
            y0 + y,
            x0,
            length,
            u(MARGIN),
            line,
            sums,
        )
        _lay_under(front, y * TILE_WIDTH, sums, u(MARGIN), length, np.float32(1))


@inline
def _finish(front, row, image, radius, pixel, length, stack, out):  # type: ignore[no-untyped-def]
    """Divide by coverage and put what is in focus on top."""
    green, blue = u(TILE_ROWS * TILE_COLS) + row, u(2 * TILE_ROWS * TILE_COLS) + row
    coverage = u(3 * TILE_ROWS * TILE_COLS) + row
    zero, one = np.float32(0), np.float32(1)
    for x in range(length):
        covered = front[coverage + x]
        beyond = abs(radius[pixel + x]) - np.float32(FOCUS_PX)
        fade = min(max(beyond / FOCUS_FADE_PX, zero), one)
        sharp = one - fade * fade * (np.float32(3) - np.float32(2) * fade)
        sharp = sharp if stack == u(WITH_FOCUS) else zero
        sharp = sharp if covered > NOTHING else one
        part = (one - sharp) / max(covered, NOTHING)
        k = u(3) * (pixel + x)
        out[k] = sharp * image[k] + part * front[row + x]
        out[k + u(1)] = sharp * image[k + u(1)] + part * front[green + x]
        out[k + u(2)] = sharp * image[k + u(2)] + part * front[blue + x]


@inline
def _lay_over(front, row, pixel, length, out):  # type: ignore[no-untyped-def]
    """Lay a stack that is in front of the picture over it."""
    tile = u(TILE_ROWS * TILE_COLS)
    for x in range(length):
        seen = np.float32(1) - front[u(3) * tile + row + x]
        k = u(3) * (pixel + x)
        out[k] = front[row + x] + seen * out[k]
        out[k + u(1)] = front[tile + row + x] + seen * out[k + u(1)]
        out[k + u(2)] = front[u(2) * tile + row + x] + seen * out[k + u(2)]


@inline
def _copy(image, y0, y1, width, x0, length, out):  # type: ignore[no-untyped-def]
    """Copy a tile of the picture."""
    for y in range(y0, y1):
        for k in range(u(3) * (y * width + x0), u(3) * (y * width + x0 + length)):
            out[k] = image[k]


@inline
def _extreme(columns, first, stop, sign):  # type: ignore[no-untyped-def]
    """Largest (sign 1) or smallest (sign -1) of some columns' extremes."""
    found = sign * columns[first]
    for x in range(first, stop):
        found = max(found, sign * columns[x])
    return sign * found


@kernel(
    reads(f32, 1), reads(f32, 1), u64, u64, u64, u64, u64, reads(u64, 1), reads(f32, 1),
    reads(f32, 2), reads(f32, 1), reads(f32, 2), reads(f32, 1), reads(f32, 1), reads(f32, 1),
    reads(f32, 1), reads(u64, 2), reads(f32, 2), reads(u64, 1), reads(u64, 1), reads(f32, 2),
    reads(f32, 1), reads(f32, 1), u64, writes(f32, 1),
)  # fmt: skip
def _render_strip(  # type: ignore[no-untyped-def]
    image, radius, height, width, y0, y1, halo, steps, distances, places, areas, bands, lows, highs,
    own, planes, levels, sprites, starts, members, sides, facts, left_areas, stack, out,
):  # fmt: skip
    """One row of tiles; `lows`, `highs` and `own` are extremes of the radius by column."""
    stride = u(TILE_COLS) + u(2) * halo
    plane = stride * (u(TILE_ROWS) + u(2) * halo)
    cells = np.empty(u(PLANES) * plane, np.float32)
    sums = np.empty(COVERED * ROW, np.float32)
    front = np.empty(COVERED * TILE_ROWS * TILE_COLS, np.float32)
    block = np.empty(COVERED * BLOCK_SIZE, np.float32)
    other = np.empty(COVERED * BLOCK_SIZE, np.float32)
    line = np.empty(max(stride, u(ROW)), np.float32)
    own_distances, one = distances.copy(), np.float32(1)
    last = u(1) + u(levels.shape[0])
    tile = y0 // u(TILE_ROWS) * ((width + TILE_WIDTH - u(1)) // TILE_WIDTH)
    for x0 in range(u(0), width, TILE_WIDTH):
        wanted = min(TILE_WIDTH, width - x0)
        length = whole_blocks(wanted)
        if stack == u(WITH_FOCUS) and _extreme(own, x0, x0 + wanted, one) <= np.float32(FOCUS_PX):
            _copy(image, y0, y1, width, x0, wanted, out)
            continue
        front[:] = np.float32(0)
        left, right = x0 - min(halo, x0), min(x0 + wanted + halo, width)
        low = _extreme(lows, left, right, -one)
        high = _extreme(highs, left, right, one)
        for turn in range(last + u(1)):
            layer = last - turn if stack == u(IN_FRONT) else turn
            if layer < u(2):
                limits = bands[layer]
                ending = limits[2] + one / limits[3]
                if low >= ending or high <= limits[0]:
                    continue
                _fill(
                    image, radius, height, width, y0, x0, halo, limits, areas, line,
                    cells, plane, stride,
                )  # fmt: skip
                count = offsets_within(distances, min(high, ending) + np.float32(0.5))
                _gather_band(
                    front, cells, plane, stride, halo, y0, y1, x0, length, steps, distances, count,
                    places, facts, left_areas, own_distances, sums,
                )  # fmt: skip
                continue
            level = layer - u(2)
            step = u(2 << level)
            if load_block(
                planes, levels[level, 0], levels[level, 1], levels[level, 2],
                y0 // step, x0 // step, u(TILE_ROWS) // step, TILE_WIDTH // step, block,
            ):  # fmt: skip
                k = (tile + x0 // TILE_WIDTH) * u(levels.shape[0]) + level
                _lay_level(
                    front, step, y0, y1, x0, length, block, other, line, sums,
                    sprites, members, starts[k], starts[k + u(1)], sides, facts, left_areas,
                )  # fmt: skip
        for y in range(y1 - y0):
            pixel, row = (y0 + y) * width + x0, y * TILE_WIDTH
            if stack == u(IN_FRONT):
                _lay_over(front, row, pixel, wanted, out)
            else:
                _finish(front, row, image, radius, pixel, wanted, stack, out)
