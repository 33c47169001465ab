"""The quick run of tests: which tests mirror a file."""

from pathlib import Path

import pytest

KNOWN = [
    Path("tests/camerapipe/test_runner.py"),
    Path("tests/stages/test_bokeh_outline.py"),
    Path("tests/stages/test_bokeh_render.py"),
    Path("tests/stages/test_blur.py"),
    Path("tests/test_docs.py"),
]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("camerapipe/runner.py", [0]),
        ("stages/bokeh/outline.py", [1]),
        ("stages/bokeh/__init__.py", [1, 2]),
        ("stages/bokeh/cells.py", [1, 2]),
        ("stages/blur/edges.py", [3]),
        ("tests/test_docs.py", [4]),
        ("tests/conftest.py", []),
        ("stages/runner.py", []),
        ("README.md", []),
    ],
)
def test_a_file_has_the_tests_with_the_longest_name_that_begins_like_its_own(tool, path, expected):
    assert tool("quick").tests_of(Path(path), KNOWN) == [KNOWN[k] for k in expected]
