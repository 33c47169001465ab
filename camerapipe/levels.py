"""The quality ladder of a stream: rungs for the frames, and rungs for their check.

A rung is a way to compute a frame at some cost. All rungs share the state of the temporal filter,
so that frames of different rungs can follow each other. The last rung does not estimate blur: it
warps the map of an earlier frame along the motion, and applies upper bounds at sharp detail.
`stream` decides which rung a frame gets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from camerapipe.graph import Graph
from camerapipe.live import LIVE, LIVE_CARRY, LIVE_FULL

FRAME_SIDE_PX = 1600  # on the best rungs, blur of frames up to this side is estimated at full size
STRIP_ROWS = 180  # divides a 720p view at steps 1 and 2 into equal shares for two workers


@dataclass(frozen=True, slots=True)
class Rung:
    """One way to compute a frame: the graph after `LIVE_SEE`, and the parameters that differ.

    `instead` names the rung that is used if there is no earlier map to warp.
    """

    name: str
    graph: Graph
    params: Mapping[str, Mapping[str, Any]]
    instead: str | None = None


@dataclass(frozen=True, slots=True)
class CheckRung:
    """One way to check a frame: the parameters of the stages of `LIVE_CHECK` that differ."""

    name: str
    params: Mapping[str, Mapping[str, Any]]


# Limits of the dead zone, by the step of the view. A coarser view measures some blur in sharp
# areas, so its limits are lower in relation to its step. The sigma from which blur is magnified in
# full is about the same.
FOCUS_OF_VIEW: dict[int, dict[str, dict[str, float]]] = {
    1: {"dead_zone": {"floor_px": 0.96, "ceiling_px": 1.5}, "radius": {"focus_ramp": 1.8}},
    2: {"dead_zone": {"floor_px": 0.75, "ceiling_px": 1.0}, "radius": {"focus_ramp": 1.4}},
}


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
    """Rung for 720p frames; `view` is the step of the view, `solve` that of the solve in its px."""
    return Rung(
        name,
        graph,
        {
            "view": {"working_side_px": FRAME_SIDE_PX // view, "solve_step": solve},
            "show": {"coarser": coarser},
            "propagate": {"iterations": steps, "bound_updates": 1, "data_weight": 0.5},
            "coarse": {"octaves": octaves},
            "shading": {"doubt": 0.7},
            "finish": {"grain": 0.0, "fade_px": 0},
            "upsample": {"window_radius_px": 10, "epsilon": 1e-2},
            **FOCUS_OF_VIEW[view],
            "blur": {"strip_rows": STRIP_ROWS},
            "evidence": {"strip_rows": STRIP_ROWS},
        },
        instead,
    )


LADDER = (  # best first
    _rung("full", LIVE_FULL, view=1, solve=2, steps=12, octaves=2),
    _rung("fine", LIVE_FULL, view=1, solve=4, steps=6, octaves=2),
    _rung("good", LIVE, view=1, solve=4, steps=3, octaves=2),
    _rung("preview", LIVE, view=2, solve=4, steps=2, octaves=0),
    _rung("draft", LIVE, view=2, solve=4, steps=2, octaves=0, coarser=2),
    _rung("carry", LIVE_CARRY, view=2, solve=4, steps=2, octaves=0, coarser=2, instead="draft"),
)
DEFAULT_RUNG = LADDER[3]

# Thresholds of the check on coarse views, where sharp edges appear softer. With those for step 2,
# the verdict agrees with that of the full check on photographs.
QUICK_CHECK: dict[int, dict[str, float]] = {
    2: {
        "sharp_sigma_px": 2.25, "present_sigma_px": 3.2, "present_share": 0.3,
        "weak_sigma_px": 1.43, "weak_share": 0.1,
    },
    4: {
        "sharp_sigma_px": 2.3, "present_sigma_px": 6.0, "present_share": 0.35,
        "weak_sigma_px": 3.2, "weak_share": 0.27, "shaken_loss_db": 60.0, "unsharp_loss_db": 60.0,
        "least_signal": 10.0,
    },
}  # fmt: skip
CHECK_LADDER = tuple(  # best first; steps of the view for a 720p frame
    CheckRung(
        name, {"view": {"working_side_px": FRAME_SIDE_PX // step}, "check": QUICK_CHECK[step]}
    )
    for name, step in (("check", 2), ("glance", 4))
)
