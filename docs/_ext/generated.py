"""The directives `generated` (a table that follows from the code) and `command` (its help)."""

from collections.abc import Callable
from typing import Any, ClassVar

import click
from code_tables import TABLES
from docutils import nodes
from docutils.statemachine import StringList
from findings_table import findings_table
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from camerapipe.cli import cli
from camerapipe.errors import ExitCode

EXIT_CODES = {
    ExitCode.OK: "all well",
    ExitCode.FAILED: "some inputs failed; the others have their outputs",
    ExitCode.USAGE: "usage: an option or a value that does not exist or does not fit",
    ExitCode.UNREADABLE: "an input that cannot be read, or of a kind that is not supported",
    ExitCode.LIMIT: "a limit was hit: pixels or memory",
    ExitCode.UNWRITTEN: "an output was not written; nothing was left under its name",
    ExitCode.LATE: "a budget was missed (`--strict-budget`)",
    ExitCode.NEGATIVE: "the check was negative (`--strict-check`)",
}
SIGNALS = {130: "interrupted (Ctrl-C)", 143: "told to end (SIGTERM)"}


def exit_code_table() -> str:
    """The exit codes of the command line."""
    codes = {int(code): EXIT_CODES[code] for code in ExitCode} | SIGNALS
    rows = "\n".join(f"| {code} | {meaning} |" for code, meaning in codes.items())
    return f"| exit code | meaning |\n|---|---|\n{rows}"


def tables() -> dict[str, Callable[[], str]]:
    """Name of every table, and what makes it."""
    return {**TABLES, "findings": findings_table, "exit-codes": exit_code_table}


def help_of(name: str) -> str:
    """What `camerapipe NAME --help` prints."""
    command = cli.get_command(click.Context(cli), name)
    if command is None:
        raise LookupError(f"there is no command {name!r}")
    context = click.Context(
        command,
        info_name=f"camerapipe {name}",
        terminal_width=100,
        help_option_names=["-h", "--help"],
    )
    return command.get_help(context)


class Generated(SphinxDirective):
    """A table, parsed as Markdown."""

    required_arguments: ClassVar[int] = 1

    def run(self) -> list[nodes.Node]:
        """Parse the table of that name."""
        text = tables()[self.arguments[0]]()
        holder = nodes.container()
        self.state.nested_parse(StringList(text.splitlines()), self.content_offset, holder)
        return list(holder.children)


class CommandHelp(SphinxDirective):
    """The help of a command, as it is printed."""

    required_arguments: ClassVar[int] = 1

    def run(self) -> list[nodes.Node]:
        """Show the help of the command of that name."""
        text = help_of(self.arguments[0])
        return [nodes.literal_block(text, text, language="none")]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    app.add_directive("generated", Generated)
    app.add_directive("command", CommandHelp)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
