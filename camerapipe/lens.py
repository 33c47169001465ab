"""What the preset `lens` adds: consensus of edges, a dead zone by place, outlines of two surfaces.

Segments as in `pipelines`, from which it takes all others.
"""

from __future__ import annotations

from camerapipe.graph import Node, renamed
from camerapipe.pipelines import EDGES, FINISH, HIGHLIGHTS, RADIUS, STILL_DENSE, VIEW
from stages.blur import ConsensusParams, edge_consensus
from stages.bokeh import (
    BokehParams,
    FocusParams,
    OutlineParams,
    bring_forward,
    local_dead_zone,
    part_outlines,
    relit,
    render_surfaces,
    render_surfaces_preview,
    render_surfaces_steps,
    seen_radius,
)

# fmt: off
CONSENSUS = (Node("consensus", edge_consensus, ("single_edges",), "edge_data", ConsensusParams),)
LENS_FOCUS = (Node("focus", local_dead_zone, ("sharpness_bounds", "edge_data", "blur",
                                              "focus_point"), "dead_zone", FocusParams),)
OUTLINE = (Node("outline", part_outlines, ("radius", "linear", "half_grid"), "outlines",
                OutlineParams),)
SURFACES_RENDER = (
    Node("seen", seen_radius, ("surfaces",), "signed_radius"),
    *HIGHLIGHTS,
    Node("relight", relit, ("surfaces", "linear", "bright"), "lit_surfaces"),
    Node("bokeh", render_surfaces, ("bright", "lit_surfaces"), "bokeh", BokehParams,
         fallback=render_surfaces_preview, steps=render_surfaces_steps),
    *FINISH,
)
LENS_RENDER = (
    Node("foreground", bring_forward, ("outlines", "foreground"), "surfaces"),
    *SURFACES_RENDER,
)
# fmt: on

LENS_EDGES = (*VIEW, *renamed(EDGES, edge_data="single_edges"), *CONSENSUS)
LENS_MAP = (*LENS_EDGES, *STILL_DENSE)
LENS_FOREIGN_FOCUS = (*LENS_EDGES, *LENS_FOCUS)
LENS_PICTURE = (*RADIUS, *OUTLINE, *LENS_RENDER)
