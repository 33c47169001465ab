"""Lens blur: the radius of the disk of each pixel from a blur map, and the rendering of the disks.

`zone.py` computes the dead zone of a picture, `focus.py` that of each place, and `radius.py` the
radius that magnifies the blur. `jumps.py`, `coverage.py` and `outline.py` separate the pixels along
outlines into the two surfaces of `surfaces.py`. `foreground.py` marks the pixels in front of the
focus, and `render.py` renders. `resolve.py` replaces the transitions of the radius at outlines by
steps, for previews and for the method of the paper.

`coarse_first.py` renders at half resolution, and in steps from there to full detail. `reference.py`
has exact renderers by brute force, for tests. The parts of the renderer are:

- `disk.py`: the disk kernel; `aperture.py`: the shape of the aperture;
- `bands.py`: the parameters, and which layer renders which radius;
- `gather.py`, `scatter.py`, `spread.py`: splatting of a layer. Splatting distributes the light of
  every source over its disk. It is computed by gather (each output sums the sources that reach it)
  or by scatter (each source adds to the outputs that it reaches);
- `parting.py`: occlusion within a layer, by a front and a back half;
- `cells.py`, `layers.py`: large disks at reduced resolution; `fine.py`: small disks;
- `sprites.py`, `sprite_table.py`: highlights, drawn at full resolution;
- `tiles.py`, `enlarge.py`, `compose.py`: the final pass, which upsamples and composites the layers.
"""

from stages.bokeh.bands import BokehParams
from stages.bokeh.coarse_first import (
    render_bokeh_preview,
    render_bokeh_steps,
    render_surfaces_preview,
    render_surfaces_steps,
)
from stages.bokeh.focus import FocusParams, given_dead_zone, local_dead_zone
from stages.bokeh.foreground import bring_forward, mark_foreground
from stages.bokeh.jumps import OutlineParams
from stages.bokeh.lamplight import render_lit, render_lit_preview, render_lit_steps
from stages.bokeh.lamps import Lamps, find_lamps
from stages.bokeh.outline import part_outlines
from stages.bokeh.radius import RadiusParams, disk_radius
from stages.bokeh.render import render_bokeh, render_surfaces
from stages.bokeh.resolve import (
    ResolveParams,
    resolve_shown,
    resolve_transitions,
    resolve_upsampled,
)
from stages.bokeh.surfaces import Surfaces, relit, seen_radius
from stages.bokeh.zone import DeadZoneParams, dead_zone, focus_sigma, proven_dead_zone

__all__ = [
    "BokehParams",
    "DeadZoneParams",
    "FocusParams",
    "Lamps",
    "OutlineParams",
    "RadiusParams",
    "ResolveParams",
    "Surfaces",
    "bring_forward",
    "dead_zone",
    "disk_radius",
    "find_lamps",
    "focus_sigma",
    "proven_dead_zone",
    "given_dead_zone",
    "local_dead_zone",
    "mark_foreground",
    "part_outlines",
    "relit",
    "render_bokeh",
    "render_bokeh_preview",
    "render_bokeh_steps",
    "render_lit",
    "render_lit_preview",
    "render_lit_steps",
    "render_surfaces",
    "render_surfaces_preview",
    "render_surfaces_steps",
    "seen_radius",
    "resolve_shown",
    "resolve_transitions",
    "resolve_upsampled",
]
