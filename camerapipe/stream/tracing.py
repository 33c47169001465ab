"""From the events of a stream to a trace: spans, drops with their reasons, queues, advice."""

from __future__ import annotations

from camerapipe.pipelines import LIVE_CHECK
from camerapipe.report import Caveat
from camerapipe.stream.checking import CHECK
from camerapipe.stream.frames import Fate, Outcome, Service
from camerapipe.stream.options import StreamOptions
from camerapipe.stream.session import Stream
from camerapipe.stream.sources import Source
from camerapipe.stream.viewfinder import Shown
from camerapipe.trace import GRAPH, Run, Tracer

ADVICE, LADDER = "advice", "ladder"  # tracks of what changes, with `CHECK`
CHECK_FIRST = LIVE_CHECK.order[0].name
CHECK_STAGES = {node.name for node in LIVE_CHECK.order}


def run_of(source: Source, options: StreamOptions, versions: dict[str, str]) -> Run:
    """What a trace says of its run."""
    profile = options.profile
    scales = [end for ends in profile.scale.values() for end in ends] if profile else []
    return Run(
        mode="simulated" if profile else "measured",
        source=source.name,
        graph="live",
        policy=options.policy,
        profile=profile.name if profile else None,
        calibrated=profile.calibrated if profile else True,
        scale_range=(min(scales), max(scales)) if scales else None,
        budget_ms=options.budget.total_ms,
        stages_ms=options.budget.stages_ms,
        interval_ms=1000 / source.fps if source.fps else None,
        seed=options.seed,
        versions=versions,
        settings={"place in the scale range": options.place} if profile else {},
    )


class Tracing:
    """Writes what a stream tells to a trace."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._advice, self._rung, self._look = "", "", ""
        self._way: dict[int, list[tuple[str, float]]] = {}  # of frames in flight: where, when

    def note(self, stream: Stream, event: Service | Outcome) -> None:
        """Write one event."""
        frames, size_bytes = stream.in_flight
        self._tracer.counter("frames in flight", event.ended_s, frames)
        self._tracer.counter("MB in flight", event.ended_s, size_bytes / 1e6)
        if isinstance(event, Service):
            self._note_service(event)
        else:
            self._note_outcome(event)

    def _note_service(self, event: Service) -> None:
        outer = event.stage == GRAPH
        self._tracer.span(
            event.stage, f"frame {event.seq}" if outer else event.stage,
            event.started_s, event.ended_s, frame=event.seq, outer=outer,
        )  # fmt: skip
        self._way.setdefault(event.seq, []).append((event.stage, event.started_s))
        waited_ms = (event.started_s - event.queued_s) * 1000
        self._tracer.counter(f"wait for {event.stage}, ms", event.started_s, waited_ms)

    def _note_outcome(self, event: Outcome) -> None:
        self._tracer.flow(event.seq, self._way.pop(event.seq, []))
        told = event.value if isinstance(event.value, Shown) else None
        if told is None:
            self._tracer.frame(
                event.seq, event.captured_s, event.ended_s, fate=event.fate.value,
                stage=event.stage or None, reason=event.reason or None,
                lateness_ms=event.age_ms if event.fate is Fate.DROPPED else None,
            )  # fmt: skip
            return
        self._note_stages(told)
        self._tracer.frame(
            event.seq, event.captured_s, event.ended_s, fate=event.fate.value,
            capture=told.frame.capture.name, spent_ms=told.spent_ms, budget_ms=told.budget.total_ms,
            step_ms=told.step_ms or None, late=told.late, contended=told.contended,
            rung=told.label, caveats=told.caveats.names(),
            findings=[finding.code for finding in told.findings], advice=told.advice.text,
            check=told.check.look, check_age_frames=told.check.age_frames or None,
        )  # fmt: skip
        if told.advice.text != self._advice:
            self._tracer.instant(ADVICE, told.advice.text, told.started_s, frame=event.seq)
        if told.label != self._rung:
            self._tracer.instant(LADDER, told.label, told.started_s, frame=event.seq)
        if told.check.look != self._look:
            self._tracer.instant(CHECK, told.check.look, told.started_s, frame=event.seq)
        self._advice, self._rung, self._look = told.advice.text, told.label, told.check.look

    def _note_stages(self, told: Shown) -> None:
        """Stages run one after the other, so where each began follows from what they took."""
        at_s = told.started_s
        for row in told.stages:
            if row.name == CHECK_FIRST:
                at_s = self._note_check(told, at_s)
            if row.name in CHECK_STAGES:
                continue
            ended_s = at_s + row.used_ms / 1000
            self._tracer.span(
                GRAPH, row.name, at_s, ended_s, frame=told.frame.seq,
                granted_ms=row.granted_ms, setup_ms=row.setup_ms, steps=row.steps,
                residual=row.residual, caveats=row.caveats.names(), rung=told.label,
            )  # fmt: skip
            at_s = ended_s

    def _note_check(self, told: Shown, at_s: float) -> float:
        """The check is one slice, with the time that it had."""
        check = told.check
        late = check.granted_ms is not None and check.used_ms > check.granted_ms
        ended_s = at_s + check.used_ms / 1000
        self._tracer.span(
            GRAPH, CHECK, at_s, ended_s, frame=told.frame.seq, granted_ms=check.granted_ms,
            caveats=(Caveat.OVERRUN if late else Caveat.NONE).names(), rung=check.look,
        )  # fmt: skip
        return ended_s
