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
from stages.arrays import reduce_bicubic
from stages.blur import BlurParams, clean_sparse, edge_blur, link_edges, survey
from stages.bokeh import (
    BokehParams,
    RadiusParams,
    ResolveParams,
    dead_zone,
    disk_radius,
    render_bokeh,
    render_bokeh_preview,
    resolve_transitions,
)
from stages.capture_check import CheckParams, gather_evidence, judge
from stages.grid import lift, lift_bicubic
from stages.laplacian import LaplacianParams, grid_laplacian, matting_laplacian
from stages.propagate import PropagateParams, propagate
from stages.scribble import ScribbleParams, scribbled
from stages.tone import encode
from stages.upsample import UpsampleParams, bilinear_upsample, guided_upsample
from stages.view import ViewParams, even_grid, solve_grid, view_at, working_grid

# fmt: off
ESTIMATE = (
    Node("working_grid", working_grid, ("linear",), "grid", ViewParams),
    Node("view", view_at, ("linear", "grid"), "view", cost=8),
    Node("survey", survey, ("view",), "edge_survey", BlurParams, cost=10),
    Node("edges", edge_blur, ("view", "edge_survey"), "edge_candidates", BlurParams, cost=20),
    Node("link", link_edges, ("edge_candidates", "grid"), "sparse", cost=6),
)
PROPAGATE = (
    Node("solve_grid", solve_grid, ("linear",), "half_grid", ViewParams),
    Node("guide", view_at, ("linear", "half_grid"), "guide", cost=6),
    Node("constraints", lift, ("sparse", "half_grid"), "constraints", cost=3),
    Node("scribbles", scribbled, ("constraints", "scribbles"), "held", ScribbleParams, cost=1),
    Node("laplacian", grid_laplacian, ("guide", "half_grid"), "laplacian", LaplacianParams,
         cost=10),
    Node("propagate", propagate, ("laplacian", "held", "previous"), "blur_low", PropagateParams,
         anytime=True),
    Node("full_guide", encode, ("linear",), "encoded", cost=8),
    Node("upsample", guided_upsample, ("blur_low", "encoded"), "blur", UpsampleParams, cost=20,
         fallback=bilinear_upsample, fallback_cost=3),
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
MAGNIFY = (
    Node("radius", disk_radius, ("blur", "dead_zone"), "radius", RadiusParams, cost=6),
    Node("resolve", resolve_transitions, ("radius",), "disk_radius", ResolveParams, cost=6),
    Node("bokeh", render_bokeh, ("linear", "disk_radius"), "bokeh", BokehParams, cost=30,
         fallback=render_bokeh_preview, fallback_cost=12),
    Node("encode", encode, ("bokeh", "curve"), "picture", cost=8),
)
FOCUS = Node("focus", dead_zone, ("sparse", "blur", "focus_point"), "dead_zone", RadiusParams)
FOCUS_OF_MAP = Node("focus", dead_zone, ("blur", "blur", "focus_point"), "dead_zone", RadiusParams)

CHECK = Graph("check", ("linear", "optics"), (
    Node("look", gather_evidence, ("linear",), "evidence", CheckParams, cost=40),
    Node("judge", judge, ("evidence", "optics"), "findings", CheckParams),
), ("findings",))

PASS_THROUGH = Graph("pass-through", ("linear", "curve"), (
    Node("encode", encode, ("linear", "curve"), "picture", cost=8),
), ("picture",))
# fmt: on

MAP_SOURCES = ("linear", "scribbles", "previous")
PICTURE_SOURCES = ("linear", "focus_point", "curve")
FROM_MAP = Graph(
    "from-map", (*PICTURE_SOURCES, "blur"), (FOCUS_OF_MAP, *MAGNIFY), ("picture", "blur")
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
    name: str, summary: str, nodes: tuple[Node, ...], params: Mapping[str, Mapping[str, Any]]
) -> Preset:
    return Preset(
        name,
        summary,
        Graph(f"{name}-map", MAP_SOURCES, nodes, ("blur",)),
        Graph(
            name,
            (*PICTURE_SOURCES, *MAP_SOURCES[1:]),
            (*nodes, FOCUS, *MAGNIFY),
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
}  # fmt: skip

PRESETS = {
    preset.name: preset
    for preset in (
        _preset("default", "ours: working scale, filled start", (*ESTIMATE, *PROPAGATE), {}),
        _preset(
            "paper",
            "Kriener, Binder and Wille 2013: half resolution and guided upsampling",
            (*ESTIMATE, *PAPER_PROPAGATE),
            PAPER_PARAMS,
        ),
        _preset(
            "direct",
            "the direct method: everything at full resolution",
            (*ESTIMATE, *DIRECT_PROPAGATE),
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
        *(graph for p in PRESETS.values() for graph in (p.map_graph, p.picture_graph)),
    )
}
SECTIONS = {kind.stage(): kind for graph in GRAPHS.values() for kind in graph.sections()}
