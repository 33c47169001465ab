"""Pictures spoilt on purpose: tracks of shaken ones have the length and direction they claim."""

import numpy as np
import pytest

from datasets.lines import picture_of_lines


def moments(kernel):
    y, x = np.indices(kernel.shape) - kernel.shape[0] // 2
    covariance = [[(kernel * a * b).sum() for b in (x, y)] for a in (x, y)]
    return (kernel * x).sum(), (kernel * y).sum(), np.linalg.eigh(covariance)


@pytest.mark.parametrize("length", [4.0, 15.0, 40.0])
@pytest.mark.parametrize("angle", [0.0, 0.6, 2.0])
def test_a_straight_track_is_a_line(tool, length, angle):
    kernel = tool("measures.spoiling").track(length, angle, 0.0)
    x, y, (values, vectors) = moments(kernel)
    assert kernel.sum() == pytest.approx(1) and kernel.min() >= 0
    assert abs(x) < 0.05 and abs(y) < 0.05
    # a line of length L has variance L^2 / 12 along itself; sampling adds up to 1/4 px^2
    assert values[1] == pytest.approx(length**2 / 12, abs=0.3) and values[0] < 0.3
    assert abs(np.dot(vectors[:, 1], [np.cos(angle), np.sin(angle)])) > 0.99


def test_a_bent_track_is_wider_and_not_longer(tool):
    straight, bent = (
        moments(tool("measures.spoiling").track(25.0, 0.3, bend))[2][0] for bend in (0.0, 1.0)
    )
    assert bent[1] < straight[1] and bent[0] > 2 * straight[0]


@pytest.mark.parametrize("name", ["gaussian", "disk"])
@pytest.mark.parametrize("sigma", [1.0, 2.0, 4.0])
def test_kernels_have_the_blur_that_they_claim(tool, name, sigma):
    kernel = getattr(tool("measures.spoiling"), name)(sigma)
    x, y, (values, _) = moments(kernel)
    assert kernel.sum() == pytest.approx(1, abs=1e-5) and abs(x) + abs(y) < 1e-4
    assert np.sqrt(values) == pytest.approx([sigma, sigma], rel=0.09)


def test_an_image_circle_is_black_outside_and_the_picture_within(tool):
    spoiling = tool("measures.spoiling")
    codes = spoiling.image_circle(np.full((90, 160, 3), 0.5, np.float32), 0.5, 0.02)
    away = np.hypot(*(np.indices((90, 160)) - np.reshape([44.5, 79.5], (2, 1, 1))))
    half = np.hypot(90, 160) / 2
    assert codes[away > 0.6 * half].max() < 16
    assert np.abs(codes[away < 0.4 * half].astype(int) - 128).max() < 8


class Nothing:
    """A data folder without pictures."""

    def __init__(self):
        self.missing = []

    def picture(self, name):
        self.missing.append(name)


def test_without_pictures_the_kinds_from_nothing_remain_and_the_rest_is_missing(tool):
    check_cases, context = tool("measures.check_cases"), Nothing()
    found = list(check_cases.cases(context))
    lines = [case for case in found if case.kind == "lines"]
    assert len(lines) >= 10 and {case.half for case in lines} == {"choosing", "reporting"}
    assert lines[0].make().shape == (720, 1280, 3)
    assert "labels.json" in context.missing and len(context.missing) > 20
    assert "blur_gt/masks/dut_1.jpg" in context.missing


def test_all_cases_of_a_picture_belong_to_one_half(tool):
    halves = {}
    for case in tool("measures.check_cases").cases(Nothing()):
        halves.setdefault((case.kind.startswith("lines"), case.name), set()).add(case.half)
    assert all(len(each) == 1 for each in halves.values())


@pytest.mark.parametrize("name", ["road", "blinds", "poles"])
def test_straight_lines_in_a_stream_are_in_focus(name, tool):
    """Weak texture of the ground, shading within slats, and round poles."""
    assert tool("subjects.check").live_verdict(picture_of_lines(name)) == "everything_in_focus"
