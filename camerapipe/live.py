"""The live camera on one page: one frame and the memory of those before it, and the ladder.

A frame is looked at first (`LIVE_SEE`): what it shows, and where that was before; what was seen is
the source of the picture. It is checked on a view of its own (`LIVE_CHECK`) where there is time.

What a frame leaves for the next (`next_memory`) is an output like any other and comes back as the
source `memory` (None at the first frame), so that any frame can be computed again alone. `picture`
is HxWx3 uint8, `blur` the dense map on the rung's own grid. The rungs of `LADDER` are the same
camera at falling cost; memory carries over from one to another. The last one measures no blur: it
carries the map in memory along the motion, and protects what is sharp. Costs are first guesses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from camerapipe.graph import Graph, Node
from stages.blur import (
    BlurParams,
    CoarseParams,
    EvidenceParams,
    ShadingParams,
    coarse_edges,
    doubt_shading,
    keep_detail,
    linked_edges,
    octave_blur,
    sharp_edges_bound,
    sharpness_evidence,
    survey,
    thin_edges,
    unclaimed,
    within_bounds,
)
from stages.bokeh import (
    BokehParams,
    RadiusParams,
    ResolveParams,
    disk_radius,
    proven_dead_zone,
    render_bokeh,
    resolve_shown,
    resolve_upsampled,
)
from stages.capture_check import CheckParams, judge, quick_evidence
from stages.finish import FinishParams, finish
from stages.highlights import HighlightsParams, recover_highlights
from stages.laplacian import LaplacianParams, grid_laplacian
from stages.preview import dead_zone_on_view, render_preview, to_picture, upsample_to_view
from stages.propagate import PropagateParams, propagate_bounded
from stages.scribble import ScribbleParams, scribbled
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
SEE = (
    Node("working_grid", working_grid, ("linear",), "grid", ViewParams),
    Node("show_grid", show_grid, ("linear", "grid"), "shown", ShowParams),
    Node("light", light_at, ("linear", "shown"), "light", cost=2),
    Node("view", view_of, ("linear", "light", "shown", "grid"), "view", cost=2),
    Node("track", track, ("view", "grid", "memory"), "motion", SteadyParams, cost=4),
)
CHECK = (
    Node("check_grid", working_grid, ("linear",), "check_grid", ViewParams),
    Node("check_view", guide_at, ("view", "grid", "check_grid"), "check_view", cost=1),
    Node("look", quick_evidence, ("check_view", "check_grid"), "seen", CheckParams, cost=10),
    Node("judge", judge, ("seen", "optics"), "findings", CheckParams),
)
MEASURE = (
    Node("survey", survey, ("view",), "edge_survey", BlurParams, cost=2),
    Node("edges", thin_edges, ("edge_survey",), "edge_strength", BlurParams, cost=1),
    Node("link", linked_edges, ("edge_strength",), "linked", cost=1),
    Node("octaves", octave_blur, ("view", "linked", "edge_survey", "grid"), "edge_blur",
         BlurParams, cost=9),
    Node("evidence", sharpness_evidence, ("view", "edge_survey", "grid"), "new_evidence",
         EvidenceParams, cost=6),
    Node("coarse", coarse_edges, ("view", "edge_blur", "new_evidence"), "all_edges", CoarseParams,
         cost=7),
    Node("shading", doubt_shading, ("all_edges", "view"), "new_edges", ShadingParams, cost=1),
)
STEADY = (
    Node("recall", recall, ("new_edges", "new_evidence", "motion"), "history", SteadyParams,
         cost=6),
    Node("steady_edges", steady_edges, ("new_edges", "history"), "sparse", cost=1),
    Node("steady_evidence", steady_evidence, ("new_evidence", "history"), "evidence", cost=3),
)
SOLVE = (
    Node("solve_grid", solve_grid_of_view, ("linear", "grid"), "half_grid", ViewParams),
    Node("guide", guide_at, ("view", "grid", "half_grid"), "guide", cost=1),
    Node("unclaimed", unclaimed, ("evidence", "scribbles"), "free_evidence"),
    Node("bounds", gather_cells, ("free_evidence", "half_grid"), "bounds", cost=3),
    Node("samples", gather_cells, ("sparse", "half_grid"), "samples", cost=1),
    Node("constraints", within_bounds, ("samples", "bounds"), "constraints", cost=1),
    Node("scribbles", scribbled, ("constraints", "scribbles"), "held", ScribbleParams, cost=1),
    Node("sharp", sharp_edges_bound, ("held", "bounds", "grid"), "limits", cost=1),
    Node("laplacian", grid_laplacian, ("guide", "half_grid"), "laplacian", LaplacianParams,
         cost=2),
    Node("start", first_map, ("held", "history"), "start", cost=2),
    Node("propagate", propagate_bounded, ("laplacian", "held", "limits", "start"), "blur_low",
         PropagateParams, anytime=True),
)
DETAIL = Node("detail", keep_detail, ("guided", "free_evidence"), "blur", cost=3)
RADIUS = Node("radius", disk_radius, ("blur", "dead_zone"), "radius", RadiusParams, cost=1)
REMEMBER = (
    Node("steady_focus", steady_dead_zone, ("new_dead_zone", "history"), "dead_zone",
         SteadyParams),
    Node("remember", remember,
         ("motion", "history", "sparse", "evidence", "blur_low", "dead_zone"), "next_memory",
         SteadyParams),
)
FOCUS_ON_VIEW = Node("focus", dead_zone_on_view, ("evidence", "blur", "focus_point"),
                     "new_dead_zone", RadiusParams, cost=1)
CARRY = (
    Node("solve_grid", solve_grid_of_view, ("linear", "grid"), "half_grid", ViewParams),
    Node("carry", carried_map, ("motion", "half_grid"), "blur_low", cost=1),
    Node("survey", survey, ("view",), "edge_survey", BlurParams, cost=2),
    Node("evidence", sharpness_evidence, ("view", "edge_survey", "grid"), "new_evidence",
         EvidenceParams, cost=6),
    Node("protect", carried_evidence, ("new_evidence", "motion"), "free_evidence", cost=1),
    Node("focus", carried_dead_zone, ("motion",), "dead_zone"),
    Node("keep", keep_measured, ("motion",), "next_memory"),
)
SHOW = (
    Node("shown_view", guide_at, ("view", "grid", "shown"), "shown_view"),
    Node("upsample", upsample_to_view, ("blur_low", "shown_view", "shown"), "guided",
         UpsampleParams, cost=3),
    DETAIL,
    RADIUS,
    Node("resolve", resolve_shown, ("radius", "grid"), "disk_radius", ResolveParams, cost=2),
    Node("preview", render_preview, ("linear", "light", "disk_radius", "shown", "curve"),
         "picture", BokehParams, cost=16),
)
RENDER = (
    Node("upsample", upsample_to_light, ("blur_low", "linear"), "guided", UpsampleParams, cost=9),
    Node("focus", proven_dead_zone, ("evidence", "blur", "focus_point"), "new_dead_zone",
         RadiusParams, cost=1),
    DETAIL,
    RADIUS,
    Node("resolve", resolve_upsampled, ("radius", "blur_low"), "disk_radius", ResolveParams,
         cost=3),
    Node("highlights", recover_highlights, ("linear", "disk_radius", "headroom"), "bright",
         HighlightsParams, cost=2),
    Node("bokeh", render_bokeh, ("bright", "disk_radius"), "bokeh", BokehParams, cost=50),
    Node("finish", finish, ("bokeh", "curve", "linear", "disk_radius"), "finished", FinishParams,
         cost=4),
    Node("codes", to_picture, ("finished",), "picture", cost=2),
)
# fmt: on

PICTURE_SOURCES = ("linear", "grid", "view", "motion", "focus_point", "curve", "scribbles")
PICTURE_OUTPUTS = ("picture", "blur", "next_memory")
SHOWN = ("shown", "light")  # for previews only
LIVE_SEE = Graph("live-see", ("linear", "memory"), SEE, ("grid", "view", "motion", *SHOWN))
LIVE_CHECK = Graph("live-check", ("linear", "optics", "view", "grid"), CHECK, ("findings",))
LIVE_FULL = Graph(
    "live-full",
    (*PICTURE_SOURCES, "headroom"),
    (*MEASURE, *STEADY, *SOLVE, *REMEMBER, *RENDER),
    PICTURE_OUTPUTS,
)
LIVE = Graph(
    "live",
    (*PICTURE_SOURCES, *SHOWN),
    (*MEASURE, *STEADY, *SOLVE, FOCUS_ON_VIEW, *REMEMBER, *SHOW),
    PICTURE_OUTPUTS,
)
LIVE_CARRY = Graph(
    "live-carry",
    ("linear", "grid", "view", "motion", "curve", *SHOWN),
    (*CARRY, *SHOW),
    PICTURE_OUTPUTS,
)


FRAME_SIDE_PX = 1600  # frames up to this long are looked at at every pixel on the best rungs
STRIP_ROWS = 180  # half a view of 720p, so that two workers share it evenly


@dataclass(frozen=True, slots=True)
class Rung:
    """One way to compute a frame: its graph after `LIVE_SEE`, and what differs in its stages.

    `instead` names the rung that measures where there is no map to carry.
    """

    name: str
    graph: Graph
    params: Mapping[str, Mapping[str, Any]]
    instead: str | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """One way to check a frame: what differs in the stages of `LIVE_CHECK`."""

    name: str
    params: Mapping[str, Mapping[str, Any]]


# Blur left alone, per step of the view: what a coarser view takes for slight blur may be its own.
# That is more, and blur is magnified in full from about the same on.
FOCUS = {
    1: {"focus_margin": 1.6, "focus_floor_px": 0.96, "focus_ceiling_px": 1.5, "focus_ramp": 1.8},
    2: {"focus_margin": 1.6, "focus_floor_px": 0.75, "focus_ceiling_px": 1.0, "focus_ramp": 1.4},
}
UPSAMPLE = {"window_radius_px": 10, "epsilon": 0.01}  # outlines are hard: the guide places them


def _rung(
    name: str,
    graph: Graph,
    *,
    view: int,
    solve: int,
    steps: int,
    octaves: int,
    coarser: int = 1,
    instead: str | None = None,
) -> Rung:
    """Rung for a 720p frame: step of its view, pixels of that in a step of the solve, and so on."""
    return Rung(
        name,
        graph,
        {
            "view": {"working_side_px": FRAME_SIDE_PX // view, "solve_step": solve},
            "show": {"coarser": coarser},
            "propagate": {"iterations": steps, "bound_updates": 1},
            "coarse": {"octaves": octaves},
            "radius": FOCUS[view],
            "upsample": UPSAMPLE,
            "blur": {"strip_rows": STRIP_ROWS},
            "evidence": {"strip_rows": STRIP_ROWS},
        },
        instead,
    )


LADDER = (  # the best first
    _rung("full", LIVE_FULL, view=1, solve=2, steps=12, octaves=2),
    _rung("fine", LIVE_FULL, view=1, solve=4, steps=6, octaves=2),
    _rung("good", LIVE, view=1, solve=4, steps=3, octaves=2),
    _rung("preview", LIVE, view=2, solve=4, steps=2, octaves=0),
    _rung("draft", LIVE, view=2, solve=4, steps=2, octaves=0, coarser=2),
    _rung("carry", LIVE_CARRY, view=2, solve=4, steps=2, octaves=0, coarser=2, instead="draft"),
)
DEFAULT_RUNG = LADDER[3]

# Thresholds for what the check sees on coarse views, where sharp edges look softer: with those for
# every second pixel it agrees with the full check on photographs.
QUICK_CHECK: dict[int, dict[str, float]] = {
    2: {
        "sharp_sigma_px": 2.25, "present_sigma_px": 3.2, "present_share": 0.3,
        "weak_sigma_px": 1.43, "weak_share": 0.1, "shake_contrast": 1.0,
    },
    4: {
        "sharp_sigma_px": 2.3, "present_sigma_px": 6.0, "present_share": 0.35,
        "weak_sigma_px": 3.2, "weak_share": 0.27, "shake_contrast": 5.0, "least_signal": 10.0,
    },
}  # fmt: skip
LOOKS = tuple(  # the best first, on every second and fourth pixel of a 720p frame
    Look(name, {"view": {"working_side_px": FRAME_SIDE_PX // step}, "check": QUICK_CHECK[step]})
    for name, step in (("check", 2), ("glance", 4))
)
