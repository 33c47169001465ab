"""The quality ladder: the best rung that fits, down at once, up with patience."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camerapipe.stream.policy import CLIMB_AFTER, QualityLadder

COSTS = (100.0, 50.0, 20.0, 10.0)  # ms per megapixel


def settled(ladder, budget_ms, frames=60, slowdown=1.0):
    """Run frames that take what the ladder knows, times a slowdown."""
    for _ in range(frames):
        rung = ladder.choose(budget_ms, 1.0)
        ladder.learn(rung, slowdown * COSTS[rung], 1.0)
    return rung


@pytest.mark.parametrize(
    ("budget_ms", "rung"), [(1000, 0), (120, 0), (100, 1), (30, 2), (12, 3), (1, 3)]
)
def test_the_best_rung_that_fits_with_its_margin(budget_ms, rung):
    assert QualityLadder(COSTS).choose(budget_ms, 1.0) == rung


def test_size_counts():
    assert QualityLadder(COSTS).choose(120, 1.0) == 0
    assert QualityLadder(COSTS).choose(120, 2.0) == 1


def test_down_at_once_up_with_patience():
    ladder = QualityLadder(COSTS)
    assert settled(ladder, 130) == 0
    for _ in range(5):  # twice as slow all at once
        ladder.learn(ladder.choose(130, 1.0), 200.0, 1.0)
    assert ladder.choose(130, 1.0) > 0
    climbing = []
    while ladder.choose(130, 1.0) > 0:
        ladder.learn(ladder.rung, COSTS[ladder.rung], 1.0)
        climbing.append(ladder.rung)
        assert len(climbing) < 200
    assert len(climbing) >= CLIMB_AFTER


def test_load_carries_to_rungs_that_were_not_used():
    ladder = QualityLadder(COSTS)
    assert settled(ladder, 130, slowdown=2.5) == 2  # 50 x 2.5 no longer fits with a margin
    assert ladder.expected_ms(0, 1.0) > 240


def test_a_frame_cut_short_does_not_look_cheap():
    ladder = QualityLadder(COSTS)
    before = ladder.load
    ladder.learn(0, 10.0, 1.0, cut=True)
    assert ladder.load >= before


@given(st.floats(0.5, 500), st.floats(0.2, 5), st.floats(0.3, 3))
def test_more_budget_is_never_less_quality(budget_ms, megapixels, load):
    one, other = QualityLadder(COSTS, load=load), QualityLadder(COSTS, load=load)
    assert one.choose(budget_ms, megapixels) >= other.choose(1.5 * budget_ms, megapixels)


def test_a_rung_that_was_thought_cheap_is_not_climbed_to_in_vain_again_and_again():
    ladder, late, climbs, before = QualityLadder((85.0, 50.0)), 0, 0, None
    for _ in range(300):
        rung = ladder.choose(105, 1.0)
        climbs += before == 1 and rung == 0
        late += rung == 0
        ladder.learn(rung, (120.0, 50.0)[rung], 1.0)  # the best never fits
        before = rung
    assert climbs <= 2 and late <= 12
    assert ladder.expected_ms(0, 1.0) > 105


def test_a_surprise_after_a_climb_says_how_rungs_compare():
    ladder = QualityLadder(COSTS)
    ladder.learn(1, 50.0, 1.0)
    ladder.learn(0, 120.0, 1.0)
    assert 110 < ladder.costs[0] < 120 and ladder.costs[1:] == COSTS[1:]
    assert ladder.load < 1.02
    ladder.learn(0, 150.0, 1.0)  # the same rung: now everything is slower
    assert ladder.load > 1.02
    known = ladder.costs
    ladder.learn(2, 60.0, 1.0)  # no climb
    ladder.learn(1, 1.0, 1.0, cut=True)
    assert ladder.costs == known


@given(st.integers(0, 50), st.sampled_from([55.0, 80.0, 115.0, 200.0]))
@settings(deadline=None)
def test_nearly_all_frames_are_in_time_whatever_the_start_got_wrong(seed, budget_ms):
    """Costs at the start are wrong by 15 %, frames differ by 4 %, the load drifts by a tenth."""
    rng = np.random.default_rng(seed)
    ladder, load, late = QualityLadder(tuple(COSTS * np.exp(rng.normal(0, 0.15, 4)))), 1.0, 0
    for k in range(300):
        load = load**0.97 * np.exp(rng.normal(0, 0.02))
        rung = ladder.choose(budget_ms, 1.0)
        used_ms = COSTS[rung] * load * np.exp(rng.normal(0, 0.04))
        ladder.learn(rung, used_ms, 1.0)
        late += k >= 20 and used_ms > budget_ms
    assert late <= 0.01 * 280
