"""One frame of a stream: view and motion, the check, then map and picture within the budget.

The quality policy decides once for each frame how much is computed. The state that is passed from
a frame to the next is a value, so that any frame can be computed again alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from camerapipe.assembly import Request, is_blocked, sources_of
from camerapipe.budget import Clock, Deadline, cpu_s
from camerapipe.capture import Capture, CaptureMeta
from camerapipe.costs import Costs, live_guesses
from camerapipe.graph import Graph
from camerapipe.optics import with_meta
from camerapipe.pipelines import PASS_THROUGH
from camerapipe.report import Caveat, StageReport
from camerapipe.runner import Pace, Run, run
from camerapipe.stream.device import Device
from camerapipe.stream.policy import Choice, QualityPolicy
from camerapipe.stream.reasons import reason_of
from camerapipe.stream.rungs import ReadyCheck, ReadyRung
from camerapipe.stream.shown import (
    CARRIED,
    AgedFindings,
    CheckReport,
    DeviceHeat,
    Frame,
    Shown,
    StreamState,
    codes_of,
)
from stages.advice import FOCUSING, Advice, AdviceParams, AdviceState, advise
from stages.findings import Finding, Severity
from stages.optics import limit_text
from stages.steady import Memory

UNUSABLE = {"too_dark_or_noisy", "too_few_edges"}  # verdicts that say nothing about the focus
NEAREST = 1.1  # times the nearest distance, up to which the lens counts as focused there
CUT = Caveat.UNFINISHED | Caveat.FALLBACK  # less was done than the rung has


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Viewfinder:
    """Shows frames. All that a frame leaves for the next is in its state, except for `costs`.

    Parameters
    ----------
    request : Request
        What is asked of every frame.
    policy : QualityPolicy
        Decides how much is done for a frame.
    clock : Clock
        Time in seconds.
    costs : Costs
        What stages took so far.
    device : Device, optional
        Simulates the costs; None if they are measured.
    meta : CaptureMeta, optional
        Metadata of frames that have none; of all frames if a person gave them.
    nearest_focus_m : float
        Nearest distance at which the lens can focus; no advice sends a person closer.
    """

    request: Request
    policy: QualityPolicy
    clock: Clock
    costs: Costs
    device: Device | None = None
    meta: CaptureMeta | None = None
    nearest_focus_m: float = 0.0

    def show(self, frame: Frame, state: StreamState) -> tuple[Shown, StreamState]:
        """Compute the picture of a frame, and the state for the next one."""
        deadline = Deadline.after(self.request.budget.total_ms, self.clock)
        started_s, cpu_before_s = self.clock(), self._cpu_s()
        if self.device is not None:
            self.device.begin(frame.seq, frame.megapixels)
        plan = self.policy.plan(
            state.policy,
            frame.megapixels,
            map_age=_map_age(state.memory),
            has_findings=state.checked is not None,
        )
        sources = self._sources(frame.capture, state)
        seen = self._run(plan.see.see, plan.see, sources, deadline, frame)
        sources |= seen.values
        choice = plan.lost if sources["motion"].memory is None else plan.tracked
        checked, check_rows = self._check(choice, state.checked, sources, deadline, frame)
        findings = (*checked.findings, *frame.capture.findings)
        advice_state, advice = _advise(state.advice, checked, findings, frame, choice.rung)
        force = self.request.force
        blocked = is_blocked(frame.capture.findings, force=force)
        blocked |= advice_state.blocked and not force
        graph = PASS_THROUGH if blocked or frame.plain else choice.rung.picture
        done = self._run(graph, choice.rung, sources, deadline, frame)
        spent_ms = (self.clock() - started_s) * 1000
        shown = Shown(
            frame=frame,
            image=codes_of(done.values["picture"]),
            blur_map=done.values.get("blur"),
            evidence=done.values.get("free_bounds"),
            findings=findings,
            check=_check_report(choice, checked, check_rows),
            advice=advice,
            rung=choice.rung.name,
            reason=reason_of(self.policy, plan, choice, frame.megapixels),
            blocked=blocked or frame.plain,
            before=state,
            stages=(*seen.stages, *check_rows, *done.stages),
            started_s=started_s,
            spent_ms=spent_ms,
            cpu_ms=None if self.device else (self._cpu_s() - cpu_before_s) * 1000,
            heat=self._heat(),
            request=self.request,
            meta=self.meta,
        )
        after = self.policy.after(
            plan,
            choice,
            map_ms=spent_ms - shown.check.used_ms,
            megapixels=frame.megapixels,
            cut=bool(shown.caveats & CUT),
            blocked=shown.blocked,
        )
        memory = done.values.get("next_memory")
        return shown, StreamState(memory, advice_state, after, checked)

    def _check(
        self,
        choice: Choice,
        before: AgedFindings | None,
        sources: Mapping[str, Any],
        deadline: Deadline,
        frame: Frame,
    ) -> tuple[AgedFindings, list[StageReport]]:
        """Check a frame, or carry the findings of an earlier one."""
        check = choice.check
        if check is None:
            assert before is not None  # else the policy has a frame checked
            return before._replace(age_frames=before.age_frames + 1), []
        done = self._run(check.graph, check, sources, deadline, frame)
        findings = self._within_reach(done.values["findings"])
        return AgedFindings(findings + self._too_near(findings, frame.capture)), done.stages

    def _within_reach(self, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
        """Findings whose distance to step closer than is one at which the lens can focus."""
        return tuple(
            replace(found, limit=max(found.limit, self.nearest_focus_m))
            if found.code == "hyperfocal" and found.limit is not None
            else found
            for found in findings
        )

    def _too_near(self, findings: tuple[Finding, ...], capture: Capture) -> tuple[Finding, ...]:
        """A warning if the lens is focused as near as it can be.

        Then nothing says whether the subject is there or nearer.
        """
        distance_m = capture.meta.subject_distance_m.value
        usable = not UNUSABLE & {found.code for found in findings}
        if not usable or distance_m is None or distance_m > NEAREST * self.nearest_focus_m:
            return ()
        message = f"Nearer than {limit_text(self.nearest_focus_m)}, where the lens can focus."
        limit_m = self.nearest_focus_m
        return (Finding("too_near", Severity.WARNING, message, distance_m, limit_m),)

    def _cpu_s(self) -> float:
        return cpu_s() if self.device is None else 0.0

    def _heat(self) -> DeviceHeat | None:
        if self.device is None:
            return None
        return DeviceHeat(self.device.heat.temperature_c, self.device.heat.throttled)

    def _sources(self, capture: Capture, state: StreamState) -> dict[str, Any]:
        return sources_of(with_meta(capture, self.meta), self.request, memory=state.memory)

    def _run(
        self,
        graph: Graph,
        level: ReadyRung | ReadyCheck,
        sources: Mapping[str, Any],
        deadline: Deadline,
        frame: Frame,
    ) -> Run:
        pace = Pace(
            megapixels=frame.megapixels,
            costs=self.costs,
            guesses=live_guesses(level.name),
            budget=self.request.budget,
            deadline=deadline,
        )
        return run(graph, sources, level.params, pace)


def _map_age(memory: Memory | None) -> float:
    """Frames that the temporal filter averages, mean over the map; infinite without a map."""
    return math.inf if memory is None else float(np.mean(memory.age))


def _check_report(choice: Choice, checked: AgedFindings, rows: list[StageReport]) -> CheckReport:
    return CheckReport(
        level=choice.check.name if choice.check else CARRIED,
        age_frames=checked.age_frames,
        used_ms=sum(row.used_ms for row in rows),
        granted_ms=choice.check_ms,
    )


def _advise(
    state: AdviceState,
    checked: AgedFindings,
    findings: tuple[Finding, ...],
    frame: Frame,
    rung: ReadyRung,
) -> tuple[AdviceState, Advice]:
    """Advice of a frame.

    Findings carried over from an earlier frame, and those of a frame that was exposed while
    autofocus was searching, leave the advice as it is. How long an advice stays is measured in the
    frames' own time, not in processing time. A single picture (`at_s` None) is advised without
    regard to earlier ones.
    """
    if (checked.age_frames or frame.focusing) and state.shown is not None:
        return state, state.shown
    if frame.focusing:
        return state, FOCUSING
    at_s = frame.at_s
    before, at_ms = (AdviceState(), 0.0) if at_s is None else (state, at_s * 1000)
    return advise(before, findings, at_ms, cast(AdviceParams, rung.params[AdviceParams]))
