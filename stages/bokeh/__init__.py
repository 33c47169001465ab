"""Lens blur: from a blur map to the radius of disks, and from these to the picture.

`radius.py` magnifies, `resolve.py` sharpens outlines, `foreground.py` marks what lies in front of
the focus, `render.py` renders.

`preview.py` is a renderer at half resolution, and the steps from there to full detail.
`reference.py` has exact renderers by brute force, for tests. The parts of the renderer are:

- `disk.py`: the disk kernel; `aperture.py`: the shape of the aperture;
- `bands.py`: the parameters, and which layer renders which radius;
- `gather.py`, `scatter.py`, `spread.py`: splatting of a layer. Splatting distributes the light of
  every source over its disk. It is computed by gather (each output sums the sources that reach it)
  or by scatter (each source adds to the outputs that it reaches);
- `parting.py`: occlusion within a layer, by a front and a back half;
- `cells.py`, `layers.py`: large disks at reduced resolution; `fine.py`: small disks;
- `sprites.py`: highlights, drawn at full resolution;
- `tiles.py`, `enlarge.py`, `compose.py`: the final pass, which upsamples and composites the layers.
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
