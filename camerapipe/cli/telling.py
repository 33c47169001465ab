"""Messages of a stream while it runs and at its end; progress, signals and exit codes."""

from __future__ import annotations

import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from camerapipe.cli.common import LATE, OK, SOME_FAILED, UNREADABLE, say

if TYPE_CHECKING:
    from camerapipe.stream.account import StreamReport
    from camerapipe.stream.rehearsal import LadderCosts
    from stages.findings import Finding

SIGNALLED = 128  # plus the number of the signal: 130 after Ctrl-C, 143 after SIGTERM
ENDINGS = (signal.SIGINT, signal.SIGTERM)
RATE_FRAMES = 30  # over which the rate is measured


class Teller:
    """Prints messages while a stream runs.

    New advice and failed frames are printed as lines. On a terminal, a line of progress shows
    frames, rate, rung and late frames.

    Parameters
    ----------
    quiet : bool
        Print failures only.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._advice, self._rung = "", ""
        self._done = self._late = 0
        self._ended_s: deque[float] = deque(maxlen=RATE_FRAMES)
        self._show: Callable[[int, str], None] = lambda done, status: None

    def note(self, event: Any, in_flight: Any) -> None:
        """Take one event of the stream (an observer)."""
        from camerapipe.stream.frames import Fate, Outcome
        from camerapipe.stream.shown import Shown

        if not isinstance(event, Outcome):
            return
        if event.fate is Fate.FAILED:
            say(f"frame {event.seq}: {event.stage}: {event.reason}")
        shown = event.value
        if not isinstance(shown, Shown):
            return
        self._done, self._rung = self._done + 1, shown.label
        self._late += shown.late
        self._ended_s.append(event.ended_s)
        if shown.advice.text != self._advice:
            self._advice = shown.advice.text
            if not self._quiet:
                say(f"frame {event.seq}: {shown.advice.text}")
        self._show(self._done, self.status)

    @property
    def status(self) -> str:
        """Frames, rate, rung and late frames so far, as one line."""
        parts = [f"{self._done} frames"]
        if len(self._ended_s) > 1 and (seconds := self._ended_s[-1] - self._ended_s[0]) > 0:
            parts.append(f"{(len(self._ended_s) - 1) / seconds:.1f} a second")
        parts += [f"rung {self._rung}"] if self._rung else []
        return ", ".join([*parts, f"{self._late} late"])

    @contextmanager
    def progress(self, total: int | None) -> Iterator[None]:
        """Show the line of progress on a terminal.

        Parameters
        ----------
        total : int or None
            Number of frames, if it is known.
        """
        if self._quiet or not sys.stderr.isatty():
            yield
            return
        from rich.console import Console
        from rich.markup import escape
        from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn

        first: ProgressColumn = SpinnerColumn() if total is None else BarColumn()
        columns = (first, TextColumn("{task.description}"))
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("", total=total)
            self._show = lambda done, status: bar.update(
                task, completed=done, description=escape(status)
            )
            yield


class Stoppable(Protocol):
    """What Ctrl-C ends."""

    def stop(self, *, drain: bool) -> None:
        """End after what is in work, or if not `drain` immediately."""


@contextmanager
def interrupts(
    work: Stoppable, draining: str = "ending after the frames that came in"
) -> Iterator[list[int]]:
    """Make Ctrl-C and SIGTERM drain the work, and a second one abort it; gives the signals."""
    seen: list[int] = []

    def stop(number: int, frame: object) -> None:
        seen.append(number)
        if len(seen) <= 2:
            say(draining if len(seen) == 1 else "ending now")
            work.stop(drain=len(seen) == 1)

    if threading.current_thread() is not threading.main_thread():
        yield seen
        return
    before = [(number, signal.signal(number, stop)) for number in ENDINGS]
    try:
        yield seen
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def tell_findings(findings: Sequence[Finding]) -> None:
    """Print findings about the stream itself."""
    for finding in findings:
        say(f"{finding.severity.value}: {finding.message} [{finding.code}]")


def tell(report: StreamReport) -> None:
    """Sum up a stream in a few lines. Whether it was simulated comes first."""
    how = "measured"
    if report.mode == "simulated":
        known = "calibrated" if report.calibrated else "not calibrated"
        how = f"simulated on {report.profile} ({known})"
    ends = f"{report.done} done, {report.dropped} dropped, {report.failed} failed"
    rate = f", {report.frames_per_second:.1f} a second" if report.frames_per_second else ""
    say(f"{how}: {report.submitted} frames: {ends}, {report.cancelled} cancelled{rate}")
    for reason, count in report.drops.items():
        say(f"dropped at the door: {count}: {reason}")
    if report.done:
        say(f"latency {_ms(report.latency_ms)}, from capture to delivery with waiting")
    if report.spent_ms["p50"] is not None:
        say(f"processing {_ms(report.spent_ms)}, from pixels to picture")
    if report.ceiling is not None:
        stage, rate_fps = report.ceiling
        times = report.stages_ms.get(stage)
        taken = f": it takes {_ms(times)}" if times else ""
        say(f"ceiling: {stage}, {rate_fps:.1f} frames a second{taken}")
    if report.lost:
        say(f"lost by the source: {report.lost} frames")
    if report.within_budget is not None:
        limit = "budgets" if report.budget_ms is None else f"{report.budget_ms:g} ms"
        judged = "frames"
        if report.contended:
            share = 1 - report.contended
            judged = f"the {share:.0%} of frames that other processes did not slow"
        say(f"{report.within_budget:.1%} of {judged}: processing within {limit} and one step")
    for what, counts in (("rungs", report.rungs), ("checks", report.checks)):
        if counts:
            say(f"{what}: " + ", ".join(f"{name} {count}" for name, count in counts.items()))


def _ms(times: Mapping[str, float | None]) -> str:
    """Median of times in ms, and the percentiles 95 and 99."""
    half, most, nearly_all = (times[key] or 0.0 for key in ("p50", "p95", "p99"))
    return f"{half:.0f} ms (95 %: {most:.0f} ms, 99 %: {nearly_all:.0f} ms)"


def tell_written(report: StreamReport, *places: str | None) -> None:
    """Say where the outputs are, if there are any."""
    written = [place for place in places if place is not None and Path(place).exists()]
    if written:
        say(f"{report.done} frames -> {', '.join(written)}")


def tell_ending(report: StreamReport) -> None:
    """Say that a stream ended early, if it did."""
    if _ended_early(report):
        say(f"ended early: {report.ended}")


def _ended_early(report: StreamReport) -> bool:
    return report.ended not in ("complete", "stopped")


def costs_table(costs: LadderCosts) -> str:
    """Costs of rungs and check levels as a table of text."""
    where = f"simulated on {costs.simulated_on}" if costs.simulated_on else "on this machine"
    lines = [f"frames of {costs.width}x{costs.height}, {where}", ""]
    for title, levels in (("rung", costs.rungs), ("check", costs.checks)):
        lines.append(f"{title:<10}{'ms a frame':>12}{'frames a second':>18}")
        lines += [
            f"{level.name:<10}{level.ms:>12.1f}{level.frames_per_second:>18.1f}" for level in levels
        ]
        lines.append("")
    lines.append("A frame takes the time of its rung plus that of its check.")
    return "\n".join(lines)


def costs_data(costs: LadderCosts) -> dict[str, Any]:
    """Costs of rungs and check levels as plain data for JSON."""
    return {
        "width": costs.width,
        "height": costs.height,
        "simulated_on": costs.simulated_on,
        "rungs_ms": {level.name: level.ms for level in costs.rungs},
        "checks_ms": {level.name: level.ms for level in costs.checks},
    }


def code_of(report: StreamReport, interrupted: list[int], *, strict: bool) -> int:
    """Exit code of a stream. If `strict`, a missed budget is a failure."""
    if interrupted:
        return SIGNALLED + interrupted[0]
    if _ended_early(report):
        return SOME_FAILED if report.done else UNREADABLE
    if report.failed:
        return SOME_FAILED
    missed = report.within_budget is not None and report.within_budget < 1
    return LATE if strict and missed else OK
