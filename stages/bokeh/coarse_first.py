"""The preview renderer: blur at half resolution, pixels in focus at full resolution.

The picture is averaged over cells of 2 x 2 pixels. Only blurred pixels count, so that light of
pixels in focus does not leak into the blur. The average is rendered without pixels in focus,
upsampled, and cross-faded with the picture over radii from 1/2 px to BLURRED_PX. Pixels in focus
are returned unchanged, to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from stages.bokeh.bands import BokehParams
from stages.bokeh.cells import disk_in_cells
from stages.bokeh.checks import RenderInput, check_render
from stages.bokeh.compose import WITHOUT_FOCUS
from stages.bokeh.disk import FOCUS_PX
from stages.bokeh.enlarge import TILE_ROWS
from stages.bokeh.layers import spread_coarse_layers
from stages.bokeh.render import detail_steps, render_bokeh, render_surfaces
from stages.bokeh.surfaces import Surfaces, seen_radius
from stages.bokeh.tiles import render_tiles
from stages.grid import Grid
from stages.kernels import f32, inline, kernel, reads, u64, writes
from stages.kinds import LinearLight, Radius
from stages.params import Estimate
from stages.strips import STRIP_ROWS, run_strips

BLURRED_PX = np.float32(2.5)  # radius from which half resolution loses no visible detail
STEP_ROWS = 16 * TILE_ROWS  # rows of a step, enough to keep all workers busy
COARSE_PX = 5.0  # minimum of `BokehParams.coarse_px`, as coarse layers are cheaper
MIN_HALF_PX = np.float32(0.51)  # just above FOCUS_PX, so that no blurred cell is in focus

u = np.uint64


def render_bokeh_preview(linear: LinearLight, radius: Radius, params: BokehParams) -> LinearLight:
    """Blur a picture by disks of the given radius, at half the cost or less.

    Radii of 1 to 3 px and the edges of large disks are softer than those of `render_bokeh`. If any
    pixel is in front of the focus, the result is that of `render_bokeh`.

    Parameters
    ----------
    linear, radius, params
        As for `render_bokeh`.

    Returns
    -------
    Array
        Linear light, HxWx3 float32.
    """
    picture = check_render("bokeh", linear, radius, signed=True)
    if picture.radius.min() < -FOCUS_PX:
        return render_bokeh(linear, radius, params)
    params = params.replace(coarse_px=COARSE_PX)
    half = _halve(picture)
    coarse = spread_coarse_layers(half, params)
    blurred = np.empty_like(half.linear)
    render_tiles(half, coarse, params, WITHOUT_FOCUS, blurred)
    out = np.empty_like(picture.linear)
    width = out.shape[1]
    image, radii = picture.linear.reshape(-1), picture.radius.reshape(-1)
    flat_out = out.reshape(-1)

    def strip(y0: int, y1: int) -> None:
        first, stop = max(y0 // 2 - 1, 0), min(-(-y1 // 2) + 1, len(blurred))
        doubled = cv2.resize(blurred[first:stop], None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
        _fade_in(
            image, radii, width, doubled.reshape(-1), doubled.shape[1], 2 * first, y0, y1, flat_out
        )

    run_strips(strip, len(out), strip_rows=STRIP_ROWS)
    return out


def render_bokeh_steps(
    linear: LinearLight, radius: Radius, params: BokehParams
) -> Iterator[Estimate[LinearLight]]:
    """Blur a picture by disks, coarse first: `render_bokeh_preview`, and then `render_bokeh`.

    Parameters
    ----------
    linear, radius, params
        As for `render_bokeh`.

    Yields
    ------
    Estimate
        The preview until the whole picture has full detail, since a mixture would have seams. The
        residual is 1 for the preview, and 0 for the last estimate.

    Raises
    ------
    ValueError
        If an input has the wrong shape, type or range.
    """
    yield from render_surfaces_steps(linear, Surfaces.single(radius), params)


def render_surfaces_preview(
    linear: LinearLight, surfaces: Surfaces, params: BokehParams
) -> LinearLight:
    """Blur a picture by the disks of the surface with the larger share of each pixel.

    Outlines are hard, since each pixel has one surface only.

    Parameters
    ----------
    linear, surfaces, params
        As for `render_surfaces`.

    Returns
    -------
    Array
        Linear light, HxWx3 float32.
    """
    return render_bokeh_preview(linear, seen_radius(surfaces), params)


def render_surfaces_steps(
    linear: LinearLight, surfaces: Surfaces, params: BokehParams
) -> Iterator[Estimate[LinearLight]]:
    """Blur a picture, coarse first: `render_surfaces_preview`, and then `render_surfaces`.

    Parameters
    ----------
    linear, surfaces, params
        As for `render_surfaces`.

    Yields
    ------
    Estimate
        The preview until the whole picture has full detail, since a mixture would have seams. The
        residual is 1 for the preview, and 0 for the last estimate.

    Raises
    ------
    ValueError
        If an input has the wrong shape, type or range.

    Notes
    -----
    The preview uses 12 bytes per pixel more than `render_surfaces`.
    """
    if surfaces.near.min() < -FOCUS_PX:  # then the preview is not cheaper
        yield Estimate(render_surfaces(linear, surfaces, params), 0.0, done=True)
        return
    coarse = render_surfaces_preview(linear, surfaces, params)
    yield Estimate(coarse, 1.0, done=False)
    yield from detail_steps(linear, surfaces, params, coarse, STEP_ROWS)


def _halve(picture: RenderInput) -> RenderInput:
    """Picture at half resolution: mean colour and radius of the blurred pixels of each cell."""
    shape = Grid.cells(picture.radius.shape, 2).shape
    linear, radius = np.empty((*shape, 3), np.float32), np.empty(shape, np.float32)
    image, disks = picture.linear.reshape(-1), picture.radius.reshape(-1)
    halves = linear.reshape(-1), radius.reshape(-1)
    run_strips(
        lambda y0, y1: _average(image, disks, *picture.radius.shape, y0, y1, *halves), shape[0]
    )
    return RenderInput.of(linear, radius)


@inline
def _mean_of_blurred(image, radius, pixels, cell, half_image, half_radius):  # type: ignore[no-untyped-def]
    """Write the means over the blurred ones of four pixels.

    If none is blurred, all four are averaged and the radius is 0.
    """
    a, b, c, d = pixels
    ra, rb, rc, rd = radius[a], radius[b], radius[c], radius[d]
    zero, one, focus = np.float32(0), np.float32(1), np.float32(FOCUS_PX)
    blurred = max(max(ra, rb), max(rc, rd)) > focus
    least = focus if blurred else -one
    wa, wb = one if ra > least else zero, one if rb > least else zero
    wc, wd = one if rc > least else zero, one if rd > least else zero
    share = one / (wa + wb + wc + wd)
    for p in range(u(3)):
        half_image[u(3) * cell + p] = share * (
            wa * image[u(3) * a + p]
            + wb * image[u(3) * b + p]
            + wc * image[u(3) * c + p]
            + wd * image[u(3) * d + p]
        )
    mean = share * (wa * ra + wb * rb + wc * rc + wd * rd)
    disk = max(disk_in_cells(mean, np.float32(2)), MIN_HALF_PX)
    half_radius[cell] = disk if blurred else zero


@kernel(
    reads(f32, 1), reads(f32, 1), u64, u64, u64, u64, writes(f32, 1), writes(f32, 1),
    seldom=True,
)  # fmt: skip
def _average(image, radius, height, width, start, stop, half_image, half_radius):  # type: ignore[no-untyped-def]
    """Average 2 x 2 pixels; pixels of incomplete cells at the border count twice."""
    half = (width + u(1)) >> u(1)
    for y in range(start, stop):
        upper = u(2) * y * width
        lower = min(u(2) * y + u(1), height - u(1)) * width
        for x in range(half):
            i = u(2) * x
            j = min(i + u(1), width - u(1))
            pixels = (upper + i, upper + j, lower + i, lower + j)
            _mean_of_blurred(image, radius, pixels, y * half + x, half_image, half_radius)


@kernel(
    reads(f32, 1), reads(f32, 1), u64, reads(f32, 1), u64, u64, u64, u64, writes(f32, 1),
    seldom=True,
)  # fmt: skip
def _fade_in(image, radius, width, doubled, stride, first, start, stop, out):  # type: ignore[no-untyped-def]
    """Cross-fade from the picture to the upsampled blur, which starts at row `first`."""
    zero, one, focus = np.float32(0), np.float32(1), np.float32(FOCUS_PX)
    parts = np.empty(u(3) * width, np.float32)
    for y in range(start, stop):
        for x in range(width):
            t = min(max((radius[y * width + x] - focus) / (BLURRED_PX - focus), zero), one)
            part = t * t * (np.float32(3) - np.float32(2) * t)
            parts[u(3) * x] = part
            parts[u(3) * x + u(1)] = part
            parts[u(3) * x + u(2)] = part
        row, source = u(3) * y * width, u(3) * (y - first) * stride
        for k in range(u(3) * width):
            sharp = image[row + k]
            out[row + k] = sharp + parts[k] * (doubled[source + k] - sharp)
