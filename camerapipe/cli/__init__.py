"""The command line. A command lives in the module of its name, which is imported to run it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from importlib import import_module
from typing import Any

import click

from camerapipe.version import __version__

COMMANDS = {  # name of a command and of its module: what it does
    "render": "Turn captures into shallow depth-of-field pictures.",
    "batch": "Render many files, several at a time, with a journal.",
    "watch": "Render the photographs that come into a folder.",
    "map": "Estimate the blur maps of captures.",
    "check": "Say whether captures have defocus to magnify.",
    "optics": "Hyperfocal distance, depth of field, blur of the background.",
    "stream": "Stream frames from a folder, a video, a camera or a synthetic scene.",
    "serve": "Open the studio and the viewfinder in the browser.",
    "simulate": "Run a simulated camera before a scene: lens, sensor, 3A, captures.",
    "report": "Show the trace of a stream as a page.",
    "settings": "Show every parameter, its value, and who set it.",
    "graph": "Show the stage graphs.",
    "demo": "Render a photograph and a portrait at night that need no files.",
    "doctor": "Show versions, threads, limits, caches; compile the kernels.",
}


class LazyGroup(click.Group):
    """A group that lists its commands by name, and imports only the one that is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import the module of a command."""
        if name not in COMMANDS:
            return None
        module = import_module(f"camerapipe.cli.{name}")
        return getattr(module, f"{name}_command")  # type: ignore[no-any-return]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 all well, 1 some inputs failed, 2 usage, 3 input unreadable, 4 a limit "
    "was hit, 5 output not written, 6 budget missed (--strict-budget), 7 check negative "
    "(--strict-check), 130 interrupted, 143 terminated.",
)
@click.version_option(__version__, prog_name="camerapipe")
def cli() -> None:
    """Shallow depth-of-field photographs from the defocus that a capture already has."""


def main(args: list[str] | None = None) -> None:
    """Run the command line and exit with the code that says how it went."""
    warnings.showwarning = _show_warning
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminated)
    try:
        code: Any = cli.main(args=args, standalone_mode=False)
    except click.UsageError as error:
        error.show()
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("camerapipe: interrupted; no partial output was left", err=True)
        code = 130
    except BrokenPipeError:  # nobody reads stdout any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except Exception as error:
        from camerapipe.cli.common import failure_of

        failure = failure_of(error, "camerapipe", verbose="-v" in sys.argv)
        failure.show()
        code = failure.exit_code
    sys.exit(code or 0)


def _terminated(*_: Any) -> None:
    """Exit through the `finally` clauses, which remove temporary files."""
    sys.exit(128 + signal.SIGTERM)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    from camerapipe.cli.common import say

    say(f"note: {message}")
