"""What the README says is true."""

import importlib.util
import re
import textwrap
from pathlib import Path

import click
import pytest
from PIL import Image

from camerapipe.cli import COMMANDS, cli
from camerapipe.presets import PRESETS

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


@pytest.mark.parametrize("name", [*PRESETS, "check", "pass-through"])
def test_names_are_explained(name):
    assert f"`{name}`" in README


def test_pictures_of_the_readme_exist():
    for target in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README):
        assert (ROOT / target).is_file(), target


def test_the_changelog_knows_the_version():
    import camerapipe

    assert f"## {camerapipe.__version__}" in (ROOT / "CHANGELOG.md").read_text()
    assert f'version = "{camerapipe.__version__}"' in (ROOT / "pyproject.toml").read_text()


ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()


def test_the_drawing_of_the_house_shows_rooms_that_exist():
    drawing = ARCHITECTURE.split("```")[1]
    rooms = set(re.findall(r"\b([a-z_]+)\.py\b", drawing))
    assert len(rooms) > 10
    for room in rooms:
        assert list((ROOT / "camerapipe").rglob(f"{room}.py")), room
    for folder in re.findall(r"\b([a-z_]+)/", drawing):
        assert any((ROOT / top / folder).is_dir() for top in (".", "camerapipe", "stages")), folder


def test_files_that_the_architecture_names_exist():
    named = set(
        re.findall(r"`((?:stages|camerapipe|tests|tools|stream)/[a-z_/]+\.\w+)`", ARCHITECTURE)
    )
    assert len(named) > 4
    for name in named:
        assert (ROOT / name).is_file() or (ROOT / "camerapipe" / name).is_file(), name


def test_examples_of_the_architecture_run(tmp_path, monkeypatch):
    """A block of Python runs on a photograph of its name; what it adds is taken back."""
    from camerapipe.presets import PRESETS

    cat = pytest.importorskip("skimage.data").chelsea()
    Image.fromarray(cat[:200, :260]).save(tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    before = set(PRESETS)
    blocks = re.findall(r"```python\n(.*?)```", ARCHITECTURE, re.DOTALL)
    try:
        for block in blocks:
            exec(compile(textwrap.dedent(block), "architecture.md", "exec"), {})
    finally:
        for added in set(PRESETS) - before:
            del PRESETS[added]
    assert blocks
