"""Protection: upper bounds inside, as far as the edges around agree."""

import numpy as np
import pytest

from stages.grid import BlurMap, Grid
from stages.protection import Protection, ProtectionParams, Rectangle, hold_bounds, weigh_protection

SHAPE = (120, 160)
GRID = Grid(SHAPE)
PARAMS = ProtectionParams(outline_px=6, window_px=8)
LEFT = np.zeros(SHAPE, np.float32)
LEFT[20:100, 10:90] = 1


def plane(value=0.0):
    return np.full(SHAPE, value, np.float32)


def edges(sigma):
    """Edges on every fourth column, of one blur or of one on each half."""
    confidence = plane()
    confidence[:, ::4] = 1
    return BlurMap(np.broadcast_to(np.float32(sigma), SHAPE) * confidence, confidence, GRID)


NO_EVIDENCE = BlurMap(plane(), plane(), GRID)
SHARP, BLURRED = edges(0.4), edges(4.0)
HALVES = edges(np.where(np.arange(160) < 80, 0.4, 4.0))


def weighed(protection, data=SHARP, evidence=NO_EVIDENCE):
    return weigh_protection(protection, data, evidence, PARAMS)


def test_nothing_given_changes_nothing():
    found = weighed(Protection())
    assert found.bounds is None and found.contradictions == ()
    assert hold_bounds(NO_EVIDENCE, found) is NO_EVIDENCE


def test_a_mask_bounds_inside_with_a_ramp_at_its_border():
    bounds = weighed(Protection(mask=LEFT)).bounds
    assert (bounds.confidence[LEFT == 0] == 0).all() and bounds.confidence[60, 50] == 1
    assert 0 < bounds.confidence[60, 12] < 0.6
    assert (bounds.sigma[bounds.confidence > 0] == np.float32(PARAMS.sharp_px)).all()
    whole = weighed(Protection(mask=plane(1))).bounds
    assert whole.confidence.min() == 1  # the border of the picture is no outline


@pytest.mark.parametrize("data, share", [(SHARP, 0), (BLURRED, 1)])
def test_what_edges_say_of_each_source(data, share):
    rectangle = Rectangle(10, 20, 80, 80)
    found = weighed(Protection(LEFT, rectangle, LEFT), data)
    assert [each.source for each in found.contradictions] == ["mask", "rectangle", "model"]
    for each in found.contradictions:
        assert each.share == pytest.approx(share, abs=0.02)
        assert each.sigma_px == pytest.approx(4.0 if share else 0.0)
    assert found.bounds.confidence[60, 50] == 1  # the mask holds in any case


def test_a_rectangle_keeps_only_what_is_not_blurred():
    found = weighed(Protection(rectangle=Rectangle(20, 10, 120, 100)), HALVES)
    held = found.bounds.confidence
    assert held[60, 50] == pytest.approx(PARAMS.unsure) and held[60, 110] < 0.02
    assert held[11, 21] < 0.05  # a corner
    assert found.contradictions[0].share == pytest.approx(0.5, abs=0.1)


def test_a_model_that_is_mostly_wrong_is_not_used():
    assert weighed(Protection(model=LEFT), BLURRED).bounds.confidence.max() == 0
    right = np.fliplr(LEFT).copy()
    assert weighed(Protection(model=right), HALVES).bounds.confidence.max() == 0
    assert weighed(Protection(model=LEFT), HALVES).bounds.confidence[60, 50] > 0.4


def test_sharp_detail_speaks_for_a_model_where_edges_are_wide():
    evidence = BlurMap(plane(0.5), plane(1), GRID)
    assert weighed(Protection(model=LEFT), edges(2.0)).bounds.confidence[60, 50] == 0
    assert weighed(Protection(model=LEFT), edges(2.0), evidence).bounds.confidence[60, 50] > 0.1


def test_the_mask_counts_before_the_rectangle_and_both_hold():
    small = plane()
    small[50:70, 40:60] = 1
    held = weighed(Protection(small, Rectangle(0, 0, 160, 120))).bounds.confidence
    assert held[60, 50] == 1 and held[60, 120] == pytest.approx(PARAMS.unsure)


def test_masks_are_resized_to_the_grid_of_the_view():
    coarse = Grid.cells(SHAPE, 2)
    empty = BlurMap(np.zeros(coarse.shape, np.float32), np.zeros(coarse.shape, np.float32), coarse)
    found = weigh_protection(Protection(mask=LEFT), empty, empty, PARAMS)
    assert found.bounds.grid == coarse and found.bounds.confidence[30, 25] == 1
    assert found.bounds.sigma.max() == pytest.approx(2 * PARAMS.sharp_px)


def test_bounds_of_detail_and_of_protection_are_joined():
    evidence = BlurMap(plane(0.1), plane(0.5), GRID)
    held = hold_bounds(evidence, weighed(Protection(mask=LEFT)))
    assert held.sigma[60, 50] == np.float32(0.1) and held.confidence[60, 50] == 1
    assert held.sigma[5, 5] == np.float32(0.1) and held.confidence[5, 5] == np.float32(0.5)
    loose = BlurMap(plane(0.9), plane(0.5), GRID)
    assert hold_bounds(loose, weighed(Protection(mask=LEFT))).sigma[60, 50] == np.float32(0.3)
