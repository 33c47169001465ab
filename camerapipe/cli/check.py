"""`camerapipe check`: is there defocus to magnify?"""

from __future__ import annotations

from typing import Any

import click

from camerapipe.cli.common import (
    common_options,
    distance_option,
    inputs_argument,
    isolate_option,
    pairs_option,
    prepare,
    request_errors,
)
from camerapipe.cli.jobs import common_fields, inputs_in, run_jobs, tell_check


@click.command("check")
@inputs_argument
@pairs_option
@isolate_option
@distance_option
@click.option("--strict-check", is_flag=True, help="exit 7 if there is nothing to magnify")
@common_options
@request_errors
def check_command(**options: Any) -> None:
    """Say whether captures have defocus to magnify, and why or why not.

    IN is a file or a folder of pictures (subfolders are passed over).
    """
    from camerapipe.job import Job, Task

    found = inputs_in(options)
    shared = common_fields(options, None, found.paths)
    prepare(quiet=options["quiet"], long_running=found.several)
    jobs = [Job(source=source, task=Task.CHECK, **shared) for source in found.paths]
    run_jobs(jobs, options, tell_check, several=found.several)
