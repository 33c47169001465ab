"""A batch whose engine copies files: its journal and its writing, without pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from camerapipe.assembly import Request
from camerapipe.batch.journal import Journal
from camerapipe.batch.order import Asked, FileStamp, Order, Outcome, State, Work
from camerapipe.batch.places import remove_partial
from camerapipe.batch.planning import Planner
from camerapipe.batch.template import DEFAULT_TEMPLATE, Template
from camerapipe.errors import ExitCode, OutputError
from camerapipe.ingest import write_bytes
from camerapipe.settings import resolve


class CopyingEngine:
    """Copies each file to the place of its picture, in this process."""

    workers = 1

    def __enter__(self) -> CopyingEngine:
        return self

    def __exit__(self, *_: object) -> None: ...

    def outcomes(
        self, orders: Iterable[Order], *, alone: bool = False
    ) -> Iterator[tuple[Order, Outcome] | None]:
        """Perform orders one by one; see `Engine`."""
        for order in orders:
            if order.interrupted:
                remove_partial(order.outputs)
            yield order, _copied(order)
            yield None


def work_of_copies() -> Work:
    """What is asked, which an engine of copies does not look at."""
    return Work(asked=Asked(request=Request(settings=resolve())))


def planner_for(journal: Journal, folder: Path) -> Planner:
    """The planner of such a batch."""
    work = work_of_copies()
    return Planner(
        journal=journal,
        template=Template(DEFAULT_TEMPLATE, folder),
        work=work,
        request_for=lambda _: work.asked.request,
    )


def _copied(order: Order) -> Outcome:
    assert order.outputs.picture is not None
    try:
        data = Path(order.source).read_bytes()
        write_bytes(order.outputs.picture, data, overwrite=order.overwrite)
    except OutputError as error:
        return Outcome(state=State.FAILED, message=str(error), code=ExitCode.UNWRITTEN)
    stamp = FileStamp.of(order.source)
    return Outcome(state=State.DONE, file=stamp, digest=data[:16], written=("picture",))
