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

from stages.arrays import check_image, reduce_by
from stages.bokeh.checks import check_radius
from stages.bokeh.coverage import fit_coverage, reach_of_models
from stages.bokeh.disk import FOCUS_PX
from stages.bokeh.jumps import Jumps, OutlineParams, find_jumps
from stages.bokeh.surfaces import Surfaces
from stages.grid import TAPS, Grid, linear_taps, mix
from stages.kernels import f32, i64, inline, kernel, largest_of, reads, writes
from stages.kinds import LinearLight, Radius
from stages.params import Array
from stages.strips import run_strips
from stages.upsample.samples import root_of

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
    far, share = (np.zeros(radius.shape, np.float32) for _ in range(2))
    out = Surfaces(picture.radius.copy(), far, share, np.zeros(linear.shape, np.float32))
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
    pixels = tuple(
        slice(cells.start * step, min(cells.stop * step, length))
        for cells, length in zip((rows, cols), shape, strict=True)
    )
    near, far, strength, taper = (np.ascontiguousarray(plane[rows, cols]) for plane in jumps)
    side = np.empty(near.shape, np.float32)
    _side_of_cells(np.ascontiguousarray(picture.radius[pixels]), step, near, far, side)
    light = reduce_by(np.ascontiguousarray(picture.linear[pixels]), step)
    model = fit_coverage(light, side, strength, taper, params)
    planes = np.empty((PLANES, *near.shape), np.float32)
    planes[:4] = taper, strength, near, far
    planes[4], planes[5:9] = model.trust, model.coverage
    planes[9:] = np.moveaxis(np.dstack(model[2:]), 2, 0)
    taps = [linear_taps(grid, Grid(shape), axis) for axis in (0, 1)]
    place = np.array(
        [
            tile.top * step, min(tile.bottom * step, shape[0]),
            tile.left * step, min(tile.right * step, shape[1]), rows.start, cols.start,
        ],
        np.int64,
    )  # fmt: skip
    _part(picture.radius, picture.linear, planes, *taps[0], *taps[1], place, *out)


@kernel(reads(f32, 2), i64, reads(f32, 2), reads(f32, 2), writes(f32, 2))
def _side_of_cells(radius, step, near, far, side):  # type: ignore[no-untyped-def]
    """Write the share of the pixels of each cell whose radius is closer to the near level."""
    height, width = radius.shape
    for j in range(side.shape[0]):
        for i in range(side.shape[1]):
            middle = np.float32(0.5) * (near[j, i] + far[j, i])
            bottom, right = min((j + 1) * step, height), min((i + 1) * step, width)
            count = 0
            for y in range(j * step, bottom):
                for x in range(i * step, right):
                    count += radius[y, x] < middle
            side[j, i] = np.float32(count) / np.float32((bottom - j * step) * (right - i * step))


@inline
def _coverage_of(planes, x, red, green, blue, r, middle, gap):  # type: ignore[no-untyped-def]
    """Coverage of the near surface at a column of interpolated planes, in [0, 1].

    Where the colour model has no confidence, coverage is a linear function of the radius.
    """
    zero, half, one = np.float32(0), np.float32(0.5), np.float32(1)
    side = one if r < middle else zero
    step = min(max(half + np.float32(STEPNESS) * (middle - r) / gap, zero), one)
    fitted = planes[5, x] * red + planes[6, x] * green + planes[7, x] * blue + planes[8, x]
    fitted = min(max(fitted, zero), one)
    covered = side + planes[0, x] * (mix(step, fitted, planes[4, x]) - side)
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


@kernel(
    reads(f32, 2), reads(f32, 3), reads(f32, 3), *TAPS, *TAPS, reads(i64, 1), writes(f32, 2),
    writes(f32, 2), writes(f32, 2), writes(f32, 3),
)  # fmt: skip
def _part(  # type: ignore[no-untyped-def]
    radius,
    linear,
    planes,
    above,
    below,
    down,
    left,
    right,
    across,
    place,
    out_near,
    out_far,
    out_share,
    out_light,
):
    """Separate the pixels of a tile.

    `place` holds the first row and the end of the rows, the first column and the end of the
    columns, and the row and column of the first cell of `planes`.
    """
    top, bottom, begin, end, first_row, first_col = place
    zero, one, half = np.float32(0), np.float32(1), np.float32(0.5)
    count, cells = planes.shape[0], planes.shape[2]
    line, wide = np.empty((count, cells), np.float32), np.empty((count, end - begin), np.float32)
    for y in range(top, bottom):
        a, b, part = above[y] - first_row, below[y] - first_row, down[y]
        for p in range(count):
            upper, lower, row, along = planes[p, a], planes[p, b], line[p], wide[p]
            for i in range(cells):
                row[i] = mix(upper[i], lower[i], part)
            if p == 0 and largest_of(row) < np.float32(BAND):
                break
            for x in range(end - begin):
                i, j = left[begin + x] - first_col, right[begin + x] - first_col
                along[x] = mix(row[i], row[j], across[begin + x])
        if largest_of(line[0]) < np.float32(BAND):
            continue
        for x in range(end - begin):
            taper, strength, near, far = wide[0, x], wide[1, x], wide[2, x], wide[3, x]
            if taper < np.float32(BAND):
                continue
            k, r = begin + x, radius[y, begin + x]
            middle, gap = half * (near + far), max(far - near, np.float32(BAND))
            in_front = r < middle
            behind = r + (strength if in_front else taper) * max(far - r, zero)
            if behind <= np.float32(FOCUS_PX):
                continue
            light = linear[y, k]
            covered = _coverage_of(
                wide, x, root_of(light[0]), root_of(light[1]), root_of(light[2]), r, middle, gap
            )
            front = r + (taper * min(near - r, zero) if in_front else strength * (near - r))
            out_near[y, k] = min(front, behind) if covered > zero else zero
            out_far[y, k], out_share[y, k] = behind, one - covered
            hidden = max(covered - np.float32(SEEN_SHARE), zero) / np.float32(1 - SEEN_SHARE)
            for c in range(3):
                behind_it = mix(wide[12 + c, x], wide[15 + c, x], hidden)
                found = _light_behind(light[c], wide[9 + c, x], behind_it, covered)
                out_light[y, k, c] = light[c] if covered == zero else found
