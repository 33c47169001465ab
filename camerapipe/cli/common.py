"""What the commands share: options, messages, exit codes, the report on a terminal."""

from __future__ import annotations

import functools
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from camerapipe.capture import CaptureError, LimitError, OutputError
from camerapipe.report import Report
from stages.findings import Finding, Severity

F = TypeVar("F", bound=Callable[..., Any])

SOME_FAILED, USAGE, UNREADABLE, LIMIT, UNWRITTEN, LATE, NEGATIVE = 1, 2, 3, 4, 5, 6, 7
COMPILED_AFTER_S = 2.0  # loading kernels from the cache takes less, compiling them more
COLOURS = {Severity.INFO: "green", Severity.WARNING: "yellow", Severity.BLOCKING: "red"}


class Failure(click.ClickException):
    """One clear line, and an exit code that means something."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click declares it on the class

    def show(self, file: Any = None) -> None:
        """Print the line on stderr."""
        say(f"error: {self.format_message()}")


def say(message: str) -> None:
    """Tell the person something, on stderr."""
    click.echo(f"camerapipe: {message}", err=True)


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


def usage_errors(command: F) -> F:
    """Turn a `ValueError` about settings, budgets or points into a usage error."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except ValueError as error:
            raise Failure(str(error), USAGE) from error

    return wrapped  # type: ignore[return-value]


def failure_of(error: BaseException, name: str, *, verbose: bool) -> Failure:
    """Explain what went wrong with one input."""
    if verbose:
        traceback.print_exception(error)
    if isinstance(error, Failure):
        return error
    if isinstance(error, LimitError):
        return Failure(str(error), LIMIT)
    if isinstance(error, CaptureError):
        return Failure(str(error), UNREADABLE)
    if isinstance(error, OutputError):
        return Failure(str(error), UNWRITTEN)
    if isinstance(error, MemoryError):
        return Failure(f"{name}: not enough memory; lower --max-pixels or free some", LIMIT)
    if isinstance(error, ValueError) and not isinstance(error, UnicodeError):
        return Failure(str(error), USAGE)
    place = f" ({error.__notes__[-1]})" if getattr(error, "__notes__", None) else ""
    hint = "" if verbose else "; run again with -v for the traceback"
    return Failure(f"{name}: {type(error).__name__}: {error}{place}{hint}", SOME_FAILED)


def max_pixels(options: dict[str, Any]) -> int:
    """Pixel limit that was asked for, or the default."""
    from camerapipe.ingest import DEFAULT_MAX_PIXELS

    return options["max_pixels"] or DEFAULT_MAX_PIXELS


def prepare(*, quiet: bool) -> None:
    """Set threads and load the kernels, saying so where that takes long."""
    from camerapipe import runtime

    runtime.set_threads(runtime.available_cores())
    started = time.perf_counter()
    with progress("preparing kernels", quiet=quiet) as advance:
        count = runtime.warm_up(lambda name, done, total: advance(done, total, name))
    took = time.perf_counter() - started
    if took > COMPILED_AFTER_S and not quiet:
        say(f"compiled {count} kernels in {took:.0f} s; the next start is quick")


@contextmanager
def progress(title: str, *, quiet: bool) -> Iterator[Callable[[int, int, str], None]]:
    """Show a bar on a terminal; give `advance(done, total, what)`."""
    if quiet or not sys.stderr.isatty():
        yield lambda done, total, what: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (
        TextColumn(title),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[what]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None, what="")
        yield lambda done, total, what: bar.update(task, completed=done, total=total, what=what)


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
    from rich.table import Table

    total = f"{report.used_ms:.0f} ms"
    budget = f", budget {report.budget_ms:.0f} ms" if report.budget_ms is not None else ""
    memory = f", peak memory {report.peak_mb:.0f} MB" if report.peak_mb is not None else ""
    table = Table(
        title=f"{report.capture}: {report.graph}, {total}{budget}{memory}", box=box.SIMPLE
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
