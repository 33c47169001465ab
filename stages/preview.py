"""The picture of a live preview: blurred areas from a small view, sharp areas at full size.

Blurred areas are rendered on a view of half the picture's size or less, where disks are small and
few. Areas in focus are taken from the picture itself. One pass over the picture upsamples the view,
fades between both, encodes, dithers and rounds to 8 bits. Radii are in full-resolution px, light is
linear.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.bokeh import BokehParams, DeadZoneParams
from stages.bokeh.cells import disk_in_cells
from stages.bokeh.checks import RenderInput, check_render
from stages.bokeh.compose import WITHOUT_FOCUS
from stages.bokeh.disk import FOCUS_PX
from stages.bokeh.layers import spread_coarse_layers
from stages.bokeh.tiles import render_tiles
from stages.bokeh.zone import PROOF_CONFIDENCE
from stages.grid import (
    TAPS,
    BlurBounds,
    BlurMap,
    DenseBlur,
    Grid,
    Taps,
    linear_taps,
    mix,
    mix_along,
)
from stages.kernels import f32, i64, inline, kernel, largest_of, least_of, reads, u8, writes
from stages.kinds import Encoded, EncodedCodes, LinearLight, Radius
from stages.params import Array
from stages.strips import run_strips
from stages.tone import CODES, ToneCurve, encode, to_codes
from stages.upsample import UpsampleParams, guided_upsample

BLURRED_PX = 2.0  # radius, px of the view, from which the view shows all remaining detail
COARSE_PX = 5.0  # the minimum of BokehParams, since small disks are cheap
MIN_CELL_RADIUS_PX = 0.51  # just above FOCUS_PX, so that blurred cells are never in focus
WHITE = 255


def upsample_to_view(
    low: DenseBlur, view: Encoded, grid: Grid, params: UpsampleParams
) -> DenseBlur:
    """Upsample a dense map to the grid of a view.

    Parameters
    ----------
    low : BlurMap
        Dense, on cells of the view or coarser.
    view : Array
        HxWx3 float32, display-encoded in [0, 1].
    grid : Grid
        Grid of the view.
    params : UpsampleParams
        As for `guided_upsample`.

    Returns
    -------
    BlurMap
        Dense, on the grid of the view.
    """
    step = max(low.grid.step // grid.step, 1)
    relative = BlurMap(low.sigma, low.confidence, Grid.cells(grid.shape, step))
    finer = guided_upsample(relative, view, params)
    return BlurMap(finer.sigma, finer.confidence, grid)


def to_picture(encoded: Encoded) -> EncodedCodes:
    """Round an encoded picture to 8 bits.

    Parameters
    ----------
    encoded : Array
        HxWx3 float32, display-encoded in [0, 1] (clipped).

    Returns
    -------
    array of uint8
        HxWx3.
    """
    return np.asarray(to_codes(encoded, 8), np.uint8)


def dead_zone_on_view(
    evidence: BlurBounds, blur: DenseBlur, point: tuple[float, float] | None, params: DeadZoneParams
) -> float:
    """Dead zone of a map on any grid; otherwise as `proven_dead_zone`.

    Parameters
    ----------
    evidence : BlurMap
        Upper bounds, on the grid of the estimation.
    blur : BlurMap
        Dense, on any grid.
    point : (x, y) or None
        A pixel that a person named as in focus.
    params : DeadZoneParams
        Percentiles, floor and ceiling.

    Returns
    -------
    float
        Sigma in full-resolution px.
    """
    floor = params.floor_px * evidence.grid.step
    if point is not None:
        x, y = (_cell(np.array([place]), blur.grid, 1 - k) for k, place in enumerate(point))
        return max(params.margin * float(blur.sigma[y[0], x[0]]), floor)
    rows, cols = np.nonzero(evidence.confidence > PROOF_CONFIDENCE)
    if rows.size == 0:
        low = float(np.percentile(blur.sigma, params.focus_percentile))
        return max(params.margin * low, floor)
    cells = tuple(
        _cell(evidence.grid.positions(axis)[index], blur.grid, axis)
        for axis, index in enumerate((rows, cols))
    )
    found = float(np.percentile(blur.sigma[cells], params.proven_percentile))
    return min(max(found, floor), max(params.ceiling_px * evidence.grid.step, floor))


def _cell(place: npt.NDArray[np.float64], grid: Grid, axis: int) -> npt.NDArray[np.int64]:
    """Index of the samples of a grid nearest to full-resolution coordinates along an axis."""
    index = np.floor((place - grid.phase) / grid.step + 0.5).astype(np.int64)
    return np.clip(index, 0, grid.shape[axis] - 1)


def render_preview(
    linear: LinearLight,
    light: LinearLight,
    radius: Radius,
    grid: Grid,
    curve: ToneCurve,
    params: BokehParams,
) -> EncodedCodes:
    """Render the picture of a preview.

    Parameters
    ----------
    linear : Array
        Linear light, HxWx3 float32.
    light : Array
        The same on the grid of the view, hxwx3.
    radius : Array
        Disk radius in full-resolution px on the grid of the view, hxw, >= 0.
    grid : Grid
        Grid of the view.
    curve : ToneCurve
        Encoding of the result.
    params : BokehParams
        The aperture.

    Returns
    -------
    array of uint8
        Encoded picture, HxWx3; the codes of the picture itself where the radius is at most 1/2 px
        of the view.

    Raises
    ------
    ValueError
        If light or radius have the wrong shape, type or range.
    """
    disks, part = np.empty_like(radius), np.empty_like(radius)
    _disks_on_view(np.ascontiguousarray(radius), np.float32(grid.step), disks, part)
    picture = check_render("preview", light, disks)
    blurred = encode(_blurred(picture, params), curve)
    out = np.empty(linear.shape, np.uint8)
    full = Grid((linear.shape[0], linear.shape[1]))
    rows, cols = (linear_taps(grid, full, axis) for axis in (0, 1))
    taps = rows, cols, _of_values(cols)
    source = np.ascontiguousarray(linear)
    run_strips(
        lambda start, stop: _compose(source, blurred, part, curve.encode, *taps, start, stop, out),
        len(out),
    )
    return out


def _of_values(taps: Taps) -> Taps:
    """Taps along a row of pixels as those along its values, three to a pixel."""
    left, right = (np.add.outer(3 * places, np.arange(3)).ravel() for places in taps[:2])
    return Taps(left, right, np.repeat(taps[2], 3))


def _blurred(picture: RenderInput, params: BokehParams) -> Array:
    """The blurred areas, linear light."""
    params = params.replace(coarse_px=COARSE_PX)
    out = np.empty_like(picture.linear)
    render_tiles(picture, spread_coarse_layers(picture, params), params, WITHOUT_FOCUS, out)
    return out


@kernel(reads(f32, 2), f32, writes(f32, 2), writes(f32, 2), seldom=True)
def _disks_on_view(radius, step, disks, part):  # type: ignore[no-untyped-def]
    """Radius in px of the view, less the blur of its cells; and weight of the blurred picture."""
    focus, end = np.float32(FOCUS_PX), np.float32(BLURRED_PX)
    for y in range(radius.shape[0]):
        for x in range(radius.shape[1]):
            blurred = radius[y, x] > focus * step
            drawn = max(disk_in_cells(radius[y, x], step), np.float32(MIN_CELL_RADIUS_PX))
            disks[y, x] = drawn if blurred else np.float32(0)
            t = min(max((radius[y, x] / step - focus) / (end - focus), np.float32(0)), 1)
            part[y, x] = t * t * (3 - 2 * t)


@inline
def _dither(y, shares, offsets):  # type: ignore[no-untyped-def]
    """Dither of a row, to be added before values are truncated to codes, by weight of the blur.

    Interleaved gradient noise (Jimenez 2014), the same in every frame.
    """
    half = np.float32(0.5)
    for x in range(np.uint64(shares.size)):
        inner = 0.06711056 * np.float64(x) + 0.00583715 * y
        outer = 52.9829189 * (inner - np.floor(inner))
        noise = np.float32(outer - np.floor(outer))
        offsets[x] = half + shares[x] * (noise - half)


@inline
def _mix_in(light, table, shares, entries, values):  # type: ignore[no-untyped-def]
    """Fade a row of values to the picture: the nearest entries of a table over square roots."""
    last, half = np.float32(CODES - 1), np.float32(0.5)
    zero, one, three = np.float32(0), np.float32(1), np.uint64(3)
    for k in range(np.uint64(light.size)):
        entries[k] = np.int32(np.sqrt(min(max(light[k], zero), one)) * last + half)
    for x in range(np.uint64(shares.size)):
        if shares[x] < one:
            for k in range(three * x, three * x + three):
                values[k] = mix(table[np.uint64(entries[k])], values[k], shares[x])


@kernel(
    reads(f32, 3), reads(f32, 3), reads(f32, 2), reads(f32, 1), TAPS, TAPS, TAPS, i64, i64,
    writes(u8, 3),
    seldom=True,
)  # fmt: skip
def _compose(  # type: ignore[no-untyped-def]
    linear, blurred, part, table, vertical, horizontal, of_values, start, stop, out
):  # fmt: skip
    """Rows [start, stop): fade from the picture to its upsampled blur; dither, round.

    Loops run over values, three to a pixel, and not over pixels, so that they are vectorised.
    """
    white, three = np.float32(WHITE), np.uint64(3)
    above, below, down = vertical
    wide, width, size = part.shape[1], out.shape[1], of_values.lower.size
    part_line, line = np.empty(wide, np.float32), np.empty(3 * wide, np.float32)
    shares, offsets = np.empty(width, np.float32), np.empty(width, np.float32)
    values, dither = np.empty(size, np.float32), np.empty(size, np.float32)
    entries = np.empty(size, np.int32)
    for y in range(start, stop):
        a, b, d = np.uint64(above[y]), np.uint64(below[y]), down[y]
        for x in range(np.uint64(wide)):
            part_line[x] = mix(part[a, x], part[b, x], d)
        mix_along(part_line, horizontal, shares)
        values[:] = np.float32(0)
        if largest_of(shares) > np.float32(0):
            upper, lower = blurred[a].reshape(3 * wide), blurred[b].reshape(3 * wide)
            for k in range(np.uint64(3 * wide)):
                line[k] = mix(upper[k], lower[k], d)
            mix_along(line, of_values, values)
        if least_of(shares) < np.float32(1):
            _mix_in(linear[y].reshape(size), table, shares, entries, values)
        _dither(y, shares, offsets)
        for x in range(np.uint64(width)):
            for k in range(three * x, three * x + three):
                dither[k] = offsets[x]
        row = out[y].reshape(size)
        for k in range(np.uint64(size)):
            row[k] = np.uint8(min(white * values[k] + dither[k], white))
