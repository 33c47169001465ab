"""What is to be done: from inputs to orders, with what the journal knows.

A file is due if it is new, if its content, what is asked of it, or the version of camerapipe has
changed, if an output is missing, or if it failed. Its row keeps the names of its outputs, so that
further inputs do not change them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from camerapipe.assembly import Request
from camerapipe.batch.journal import Journal, Row
from camerapipe.batch.listing import Found
from camerapipe.batch.order import Asked, FileStamp, Order, Outcome, State, Work
from camerapipe.batch.places import exists, url_of
from camerapipe.batch.sidecar import digest_of, layered, sidecar_of
from camerapipe.batch.template import Template
from camerapipe.errors import OutputError, exit_code_of, explain
from camerapipe.naming import Outputs
from camerapipe.recipe import Recipe
from camerapipe.version import __version__

NEW, RENAMED, NEWER = "new", "other outputs", "other version"
RECIPE, CONTENT, VERIFIED = "recipe changed", "file changed", "to be verified"
MISSING, INTERRUPTED, FAILED = "output missing", "interrupted", "failed before"
QUARANTINED, SKIPPED = "quarantined before", "skipped before"


@dataclass(frozen=True, slots=True)
class Due:
    """A file that is due: its order, the reason, and how it ended if it cannot be worked on."""

    order: Order
    reason: str
    refusal: Outcome | None = None


@dataclass(kw_only=True)
class Planner:
    """Turns inputs into orders.

    Parameters
    ----------
    journal : Journal
        What earlier runs did.
    template : Template
        Names of outputs.
    work : Work
        What is asked of all files.
    request_for : callable
        The request for a recipe.
    overwrite : bool
        Replace outputs that are not in the journal.
    verify : bool
        Read files again although their size, time and inode are unchanged.
    retry_quarantined : bool
        Try files again that crashed a worker.
    """

    journal: Journal
    template: Template
    work: Work
    request_for: Callable[[Recipe], Request]
    overwrite: bool = False
    verify: bool = False
    retry_quarantined: bool = False
    seen: int = 0  # inputs so far
    fresh: int = 0  # of them, those that need nothing
    _common: bytes = field(init=False)

    def __post_init__(self) -> None:
        self._common = digest_of(self.work.asked, self.work)

    def plan(self, found: Iterable[Found]) -> Iterator[Due]:
        """The inputs that are due; each is entered into the journal."""
        for each in found:
            row = self.journal.find(each.path)
            if row is not None and row.run == self.journal.run:
                continue  # it was named twice
            self.seen += 1
            due = self._due(each, row)
            if due is None:
                self.fresh += 1
            else:
                yield due

    def again(self, row: Row) -> Order:
        """The order of a row once more, after its worker crashed, hung or ran out of memory."""
        source = os.fsdecode(row.source)
        asked, _ = self._asked(source)
        return Order(
            number=row.number, source=source, outputs=_outputs(row), asked=asked,
            overwrite=True, interrupted=True, attempt=row.attempts + 1,
        )  # fmt: skip

    def _due(self, found: Found, row: Row | None) -> Due | None:
        refusal: Outcome | None = None
        asked: Asked | None = None
        recipe = b""
        try:
            asked, recipe = self._asked(found.path)
        except Exception as error:
            refusal = _failed(error, found.path)
        file = FileStamp.of(found.path)
        reason = self._reason(found, row, file, recipe)
        if reason is None and row is not None:
            self.journal.seen(row.number)
            return None
        outputs, number, owned = self._claimed(found, row, file, recipe)
        if not owned and refusal is None:
            there = url_of(next(filter(exists, outputs.paths())))
            refusal = _failed(
                OutputError(
                    f"{there}: exists, and is not in the journal; replace it by --overwrite"
                ),
                found.path,
            )
        same = row is not None and row.state == State.DONE and reason in (CONTENT, VERIFIED)
        order = Order(
            number=number, source=found.path, outputs=outputs, asked=asked,
            overwrite=self.overwrite or (row is not None and bool(row.owned)),
            known_digest=row.digest if row is not None and same else None,
            interrupted=reason == INTERRUPTED,
        )  # fmt: skip
        return Due(order, reason or NEW, refusal)

    def _asked(self, source: str) -> tuple[Asked | None, bytes]:
        """What a recipe beside a file asks, if there is one, and the digest of what is asked."""
        path = sidecar_of(source)
        if path is None:
            return None, self._common
        recipe = layered(Recipe.read(path), self.work.asked.recipe)
        asked = Asked(request=self.request_for(recipe), recipe=recipe)
        return asked, digest_of(asked, self.work)

    def _reason(
        self, found: Found, row: Row | None, file: FileStamp | None, recipe: bytes
    ) -> str | None:
        """Why a file is due; None if it is not."""
        if row is None:
            return NEW
        state, outputs = State(row.state), _outputs(row)
        if state in (State.QUEUED, State.RUNNING):
            return INTERRUPTED
        tests = (
            (state is State.FAILED, FAILED),
            (outputs not in self.template.candidates(found), RENAMED),
            (row.version != __version__, NEWER),
            (row.recipe != recipe, RECIPE),
            (state is State.QUARANTINED and self.retry_quarantined, QUARANTINED),
            (state is State.SKIPPED and not self.work.only_suitable, SKIPPED),
            (not all(exists(os.fsdecode(path)) for path in row.written), MISSING),
            (row.file != file, CONTENT),
            (self.verify and state is not State.QUARANTINED, VERIFIED),
        )
        return next((reason for is_due, reason in tests if is_due), None)

    def _claimed(
        self, found: Found, row: Row | None, file: FileStamp | None, recipe: bytes
    ) -> tuple[Outputs, int, bool]:
        """Outputs for a file, its number, and whether the outputs may be written.

        They may if the journal knows them as those of this file, if they do not exist, or if the
        person said so.
        """
        candidates: Iterable[Outputs] = self.template.candidates(found)
        kept = None if row is None else _outputs(row)
        if kept is not None:
            candidates = sorted(candidates, key=lambda outputs: outputs != kept)
        for outputs in candidates:
            known = row is not None and outputs == kept and bool(row.owned)
            free = self.overwrite or not any(map(exists, outputs.paths()))
            number = self.journal.claim(
                found.path, outputs, file, recipe=recipe, version=__version__, owned=known or free
            )
            if number is not None:
                return outputs, number, known or free
        raise OutputError(f"{found.path}: all names for its outputs are taken; see --template")


def _failed(error: Exception, source: str) -> Outcome:
    return Outcome(state=State.FAILED, message=explain(error, source), code=exit_code_of(error))


def _outputs(row: Row) -> Outputs:
    return Outputs(
        picture=Path(os.fsdecode(row.picture)),
        map=Path(os.fsdecode(row.map)) if row.map is not None else None,
    )
