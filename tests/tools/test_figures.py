"""The shared problems of benchmarks and figures."""

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
