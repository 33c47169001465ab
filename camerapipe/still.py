"""A still photograph by the default preset: bokeh balls, agreement of edges, outlines.

Segments as in `pipelines`, from which it takes all others.
"""

from __future__ import annotations

from camerapipe.graph import Node, renamed
from camerapipe.pipelines import (
    BOUND,
    DISKS,
    EDGES,
    FINISH,
    HIGHLIGHTS,
    RADIUS,
    STILL_DENSE,
    SURVEY,
    VIEW,
)
from stages.blur import (
    BallParams,
    ConsensusParams,
    accepted_balls,
    add_ball_edges,
    edge_consensus,
    without_ball_rims,
)
from stages.bokeh import (
    BokehParams,
    FocusParams,
    OutlineParams,
    bring_forward,
    find_lamps,
    given_dead_zone,
    local_dead_zone,
    part_outlines,
    relit,
    render_lit,
    render_lit_preview,
    render_lit_steps,
    render_surfaces,
    render_surfaces_preview,
    render_surfaces_steps,
    seen_radius,
)
from stages.highlights import HighlightsParams

# fmt: off
RIMS = (
    Node("balls", accepted_balls, ("round_disks", "measured_edges", "measured_bounds"), "balls",
         BallParams),
    Node("edge_rims", without_ball_rims, ("measured_edges", "balls", "grid"), "single_edges"),
    Node("sharp_rims", without_ball_rims, ("measured_bounds", "balls", "grid"),
         "sharpness_bounds"),
)
CONSENSUS = (
    Node("consensus", edge_consensus, ("single_edges",), "agreed_edges", ConsensusParams),
    Node("ball_edges", add_ball_edges, ("agreed_edges", "sharpness_bounds", "balls"), "edge_data"),
)
STILL_FOCUS = (Node("focus", local_dead_zone, ("sharpness_bounds", "edge_data", "blur",
                                               "focus_point"), "dead_zone", FocusParams),)
GIVEN_FOCUS = (*VIEW, *SURVEY, *BOUND,
               Node("focus", given_dead_zone, ("sharpness_bounds", "blur", "focus_point"),
                    "dead_zone", FocusParams))
OUTLINE = (Node("outline", part_outlines, ("radius", "linear", "half_grid"), "outlines",
                OutlineParams),)
FRONT = (Node("foreground", bring_forward, ("outlines", "foreground"), "surfaces"),)
RELIGHT = (
    Node("seen", seen_radius, ("surfaces",), "signed_radius"),
    *HIGHLIGHTS,
    Node("relight", relit, ("surfaces", "linear", "bright"), "lit_surfaces"),
)
SURFACES_RENDER = (
    *RELIGHT,
    Node("bokeh", render_surfaces, ("bright", "lit_surfaces"), "bokeh", BokehParams,
         fallback=render_surfaces_preview, steps=render_surfaces_steps),
    *FINISH,
)
STILL_RENDER = (
    *FRONT,
    *RELIGHT,
    Node("lamps", find_lamps, ("round_disks", "signed_radius", "blur", "linear", "headroom"),
         "lamps", HighlightsParams),
    Node("bokeh", render_lit, ("bright", "lit_surfaces", "lamps"), "bokeh", BokehParams,
         fallback=render_lit_preview, steps=render_lit_steps),
    *FINISH,
)
# fmt: on

STILL_EDGES = (
    *DISKS,
    *renamed(EDGES, edge_data="measured_edges", sharpness_bounds="measured_bounds"),
    *RIMS,
    *CONSENSUS,
)
STILL_MAP = (*STILL_EDGES, *STILL_DENSE)
STILL_PICTURE = (*DISKS, *RADIUS, *OUTLINE, *STILL_RENDER)
