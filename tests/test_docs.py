"""The README and the page about the architecture: their form, and that what they name exists."""

import re
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def test_the_readme_is_short_and_has_its_tables_elsewhere():
    assert len(README.splitlines()) <= 120
    assert "<!--" not in README


def test_the_first_screen_has_both_commands():
    first_screen = "\n".join(README.splitlines()[:40])
    assert "make demo" in first_screen and "make test" in first_screen


def test_pictures_of_the_readme_exist():
    for target in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README):
        assert (ROOT / target).is_file(), target


def test_the_first_picture_is_large_enough_to_judge_an_outline():
    first = re.search(r"!\[[^\]]*\]\(([^)]+)\)", README)[1]
    with Image.open(ROOT / first) as picture:
        assert picture.width >= 1200 and picture.height >= 800


def test_links_of_the_readme_lead_somewhere():
    for target in re.findall(r"\]\(([^)#:]+)(?:#[\w-]*)?\)", README):
        assert (ROOT / target).exists(), target


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
