"""What an engine is: orders in, outcomes out.

`local` has the engine of one machine. The journal is the only record of what is done: an engine
remembers nothing beyond what is in work, and it may perform an order twice, since outputs are
written whole and the same order writes the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Protocol

from camerapipe.batch.order import Order, Outcome


class Engine(Protocol):
    """Performs orders; a context whose end stops what is in work and leaves no temporary file."""

    @property
    def workers(self) -> int:
        """Orders that can be in work at the same time."""
        ...

    def __enter__(self) -> Engine: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def outcomes(
        self, orders: Iterable[Order], *, alone: bool = False
    ) -> Iterator[tuple[Order, Outcome] | None]:
        """Perform orders, and yield each with its outcome.

        Parameters
        ----------
        orders : iterable of Order
            Taken only when they can be worked on soon, so that few are in work.
        alone : bool
            One order is in work at a time.

        Yields
        ------
        (Order, Outcome) or None
            None at least every second, so that the caller can do other work.
        """
        ...
