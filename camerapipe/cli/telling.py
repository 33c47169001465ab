"""What a person is told of a stream while it runs and at its end; signals and exit codes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from camerapipe.cli.common import LATE, OK, SOME_FAILED, UNREADABLE, say

SIGNALLED = 128  # and the number of the signal: 130 after Ctrl-C, 143 when told to end
ENDINGS = (signal.SIGINT, signal.SIGTERM)


class Teller:
    """Says what a person should know while the stream runs: new advice, frames that failed."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet, self._advice = quiet, ""

    def note(self, stream: Any, event: Any) -> None:
        """Look at one event."""
        from camerapipe.stream.frames import Fate, Outcome
        from camerapipe.stream.viewfinder import Shown

        if not isinstance(event, Outcome):
            return
        if event.fate is Fate.FAILED:
            say(f"frame {event.seq}: {event.stage}: {event.reason}")
        shown = event.value
        if isinstance(shown, Shown) and shown.advice.text != self._advice:
            self._advice = shown.advice.text
            if not self._quiet:
                say(f"frame {event.seq}: {shown.advice.text}")


@contextmanager
def interrupts(stream: Any) -> Iterator[list[int]]:
    """Ctrl-C or SIGTERM drains, a second one aborts; gives the signals that came."""
    seen: list[int] = []

    def stop(number: int, frame: object) -> None:
        seen.append(number)
        stream.stop(drain=len(seen) == 1)
        say("ending after the frames that came in" if len(seen) == 1 else "ending now")

    if threading.current_thread() is not threading.main_thread():
        yield seen
        return
    before = [(number, signal.signal(number, stop)) for number in ENDINGS]
    try:
        yield seen
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def tell(report: Any) -> None:
    """Sum up a stream in a few lines; what is simulated says so first."""
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
        half, most = report.latency_ms["p50"], report.latency_ms["p95"]
        say(f"latency {half:.0f} ms (95 %: {most:.0f} ms)")
    if report.within_budget is not None:
        contended = f"; {report.contended:.0%} judged apart: others had the machine"
        within = f"{report.within_budget:.1%} within {report.budget_ms:g} ms and one step"
        say(within + (contended if report.contended else ""))
    for what, counts in (("rungs", report.rungs), ("checks", report.checks)):
        if counts:
            say(f"{what}: " + ", ".join(f"{name} {count}" for name, count in counts.items()))
    if report.ended not in ("complete", "stopped"):
        say(f"ended early: {report.ended}")


def code_of(report: Any, interrupted: list[int], *, strict: bool) -> int:
    """Exit code of a stream; `strict`: a missed budget is a failure."""
    if interrupted:
        return SIGNALLED + interrupted[0]
    if report.ended not in ("complete", "stopped"):
        return SOME_FAILED if report.done else UNREADABLE
    if report.failed:
        return SOME_FAILED
    missed = report.within_budget is not None and report.within_budget < 1
    return LATE if strict and missed else OK
