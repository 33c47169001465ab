"""The camera on one page: what runs after what, and the presets.

Every line is a stage: name, function, what it reads, what it makes. Costs are first guesses in ms
per megapixel of the picture, measured with `tools/bench.py e2e` on two cores; the runner replaces
them by what it measures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from camerapipe.graph import Graph, Node
from camerapipe.live import LIVE, LIVE_CARRY, LIVE_CHECK, LIVE_FULL, LIVE_SEE
from stages.advice import AdviceParams
from stages.arrays import reduce_bicubic
from stages.blur import (
    BlurParams,
    CoarseParams,
    EvidenceParams,
    ShadingParams,
    clean_sparse,
    coarse_edges,
    crossings,
    doubt_shading,
    edge_blur,
    keep_detail,
    link_edges,
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
    FocusParams,
    OutlineParams,
    RadiusParams,
    ResolveParams,
    Surfaces,
    bring_forward,
    dead_zone,
    disk_radius,
    local_dead_zone,
    part_outlines,
    relit,
    render_surfaces,
    render_surfaces_preview,
    render_surfaces_steps,
    resolve_transitions,
    resolve_upsampled,
    seen_radius,
)
from stages.capture_check import CheckParams, gather_evidence, judge
from stages.finish import FinishParams, finish
from stages.grid import lift, lift_bicubic
from stages.highlights import HighlightsParams, recover_highlights
from stages.laplacian import LaplacianParams, grid_laplacian, matting_laplacian
from stages.params import Params
from stages.propagate import PropagateParams, propagate, propagate_bounded
from stages.scribble import ScribbleParams, scribbled
from stages.tone import encode
from stages.upsample import (
    UpsampleParams,
    bilinear_upsample,
    guided_upsample,
    upsample_to_light,
)
from stages.view import ViewParams, even_grid, guide_from, solve_grid, view_at, working_grid

# fmt: off
LOOK = (
    Node("working_grid", working_grid, ("linear",), "grid", ViewParams),
    Node("view", view_at, ("linear", "grid"), "view", cost=4),
    Node("survey", survey, ("view",), "edge_survey", BlurParams, cost=3),
)
ESTIMATE = (
    *LOOK,
    Node("edges", thin_edges, ("edge_survey",), "edge_strength", BlurParams, cost=1),
    Node("link", linked_edges, ("edge_strength",), "linked", cost=4),
    Node("octaves", octave_blur, ("view", "linked", "edge_survey", "grid"), "edge_blur",
         BlurParams, cost=10),
    Node("evidence", sharpness_evidence, ("view", "edge_survey", "grid"), "evidence",
         EvidenceParams, cost=5),
    Node("coarse", coarse_edges, ("view", "edge_blur", "evidence"), "all_edges", CoarseParams,
         cost=11),
    Node("shading", doubt_shading, ("all_edges", "view"), "sparse", ShadingParams, cost=8),
)
PROPAGATE = (
    Node("solve_grid", solve_grid, ("linear",), "half_grid", ViewParams),
    Node("guide", guide_from, ("linear", "view", "grid", "half_grid"), "guide", cost=6),
    Node("unclaimed", unclaimed, ("evidence", "scribbles"), "free_evidence"),
    Node("bounds", lift, ("free_evidence", "half_grid"), "bounds", cost=2),
    Node("samples", crossings, ("sparse", "half_grid"), "samples", cost=2),
    Node("constraints", within_bounds, ("samples", "bounds"), "constraints", cost=1),
    Node("scribbles", scribbled, ("constraints", "scribbles"), "held", ScribbleParams, cost=1),
    Node("sharp", sharp_edges_bound, ("held", "bounds", "grid"), "limits", cost=1),
    Node("laplacian", grid_laplacian, ("guide", "half_grid"), "laplacian", LaplacianParams,
         cost=10),
    Node("propagate", propagate_bounded, ("laplacian", "held", "limits", "previous"), "blur_low",
         PropagateParams, anytime=True),
    Node("upsample", upsample_to_light, ("blur_low", "linear"), "guided", UpsampleParams, cost=10,
         fallback=bilinear_upsample, fallback_cost=2),
    Node("detail", keep_detail, ("guided", "free_evidence"), "blur", cost=5),
)
PAPER_ESTIMATE = (
    *LOOK,
    Node("edges", edge_blur, ("view", "edge_survey"), "edge_candidates", BlurParams, cost=20),
    Node("link", link_edges, ("edge_candidates", "grid"), "sparse", cost=6),
)
PAPER_PROPAGATE = (
    Node("clean", clean_sparse, ("sparse", "view"), "clean_sparse", BlurParams, cost=100),
    Node("solve_grid", even_grid, ("grid",), "half_grid"),
    Node("guide", reduce_bicubic, ("view",), "guide", cost=10),
    Node("constraints", lift_bicubic, ("clean_sparse", "half_grid"), "constraints", cost=10),
    Node("scribbles", scribbled, ("constraints", "scribbles"), "held", ScribbleParams, cost=1),
    Node("laplacian", matting_laplacian, ("guide",), "laplacian", LaplacianParams, cost=20),
    Node("propagate", propagate, ("laplacian", "held", "previous"), "blur_low", PropagateParams,
         anytime=True),
    Node("upsample", guided_upsample, ("blur_low", "view"), "blur", UpsampleParams, cost=300,
         fallback=bilinear_upsample, fallback_cost=3),
)
DIRECT_PROPAGATE = (
    Node("clean", clean_sparse, ("sparse", "view"), "clean_sparse", BlurParams, cost=100),
    Node("scribbles", scribbled, ("clean_sparse", "scribbles"), "held", ScribbleParams, cost=1),
    Node("laplacian", matting_laplacian, ("view",), "laplacian", LaplacianParams, cost=80),
    Node("propagate", propagate, ("laplacian", "held", "previous"), "blur", PropagateParams,
         anytime=True),
)
RADIUS = Node("radius", disk_radius, ("blur", "dead_zone"), "radius", RadiusParams, cost=2)
RESOLVE = Node("resolve", resolve_transitions, ("radius",), "disk_radius", ResolveParams, cost=6)
RESOLVE_UPSAMPLED = Node("resolve", resolve_upsampled, ("radius", "blur_low"), "disk_radius",
                         ResolveParams, cost=6)
ONE_SURFACE = Node("outline", Surfaces.single, ("disk_radius",), "outlines")
OUTLINE = Node("outline", part_outlines, ("radius", "linear", "blur_low"), "outlines",
               OutlineParams, cost=6)
OUTLINE_OF_MAP = Node("outline", part_outlines, ("radius", "linear", "blur"), "outlines",
                      OutlineParams, cost=6)
RENDER = (
    Node("foreground", bring_forward, ("outlines", "foreground"), "surfaces", cost=1),
    Node("seen", seen_radius, ("surfaces",), "signed_radius", cost=1),
    Node("highlights", recover_highlights, ("linear", "signed_radius", "headroom"), "light",
         HighlightsParams, cost=4),
    Node("relight", relit, ("surfaces", "linear", "light"), "lit_surfaces"),
    Node("bokeh", render_surfaces, ("light", "lit_surfaces"), "bokeh", BokehParams, cost=60,
         fallback=render_surfaces_preview, fallback_cost=25, steps=render_surfaces_steps),
    Node("finish", finish, ("bokeh", "curve", "linear", "signed_radius"), "picture", FinishParams,
         cost=10),
)
FOCUS = Node("focus", local_dead_zone, ("evidence", "sparse", "blur", "focus_point"), "dead_zone",
             FocusParams, cost=1)
PAPER_FOCUS = Node("focus", dead_zone, ("sparse", "blur", "focus_point"), "dead_zone", RadiusParams)
FOCUS_OF_MAP = Node("focus", dead_zone, ("blur", "blur", "focus_point"), "dead_zone", RadiusParams)

CHECK = Graph("check", ("linear", "optics"), (
    Node("look", gather_evidence, ("linear",), "evidence", CheckParams, cost=30),
    Node("judge", judge, ("evidence", "optics"), "findings", CheckParams),
), ("findings",))

PASS_THROUGH = Graph("pass-through", ("linear", "curve"), (
    Node("encode", encode, ("linear", "curve"), "picture", cost=3),
), ("picture",))
# fmt: on

MAP_SOURCES = ("linear", "scribbles", "previous")
PICTURE_SOURCES = ("linear", "focus_point", "foreground", "curve", "headroom")
FROM_MAP = Graph(
    "from-map",
    (*PICTURE_SOURCES, "blur"),
    (FOCUS_OF_MAP, RADIUS, OUTLINE_OF_MAP, *RENDER),
    ("picture", "blur"),
)


@dataclass(frozen=True, slots=True)
class Preset:
    """A named way from capture to picture: its graphs, and what differs from the defaults."""

    name: str
    summary: str
    map_graph: Graph
    picture_graph: Graph
    params: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def _preset(
    name: str,
    summary: str,
    nodes: tuple[Node, ...],
    magnify: tuple[Node, ...],
    params: Mapping[str, Mapping[str, Any]],
) -> Preset:
    return Preset(
        name,
        summary,
        Graph(f"{name}-map", MAP_SOURCES, nodes, ("blur",)),
        Graph(
            name,
            (*PICTURE_SOURCES, *MAP_SOURCES[1:]),
            (*nodes, *magnify, *RENDER),
            ("picture", "blur"),
        ),
        params,
    )


PAPER_PARAMS: dict[str, dict[str, Any]] = {
    "blur": {
        "edge_scale_px": 1.0, "fine_scale_px": 0.0, "coarse_scale_px": 3.0, "exact": False,
    },
    "view": {"working_side_px": 0},
    "laplacian": {"window_radius": 3, "epsilon": 1e-3},
    "propagate": {
        "solver": "cg", "data_weight": 0.1, "start": "zero", "iterations": 500, "tolerance_px": 0.0,
    },
    "upsample": {"method": "masked", "window_radius_px": 10, "epsilon": 1e-2},
    "radius": {"focus_margin": 1.6, "focus_floor_px": 0.96, "focus_ramp": 1.8},
}  # fmt: skip

PRESETS = {
    preset.name: preset
    for preset in (
        _preset(
            "default",
            "ours: edges share their energies, detail bounds blur, a working scale",
            (*ESTIMATE, *PROPAGATE),
            (FOCUS, RADIUS, OUTLINE),
            {},
        ),
        _preset(
            "paper",
            "Kriener, Binder and Wille 2013: half resolution and guided upsampling",
            (*PAPER_ESTIMATE, *PAPER_PROPAGATE),
            (PAPER_FOCUS, RADIUS, RESOLVE_UPSAMPLED, ONE_SURFACE),
            PAPER_PARAMS,
        ),
        _preset(
            "direct",
            "the direct method: everything at full resolution",
            (*PAPER_ESTIMATE, *DIRECT_PROPAGATE),
            (PAPER_FOCUS, RADIUS, RESOLVE, ONE_SURFACE),
            PAPER_PARAMS,
        ),
    )
}
GRAPHS = {
    graph.name: graph
    for graph in (
        CHECK,
        PASS_THROUGH,
        FROM_MAP,
        LIVE_SEE,
        LIVE_CHECK,
        LIVE,
        LIVE_FULL,
        LIVE_CARRY,
        *(graph for p in PRESETS.values() for graph in (p.map_graph, p.picture_graph)),
    )
}
SECTIONS: dict[str, type[Params]] = {
    kind.stage(): kind for graph in GRAPHS.values() for kind in graph.sections()
}
SECTIONS[AdviceParams.stage()] = AdviceParams  # of a stream, beside its graphs
