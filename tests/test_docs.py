"""What the README says is true."""

import importlib.util
import re
from pathlib import Path

import click
import pytest

from camerapipe.cli import COMMANDS, cli
from camerapipe.presets import PRESETS, graphs

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def test_tables_follow_from_the_code():
    spec = importlib.util.spec_from_file_location("readme", ROOT / "tools" / "readme.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.written(README) == README, "run `python tools/readme.py`"


def test_the_first_screen_has_both_commands():
    first_screen = "\n".join(README.splitlines()[:40])
    assert "make demo" in first_screen and "make test" in first_screen


def command_lines():
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL):
        yield from (line for line in block.replace("\\\n", " ").splitlines() if line.strip())


def test_every_command_line_of_the_readme_exists():
    seen = set()
    for line in command_lines():
        words = line.split("#")[0].split()
        if words[0] != "camerapipe":
            continue
        command = cli.get_command(click.Context(cli), words[1])
        assert command is not None, line
        known = {opt for param in command.params for opt in (*param.opts, *param.secondary_opts)}
        for word in words[2:]:
            if word.startswith("-") and word != "-":
                assert word.partition("=")[0] in known | {"--help"}, f"{line}: {word}"
        seen.add(words[1])
    assert seen == set(COMMANDS)


@pytest.mark.parametrize("name", [*PRESETS, *(set(graphs()) & {"check", "from-map"})])
def test_names_are_explained(name):
    assert f"`{name}`" in README


def test_pictures_of_the_readme_exist():
    for target in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README):
        assert (ROOT / target).is_file(), target


def test_the_changelog_knows_the_version():
    import camerapipe

    assert f"## {camerapipe.__version__}" in (ROOT / "CHANGELOG.md").read_text()
    assert f'version = "{camerapipe.__version__}"' in (ROOT / "pyproject.toml").read_text()
