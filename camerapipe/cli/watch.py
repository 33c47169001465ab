"""`camerapipe watch`: photographs that come into a folder are rendered."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from camerapipe.cli.batch import (
    batch_command,
    command_again,
    journal_in,
    listing_in,
    planner_in,
    work_in,
)
from camerapipe.cli.batch_engines import engine_in
from camerapipe.cli.common import USAGE, Failure, prepare, request_errors, say

if TYPE_CHECKING:
    from camerapipe.batch.journal import Journal
    from camerapipe.batch.listing import Found

NOT_HERE = ("sources", "null", "shard", "dry_run", "verify", "with_report", "help")


@click.command("watch", epilog=batch_command.epilog)
@click.argument("folder", type=click.Path(file_okay=False), metavar="DIR")
@click.option("--settle", default="2s", metavar="2s", show_default=True,
    help="a file is taken when it has not changed for this long")  # fmt: skip
@click.option("--rescan", default="30s", metavar="30s", show_default=True,
    help="longest time between two looks at the whole folder")  # fmt: skip
@click.option("--poll", is_flag=True, help="do without events of the file system")
@request_errors
def watch_command(folder: str, settle: str, rescan: str, poll: bool, **options: Any) -> None:
    """Render the photographs that come into a folder, until Ctrl-C.

    Files are neither moved nor changed: what was done is in the journal, as of `camerapipe batch`,
    and after a restart only what is missing is done. Events of the file system are hints, and
    --rescan finds the rest; on a network drive there are no events, so that --rescan decides how
    soon a file is found.
    """
    from camerapipe.batch.running import Batch
    from camerapipe.batch.watching import Settling, Watch, events
    from camerapipe.cli.batch_telling import BatchTeller
    from camerapipe.cli.telling import interrupts

    settle_s, rescan_s = _seconds("--settle", settle), _seconds("--rescan", rescan)
    if not os.path.isdir(folder):
        raise Failure(f"{folder}: expected a folder to watch", USAGE)
    options |= {"sources": (folder,), "null": False, "shard": None, "verify": False}
    options |= {"with_report": False}
    work, recursive = work_in(options), options["recursive"]
    with journal_in(options) as journal:
        planner = planner_in(options, work, journal)
        teller = BatchTeller(
            planner, command=command_again(), quiet=options["quiet"],
            as_json=options["as_json"], each=True,
        )  # fmt: skip
        engine = engine_in(options, work)
        prepare(quiet=options["quiet"])
        with engine, events(folder, recursive=recursive, polling=poll) as wait:
            batch = Batch(
                planner=planner, engine=engine, retry=options["retry"], observe=teller.observe
            )
            watch = Watch(
                batch=batch, scan=_scan(options, journal, teller.problem),
                settling=Settling(settle_s), rescan_s=rescan_s, wait=wait,
            )  # fmt: skip
            if not options["quiet"]:
                say(f"watching {folder}; Ctrl-C ends it")
            with interrupts(batch, "ending after the files in work"):
                watch.run()
        code = teller.summary(may_be_empty=True)
    click.get_current_context().exit(code)


def _scan(
    options: dict[str, Any], journal: Journal, tell: Callable[[str], None]
) -> Callable[[], Iterable[Found]]:
    """Lists the folder; a problem that the last scan had, too, is not told again."""
    listing = listing_in(options, journal.is_output)
    before: set[str] = set()
    now: set[str] = set()

    def problem(line: str) -> None:
        now.add(line)
        if line not in before:
            tell(line)

    listing.problem = problem

    def scan() -> Iterable[Found]:
        nonlocal before
        before = now.copy()
        now.clear()
        yield from listing

    return scan


def _seconds(option: str, text: str) -> float:
    from camerapipe.budget import BudgetError, parse_duration_ms

    try:
        return parse_duration_ms(text if text[-1:].isalpha() else f"{text}s") / 1000
    except BudgetError as error:
        raise Failure(str(error).replace("budget", option, 1), USAGE) from error


watch_command.params += [each for each in batch_command.params if each.name not in NOT_HERE]
