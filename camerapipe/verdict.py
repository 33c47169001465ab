"""One line about a finished job: what was found, what was done, how long it took."""

from __future__ import annotations

from collections.abc import Iterable

from camerapipe.budget import Budget
from camerapipe.report import Caveat, Report
from stages.capture_check import NEGATIVE_CODES
from stages.findings import Finding, Severity

LESS = Caveat.UNFINISHED | Caveat.FALLBACK  # what was given up to be on time


def sentence(report: Report, done: str, budget: Budget) -> str:
    """What was found in a capture, what was done, and in which time.

    Parameters
    ----------
    report : Report
        Of the shot or the map; its first finding is the verdict of the check.
    done : str
        What was done, such as `rendered at strength 2`.
    budget : Budget
        What was granted.
    """
    verdict = report.findings[0]
    found = verdict.code.replace("_", " ")
    return f"{found}; {done} in {duration(report.spent_ms)}{timeliness(report, budget)}"


def timeliness(report: Report, budget: Budget) -> str:
    """Whether the budget was met, and what was given up for it; empty without a budget."""
    total_ms = budget.total_ms
    notes = []
    if total_ms is not None:
        if report.spent_ms > total_ms:
            notes.append(f"LATE: the budget was {duration(total_ms)}")
        else:
            notes.append(f"budget {duration(total_ms)}")
    for stage in report.stages:
        granted_ms = budget.stages_ms.get(stage.name)
        if granted_ms is not None and stage.used_ms > granted_ms:
            notes.append(
                f"LATE: {stage.name} took {duration(stage.used_ms)} of {duration(granted_ms)}"
            )
    less = [
        f"{stage.name} {' and '.join((stage.caveats & LESS).names())}"
        for stage in report.stages
        if stage.caveats & LESS
    ]
    if less:
        notes.append(f"less done: {', '.join(less)}")
    return f" ({'; '.join(notes)})" if notes else ""


def answer(findings: Iterable[Finding]) -> str:
    """The verdict of the check in a word: is there defocus to magnify?"""
    verdict = next(iter(findings))
    if verdict.code in NEGATIVE_CODES or verdict.severity is Severity.BLOCKING:
        return "no"
    if verdict.severity is Severity.INFO:
        return "yes"
    return "a little" if verdict.code == "defocus_weak" else "in doubt"


def duration(ms: float) -> str:
    """A time for people: `812 ms`, `3.8 s`."""
    return f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.3g} s"
