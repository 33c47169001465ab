"""Presets for stills: graphs from a capture to a picture, and parameters that differ."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from camerapipe.depth_graphs import FROM_DEPTH, FROM_EXACT_DEPTH, WITH_DEPTH, WITH_DEPTH_MAP
from camerapipe.errors import RequestError, hint
from camerapipe.graph import Graph, GraphError, Node
from camerapipe.live import LIVE, LIVE_CARRY, LIVE_CHECK, LIVE_FULL, LIVE_SEE
from camerapipe.pipelines import (
    BOUND,
    CELLS,
    CHECK,
    DIRECT_MAP,
    EDGE_FOCUS,
    ELDER_MAP,
    MAP_FOCUS,
    PAPER_CELLS,
    PAPER_MAP,
    PASS_THROUGH,
    PICTURE,
    PICTURE_LOW,
    STILL_DENSE,
    SURVEY,
    VIEW,
    graph,
)
from camerapipe.still import GIVEN_FOCUS, STILL_FOCUS, STILL_MAP, STILL_PICTURE
from stages.advice import AdviceParams
from stages.grid import BlurMap
from stages.params import Params

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Preset:
    """A named way from capture to picture: graphs, and parameters that differ from the defaults.

    `looks` tells whether it has the looks of `LOOKS`, and `live` whether there are graphs of it for
    streams.
    """

    name: str
    summary: str
    map_graph: Graph
    picture_graph: Graph
    from_map_graph: Graph  # from a map without a focus
    from_focused_map_graph: Graph  # from a map whose dead zone is known
    params: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    looks: bool = False
    live: bool = False

    @property
    def graphs(self) -> tuple[Graph, ...]:
        """All graphs for stills."""
        return (
            self.map_graph, self.picture_graph, self.from_map_graph, self.from_focused_map_graph,
        )  # fmt: skip


def _preset(
    name: str,
    summary: str,
    nodes: Sequence[Node],
    focus: Sequence[Node],
    params: Mapping[str, Mapping[str, Any]],
    *,
    picture: Sequence[Node] = PICTURE_LOW,
    foreign_focus: Sequence[Node] = MAP_FOCUS,
    cells: Sequence[Node] = (),
    looks: bool = False,
    live: bool = False,
) -> Preset:
    """Preset from the stages that make the map, find the dead zone (`focus`), and render.

    `foreign_focus` finds the dead zone of a map that was not estimated here, and `cells` makes the
    grids that the picture reads besides the map.
    """
    shown = ("picture", "blur", "dead_zone")
    low = ("blur_low",) if any(node.output == "blur_low" for node in nodes) else ()
    return Preset(
        name,
        summary,
        graph(f"{name}-map", (*nodes, *focus), ("blur", *low, "dead_zone")),
        graph(name, (*nodes, *focus, *picture), ("picture", "blur", *low, "dead_zone")),
        graph(f"{name}-from-map", (*foreign_focus, *cells, *picture), shown),
        graph(f"{name}-from-focused-map", (*cells, *picture), shown),
        params,
        looks,
        live,
    )


PAPER_PARAMS: dict[str, dict[str, Any]] = {
    "blur": {
        "edge_scale_px": 1.0, "fine_scale_px": 0.0, "coarse_scale_px": 3.0, "exact": False,
    },
    "view": {"working_side_px": 0},
    "laplacian": {"window_radius": 3, "epsilon": 1e-3},
    "radius": {"focus_ramp": 1.8},
    "finish": {"fade_px": 0},
    "propagate": {
        "solver": "cg", "data_weight": 0.1, "start": "zero", "iterations": 500, "tolerance_px": 0.0,
    },
}  # fmt: skip
# The looks: "lens" is that of the parameters' defaults.
LOOKS: dict[str, dict[str, dict[str, Any]]] = {
    "lens": {},
    "portrait": {
        "focus": {"sure_margin": 2.4, "unsure_margin": 3.0, "ceiling_px": 2.0},
        "radius": {"focus_ramp": 1.6},
    },
}
LENS = "lens"
PAPER_UPSAMPLE = {"upsample": {"method": "masked", "window_radius_px": 10, "epsilon": 1e-2}}

PRESETS = {
    preset.name: preset
    for preset in (
        _preset(
            DEFAULT,
            "ours: blur agreed on by edges, detail as upper bound, outlines of two surfaces",
            STILL_MAP,
            STILL_FOCUS,
            {},
            foreign_focus=GIVEN_FOCUS,
            cells=CELLS,
            picture=STILL_PICTURE,
            looks=True,
            live=True,
        ),
        _preset(
            "paper",
            "Kriener, Binder and Wille 2013: half resolution and guided upsampling",
            PAPER_MAP,
            EDGE_FOCUS,
            PAPER_PARAMS | PAPER_UPSAMPLE,
            cells=PAPER_CELLS,
        ),
        _preset(
            "elder-zucker",
            "as paper, with the estimator of Elder and Zucker in the form of Bae and Durand 2007",
            ELDER_MAP,
            EDGE_FOCUS,
            PAPER_PARAMS | PAPER_UPSAMPLE,
            cells=PAPER_CELLS,
        ),
        _preset(
            "direct",
            "the direct method: everything at full resolution",
            DIRECT_MAP,
            EDGE_FOCUS,
            PAPER_PARAMS,
            picture=PICTURE,
        ),
    )
}


def add_estimator(
    name: str,
    estimate: Callable[..., Any],
    *,
    reads: Sequence[str] = ("view", "grid"),
    summary: str = "",
) -> Preset:
    """Add a custom blur estimator as a preset for stills.

    Parameters
    ----------
    name : str
        New name of the preset, for `render(..., preset=name)` and `--preset`.
    estimate : callable
        Takes the values of `reads` and returns a sparse `BlurMap` on the grid of the view: sigma in
        full-resolution px, confidence 0 where there is no data. If it returns something else, the
        shot raises a TypeError.
    reads : sequence of str
        Values of the graph that `estimate` takes, of `view` (HxWx3 float32, display-encoded),
        `grid`, `edge_survey`, `sharpness_bounds`, `linear`.
    summary : str
        One line for the list of presets.

    Returns
    -------
    Preset
        The new preset, which is like `default` except for the estimator.

    Raises
    ------
    RequestError
        If a preset of this name exists.
    GraphError
        If a value of `reads` does not exist, or type hints do not fit.
    """
    if name in PRESETS:
        raise RequestError(f"preset {name!r} exists; choose another name for the estimator")
    before = (*VIEW, *SURVEY, *BOUND)
    known = ("linear", *(node.output for node in before))
    for value in reads:
        if value not in known:
            raise GraphError(f"estimator {name!r}: nothing makes {value!r}{hint(value, known)}")
    estimated = Node("estimate", _giving_a_map(name, estimate), tuple(reads), "edge_data")
    nodes = (*before, estimated, *STILL_DENSE)
    PRESETS[name] = _preset(
        name,
        summary or "a custom estimator",
        nodes,
        STILL_FOCUS,
        {},
        foreign_focus=GIVEN_FOCUS,
        cells=CELLS,
        picture=STILL_PICTURE,
        looks=True,
    )
    return PRESETS[name]


def _giving_a_map(name: str, estimate: Callable[..., Any]) -> Callable[..., Any]:
    """The estimator, which raises a TypeError if it returns something else than a `BlurMap`."""

    @functools.wraps(estimate)
    def checked(*values: Any) -> BlurMap:
        made = estimate(*values)
        if not isinstance(made, BlurMap):
            raise TypeError(
                f"estimator {name!r}: expected a BlurMap(sigma, confidence, grid); "
                f"got {type(made).__name__}"
            )
        return made

    return checked


def graphs() -> dict[str, Graph]:
    """All graphs by name, including those of the presets."""
    fixed = (
        CHECK, PASS_THROUGH, LIVE_SEE, LIVE_CHECK, LIVE, LIVE_FULL, LIVE_CARRY,
        FROM_DEPTH, FROM_EXACT_DEPTH, WITH_DEPTH, WITH_DEPTH_MAP,
    )  # fmt: skip
    stills = (each for p in PRESETS.values() for each in p.graphs)
    return {each.name: each for each in (*fixed, *stills)}


SECTIONS: dict[str, type[Params]] = {
    kind.stage(): kind for each in graphs().values() for kind in each.sections()
}
SECTIONS[AdviceParams.stage()] = AdviceParams  # used by streams, outside of their graphs
