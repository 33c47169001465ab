"""The pages about the paper name files, parameters and commands that exist."""

import re
from pathlib import Path

import pytest

from camerapipe.presets import PRESETS, SECTIONS

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs" / "paper").glob("*.md"))
PAPER = PRESETS["paper"].params


def quoted(page):
    return re.findall(r"`([^`\n]+)`", page.read_text())


def test_there_are_pages():
    assert {page.stem for page in PAGES} >= {"parity", "factor-4", "relatives"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_files_and_parameters_exist(page):
    for name in quoted(page):
        if re.fullmatch(r"(stages|camerapipe|datasets|tools|tests)/[\w/.-]+", name):
            assert (ROOT / name).exists(), name
        elif re.fullmatch(r"[a-z]+\.[a-z_]+", name) and name.split(".")[0] in SECTIONS:
            section, parameter = name.split(".")
            assert parameter in SECTIONS[section].__dataclass_fields__, name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([\w./-]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_figures_that_are_asked_for_exist(page):
    reproduce = (ROOT / "tools" / "reproduce.py").read_text()
    known = set(
        re.search(r"FIGURES = \((.*?)\)", reproduce, re.DOTALL)[1].replace('"', "").split(", ")
    )
    for line in re.findall(r"tools/reproduce\.py ([\w ]+)", page.read_text()):
        assert set(line.split()) <= known, line


def test_numbers_of_the_paper_are_those_of_the_preset():
    """Every parameter that the paper prints: 3, 7 x 7, 0.001, 0.1, 21 x 21, 0.01."""
    assert PAPER["blur"]["coarse_scale_px"] == 3 and not PAPER["blur"]["exact"]
    assert PAPER["laplacian"] == {"window_radius": 3, "epsilon": 0.001}
    assert PAPER["propagate"]["data_weight"] == 0.1 and PAPER["propagate"]["iterations"] == 500
    assert PAPER["upsample"] == {"method": "masked", "window_radius_px": 10, "epsilon": 0.01}
