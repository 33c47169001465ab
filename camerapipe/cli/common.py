"""What the commands share: options, messages, exit codes, progress, the table of stages."""

from __future__ import annotations

import functools
import sys
import traceback
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from camerapipe.errors import ExitCode, RequestError, exit_code_of, explain
from camerapipe.report import Report

F = TypeVar("F", bound=Callable[..., Any])

OK, SOME_FAILED, USAGE, UNREADABLE, LIMIT, UNWRITTEN, LATE, NEGATIVE = ExitCode
WIDTH = 100  # columns of text for people
CONTROLS = ("Cc", "Zl", "Zp")  # Unicode categories: control characters, ends of lines


class Failure(click.ClickException):
    """A message of one line, and the exit code for this kind of failure."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = int(exit_code)  # type: ignore[misc]  # click declares it on the class

    def show(self, file: Any = None) -> None:
        """Print the line on stderr."""
        say(f"error: {self.format_message()}")


def say(message: str, mark: str = "", colour: str | None = None) -> None:
    """Print a message for people in one line on stderr; `mark`, a part of it, is coloured."""
    text = printable(message)
    click.echo(f"camerapipe: {marked(text, mark, colour) if mark else text}", err=True)


def printable(text: str) -> str:
    """Text in one line: control characters, as names of files may have them, are escaped."""
    return "".join(
        each.encode("unicode_escape").decode() if unicodedata.category(each) in CONTROLS else each
        for each in text
    )


def marked(text: str, mark: str, colour: str | None) -> str:
    """Text in which the first occurrence of a part is coloured."""
    return text.replace(mark, click.style(mark, fg=colour), 1)


inputs_argument = click.argument(
    "inputs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="IN..."
)
pairs_option = click.option(
    "--pairs",
    type=click.Choice(["raw", "jpeg", "both"]),
    default="raw",
    help="of RAW+JPEG pairs (one name) in a folder, use the RAW (default), the JPEG or HEIC, "
    "or both",
)
distance_option = click.option(
    "--distance", type=float, metavar="M", help="distance of the subject in metres"
)
scribbles_option = click.option(
    "--scribbles", metavar="FILE.json", help="corrections of the blur map, drawn as strokes"
)
guide_depth_option = click.option(
    "--guide-depth", metavar="FILE|embedded",
    help="order and sign of the measured blur from this depth map, or from that in the input",
)  # fmt: skip
recipe_option = click.option(
    "--recipe",
    "recipe_from",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.toml",
    help="preset, parameters and corrections to start from",
)
protection_flags = (
    click.option(
        "--protect", type=click.Path(path_type=Path), metavar="MASK.png",
        help="white where it is to stay sharp; the outline comes from the picture",
    ),
    click.option("--subject", metavar="X,Y,W,H", help="a rectangle around what is to stay sharp"),
    click.option(
        "--protect-model", type=click.Path(path_type=Path), metavar="FILE",
        help="your own segmentation model (.onnx, .tflite): its mask stays sharp where the picture "
        "agrees",
    ),
    click.option("--protect-input", metavar="WxH", help="input size of the model (256x256)"),
    click.option("--protect-mean", metavar="M[,M,M]", help="subtracted from codes 0 to 255 (0)"),
    click.option("--protect-scale", metavar="S[,S,S]", help="then multiplied (1/255)"),
    click.option("--protect-channels", type=click.Choice(["rgb", "bgr"]), help="their order (rgb)"),
    click.option("--protect-class", type=click.IntRange(0), help="class of the subject"),
)  # fmt: skip
isolate_option = click.option(
    "--isolate", is_flag=True,
    help="read files in a process of its own with limits of memory and time, which may crash",
)  # fmt: skip
strength_option = click.option(
    "--strength", type=float, help="magnification of the defocus, 1 to 8 (default 2)"
)
force_option = click.option("--force", is_flag=True, help="go on after a blocking finding")
overwrite_option = click.option("--overwrite", is_flag=True, help="replace outputs that exist")
json_option = click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
quiet_option = click.option("-q", "--quiet", is_flag=True, help="print errors only")


def settings_options(command: F) -> F:
    """Add the options that choose settings."""
    options = [
        click.option("--preset", metavar="NAME", help="default, paper or direct"),
        click.option("--look", metavar="NAME", help="lens (faithful) or portrait (subject sharp)"),
        click.option(
            "--config",
            type=click.Path(path_type=Path, dir_okay=False),
            help="TOML settings: preset, look, and a table for every section",
        ),
        click.option(
            "--set",
            "overrides",
            multiple=True,
            metavar="SECTION.PARAM=VALUE",
            help="one parameter (see `camerapipe settings`)",
        ),
    ]
    return functools.reduce(lambda made, option: option(made), reversed(options), command)


def common_options(command: F) -> F:
    """Add the options that every command with inputs and settings has."""
    options = [
        settings_options,
        click.option("--max-pixels", type=click.IntRange(1), help="refuse larger captures"),
        click.option("--json", "as_json", is_flag=True, help="machine-readable result on stdout"),
        click.option("-q", "--quiet", is_flag=True, callback=_without_notes, help="errors only"),
        click.option("-v", "--verbose", is_flag=True, help="findings, table of stages, tracebacks"),
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


def failure_of(error: BaseException, name: str, *, verbose: bool) -> Failure:
    """The failure that explains an error; with `verbose`, the traceback is printed."""
    if verbose:
        traceback.print_exception(error)
    if isinstance(error, Failure):
        return error
    code = exit_code_of(error)
    hint = "" if verbose or code is not SOME_FAILED else "; run again with -v for the traceback"
    return Failure(explain(error, name) + hint, code)


def protection_options(command: F) -> F:
    """Add the options that say what is to stay sharp."""
    return functools.reduce(lambda made, option: option(made), reversed(protection_flags), command)


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
        raise RequestError(f"--focus: expected X,Y in pixels; got {text!r}") from None
    return x, y


def focus_in(text: str | None) -> tuple[tuple[float, float] | None, float | None]:
    """Read `--focus`: a point X,Y in pixels, or a distance in metres such as `1.5m`."""
    if text is None or not text.endswith("m"):
        return point(text), None
    try:
        return None, float(text.removesuffix("m"))
    except ValueError:
        raise RequestError(f"--focus: expected metres, as in 1.5m; got {text!r}") from None


def prepare(*, quiet: bool, long_running: bool = False, seldom: bool = False) -> None:
    """Set up the process and load the kernels; say so if they have to be compiled.

    Parameters
    ----------
    quiet : bool
        Say nothing.
    long_running : bool
        More than one shot is to be taken (see `runtime.configure`).
    seldom : bool
        Whether the kernels that most photographs do not need are included.
    """
    from camerapipe import runtime

    runtime.configure(long_running=long_running)

    def compiling() -> None:
        if not quiet:
            say("compiling kernels for this machine; only the first start takes this long")

    with progress("preparing kernels", quiet=quiet) as advance:
        runtime.warm_up(
            lambda name, done, total: advance(done, total, name), compiling, seldom=seldom
        )


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


def show_report(report: Report, *, parameters: bool = False) -> None:
    """Print what every stage did with its time, as a table on stderr."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    total = f"{report.used_ms:.0f} ms"
    budget = f", budget {report.budget_ms:.0f} ms" if report.budget_ms is not None else ""
    memory = f", peak memory {report.peak_mb:.0f} MB" if report.peak_mb is not None else ""
    name = escape(printable(report.capture))
    table = Table(title=f"{name}: {report.graph}, {total}{budget}{memory}", box=box.SIMPLE)
    table.add_column("stage")
    for heading in ("granted ms", "used ms", "steps", "residual"):
        table.add_column(heading, justify="right")
    table.add_column("caveats")
    if parameters:
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
        if parameters:
            row.append(" ".join(f"{k}={v}" for k, v in stage.params.items()))
        table.add_row(*row)
    console = Console(stderr=True, width=None if sys.stderr.isatty() else 160)
    console.print(table)
