"""Lens blur: from a blur map to the radius of disks, and from these to the picture.

`radius.py` magnifies, `resolve.py` sharpens outlines, `foreground.py` marks what lies in front of
the focus, `render.py` renders.

`preview.py` is the cheaper form, and the steps from it to full detail; `reference.py` is the exact
one by brute force. The others are rooms of the renderer: `disk.py` the kernel, `aperture.py` its
shape, `bands.py` which layer renders what, `parting.py` what covers what within a layer,
`gather.py`, `scatter.py` and `spread.py` the inner loops, `cells.py` and `layers.py` large disks at
lower resolution, `fine.py` small ones, `sprites.py` highlights, `tiles.py`, `enlarge.py` and
`compose.py` the final pass.
"""

from stages.bokeh.bands import BokehParams
from stages.bokeh.foreground import mark_foreground
from stages.bokeh.preview import render_bokeh_preview, render_bokeh_steps
from stages.bokeh.radius import (
    RadiusParams,
    dead_zone,
    disk_radius,
    focus_sigma,
    proven_dead_zone,
)
from stages.bokeh.render import render_bokeh
from stages.bokeh.resolve import (
    ResolveParams,
    resolve_shown,
    resolve_transitions,
    resolve_upsampled,
)

__all__ = [
    "BokehParams",
    "RadiusParams",
    "ResolveParams",
    "dead_zone",
    "disk_radius",
    "focus_sigma",
    "proven_dead_zone",
    "mark_foreground",
    "render_bokeh",
    "render_bokeh_preview",
    "render_bokeh_steps",
    "resolve_shown",
    "resolve_transitions",
    "resolve_upsampled",
]
