"""The shared problems and plots of benchmarks and figures."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture
def tools(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    import plots
    import problems

    yield problems, plots
    for name in ("plots", "problems"):
        sys.modules.pop(name)


def edge(sigma):
    step = np.where(np.arange(160) < 80, 0.2, 0.8) * np.ones((120, 160))
    blurred = cv2.GaussianBlur(step, (0, 0), sigma)
    return np.repeat(blurred[..., None], 3, axis=2).astype(np.float32)


def test_constraints_follow_equation_1(tools):
    problems, _ = tools
    for sigma in (1.0, 2.0, 3.0):
        sparse = problems.paper_constraints(edge(sigma))
        found = sparse.sigma[sparse.confidence > 0]
        assert found.size >= 100 and set(np.unique(sparse.confidence)) == {0.0, 1.0}
        assert np.median(found) == pytest.approx(np.hypot(sigma, 0.345**0.5), rel=0.1)
    assert problems.paper_constraints(edge(9.0)).sigma.max() <= 5


def test_a_problem_sums_its_data(tools):
    problems, _ = tools
    given = problems.problem(edge(1.5), 2)
    assert given.guide.shape == (60, 80, 3)
    assert given.constraints.confidence.sum() == given.sparse.confidence.sum() > 0


def test_a_plot_shows_every_curve(tools, tmp_path):
    _, plots = tools
    curves = {"one": [(1e-3, 2.0), (1e-1, 1e-4)], "two": [(1.0, 3e-2), (30.0, 1e-3)]}
    plots.log_plot(tmp_path / "plot.png", "title", ("x", "y"), curves)
    drawn = cv2.imread(str(tmp_path / "plot.png"))
    for colour in plots.COLOURS[:2]:
        assert (np.abs(drawn.astype(int) - colour).max(axis=2) == 0).sum() > 200
    assert not (drawn == plots.COLOURS[2]).all(axis=2).any()
