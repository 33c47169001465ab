"""From the events of a stream to a trace: spans, drops with their reasons, queues, advice."""

from __future__ import annotations

from collections.abc import Sequence

from camerapipe.live import LIVE_CHECK
from camerapipe.report import Caveat
from camerapipe.stream.exposures import FrameSource
from camerapipe.stream.frames import Event, Fate, InFlight, Outcome, Service
from camerapipe.stream.options import StreamOptions
from camerapipe.stream.policy import CHECK
from camerapipe.stream.shown import Shown
from camerapipe.trace import GRAPH, Kind, TraceHeader, Tracer

DROPPED, LOST = "frames dropped", "frames lost by the source"
MB_OF: dict[Kind, str] = {"frame": "MB in flight", "capture": "MB of captures in flight"}
SENSOR = "sensor"  # first phase of a frame: exposure and readout, until it is at the door
ADVICE, LADDER = "advice", "ladder"  # tracks of changes, as is `CHECK`
CHECK_FIRST = LIVE_CHECK.order[0].name
CHECK_STAGES = {node.name for node in LIVE_CHECK.order}


def header_of(source: FrameSource, options: StreamOptions, versions: dict[str, str]) -> TraceHeader:
    """The header of the trace of a stream."""
    profile = options.profile
    scales = [end for ends in profile.scale.values() for end in ends] if profile else []
    return TraceHeader(
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


def phases_of(outcome: Outcome, hops: Sequence[Service]) -> list[tuple[str, float, float]]:
    """Name, begin and end (s) of what a frame went through, from the sensor to its end."""
    at_s = outcome.captured_s
    if not hops and outcome.fate is Fate.DONE:  # nothing had to be done with it
        return [(SENSOR, at_s, outcome.ended_s)]
    phases: list[tuple[str, float, float]] = []
    for hop in hops:
        if not phases:
            phases.append((SENSOR, at_s, hop.queued_s))
        phases.append((f"wait for {hop.stage}", hop.queued_s, hop.started_s))
        phases.append((hop.stage, hop.started_s, hop.ended_s))
    return phases


class Tracing:
    """Writes the events of a stream to a trace; those of another `kind` beside it."""

    def __init__(self, tracer: Tracer, kind: Kind = "frame") -> None:
        self._tracer, self._kind = tracer, kind
        self._advice, self._rung, self._check = "", "", ""
        self._hops: dict[int, list[Service]] = {}  # of frames in flight
        self._counted: dict[str, int] = {}  # last values of the counters that seldom change

    def note(self, event: Event, in_flight: InFlight) -> None:
        """Write one event."""
        self._tracer.counter(f"{self._kind}s in flight", event.ended_s, in_flight.frames)
        self._tracer.counter(MB_OF[self._kind], event.ended_s, in_flight.size_bytes / 1e6)
        self._count(f"{self._kind}s waiting", event.ended_s, in_flight.waiting)
        self._count(DROPPED, event.ended_s, in_flight.dropped)
        self._count(LOST, event.ended_s, in_flight.lost)
        if isinstance(event, Service):
            self._note_service(event)
        else:
            self._note_outcome(event)

    def _count(self, name: str, at_s: float, value: int) -> None:
        """Write a counter if it has changed."""
        if self._counted.get(name, 0) != value:
            self._counted[name] = value
            self._tracer.counter(name, at_s, value)

    def _note_service(self, event: Service) -> None:
        outer = event.stage == GRAPH
        self._tracer.span(
            event.stage, f"frame {event.seq}" if outer else event.stage,
            event.started_s, event.ended_s, frame=event.seq, outer=outer,
        )  # fmt: skip
        self._hops.setdefault(event.seq, []).append(event)
        waited_ms = (event.started_s - event.queued_s) * 1000
        self._tracer.counter(f"wait for {event.stage}, ms", event.started_s, waited_ms)

    def _note_outcome(self, event: Outcome) -> None:
        hops = self._hops.pop(event.seq, [])
        self._tracer.flow(event.seq, [(hop.stage, hop.started_s) for hop in hops])
        phases = phases_of(event, hops)
        shown = event.value if isinstance(event.value, Shown) else None
        if shown is None:
            self._tracer.frame(
                event.seq, event.captured_s, event.ended_s, phases,
                kind=self._kind, fate=event.fate.value,
                stage=event.stage or None, reason=event.reason or None,
                lateness_ms=event.age_ms if event.fate is Fate.DROPPED else None,
            )  # fmt: skip
            return
        self._note_stages(shown)
        check = shown.check
        self._tracer.frame(
            event.seq, event.captured_s, event.ended_s, phases,
            kind=self._kind, fate=event.fate.value,
            capture=shown.frame.capture.name, spent_ms=shown.spent_ms,
            budget_ms=shown.budget.total_ms, step_ms=shown.step_ms or None, late=shown.late,
            contended=shown.contended, rung=shown.label, caveats=shown.caveats.names(),
            findings=[finding.code for finding in shown.findings], advice=shown.advice.text,
            check=check.level, check_age_frames=check.age_frames or None,
        )  # fmt: skip
        if shown.advice.text != self._advice:
            self._tracer.instant(ADVICE, shown.advice.text, shown.started_s, frame=event.seq)
        if shown.label != self._rung:
            self._tracer.instant(LADDER, shown.label, shown.started_s, frame=event.seq)
        if check.level != self._check:
            self._tracer.instant(CHECK, check.level, shown.started_s, frame=event.seq)
        self._advice, self._rung, self._check = shown.advice.text, shown.label, check.level

    def _note_stages(self, shown: Shown) -> None:
        """Write the stages. They run in sequence, so their times follow from their durations."""
        at_s = shown.started_s
        for row in shown.stages:
            if row.name == CHECK_FIRST:
                at_s = self._note_check(shown, at_s)
            if row.name in CHECK_STAGES:
                continue
            ended_s = at_s + row.used_ms / 1000
            self._tracer.span(
                GRAPH, row.name, at_s, ended_s, frame=shown.frame.seq,
                granted_ms=row.granted_ms, setup_ms=row.setup_ms, steps=row.steps,
                residual=row.residual, caveats=row.caveats.names(), rung=shown.label,
            )  # fmt: skip
            at_s = ended_s

    def _note_check(self, shown: Shown, at_s: float) -> float:
        """Write the check as one span, with the time granted to it; return its end."""
        check = shown.check
        late = check.granted_ms is not None and check.used_ms > check.granted_ms
        ended_s = at_s + check.used_ms / 1000
        self._tracer.span(
            GRAPH, CHECK, at_s, ended_s, frame=shown.frame.seq, granted_ms=check.granted_ms,
            caveats=(Caveat.OVERRUN if late else Caveat.NONE).names(), rung=check.level,
        )  # fmt: skip
        return ended_s
