"""A job: one input to its outputs, errors included.

The command line, batches and a web server all run jobs. What goes wrong with a job is part of its
result, so that one bad input stops no other. Outputs are written whole or not at all, and no input
is ever an output.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from camerapipe import verdict
from camerapipe.assembly import (
    FOCUS_POINT_BLURRED,
    Request,
    check_request,
    is_blocked,
    shape_of,
    with_depth,
)
from camerapipe.budget import Stopwatch
from camerapipe.camera import (
    check_capture,
    estimate_map,
    given_map,
    open_input,
    shoot,
    with_stage,
)
from camerapipe.capture import Capture
from camerapipe.errors import ExitCode, RequestError, exit_code_of, explain
from camerapipe.ingest import (
    DEFAULT_QUALITY,
    MAP_FORMATS,
    MAPS,
    PICTURE_FORMATS,
    PICTURES,
    bits_for,
    check_library,
    check_output,
    embed_map,
    encode_picture,
    format_of,
    left_out,
    untouched_bytes,
    write_bytes,
    write_map,
    write_text,
)
from camerapipe.job_data import Job, JobError, JobResult, Task, Writing
from camerapipe.masks import read_foreground
from camerapipe.naming import ENDINGS
from camerapipe.presets import SECTIONS
from camerapipe.protecting import CONTRADICTED
from camerapipe.recipe import recipe_of, with_recipe
from camerapipe.report import Report, StageReport
from camerapipe.settings import Layer
from camerapipe.shot import LIGHT, Shot
from stages.bokeh import RadiusParams
from stages.capture_check import NEGATIVE_CODES
from stages.depth import DepthParams
from stages.findings import Finding, Severity

__all__ = ["Job", "JobError", "JobResult", "Task", "Writing", "check_job", "run_job"]


def check_job(job: Job) -> None:
    """Refuse, before the work, outputs that could not be written.

    Raises
    ------
    OutputError
        If an output exists, is an input, or cannot be written.
    RequestError
        If the format of the picture cannot hold what was asked, or the settings of the request
        lack the recipe.
    """
    recipe, layers = job.recipe, job.request.settings.layers
    if recipe and recipe.params and Layer.RECIPE not in layers:
        raise RequestError("recipe: the settings do not have its parameters; use resolve_with")
    inputs = [*job.protected, *filter(None, (job.foreground, job.from_map))]
    inputs += [job.path] if job.path else []
    inputs += [recipe.foreground] if recipe and recipe.foreground else []
    inputs += [*job.protection.paths(), *(recipe.protection.paths() if recipe else ())]
    suffixes = {job.outputs.map: MAPS, job.outputs.picture: PICTURES}
    for path in job.outputs.paths():
        known = () if path == job.outputs.picture and job.writing.format else suffixes.get(path, ())
        check_output(path, inputs, overwrite=job.overwrite, suffixes=known)
    if job.task is Task.RENDER:
        bits_for(job.picture_format, job.writing.bits, 8)
        check_library(job.picture_format)
        if job.writing.embed_map and job.picture_format != "jpeg":
            raise RequestError("embed_map: only a JPEG carries a blur map; write it with --map")
    if job.outputs.map is not None:
        check_library(format_of(job.outputs.map, MAP_FORMATS), MAP_FORMATS)


def run_job(job: Job) -> JobResult:
    """Run a job. Whatever goes wrong is in the result; only a broken pipe is raised."""
    written: dict[str, Path] = {}
    try:
        check_job(job)
        return _TASKS[job.task](job, written)
    except BrokenPipeError:
        raise
    except Exception as error:
        failed = JobError(
            code=exit_code_of(error),
            message=explain(error, job.name),
            traceback="".join(traceback.format_exception(error)),
        )
        return JobResult(name=job.name, verdict=failed.message, written=written, error=failed)


def _render(job: Job, written: dict[str, Path]) -> JobResult:
    capture, before = open_input(job.source, max_pixels=job.max_pixels)
    request, notes = _completed(job, capture)
    shot = shoot(capture, request, before=before)
    with Stopwatch() as watch:
        data, done, lacks = _picture(job, shot, request)
        if job.outputs.map is not None and shot.saved_map is None:
            notes += (f"no blur map was estimated, so that {job.outputs.map} is not written",)
        elif job.outputs.map is not None and shot.saved_map is not None:
            write_map(job.outputs.map, shot.saved_map, overwrite=job.overwrite, capture=capture)
            written["map"] = job.outputs.map
        if job.outputs.recipe is not None:
            _write_recipe(job, request, capture)
            written["recipe"] = job.outputs.recipe
        if job.outputs.picture is not None:  # last: where it is, the job is complete
            write_bytes(job.outputs.picture, data, overwrite=job.overwrite)
            written["picture"] = job.outputs.picture
    report = with_stage(shot.report, StageReport(name="write", used_ms=watch.ms))
    report = replace(report, findings=(*report.findings, *lacks))
    notes += _notes(report, (*capture.findings, *lacks))
    if job.outputs.report is not None:
        text = json.dumps(report.to_dict(), indent=2)
        write_text(job.outputs.report, text, overwrite=job.overwrite)
        written["report"] = job.outputs.report
    result = _result(job, report, request, done, notes, written)
    return result if job.outputs.picture is not None else replace(result, picture=data)


def _map(job: Job, written: dict[str, Path]) -> JobResult:
    capture, before = open_input(job.source, max_pixels=job.max_pixels)
    request, notes = _completed(job, capture)
    saved, report = estimate_map(capture, request, before=before)
    if job.outputs.map is not None:
        write_map(job.outputs.map, saved, overwrite=job.overwrite, capture=capture)
        written["map"] = job.outputs.map
    sigma = saved.blur.sigma
    smallest, largest = float(sigma.min()), float(sigma.max())
    facts = {
        "map": str(job.outputs.map) if job.outputs.map else None,
        "unit": "sigma_px",
        "shape": list(sigma.shape),
        "smallest": smallest,
        "largest": largest,
    }
    done = f"mapped, sigma {smallest:.2f} to {largest:.2f} px,"
    notes += _notes(report, capture.findings)
    return replace(_result(job, report, request, done, notes, written), facts=facts)


def _check(job: Job, written: dict[str, Path]) -> JobResult:
    capture, _ = open_input(job.source, max_pixels=job.max_pixels)
    findings = check_capture(capture, job.request)
    return JobResult(
        name=job.name,
        verdict=f"{verdict.answer(findings)}: {findings[0].message} [{findings[0].code}]",
        findings=findings,
        facts={"metadata": capture.meta.to_dict()},
        error=_strict_error(job, findings, None),
    )


_TASKS = {Task.RENDER: _render, Task.MAP: _map, Task.CHECK: _check}


def _completed(job: Job, capture: Capture) -> tuple[Request, tuple[str, ...]]:
    """The request with what depends on the size of the capture, and notes about it."""
    notes: tuple[str, ...] = ()
    request, shape = job.request, shape_of(capture)
    if job.foreground is not None:
        request = replace(request, foreground=read_foreground(job.foreground, shape))
    request = with_depth(request, capture, job.from_depth, job.guide_depth)
    protection = job.protection.complete(request.protection, capture.linear)
    request = replace(request, protection=protection)
    if job.recipe is not None:
        request = with_recipe(request, job.recipe, capture)
    for given in filter(None, (request.from_depth, request.guide_depth)):
        notes += tuple(f"{given.source}: {each}" for each in given.assumptions)
    if job.from_map is not None:
        saved = given_map(job.from_map, capture)
        notes += tuple(f"{job.from_map}: {each}" for each in saved.assumptions)
        request = replace(request, blur_map=saved)
        if request.scribbles:
            notes += ("scribbles correct an estimate: they are not used with a map that is given",)
        if not request.protection.is_empty:
            notes += ("protection bounds an estimate: it is not used with a map that is given",)
    if job.task is Task.RENDER:
        keep = (LIGHT,) if job.picture_format == "exr" else ()
        hdr = PICTURE_FORMATS[job.picture_format].hdr
        request = replace(request, keep=(*request.keep, *keep), hdr=hdr)
    check_request(capture, request)
    return request, notes


def _picture(job: Job, shot: Shot, request: Request) -> tuple[bytes, str, tuple[Finding, ...]]:
    """The picture as a file, what was done in words, and findings about what it cannot hold."""
    name, writing = job.picture_format, job.writing
    quality = writing.quality if PICTURE_FORMATS[name].lossy else None
    blocked = is_blocked(shot.findings, force=request.force)
    if blocked and job.path is not None:
        data = untouched_bytes(
            job.path, shot.capture,
            format=name, bits=writing.bits, quality=quality, metadata=writing.metadata,
        )  # fmt: skip
        if data is not None:
            return data, "left untouched (the bytes of the input)", ()
    data = encode_picture(
        shot.image, shot.capture,
        format=name, bits=writing.bits, quality=quality or DEFAULT_QUALITY,
        metadata=writing.metadata, light=shot.light,
    )  # fmt: skip
    if job.writing.embed_map and shot.saved_map is not None:
        data = embed_map(data, shot.saved_map, capture=shot.capture)
    done = f"left untouched (encoded as {name.upper()})" if blocked else _rendered(request)
    return data, done, left_out(name, shot.capture, writing.metadata)


def _rendered(request: Request) -> str:
    params = request.settings.params[SECTIONS["radius"]]
    assert isinstance(params, RadiusParams)
    how = f"strength {params.strength:g}"
    if params.largest_percent:
        how = f"a largest radius of {params.largest_percent:g} %"
    if request.from_depth is not None:
        wish = request.settings.params[SECTIONS["depth"]]
        assert isinstance(wish, DepthParams)
        return f"rendered from depth at {f'f/{wish.aperture:g}' if wish.aperture else how}"
    source = " from the given map" if request.blur_map is not None else ""
    source += " with depth" if request.guide_depth is not None else ""
    return f"rendered at {how}{source}"


def _write_recipe(job: Job, request: Request, capture: Capture) -> None:
    assert job.outputs.recipe is not None
    foreground = job.foreground or (job.recipe.foreground if job.recipe else None)
    asked = replace(job.protection, subject=request.protection.rectangle)
    if job.recipe is not None:
        asked = asked.over(job.recipe.protection)
    made = recipe_of(request, capture, foreground, asked)
    made.write(job.outputs.recipe, overwrite=job.overwrite)


def _notes(report: Report, files: tuple[Finding, ...]) -> tuple[str, ...]:
    """Findings that say what was changed in what was asked, or about the files."""
    changed = (FOCUS_POINT_BLURRED, CONTRADICTED)
    asked = [each for each in report.findings if each.code in changed]
    told = [each for each in files if each.severity is not Severity.INFO]
    return tuple(each.message for each in (*asked, *told))


def _result(
    job: Job,
    report: Report,
    request: Request,
    done: str,
    notes: tuple[str, ...],
    written: Mapping[str, Path],
) -> JobResult:
    line = verdict.sentence(report, done, request.budget)
    if written:
        line += f" -> {', '.join(str(written[kind]) for kind in ENDINGS if kind in written)}"
    if report.findings[0].severity is Severity.BLOCKING:
        line += f". {report.findings[0].message} [{report.findings[0].code}]"
    return JobResult(
        name=job.name,
        verdict=line,
        notes=notes,
        findings=report.findings,
        report=report,
        written=written,
        error=_strict_error(job, report.findings, report),
    )


def _strict_error(
    job: Job, findings: tuple[Finding, ...], report: Report | None
) -> JobError | None:
    """What a strict job fails for."""
    if job.strict_budget and report is not None and report.late:
        late = verdict.timeliness(report, job.request.budget)
        spent = verdict.duration(report.spent_ms)
        message = f"{job.name}: the budget was missed: {spent}{late}"
        return JobError(code=ExitCode.LATE, message=message)
    if job.strict_check:
        for finding in findings:
            if finding.code in NEGATIVE_CODES:
                message = f"{job.name}: the check is negative: {finding.message} [{finding.code}]"
                return JobError(code=ExitCode.NEGATIVE, message=message)
    return None
