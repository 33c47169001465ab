"""The camera on one page: segments of stages, and the graphs that are put together from them.

Every line of a segment is a stage: name, function, what it reads, what it makes. A stage is
declared once; still, live and foreign-map graphs share its segment, between values of other names
where they need to (`renamed`). `still` adds what the default preset needs, and `live` what streams
need. `presets` names the graphs of stills with their parameters, `levels` those of streams; `costs`
says what stages take.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from camerapipe.corrections import PROTECTED, SCRIBBLE
from camerapipe.graph import Graph, Node, renamed
from stages.arrays import reduce_bicubic
from stages.blur import (
    BlurParams,
    CoarseParams,
    EvidenceParams,
    OwnershipParams,
    ShadingParams,
    border_ownership,
    clean_sparse,
    coarse_edges,
    crossings,
    doubt_shading,
    edge_blur,
    find_balls,
    keep_detail,
    link_edges,
    linked_edges,
    octave_blur,
    second_derivative_blur,
    sharp_edges_bound,
    sharpness_evidence,
    survey,
    thin_edges,
    within_bounds,
)
from stages.bokeh import (
    BokehParams,
    DeadZoneParams,
    RadiusParams,
    ResolveParams,
    dead_zone,
    disk_radius,
    mark_foreground,
    render_bokeh,
    render_bokeh_preview,
    render_bokeh_steps,
    resolve_transitions,
    resolve_upsampled,
)
from stages.capture_check import (
    CheckParams,
    Optics,
    UnknownOptics,
    blur_statistics,
    judge,
    judge_lights,
)
from stages.depth import DepthMap, WishedLens
from stages.finish import FinishParams, finish
from stages.gain_map import GainMap
from stages.grid import DenseBlur, Grid, lift, lift_bicubic
from stages.highlights import HighlightsParams, recover_highlights
from stages.kinds import Encoded, LinearLight, Mask
from stages.laplacian import LaplacianParams, grid_laplacian, matting_laplacian
from stages.params import Array
from stages.propagate import PropagateParams, SolveHistory, propagate, propagate_bounded
from stages.protection import Protection
from stages.scribble import Scribble
from stages.steady import (
    Memory,
    Motion,
)
from stages.tone import ToneCurve, encode
from stages.upsample import UpsampleParams, bilinear_upsample, guided_upsample, upsample_to_light
from stages.view import (
    ViewParams,
    even_grid,
    guide_from,
    solve_grid,
    view_at,
    working_grid,
)

# What the values that come from outside of a graph are.
SOURCES: dict[str, Any] = {
    "linear": LinearLight,
    "gain_map": GainMap,
    "curve": ToneCurve,
    "headroom": bool,
    "optics": Optics | UnknownOptics | None,
    "focus_point": tuple[float, float] | None,
    "foreground": Mask | None,
    "protection": Protection,
    "scribbles": tuple[Scribble, ...],
    "start": Array | None,
    "previous": Array | SolveHistory | None,
    "memory": Memory | None,
    "blur": DenseBlur,
    "blur_low": DenseBlur,
    "dead_zone": float | DenseBlur,
    "depth": DepthMap,
    "wished_lens": WishedLens,
    "grid": Grid,
    "view": Encoded,
    "motion": Motion,
    "shown": Grid,
    "light": LinearLight,
}

# fmt: off
# Segments: blur at edges, and where detail proves sharpness.
VIEW = (
    Node("working_grid", working_grid, ("linear",), "grid", ViewParams),
    Node("view", view_at, ("linear", "grid"), "view"),
)
SURVEY = (Node("survey", survey, ("view",), "edge_survey", BlurParams),)
BOUND = (Node("evidence", sharpness_evidence, ("view", "edge_survey", "grid"), "sharpness_bounds",
              EvidenceParams),)
EDGES = (
    *SURVEY,
    Node("edges", thin_edges, ("edge_survey",), "edge_strength", BlurParams),
    Node("link", linked_edges, ("edge_strength",), "linked"),
    Node("octaves", octave_blur, ("view", "linked", "edge_survey", "grid"), "edge_blur",
         BlurParams),
    *BOUND,
    Node("coarse", coarse_edges, ("view", "edge_blur", "sharpness_bounds"), "all_edges",
         CoarseParams),
    Node("shading", doubt_shading, ("all_edges", "view"), "edge_data", ShadingParams),
)
LOOK = (Node("look", blur_statistics, ("view", "edge_survey", "grid"), "statistics", CheckParams),)
DISKS = (*VIEW, Node("disks", find_balls, ("view", "grid"), "round_disks"))
LIGHTS = (Node("lights", judge_lights, ("judged", "round_disks", "grid"), "findings",
               CheckParams),)
JUDGE = (Node("judge", judge, ("statistics", "optics"), "findings", CheckParams),)
# The way from there to the solve differs in the grids: a still guides by light, a frame by its view
CELLS = (Node("solve_grid", solve_grid, ("linear",), "half_grid", ViewParams),)
STILL_GRID = (
    *CELLS,
    Node("guide", guide_from, ("linear", "view", "grid", "half_grid"), "guide"),
)
STILL_CELLS = (
    Node("bounds", lift, ("free_bounds", "half_grid"), "cell_bounds"),
    Node("ownership", border_ownership, ("edge_data", "free_bounds", "view"), "owned_data",
         OwnershipParams),
    Node("samples", crossings, ("owned_data", "half_grid"), "cell_data"),
)
CONSTRAIN = (
    Node("constraints", within_bounds, ("cell_data", "cell_bounds"), "bounded_data"),
    *renamed(SCRIBBLE, cell_data="bounded_data"),
    Node("sharp", sharp_edges_bound, ("constraints", "cell_bounds", "grid"), "all_bounds"),
    Node("laplacian", grid_laplacian, ("guide", "half_grid"), "laplacian", LaplacianParams),
)
SOLVE = (
    Node("propagate", propagate_bounded, ("laplacian", "constraints", "all_bounds", "previous"),
         "blur_low", PropagateParams, anytime=True),
)
# From the solved map to the picture.
UPSAMPLE = (
    Node("upsample", upsample_to_light, ("blur_low", "linear"), "guided", UpsampleParams,
         fallback=bilinear_upsample),
)
DETAIL = (Node("detail", keep_detail, ("guided", "free_bounds"), "blur"),)
MAP_FOCUS = (Node("focus", dead_zone, ("blur", "blur", "focus_point"), "dead_zone",
                      DeadZoneParams),)
EDGE_FOCUS = (Node("focus", dead_zone, ("edge_data", "blur", "focus_point"), "dead_zone",
                   DeadZoneParams),)
RADIUS = (Node("radius", disk_radius, ("blur", "dead_zone"), "radius", RadiusParams),)
RESOLVE = (Node("resolve", resolve_transitions, ("radius",), "disk_radius", ResolveParams),)
RESOLVE_LOW = (Node("resolve", resolve_upsampled, ("radius", "half_grid"), "disk_radius",
                    ResolveParams),)
FOREGROUND = (Node("foreground", mark_foreground, ("disk_radius", "foreground"), "signed_radius"),)
HIGHLIGHTS = (Node("highlights", recover_highlights, ("linear", "signed_radius", "headroom"),
                   "bright", HighlightsParams),)
FINISH = (Node("finish", finish, ("bokeh", "curve", "linear", "signed_radius"), "picture",
               FinishParams, overwrites="bokeh"),)
RENDER = (
    *HIGHLIGHTS,
    Node("bokeh", render_bokeh, ("bright", "signed_radius"), "bokeh", BokehParams,
         fallback=render_bokeh_preview, steps=render_bokeh_steps),
    *FINISH,
)
# The paper's own stages.
CLEAN_EDGES = (
    Node("link", link_edges, ("edge_candidates", "grid"), "edge_data"),
    Node("clean", clean_sparse, ("edge_data", "view"), "clean_data", BlurParams),
)
PAPER_EDGES = (
    *VIEW,
    *SURVEY,
    Node("edges", edge_blur, ("view", "edge_survey"), "edge_candidates", BlurParams),
    *CLEAN_EDGES,
)
ELDER_EDGES = (
    *VIEW,
    *SURVEY,
    Node("edges", second_derivative_blur, ("view", "edge_survey"), "edge_candidates", BlurParams),
    *CLEAN_EDGES,
)
PAPER_SOLVE = (
    Node("laplacian", matting_laplacian, ("guide",), "laplacian", LaplacianParams),
    Node("propagate", propagate, ("laplacian", "constraints", "start"), "blur_low",
         PropagateParams, anytime=True),
)
PAPER_GRID = Node("solve_grid", even_grid, ("grid",), "half_grid")
PAPER_CELLS = (VIEW[0], PAPER_GRID)
PAPER_HALF = (
    PAPER_GRID,
    Node("guide", reduce_bicubic, ("view",), "guide"),
    Node("constraints", lift_bicubic, ("clean_data", "half_grid"), "cell_data"),
    *SCRIBBLE,
    *PAPER_SOLVE,
    Node("upsample", guided_upsample, ("blur_low", "view"), "blur", UpsampleParams,
         fallback=bilinear_upsample),
)
# fmt: on


# What the segments make together.
STILL_DENSE = (*STILL_GRID, *PROTECTED, *STILL_CELLS, *CONSTRAIN, *SOLVE, *UPSAMPLE, *DETAIL)
PAPER_MAP = (*PAPER_EDGES, *PAPER_HALF)
ELDER_MAP = (*ELDER_EDGES, *PAPER_HALF)
DIRECT_MAP = (
    *PAPER_EDGES,
    *renamed(SCRIBBLE, cell_data="clean_data"),
    *renamed(PAPER_SOLVE, guide="view", blur_low="blur"),
)
PICTURE = (*RADIUS, *RESOLVE, *FOREGROUND, *RENDER)
PICTURE_LOW = (*RADIUS, *RESOLVE_LOW, *FOREGROUND, *RENDER)


def graph(name: str, nodes: Iterable[Node], outputs: tuple[str, ...]) -> Graph:
    """Put a graph together; its sources are the values that no node of it makes.

    A node that several segments contain is one node of the graph.
    """
    nodes = tuple(dict.fromkeys(nodes))
    made = {node.output for node in nodes}
    read = [value for node in nodes for value in node.inputs]
    sources = tuple(dict.fromkeys(value for value in (*read, *outputs) if value not in made))
    return Graph(name, sources, nodes, outputs, SOURCES)


CHECK = graph(
    "check",
    (*VIEW, *SURVEY, *LOOK, *renamed(JUDGE, findings="judged"), *DISKS, *LIGHTS),
    ("findings",),
)
PASS_THROUGH = graph(
    "pass-through", (Node("encode", encode, ("linear", "curve"), "picture"),), ("picture",)
)
