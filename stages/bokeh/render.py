"""The lens-blur renderer: a picture and a radius for each pixel become a shallow depth of field.

Linear light in and out; values may exceed 1. Every pixel spreads over a disk of its own radius,
continuous in radius, and blurrier counts as further away: sharper things cover blurrier ones, and
what lies uncovered is filled from what is seen of it. Pixels of radius <= 1/2 px are returned
unchanged to the bit. Results do not depend on the number of workers.
"""

from __future__ import annotations

from stages.bokeh.bands import BokehParams
from stages.bokeh.checks import check_render
from stages.bokeh.layers import spread_coarse_layers
from stages.bokeh.tiles import render_tiles
from stages.params import Array


def render_bokeh(linear: Array, radius: Array, params: BokehParams) -> Array:
    """Blur a picture by disks of the given radius, with occlusion.

    Parameters
    ----------
    linear : Array
        Linear light, HxWx3 float32; may exceed 1.
    radius : Array
        Radius of the disk of each pixel in px, HxW float32, in [0, 400].
    params : BokehParams
        Where the layers part.

    Returns
    -------
    Array
        Linear light, HxWx3 float32. Up to 7 bytes a pixel are in use beyond it.

    Raises
    ------
    ValueError
        If an input has the wrong shape, type or range.
    """
    picture = check_render("bokeh", linear, radius)
    coarse = spread_coarse_layers(picture, params)
    return render_tiles(picture, coarse, params, focus_on_top=True)
