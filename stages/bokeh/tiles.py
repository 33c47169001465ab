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
from stages.bokeh.bands import DEEPEST_LEVEL, BokehParams
from stages.bokeh.cells import rise
from stages.bokeh.checks import RenderInput
from stages.bokeh.compose import (
    IN_FRONT,
    WITH_FOCUS,
    copy,
    draw_row,
    finish,
    give_sprites,
    lay_over,
    lay_under,
)
from stages.bokeh.disk import FOCUS_PX, NEVER, area_table, lattice_offsets, look_up_areas
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
from stages.bokeh.gather import (
    COVERED,
    PLANES,
    gather_row,
    is_even,
    offsets_within,
    part_row,
    whole_blocks,
)
from stages.bokeh.layers import CoarseLayers
from stages.kernels import f32, inline, kernel, reads, writes
from stages.params import Array
from stages.strips import run_strips

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
        _render_strip(
            flat_image, flat_radius, height, width, y0, y1, halo, *offsets, areas, bands,
            coarse.planes, coarse.shapes, *coarse.sprites, *lens, stack, flat_out,
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
def _gather_band(  # type: ignore[no-untyped-def]
    front, cells, plane, stride, halo, y0, y1, x0, length, steps, distances, count, even, order,
    places, facts, areas, own, sums, limits,
):  # fmt: skip
    """Gather the cells of a layer at full resolution for a tile, and lay them under."""
    zero, one, cutting = np.float32(0), np.float32(1), facts[4] > np.float32(0)
    piece, width = u(TILE_PIECE) if cutting else length, u(ROW)
    scale = one
    for left in range(u(0), length, piece):
        for y in range(y1 - y0):
            if cutting and y % piece == u(0):
                middle, beside = y0 + y + (piece >> u(1)), x0 + left + (piece >> u(1))
                scale = aim(places, distances, count, one, facts, areas, middle, beside, own)
            base = (y + halo) * stride + halo + left
            limits[:] = zero
            parted = not even and part_row(
                cells, plane, base, steps, own, count, piece, width, sums, limits
            )
            for half in range(u(2)):
                far = half ^ order
                if far == u(1) or parted:
                    gather_row(
                        cells,
                        plane,
                        base,
                        steps,
                        own,
                        count,
                        piece,
                        width,
                        limits,
                        far == u(1),
                        sums,
                    )
                    lay_under(front, y * TILE_WIDTH + left, sums, u(0), piece, scale)


@inline
def _double_up(blocks, step, line, sums):  # type: ignore[no-untyped-def]
    """Double a block of a coarse layer up to half resolution, to and fro between two buffers."""
    k = u(0)
    while step > u(2):
        cols = TILE_WIDTH // step
        for row in range(u(2 * TILE_ROWS) // step + u(2 * MARGIN)):
            double_row(blocks[k], cols, row, line, sums)
            store_row(sums, row, u(2) * cols + u(2 * MARGIN), blocks[k ^ u(1)])
        k ^= u(1)
        step >>= u(1)


@inline
def _lay_level(  # type: ignore[no-untyped-def]
    front, order, parted, y0, y1, x0, length, blocks, buffer, line, sums, sprites, members, starts,
    k, sides, facts, areas,
):  # fmt: skip
    """Double both halves of a layer to full resolution, draw its sprites, lay them under."""
    first, one = u(MARGIN), np.float32(1)
    for y in range(y1 - y0):
        for half in range(u(0) if parted else u(1), u(2)):
            double_row(blocks[half, buffer], u(TILE_COLS // 2), y + first, line, sums[half])
            begin = starts[k + half] if parted else starts[k]
            draw_row(
                sprites, members, begin, starts[k + half + u(1)], sides, facts, areas, y0 + y, x0,
                length, first, line, sums[half],
            )  # fmt: skip
        if parted:
            give_sprites(sums[0], sums[1], first, length)
        for turn in range(u(2)):
            half = turn ^ order
            if half == u(1) or parted:
                lay_under(front, y * TILE_WIDTH, sums[half], first, length, one)


@inline
def _radii_within(radius, height, width, y0, y1, x0, x1, start, end, lows, highs):  # type: ignore[no-untyped-def]
    """Least and largest of the radii between two, exclusive, in part of a picture.

    `lows` and `highs` are scratch: extremes of columns are vector code, those of an array not.
    """
    zero, never = np.float32(0), np.float32(NEVER)
    lows[: x1 - x0], highs[: x1 - x0] = never, zero
    for y in range(y0, y1):
        for x in range(x1 - x0):
            r = radius[y * width + x0 + x]
            inside = (r > start) & (r < end)
            lows[x] = min(lows[x], r if inside else never)
            highs[x] = max(highs[x], r if inside else zero)
    low, high = never, zero
    for x in range(x1 - x0):
        low, high = min(low, lows[x]), max(high, highs[x])
    return low, high


@inline
def _lay_band(  # type: ignore[no-untyped-def]
    front, image, radius, height, width, y0, y1, x0, wanted, halo, band, order, cells, plane,
    stride, steps, distances, places, areas, facts, left_areas, own, line, sums, limits,
):  # fmt: skip
    """Build the cells of a layer at full resolution for a tile, gather them and lay them under."""
    half, one = np.float32(0.5), np.float32(1)
    least, most = _radii_within(
        radius, height, width, y0 - min(halo, y0), min(y1 + halo, height),
        x0 - min(halo, x0), min(x0 + wanted + halo, width),
        band[0], band[2] + one / band[3], line, limits,
    )  # fmt: skip
    if most > np.float32(0):
        _fill(image, radius, height, width, y0, x0, halo, band, areas, line, cells, plane, stride)
        _gather_band(
            front, cells, plane, stride, halo, y0, y1, x0, whole_blocks(wanted), steps, distances,
            offsets_within(distances, most + half), is_even(least + half, most + half), order,
            places, facts, left_areas, own, sums, limits,
        )  # fmt: skip


@inline
def _in_focus(radius, width, y0, y1, x0, x1, highs):  # type: ignore[no-untyped-def]
    """Whether a part of a picture is in focus altogether."""
    highs[: x1 - x0] = np.float32(0)
    for y in range(y0, y1):
        for x in range(x1 - x0):
            highs[x] = max(highs[x], abs(radius[y * width + x0 + x]))
    most = np.float32(0)
    for x in range(x1 - x0):
        most = max(most, highs[x])
    return most <= np.float32(FOCUS_PX)


@kernel(
    reads(f32, 1), reads(f32, 1), u64, u64, u64, u64, u64, reads(u64, 1), reads(f32, 1),
    reads(f32, 2), reads(f32, 1), reads(f32, 2),
    types.UniTuple(reads(f32, 1), DEEPEST_LEVEL), reads(u64, 2), reads(f32, 2), reads(u64, 1),
    reads(u64, 1), reads(f32, 2), reads(f32, 1), reads(f32, 1), u64, writes(f32, 1),
)  # fmt: skip
def _render_strip(  # type: ignore[no-untyped-def]
    image, radius, height, width, y0, y1, halo, steps, distances, places, areas, bands,
    planes, levels, sprites, starts, members, sides, facts, left_areas, stack, out,
):  # fmt: skip
    """One row of tiles."""
    stride = u(TILE_COLS) + u(2) * halo
    plane = stride * (u(TILE_ROWS) + u(2) * halo)
    cells = np.empty(u(PLANES) * plane, np.float32)
    sums = np.empty((2, COVERED * ROW), np.float32)
    front = np.empty(COVERED * TILE_ROWS * TILE_COLS, np.float32)
    blocks = np.empty((2, 2, COVERED * BLOCK_SIZE), np.float32)
    known = np.zeros(2, np.bool_)
    line, limits = np.empty(max(stride, u(ROW)), np.float32), np.empty(stride, np.float32)
    own_distances = distances.copy()
    last, order = u(1) + u(levels.shape[0]), u(1) if stack == u(IN_FRONT) else u(0)
    tile = y0 // u(TILE_ROWS) * ((width + TILE_WIDTH - u(1)) // TILE_WIDTH)
    for x0 in range(u(0), width, TILE_WIDTH):
        wanted = min(TILE_WIDTH, width - x0)
        length = whole_blocks(wanted)
        if stack == u(WITH_FOCUS) and _in_focus(radius, width, y0, y1, x0, x0 + wanted, line):
            copy(image, y0, y1, width, x0, wanted, out)
            continue
        front[:] = np.float32(0)
        for turn in range(last + u(1)):
            layer = last - turn if stack == u(IN_FRONT) else turn
            if layer < u(2):
                _lay_band(
                    front, image, radius, height, width, y0, y1, x0, wanted, halo, bands[layer],
                    order, cells, plane, stride, steps, distances, places, areas, facts,
                    left_areas, own_distances, line, sums[0], limits,
                )  # fmt: skip
                continue
            level = layer - u(2)
            step = u(2 << level)
            rows, cols = levels[level, 0], levels[level, 1]
            y, x, high, wide = y0 // step, x0 // step, u(TILE_ROWS) // step, TILE_WIDTH // step
            for half in range(u(2)):
                start = half * u(COVERED) * rows * cols
                known[half] = load_block(
                    planes[level], start, rows, cols, y, x, high, wide, blocks[half, 0]
                )
                if known[half]:
                    _double_up(blocks[half], step, line, sums[0])
            if known[1]:  # as it is wherever the nearer half is
                _lay_level(
                    front, order, known[0], y0, y1, x0, length, blocks, level & u(1), line, sums,
                    sprites, members, starts,
                    ((tile + x0 // TILE_WIDTH) * u(levels.shape[0]) + level) * u(2),
                    sides, facts, left_areas,
                )  # fmt: skip
        for y in range(y1 - y0):
            pixel, row = (y0 + y) * width + x0, y * TILE_WIDTH
            if stack == u(IN_FRONT):
                lay_over(front, row, pixel, wanted, out)
            else:
                finish(front, row, image, radius, pixel, wanted, stack, out)
