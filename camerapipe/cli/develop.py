"""`camerapipe render` and `camerapipe map`: captures in, pictures and maps out."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from camerapipe.cli.common import (
    LATE,
    NEGATIVE,
    OK,
    USAGE,
    Failure,
    Result,
    common_options,
    distance_option,
    for_inputs,
    max_pixels,
    point,
    prepare,
    request_errors,
    say,
    scribbles_option,
    show_findings,
    show_report,
)
from camerapipe.cli.outputs import Job, name_outputs


@click.command("render")
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="IN...")
@click.option(
    "-o", "--output", required=True, metavar="OUT|DIR", help="a .jpg, .png or .tiff; a folder for "
    "several inputs; - for a JPEG on stdout",
)  # fmt: skip
@click.option("--strength", type=float, help="magnification of the defocus, 1 to 8 (default 2)")
@click.option("--map", "map_to", metavar="FILE|DIR", help="write the blur map: .tiff, .npz or .png")
@click.option("--report", "report_to", metavar="FILE|DIR", help="write the report as JSON")
@click.option(
    "--budget", "budgets", multiple=True, metavar="2s|STAGE=300ms",
    help="time from developed pixels to the picture, or of one stage",
)  # fmt: skip
@click.option("--focus", metavar="X,Y", help="a point (pixels) that counts as in focus")
@scribbles_option
@click.option(
    "--from-map", metavar="FILE", help="render with this blur map instead of the estimate"
)
@click.option("--foreground", metavar="MASK.png", help="white where it is nearer than the focus")
@distance_option
@click.option("--force", is_flag=True, help="go on after a blocking finding")
@click.option("--overwrite", is_flag=True, help="replace outputs that exist")
@click.option("--strict-budget", is_flag=True, help="exit 6 where the budget was missed")
@click.option(
    "--strict-check", is_flag=True, help="exit 7 where the check found nothing to magnify"
)
@common_options
@request_errors
def render_command(**options: Any) -> None:
    """Turn captures into shallow depth-of-field pictures.

    RAW, JPEG, PNG, TIFF (and HEIC with the heif extra) are told by their content. Originals are
    never touched, outputs are written whole or not at all, and one bad file does not stop the
    others.
    """
    from camerapipe.camera import check_budget

    taking = _options(options, strength=options["strength"])
    check_budget(taking)
    if options["output"] == "-" and options["as_json"]:
        raise Failure("-o - and --json both want stdout", USAGE)
    for one in ("from_map", "foreground"):
        if options[one] and len(options["inputs"]) > 1:
            raise Failure(f"--{one.replace('_', '-')} takes one input", USAGE)
    jobs = name_outputs(
        options["inputs"], options["output"], options["map_to"], options["report_to"]
    )
    prepare(quiet=options["quiet"], long_running=len(jobs) > 1)
    tasks = [(str(job.source), partial(_render_one, job, taking, options)) for job in jobs]
    for_inputs(tasks, options)


@click.command("map")
@click.argument("source", type=click.Path(path_type=Path), metavar="IN")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="MAP.tiff",
    help="16-bit .tiff (unit and scale in its description), .npz, or a coloured .png",
)  # fmt: skip
@click.option("--budget", "budgets", multiple=True, metavar="2s|STAGE=300ms", help="time allowed")
@distance_option
@scribbles_option
@click.option("--overwrite", is_flag=True, help="replace the output if it exists")
@common_options
@request_errors
def map_command(source: Path, output: Path, **options: Any) -> None:
    """Estimate the blur map of a capture: sigma in full-resolution pixels."""
    from camerapipe.camera import check_budget

    taking = _options(options)
    check_budget(taking)
    prepare(quiet=options["quiet"])
    for_inputs([(str(source), partial(_map_one, source, output, taking, options))], options)


def _options(options: dict[str, Any], strength: float | None = None) -> Any:
    """Options of the camera from those of the command line."""
    from camerapipe.budget import Budget
    from camerapipe.camera import Options
    from camerapipe.settings import read_scribbles, resolve

    values = {} if strength is None else {"radius": {"strength": strength}}
    return Options(
        settings=resolve(options["preset"], options["config"], options["overrides"], values),
        budget=Budget.parse(options["budgets"]),
        focus_point=point(options.get("focus")),
        distance_m=options["distance"],
        scribbles=read_scribbles(options["scribbles"]) if options["scribbles"] else (),
        force=options.get("force", False),
    )


def _render_one(job: Job, taking: Any, options: dict[str, Any]) -> Result:
    """Develop, shoot and write one input."""
    from camerapipe import camera
    from camerapipe.budget import Stopwatch
    from camerapipe.ingest import read_map, read_mask, write_map, write_picture, write_text
    from camerapipe.report import StageReport

    overwrite, given = options["overwrite"], options["from_map"]
    read = (given, options["foreground"], options["config"], options["scribbles"])
    others = [Path(path) for path in read if path]
    job.check([*options["inputs"], *others], overwrite=overwrite)
    capture, before = camera.develop(job.source, max_pixels=max_pixels(options))
    blur = None
    if given:
        blur = camera.given_map(read_map(given, capture.linear.shape[:2]), capture)
    if options["foreground"]:
        mask = read_mask(options["foreground"], capture.linear.shape[:2])
        taking = replace(taking, foreground=mask)
    shot = camera.shoot(capture, taking, blur=blur, before=before)
    show_findings(job.source.name, shot.findings, quiet=options["quiet"])
    with Stopwatch() as watch:
        if job.picture is None:
            _picture_to_stdout(shot)
        else:
            write_picture(job.picture, shot.image, capture, overwrite=overwrite)
        if job.map is not None and shot.blur_map is not None:
            write_map(job.map, shot.blur_map, overwrite=overwrite)
    report = camera.with_stage(shot.report, StageReport(name="write", used_ms=watch.ms))
    if job.report is not None:
        write_text(job.report, json.dumps(report.to_dict(), indent=2), overwrite=overwrite)
    if not options["quiet"]:
        show_report(report, verbose=options["verbose"])
        _say_where(job, mapped=shot.blur_map is not None)
    return Result(report.to_dict(), _strict_code(report, options))


def _map_one(source: Path, output: Path, taking: Any, options: dict[str, Any]) -> Result:
    """Develop one input, estimate its map and write it."""
    from camerapipe import camera
    from camerapipe.ingest import MAPS, check_output, write_map

    check_output(output, [source], overwrite=options["overwrite"], suffixes=MAPS)
    capture, before = camera.develop(source, max_pixels=max_pixels(options))
    blur, report = camera.estimate_map(capture, taking, before=before)
    show_findings(source.name, report.findings, quiet=options["quiet"])
    write_map(output, blur, overwrite=options["overwrite"])
    smallest, largest = float(blur.sigma.min()), float(blur.sigma.max())
    if options["verbose"]:
        show_report(report, verbose=True)
    if not options["quiet"]:
        say(f"{source.name} -> {output}: sigma {smallest:.2f} to {largest:.2f} px")
    facts = {"map": str(output), "unit": "sigma_px", "shape": blur.sigma.shape,
             "smallest": smallest, "largest": largest}  # fmt: skip
    return Result(facts | report.to_dict(), OK)


def _say_where(job: Job, *, mapped: bool) -> None:
    if job.picture is not None:
        say(f"{job.source.name} -> {job.picture}")
    if job.map is not None and not mapped:
        say(f"{job.source.name}: no blur map was estimated, so {job.map} is not written")


def _picture_to_stdout(shot: Any) -> None:
    import tempfile

    from camerapipe.ingest import write_picture

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.jpg"
        write_picture(path, shot.image, shot.capture)
        sys.stdout.buffer.write(path.read_bytes())
        sys.stdout.buffer.flush()


def _strict_code(report: Any, options: dict[str, Any]) -> int:
    """Exit code that the strict options ask for."""
    from stages.capture_check import NEGATIVE_CODES

    if options["strict_budget"] and report.late:
        return LATE
    if options["strict_check"] and any(f.code in NEGATIVE_CODES for f in report.findings):
        return NEGATIVE
    return OK
