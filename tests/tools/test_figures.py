"""The shared problems of benchmarks and figures."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture
def problems(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    import problems

    yield problems
    sys.modules.pop("problems")


def reproduce(folder, *arguments, **environment):
    """Run the tool as a person does, in a folder of theirs; gives the finished process."""
    without = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, str(TOOLS / "reproduce.py"), *map(str, arguments)]
    known = {"CAMERAPIPE_DATA": str(folder), "XDG_CACHE_HOME": str(folder)}
    return subprocess.run(
        command, cwd=folder, env=without | known | environment, capture_output=True, text=True
    )


def test_figures_are_made_in_any_folder_without_data(tmp_path):
    pytest.importorskip("matplotlib")
    small = ("--megapixels", 0.005, "--photographs", 1, "--repeats", 1)
    done = reproduce(tmp_path, "fig5", "fig6", "fig7", "quarter", *small)
    assert done.returncode == 0, done.stderr
    made = {path.name for path in (tmp_path / "figures").iterdir()}
    assert {"fig7_ball.png"} < made
    for figure in ("fig5_", "fig6_", "quarter_"):
        (path,) = (tmp_path / "figures").glob(f"{figure}*.png")
        assert cv2.imread(str(path)).std() > 10
    for name in made:
        assert name.endswith(".txt") or name in done.stdout


def test_what_is_missing_is_named_before_measuring(tmp_path):
    done = reproduce(tmp_path, "fig6", "--repeats", 0)
    assert done.returncode == 2 and "must be positive" in done.stderr
    hidden = "import importlib.util, runpy, sys\n"
    hidden += "real = importlib.util.find_spec\n"
    hidden += "importlib.util.find_spec = lambda n: None if n == 'matplotlib' else real(n)\n"
    hidden += f"sys.path.insert(0, {str(TOOLS)!r}); sys.argv = ['reproduce.py', 'fig5', 'fig6']\n"
    hidden += f"runpy.run_path({str(TOOLS / 'reproduce.py')!r}, run_name='__main__')\n"
    done = subprocess.run(
        [sys.executable, "-c", hidden], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2 and not (tmp_path / "figures").exists()
    assert "fig6 needs matplotlib: python -m pip install matplotlib" in done.stderr


def test_photographs_that_are_too_few_are_followed_by_a_made_one(problems, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = problems.pictures(tmp_path, 0.005, 9)
    assert list(found)[-1] == problems.MADE
    for name, picture in found.items():
        assert picture.shape[0] % 8 == picture.shape[1] % 8 == 0 and picture.ndim == 3, name
    assert len(problems.pictures(tmp_path, 0.005, 1)) == 1


def edge(sigma):
    step = np.where(np.arange(160) < 80, 0.2, 0.8) * np.ones((120, 160))
    blurred = cv2.GaussianBlur(step, (0, 0), sigma)
    return np.repeat(blurred[..., None], 3, axis=2).astype(np.float32)


def test_constraints_follow_equation_1(problems):
    for sigma in (1.0, 2.0, 3.0):
        sparse = problems.paper_constraints(edge(sigma))
        found = sparse.sigma[sparse.confidence > 0]
        assert found.size >= 100 and set(np.unique(sparse.confidence)) == {0.0, 1.0}
        assert np.median(found) == pytest.approx(np.hypot(sigma, 0.345**0.5), rel=0.1)
    assert problems.paper_constraints(edge(9.0)).sigma.max() <= 5


def test_a_problem_sums_its_data(problems):
    given = problems.problem(edge(1.5), 2)
    assert given.guide.shape == (60, 80, 3)
    assert given.constraints.confidence.sum() == given.sparse.confidence.sum() > 0
