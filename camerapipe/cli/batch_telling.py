"""Messages of a batch: failures, progress, the summary, and what would be done."""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from camerapipe.batch.order import State
from camerapipe.batch.places import url_of
from camerapipe.batch.report import clock
from camerapipe.budget import wall_s
from camerapipe.cli.common import OK, SOME_FAILED, UNREADABLE, say
from camerapipe.cli.telling import SIGNALLED

if TYPE_CHECKING:
    from camerapipe.batch.listing import Found
    from camerapipe.batch.order import Order, Outcome
    from camerapipe.batch.planning import Planner
    from camerapipe.batch.running import Ended

LINE_EVERY_S = 10.0  # between lines of progress where there is no terminal
RATE_FILES = 100  # over which the rate is measured
SHOWN_FAULTS = 20  # commands that the summary shows
ENDED = (State.DONE, State.SKIPPED, State.FAILED, State.QUARANTINED)


class BatchTeller:
    """Tells about a batch while it runs and at its end.

    Parameters
    ----------
    planner : Planner
        Knows how many inputs were met.
    command : callable
        The command that shows the fault of a source again.
    quiet : bool
        Print failures only.
    as_json : bool
        Print a line of JSON for every file on stdout.
    each : bool
        Print a line for every file that is done, and none of progress.
    """

    def __init__(
        self,
        planner: Planner,
        *,
        command: Callable[[str], str],
        quiet: bool,
        as_json: bool,
        each: bool = False,
    ) -> None:
        self._planner, self._command = planner, command
        self._quiet, self._as_json = quiet, as_json
        self._counts: Counter[State] = Counter()
        self._faults: list[str] = []
        self._problems = 0
        self._total: int | None = None
        self._started_s = self._told_s = wall_s()
        self._ends_s: deque[float] = deque(maxlen=RATE_FILES)
        self._each = each
        self._show: Callable[[], None] = (lambda: None) if each else self._line

    def problem(self, line: str) -> None:
        """Tell a problem of the list of inputs."""
        self._problems += 1
        say(f"error: {line}", "error:", "red")

    def observe(self, ended: Ended | None) -> None:
        """Take how a file ended, or a tick."""
        if ended is not None:
            order, outcome = ended.order, ended.outcome
            self._ends_s.append(wall_s())
            if not ended.again:
                self._counts[outcome.state] += 1
            self._tell(order, outcome, again=ended.again)
        self._show()

    def _tell(self, order: Order, outcome: Outcome, *, again: bool) -> None:
        if self._as_json:
            event = "again" if again else str(outcome.state)
            _print({"event": event, **_data(order, outcome)})
        if again:
            say(f"{outcome.message}; tried again at the end, alone")
        elif outcome.state is State.QUARANTINED:
            say(f"error: {outcome.message}; quarantined", "error:", "red")
            if len(self._faults) < SHOWN_FAULTS:
                self._faults.append(self._command(order.source))
        elif outcome.state is State.FAILED:
            say(f"error: {outcome.message}", "error:", "red")
        elif outcome.state is State.SKIPPED and not self._quiet:
            say(f"{order.source}: skipped: {outcome.message}")
        elif self._each and not self._quiet:
            say(f"{order.source}: {outcome.message}")

    @property
    def status(self) -> str:
        """Files, rate, expected time and failures so far, as one line."""
        met, ended = self._planner.seen, self._counts.total() + self._planner.fresh
        parts = [f"{ended} of {self._total or f'{met} or more'} files"]
        if len(self._ends_s) > 1 and (seconds := self._ends_s[-1] - self._ends_s[0]) > 0:
            rate = (len(self._ends_s) - 1) / seconds
            parts.append(f"{60 * rate:.3g} a minute")
            if self._total is not None:
                parts.append(f"{clock(max(0, self._total - ended) / rate)} left")
        failed = self._counts[State.FAILED] + self._counts[State.QUARANTINED]
        return ", ".join([*parts, f"{failed} failed"])

    @contextmanager
    def progress(self, listing: Iterable[Found] | None) -> Iterator[None]:
        """Show progress: on a terminal a bar, else a line from time to time.

        Parameters
        ----------
        listing : iterable of Found or None
            The inputs once more, to be counted in the background.
        """
        if listing is not None:
            threading.Thread(target=self._count, args=(listing,), daemon=True).start()
        if self._quiet or not sys.stderr.isatty():
            yield
            return
        from rich.console import Console
        from rich.markup import escape
        from rich.progress import BarColumn, Progress, TextColumn

        columns = (BarColumn(), TextColumn("{task.description}"))
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("", total=None)
            self._show = lambda: bar.update(
                task, total=self._total, description=escape(self.status),
                completed=self._counts.total() + self._planner.fresh,
            )  # fmt: skip
            yield
            self._show = lambda: None

    def summary(self, *, interrupted: Sequence[int] = (), may_be_empty: bool = False) -> int:
        """Sum up, and give the exit code; no input at all is an error, unless it `may_be_empty`."""
        journal, fresh = self._planner.journal, self._planner.fresh
        left = journal.failures()
        counts = {str(state): self._counts[state] for state in ENDED} | {"unchanged": fresh}
        seconds = wall_s() - self._started_s
        if self._as_json:
            _print({"event": "summary", "seen": self._planner.seen, **counts,
                    "seconds": round(seconds, 3), "interrupted": bool(interrupted)})  # fmt: skip
        if not self._quiet or left:
            told = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
            say(f"{self._planner.seen} files: {told or 'nothing'} in {clock(seconds)}; "
                f"journal: {journal.path}")  # fmt: skip
        for command in self._faults:
            say(f"to see the fault again: {command}")
        stay = left[State.QUARANTINED] - self._counts[State.QUARANTINED]
        if stay > 0:
            say(f"{stay} quarantined before; try them again by --retry-quarantined")
        if interrupted:
            return SIGNALLED + interrupted[0]
        if not self._planner.seen and not self._problems and not may_be_empty:
            say("error: there are no pictures; see SRC, -r and --include", "error:", "red")
            return UNREADABLE
        return SOME_FAILED if left or self._problems else OK

    def report(self, page: Path) -> None:
        """Say where the report is."""
        if not self._quiet:
            say(f"report: {page}")

    def _line(self) -> None:
        if wall_s() - self._told_s >= LINE_EVERY_S and not self._quiet:
            self._told_s = wall_s()
            say(self.status)

    def _count(self, listing: Iterable[Found]) -> None:
        self._total = sum(1 for _ in listing)


def tell_plan(planner: Planner, listing: Iterable[Found], *, as_json: bool) -> int:
    """Say what would be done, on stdout; the exit code."""
    due: Counter[str] = Counter()
    refused = 0
    for each in planner.plan(listing):
        due[each.reason] += 1
        refused += each.refusal is not None
        source, picture = each.order.source, url_of(each.order.outputs.picture or "")
        problem = f" [{each.refusal.message}]" if each.refusal else ""
        if as_json:
            data = {"event": "due", "source": source, "picture": picture, "reason": each.reason}
            _print(data | ({"error": each.refusal.message} if each.refusal else {}))
        else:
            click.echo(f"{source} -> {picture} ({each.reason}){problem}")
    told = ", ".join(f"{count} {reason}" for reason, count in due.items())
    say(f"{due.total()} of {planner.seen} files are due{f': {told}' if told else ''}")
    return SOME_FAILED if refused else OK if planner.seen else UNREADABLE


def _data(order: Order, outcome: Outcome) -> dict[str, Any]:
    return {
        "source": order.source,
        "picture": url_of(order.outputs.picture or ""),
        "message": outcome.message,
        "unchanged": outcome.unchanged,
        "attempt": order.attempt,
        "findings": list(outcome.findings),
        "seconds": round(outcome.seconds, 3),
        "exit_code": int(outcome.code),
    }


def _print(data: dict[str, Any]) -> None:
    click.echo(json.dumps(data))
    sys.stdout.flush()
