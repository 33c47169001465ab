"""Outlines: pixels along a jump of the radius are separated into a near and a far surface.

The near and the far side of a jump are found on the grid of the blur map (`jumps.py`). Within a
band of a few cells, colour determines the coverage of the near surface in each pixel
(`coverage.py`). A pixel is modelled as I = a F + (1 - a) B with the coverage a. Given smooth
estimates F0 and B0 of the two colours, the F and B with the smallest squared change are used. Where
the near surface hides the far one (a = 1), the far surface is extended with the colour and the
radius that it has beside the outline. Pixels outside the bands keep their radius exactly.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stages.arrays import check_image, lazy_zeros
from stages.bokeh.checks import check_radius
from stages.bokeh.coverage import fit_coverage, reach_of_models
from stages.bokeh.disk import FOCUS_PX
from stages.bokeh.jumps import Jumps, OutlineParams, find_jumps
from stages.bokeh.surfaces import Surfaces
from stages.grid import TAPS, Grid, linear_taps, mix
from stages.kernels import f32, inline, kernel, largest_of, reads, record, u64, writes
from stages.kinds import LinearLight, Radius
from stages.params import Array
from stages.strips import run_strips
from stages.upsample.samples import root_of

u = np.uint64
TILE_CELLS = 64  # cells along the side of a tile; one model is fitted per tile
BAND = 0.01  # minimum taper of a pixel of an outline
STEPNESS = 2.0  # slope of the coverage over the radius, per jump, where colour is not used
LEAST_STEP = 2  # px; minimum size of a cell
SEEN_SHARE = 0.8  # coverage above which the estimate of the hidden colour is blended in
WHOLE = 0.01  # coverage within this distance of 0 or 1 is rounded to 0 or 1
PLANES = 18  # planes of a tile: taper, strength, near, far, trust, model (4), colours (3 + 3 + 3)


def part_outlines(
    radius: Radius, linear: LinearLight, cells: Grid, params: OutlineParams
) -> Surfaces:
    """Separate the pixels along outlines into two surfaces.

    Parameters
    ----------
    radius : Array
        Disk radius in px, HxW float32, >= 0.
    linear : Array
        Linear light, HxWx3 float32; may exceed 1.
    cells : Grid
        Grid on which blur was solved. The cells of the outlines are those of this grid, and at
        least 2 x 2 pixels.
    params : OutlineParams
        Thresholds of an outline, and its width.

    Returns
    -------
    Surfaces
        Radii in px and the far surface along outlines. If there are no outlines, `near` is `radius`
        itself.

    Raises
    ------
    ValueError
        If an input has the wrong shape, type or range.
    """
    check_radius("outline", radius)
    check_image("outline", "linear", linear, finite=False)
    if linear.shape[:2] != radius.shape:
        raise ValueError(
            f"outline: linear must have the size of radius, {radius.shape}; got {linear.shape[:2]}"
        )
    picture = _Picture(np.ascontiguousarray(radius), np.ascontiguousarray(linear))
    grid = Grid.cells(picture.radius.shape, max(cells.step, LEAST_STEP))
    jumps = find_jumps(picture.radius, grid, params)
    tiles = _tiles(jumps, grid)
    if not tiles:
        return Surfaces.single(radius)
    shapes = (radius.shape, radius.shape, linear.shape)
    out = Surfaces(np.empty_like(picture.radius), *(lazy_zeros(shape) for shape in shapes))
    run_strips(lambda a, b: np.copyto(out.near[a:b], picture.radius[a:b]), len(radius))
    run_strips(lambda k, _: _part_tile(picture, jumps, grid, tiles[k], params, out), len(tiles), 1)
    return out


class _Picture(NamedTuple):
    radius: Array
    linear: Array


class _Tile(NamedTuple):
    """A rectangle of cells: rows [top, bottom) and columns [left, right)."""

    top: int
    bottom: int
    left: int
    right: int


class _Place(NamedTuple):
    """Pixels of a tile, rows [top, bottom) and columns [left, right), and its first cell.

    The first cell is that of the arrays, which have a halo. Cells have `step` px along a side.
    """

    top: np.uint64
    bottom: np.uint64
    left: np.uint64
    right: np.uint64
    first_row: np.uint64
    first_col: np.uint64
    step: np.uint64


PLACE = record(_Place, *7 * [u64])
SURFACES = record(Surfaces, writes(f32, 2), writes(f32, 2), writes(f32, 2), writes(f32, 3))


def _tiles(jumps: Jumps, grid: Grid) -> list[_Tile]:
    """Tiles of cells that contain an outline, cropped to it."""
    rows, cols = grid.shape
    tiles = (
        _Tile(y, min(y + TILE_CELLS, rows), x, min(x + TILE_CELLS, cols))
        for y in range(0, rows, TILE_CELLS)
        for x in range(0, cols, TILE_CELLS)
    )
    return [cut for cut in (_cut(jumps.taper, tile) for tile in tiles) if cut is not None]


def _cut(taper: Array, tile: _Tile) -> _Tile | None:
    """Bounding box of the outlines in a tile; None if it has none.

    A margin of one cell is added, because pixels are interpolated between neighbouring cells.
    """
    top, left = max(tile.top - 1, 0), max(tile.left - 1, 0)
    found = taper[top : tile.bottom + 1, left : tile.right + 1] > 0
    rows, cols = np.flatnonzero(found.any(axis=1)), np.flatnonzero(found.any(axis=0))
    if not rows.size:
        return None
    return _Tile(
        max(top + int(rows[0]) - 1, tile.top), min(top + int(rows[-1]) + 2, tile.bottom),
        max(left + int(cols[0]) - 1, tile.left), min(left + int(cols[-1]) + 2, tile.right),
    )  # fmt: skip


def _part_tile(
    picture: _Picture, jumps: Jumps, grid: Grid, tile: _Tile, params: OutlineParams, out: Surfaces
) -> None:
    """Separate the pixels of a tile, and write their surfaces to `out`."""
    step, shape = grid.step, picture.radius.shape
    halo = reach_of_models(params)
    rows, cols = (
        slice(max(first - halo, 0), min(stop + halo, size))
        for first, stop, size in zip(tile[::2], tile[1::2], grid.shape, strict=True)
    )
    place = _Place(
        u(tile.top * step), u(min(tile.bottom * step, shape[0])),
        u(tile.left * step), u(min(tile.right * step, shape[1])),
        u(rows.start), u(cols.start), u(step),
    )  # fmt: skip
    near, far, strength, taper = (np.ascontiguousarray(plane[rows, cols]) for plane in jumps)
    side, light = np.empty(near.shape, np.float32), np.empty((*near.shape, 3), np.float32)
    _reduce_cells(picture.radius, picture.linear.reshape(-1), place, near, far, side, light)
    model = fit_coverage(light, side, strength, taper, params)
    colours = (*model.near_colour, *model.far_colour, *model.hidden_colour)
    planes = np.stack((taper, strength, near, far, model.trust, *model.coverage, *colours))
    taps = [linear_taps(grid, Grid(shape), axis) for axis in (0, 1)]
    _part(picture.radius, picture.linear, planes, *taps, place, out)


@kernel(
    reads(f32, 2), reads(f32, 1), PLACE, reads(f32, 2), reads(f32, 2), writes(f32, 2),
    writes(f32, 3),
)  # fmt: skip
def _reduce_cells(radius, linear, place, near, far, side, light):  # type: ignore[no-untyped-def]
    """Write the mean light of each cell, and the share of its pixels closer to the near level.

    If the border of the picture cuts a cell, the last row or column is repeated in its mean.
    """
    (height, width), (rows, cols) = radius.shape, side.shape
    step, x0, three = u(place.step), place.first_col * place.step, u(3)
    total, wide = np.empty(three * u(cols) * step, np.float32), min(u(cols) * step, u(width) - x0)
    for j in range(u(rows)):
        top = (place.first_row + j) * step
        bottom = min(top + step, u(height))
        total[:] = np.float32(0)
        for y in range(top, top + step):
            first = three * ((y if y < bottom else bottom - u(1)) * u(width) + x0)
            for k in range(three * wide):
                total[k] += linear[first + k]
        for k in range(three * wide, u(total.size)):
            total[k] = total[k - three]
        for i in range(u(cols)):
            middle, count = np.float32(0.5) * (near[j, i] + far[j, i]), np.int32(0)
            right = min((i + u(1)) * step, wide)
            for y in range(top, bottom):
                for x in range(x0 + i * step, x0 + right):
                    count += np.int32(radius[y, x] < middle)
            pixels = (bottom - top) * (right - i * step)
            side[j, i] = np.float32(count) / np.float32(pixels)
            for c in range(three):
                mean = np.float32(0)
                for x in range(i * step, (i + u(1)) * step):
                    mean += total[three * x + c]
                light[j, i, c] = mean / np.float32(step * step)


@inline
def _coverage_of(model, red, green, blue, r, middle, gap):  # type: ignore[no-untyped-def]
    """Coverage of the near surface in a pixel by the interpolated values of its tile, in [0, 1].

    Where the colour model has no confidence, coverage is a linear function of the radius.
    """
    zero, half, one = np.float32(0), np.float32(0.5), np.float32(1)
    side = one if r < middle else zero
    step = min(max(half + np.float32(STEPNESS) * (middle - r) / gap, zero), one)
    fitted = model[5] * red + model[6] * green + model[7] * blue + model[8]
    fitted = min(max(fitted, zero), one)
    covered = side + model[0] * (mix(step, fitted, model[4]) - side)
    covered = zero if covered < np.float32(WHOLE) else covered
    return one if covered > one - np.float32(WHOLE) else covered


@inline
def _light_behind(light, near, far, covered):  # type: ignore[no-untyped-def]
    """Light of the far surface, by the smallest squared change of both colours.

    It is limited so that the remaining light of the near surface is not negative.
    """
    zero, one = np.float32(0), np.float32(1)
    hidden = one - covered
    residual = light - covered * near - hidden * far
    found = far + hidden * residual / (covered * covered + hidden * hidden)
    most = max(light, zero) / max(hidden, np.float32(WHOLE))
    return min(max(found, zero), most) if covered < one else max(found, zero)


@inline
def _part_pixel(radius, linear, model, y, x, out):  # type: ignore[no-untyped-def]
    """Separate a pixel by the interpolated values of its tile."""
    zero, one, half, r = np.float32(0), np.float32(1), np.float32(0.5), radius[y, x]
    taper, strength, near, far = model[0], model[1], model[2], model[3]
    middle, gap = half * (near + far), max(far - near, np.float32(BAND))
    in_front = r < middle
    behind = r + (strength if in_front else taper) * max(far - r, zero)
    if behind <= np.float32(FOCUS_PX):
        return
    covered = _coverage_of(
        model, root_of(linear[y, x, 0]), root_of(linear[y, x, 1]), root_of(linear[y, x, 2]), r,
        middle, gap,
    )  # fmt: skip
    front = r + (taper * min(near - r, zero) if in_front else strength * (near - r))
    out.near[y, x] = min(front, behind) if covered > zero else zero
    out.far[y, x], out.far_share[y, x] = behind, one - covered
    hidden = max(covered - np.float32(SEEN_SHARE), zero) / np.float32(1 - SEEN_SHARE)
    for c in range(u(3)):
        light, behind_it = linear[y, x, c], mix(model[u(12) + c], model[u(15) + c], hidden)
        found = _light_behind(light, model[u(9) + c], behind_it, covered)
        out.far_light[y, x, c] = light if covered == zero else found


@kernel(reads(f32, 2), reads(f32, 3), reads(f32, 3), TAPS, TAPS, PLACE, SURFACES)
def _part(radius, linear, planes, vertical, horizontal, place, out):  # type: ignore[no-untyped-def]
    """Separate the pixels of a tile."""
    (above, below, down), (left, right, across) = vertical, horizontal
    count = u(planes.shape[2])
    tapers, mixed = np.empty(count, np.float32), np.empty(count, np.bool_)
    row, model = np.empty((count, PLANES), np.float32), np.empty(PLANES, np.float32)
    for y in range(place.top, place.bottom):
        a, b, part = u(above[y]) - place.first_row, u(below[y]) - place.first_row, down[y]
        for i in range(count):
            tapers[i] = mix(planes[0, a, i], planes[0, b, i], part)
        if largest_of(tapers) < np.float32(BAND):
            continue
        mixed[:] = False
        for x in range(place.left, place.right):
            i, j = u(left[x]) - place.first_col, u(right[x]) - place.first_col
            if mix(tapers[i], tapers[j], across[x]) < np.float32(BAND):
                continue
            for k in (i, j):
                if not mixed[k]:
                    for p in range(u(PLANES)):
                        row[k, p] = mix(planes[p, a, k], planes[p, b, k], part)
                    mixed[k] = True
            for p in range(u(PLANES)):
                model[p] = mix(row[i, p], row[j, p], across[x])
            _part_pixel(radius, linear, model, y, x, out)
