"""The quality ladder of a stream, declared: rungs to compute a frame, and levels of its check.

The rungs are the same camera at falling cost, and the temporal filter's memory carries over from
one to another. The last rung estimates no blur: it warps the map of an earlier frame along the
motion, and protects what is sharp. Which rung a frame gets is decided in `stream.policy`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from camerapipe.graph import Graph
from camerapipe.pipelines import LIVE, LIVE_CARRY, LIVE_FULL

FRAME_SIDE_PX = 1600  # frames up to this long are estimated at every pixel on the best rungs
STRIP_ROWS = 180  # half a view of 720p, so that two workers share it evenly


@dataclass(frozen=True, slots=True)
class Rung:
    """One way to compute a frame: its graph after `LIVE_SEE`, and what differs in its stages.

    `instead` names the rung that estimates where there is no map to carry.
    """

    name: str
    graph: Graph
    params: Mapping[str, Mapping[str, Any]]
    instead: str | None = None


@dataclass(frozen=True, slots=True)
class CheckRung:
    """One way to check a frame: what differs in the stages of `LIVE_CHECK`."""

    name: str
    params: Mapping[str, Mapping[str, Any]]


# Blur left alone, per step of the view. A coarser view mistakes its own softness for slight blur,
# so its limits are lower per step; blur is magnified in full from about the same sigma on.
FOCUS_OF_VIEW = {
    1: {"focus_floor_px": 0.96, "focus_ceiling_px": 1.5, "focus_ramp": 1.8},
    2: {"focus_floor_px": 0.75, "focus_ceiling_px": 1.0, "focus_ramp": 1.4},
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
    """Rung for a 720p frame: step of its view, pixels of that in a step of the solve, and so on."""
    return Rung(
        name,
        graph,
        {
            "view": {"working_side_px": FRAME_SIDE_PX // view, "solve_step": solve},
            "show": {"coarser": coarser},
            "propagate": {"iterations": steps, "bound_updates": 1},
            "coarse": {"octaves": octaves},
            "radius": FOCUS_OF_VIEW[view],
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

# Thresholds for what the check sees on coarse views, where sharp edges look softer. With those for
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
CHECK_LADDER = tuple(  # the best first, on every second and fourth pixel of a 720p frame
    CheckRung(
        name, {"view": {"working_side_px": FRAME_SIDE_PX // step}, "check": QUICK_CHECK[step]}
    )
    for name, step in (("check", 2), ("glance", 4))
)
