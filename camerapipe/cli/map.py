"""`camerapipe map`: captures in, blur maps out."""

from __future__ import annotations

from typing import Any

import click

from camerapipe.cli.common import (
    USAGE,
    Failure,
    common_options,
    distance_option,
    guide_depth_option,
    inputs_argument,
    isolate_option,
    overwrite_option,
    pairs_option,
    prepare,
    protection_options,
    recipe_option,
    request_errors,
    scribbles_option,
)
from camerapipe.cli.jobs import (
    common_fields,
    inputs_in,
    protection_in,
    recipe_in,
    run_jobs,
    tell_outcome,
)


@click.command("map")
@inputs_argument
@click.option(
    "-o", "--output", required=True, metavar="MAP|DIR",
    help="16-bit .tiff (unit and scale in its description), .npz, .exr, a .jpg of the input that "
    "carries the map, or a coloured .png; a folder for several inputs",
)  # fmt: skip
@click.option(
    "--format", "format_name", metavar="NAME",
    help="format of maps in a folder: tiff (default), npz, exr, jpeg or png",
)  # fmt: skip
@click.option("--budget", "budgets", multiple=True, metavar="2s|STAGE=300ms", help="time allowed")
@recipe_option
@distance_option
@scribbles_option
@guide_depth_option
@protection_options
@pairs_option
@isolate_option
@overwrite_option
@common_options
@request_errors
def map_command(**options: Any) -> None:
    """Estimate the blur maps of captures: sigma in full-resolution pixels.

    IN is a file or a folder of pictures (subfolders are passed over).
    """
    from camerapipe.job import Job, Task
    from camerapipe.naming import Target, name_outputs

    if options["output"] in ("", "-"):
        raise Failure(f"-o: expected a file or folder; got {options['output']!r}", USAGE)
    found = inputs_in(options)
    recipe = recipe_in(options)
    protection = protection_in(options, several=found.several)
    shared = common_fields(options, recipe, found.paths)
    target = Target("-o", options["output"], options["format_name"])
    outputs = name_outputs(found, {"map": target})
    jobs = [
        Job(source=source, task=Task.MAP, outputs=places, protection=protection, **shared)
        for source, places in zip(found.paths, outputs, strict=True)
    ]
    prepare(quiet=options["quiet"], long_running=found.several)
    run_jobs(jobs, options, tell_outcome, several=found.several)
