"""Sprites: small bright features drawn as crisp disks at full resolution.

In a coarse layer, the centre and edge of a disk are only as accurate as a cell. This is visible if
a single bright point makes a whole disk. The excess light of a cell of 2 x 2 pixels is its light
above the grey opening of its neighbourhood. If its disk will be visible against the surroundings,
the excess is removed from the cells and drawn as a sprite. The coverage remains in the cells.

Each block of cells has a cost budget. If it is exceeded, only the brightest cells become sprites.
The cost is bounded, and decisions depend only on the block.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from stages.bokeh.bands import NO_END, BokehParams
from stages.bokeh.cells import LEAST
from stages.bokeh.checks import PIXELS, SQUARE_PX, RenderInput
from stages.bokeh.disk import TABLE_STEPS, area_table
from stages.bokeh.gather import PLANES
from stages.bokeh.sprite_table import FIELDS, no_sprites
from stages.bokeh.sums import (
    SPAN,
    Band,
    add_pixels,
    any_above,
    block_of_pixels,
    rise,
    subtract_far,
    sum_columns,
)
from stages.grid import Grid, mix
from stages.kernels import f32, inline, kernel, reads, record, u64, writes
from stages.params import Array
from stages.strips import with_halo

LATTICE_PX = 32  # px; for larger radii the area of a lattice disk is that of an ideal disk
OPENING = 5  # cells; side of the window of the opening, and limit of the width of a sprite
MIN_EXCESS = np.float32(1.02)  # minimum ratio of the light of a cell to its grey opening
DARKNESS = np.float32(0.05)  # linear light; added to the background to compute the contrast
BLOCK_CELLS = 64  # cells along the side of a block, which has its own budget
COST_PER_PX = 160.0  # budget of a block: pixels that are drawn per pixel of the block
SPLIT = np.float32(8)  # visibility from which each of the four pixels of a cell has its own disk
NO_LIGHT = np.float32(1e30)  # marks an empty cell; high, so that the erosion ignores it
HARDER = np.float32(2.0)  # factor on the contrast threshold if the budget is exceeded
EDGE_AREA = np.float32(1 / 12)  # px^2 / pi; area that a soft edge of 1 px adds to a disk
PLACES = np.float32(64)  # steps per px; coordinates relative to any tile are exact in float32

u = np.uint64


class Strip(NamedTuple):
    """A part of a picture of height x width px: its first row and column of cells, and the fade-in.

    The column is a multiple of SPAN / 2.
    """

    height: np.uint64
    width: np.uint64
    first: np.uint64
    left: np.uint64
    start_px: np.float32
    slope: np.float32


class Light(NamedTuple):
    """Of each cell of a strip, float32: brightest channel, its opening, excess light, radius."""

    bright: Array
    base: Array
    excess: Array
    disks: Array


STRIP = record(Strip, u64, u64, u64, u64, f32, f32)
LIGHT = record(Light, *4 * [writes(f32, 2)])


def take_sprites(
    picture: RenderInput, params: BokehParams, y0: int, y1: int
) -> tuple[Array, Array]:
    """Detect sprites among the pixels of coarse layers, in a strip.

    Parameters
    ----------
    picture : RenderInput
        Linear light and radius.
    params : BokehParams
        `highlight_contrast` and the boundary of the first coarse layer are used.
    y0, y1 : int
        The strip, in blocks of 2 x 2 pixels; y0 is a multiple of BLOCK_CELLS.

    Returns
    -------
    table : Array
        n x FIELDS float32, in order of rows.
    stays : Array
        Fraction of the light of each cell of the strip that stays in the coarse layers, float32.
    """
    shape_px = picture.radius.shape
    rows, cols = Grid.cells(shape_px, 2).shape
    begin = params.fade(params.coarse_boundary(0))
    read, inner = with_halo(y0, y1, OPENING, rows)
    stays = np.ones((y1 - y0, cols), np.float32)
    left, right = _columns_with_members(picture, begin.start_px, read, cols)
    if left >= right:
        return no_sprites(), stays
    shape = read.stop - read.start, right - left
    bright, covered, disks = (np.empty(shape, np.float32) for _ in range(3))
    height, width, first, column = (u(n) for n in (*shape_px, read.start, left))
    strip = Strip(height, width, first, column, np.float32(begin.start_px), np.float32(begin.slope))
    _survey(picture.pixels, strip, bright, covered, disks)
    base, excess = _opening(bright), np.empty(shape, np.float32)
    _sum_around(bright, base, covered, inner.start, inner.stop, excess)
    light = Light(bright[inner], base[inner], excess[inner], disks[inner])
    blocks = -(-(right - left) // BLOCK_CELLS)
    counts, limits = np.zeros(blocks, u), np.empty((blocks, 2), np.float32)
    budget = COST_PER_PX * 4 * BLOCK_CELLS**2
    _count(light, params.highlight_contrast, budget, counts, limits)
    table = np.empty((int(counts.sum()), FIELDS), np.float32)
    if len(table):
        part, areas = np.ones_like(light.bright), area_table(LATTICE_PX)
        strip = strip._replace(first=u(y0))
        _extract_sprites(*picture.pixels[:2], strip, light, limits, areas, table, part)
        stays[:, left:right] = part
    return table, stays


def _columns_with_members(
    picture: RenderInput, start_px: float, rows: slice, cols: int
) -> tuple[int, int]:
    """First column and end of the cells of a strip that a coarse layer or an opening may have.

    They are whole spans, with one more on each side for the opening.
    """
    squares = slice(2 * rows.start // SQUARE_PX, -(-2 * rows.stop // SQUARE_PX))
    found = np.flatnonzero((picture.tops[squares] > start_px).any(axis=0)) * SQUARE_PX // SPAN
    if not found.size:
        return 0, 0
    return max(int(found[0]) - 1, 0) * (SPAN // 2), min((int(found[-1]) + 2) * (SPAN // 2), cols)


def _opening(bright: Array) -> Array:
    """Grey opening (erosion, then dilation) that ignores empty cells."""
    window = np.ones((OPENING, OPENING), np.uint8)
    low = np.asarray(cv2.erode(bright, window), np.float32).reshape(bright.shape)
    low[low == NO_LIGHT] = 0
    return np.asarray(cv2.dilate(low, window), np.float32).reshape(bright.shape)


@inline
def _mean_of_members(image, radius, height, width, y, x, start, slope):  # type: ignore[no-untyped-def]
    """Mean colour, membership and mean radius of the members among 2 x 2 pixels."""
    a, b, c, d, down, beside = block_of_pixels(y, x, height, width)
    wa, wb = rise(radius[a], start, slope), rise(radius[b], start, slope) * beside
    wc = rise(radius[c], start, slope) * down
    wd = rise(radius[d], start, slope) * beside * down
    covered, three, one, two = wa + wb + wc + wd, u(3), u(1), u(2)
    share = np.float32(1) / max(covered, LEAST)
    disk = wa * radius[a] + wb * radius[b] + wc * radius[c] + wd * radius[d]
    a, b, c, d = three * a, three * b, three * c, three * d
    red = wa * image[a] + wb * image[b] + wc * image[c] + wd * image[d]
    green = wa * image[a + one] + wb * image[b + one] + wc * image[c + one] + wd * image[d + one]
    blue = wa * image[a + two] + wb * image[b + two] + wc * image[c + two] + wd * image[d + two]
    return share * red, share * green, share * blue, covered, share * disk


@kernel(PIXELS, STRIP, writes(f32, 2), writes(f32, 2), writes(f32, 2))
def _survey(pixels, strip, bright, weights, disks):  # type: ignore[no-untyped-def]
    """Write brightest channel (NO_LIGHT if empty), membership and radius of each cell."""
    height, width, y0, left, start, slope = strip
    sums = np.empty(u(PLANES * SPAN), np.float32)
    totals = np.empty(u(2 * PLANES * SPAN), np.float32)
    keep, scratch = np.ones(u(SPAN), np.float32), np.empty(u(3 * SPAN), np.float32)
    zero, one = np.float32(0), np.float32(1)
    band = Band(start, slope, np.float32(NO_END.start_px), np.float32(NO_END.slope))
    for y in range(u(bright.shape[0])):
        for first in range(u(0), u(bright.shape[1]), u(SPAN // 2)):
            x0, above = u(2) * (left + first), u(2) * (y0 + y)
            length = min(u(SPAN), width - x0)
            if not any_above(pixels.tops, above, x0, length, start):
                for x in range(first, first + ((length + u(1)) >> u(1))):
                    bright[y, x], weights[y, x], disks[y, x] = NO_LIGHT, zero, zero
                continue
            sums[:] = zero
            shared = any_above(pixels.far_tops, above, x0, length, zero)
            for row in range(above, min(above + u(2), height)):
                if shared:
                    subtract_far(pixels, row, x0, length, width, band, keep, sums)
                add_pixels(
                    pixels.image, pixels.radius, row * width + x0, length, band, keep, scratch, sums
                )
            k = sum_columns(sums, u(2), totals)
            for x in range((length + u(1)) >> u(1)):
                red, green = totals[k + x], totals[k + u(SPAN) + x]
                light = max(max(red, green), totals[k + u(2 * SPAN) + x])
                covered, size = totals[k + u(3 * SPAN) + x], totals[k + u(4 * SPAN) + x]
                share = one / max(covered, LEAST)
                bright[y, first + x] = share * light if covered > LEAST else NO_LIGHT
                weights[y, first + x], disks[y, first + x] = covered, share * size


@kernel(reads(f32, 2), reads(f32, 2), reads(f32, 2), u64, u64, writes(f32, 2))
def _sum_around(bright, base, covered, y0, y1, out):  # type: ignore[no-untyped-def]
    """Write the excess light of each 3 x 3 cells above their grey opening."""
    zero, height, width = np.float32(0), u(bright.shape[0]), u(bright.shape[1])
    line = np.zeros(width + u(2), np.float32)
    for y in range(y0, y1):
        line[:] = zero
        first = y - u(1) if y > u(0) else y
        for j in range(first, min(y + u(2), height)):
            for x in range(width):
                known = bright[j, x] != NO_LIGHT
                light = covered[j, x] * (bright[j, x] - base[j, x])
                line[x + u(1)] += light if known else zero
        for x in range(width):
            out[y, x] = line[x] + line[x + u(1)] + line[x + u(2)]


@inline
def _sprites_of(bright, base, excess, disks, y, x, contrast, split):  # type: ignore[no-untyped-def]
    """Number of sprites of a cell (0, 1 or 4), by the contrast of its excess light on the disk."""
    own, around = bright[y, x], base[y, x]
    if own == NO_LIGHT or not own > MIN_EXCESS * around:
        return u(0)
    spread = np.float32(np.pi) * (disks[y, x] * disks[y, x] + EDGE_AREA)
    shown = excess[y, x] / (contrast * (around + DARKNESS) * spread)
    if shown > split:
        return u(4)
    return u(1) if shown > np.float32(1) else u(0)


@kernel(LIGHT, f32, f32, writes(u64, 1), writes(f32, 2))
def _count(light, contrast, budget, counts, limits):  # type: ignore[no-untyped-def]
    """Write the number of sprites of each block of a strip, and its limits (contrast, split).

    If the budget of a block is exceeded, cells have one sprite at most. If it still is, the
    contrast threshold is raised until it is not.
    """
    bright, base, excess, disks = light
    for block in range(u(counts.size)):
        x0 = block * u(BLOCK_CELLS)
        x1 = min(x0 + u(BLOCK_CELLS), u(bright.shape[1]))
        asked, split, cost, count = contrast, SPLIT, budget + np.float32(1), u(0)
        while cost > budget:
            cost, count = np.float32(0), u(0)
            for y in range(u(bright.shape[0])):
                for x in range(x0, x1):
                    made = _sprites_of(bright, base, excess, disks, y, x, asked, split)
                    if made > u(0):
                        disk = disks[y, x]
                        cost += np.float32(made) * np.float32(np.pi) * disk * disk
                        count += made
            limits[block, 0], limits[block, 1] = asked, split
            asked, split = asked if split == SPLIT else asked * HARDER, NO_LIGHT
        counts[block] = count


@inline
def _locate(image, radius, height, width, y, x, around, begin, made, sprites):  # type: ignore[no-untyped-def]
    """Write centre (fields 0, 1), share (2) and edge slope (3) of the sprites of a cell.

    Four sprites have the centres of the pixels and an edge of 1 px. A single sprite has the
    centroid of the excess light, and the width of its edge increases with the width of that light.
    """
    zero, one = np.float32(0), np.float32(1)
    total, down, across = LEAST, zero, zero
    for k in range(u(4)):
        dy, dx = k >> u(1), k & u(1)
        j, i = u(2) * y + dy, u(2) * x + dx
        weight = zero
        pixel = j * width + i
        if j < height and i < width and radius[pixel] > begin:
            most = max(image[u(3) * pixel], image[u(3) * pixel + u(1)])
            most = max(most, image[u(3) * pixel + u(2)])
            weight = max(most - around, zero)
        total += weight
        down, across = down + weight * np.float32(dy), across + weight * np.float32(dx)
        if made > u(1):
            sprites[k, 0], sprites[k, 1] = np.float32(j), np.float32(i)
            sprites[k, 2], sprites[k, 3] = weight, one
    if made > u(1):
        for k in range(u(4)):
            sprites[k, 2] /= total
        return
    down = np.rint(down / total * PLACES) / PLACES
    across = np.rint(across / total * PLACES) / PLACES
    # Each coordinate is 0 or 1 with mean m, so its variance is m (1 - m) (Bernoulli).
    variance = (down * (one - down) + across * (one - across)) / np.float32(2)
    sprites[0, 0], sprites[0, 1] = np.float32(u(2) * y) + down, np.float32(u(2) * x) + across
    sprites[0, 2] = one
    sprites[0, 3] = one / (one + np.float32(2) * np.sqrt(max(variance, zero)))


@kernel(
    reads(f32, 1), reads(f32, 1), STRIP, LIGHT, reads(f32, 2), reads(f32, 1), writes(f32, 2),
    writes(f32, 2),
    seldom=True,
)  # fmt: skip
def _extract_sprites(image, radius, strip, light, limits, areas, table, stays):  # type: ignore[no-untyped-def]
    """Move the excess light of a strip to a table of sprites."""
    height, width, y0, left, begin, slope = strip
    bright, base, excess, disks = light
    n, one = u(0), np.float32(1)
    for y in range(u(bright.shape[0])):
        for x in range(u(bright.shape[1])):
            block = x // u(BLOCK_CELLS)
            contrast, split = limits[block, 0], limits[block, 1]
            made = _sprites_of(bright, base, excess, disks, y, x, contrast, split)
            if made == u(0):
                continue
            stays[y, x] = base[y, x] / bright[y, x]
            red, green, blue, covered, disk = _mean_of_members(
                image, radius, height, width, y0 + y, left + x, begin, slope
            )
            cell = table[n : n + made]
            _locate(image, radius, height, width, y0 + y, left + x, base[y, x], begin, made, cell)
            for s in range(n, n + made):
                edge = EDGE_AREA / (table[s, 3] * table[s, 3])
                spread = np.float32(np.pi) * (disk * disk + edge)
                if table[s, 3] == one and disk < np.float32(LATTICE_PX):
                    place = disk * np.float32(TABLE_STEPS)
                    spread = mix(areas[u(place)], areas[u(place) + u(1)], place - np.floor(place))
                value = table[s, 2] * (one - stays[y, x]) * covered / spread
                table[s, 2] = disk
                table[s, 4], table[s, 5], table[s, 6] = value * red, value * green, value * blue
            n += made
