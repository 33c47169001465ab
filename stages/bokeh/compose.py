"""Compositing of layers, row by row.

Layers are composited front to back into `front`, four planes of a span: premultiplied R, G, B and
coverage. Coverages are added and clamped at 1 instead of multiplied, because the layers of one
surface abut and do not overlap. Sprites are drawn into the rows of their layer first.
"""

from __future__ import annotations

import numpy as np

from stages.bokeh.aperture import area_left, cut, gauge
from stages.bokeh.disk import FOCUS_PX
from stages.bokeh.enlarge import ROW, SPAN_COLS, TILE_ROWS
from stages.kernels import inline

FOCUS_FADE_PX = np.float32(0.05)  # px; short, as the kernel is the identity at FOCUS_PX
MIN_COVERAGE = np.float32(1e-12)  # minimum of a divisor, for empty layers
NOTHING = np.float32(1e-9)  # coverage up to which a pixel counts as reached by no layer
UNSEEN = np.float32(np.nan)

WITH_FOCUS, WITHOUT_FOCUS, IN_FRONT = range(3)  # stacks of layers; see `tiles.render_tiles`

u = np.uint64


@inline
def lay_under(front, row, layer, plane, first, length):  # type: ignore[no-untyped-def]
    """Composite one row of a layer under `front`, limited to the remaining transmittance."""
    tile = u(TILE_ROWS * SPAN_COLS)
    for x in range(length):
        coverage = layer[u(3) * plane + first + x]
        covered = front[u(3) * tile + row + x]
        taken = min(coverage, np.float32(1) - covered)
        part = taken / max(coverage, MIN_COVERAGE)
        front[row + x] += part * layer[first + x]
        front[tile + row + x] += part * layer[plane + first + x]
        front[u(2) * tile + row + x] += part * layer[u(2) * plane + first + x]
        front[u(3) * tile + row + x] = covered + taken


@inline
def give_sprites(layer, near, far, length):  # type: ignore[no-untyped-def]
    """Add the sprites of the front half to the back half where the front half has no coverage."""
    zero = np.float32(0)
    for p in range(u(3)):
        for x in range(p * u(ROW), p * u(ROW) + length):
            alone = layer[near + u(3 * ROW) + x - p * u(ROW)] <= zero
            layer[far + x] += layer[near + x] if alone else zero


@inline
def _share_in_focus(radius, covered, stack):  # type: ignore[no-untyped-def]
    """Share of the near surface of a pixel that is composited over the layers, in focus."""
    one = np.float32(1)
    fade = (abs(radius) - np.float32(FOCUS_PX)) / FOCUS_FADE_PX
    fade = min(max(fade, np.float32(0)), one)
    sharp = one - fade * fade * (np.float32(3) - np.float32(2) * fade)
    sharp = sharp if stack == u(WITH_FOCUS) else np.float32(0)
    return sharp if covered > NOTHING else one


@inline
def finish(front, row, image, radius, pixel, length, stack, out):  # type: ignore[no-untyped-def]
    """Divide by the coverage, and composite the pixels in focus over the result."""
    green, blue = u(TILE_ROWS * SPAN_COLS) + row, u(2 * TILE_ROWS * SPAN_COLS) + row
    coverage = u(3 * TILE_ROWS * SPAN_COLS) + row
    one = np.float32(1)
    for x in range(length):
        covered = front[coverage + x]
        sharp = _share_in_focus(radius[pixel + x], covered, stack)
        # Pixels hidden by a blurred foreground may have no light: `foreground.py` fills them.
        unseen = (covered <= NOTHING) & (radius[pixel + x] < -np.float32(FOCUS_PX))
        sharp = UNSEEN if unseen else sharp
        part = (one - sharp) / max(covered, NOTHING)
        k = u(3) * (pixel + x)
        out[k] = sharp * image[k] + part * front[row + x]
        out[k + u(1)] = sharp * image[k + u(1)] + part * front[green + x]
        out[k + u(2)] = sharp * image[k + u(2)] + part * front[blue + x]


@inline
def finish_outline(front, row, pixels, pixel, length, stack, out):  # type: ignore[no-untyped-def]
    """Write the pixels in which a far surface has a share, as `finish` writes the others.

    A near surface in focus has only the rest of such a pixel; the layers are behind it.
    """
    image, radius, far_share, far = pixels.image, pixels.radius, pixels.far_share, pixels.far
    coverage, one = u(3 * TILE_ROWS * SPAN_COLS) + row, np.float32(1)
    for x in range(length):
        hidden, covered = far_share[pixel + x], front[coverage + x]
        if hidden > np.float32(0) and covered > NOTHING:
            sharp = _share_in_focus(radius[pixel + x], covered, stack)
            part = (one - sharp * (one - hidden)) / covered
            for p in range(u(3)):
                k = u(3) * (pixel + x) + p
                near, at = image[k] - hidden * far[k], p * u(TILE_ROWS * SPAN_COLS) + row + x
                out[k] = sharp * near + part * front[at]


@inline
def lay_over(front, row, pixel, length, out):  # type: ignore[no-untyped-def]
    """Composite a row of `front` over the picture (*over* operator, premultiplied)."""
    tile = u(TILE_ROWS * SPAN_COLS)
    for x in range(length):
        seen = np.float32(1) - front[u(3) * tile + row + x]
        k = u(3) * (pixel + x)
        out[k] = front[row + x] + seen * out[k]
        out[k + u(1)] = front[tile + row + x] + seen * out[k + u(1)]
        out[k + u(2)] = front[u(2) * tile + row + x] + seen * out[k + u(2)]


@inline
def copy(image, y0, y1, width, x0, length, out):  # type: ignore[no-untyped-def]
    """Copy rows [y0, y1) of `length` pixels, from column `x0` on."""
    for y in range(y0, y1):
        for k in range(u(3) * (y * width + x0), u(3) * (y * width + x0 + length)):
            out[k] = image[k]


@inline
def draw_row(  # type: ignore[no-untyped-def]
    table, members, start, stop, sides, facts, areas, y, x0, length, margin, line, sums
):
    """Add one row of the sprites of a tile to the colours of its layer, from `margin` on.

    `line` is scratch of at least `length` values.
    """
    zero, half, one = np.float32(0), np.float32(0.5), np.float32(1)
    left, right = np.float32(x0), np.float32(x0 + length)
    for k in range(start, stop):
        s = members[k]
        down, middle, slope = np.float32(y) - table[s, 0], table[s, 1], table[s, 3]
        reach = table[s, 2] + half / slope
        chord = facts[1] * facts[1] * reach * reach - down * down
        if chord <= zero:
            continue
        chord = np.sqrt(chord)
        begin = max(np.ceil(middle - chord), left)
        end = min(np.floor(middle + chord) + one, right)
        if end <= begin:
            continue
        at = margin + u(begin - left)
        red, green, blue = table[s, 4], table[s, 5], table[s, 6]
        below, beside = table[s, 0] - facts[2], table[s, 1] - facts[3]
        scale = one / area_left(facts, areas, below, beside) if facts[4] > zero else one
        # Distances are computed in separate loops, so that the one for disks is vectorised.
        shaped = sides.shape[0] > 0 or facts[4] > zero
        for x in range(u(end - begin)):
            across = begin + np.float32(x) - middle
            line[x] = np.sqrt(down * down + across * across)
        if shaped:
            for x in range(u(end - begin)):
                across = begin + np.float32(x) - middle
                distance = gauge(down, across, sides, facts[0])
                if facts[4] > zero:
                    distance = max(distance, cut(down, across, facts, below, beside))
                line[x] = distance
        for x in range(u(end - begin)):
            weight = scale * min(max(slope * (reach - line[x]), zero), one)
            sums[at + x] += weight * red
            sums[u(ROW) + at + x] += weight * green
            sums[u(2 * ROW) + at + x] += weight * blue
