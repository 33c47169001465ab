"""`camerapipe render` and `camerapipe map`: captures in, pictures and maps out."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from camerapipe.cli.common import (
    LATE,
    NEGATIVE,
    SOME_FAILED,
    UNWRITTEN,
    USAGE,
    Failure,
    common_options,
    failure_of,
    max_pixels,
    prepare,
    progress,
    say,
    show_findings,
    show_report,
    usage_errors,
)

PICTURE_SUFFIXES = {".png": ".png", ".tif": ".tif", ".tiff": ".tiff"}  # all else becomes .jpg


@dataclass(frozen=True, slots=True)
class Job:
    """One input and where its results go."""

    source: Path
    picture: Path | None
    map: Path | None = None
    report: Path | None = None

    def outputs(self) -> list[Path]:
        """Files that this job writes."""
        return [path for path in (self.picture, self.map, self.report) if path is not None]


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
@click.option(
    "--from-map", metavar="FILE", help="render with this blur map instead of the estimate"
)
@click.option("--distance", type=float, metavar="M", help="distance of the subject in metres")
@click.option("--force", is_flag=True, help="go on after a blocking finding")
@click.option("--overwrite", is_flag=True, help="replace outputs that exist")
@click.option("--strict-budget", is_flag=True, help="exit 6 where the budget was missed")
@click.option(
    "--strict-check", is_flag=True, help="exit 7 where the check found nothing to magnify"
)
@common_options
@usage_errors
def render_command(**options: Any) -> None:
    """Turn captures into shallow depth-of-field pictures.

    RAW, JPEG, PNG, TIFF (and HEIC with the heif extra) are told by their content. Originals are
    never touched, outputs are written whole or not at all, and one bad file does not stop the
    others.
    """
    from camerapipe.budget import Budget
    from camerapipe.camera import Options
    from camerapipe.settings import resolve

    values = {} if options["strength"] is None else {"radius": {"strength": options["strength"]}}
    settings = resolve(options["preset"], options["config"], options["overrides"], values)
    taking = Options(
        settings=settings,
        budget=Budget.parse(options["budgets"]),
        focus_point=_point(options["focus"]),
        distance_m=options["distance"],
        force=options["force"],
    )
    jobs = _jobs(options)
    if options["from_map"] and len(jobs) > 1:
        raise Failure("--from-map takes one input", USAGE)
    prepare(quiet=options["quiet"])
    failures: list[Failure] = []
    reports: list[dict[str, Any]] = []
    codes: set[int] = set()
    with progress("rendering", quiet=options["quiet"] or len(jobs) == 1) as advance:
        for done, job in enumerate(jobs):
            advance(done, len(jobs), job.source.name)
            try:
                report = _render_one(job, taking, options)
            except Exception as error:
                failures.append(failure_of(error, str(job.source), verbose=options["verbose"]))
                failures[-1].show()
                continue
            reports.append(report.to_dict())
            codes |= _strict_codes(report, options)
    if options["as_json"]:
        click.echo(json.dumps(reports if len(jobs) > 1 else reports[0] if reports else None))
    _exit(failures, len(jobs), codes)


@click.command("map")
@click.argument("source", type=click.Path(path_type=Path), metavar="IN")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="MAP.tiff",
    help="16-bit .tiff (unit and scale in its description), .npz, or a coloured .png",
)  # fmt: skip
@click.option("--budget", "budgets", multiple=True, metavar="2s|STAGE=300ms", help="time allowed")
@click.option("--overwrite", is_flag=True, help="replace the output if it exists")
@common_options
@usage_errors
def map_command(source: Path, output: Path, **options: Any) -> None:
    """Estimate the blur map of a capture: sigma in full-resolution pixels."""
    from camerapipe.budget import Budget
    from camerapipe.camera import Options, develop, estimate_map
    from camerapipe.ingest import MAPS, check_output, write_map
    from camerapipe.settings import resolve

    settings = resolve(options["preset"], options["config"], options["overrides"])
    taking = Options(settings=settings, budget=Budget.parse(options["budgets"]))
    try:
        check_output(output, [source], overwrite=options["overwrite"], suffixes=MAPS)
        prepare(quiet=options["quiet"])
        capture, before = develop(source, max_pixels=max_pixels(options))
        blur, done = estimate_map(capture, taking)
        write_map(output, blur, overwrite=options["overwrite"])
    except Exception as error:
        raise failure_of(error, str(source), verbose=options["verbose"]) from error
    if options["as_json"]:
        click.echo(json.dumps({
            "map": str(output), "unit": "sigma_px", "shape": blur.sigma.shape,
            "smallest": float(blur.sigma.min()), "largest": float(blur.sigma.max()),
            "stages": {row.name: row.used_ms for row in (*before, *done.stages)},
        }))  # fmt: skip
    elif not options["quiet"]:
        say(f"{output}: sigma {blur.sigma.min():.2f} to {blur.sigma.max():.2f} px")


def _render_one(job: Job, taking: Any, options: dict[str, Any]) -> Any:
    """Develop, shoot and write one input; give its report."""
    from camerapipe import camera
    from camerapipe.ingest import read_map, write_map, write_picture, write_text
    from camerapipe.report import StageReport

    overwrite = options["overwrite"]
    _check_outputs(job, options)
    capture, before = camera.develop(job.source, max_pixels=max_pixels(options))
    blur = None
    if options["from_map"]:
        blur = read_map(Path(options["from_map"]), capture.linear.shape[:2])
    shot = camera.shoot(capture, taking, blur=blur, before=before)
    show_findings(job.source.name, shot.findings, quiet=options["quiet"])
    started = time.perf_counter()
    if job.picture is None:
        _picture_to_stdout(shot)
    else:
        write_picture(job.picture, shot.image, capture, overwrite=overwrite)
    if job.map is not None and shot.blur_map is not None:
        write_map(job.map, shot.blur_map, overwrite=overwrite)
    used_ms = (time.perf_counter() - started) * 1000
    report = camera.with_stage(shot.report, StageReport(name="write", used_ms=used_ms))
    if job.report is not None:
        write_text(job.report, json.dumps(report.to_dict(), indent=2), overwrite=overwrite)
    if not options["quiet"]:
        show_report(report, verbose=options["verbose"])
        if job.picture is not None:
            say(f"{job.source.name} -> {job.picture}")
    return report


def _check_outputs(job: Job, options: dict[str, Any]) -> None:
    """Refuse outputs that cannot be written, before the work; no input is ever an output."""
    from camerapipe.ingest import MAPS, PICTURES, check_output

    inputs = [*options["inputs"], *filter(None, (options["from_map"], options["config"]))]
    for path, suffixes in ((job.picture, PICTURES), (job.map, MAPS), (job.report, ())):
        if path is not None:
            check_output(path, inputs, overwrite=options["overwrite"], suffixes=suffixes)


def _picture_to_stdout(shot: Any) -> None:
    import tempfile

    from camerapipe.ingest import write_picture

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.jpg"
        write_picture(path, shot.image, shot.capture)
        sys.stdout.buffer.write(path.read_bytes())


def _jobs(options: dict[str, Any]) -> list[Job]:
    """Name the outputs of every input; folders are made where they are asked for."""
    inputs: tuple[Path, ...] = options["inputs"]
    if options["output"] == "-":
        if len(inputs) > 1 or options["as_json"]:
            raise Failure("-o - takes one input, and no --json", USAGE)
        return [Job(inputs[0], None, _path(options["map_to"]), _path(options["report_to"]))]
    several = len(inputs) > 1
    jobs = []
    for source, name in zip(inputs, _names(inputs), strict=True):
        picture = _output(options["output"], several, f"{name}_bokeh{_suffix(source)}")
        blur = _output(options["map_to"], several, f"{name}_map.tiff")
        report = _output(options["report_to"], several, f"{name}_report.json")
        jobs.append(Job(source, picture, blur, report))
    taken: dict[Path, Path] = {}
    for job in jobs:
        for path in job.outputs():
            if path in taken:
                other = taken[path]
                raise Failure(f"{job.source} and {other} would both be written to {path}", USAGE)
            taken[path] = job.source
    return jobs


def _names(inputs: tuple[Path, ...]) -> list[str]:
    """Stems of the inputs; a RAW and a JPEG of one stem keep their suffixes apart."""
    count = Counter(source.stem for source in inputs)
    return [
        s.stem if count[s.stem] == 1 else f"{s.stem}_{s.suffix.lower().lstrip('.')}" for s in inputs
    ]


def _output(target: str | None, several: bool, name: str) -> Path | None:
    """File for a result: the target itself, or a name in the folder that it is."""
    if target is None:
        return None
    path = Path(target)
    if not (several or path.is_dir() or target.endswith(("/", "\\"))):
        return path
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(
            f"{path}: is not a folder for outputs: {error.strerror}", UNWRITTEN
        ) from error
    return path / name


def _suffix(source: Path) -> str:
    return PICTURE_SUFFIXES.get(source.suffix.lower(), ".jpg")


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _point(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise Failure(f"--focus: expected X,Y in pixels; got {text!r}", USAGE) from None
    return x, y


def _strict_codes(report: Any, options: dict[str, Any]) -> set[int]:
    """Exit codes that the strict options ask for."""
    from stages.capture_check import NEGATIVE_CODES

    codes = set()
    if options["strict_budget"] and report.late:
        codes.add(LATE)
    if options["strict_check"] and any(f.code in NEGATIVE_CODES for f in report.findings):
        codes.add(NEGATIVE)
    return codes


def _exit(failures: list[Failure], count: int, codes: set[int]) -> None:
    context = click.get_current_context()
    if failures:
        context.exit(failures[0].exit_code if count == 1 else SOME_FAILED)
    if codes:
        context.exit(min(codes))
