"""The capture check of a stream, on a small budget of its own.

How it is done is decided before the frame from measured costs: with the best look that fits, or not
at all. Then the findings of an earlier frame are delivered again, with their age, and advise
nothing anew. The map has been given its time before, so the check never eats it: its share of the
budget is small, and beyond that it has only what the map leaves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from camerapipe.budget import Budget
from camerapipe.graph import Graph
from camerapipe.stream.ladder import Ladder
from stages.findings import Finding
from stages.params import Params

CHECK = "check"  # its name in a budget: `check=4ms`
CHECK_SHARE = 0.1  # of the budget of a frame, where nothing else is said
CARRIED = "carried"


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """A way to check, ready to run."""

    name: str
    graph: Graph
    params: Mapping[type[Params], Params]


class Checked(NamedTuple):
    """What a frame was found to be, and how many frames ago that frame was."""

    findings: tuple[Finding, ...]
    age_frames: int = 0


class Check(NamedTuple):
    """How the check of a frame was done: its look, or that older findings were carried."""

    look: str
    age_frames: int
    used_ms: float
    granted_ms: float | None  # None: no limit


def _share_ms(budget: Budget) -> float:
    """Time that the check of a frame has in any case; infinite without a budget."""
    return budget.stages_ms.get(CHECK, CHECK_SHARE * (budget.total_ms or math.inf))


def _small_ms(budget: Budget, ladder: Ladder, megapixels: float) -> float:
    """Time of a small check."""
    return min(_share_ms(budget), ladder.look_ms(0, megapixels))


def frame_ms(budget: Budget, ladder: Ladder, rung: int, megapixels: float) -> float:
    """Time that a frame on a rung takes with a small check, all but rarely."""
    return _small_ms(budget, ladder, megapixels) + ladder.expected_ms(rung, megapixels)


def rung_within(budget: Budget, ladder: Ladder, megapixels: float) -> int:
    """The rung of the next frame: the map has what a small check leaves."""
    if budget.total_ms is None:
        return 0
    return ladder.choose(budget.total_ms - _small_ms(budget, ladder, megapixels), megapixels)


def check_ms(budget: Budget, ladder: Ladder | None, rung: int, megapixels: float) -> float | None:
    """Time of the check of a frame on a rung: its share or what the map leaves, if that is more.

    A budget for the check itself is a limit. None: no limit.
    """
    if CHECK in budget.stages_ms or ladder is None or budget.total_ms is None:
        return budget.stages_ms.get(CHECK)
    return max(_share_ms(budget), budget.total_ms - ladder.expected_ms(rung, megapixels))
