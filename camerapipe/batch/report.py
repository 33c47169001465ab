"""The report of a batch: pages of HTML with pictures before and after, failures first.

Pages are read from the journal one after the other, so that 100,000 files need no more memory than
one page. They need no JavaScript and load nothing but the thumbnails beside them.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from itertools import chain, islice
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote

from camerapipe.batch.journal import Journal, Row
from camerapipe.batch.order import State
from camerapipe.batch.places import is_remote, url_of
from camerapipe.batch.thumbnails import AFTER, BEFORE, THUMBNAILS, thumbnail_path
from camerapipe.ingest import make_folder, write_text

ROWS = 100  # on a page
ORDER = (State.QUARANTINED, State.FAILED, State.SKIPPED, State.DONE, State.RUNNING, State.QUEUED)


@dataclass(kw_only=True)
class Summary:
    """What all files together took."""

    states: Counter[State] = field(default_factory=Counter)
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    stages_ms: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Summary:
        """Sums over rows of a journal."""
        found = cls()
        for row in rows:
            facts = json.loads(row.facts)
            found.states[State(row.state)] += 1
            found.seconds += facts.get("seconds", 0)
            found.cpu_seconds += facts.get("cpu_seconds", 0)
            if row.state == State.DONE:
                found.stages_ms.update(facts.get("stages_ms", {}))
        return found


def write_report(journal: Journal, folder: Path, command: Callable[[str], str]) -> Path:
    """Write the pages of a journal.

    Parameters
    ----------
    journal : Journal
        Of the batch.
    folder : Path
        Where pages and thumbnails are.
    command : callable
        The command that shows the fault of a source again.

    Returns
    -------
    Path
        The first page.
    """
    make_folder(folder)
    summary = Summary.of(journal.rows(*ORDER))
    count = max(1, -(-summary.states.total() // ROWS))
    rows = chain.from_iterable(journal.rows(state) for state in ORDER)
    page = Template(files(__package__).joinpath("report.html").read_text("utf-8"))
    shared = {
        "title": escape(str(folder.parent.absolute())),
        "facts": escape(
            f"{summary.states.total()} files; all workers together took {clock(summary.seconds)}, "
            f"and {clock(summary.cpu_seconds)} of processor time"
        ),
        "counts": _counts(summary),
        "stages": _stages(summary),
    }
    for number in range(1, count + 1):
        shown = [_row(row, folder, command) for row in islice(rows, ROWS)]
        text = page.substitute(shared, pages=_pages(number, count), rows="\n".join(shown))
        write_text(folder / _name(number), text, overwrite=True)
    for path in folder.glob("page-*.html"):  # of a longer report before
        if int(path.stem.removeprefix("page-")) > count:
            path.unlink()
    return folder / _name(1)


def _name(number: int) -> str:
    return "index.html" if number == 1 else f"page-{number}.html"


def _counts(summary: Summary) -> str:
    """Number of files in each state, with a link to the page where they begin."""
    items, before = [], 0
    for state in ORDER:
        if number := summary.states[state]:
            place = _name(1 + before // ROWS)
            text = f'<a href="{place}" class="{state}"><strong>{number}</strong> {state}</a>'
            items.append(f"    <li>{text}</li>")
        before += summary.states[state]
    return "\n".join(items)


def _stages(summary: Summary) -> str:
    done = summary.states[State.DONE]
    if not summary.stages_ms:
        return ""
    rows = "".join(
        f'<tr><td>{escape(name)}</td><td class="number">{ms / done:.1f} ms</td></tr>'
        for name, ms in summary.stages_ms.items()
    )
    return (
        "  <details><summary>mean time of each stage</summary>"
        f'<table class="stages"><tbody>{rows}</tbody></table></details>'
    )


def _pages(number: int, count: int) -> str:
    if count == 1:
        return ""
    places = (("first", 1), ("previous", number - 1), ("next", number + 1), ("last", count))
    links = " ".join(
        f'<a href="{_name(to)}">{text}</a>'
        for text, to in places
        if 1 <= to <= count and to != number
    )
    return f'<nav aria-label="Pages"><span>page {number} of {count}</span> {links}</nav>'


def _row(row: Row, folder: Path, command: Callable[[str], str]) -> str:
    source, picture = Path(os.fsdecode(row.source)), Path(os.fsdecode(row.picture))
    facts: dict[str, Any] = json.loads(row.facts)
    seconds = facts.get("seconds")
    message = escape(_printable(row.message))
    if row.state == State.QUARANTINED:
        message += f"<code>{escape(_printable(command(str(source))))}</code>"
    if facts.get("stages_ms"):
        stages = ", ".join(f"{name} {ms:.0f} ms" for name, ms in facts["stages_ms"].items())
        message += f"<details><summary>stages</summary>{escape(stages)}</details>"
    name = f"<strong>{escape(_printable(source.name))}</strong>"
    if row.state == State.DONE:
        name = f'<a href="{_link(picture, folder)}">{name}</a>'
    return (
        f'<tr><td class="pictures">{_thumbnails(row, folder)}</td>'
        f'<td>{name}<p class="soft">{escape(_printable(str(source.parent)))}</p></td>'
        f'<td><span class="state {row.state}">{row.state}</span> {message}</td>'
        f'<td class="number">{"" if not seconds else f"{seconds:.2f} s"}</td></tr>'
    )


def _thumbnails(row: Row, folder: Path) -> str:
    """Small copies of input and picture, each an empty box where there is none."""
    images = []
    for kind in (BEFORE, AFTER):
        path = thumbnail_path(folder / THUMBNAILS, row.number, kind)
        image = f'<img src="{_link(path, folder)}" alt="{kind}" loading="lazy">'
        images.append(image if path.exists() else "<span></span>")
    return " ".join(images)


def _link(path: Path, folder: Path) -> str:
    if is_remote(path):
        return quote(url_of(path), safe=":/@")
    return quote(os.fsencode(os.path.relpath(path, folder.absolute())))


def clock(seconds: float) -> str:
    """A time for people: `4:05`, `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _printable(text: str) -> str:
    """Text in which what is no character, as names of files may have it, is escaped."""
    return text.encode("utf-8", "backslashreplace").decode()
