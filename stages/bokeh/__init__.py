"""Lens blur: from a blur map to the radius of disks, and from these to the picture.

`focus.py` says what is left alone, `radius.py` magnifies; `jumps.py`, `coverage.py` and
`outline.py` part the pixels along outlines into the two surfaces of `surfaces.py`; `foreground.py`
marks what lies in front of the focus, and `render.py` renders. `resolve.py` makes outlines steps,
for previews and for the paper's own way.

`preview.py` is the cheaper form, and the steps from it to full detail; `reference.py` is the exact
one by brute force. The others are rooms of the renderer: `disk.py` the kernel, `aperture.py` its
shape, `bands.py` which layer renders what, `parting.py` what covers what within a layer,
`gather.py`, `scatter.py` and `spread.py` the inner loops, `cells.py` and `layers.py` large disks at
lower resolution, `fine.py` small ones, `sprites.py` highlights, `tiles.py`, `enlarge.py` and
`compose.py` the final pass.
"""

from stages.bokeh.bands import BokehParams
from stages.bokeh.focus import FocusParams, local_dead_zone
from stages.bokeh.foreground import bring_forward, mark_foreground
from stages.bokeh.jumps import OutlineParams
from stages.bokeh.outline import part_outlines
from stages.bokeh.preview import (
    render_bokeh_preview,
    render_bokeh_steps,
    render_surfaces_preview,
    render_surfaces_steps,
)
from stages.bokeh.radius import (
    RadiusParams,
    dead_zone,
    disk_radius,
    focus_sigma,
    proven_dead_zone,
)
from stages.bokeh.render import render_bokeh, render_surfaces
from stages.bokeh.resolve import (
    ResolveParams,
    resolve_shown,
    resolve_transitions,
    resolve_upsampled,
)
from stages.bokeh.surfaces import Surfaces, relit, seen_radius

__all__ = [
    "BokehParams",
    "FocusParams",
    "OutlineParams",
    "RadiusParams",
    "ResolveParams",
    "Surfaces",
    "bring_forward",
    "dead_zone",
    "disk_radius",
    "focus_sigma",
    "proven_dead_zone",
    "local_dead_zone",
    "mark_foreground",
    "part_outlines",
    "relit",
    "render_bokeh",
    "render_bokeh_preview",
    "render_bokeh_steps",
    "render_surfaces",
    "render_surfaces_preview",
    "render_surfaces_steps",
    "seen_radius",
    "resolve_shown",
    "resolve_transitions",
    "resolve_upsampled",
]
