"""What a stream adds to the stages of a still: the frame before, and forms for a preview.

A live graph is a still graph with a temporal filter behind its measurements. What a frame leaves
for the next (`next_memory`) is an output like any other and comes back as the source `memory` (None
at the first frame), so that any frame can be computed again by itself.
"""

from __future__ import annotations

from dataclasses import replace

from camerapipe.corrections import FREE
from camerapipe.graph import Node, renamed
from camerapipe.pipelines import (
    BOUND,
    CONSTRAIN,
    DETAIL,
    EDGES,
    JUDGE,
    RADIUS,
    RENDER,
    RESOLVE_LOW,
    SOLVE,
    SURVEY,
    VIEW,
    graph,
)
from stages.bokeh import BokehParams, DeadZoneParams, ResolveParams, proven_dead_zone, resolve_shown
from stages.capture_check import CheckParams, quick_blur_statistics
from stages.preview import dead_zone_on_view, render_preview, to_picture, upsample_to_view
from stages.steady import (
    SteadyParams,
    carried_dead_zone,
    carried_evidence,
    carried_map,
    first_map,
    keep_measured,
    recall,
    remember,
    steady_dead_zone,
    steady_edges,
    steady_evidence,
    track,
)
from stages.upsample import UpsampleParams, upsample_to_light
from stages.view import (
    ShowParams,
    ViewParams,
    gather_cells,
    guide_at,
    light_at,
    show_grid,
    solve_grid_of_view,
    view_of,
    working_grid,
)

# fmt: off
LIVE_GRID = (Node("solve_grid", solve_grid_of_view, ("linear", "grid"), "half_grid", ViewParams),)
LIVE_CELLS = (
    Node("guide", guide_at, ("view", "grid", "half_grid"), "guide"),
    Node("bounds", gather_cells, ("free_bounds", "half_grid"), "cell_bounds"),
    Node("samples", gather_cells, ("edge_data", "half_grid"), "cell_data"),
)
SEE = (
    VIEW[0],
    Node("show_grid", show_grid, ("linear", "grid"), "shown", ShowParams),
    Node("light", light_at, ("linear", "shown"), "light"),
    Node("view", view_of, ("linear", "light", "shown", "grid"), "view"),
    Node("track", track, ("view", "grid", "memory"), "motion", SteadyParams),
)
FILTER = (
    Node("recall", recall, ("new_data", "new_bounds", "motion"), "history", SteadyParams),
    Node("steady_edges", steady_edges, ("new_data", "history"), "edge_data"),
    Node("steady_evidence", steady_evidence, ("new_bounds", "history"), "sharpness_bounds"),
)
START = (Node("start", first_map, ("constraints", "history"), "previous"),)
REMEMBER = (
    Node("steady_focus", steady_dead_zone, ("new_dead_zone", "history"), "dead_zone",
         SteadyParams),
    Node("remember", remember,
         ("motion", "history", "edge_data", "sharpness_bounds", "blur_low", "dead_zone"),
         "next_memory", SteadyParams),
)
CARRY = (
    *LIVE_GRID,
    Node("carry", carried_map, ("motion", "half_grid"), "blur_low"),
    *SURVEY,
    *renamed(BOUND, sharpness_bounds="new_bounds"),
    Node("protect", carried_evidence, ("new_bounds", "motion"), "free_bounds"),
    Node("focus", carried_dead_zone, ("motion",), "dead_zone"),
    Node("keep", keep_measured, ("motion",), "next_memory"),
)
FOCUS_ON_VIEW = (Node("focus", dead_zone_on_view, ("sharpness_bounds", "blur", "focus_point"),
                      "new_dead_zone", DeadZoneParams),)
SHOW = (
    Node("shown_view", guide_at, ("view", "grid", "shown"), "shown_view"),
    Node("upsample", upsample_to_view, ("blur_low", "shown_view", "shown"), "guided",
         UpsampleParams),
    *DETAIL,
    *RADIUS,
    Node("resolve", resolve_shown, ("radius", "grid"), "disk_radius", ResolveParams),
    Node("preview", render_preview, ("linear", "light", "disk_radius", "shown", "curve"),
         "picture", BokehParams),
)
LIVE_RENDER = (
    Node("upsample", upsample_to_light, ("blur_low", "linear"), "guided", UpsampleParams),
    Node("focus", proven_dead_zone, ("sharpness_bounds", "blur", "focus_point"), "new_dead_zone",
         DeadZoneParams),
    *DETAIL,
    *RADIUS,
    *RESOLVE_LOW,
    *(replace(node, fallback=None, steps=None)  # a rung that fits was chosen before the frame
      for node in renamed(RENDER, signed_radius="disk_radius", picture="finished")),
    Node("codes", to_picture, ("finished",), "picture"),
)
# fmt: on

LIVE_MAP = (
    *renamed(EDGES, edge_data="new_data", sharpness_bounds="new_bounds"),
    *FILTER, *LIVE_GRID, *FREE, *LIVE_CELLS, *CONSTRAIN, *START, *SOLVE,
)  # fmt: skip

SHOWN = ("shown", "light")  # read by previews only
LIVE_OUTPUTS = ("picture", "blur", "free_bounds", "next_memory")
LIVE_SEE = graph("live-see", SEE, ("grid", "view", "motion", *SHOWN))
LIVE_CHECK = graph(
    "live-check",
    (
        Node("check_grid", working_grid, ("linear",), "check_grid", ViewParams),
        Node("check_view", guide_at, ("view", "grid", "check_grid"), "check_view"),
        Node(
            "look", quick_blur_statistics, ("check_view", "check_grid"), "statistics", CheckParams
        ),
        *JUDGE,
    ),
    ("findings",),
)
LIVE_FULL = graph("live-full", (*LIVE_MAP, *REMEMBER, *LIVE_RENDER), LIVE_OUTPUTS)
LIVE = graph("live", (*LIVE_MAP, *FOCUS_ON_VIEW, *REMEMBER, *SHOW), LIVE_OUTPUTS)
LIVE_CARRY = graph("live-carry", (*CARRY, *SHOW), LIVE_OUTPUTS)
