"""A simulated person: acts on the code alone, after a reaction time, and changes no past."""

import math

import pytest

from camerapipe.simulator.person import PACE_PER_S, REACTION_S, REPEAT_S, STEP_S, Person, Reach
from stages.forward import Tremor


def person(**changes):
    given = {"subject_m": 2.0, "distance_m": 2.0, "lux": 20.0, "tremor": Tremor(0.005, 1)}
    return Person(**given | changes)


def shown(someone, code, since_s, until_s, every_s=0.05):
    """Show an advice for a time; give the acts with their times."""
    steps = round((until_s - since_s) / every_s)
    times = [since_s + k * every_s for k in range(steps + 1)]
    return [(at_s, act) for at_s in times if (act := someone.advised(code, at_s))]


def test_walking_begins_after_the_reaction_and_ends_after_it():
    someone = person()
    shown(someone, "move_closer", 1.0, 3.0)
    shown(someone, "defocus?", 3.0, 5.0)
    assert someone.distance_at(1.0 + REACTION_S) == 2.0
    walked_s = 2.0
    assert someone.distance_at(5.0) == pytest.approx(2.0 * math.exp(-PACE_PER_S * walked_s))
    assert someone.distance_at(9.0) == someone.distance_at(5.0)


def test_nobody_walks_out_of_reach():
    someone = person(reach=Reach(nearest_m=0.5))
    shown(someone, "move_closer", 0.0, 20.0)
    assert someone.distance_at(20.0) == 0.5


def test_the_past_does_not_change():
    someone = person()
    shown(someone, "move_closer", 0.0, 2.0)
    before = [(someone.distance_at(t / 10), someone.pose(t / 10)) for t in range(20)]
    shown(someone, "move_back", 2.0, 4.0)
    shown(someone, "hold_still", 4.0, 6.0)
    assert before == [(someone.distance_at(t / 10), someone.pose(t / 10)) for t in range(20)]


def test_the_shutter_is_not_released_while_walking():
    someone = person()
    shown(someone, "move_closer", 0.0, 1.0)
    (pressed_s, act), *_ = shown(someone, "shoot", 1.0, 3.0)
    assert act == "shutter" and pressed_s == pytest.approx(1.0 + 2 * REACTION_S, abs=0.06)
    (pressed_s, _), *_ = shown(person(), "shoot", 1.0, 3.0)
    assert pressed_s == pytest.approx(1.0 + REACTION_S, abs=0.06)


def test_light_and_focus_are_repeated_while_the_advice_stays():
    someone = person(reach=Reach(most_lux=100.0))
    shown(someone, "more_light", 0.0, 4.0)
    assert someone.lux_at(0.4) == 20.0 and someone.lux_at(0.9) == 80.0
    assert someone.lux_at(4.0) == 100.0
    taps = [at_s for at_s, act in shown(person(), "refocus", 0.0, 2.4) if act == "tap"]
    assert taps == pytest.approx([REACTION_S, REACTION_S + REPEAT_S], abs=0.1)


def test_a_person_steps_back_if_refocusing_does_not_help():
    someone = person(distance_m=0.2)
    taps = [at_s for at_s, act in shown(someone, "refocus", 0.0, 3.5) if act == "tap"]
    assert len(taps) == 3
    assert someone.distance_at(taps[1]) == 0.2
    assert someone.distance_at(taps[2]) == pytest.approx(0.2 * math.exp(PACE_PER_S * STEP_S))


def test_a_step_back_ends_with_a_tap():
    someone = person(distance_m=0.2)
    (tapped_s, act), *_ = shown(someone, "move_back", 0.0, 1.5)
    assert act == "tap"
    assert someone.distance_at(tapped_s) > 0.2 * 1.1
    assert someone.distance_at(tapped_s) == someone.distance_at(tapped_s + 0.4)


def test_holding_still_and_turning():
    someone = person(yaw_rad=0.3)
    shown(someone, "find_detail", 0.0, 2.0)
    shown(someone, "hold_still", 2.0, 4.0)
    assert abs(someone.pose(0.2).yaw_rad) > 0.25
    assert abs(someone.pose(4.0).yaw_rad) < 0.005 < 0.25


def test_other_advice_changes_nothing():
    someone = person()
    assert shown(someone, "focusing", 0.0, 3.0) == []
    assert someone.distance_at(3.0) == 2.0
