"""Pictures spoilt on purpose: tracks of shaken ones have the length and direction they claim."""

import sys
from pathlib import Path

import numpy as np
import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture
def subject(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    from subjects import check

    yield check
    for name in ("subjects.check", "subjects"):
        sys.modules.pop(name)


def moments(kernel):
    y, x = np.indices(kernel.shape) - kernel.shape[0] // 2
    covariance = [[(kernel * a * b).sum() for b in (x, y)] for a in (x, y)]
    return (kernel * x).sum(), (kernel * y).sum(), np.linalg.eigh(covariance)


@pytest.mark.parametrize("length", [4.0, 15.0, 40.0])
@pytest.mark.parametrize("angle", [0.0, 0.6, 2.0])
def test_a_straight_track_is_a_line(subject, length, angle):
    kernel = subject._track(length, angle, 0.0)
    x, y, (values, vectors) = moments(kernel)
    assert kernel.sum() == pytest.approx(1) and kernel.min() >= 0
    assert abs(x) < 0.05 and abs(y) < 0.05
    # a line of length L has variance L^2 / 12 along itself; sampling adds up to 1/4 px^2
    assert values[1] == pytest.approx(length**2 / 12, abs=0.3) and values[0] < 0.3
    assert abs(np.dot(vectors[:, 1], [np.cos(angle), np.sin(angle)])) > 0.99


def test_a_bent_track_is_wider_and_not_longer(subject):
    straight, bent = (moments(subject._track(25.0, 0.3, bend))[2][0] for bend in (0.0, 1.0))
    assert bent[1] < straight[1] and bent[0] > 2 * straight[0]
