"""What the commands share: options, messages, exit codes, the report on a terminal."""

from __future__ import annotations

import functools
import json
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from camerapipe.errors import CaptureError, LimitError, OutputError, RequestError
from camerapipe.report import Report
from stages.findings import Finding, Severity

F = TypeVar("F", bound=Callable[..., Any])

OK, SOME_FAILED, USAGE, UNREADABLE, LIMIT, UNWRITTEN, LATE, NEGATIVE = range(8)
COLOURS = {Severity.INFO: "green", Severity.WARNING: "yellow", Severity.BLOCKING: "red"}


class Failure(click.ClickException):
    """One clear line, and an exit code that means something."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click declares it on the class

    def show(self, file: Any = None) -> None:
        """Print the line on stderr."""
        say(f"error: {self.format_message()}")


class Result(NamedTuple):
    """What one input gave: data for `--json`, and an exit code (`OK` where nothing is wrong)."""

    data: dict[str, Any]
    code: int


def say(message: str) -> None:
    """Tell the person something, on stderr."""
    click.echo(f"camerapipe: {message}", err=True)


distance_option = click.option(
    "--distance", type=float, metavar="M", help="distance of the subject in metres"
)


scribbles_option = click.option(
    "--scribbles", metavar="FILE.json", help="corrections of the blur map, drawn as strokes"
)


def common_options(command: F) -> F:
    """Add the options that every command with settings has."""
    options = [
        click.option("--preset", metavar="NAME", help="default, paper or direct"),
        click.option(
            "--config",
            type=click.Path(path_type=Path, dir_okay=False),
            help="TOML settings: preset, and a table for every stage",
        ),
        click.option(
            "--set", "overrides", multiple=True, metavar="STAGE.PARAM=VALUE", help="one parameter"
        ),
        click.option("--max-pixels", type=click.IntRange(1), help="refuse larger captures"),
        click.option("--json", "as_json", is_flag=True, help="machine-readable result on stdout"),
        click.option("-q", "--quiet", is_flag=True, callback=_without_notes, help="errors only"),
        click.option("-v", "--verbose", is_flag=True, help="tracebacks and parameters"),
    ]
    return functools.reduce(lambda made, option: option(made), reversed(options), command)


def _without_notes(ctx: click.Context, option: click.Parameter, quiet: bool) -> bool:
    if quiet:
        warnings.simplefilter("ignore")
    return quiet


def request_errors(command: F) -> F:
    """Turn what does not exist or does not fit (settings, budgets, optics) into a usage error."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except ValueError as error:
            raise Failure(str(error), USAGE) from error

    return wrapped  # type: ignore[return-value]


def for_inputs(tasks: Sequence[tuple[str, Callable[[], Result]]], options: dict[str, Any]) -> None:
    """Run a task for every input; one that fails stops no other. Leaves with the exit code."""
    results: list[dict[str, Any]] = []
    failures: list[Failure] = []
    codes = {OK}
    with progress("captures", quiet=options["quiet"] or len(tasks) == 1) as advance:
        for done, (name, task) in enumerate(tasks):
            advance(done, len(tasks), Path(name).name)
            try:
                data, code = task()
            except BrokenPipeError:
                raise
            except Exception as error:
                failure = failure_of(error, name, verbose=options["verbose"])
                failure.show()
                failures.append(failure)
                data, code = {"capture": name, "error": failure.message}, OK
                data["exit_code"] = failure.exit_code
            results.append(data)
            codes.add(code)
    if options["as_json"]:
        click.echo(json.dumps(results if len(tasks) > 1 else results[0]))
    if failures:
        click.get_current_context().exit(failures[0].exit_code if len(tasks) == 1 else SOME_FAILED)
    click.get_current_context().exit(max(codes))


def failure_of(error: BaseException, name: str, *, verbose: bool) -> Failure:
    """Explain what went wrong with one input."""
    if verbose:
        traceback.print_exception(error)
    if isinstance(error, Failure):
        return error
    kinds = ((LimitError, LIMIT), (CaptureError, UNREADABLE), (OutputError, UNWRITTEN))
    for kind, code in kinds:
        if isinstance(error, kind):
            return Failure(str(error), code)
    if isinstance(error, RequestError):
        return Failure(f"{name}: {error}", USAGE)
    if isinstance(error, MemoryError):
        return Failure(f"{name}: not enough memory; lower --max-pixels or free some", LIMIT)
    place = f" ({error.__notes__[-1]})" if getattr(error, "__notes__", None) else ""
    hint = "" if verbose else "; run again with -v for the traceback"
    return Failure(f"{name}: {type(error).__name__}: {error}{place}{hint}", SOME_FAILED)


def max_pixels(options: dict[str, Any]) -> int:
    """Pixel limit that was asked for, or the default."""
    from camerapipe.ingest import DEFAULT_MAX_PIXELS

    return options["max_pixels"] or DEFAULT_MAX_PIXELS


def point(text: str | None) -> tuple[float, float] | None:
    """Read the X,Y of `--focus`."""
    if text is None:
        return None
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise Failure(f"--focus: expected X,Y in pixels; got {text!r}", USAGE) from None
    return x, y


def prepare(*, quiet: bool, long_running: bool = False) -> None:
    """Set up the process and load the kernels, saying so where that takes long.

    Parameters
    ----------
    quiet : bool
        Say nothing.
    long_running : bool
        More than one shot is to be taken (see `runtime.configure`).
    """
    from camerapipe import runtime

    runtime.configure(long_running=long_running)

    def compiling() -> None:
        if not quiet:
            say("compiling kernels for this machine; only the first start takes this long")

    with progress("preparing kernels", quiet=quiet) as advance:
        runtime.warm_up(lambda name, done, total: advance(done, total, name), compiling)


@contextmanager
def progress(title: str, *, quiet: bool) -> Iterator[Callable[[int, int, str], None]]:
    """Show a bar on a terminal; give `advance(done, total, what)`."""
    if quiet or not sys.stderr.isatty():
        yield lambda done, total, what: None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (
        TextColumn(title),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[what]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None, what="")
        yield lambda done, total, what: bar.update(
            task, completed=done, total=total, what=escape(what)
        )


def show_findings(name: str, findings: tuple[Finding, ...], *, quiet: bool) -> None:
    """Print findings; blocking ones even when quiet."""
    for finding in findings:
        if not quiet or finding.severity is Severity.BLOCKING:
            label = click.style(f"{finding.severity.value}", fg=COLOURS[finding.severity])
            say(f"{name}: {label}: {finding.message} [{finding.code}]")


def show_report(report: Report, *, verbose: bool) -> None:
    """Print what every stage did with its time, as a table on stderr."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    total = f"{report.used_ms:.0f} ms"
    budget = f", budget {report.budget_ms:.0f} ms" if report.budget_ms is not None else ""
    memory = f", peak memory {report.peak_mb:.0f} MB" if report.peak_mb is not None else ""
    table = Table(
        title=f"{escape(report.capture)}: {report.graph}, {total}{budget}{memory}", box=box.SIMPLE
    )
    table.add_column("stage")
    for heading in ("granted ms", "used ms", "steps", "residual"):
        table.add_column(heading, justify="right")
    table.add_column("caveats")
    if verbose:
        table.add_column("parameters")
    for stage in report.stages:
        row = [
            stage.name,
            "" if stage.granted_ms is None else f"{stage.granted_ms:.0f}",
            f"{stage.used_ms:.1f}",
            str(stage.steps or ""),
            "" if stage.residual is None else f"{stage.residual:.3g}",
            ", ".join(stage.caveats.names()),
        ]
        if verbose:
            row.append(" ".join(f"{k}={v}" for k, v in stage.params.items()))
        table.add_row(*row)
    console = Console(stderr=True, width=None if sys.stderr.isatty() else 160)
    console.print(table)
