"""Jobs of the command line: run in order, one line of output for each, one exit code for all."""

from __future__ import annotations

import json
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from camerapipe.cli.common import (
    OK,
    SOME_FAILED,
    USAGE,
    WIDTH,
    Failure,
    focus_in,
    marked,
    max_pixels,
    printable,
    progress,
    say,
    show_report,
)
from camerapipe.errors import RequestError
from stages.findings import Severity

if TYPE_CHECKING:
    from camerapipe.assembly import Request
    from camerapipe.job import Job, JobResult
    from camerapipe.naming import Inputs
    from camerapipe.protecting import ProtectionRequest
    from camerapipe.recipe import Recipe

COLOURS = {Severity.INFO: "green", Severity.WARNING: "yellow", Severity.BLOCKING: "red"}
INDENT = " " * 4


def inputs_in(options: Mapping[str, Any]) -> Inputs:
    """The inputs of a command; a line says how many files of RAW+JPEG pairs are passed over."""
    from camerapipe.naming import find_inputs

    found = find_inputs(options["inputs"], options["pairs"])
    if found.passed_over and not options["quiet"]:
        used = {"raw": "RAW", "jpeg": "JPEG"}[options["pairs"]]
        files = "1 file is" if found.passed_over == 1 else f"{found.passed_over} files are"
        say(f"{files} passed over: the {used} of each RAW+JPEG pair is used (see --pairs)")
    return found


def recipe_in(options: Mapping[str, Any]) -> Recipe | None:
    """The recipe of `--recipe`."""
    from camerapipe.recipe import Recipe

    return Recipe.read(options["recipe_from"]) if options["recipe_from"] else None


def request_in(options: Mapping[str, Any], recipe: Recipe | None = None) -> Request:
    """What the options of a command ask of every capture."""
    from camerapipe.assembly import Request, check_budget
    from camerapipe.budget import Budget
    from camerapipe.recipe import resolve_with
    from camerapipe.recipe_keys import given_scribbles

    focus, focus_m = focus_in(options.get("focus"))
    depth = {"aperture": options.get("aperture"), "focus_m": focus_m}
    settings = resolve_with(
        recipe,
        options["preset"],
        options["config"],
        (*options["overrides"], *_falloff(options.get("falloff"))),
        {"depth": {name: value for name, value in depth.items() if value is not None}},
        strength=options.get("strength"),
        look=options["look"],
    )
    budget = Budget.parse(options.get("budgets", ()))
    check_budget(budget, settings.preset)
    return Request(
        settings=settings,
        budget=budget,
        focus_point=focus,
        distance_m=options["distance"],
        scribbles=given_scribbles(options.get("scribbles") or ()),
        force=options.get("force", False),
    )


def _falloff(falloff: float | None) -> tuple[str, ...]:
    return () if falloff is None else (f"radius.focus_ramp={falloff}",)


def protection_in(options: Mapping[str, Any], *, several: bool) -> ProtectionRequest:
    """What the options of a command ask to be kept sharp; a mask and a subject need one input."""
    refuse_several(options, ("protect", "subject"), several=several)
    from camerapipe.protecting import ProtectionRequest, rectangle_of
    from camerapipe.segmentation import SegmentationModel, numbers_of

    given = {
        key: options[f"protect_{key}"]
        for key in ("input", "mean", "scale", "channels", "class")
        if options[f"protect_{key}"] is not None
    }
    model, subject = options["protect_model"], options["subject"]
    if model is None and given:
        raise RequestError(f"--protect-{next(iter(given))} belongs to --protect-model")
    values: dict[str, Any] = {
        key: numbers_of(f"--protect-{key}", given[key].split(","))
        for key in ("mean", "scale")
        if key in given
    }
    if "input" in given:
        values["input_px"] = _size(given["input"])
    if "channels" in given:
        values["channels"] = given["channels"]
    return ProtectionRequest(
        mask=options["protect"],
        subject=None if subject is None else rectangle_of("--subject", subject.split(",")),
        model=None
        if model is None
        else SegmentationModel(path=model, output_class=given.get("class"), **values),
    )


def refuse_several(options: Mapping[str, Any], keys: Sequence[str], *, several: bool) -> None:
    """Refuse options that belong to one picture, if there are several."""
    for key in keys:
        if several and options[key]:
            raise Failure(f"--{key.replace('_', '-')} takes one input", USAGE)


def _size(text: str) -> tuple[int, int]:
    """Read the WxH of `--protect-input`."""
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise RequestError(f"--protect-input: expected WxH in pixels; got {text!r}") from None
    return width, height


def common_fields(
    options: Mapping[str, Any], recipe: Recipe | None, inputs: Sequence[Path]
) -> dict[str, Any]:
    """Fields that all jobs of a command share."""
    keys = ("config", "recipe_from", "scribbles", "from_map", "from_depth", "guide_depth")
    read = (options.get(key) for key in keys)
    return {
        "request": request_in(options, recipe),
        "recipe": recipe,
        "guide_depth": options.get("guide_depth"),
        "protected": (*inputs, *(Path(path) for path in read if path)),
        "overwrite": options.get("overwrite", False),
        "strict_budget": options.get("strict_budget", False),
        "strict_check": options.get("strict_check", False),
        "max_pixels": max_pixels(dict(options)),
    }


def run_jobs(
    jobs: Sequence[Job],
    options: Mapping[str, Any],
    tell: Callable[[JobResult, str, bool], None],
    *,
    several: bool,
) -> None:
    """Run every job, tell how it ended, and exit with the code that sums them up.

    `tell(result, label, verbose)` prints the result of a job that was not stopped by an error. It
    is not called with `--quiet`, unless the picture was left untouched. JSON is a list if `several`
    inputs or a folder were named, else an object.
    """
    from camerapipe.job import run_job

    quiet, verbose = options["quiet"], options["verbose"]
    results: list[JobResult] = []
    with _reading(options), progress("captures", quiet=quiet or len(jobs) == 1) as advance:
        for done, (job, label) in enumerate(zip(jobs, _labels(jobs), strict=True)):
            advance(done, len(jobs), label)
            result = run_job(job)
            stopped = result.error is not None and not result.findings
            blocked = any(each.severity is Severity.BLOCKING for each in result.findings)
            if not stopped and (blocked or not quiet):
                tell(result, label, verbose)
            if result.error is not None:
                _show_error(result, verbose=verbose)
            if result.picture is not None:
                sys.stdout.buffer.write(result.picture)
                sys.stdout.buffer.flush()
            results.append(result)
    if options["as_json"]:
        data = [result.to_dict() for result in results]
        click.echo(json.dumps(data if several else data[0]))
    click.get_current_context().exit(_code_of(results))


def _reading(options: Mapping[str, Any]) -> AbstractContextManager[object]:
    """Where the files of the jobs are read: in this process, or with `--isolate` in another."""
    if not options.get("isolate"):
        return nullcontext()
    from camerapipe.isolation import Decoder, DecoderLimits

    stack = ExitStack()
    decoder = stack.enter_context(Decoder(DecoderLimits(max_pixels=max_pixels(dict(options)))))
    stack.enter_context(decoder.reading())
    return stack


def _labels(jobs: Sequence[Job]) -> list[str]:
    """What lines of output call the inputs: their file names, or paths where names are equal."""
    names = [Path(job.name).name for job in jobs]
    counts = Counter(names)
    pairs = zip(names, jobs, strict=True)
    labels = [name if counts[name] == 1 else job.name for name, job in pairs]
    return [printable(label) for label in labels]


def tell_outcome(result: JobResult, name: str, verbose: bool) -> None:
    """One line for a picture or map; further ones for what was changed in what was asked."""
    say(f"{name}: {result.verdict}")
    for note in result.notes:
        say(f"{name}: note: {note}", "note:", "yellow")
    if verbose:
        for finding in result.findings:
            label = f"{finding.severity.value}:"
            message = f"{name}: {label} {finding.message} [{finding.code}]"
            say(message, label, COLOURS[finding.severity])
        if result.report is not None:
            show_report(result.report, parameters=True)


def tell_check(result: JobResult, name: str, verbose: bool) -> None:
    """The verdict of a check, then its other findings, in lines of at most `WIDTH` columns."""
    click.echo(_wrapped(f"{name}: {result.verdict}", ""), err=True)
    for finding in result.findings[1:]:
        label = f"{finding.severity.value}:"
        text = _wrapped(f"{label} {finding.message} [{finding.code}]", INDENT)
        click.echo(marked(text, label, COLOURS[finding.severity]), err=True)


def refuse_two_outputs_on_stdout(output: str, *, as_json: bool) -> None:
    """Refuse a picture and JSON on one stream."""
    if output == "-" and as_json:
        raise Failure("-o - and --json both want stdout", USAGE)


def _wrapped(text: str, indent: str) -> str:
    """Text in lines of at most `WIDTH` columns, the further ones indented."""
    return textwrap.fill(
        printable(text),
        WIDTH,
        initial_indent=indent,
        subsequent_indent=INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _show_error(result: JobResult, *, verbose: bool) -> None:
    assert result.error is not None
    error = result.error
    if verbose and error.traceback:
        click.echo(error.traceback, err=True, nl=False)
    unknown = error.code == SOME_FAILED and not verbose
    hint = "; run again with -v for the traceback" if unknown else ""
    Failure(error.message + hint, error.code).show()


def _code_of(results: Sequence[JobResult]) -> int:
    """Exit code of a job; of several, the highest, or SOME_FAILED if an error stopped any."""
    if len(results) == 1:
        return int(results[0].exit_code)
    if any(result.error is not None and not result.findings for result in results):
        return int(SOME_FAILED)
    return max((int(result.exit_code) for result in results), default=int(OK))
