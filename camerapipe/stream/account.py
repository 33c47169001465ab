"""The account of a stream: sums, and distributions whose size does not grow with its length."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from camerapipe.budget import Budget
from camerapipe.stream.exposures import FrameSource
from camerapipe.stream.frames import Event, Fate, Service, Tally
from camerapipe.stream.options import StreamOptions
from camerapipe.stream.shown import Shown
from stages.findings import Finding

BIN = math.log(1.01)  # a bin is 1 % wide, which is the precision of percentiles
MIN_MS = 1e-3


@dataclass(slots=True)
class TimeHistogram:
    """Distribution of times in ms, in bins of equal ratio."""

    counts: Counter[int] = field(default_factory=Counter)

    def add(self, ms: float) -> None:
        """Count a time."""
        self.counts[round(math.log(max(ms, MIN_MS)) / BIN)] += 1

    def percentile(self, percent: float) -> float | None:
        """Smallest time in ms that `percent` of all do not exceed; None if there are none."""
        wanted, seen = percent / 100 * self.counts.total(), 0
        for place in sorted(self.counts):
            seen += self.counts[place]
            if seen >= wanted:
                return math.exp(place * BIN)
        return None


PERCENTS = (50, 95, 99)


class Ceiling(NamedTuple):
    """The stage that sets the rate at which frames can be delivered, or the source."""

    stage: str
    frames_per_second: float


@dataclass(slots=True)
class StageTimes:
    """Times of one stage."""

    histogram: TimeHistogram = field(default_factory=TimeHistogram)
    total_ms: float = 0.0

    @property
    def frames_per_second(self) -> float:
        """Rate at which this stage alone could run; infinite if it takes no time."""
        return 1000 * self.histogram.counts.total() / self.total_ms if self.total_ms else math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamReport:
    """Report of a stream that has ended. If `mode` is simulated, times are those of a model."""

    mode: str  # measured or simulated
    source: str
    profile: str | None
    calibrated: bool
    scale_place: float | None  # in the range of the profile's scales
    submitted: int
    done: int
    failed: int
    dropped: int
    cancelled: int
    drops: dict[str, int]  # by reason
    failures: list[str]  # the first few
    budget_ms: float | None
    within_budget: float | None  # share of frames done in time, up to one step of an anytime stage
    contended: float | None  # share slowed by other processes, not counted in within_budget
    seconds: float
    frames_per_second: float | None
    latency_ms: dict[str, float | None]  # from capture to delivery: p50, p95, p99
    spent_ms: dict[str, float | None]  # from pixels to picture, which the budget limits
    stages_ms: dict[str, dict[str, float | None]]  # time of each stage: p50, p95, p99
    ceiling: Ceiling | None  # what limits the rate
    lost: int  # frames that the source itself lost
    rungs: dict[str, int]  # frames by rung, or `pass-through`
    checks: dict[str, int]  # frames by level of the check, or `carried`
    most_in_flight: int
    ended: str  # `complete`, `stopped`, or what failed
    findings: tuple[Finding, ...] = ()  # about the stream itself, before its first frame

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return asdict(self)


MAX_FAILURES = 5  # that are kept as texts
SOURCE = "source"  # instead of a stage, if nothing is slower


class Account:
    """Adds up the events of a stream."""

    def __init__(self) -> None:
        self._latency, self._spent = TimeHistogram(), TimeHistogram()
        self._stages: dict[str, StageTimes] = {}
        self._rungs: Counter[str] = Counter()
        self._checks: Counter[str] = Counter()
        self._failures: list[str] = []
        self._within = self._judged = self._contended = 0
        self._first_s, self._last_s = math.inf, -math.inf

    def add(self, event: Event) -> None:
        """Count an event."""
        if isinstance(event, Service):
            self._first_s = min(self._first_s, event.started_s)
            times = self._stages.setdefault(event.stage, StageTimes())
            used_ms = (event.ended_s - event.started_s) * 1000
            times.histogram.add(used_ms)
            times.total_ms += used_ms
            return
        self._first_s = min(self._first_s, event.ended_s)
        self._last_s = max(self._last_s, event.ended_s)
        if event.fate is Fate.FAILED and len(self._failures) < MAX_FAILURES:
            self._failures.append(f"frame {event.seq}: {event.stage}: {event.reason}")
        if event.fate is Fate.DONE:
            self._latency.add(event.age_ms)
            if isinstance(event.value, Shown):
                self._add_shown(event.value)

    def _add_shown(self, shown: Shown) -> None:
        self._spent.add(shown.spent_ms)
        self._rungs[shown.label] += 1
        self._checks[shown.check.level] += 1
        if shown.budget == Budget():
            return
        if shown.contended:
            self._contended += 1
            return
        self._judged += 1
        self._within += shown.in_time

    def _ceiling(self, source: FrameSource) -> Ceiling | None:
        """The slowest of the stages, which overlap, and of the source."""
        rates = [Ceiling(name, each.frames_per_second) for name, each in self._stages.items()]
        rates += [Ceiling(SOURCE, source.fps)] if source.fps else []
        found = min(rates, key=lambda each: each.frames_per_second, default=None)
        return found if found and math.isfinite(found.frames_per_second) else None

    def report(
        self,
        source: FrameSource,
        options: StreamOptions,
        tally: Tally,
        ended: str,
        findings: tuple[Finding, ...] = (),
    ) -> StreamReport:
        """Sum up the stream."""
        profile, fates = options.profile, tally.fates
        seconds = max(self._last_s - self._first_s, 0.0)
        budgeted = self._judged + self._contended
        return StreamReport(
            mode="simulated" if profile else "measured",
            source=source.name,
            profile=profile.name if profile else None,
            calibrated=profile.calibrated if profile else True,
            scale_place=options.place if profile else None,
            submitted=tally.submitted,
            done=fates[Fate.DONE],
            failed=fates[Fate.FAILED],
            dropped=fates[Fate.DROPPED],
            cancelled=fates[Fate.CANCELLED],
            drops=dict(tally.drops),
            failures=self._failures,
            budget_ms=options.budget.total_ms,
            within_budget=self._within / self._judged if self._judged else None,
            contended=self._contended / budgeted if budgeted else None,
            seconds=seconds,
            frames_per_second=fates[Fate.DONE] / seconds if seconds else None,
            latency_ms=_percentiles(self._latency),
            spent_ms=_percentiles(self._spent),
            stages_ms={name: _percentiles(each.histogram) for name, each in self._stages.items()},
            ceiling=self._ceiling(source),
            lost=tally.lost,
            rungs=dict(self._rungs),
            checks=dict(self._checks),
            most_in_flight=tally.most_in_flight,
            ended=ended,
            findings=findings,
        )


def _percentiles(times: TimeHistogram) -> dict[str, float | None]:
    return {f"p{p}": times.percentile(p) for p in PERCENTS}
