"""Hints name packages that any index has, with the bounds of pyproject.toml."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from camerapipe.extras import EXTRAS, install

ROOT = Path(__file__).resolve().parents[2]
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
FOR_DEVELOPERS = {"test", "dev", "docs"}


def packages(extra):
    """Packages of an extra, those of extras that it contains included."""
    for requirement in DECLARED[extra]:
        if inner := re.fullmatch(r"camerapipe\[(.+)\]", requirement):
            for name in inner[1].split(","):
                yield from packages(name)
        else:
            yield requirement


def test_every_extra_is_known():
    assert set(EXTRAS) == set(DECLARED) - FOR_DEVELOPERS


@pytest.mark.parametrize("extra", EXTRAS)
def test_packages_are_those_of_the_project(extra):
    assert sorted(EXTRAS[extra]) == sorted(packages(extra))
    assert shlex.split(install(extra)) == ["python", "-m", "pip", "install", *EXTRAS[extra]]


def test_no_hint_names_an_index_that_need_not_have_this_package():
    sources = [p for part in ("camerapipe", "stages", "tools", "datasets") for p in
               (ROOT / part).rglob("*.py")]  # fmt: skip
    found = [str(p.relative_to(ROOT)) for p in sources if re.search(r"camerapipe\[", p.read_text())]
    assert not found
