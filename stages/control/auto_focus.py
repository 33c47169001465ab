"""Contrast autofocus: a sweep over the range, then a hill climb by a parabola.

The lens visits a plan of positions, one for each frame. It does not wait for the statistics of a
position before it moves on, since these come some frames later and say where the lens was. The
sweep goes from infinity to the nearest distance, and ends early once contrast has clearly fallen
again. The climb visits three positions about the best one and ends at the vertex of a parabola
through their contrasts, or goes on towards a border where the best one lies there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from stages.control.statistics import Statistics
from stages.params import Params, param

STEPS_PER_DPT = 256  # rounding of goals
MOST_CLIMBS = 4  # plans of the climb before the best sample is taken
LEAST_SHARPNESS = 4  # contrast that is not only noise


class AutoFocusMode(StrEnum):
    """CONTROL_AF_STATE, with one name each for passive and active."""

    INACTIVE = "inactive"
    SCANNING = "scanning"
    FOCUSED = "focused"
    NOT_FOCUSED = "not_focused"


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoFocusParams(Params):
    """Sweep, climb and restart of autofocus."""

    step_dpt: float = param(0.6, 0.02, 5.0, unit="1/m", help="step of the sweep")
    fine: float = param(0.6, 0.05, 1.0, help="step of the climb over that of the sweep")
    fall: float = param(0.7, 0.1, 0.99, help="share of the best contrast that ends the sweep")
    restart: float = param(0.15, 0.05, 0.95, help="relative change of contrast that starts a sweep")
    restart_frames: int = param(6, 1, 100, help="frames that it must last")
    tolerance_dpt: float = param(
        0.03, 0.001, 1.0, unit="1/m", help="how near a goal counts as there"
    )


class Sample(NamedTuple):
    """Contrast at a focus."""

    focus_dpt: float
    sharpness: int


class AutoFocusState(NamedTuple):
    """Where the lens is to go, and what the scan knows.

    Attributes
    ----------
    goal_dpt : float
        Focus wanted for the next frame.
    mode : AutoFocusMode
        As CONTROL_AF_STATE.
    plan : tuple of float
        Positions of this pass; `visited` of them have been commanded.
    samples : tuple of Sample
        Of this pass.
    climbs : int
        0 during the sweep.
    reference : int
        Contrast when the scan ended; 0 until the first frame there.
    changed : int
        Frames since contrast differs from that.
    """

    goal_dpt: float = 0.0
    mode: AutoFocusMode = AutoFocusMode.INACTIVE
    plan: tuple[float, ...] = ()
    visited: int = 0
    samples: tuple[Sample, ...] = ()
    climbs: int = 0
    reference: int = 0
    changed: int = 0


def start_focus(nearest_dpt: float, params: AutoFocusParams) -> AutoFocusState:
    """State at the start of a sweep.

    Parameters
    ----------
    nearest_dpt : float
        Focus at the nearest distance of the lens.
    params : AutoFocusParams
        Step.
    """
    count = max(int(-(-nearest_dpt // params.step_dpt)), 1)
    return _pass([nearest_dpt * k / count for k in range(count + 1)])


def _pass(goals: Iterable[float], climbs: int = 0) -> AutoFocusState:
    """State at the start of a pass. Its first goal takes two frames, since the way may be long."""
    plan = sorted({_rounded(goal) for goal in goals})
    return AutoFocusState(
        plan[0], AutoFocusMode.SCANNING, (plan[0], *plan), visited=1, climbs=climbs
    )


def step_auto_focus(
    state: AutoFocusState,
    statistics: Statistics,
    nearest_dpt: float,
    params: AutoFocusParams,
    *,
    locked: bool = False,
    focus_dpt: float | None = None,
) -> AutoFocusState:
    """Focus for the next frame from the statistics of an earlier one.

    Parameters
    ----------
    state : AutoFocusState
        State after the previous frame; `start_focus` starts another sweep.
    statistics : Statistics
        Of the newest frame that was read.
    nearest_dpt : float
        Focus at the nearest distance of the lens.
    params : AutoFocusParams
        Steps and limits.
    locked : bool
        Stay, if no scan is under way.
    focus_dpt : float or None
        Set by hand.

    Returns
    -------
    AutoFocusState
        The next goal.
    """
    if focus_dpt is not None:
        goal = _rounded(min(max(focus_dpt, 0.0), nearest_dpt))
        return AutoFocusState(goal, AutoFocusMode.INACTIVE)
    if state.mode is AutoFocusMode.INACTIVE:
        return start_focus(nearest_dpt, params)
    if state.mode is not AutoFocusMode.SCANNING:
        return state if locked else _watched(state, statistics, nearest_dpt, params)
    sample = Sample(_rounded(statistics.focus_dpt), statistics.sharpness)
    samples = state.samples
    if _is_planned(sample.focus_dpt, state, params):
        samples = (*(s for s in samples if s.focus_dpt != sample.focus_dpt), sample)
    state = state._replace(samples=samples)
    if _is_over(state, params):
        return _next_pass(state, nearest_dpt, params)
    if state.visited < len(state.plan):
        return state._replace(goal_dpt=state.plan[state.visited], visited=state.visited + 1)
    return state


def _is_planned(focus_dpt: float, state: AutoFocusState, params: AutoFocusParams) -> bool:
    """Whether a focus is one that this pass has commanded."""
    commanded = state.plan[: state.visited]
    return any(abs(focus_dpt - goal) <= params.tolerance_dpt for goal in commanded)


def _is_over(state: AutoFocusState, params: AutoFocusParams) -> bool:
    """Whether a pass has what it needs: all positions, or contrast that has fallen twice."""
    if len(state.samples) >= len(set(state.plan)):
        return True
    if state.climbs or len(state.samples) < 3:
        return False
    ordered = sorted(state.samples)
    best = max(ordered, key=lambda sample: sample.sharpness)
    behind = [sample for sample in ordered if sample.focus_dpt > best.focus_dpt]
    fallen = [sample.sharpness <= params.fall * best.sharpness for sample in behind]
    return best.sharpness >= LEAST_SHARPNESS and sum(fallen) >= 2


def _next_pass(
    state: AutoFocusState, nearest_dpt: float, params: AutoFocusParams
) -> AutoFocusState:
    """The climb after the sweep, another climb, or the end of the scan."""
    ordered = sorted(state.samples)
    place = max(range(len(ordered)), key=lambda k: ordered[k].sharpness)
    best = ordered[place]
    if best.sharpness < LEAST_SHARPNESS:
        return AutoFocusState(0.0, AutoFocusMode.NOT_FOCUSED)
    inside = 0 < place < len(ordered) - 1
    vertex = _vertex(*ordered[place - 1 : place + 2]) if inside else best.focus_dpt
    vertex = _rounded(min(max(vertex, 0.0), nearest_dpt))
    at_end = vertex in (0.0, _rounded(nearest_dpt)) and state.climbs > 0
    if state.climbs and (inside or at_end or state.climbs >= MOST_CLIMBS):
        return AutoFocusState(vertex, AutoFocusMode.FOCUSED)
    step = params.step_dpt * params.fine
    around = (vertex - step, vertex, vertex + step)
    return _pass((min(max(goal, 0.0), nearest_dpt) for goal in around), state.climbs + 1)


def _vertex(before: Sample, best: Sample, behind: Sample) -> float:
    """Vertex of the parabola through three samples."""
    x0, x1, x2 = before.focus_dpt, best.focus_dpt, behind.focus_dpt
    rise, fall = best.sharpness - before.sharpness, best.sharpness - behind.sharpness
    below = rise * (x2 - x1) + fall * (x1 - x0)
    if below <= 0:
        return x1
    return x1 - 0.5 * (fall * (x1 - x0) ** 2 - rise * (x2 - x1) ** 2) / below


def _watched(
    state: AutoFocusState, statistics: Statistics, nearest_dpt: float, params: AutoFocusParams
) -> AutoFocusState:
    """Stay in focus, or start again if contrast has changed for some frames."""
    if statistics.lens_moving or abs(statistics.focus_dpt - state.goal_dpt) > params.tolerance_dpt:
        return state
    if not state.reference:
        return state._replace(reference=max(statistics.sharpness, 1))
    change = abs(statistics.sharpness - state.reference)
    if change <= params.restart * state.reference:
        return state._replace(changed=0)
    if state.changed + 1 < params.restart_frames:
        return state._replace(changed=state.changed + 1)
    return start_focus(nearest_dpt, params)


def _rounded(focus_dpt: float) -> float:
    return round(focus_dpt * STEPS_PER_DPT) / STEPS_PER_DPT
