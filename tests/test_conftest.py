"""What the suite says of itself at the end of a run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import pytest

@pytest.mark.parametrize("number", range(3))
def test_needs_data(shared_data, number):
    assert shared_data.is_dir()

def test_is_skipped_for_another_reason():
    pytest.skip("another reason")
"""


def last_lines(project):
    """Output of the suite of a small project whose conftest is ours."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(project / "tests")],
        cwd=project, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project" / "tests"
    folder.mkdir(parents=True)
    (folder.parent / "pytest.ini").write_text("[pytest]\n")
    shutil.copy(Path(__file__).parent / "conftest.py", folder)
    (folder / "test_small.py").write_text(TESTS)
    return folder.parent


def test_one_line_says_how_many_tests_had_no_data(project):
    said = last_lines(project)
    place = project.parent / "shared" / "data"
    assert said.count("no folder of real captures") == 1
    assert f"3 tests were skipped: no folder of real captures at {place}" in said


def test_nothing_is_said_where_the_data_are(project):
    (project.parent / "shared" / "data").mkdir(parents=True)
    assert "no folder" not in last_lines(project)
