"""Summary of a trace. All numbers cover all frames of the run.

Quantiles are interpolated linearly. Latency is the time from capture to delivery of frames that
were done. The shares within the budget exclude frames that were slowed by other programs
(contended); these are counted separately.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, get_args

import numpy as np

from camerapipe.timeline.reading import Column, Spans, Trace, TracedFrame
from camerapipe.trace import Fate, TraceHeader


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Quantiles of a number."""

    median: float
    p95: float
    p99: float
    largest: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Quantiles | None:
        """Quantiles of the values that are not NaN; None if there are none."""
        known = np.fromiter(values, np.float64)
        known = known[~np.isnan(known)]
        if not known.size:
            return None
        return cls(*map(float, np.quantile(known, (0.5, 0.95, 0.99, 1.0))))


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRow:
    """Time of a stage over the run, and how often it had each caveat."""

    track: str
    name: str
    count: int
    ms: Quantiles
    share: float  # of the time of all stages
    granted_ms: float | None  # median
    steps: float | None  # median
    overruns: int
    fallbacks: int
    unfinished: int


@dataclass(frozen=True, slots=True)
class CeilingRow:
    """The track that sets the rate at which frames can be delivered, or the source."""

    track: str
    fps: float  # at which it alone could run
    ms: Quantiles | None  # of a frame on it; None: the source


@dataclass(frozen=True, slots=True, kw_only=True)
class LossRow:
    """Number of frames that were not done, for one fate, stage and reason."""

    fate: Fate
    stage: str
    reason: str
    count: int
    lateness_ms: Quantiles | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Numbers of a run; None: not available."""

    header: TraceHeader
    end: dict[str, Any]
    frames: int
    fates: dict[str, int]
    duration_s: float  # from the first capture to the last end
    offered_fps: float | None  # of the source
    fps: float | None  # delivered
    latency_ms: Quantiles | None
    latency_intervals: float | None  # p95, in frame intervals
    spent_ms: Quantiles | None
    within_budget: float | None  # share, of frames not contended
    within_step: float | None  # the same, where a budget may be missed by one step
    late: int
    contended: int
    stages: tuple[StageRow, ...]
    ceiling: CeilingRow | None
    losses: tuple[LossRow, ...]
    moments: dict[str, int]
    rungs: dict[str, int]  # done frames on each rung of the quality ladder
    peaks: dict[str, float]  # of every counter

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        data = asdict(self)
        return {"run": data.pop("header"), **data}


def summarise(trace: Trace) -> Summary:
    """Summary of a trace."""
    frames, interval_ms = trace.frames, trace.header.interval_ms
    done = [frame for frame in frames if frame.fate == "done"]
    latency = Quantiles.of(frame.latency_ms for frame in done)
    own = [frame for frame in done if not frame.contended]
    captured = [frame.captured_s for frame in frames]
    ends = sorted(frame.captured_s + frame.latency_ms / 1000 for frame in done)
    every = [frame.captured_s + frame.latency_ms / 1000 for frame in frames]
    return Summary(
        header=trace.header,
        end=trace.end,
        frames=len(frames),
        fates={fate: sum(f.fate == fate for f in frames) for fate in get_args(Fate)},
        duration_s=max(every) - min(captured) if frames else 0.0,
        offered_fps=_rate(captured),
        fps=_rate(ends),
        latency_ms=latency,
        latency_intervals=latency.p95 / interval_ms if latency and interval_ms else None,
        spent_ms=Quantiles.of(frame.spent_ms for frame in done),
        within_budget=_within(own, allow_step=False),
        within_step=_within(own, allow_step=True),
        late=sum(frame.missed for frame in own),
        contended=len(done) - len(own),
        stages=_stages(trace),
        ceiling=_ceiling(trace),
        losses=_losses(frames),
        moments=dict(Counter(moment.name for moment in trace.moments)),
        rungs=dict(Counter(frame.rung for frame in done if frame.rung is not None)),
        peaks={name: float(values.max()) for name, (_, values) in trace.counters.items()},
    )


def _rate(times_s: Sequence[float]) -> float | None:
    """Events per second between the first and the last of sorted times."""
    span_s = times_s[-1] - times_s[0] if times_s else 0.0
    return (len(times_s) - 1) / span_s if span_s > 0 else None


def _within(frames: Sequence[TracedFrame], *, allow_step: bool) -> float | None:
    """Share of the frames that are not late; None if no frame has spent time and budget.

    With `allow_step`, a frame may spend one step more than its budget.
    """
    judged = [
        frame.spent_ms <= frame.budget_ms + frame.step_ms
        if allow_step and not math.isnan(frame.step_ms)
        else not frame.missed
        for frame in frames
        if not math.isnan(frame.spent_ms + frame.budget_ms)
    ]
    return sum(judged) / len(judged) if judged else None


def _stages(trace: Trace) -> tuple[StageRow, ...]:
    """One row for each stage, in the order of tracks and first appearance."""
    stages = trace.spans.where(~trace.spans.outer)
    total_ms = float(stages.ms.sum())
    order = sorted(set(stages.kind.tolist()), key=lambda k: (_track_order(trace, k), k))
    return tuple(_stage_row(trace, kind, stages, total_ms) for kind in order)


def _ceiling(trace: Trace) -> CeilingRow | None:
    """The slowest track, since tracks overlap, or the source if that is slower."""
    rows, grouped = [], {trace.kinds[kind][0] for kind in trace.spans.kind[trace.spans.outer]}
    for number, (track, _) in enumerate(trace.kinds):
        spans = trace.spans.where(trace.spans.kind == number)
        whole = spans.where(spans.outer) if track in grouped else spans
        if whole.ms.sum() > 0:
            fps = 1000 * len(whole.ms) / float(whole.ms.sum())
            rows.append(CeilingRow(track, fps, Quantiles.of(whole.ms)))
    if trace.header.interval_ms:
        rows.append(CeilingRow("source", 1000 / trace.header.interval_ms, None))
    return min(rows, key=lambda row: row.fps, default=None)


def _track_order(trace: Trace, kind: int) -> int:
    track = trace.kinds[kind][0]
    return trace.tracks.index(track) if track in trace.tracks else len(trace.tracks)


def _stage_row(trace: Trace, kind: int, stages: Spans, total_ms: float) -> StageRow:
    track, name = trace.kinds[kind]
    spans = stages.where(stages.kind == kind)
    ms = Quantiles.of(spans.ms)
    assert ms is not None  # a kind has spans, and a span its time
    given_up = Counter(flag for number in spans.caveats for flag in trace.caveats[number])
    return StageRow(
        track=track,
        name=name,
        count=len(spans.ms),
        ms=ms,
        share=float(spans.ms.sum()) / total_ms if total_ms else 0.0,
        granted_ms=_median(spans.granted_ms),
        steps=_median(spans.steps),
        overruns=given_up["overrun"],
        fallbacks=given_up["fallback"],
        unfinished=given_up["unfinished"],
    )


def _median(values: Column) -> float | None:
    known = Quantiles.of(values)
    return known.median if known else None


def _losses(frames: Sequence[TracedFrame]) -> tuple[LossRow, ...]:
    """Rows of the lost frames, the most frequent first."""
    lost: dict[tuple[Fate, str, str], list[float]] = {}
    for frame in frames:
        if frame.fate != "done":
            key = (frame.fate, frame.stage or "", frame.reason or "")
            lost.setdefault(key, []).append(frame.lateness_ms)
    rows = (
        LossRow(fate=f, stage=s, reason=r, count=len(late), lateness_ms=Quantiles.of(late))
        for (f, s, r), late in lost.items()
    )
    return tuple(sorted(rows, key=lambda row: (-row.count, row.fate, row.stage, row.reason)))
