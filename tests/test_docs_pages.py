"""The pages of docs/: reachable, with commands, names and examples that exist, and they build."""

import importlib.util
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import click
import pytest

import camerapipe
from camerapipe.cli import COMMANDS, cli

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
REFERENCE = DOCS / "reference"
TOCTREE = re.compile(r"```\{toctree\}\n(.*?)```", re.DOTALL)


def name_of(page):
    return str(page.relative_to(DOCS))


def blocks(page, language):
    found = re.findall(
        rf"^( *)```{language}\n(.*?)^ *```", page.read_text(), re.DOTALL | re.MULTILINE
    )
    return [textwrap.dedent(block) for _, block in found]


def command_lines(page):
    for block in blocks(page, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            if line.split("#")[0].strip():
                yield line.split("#")[0].strip()


def children(page):
    for tree in TOCTREE.findall(page.read_text()):
        for line in tree.splitlines():
            if line.strip() and not line.startswith(":"):
                yield (page.parent / f"{line.strip()}.md").resolve()


def test_every_page_is_reached_from_the_index():
    reached, waiting = set(), [DOCS / "index.md"]
    while waiting:
        page = waiting.pop()
        assert page.is_file(), page
        if page not in reached:
            reached.add(page)
            waiting.extend(children(page))
    assert reached == set(PAGES)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s:]+)(?:#[\w-]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_exist(page):
    """Those of the command line with their options, those of the tools, and targets of make."""
    makefile = (ROOT / "Makefile").read_text()
    for line in command_lines(page):
        words = line.split()
        if words[0] == "camerapipe":
            command = cli.get_command(click.Context(cli), words[1])
            assert command is not None, line
            known = {o for each in command.params for o in (*each.opts, *each.secondary_opts)}
            options = {word.partition("=")[0] for word in words[2:] if re.match("-.", word)}
            assert options <= known | {"--help"}, line
        elif words[0] == "make":
            assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), line
        elif words[:2] == ["python", "-m"]:
            assert (ROOT / f"{words[2].replace('.', '/')}.py").is_file(), line
        elif words[0] == "python":
            assert (ROOT / words[1]).is_file(), line
        else:
            assert words[:2] in (["pip", "install"], ["pre-commit", "install"]), line


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_extras_that_are_installed_exist(page):
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    for line in command_lines(page):
        for names in re.findall(r"\.\[([\w,]+)\]", line):
            assert set(names.split(",")) <= set(extras), line


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_tools_and_files_that_are_named_exist(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for name in re.findall(
        r"`((?:python )?(?:stages|camerapipe|tools|tests|datasets)/[^`\n]+)`", text
    ):
        path = name.removeprefix("python ").split()[0]
        assert (ROOT / path).exists(), name


def test_the_tour_has_every_command():
    tour = command_lines(DOCS / "guides" / "tour.md")
    assert {line.split()[1] for line in tour if line.startswith("camerapipe")} == set(COMMANDS)


def test_the_reference_has_every_public_name_once():
    text = (REFERENCE / "api.md").read_text()
    named = re.findall(r"^\.\. auto\w+:: camerapipe\.(\w+)$", text, re.MULTILINE)
    assert sorted(named) == sorted(camerapipe.__all__)


def test_the_reference_has_every_command_once():
    text = (REFERENCE / "command-line.md").read_text()
    assert re.findall(r"^```\{command\} (\w+)$", text, re.MULTILINE) == list(COMMANDS)


def test_the_reference_has_every_room_of_the_stages():
    text = (REFERENCE / "rooms.md").read_text()
    named = set(re.findall(r"^\.\. automodule:: ([\w.]+)$", text, re.MULTILINE))
    rooms = {f"stages.{p.parent.name}" for p in (ROOT / "stages").glob("*/__init__.py")}
    assert named >= rooms


def findings_table():
    spec = importlib.util.spec_from_file_location("rows", DOCS / "_ext" / "findings_table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pictures_of_the_gallery_are_made_by_its_tool():
    made = (ROOT / "tools" / "gallery.py").read_text()
    names = re.findall(r'^    "([\w-]+)": Example', made, re.MULTILINE)
    text = (DOCS / "gallery.md").read_text()
    assert names and re.findall(r"!\[[^\]]*\]\(images/gallery-([\w-]+)\.jpg", text) == names
    assert {p.stem for p in (DOCS / "images").glob("gallery-*")} == {f"gallery-{n}" for n in names}


def test_findings_are_read_from_the_code():
    rows = findings_table().findings()
    by_code = {row.code: row for row in rows}
    assert by_code["too_dark_or_noisy"].severity == "blocking"
    assert by_code["shaken"].severity == "blocking or warning"
    assert by_code["defocus_weak"].message.startswith("Only slight background blur (sigma ... px")
    assert by_code["converted_to_srgb"].message.startswith("The colours are converted to sRGB")
    assert {"hyperfocal", "sound_dropped", "hdr_left_out", "coding_ignored"} <= set(by_code)


@pytest.mark.parametrize(
    "page", [DOCS / "paper" / "symbols.md", *DOCS.glob("explanation/*.md")], ids=name_of
)
def test_names_of_formulas_are_in_their_files(page):
    """In a table with a column `file`, the names of a row occur in the file of the row."""
    rows = 0
    for line in page.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        files = [cell for cell in cells if re.fullmatch(r"`[\w/]+\.py`", cell)]
        if not (line.startswith("|") and len(files) == 1):
            continue
        text, rows = (ROOT / files[0].strip("`")).read_text(), rows + 1
        for name in re.findall(r"`(\w+)`", line.replace(files[0], "")):
            assert re.search(rf"\b{name}\b", text), f"{name} is not in {files[0]}"
    assert rows or page.stem in ("index", "method")


def test_the_pages_build_without_warnings(tmp_path):
    for needed in ("sphinx", "pydata_sphinx_theme", "numpydoc", "myst_parser", "latex2mathml"):
        pytest.importorskip(needed, reason="the extra `docs` is absent")
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--quiet", "docs"]
    built = subprocess.run([*command, str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    page = (tmp_path / "reference" / "findings.html").read_text()
    assert "too_few_edges" in page and "--strict-budget" in page
    assert "<math" in (tmp_path / "paper" / "symbols.html").read_text()
    outside = re.findall(r'(?:src|href)="(?:https?:)?//[^"]+"', page)
    assert not [each for each in outside if "src=" in each or ".css" in each]
