"""`--help` answers at once: no command imports a heavy library before it runs."""

import subprocess
import sys

import pytest

from camerapipe.cli import COMMANDS

HELP = """
import sys
from camerapipe.cli import main
for command in {commands}:
    try:
        main([command, "--help"] if command else ["--help"])
    except SystemExit as left:
        assert left.code == 0, command
    loaded = {{name.partition(".")[0] for name in sys.modules}}
    print("loaded:", command or "camerapipe", *sorted(loaded & {{{heavy}}}))
"""
HEAVY = ("numpy", "cv2", "numba", "scipy", "PIL", "rawpy", "tifffile", "rich")


@pytest.fixture(scope="module")
def loaded():
    """Heavy libraries that are loaded after the help of each command; all in one process."""
    heavy = ", ".join(map(repr, HEAVY))
    code = HELP.format(commands=["", *COMMANDS], heavy=heavy)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("loaded:")]
    assert len(lines) == 1 + len(COMMANDS) and done.stdout.count("Usage:") == len(lines)
    return {command: set(found) for _, command, *found in lines}


@pytest.mark.parametrize("command", ["camerapipe", *COMMANDS])
def test_help_loads_no_heavy_library(command, loaded):
    assert loaded[command] == set()
