"""One frame of a stream: choose a rung for it, look at it, check it, run the rung in the budget.

Where a rung carries the map of an earlier frame and there is none, or it is too old, the rung that
measures at the least cost takes its place.

The state that a frame leaves for the next is a value: any frame can be shown again alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from camerapipe.budget import Budget, Clock, Deadline, cpu_s
from camerapipe.capture import Capture, CaptureMeta
from camerapipe.costs import Costs, live_guesses
from camerapipe.graph import Graph
from camerapipe.optics import optics_of
from camerapipe.pipelines import PASS_THROUGH
from camerapipe.report import Caveat, StageReport, caveats_of
from camerapipe.runner import Pace, Run, run
from camerapipe.stream.checking import (
    CARRIED,
    CHECK,
    Check,
    Checked,
    Look,
    check_ms,
    frame_ms,
    rung_within,
)
from camerapipe.stream.device import Device
from camerapipe.stream.ladder import Ladder
from stages.advice import Advice, AdviceParams, AdviceState, advise
from stages.findings import Finding, Severity
from stages.grid import BlurMap
from stages.params import Array, Params
from stages.steady import Memory

MEGA = 1e6
CONTENDED = 1.2  # wall time over CPU time, from which on a frame says nothing of the stream
CUT = Caveat.UNFINISHED | Caveat.FALLBACK  # less was done than the rung has
# A map is carried for as many frames as its memory counts for where there is time to measure,
CARRY_FRAMES = 8  # and this many at most;
LONGEST_CARRY = 100  # this many where there is not: one frame in a hundred may be late


class Frame(NamedTuple):
    """A developed frame and its number; `origin` is the file it came from, if one.

    `at_s` is when it was filmed, counted from the first frame; None where nobody knows, as of
    pictures that were taken one by one.
    """

    seq: int
    capture: Capture
    origin: Path | None = None
    at_s: float | None = None

    @property
    def megapixels(self) -> float:
        """Size of the picture."""
        rows, cols = self.capture.linear.shape[:2]
        return float(rows * cols / MEGA)


class State(NamedTuple):
    """What a frame leaves for the next."""

    memory: Memory | None = None
    advice: AdviceState = AdviceState()
    ladder: Ladder | None = None  # None: always the best way
    carried: int = 0  # frames in a row that had the map of an earlier one
    checked: Checked | None = None  # of the last frame


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """A rung of the ladder, ready to run; `instead` measures where this one only carries a map."""

    name: str
    see: Graph
    picture: Graph
    params: Mapping[type[Params], Params]
    instead: Way | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shown:
    """What the viewfinder shows of one frame, and what it took."""

    frame: Frame
    image: Array | npt.NDArray[np.uint8]  # display-encoded, HxWx3 uint8, or float32 in [0, 1]
    blur_map: BlurMap | None  # on the grid of the rung; None after pass-through
    findings: tuple[Finding, ...]
    check: Check  # where these are from
    advice: Advice
    rung: str  # the way that looked at it, and made its picture unless that was blocked
    blocked: bool  # shown as it came
    before: State  # with it, the frame can be shown again
    stages: tuple[StageReport, ...]
    started_s: float
    spent_ms: float
    cpu_ms: float | None  # of the whole process meanwhile; None in virtual time
    budget: Budget

    @property
    def label(self) -> str:
        """What it is shown as: its rung, or that it passed through."""
        return PASS_THROUGH.name if self.blocked else self.rung

    @property
    def late(self) -> bool:
        """Whether the budget, or that of a stage, was missed."""
        return self._exceeds(0.0)

    @property
    def in_time(self) -> bool:
        """Whether the budgets were kept but for one step, which cannot be interrupted."""
        return not self._exceeds(self.step_ms)

    def _exceeds(self, slack_ms: float) -> bool:
        stages_ms = self.budget.stages_ms
        pairs = [(row.used_ms, stages_ms.get(row.name, math.inf)) for row in self.stages]
        pairs.append((self.check.used_ms, stages_ms.get(CHECK, math.inf)))
        pairs.append((self.spent_ms, self.budget.total_ms or math.inf))
        return any(used_ms > limit_ms + slack_ms for used_ms, limit_ms in pairs)

    @property
    def contended(self) -> bool:
        """Whether others had the machine for more than a fifth of the time."""
        return self.cpu_ms is not None and self.spent_ms > CONTENDED * self.cpu_ms

    @property
    def caveats(self) -> Caveat:
        """Everything that any stage gave up."""
        return caveats_of(self.stages)

    @property
    def step_ms(self) -> float:
        """Longest step of the anytime stages: a budget may be missed by one."""
        anytime = (s for s in self.stages if s.steps > 1)
        return max(((s.used_ms - s.setup_ms) / (s.steps - 1) for s in anytime), default=0.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Viewfinder:
    """Shows frames. All that a frame leaves for the next is in its state, but for `costs`."""

    ways: tuple[Way, ...]  # the best first
    looks: tuple[Look, ...]  # the best first; none: findings are carried
    clock: Clock
    budget: Budget = Budget()
    costs: Costs
    device: Device | None = None  # None: measured, not simulated
    meta: CaptureMeta | None = None  # for frames that come without metadata
    distance_m: float | None = None
    nearest_focus_m: float = 0.0  # of the lens: nobody is sent closer
    focus_point: tuple[float, float] | None = None
    force: bool = False

    def show(self, frame: Frame, state: State) -> tuple[Shown, State]:
        """Show one frame; give what the next one has to know."""
        deadline = Deadline.after(self.budget.total_ms, self.clock)
        started_s, cpu_s = self.clock(), self._cpu_s()
        megapixels = frame.megapixels
        if self.device is not None:
            self.device.begin(frame.seq, megapixels)
        ladder = replace(state.ladder) if state.ladder else None
        rung = rung_within(self.budget, ladder, megapixels) if ladder is not None else 0
        way = self.ways[rung]
        sources = self._sources(frame.capture, state)
        seen = self._run(way.see, way, sources, deadline, megapixels)
        sources |= seen.values
        lost = sources["motion"].memory is None
        if way.instead and (lost or self._too_old(way.instead, ladder, state, megapixels)):
            way = way.instead
            rung = self.ways.index(way) if way in self.ways else rung
        allowed_ms = check_ms(self.budget, ladder, rung, megapixels)
        look = self._look(allowed_ms, ladder, state, megapixels, lost=lost)
        checked, rows = self._check(look, state.checked, sources, deadline, megapixels)
        findings = (*checked.findings, *frame.capture.findings)
        advice_state, advice = _advise(state.advice, checked, findings, frame.at_s, way)
        blocked = any(f.severity is Severity.BLOCKING for f in findings) and not self.force
        graph = PASS_THROUGH if blocked else way.picture
        done = self._run(graph, way, sources, deadline, megapixels)
        spent_ms = (self.clock() - started_s) * 1000
        shown = Shown(
            frame=frame,
            image=done.values["picture"],
            blur_map=done.values.get("blur"),
            findings=findings,
            check=Check(
                look.name if look else CARRIED, checked.age_frames,
                sum(row.used_ms for row in rows), allowed_ms,
            ),
            advice=advice,
            rung=way.name,
            blocked=blocked,
            before=state,
            stages=(*seen.stages, *rows, *done.stages),
            started_s=started_s,
            spent_ms=spent_ms,
            cpu_ms=(self._cpu_s() - cpu_s) * 1000 if self.device is None else None,
            budget=self.budget,
        )  # fmt: skip
        if ladder is not None and not blocked and way in self.ways:
            used_ms, cut = spent_ms - shown.check.used_ms, bool(shown.caveats & CUT)
            ladder.learn(rung, used_ms, megapixels, cut=cut)
        carries = way.instead is not None and not blocked
        return shown, State(
            memory=done.values.get("next_memory"),
            advice=advice_state,
            ladder=ladder,
            carried=state.carried + 1 if carries else 0,
            checked=checked,
        )

    def _too_old(
        self, measure: Way, ladder: Ladder | None, state: State, megapixels: float
    ) -> bool:
        """Whether a map was carried for long: for longer where there is no time to measure anew."""
        counts = float(np.mean(state.memory.age)) if state.memory is not None else math.inf
        if state.carried < min(max(counts, 1.0), CARRY_FRAMES):
            return False
        total_ms = self.budget.total_ms
        if total_ms is None or state.carried >= LONGEST_CARRY:
            return True
        if ladder is None or measure not in self.ways:
            return False
        return frame_ms(self.budget, ladder, self.ways.index(measure), megapixels) <= total_ms

    def _look(
        self,
        allowed_ms: float | None,
        ladder: Ladder | None,
        state: State,
        megapixels: float,
        *,
        lost: bool,
    ) -> Look | None:
        """How to check: the best that fits; without findings of this scene, the least at least."""
        if not self.looks:
            return None
        if ladder is None or allowed_ms is None:
            return self.looks[0]
        found = ladder.look_within(allowed_ms, megapixels)
        if found is None:
            return self.looks[-1] if lost or state.checked is None else None
        return self.looks[found]

    def _check(
        self,
        look: Look | None,
        before: Checked | None,
        sources: Mapping[str, Any],
        deadline: Deadline,
        megapixels: float,
    ) -> tuple[Checked, list[StageReport]]:
        """Check a frame, or carry the findings of an earlier one."""
        if look is None:
            assert before is not None
            return before._replace(age_frames=before.age_frames + 1), []
        done = self._run(look.graph, look, sources, deadline, megapixels)
        return Checked(self._in_reach(done.values["findings"])), done.stages

    def _in_reach(self, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
        """Findings whose distance to step nearer than is one at which the lens can focus."""
        return tuple(
            replace(found, limit=max(found.limit, self.nearest_focus_m))
            if found.code == "hyperfocal" and found.limit is not None
            else found
            for found in findings
        )

    def _cpu_s(self) -> float:
        return cpu_s() if self.device is None else 0.0

    def _sources(self, capture: Capture, state: State) -> dict[str, Any]:
        if self.meta is not None and not capture.meta.focal_length_mm:
            capture = replace(capture, meta=self.meta)
        return {
            "linear": capture.linear,
            "curve": capture.curve,
            "headroom": capture.kind == "raw",
            "optics": optics_of(capture, self.distance_m),
            "focus_point": self.focus_point,
            "scribbles": (),
            "memory": state.memory,
        }

    def _run(
        self,
        graph: Graph,
        chosen: Way | Look,
        sources: Mapping[str, Any],
        deadline: Deadline,
        megapixels: float,
    ) -> Run:
        pace = Pace(
            megapixels=megapixels,
            costs=self.costs,
            guesses=live_guesses(chosen.name),
            budget=self.budget,
            deadline=deadline,
        )
        return run(graph, sources, chosen.params, pace)


def _advise(
    state: AdviceState,
    checked: Checked,
    findings: tuple[Finding, ...],
    at_s: float | None,
    way: Way,
) -> tuple[AdviceState, Advice]:
    """Advice of a frame; what was found before and is only carried advises nothing anew.

    It is held for a time of what was filmed, however long that takes here. A picture that was taken
    by itself is advised by itself.
    """
    if checked.age_frames and state.shown is not None:
        return state, state.shown
    before, at_ms = (AdviceState(), 0.0) if at_s is None else (state, at_s * 1000)
    return advise(before, findings, at_ms, cast(AdviceParams, way.params[AdviceParams]))
