"""Lights out of focus overrule a verdict without defocus."""

import numpy as np
import pytest

from stages.blur import Balls
from stages.capture_check import CheckParams, judge_lights
from stages.findings import Finding, Severity
from stages.grid import Grid

GRID = Grid.cells((600, 800), 2)
NEUTRAL = Finding("everything_in_focus", Severity.WARNING, "")
OTHER = Finding("optics_unknown", Severity.INFO, "")


def balls(radius, clipped=True):
    radius = np.asarray(radius, np.float32)
    places = np.zeros((len(radius), 2), np.float32)
    return Balls(places, radius, np.full(len(radius), clipped))


def codes(found, code="everything_in_focus"):
    verdict = Finding(code, Severity.WARNING, "")
    return [each.code for each in judge_lights((verdict, OTHER), found, GRID, CheckParams())]


def test_several_lights_of_one_size_are_defocus():
    found = judge_lights((NEUTRAL, OTHER), balls([20, 21, 22, 23, 24]), GRID, CheckParams())
    assert [each.code for each in found] == ["defocus_present", "optics_unknown"]
    assert found[0].value == 11.0 and "5 disks" in found[0].message


@pytest.mark.parametrize(
    "found",
    [
        balls([]),
        balls([20] * 4),  # too few
        balls([8] * 9),  # too small: 4 px of the view
        balls([10, 20, 40, 80, 160]),  # of all sizes
        balls([20] * 9, clipped=False),
    ],
)
def test_other_disks_are_no_evidence(found):
    assert codes(found)[0] == "everything_in_focus"


def test_other_verdicts_stay():
    assert codes(balls([20] * 9), "shaken")[0] == "shaken"
    assert codes(balls([20] * 9), "defocus_weak")[0] == "defocus_present"
