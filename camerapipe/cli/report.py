"""`camerapipe report`: a trace becomes one page, or its numbers."""

from __future__ import annotations

import json
from pathlib import Path

import click

from camerapipe.cli.common import (
    USAGE,
    Failure,
    json_option,
    overwrite_option,
    quiet_option,
    request_errors,
    say,
)


@click.command("report")
@click.argument("trace", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE.html",
    help="page that shows the trace; needs no network and no other file",
)  # fmt: skip
@overwrite_option
@json_option
@quiet_option
@request_errors
def report_command(
    trace: Path, output: Path | None, overwrite: bool, as_json: bool, quiet: bool
) -> None:
    """Show a trace of `stream`: timeline, stage times against the budget, latency, losses."""
    from camerapipe.ingest import check_output, write_text
    from camerapipe.timeline import page, read_trace, summarise

    if output is None and not as_json:
        raise Failure("report: give -o FILE.html for a page, --json for the numbers", USAGE)
    if output is not None:
        check_output(output, [trace], overwrite=overwrite, suffixes=(".html", ".htm"))
    read = read_trace(trace)
    if output is not None:
        write_text(output, page(read), overwrite=overwrite)
        if not quiet:
            say(f"{len(read.frames):,} frames ({read.header.mode}) shown in {output}")
    if as_json:
        click.echo(json.dumps(summarise(read).to_dict()))
