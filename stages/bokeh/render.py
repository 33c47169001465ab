"""The lens-blur renderer: shallow depth of field from a picture and a disk radius per pixel.

Input and output are linear light, and values may exceed 1. Every pixel is splatted over a disk of
its own radius; the result is continuous in the radius. Blurrier means farther: sharper surfaces
cover blurrier ones. The hidden part of a surface is filled from its visible part. A negative radius
means in front of the focus. There, blurrier means nearer, and the foreground covers the rest.
Pixels of radius up to 1/2 px are returned exactly unchanged unless a foreground covers them. Along
outlines a pixel may have two surfaces (`surfaces.py`). Each is splatted over its own disk, with its
own coverage. Results do not depend on the number of workers.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from stages.bokeh.bands import LARGEST_CATS_EYE, BokehParams
from stages.bokeh.checks import RenderInput, check_render
from stages.bokeh.compose import IN_FRONT, WITH_FOCUS
from stages.bokeh.disk import FOCUS_PX
from stages.bokeh.foreground import Continued, continued, fill_unseen
from stages.bokeh.layers import spread_coarse_layers
from stages.bokeh.surfaces import Surfaces, check_surfaces
from stages.bokeh.tiles import render_tiles
from stages.kinds import LinearLight, Radius
from stages.params import Array, Estimate


def render_bokeh(linear: LinearLight, radius: Radius, params: BokehParams) -> LinearLight:
    """Blur a picture by disks of the given radius, with occlusion.

    Parameters
    ----------
    linear : Array
        Linear light, HxWx3 float32; may exceed 1.
    radius : Array
        Radius of the disk of each pixel in px, HxW float32, in [-400, 400]; negative in front of
        the focus.
    params : BokehParams
        Boundaries of the layers, and the aperture.

    Returns
    -------
    Array
        Linear light, HxWx3 float32.

    Raises
    ------
    ValueError
        If an input has the wrong shape, type or range.

    Notes
    -----
    Besides the result, up to 16 bytes per pixel and 2 MB per worker are in use, and about 4 bytes
    per pixel more if there is a foreground, or 32 if it touches the borders of the picture.
    """
    return render_surfaces(linear, Surfaces.single(radius), params)


def render_surfaces(linear: LinearLight, surfaces: Surfaces, params: BokehParams) -> LinearLight:
    """Blur a picture whose outlines have two surfaces; the rest is as in `render_bokeh`.

    Parameters
    ----------
    linear : Array
        Linear light, HxWx3 float32; may exceed 1.
    surfaces : Surfaces
        Radii in px, and the far surface along outlines. If the far surface has the share h of a
        pixel, its light B is splatted with coverage h over a disk of the far radius. The remaining
        light I - h B is splatted with coverage 1 - h over a disk of the near radius, in front.
    params : BokehParams
        Boundaries of the layers, and the aperture.

    Returns
    -------
    Array
        Linear light, HxWx3 float32.

    Raises
    ------
    ValueError
        If an input has the wrong shape, type or range.

    Notes
    -----
    Both surfaces of a pixel are splatted into the same layers, so that it takes no more memory than
    `render_bokeh`.
    """
    *_, full = detail_steps(linear, surfaces, params, linear, step_rows=len(linear))
    return full.value


def detail_steps(
    linear: LinearLight,
    surfaces: Surfaces,
    params: BokehParams,
    meanwhile: LinearLight,
    step_rows: int,
) -> Iterator[Estimate[LinearLight]]:
    """Render as `render_surfaces`, in steps of some rows.

    Parameters
    ----------
    linear : Array
        Linear light, HxWx3 float32; may exceed 1.
    surfaces : Surfaces
        Radii in px, and the far surface along outlines.
    params : BokehParams
        Boundaries of the layers, and the aperture.
    meanwhile : Array
        Value of all estimates but the last, HxWx3 float32 in linear light.
    step_rows : int
        Rows of a step, a multiple of `TILE_ROWS` or the height of the picture.

    Yields
    ------
    Estimate
        `meanwhile` with residual 1 after the coarse layers and after each step; at last the picture
        with residual 0.

    Raises
    ------
    ValueError
        If an input has the wrong shape, type or range.
    """
    picture = _picture(linear, surfaces)
    unfinished = Estimate(meanwhile, 1.0, done=False)
    coarse = spread_coarse_layers(picture, params)
    yield unfinished
    out = np.empty_like(picture.linear)  # after the cells of the layers are freed
    for start in range(0, len(out), step_rows):
        rows = range(start, min(start + step_rows, len(out)))
        render_tiles(picture, coarse, params, WITH_FOCUS, out, rows)
        yield unfinished
    del coarse
    nearest = -float(picture.radius.min())
    if nearest > FOCUS_PX:
        fill_unseen(out, picture.linear)
        out = _with_front(out, continued(picture.linear, picture.radius), params)
    yield Estimate(out, 0.0, done=True)


def _with_front(out: Array, front: Continued, params: BokehParams) -> Array:
    """A picture with what is in front of the focus laid over it."""
    sizes = (float(np.hypot(*plane.shape[:2])) for plane in (front.linear, out))
    cats_eye = min(params.cats_eye * next(sizes) / next(sizes), LARGEST_CATS_EYE)
    params = params.replace(cats_eye=cats_eye)  # it grows towards the corners of the picture
    m = front.margin
    whole = cv2.copyMakeBorder(out, *4 * (m,), cv2.BORDER_REPLICATE) if m else out
    picture = RenderInput.of(front.linear, front.radius)
    render_tiles(picture, spread_coarse_layers(picture, params), params, IN_FRONT, whole)
    return np.ascontiguousarray(front.inside(whole))


def _picture(linear: LinearLight, surfaces: Surfaces) -> RenderInput:
    """A checked picture with its far surfaces."""
    picture = check_render("bokeh", linear, surfaces.near, signed=True)
    if not surfaces.has_outlines:
        return picture
    check_surfaces("bokeh", surfaces, picture.radius.shape)
    behind = RenderInput.of(surfaces.far_light, surfaces.far)
    return picture._replace(
        far_share=np.ascontiguousarray(surfaces.far_share),
        far=behind.linear, far_radius=behind.radius, far_tops=behind.tops,
    )  # fmt: skip
