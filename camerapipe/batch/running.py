"""A batch: inputs are planned, handed to an engine, and entered into the journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from camerapipe.batch.engine import Engine
from camerapipe.batch.journal import Journal
from camerapipe.batch.listing import Found
from camerapipe.batch.order import Order, Outcome, State
from camerapipe.batch.places import forget
from camerapipe.batch.planning import Due, Planner
from camerapipe.budget import wall_s

GROUP_S, GROUP_MOST = 0.5, 64  # a group of changes is committed after this time or number


@dataclass(frozen=True, slots=True)
class Ended:
    """How a file ended. `again` says that it is tried once more, alone."""

    order: Order
    outcome: Outcome
    again: bool = False


@dataclass(kw_only=True)
class Batch:
    """Runs inputs through an engine.

    Parameters
    ----------
    planner : Planner
        What is due.
    engine : Engine
        Performs orders.
    retry : int
        Further attempts at a file whose worker crashed, hung or ran out of memory.
    observe : callable
        Called with each file that ended, and with None at least every second.
    """

    planner: Planner
    engine: Engine
    retry: int = 1
    observe: Callable[[Ended | None], None] = lambda ended: None
    counts: Counter[State] = field(default_factory=Counter)  # of the files that ended
    _stopping: bool = False
    _committed_s: float = field(default_factory=wall_s)

    @property
    def journal(self) -> Journal:
        """The record of what is done."""
        return self.planner.journal

    def stop(self, *, drain: bool = True) -> None:
        """Hand out no further files, and finish those in work; if not `drain`, raise at once.

        Raises
        ------
        KeyboardInterrupt
            If not `drain`. The contexts of engine and journal then leave both in order.
        """
        self._stopping = True
        if not drain:
            raise KeyboardInterrupt

    @property
    def stopped(self) -> bool:
        """Whether the batch was told to stop."""
        return self._stopping

    def run(self, found: Iterable[Found]) -> None:
        """Work on the inputs that are due, then once more on those that cost a worker, alone."""
        forget()
        self._through(self._first(found), alone=False)
        while not self._stopping and (rows := self.journal.to_try_again()):
            self._through(map(self.planner.again, rows), alone=True)

    def _through(self, orders: Iterable[Order], *, alone: bool) -> None:
        for ended in self.engine.outcomes(self._handed_out(orders), alone=alone):
            if ended is None:
                self._commit(force=True)
                self.observe(None)
            else:
                self._end(*ended)
        self._commit(force=True)

    def _first(self, found: Iterable[Found]) -> Iterator[Order]:
        """Orders of the inputs that are due. Their rows are on the disk before their outputs."""
        planned = self.planner.plan(self._until_stopped(found))
        for group in _grouped(planned, lambda: self._stopping):
            self._commit(force=True)
            for due in group:
                if due.refusal is not None:
                    self._end(due.order, due.refusal)
                elif not self._stopping:
                    yield due.order

    def _until_stopped(self, found: Iterable[Found]) -> Iterator[Found]:
        for each in found:
            if self._stopping:
                return
            yield each
            self._commit()

    def _handed_out(self, orders: Iterable[Order]) -> Iterator[Order]:
        for order in orders:
            if self._stopping:
                return
            self.journal.started(order.number)
            yield order

    def _end(self, order: Order, outcome: Outcome) -> None:
        again = outcome.fatal and (self._stopping or order.attempt <= self.retry)
        if again:
            self.journal.again(order.number, order.attempt, outcome.message)
        else:
            if outcome.fatal:
                outcome = replace(outcome, state=State.QUARANTINED)
            self.journal.ended(order.number, outcome)
            self.counts[outcome.state] += 1
        self.observe(Ended(order, outcome, again))
        self._commit()

    def _commit(self, *, force: bool = False) -> None:
        """Commit the changes if they are many or old, or if that is asked for."""
        journal = self.journal
        late = journal.changes >= GROUP_MOST or wall_s() - self._committed_s > GROUP_S
        if journal.changes and (force or late):
            journal.commit()
            self._committed_s = wall_s()


def _grouped(planned: Iterable[Due], stopping: Callable[[], bool]) -> Iterator[list[Due]]:
    """Groups of a stream, each complete after a number or a time."""
    group: list[Due] = []
    started_s = wall_s()
    for due in planned:
        if not group:
            started_s = wall_s()
        group.append(due)
        if len(group) >= GROUP_MOST or wall_s() - started_s > GROUP_S or stopping():
            yield group
            group = []
        if stopping():
            return
    yield from (group,) if group else ()
