"""The check of a stream on its own small budget, and rungs that carry a map; in virtual time."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camerapipe.budget import Budget
from camerapipe.settings import resolve
from camerapipe.stream.options import StreamOptions
from camerapipe.stream.policy import (
    CARRY_FRAMES,
    CHECK,
    CHECK_SHARE,
    LONGEST_CARRY,
    PolicyState,
    QualityLadder,
    QualityPolicy,
)
from camerapipe.stream.profile import read_profile
from camerapipe.stream.rungs import ready_checks, ready_rungs
from camerapipe.stream.sinks import App
from camerapipe.stream.sources import open_source
from camerapipe.stream.stream import Stream
from camerapipe.synthetic import EPISODE, PAN_FRAMES, synthetic_frame
from camerapipe.timeline.reading import read_trace
from stages.grid import Grid, lift

SIZE = (240, 136)
RUNGS, CHECKS = ready_rungs(resolve()), ready_checks(resolve())
LADDER = QualityLadder((200.0, 100.0, 50.0, 35.0, 20.0, 12.0), check_costs=(8.0, 2.0))
SIMULATED = StreamOptions(
    settings=resolve(), force=True, frames=40, profile=read_profile("large-phone")
)


def shown_by(options, scene="pan", size=SIZE):
    shown = []
    source = open_source(f"synthetic:{scene}", size=size, fps=30, paced=False)
    report = Stream(source, App(shown.append), options).run()
    return report, shown


def budgeted(total_ms=None, **stages_ms):
    return replace(SIMULATED, budget=Budget(total_ms, stages_ms))


def plan(budget, ladder=LADDER, megapixels=1.0, carried=0, map_age=8.0, has_findings=True):
    policy = QualityPolicy(RUNGS, CHECKS, budget)
    before = PolicyState(replace(ladder) if ladder else None, carried)
    return policy.plan(before, megapixels, map_age=map_age, has_findings=has_findings)


@given(st.floats(1, 500), st.one_of(st.none(), st.floats(0.1, 50)), st.floats(0.3, 3))
def test_the_map_keeps_its_rung_whatever_the_check_takes(total_ms, own_ms, megapixels):
    stages = {} if own_ms is None else {CHECK: own_ms}
    planned = plan(Budget(total_ms, stages), megapixels=megapixels)
    share_ms = CHECK_SHARE * total_ms if own_ms is None else own_ms
    rung = replace(LADDER).choose(
        total_ms - min(share_ms, LADDER.check_ms(0, megapixels)), megapixels
    )
    assert planned.see is RUNGS[rung] and planned.tracked.rung is RUNGS[rung]
    for choice in (planned.tracked, planned.lost):
        left_ms = total_ms - LADDER.expected_ms(choice.place, megapixels)
        assert choice.check_ms == (max(share_ms, left_ms) if own_ms is None else own_ms)


def test_without_a_budget_nothing_is_limited():
    planned = plan(Budget(), ladder=None)
    assert planned.tracked == planned.lost == (RUNGS[0], 0, CHECKS[0], None)
    only_check = plan(Budget(stages_ms={CHECK: 3.0}))
    assert only_check.tracked == (RUNGS[0], 0, CHECKS[1], 3.0)


@pytest.mark.parametrize(
    ("budget_ms", "level"), [(10, 0), (8, 1), (2.5, 1), (2, None), (0.1, None)]
)
def test_the_best_level_of_the_check_that_fits_with_its_margin(budget_ms, level):
    assert LADDER.check_within(budget_ms, 1.0) == level
    planned = plan(Budget(stages_ms={CHECK: budget_ms}))
    assert planned.tracked.check is (None if level is None else CHECKS[level])
    assert planned.lost.check is CHECKS[-1 if level is None else level]  # a new scene


def test_the_first_frame_is_checked_in_any_case():
    assert plan(Budget(stages_ms={CHECK: 0.1}), has_findings=False).tracked.check is CHECKS[-1]


@pytest.mark.parametrize(
    ("carried", "map_age", "rung"),
    [
        (0, 8.0, "carry"),
        (CARRY_FRAMES, 8.0, "carry"),  # old, but an estimate does not fit the budget
        (LONGEST_CARRY - 1, 8.0, "carry"),
        (LONGEST_CARRY, 8.0, "draft"),
        (0, np.inf, "carry"),
    ],
)
def test_without_time_a_map_is_carried_for_long(carried, map_age, rung):
    planned = plan(Budget(18.0), carried=carried, map_age=map_age)
    assert planned.see.name == "carry" and planned.tracked.rung.name == rung
    assert planned.lost.rung.name == "draft"


def test_with_time_a_map_is_carried_for_as_many_frames_as_the_filter_averages():
    last = replace(LADDER, rung=5)  # it has not climbed yet, although `draft` fits
    for carried, map_age, rung in (
        (0, 1.0, "carry"), (1, 1.0, "draft"), (2, 3.0, "carry"), (3, 3.0, "draft"),
        (CARRY_FRAMES - 1, 30.0, "carry"), (CARRY_FRAMES, 30.0, "draft"),
    ):  # fmt: skip
        planned = plan(Budget(30.0), last, carried=carried, map_age=map_age)
        assert planned.see.name == "carry" and planned.tracked.rung.name == rung


def test_the_policy_learns_from_rungs_of_its_ladder_only():
    policy = QualityPolicy(RUNGS[-1:], CHECKS, Budget(50.0))
    before = PolicyState(QualityLadder((12.0,), check_costs=(8.0, 2.0)))

    def after(case, **changes):
        planned = policy.plan(before, 1.0, map_age=np.inf, has_findings=False)
        facts = {"map_ms": 99.0, "megapixels": 1.0, "cut": False, "blocked": False} | changes
        return policy.after(planned, getattr(planned, case), **facts)

    assert after("lost").ladder.load == 1.0 and after("lost").carried == 0  # that was `draft`
    assert after("tracked").ladder.load > 2 and after("tracked").carried == 1
    blocked = after("tracked", blocked=True)
    assert blocked.ladder.load == 1.0 and blocked.carried == 0
    assert before.ladder == QualityLadder((12.0,), check_costs=(8.0, 2.0))  # a state is a value


def test_every_frame_is_checked_in_full_where_there_is_time():
    report, shown = shown_by(replace(SIMULATED, frames=4))
    assert report.checks == {"check": 4}
    assert all(one.check.age_frames == 0 and one.check.granted_ms is None for one in shown)


def test_less_time_is_a_lower_level_and_then_older_findings():
    plain, _ = shown_by(replace(SIMULATED, frames=4, rung="preview"))
    cost_ms = {}
    for level in ("check", "glance"):  # what they cost on this device
        options = replace(budgeted(None, check=1e6), frames=3)
        if level == "glance":
            options = replace(options, budget=Budget(None, {CHECK: 0.9 * cost_ms["check"]}))
        report, shown = shown_by(options)
        assert report.checks == {level: 3}
        cost_ms[level] = max(one.check.used_ms for one in shown)
    assert cost_ms["glance"] < 0.9 * cost_ms["check"] and plain.checks == {"check": 4}
    report, shown = shown_by(budgeted(None, check=0.3 * cost_ms["glance"]))
    assert report.checks == {"glance": 1, "carried": 39}  # the first frame must be judged
    assert [one.check.age_frames for one in shown] == list(range(40))
    assert all(one.check.used_ms == 0 for one in shown[1:])
    assert all(one.findings == shown[0].findings for one in shown)
    assert all(one.advice == shown[0].advice for one in shown)


def test_findings_are_not_carried_to_another_scene():
    _, shown = shown_by(budgeted(None, check=0.01), "cut")
    checked = [one.frame.seq for one in shown if one.check.age_frames == 0]
    assert checked == [0, EPISODE]


def test_the_check_leaves_a_budget_to_the_map_and_is_within_its_own():
    _, shown = shown_by(replace(SIMULATED, frames=2, rung="draft"))
    draft_ms = shown[1].spent_ms - shown[1].check.used_ms
    options = budgeted(1.2 * draft_ms)
    report, shown = shown_by(options)
    without, plain = shown_by(budgeted(1.2 * draft_ms, check=1e-3))
    assert [one.rung for one in shown[1:]] == [one.rung for one in plain[1:]]
    assert report.within_budget == 1.0 and without.checks["carried"] == 39
    assert all(one.check.used_ms <= one.check.granted_ms for one in shown[1:])


def test_the_trace_shows_the_check_as_a_slice_with_its_budget(tmp_path):
    path, options = tmp_path / "trace.json", replace(budgeted(None, check=0.01), frames=5)
    source = open_source("synthetic:pan", size=SIZE, fps=30, paced=False)
    Stream(source, App(lambda shown: None), options, trace=path).run()
    trace = read_trace(path)
    spans = trace.spans.where(trace.spans.kind == trace.kinds.index(("graph", CHECK)))
    assert spans.frame.tolist() == [0] and spans.granted_ms.tolist() == [0.01]
    told = [(moment.name, moment.args) for moment in trace.moments if moment.track == CHECK]
    assert told == [("glance", {"frame": 0}), ("carried", {"frame": 1})]
    assert not any(stage == "look" for _, stage in trace.kinds)
    text = path.read_text()
    assert '"check_age_frames":4' in text


def measured_in(shown):
    return [one.frame.seq for one in shown if one.rung == "draft"]


def test_a_map_is_carried_for_as_many_frames_as_its_memory_counts_for():
    _, shown = shown_by(replace(SIMULATED, rung="carry", frames=66), "static")
    measured = measured_in(shown)
    assert np.diff(measured).tolist() == [2, 3, 4, 5, 6, 7, 8, 9, 9, 9]  # and itself
    memories = [one.before.memory for one in shown[measured[-1] - CARRY_FRAMES : measured[-1]]]
    assert all(memory.dense is memories[0].dense for memory in memories)


def test_maps_are_measured_anew_within_the_budget_only():
    _, shown = shown_by(replace(SIMULATED, rung="draft", frames=9), "static")
    total_ms = 0.95 * float(np.median([one.spent_ms for one in shown]))
    report, shown = shown_by(replace(budgeted(total_ms), frames=60), "static")
    assert all(one.spent_ms <= total_ms + one.step_ms for one in shown[1:])
    assert measured_in(shown)[0] == 0 and report.rungs["carry"] > 50  # at first there is no map


def test_a_map_carried_through_a_swing_of_the_camera_stays_right():
    options = replace(budgeted(0.01), frames=LONGEST_CARRY)
    _, shown = shown_by(options, size=(320, 180))
    full = Grid((180, 320))
    maps = [lift(one.blur_map, full).sigma for one in shown]
    truth = [synthetic_frame("pan", k, full.shape).sigma for k in range(LONGEST_CARRY)]
    assert [one.rung for one in shown].count("carry") == LONGEST_CARRY - 1
    errors, left = (
        np.array([np.abs(found - known).mean() for found, known in zip(each, truth, strict=True)])
        for each in (maps, [maps[0]] * LONGEST_CARRY)
    )
    assert errors.max() < 1.35 * errors[0]
    assert errors[PAN_FRAMES // 2] < 1.1 * errors[0]  # back where it began: nothing has drifted
    assert errors.mean() < 0.92 * left.mean()  # the first map, left as it was


def test_after_a_cut_the_map_is_measured():
    _, shown = shown_by(budgeted(0.01), "cut")
    assert [one.frame.seq for one in shown if one.rung != "carry"] == [0, EPISODE]
    assert all(one.frame.seq in (1, EPISODE + 1) or one.before.policy.carried for one in shown[1:])


def test_without_time_to_measure_one_frame_in_a_hundred_is_late_at_most():
    options = replace(budgeted(0.01), frames=LONGEST_CARRY + 4)
    _, shown = shown_by(options, "static")
    assert measured_in(shown) == [0, LONGEST_CARRY + 1]
