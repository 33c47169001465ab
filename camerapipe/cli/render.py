"""`camerapipe render`: captures in, pictures out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from camerapipe.cli.common import (
    USAGE,
    Failure,
    common_options,
    distance_option,
    force_option,
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
    strength_option,
)
from camerapipe.cli.jobs import (
    common_fields,
    inputs_in,
    protection_in,
    recipe_in,
    refuse_several,
    refuse_two_outputs_on_stdout,
    run_jobs,
    tell_outcome,
)

EMBEDDED = "embedded"  # depth of each input itself
TARGETS = {  # kind of output: option, its name in the code
    "picture": ("-o", "output"),
    "map": ("--map", "map_to"),
    "report": ("--report", "report_to"),
    "recipe": ("--save-recipe", "recipe_to"),
}


@click.command("render")
@inputs_argument
@click.option(
    "-o", "--output", required=True, metavar="OUT|DIR", help="a .jpg, .png, .tiff, .avif, "
    ".heic, .jxl or .exr; a folder for several inputs; - for stdout",
)  # fmt: skip
@strength_option
@click.option(
    "--aperture", type=float, metavar="F", help="f-number of the wished lens, for --from-depth"
)
@click.option(
    "--falloff",
    type=float,
    help="how gradually blur sets in, 1 (at once) to 8 (default: that of the look)",
)
@click.option(
    "--map",
    "map_to",
    metavar="FILE|DIR",
    help="write the blur map: .tiff, .npz, .exr, .jpg or .png",
)
@click.option("--report", "report_to", metavar="FILE|DIR", help="write the report as JSON")
@click.option(
    "--save-recipe", "recipe_to", metavar="FILE|DIR",
    help="write preset, changed parameters and corrections as TOML, for --recipe",
)  # fmt: skip
@recipe_option
@click.option(
    "--budget", "budgets", multiple=True, metavar="2s|STAGE=300ms",
    help="time from developed pixels to the picture, or of one stage",
)  # fmt: skip
@click.option(
    "--focus", metavar="X,Y|1.5m",
    help="a point (pixels) that counts as in focus; with --from-depth a distance, too",
)  # fmt: skip
@scribbles_option
@click.option(
    "--from-map", type=click.Path(path_type=Path), metavar="FILE",
    help="render with this blur map instead of an estimate",
)  # fmt: skip
@click.option(
    "--from-depth", metavar="FILE|embedded",
    help="render the blur of a wished lens from this depth map, or from that in the input",
)  # fmt: skip
@guide_depth_option
@click.option(
    "--foreground", type=click.Path(path_type=Path), metavar="MASK.png",
    help="white where it is nearer than the focus",
)  # fmt: skip
@protection_options
@click.option(
    "--format", "format_name", metavar="NAME",
    help="jpeg, png, tiff, avif, heic, jxl or exr (default: by the name of the output, else that "
    "of the input)",
)  # fmt: skip
@click.option(
    "--bits",
    type=click.Choice(["8", "10", "16", "32"]),
    help="bits per sample (default: as the input)",
)
@click.option(
    "--quality", type=click.IntRange(1, 100), help="of JPEG, AVIF, HEIC, JXL (default 95)"
)
@click.option(
    "--embed-map", is_flag=True,
    help="put the blur map of the input into the JPEG, which --from-map then reads",
)  # fmt: skip
@click.option("--strip-gps", is_flag=True, help="leave out where the photograph was taken")
@distance_option
@force_option
@pairs_option
@isolate_option
@overwrite_option
@click.option("--strict-budget", is_flag=True, help="exit 6 if the budget was missed")
@click.option("--strict-check", is_flag=True, help="exit 7 if there is nothing to magnify")
@common_options
@request_errors
def render_command(**options: Any) -> None:
    """Turn captures into shallow depth-of-field pictures.

    IN is a file or a folder of pictures (subfolders are passed over). RAW, JPEG, PNG, TIFF, and
    HEIC with the heif extra, are recognised by their content. Originals are never touched, outputs
    are written whole or not at all, and one bad file does not stop the others.
    """
    from camerapipe.ingest import Metadata
    from camerapipe.job import Job, Writing
    from camerapipe.naming import name_outputs

    _check_options(options)
    found = inputs_in(options)
    if found.several:
        _refuse_several(options)
    recipe = recipe_in(options)
    protection = protection_in(options, several=found.several)
    shared = common_fields(options, recipe, found.paths)
    outputs = name_outputs(found, _targets(options))
    writing = Writing(
        format=options["format_name"],
        bits=int(options["bits"]) if options["bits"] else None,
        quality=options["quality"],
        metadata=Metadata.WITHOUT_GPS if options["strip_gps"] else Metadata.ALL,
        embed_map=options["embed_map"],
    )
    jobs = [
        Job(
            source=source,
            outputs=places,
            writing=writing,
            foreground=options["foreground"],
            from_map=options["from_map"],
            from_depth=options["from_depth"],
            protection=protection,
            **shared,
        )
        for source, places in zip(found.paths, outputs, strict=True)
    ]
    prepare(quiet=options["quiet"], long_running=found.several)
    run_jobs(jobs, options, tell_outcome, several=found.several)


def _targets(options: dict[str, Any]) -> Any:
    """Where every kind of output goes; a picture for stdout has no place."""
    from camerapipe.naming import Target

    formats = {"picture": options["format_name"]}
    return {
        kind: Target(option, options[key], formats.get(kind))
        for kind, (option, key) in TARGETS.items()
        if options[key] is not None and options[key] != "-"
    }


def _check_options(options: dict[str, Any]) -> None:
    """Refuse texts that name no place, and two outputs on stdout."""
    for option, key in TARGETS.values():
        if options[key] == "" or (options[key] == "-" and option != "-o"):
            raise Failure(f"{option}: expected a file or folder; got {options[key]!r}", USAGE)
    refuse_two_outputs_on_stdout(options["output"], as_json=options["as_json"])


def _refuse_several(options: dict[str, Any]) -> None:
    """Refuse options that belong to one picture."""
    if options["output"] == "-":
        raise Failure("-o: expected a folder for several inputs; got '-'", USAGE)
    keys = ("from_map", "foreground", "from_depth", "guide_depth")
    refuse_several(options, [key for key in keys if options[key] != EMBEDDED], several=True)
