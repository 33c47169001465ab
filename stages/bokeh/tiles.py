"""The final pass: all layers are composited, in spans of tiles.

For each span, the two layers at full resolution are splatted (`fine.py`) and the coarse layers are
upsampled (bilinear, by factors of two). The layers are composited in order of blur, the sharpest
first. Each has the weight min(coverage, remaining transmittance), and the sum is divided by the
total coverage. Therefore background next to the subject is filled from background, and the borders
of the picture are not darkened. Pixels in focus are composited on top, unchanged to the last bit.
Absent layers cost nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stages.bokeh.aperture import LENS
from stages.bokeh.bands import BokehParams
from stages.bokeh.checks import PIXELS, SQUARE_PX, RenderInput
from stages.bokeh.compose import (
    IN_FRONT,
    WITH_FOCUS,
    copy,
    draw_row,
    finish,
    finish_outline,
    give_sprites,
    lay_over,
    lay_under,
)
from stages.bokeh.disk import FOCUS_PX
from stages.bokeh.enlarge import (
    BLOCK_SIZE,
    MARGIN,
    ROW,
    SPAN_COLS,
    TILE_COLS,
    TILE_ROWS,
    double_row,
    load_block,
)
from stages.bokeh.fine import FineLayer, Scratch, fine_layers, gather_fine, scratch_for
from stages.bokeh.gather import BLOCK_COLS, BLOCK_ROWS, COVERED
from stages.bokeh.layers import CoarseLayers
from stages.bokeh.spread import BOTH_HALVES
from stages.bokeh.sprite_table import SPRITES
from stages.bokeh.sums import any_above
from stages.kernels import f32, inline, kernel, reads, record, u8, u64, writes
from stages.params import Array
from stages.strips import run_strips

u = np.uint64
TILE_WIDTH, SPAN_WIDTH = u(TILE_COLS), u(SPAN_COLS)


class Span(NamedTuple):
    """Pixels [y0, y1) x [x0, x1) of a picture of `width` px."""

    y0: np.uint64
    y1: np.uint64
    x0: np.uint64
    x1: np.uint64
    width: np.uint64


SPAN = record(Span, *5 * [u64])


def render_tiles(
    picture: RenderInput,
    coarse: CoarseLayers,
    params: BokehParams,
    stack: int,
    out: Array,
    rows: range | None = None,
) -> None:
    """Composite layers at full resolution, coarse layers, and the pixels in focus.

    Parameters
    ----------
    picture : RenderInput
        Linear light and radius, of both surfaces where there are two.
    coarse : CoarseLayers
        The splatted coarse layers.
    params : BokehParams
        Boundaries of the layers, and the aperture.
    stack : int
        WITH_FOCUS: pixels in focus cover the rest. WITHOUT_FOCUS: pixels in focus are visible only
        where no layer is. IN_FRONT: the layers, blurrier over sharper, are composited over `out`.
        Pixels of negative radius are in no layer.
    out : Array
        Linear light, HxWx3 float32; written.
    rows : range, optional
        Rows to render, starting at a multiple of `TILE_ROWS`; all rows by default.
    """
    fine = [fine_layers(picture, params)]
    if picture.behind is not None:
        fine.append(fine_layers(picture, params, under=True))
    height, width = picture.radius.shape
    rows = range(height) if rows is None else rows
    pixels, flat_out = picture.pixels, out.reshape(-1)

    def strip(start: int, stop: int) -> None:
        y0, y1 = rows.start + start, rows.start + stop
        scratch = scratch_for(fine[0])
        front = np.empty(COVERED * TILE_ROWS * SPAN_COLS, np.float32)
        for x0 in range(0, width, SPAN_COLS):
            span = Span(*map(u, (y0, y1, x0, min(x0 + SPAN_COLS, width), width)))
            if _copy_in_focus(pixels, span, stack, front, flat_out):
                continue
            _stack(fine, coarse, stack, span, scratch, front)
            _end(front, pixels, span, stack, flat_out)

    run_strips(strip, len(rows), strip_rows=TILE_ROWS)


def _stack(
    fine: list[list[FineLayer]],
    coarse: CoarseLayers,
    stack: int,
    span: Span,
    scratch: Scratch,
    front: Array,
) -> None:
    """Composite all layers of a span into `front`, front to back."""
    y0, y1, x0, x1 = map(int, span[:4])
    order, lens, count = int(stack == IN_FRONT), fine[0][0].lens, len(fine[0])
    layers = range(count + len(coarse.shapes))
    for layer in reversed(layers) if stack == IN_FRONT else layers:
        if layer >= count:
            level = layer - count
            _composite_level(
                coarse.planes[level], coarse.halves[level], coarse.shapes, level, span, order,
                coarse.sprites, lens, front,
            )  # fmt: skip
            continue
        for surface in fine:
            if gather_fine(surface[layer], (y0, y1, x0, x1), scratch):
                _composite_halves(*scratch.spread, y1 - y0, x1 - x0, order, front)


@kernel(PIXELS, SPAN, u64, writes(f32, 1), writes(f32, 1))
def _copy_in_focus(pixels, span, stack, front, out):  # type: ignore[no-untyped-def]
    """Copy a span that is entirely in focus and return True; else clear `front`."""
    y0, y1, x0, x1, width = span
    image, radius = pixels.image, pixels.radius
    blurred = np.int32(any_above(pixels.far_tops, y0, x0, x1 - x0, np.float32(0)))
    for y in range(y0, y1):
        for x in range(y * width + x0, y * width + x1):
            blurred += np.int32(abs(radius[x]) > np.float32(FOCUS_PX))
    if stack == u(WITH_FOCUS) and blurred == 0:
        copy(image, y0, y1, width, x0, x1 - x0, out)
        return True
    front[:] = np.float32(0)
    return False


@kernel(reads(f32, 1), reads(u8, 2), u64, u64, u64, writes(f32, 1))
def _composite_halves(planes, halves, rows, cols, order, front):  # type: ignore[no-untyped-def]
    """Composite the halves of a layer at full resolution under `front`."""
    plane = u(TILE_ROWS) * cols
    for y in range(rows):
        for x in range(u(0), cols, u(BLOCK_COLS)):
            length = min(u(BLOCK_COLS), cols - x)
            for turn in range(u(2)):
                half = turn ^ order
                if halves[y // u(BLOCK_ROWS), x // u(BLOCK_COLS)] + half >= u(BOTH_HALVES):
                    first = half * u(COVERED) * plane + y * cols + x
                    lay_under(front, y * SPAN_WIDTH + x, planes, plane, first, length)


@inline
def _double_up(blocks, first, step, line):  # type: ignore[no-untyped-def]
    """Upsample a block to half resolution in two alternating buffers; returns its index."""
    here, there = first, first + u(COVERED * BLOCK_SIZE)
    while step > u(2):
        cols = TILE_WIDTH // step
        wide = u(2) * cols + u(2 * MARGIN)
        for row in range(u(2 * TILE_ROWS) // step + u(2 * MARGIN)):
            double_row(blocks, here, cols, row, line, blocks, there + row * wide, u(BLOCK_SIZE))
        here, there = there, here
        step >>= u(1)
    return here


@kernel(reads(f32, 1), reads(u8, 2), reads(u64, 2), u64, SPAN, u64, SPRITES, LENS, writes(f32, 1))
def _composite_level(planes, halves, shapes, level, span, order, sprites, lens, front):  # type: ignore[no-untyped-def]
    """Upsample both halves of a coarse layer, draw their sprites, and composite under `front`."""
    y0, y1, x0, x1, width = span
    table, starts, members = sprites
    sides, facts, areas = lens
    step, rows, cols = u(2) << level, shapes[level, 0], shapes[level, 1]
    first, room, layer = u(MARGIN), u(2 * COVERED * BLOCK_SIZE), u(COVERED * ROW)
    high, wide = u(TILE_ROWS) // step, TILE_WIDTH // step
    sums, blocks = np.empty(u(2) * layer, np.float32), np.empty(u(2) * room, np.float32)
    line = np.empty(ROW, np.float32)
    tiles = (width + TILE_WIDTH - u(1)) // TILE_WIDTH
    for left in range(x0, x1, TILE_WIDTH):
        known, doubled = u(2), u(0)  # first half present; a front half implies a back half
        for side in (u(0), u(1)):
            if load_block(
                planes, halves, side, rows, cols, y0 // step, left // step,
                high, wide, known == u(0), blocks, side * room,
            ):  # fmt: skip
                doubled = _double_up(blocks, side * room, step, line) - side * room
                known = min(known, side)
        length = min(TILE_WIDTH, x1 - left)
        tile = y0 // u(TILE_ROWS) * tiles + left // TILE_WIDTH
        k = (tile * u(shapes.shape[0]) + level) * u(2)
        for y in range(y1 - y0):
            for half in range(known, u(2)):
                double_row(
                    blocks, half * room + doubled, u(TILE_COLS // 2), y + first, line, sums,
                    half * layer, u(ROW),
                )  # fmt: skip
                draw_row(
                    table, members, starts[k + half if known == u(0) else k],
                    starts[k + half + u(1)], sides, facts, areas, y0 + y, left, length,
                    half * layer + first, line, sums,
                )  # fmt: skip
            if known == u(0):
                give_sprites(sums, first, layer + first, length)
            for turn in range(u(2)):
                half = turn ^ order
                if half >= known:
                    lay_under(
                        front, y * SPAN_WIDTH + left - x0, sums, u(ROW), half * layer + first,
                        length,
                    )  # fmt: skip


@kernel(writes(f32, 1), PIXELS, SPAN, u64, writes(f32, 1))
def _end(front, pixels, span, stack, out):  # type: ignore[no-untyped-def]
    """Write a composited span to the picture."""
    y0, y1, x0, x1, width = span
    side = u(SQUARE_PX)
    for y in range(y0, y1):
        pixel, row = y * width + x0, (y - y0) * SPAN_WIDTH
        if stack == u(IN_FRONT):
            lay_over(front, row, pixel, x1 - x0, out)
            continue
        finish(front, row, pixels.image, pixels.radius, pixel, x1 - x0, stack, out)
        for x in range(u(0), x1 - x0, side):
            if any_above(pixels.far_tops, y, x0 + x, u(1), np.float32(0)):
                length = min(side, x1 - x0 - x)
                finish_outline(front, row + x, pixels, pixel + x, length, stack, out)
