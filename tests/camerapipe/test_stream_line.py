"""The promises of the line, on random schedules in virtual time and on threads."""

import itertools
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camerapipe.stream.frames import Arrival, Fate, Outcome, Service
from camerapipe.stream.line import ABORT_GRACE_S, DOOR, Line, Rules, Stage
from camerapipe.stream.scheduler import Call, ThreadScheduler, When
from camerapipe.stream.virtual import VirtualScheduler

NOTHING = (None, None)


def outcomes(events):
    return [event for event in events if isinstance(event, Outcome)]


def seqs(events, fate):
    return [event.seq for event in outcomes(events) if event.fate is fate]


def costly(scheduler, name, costs_ms, faults=frozenset(), timeout_s=1.0):
    """A stage that takes the time, and raises at the frames, that a schedule says."""

    def work(value, state):
        scheduler.clock.spend(costs_ms[value % len(costs_ms)])
        if value in faults:
            raise ValueError(f"frame {value} is broken")
        return value, state

    return Stage(name=name, function=work, timeout_s=timeout_s)


def stop_at(line_of, at_s, *, drain, within_s):
    """A process that stops the line at a moment."""
    yield When(lambda: False, at_s)
    line_of().stop(drain=drain, within_s=within_s)


def run_schedule(schedule):
    """Run a schedule in virtual time; give the line and what it told."""
    scheduler, events = VirtualScheduler(), []
    stages = [
        costly(scheduler, f"s{k}", costs, frozenset(faults), timeout_s)
        for k, (costs, faults, timeout_s) in enumerate(schedule["stages"])
    ]
    times = itertools.accumulate(schedule["gaps"]) if schedule["paced"] else itertools.repeat(None)
    source = [
        Arrival(value=k, captured_s=at_s, size_bytes=size)
        for k, (at_s, size) in enumerate(zip(times, schedule["sizes"], strict=False))
    ]
    line = Line(iter(source), stages, scheduler, schedule["rules"], events.append)
    scheduler_run = scheduler.run
    if schedule["stop"] is not None:
        at_s, drain, within_s = schedule["stop"]
        stopper = stop_at(lambda: line, at_s, drain=drain, within_s=within_s)
        scheduler.run = lambda processes: scheduler_run([*processes, stopper])
    line.run()
    return line, events, scheduler.clock()


def schedules(stops=True):
    cost = st.sampled_from([0.0, 1.0, 8.0, 30.0, 120.0, 3000.0])
    stage = st.tuples(
        st.lists(cost, min_size=1, max_size=6),
        st.sets(st.integers(0, 30), max_size=6),
        st.sampled_from([0.1, 1.0, 10.0]),
    )
    stop = st.tuples(st.floats(0, 3), st.booleans(), st.sampled_from([0.0, 0.1, 1.0]))
    rules = st.builds(
        Rules,
        policy=st.sampled_from(["block", "latest"]),
        max_in_flight=st.integers(1, 5),
        max_bytes=st.sampled_from([4, 10, 1000]),
        give_up_after=st.sampled_from([3, 1000]),
    )
    return st.fixed_dictionaries(
        {
            "stages": st.lists(stage, min_size=1, max_size=4),
            "gaps": st.lists(st.sampled_from([0.0, 0.01, 0.033, 0.2]), min_size=30, max_size=30),
            "sizes": st.lists(st.integers(0, 5), max_size=30),
            "paced": st.booleans(),
            "rules": rules,
            "stop": st.none() | stop if stops else st.none(),
        }
    )


@given(schedules())
@settings(max_examples=300, deadline=None)
def test_every_frame_has_exactly_one_fate_and_sums_hold(schedule):
    line, events, _ = run_schedule(schedule)
    ended = [event.seq for event in outcomes(events)]
    assert sorted(ended) == list(range(line.tally.submitted))
    assert line.tally.in_flight == 0 and line.in_flight[:3] == (0, 0, 0)
    assert line.tally.fates.total() == len(ended)


@given(schedules())
@settings(max_examples=200, deadline=None)
def test_order_bounds_and_reasons(schedule):
    line, events, _ = run_schedule(schedule)
    rules = schedule["rules"]
    assert seqs(events, Fate.DONE) == sorted(seqs(events, Fate.DONE))
    at_the_door = rules.policy == "latest"
    assert line.tally.most_in_flight <= rules.max_in_flight + at_the_door
    assert line.tally.most_bytes <= rules.max_bytes
    for event in outcomes(events):
        if event.fate is Fate.DONE:
            continue
        assert event.stage and event.reason
        if event.fate is Fate.DROPPED:
            assert event.stage == DOOR and event.age_ms >= 0
            assert rules.policy == "latest"


@given(schedules(stops=False))
@settings(max_examples=200, deadline=None)
def test_blocking_loses_nothing_and_one_fault_ends_no_other(schedule):
    schedule["rules"] = Rules(policy="block", max_in_flight=schedule["rules"].max_in_flight)
    line, events, _ = run_schedule(schedule)
    submitted = len(schedule["sizes"])
    faulty = set(seqs(events, Fate.FAILED))
    assert set(seqs(events, Fate.DONE)) == set(range(submitted)) - faulty
    broken = set().union(*(faults for _, faults, _ in schedule["stages"]))
    slow = {
        k
        for costs, _, timeout_s in schedule["stages"]
        for k in range(submitted)
        if costs[k % len(costs)] > 1000 * timeout_s
    }
    assert faulty == {k for k in broken | slow if k < submitted}


@given(schedules())
@settings(max_examples=200, deadline=None)
def test_a_stop_is_bounded(schedule):
    line, _, ended_s = run_schedule(schedule)
    if schedule["stop"] is None:
        return
    at_s, drain, within_s = schedule["stop"]
    assert ended_s <= at_s + within_s * drain + ABORT_GRACE_S + 1e-9


@given(schedules())
@settings(max_examples=100, deadline=None)
def test_the_same_schedule_tells_the_same_story(schedule):
    first, second = run_schedule(schedule), run_schedule(schedule)
    assert first[1] == second[1] and first[2] == second[2]


def test_a_second_stop_hastens_the_first():
    scheduler = VirtualScheduler()
    line = Line(
        (Arrival(value=k) for k in range(99)),
        [costly(scheduler, "a", [3e3], timeout_s=99)],
        scheduler,
    )
    run = scheduler.run
    stops = [
        stop_at(lambda: line, 1.0, drain=True, within_s=100),
        stop_at(lambda: line, 2.0, drain=True, within_s=0.5),
    ]
    scheduler.run = lambda processes: run([*processes, *stops])
    line.run()
    assert scheduler.clock() <= 2.5 + ABORT_GRACE_S and line.stopped


def test_the_newest_frame_wins_and_only_at_the_door():
    scheduler, events = VirtualScheduler(), []
    source = (Arrival(value=k, captured_s=k * 0.1) for k in range(20))
    stages = [costly(scheduler, "slow", [330.0], timeout_s=9)]
    Line(source, stages, scheduler, Rules(policy="latest"), events.append).run()
    done = seqs(events, Fate.DONE)
    assert done == [0, 3, 6, 9, 13, 16, 19]  # what had come last when the stage was free
    late = {e.seq: e.age_ms for e in outcomes(events) if e.fate is Fate.DROPPED}
    assert [late[1], late[2]] == pytest.approx([100, 100])
    assert sorted(done + list(late)) == list(range(20))


def test_waiting_and_service_times_are_told():
    scheduler, events = VirtualScheduler(), []
    source = (Arrival(value=k, captured_s=0.0) for k in range(2))
    Line(source, [costly(scheduler, "a", [100.0])], scheduler, Rules(), events.append).run()
    first, second = (e for e in events if isinstance(e, Service))
    assert (first.queued_s, first.started_s, first.ended_s) == (0.0, 0.0, 0.1)
    assert (second.queued_s, second.started_s, second.ended_s) == pytest.approx((0.0, 0.1, 0.2))


@pytest.mark.parametrize(("policy", "held"), [("block", 2), ("latest", 3)])
def test_no_frame_is_taken_from_the_source_that_has_no_place(policy, held):
    scheduler, taken, ended, most = VirtualScheduler(), [0], [0], []

    def source():
        for k in range(30):
            taken[0] += 1
            most.append(taken[0] - ended[0])
            yield Arrival(value=k, captured_s=0.01 * k)

    def note(event):
        ended[0] += isinstance(event, Outcome)

    rules = Rules(policy=policy, max_in_flight=2)
    stages = [costly(scheduler, "quick", [1.0]), costly(scheduler, "slow", [35.0])]
    line = Line(source(), stages, scheduler, rules, note)
    line.run()
    in_hand = policy == "latest"  # that one takes the place at the door
    assert max(most) == held + in_hand and line.tally.most_in_flight == held


def test_a_call_given_up_leaves_the_state_as_it_was():
    scheduler, seen = VirtualScheduler(), []

    def count(value, state):
        scheduler.clock.spend(5000.0 if value == 1 else 1.0)
        seen.append((value, state))
        return value, state + 1

    stage = Stage(name="count", function=count, state=0, timeout_s=1.0)
    Line((Arrival(value=k) for k in range(4)), [stage], scheduler).run()
    assert seen == [(0, 0), (1, 1), (2, 1), (3, 2)]


def test_a_source_that_fails_ends_the_line_and_says_so():
    def source():
        yield Arrival(value=0)
        raise OSError("unplugged")

    scheduler = VirtualScheduler()
    line = Line(source(), [costly(scheduler, "a", [1.0])], scheduler)
    tally = line.run()
    assert tally.fates[Fate.DONE] == 1
    assert line.failure == "the source failed: OSError: unplugged"


def test_a_frame_larger_than_the_limit_fails_alone():
    scheduler, events = VirtualScheduler(), []
    source = (Arrival(value=k, size_bytes=size) for k, size in enumerate([1, 99, 1]))
    rules = Rules(max_bytes=50)
    line = Line(source, [costly(scheduler, "a", [1.0])], scheduler, rules, events.append)
    line.run()
    assert seqs(events, Fate.DONE) == [0, 2]
    assert next(e for e in outcomes(events) if e.seq == 1).stage == DOOR


def test_failures_in_a_row_end_the_line():
    scheduler = VirtualScheduler()
    stage = costly(scheduler, "a", [1.0], faults=frozenset(range(100)))
    line = Line((Arrival(value=k) for k in range(100)), [stage], scheduler, Rules(give_up_after=5))
    assert line.run().fates[Fate.FAILED] >= 5
    assert line.failure is not None and "failed in a row" in line.failure


# Threads: the same processes, real time. No time is asserted, only what happened.


def threads():
    return [t for t in threading.enumerate() if t.name == "camerapipe-stream"]


def test_threads_end_and_deliver_in_order():
    events = []
    stages = [Stage(name=f"s{k}", function=lambda v, s: (v, s)) for k in range(4)]
    line = Line(
        (Arrival(value=k) for k in range(500)), stages, ThreadScheduler(), observe=events.append
    )
    assert line.run().fates[Fate.DONE] == 500
    assert seqs(events, Fate.DONE) == list(range(500))
    assert not threads()


def test_calls_run_at_the_same_time_in_no_more_threads_than_processes():
    meet, seen = threading.Barrier(3), []

    def together():
        meet.wait(30)
        seen.append(len(threads()))

    def caller():
        for _ in range(20):
            yield Call(together)

    ThreadScheduler().run(caller() for _ in range(3))
    assert len(seen) == 60 and max(seen) == 3 and not threads()


def test_what_waits_for_its_turn_only_stays_in_one_thread():
    used = set()

    def work(value, state):
        used.add(threading.get_ident())
        return value, state

    stages = [Stage(name=f"s{k}", function=work) for k in range(3)]
    source = (Arrival(value=k) for k in range(50))
    Line(source, stages, ThreadScheduler(), Rules(max_in_flight=1)).run()
    assert len(used) == 1


def test_a_moment_comes_while_all_others_are_in_calls():
    free, scheduler = threading.Event(), ThreadScheduler()

    def sleeper():
        yield When(bool, scheduler.clock() + 0.02)
        free.set()

    def caller():
        assert (yield Call(free.wait, (30,)))

    scheduler.run([caller(), sleeper(), caller()])
    assert free.is_set() and not threads()


def test_a_stuck_stage_fails_its_frame_and_frees_its_place():
    free, scheduler = threading.Event(), ThreadScheduler()

    def sometimes(value, state):
        if value == 1:
            assert free.wait(30)
        return value, state

    events = []
    stage = Stage(name="native", function=sometimes, timeout_s=0.5)
    Line((Arrival(value=k) for k in range(4)), [stage], scheduler, observe=events.append).run()
    assert seqs(events, Fate.DONE) == [0, 2, 3] and seqs(events, Fate.FAILED) == [1]
    assert scheduler.abandoned == 1
    free.set()
    for thread in threads():
        thread.join(30)
    assert scheduler.abandoned == 0 and not threads()


@pytest.mark.parametrize("drain", [True, False])
def test_stop_from_outside_twice_is_once(drain):
    events, started = [], threading.Event()

    def work(value, state):
        started.set()
        return value, state

    source = (Arrival(value=k) for k in itertools.count())
    line = Line(source, [Stage(name="a", function=work)], ThreadScheduler(), observe=events.append)
    running = threading.Thread(target=line.run)
    running.start()
    assert started.wait(30)
    line.stop(drain=drain)
    line.stop(drain=drain)
    running.join(30)
    assert not running.is_alive() and not threads()
    assert line.tally.in_flight == 0
    if drain:
        assert not seqs(events, Fate.CANCELLED)


def test_an_abort_does_not_wait_for_a_stuck_call():
    entered, free, events = threading.Event(), threading.Event(), []

    def stuck(value, state):
        entered.set()
        assert free.wait(60)
        return value, state

    source = (Arrival(value=k) for k in range(3))
    line = Line(source, [Stage(name="a", function=stuck)], ThreadScheduler(), observe=events.append)
    running = threading.Thread(target=line.run)
    running.start()
    assert entered.wait(30)
    line.stop(drain=False)
    running.join(30)
    assert not running.is_alive()
    assert set(seqs(events, Fate.CANCELLED)) == set(range(line.tally.submitted))
    free.set()
    for thread in threads():
        thread.join(30)
    assert not threads()


def test_an_error_of_the_line_itself_is_raised():
    def broken(event):
        raise RuntimeError("an observer may not fail")

    line = Line(
        (Arrival(value=k) for k in range(3)),
        [Stage(name="a", function=lambda v, s: (v, s))],
        ThreadScheduler(),
        observe=broken,
    )
    with pytest.raises(RuntimeError, match="may not fail"):
        line.run()
    assert not threads()


def test_an_interrupt_ends_all_threads_before_it_is_raised(monkeypatch):
    delivered, scheduler, pressed = [], ThreadScheduler(), []

    def interrupt(timeout):
        if len(delivered) > 3 and not pressed:
            pressed.append("Ctrl-C")
            raise KeyboardInterrupt
        threading.Condition.wait(watch, timeout)

    watch = scheduler._watch
    monkeypatch.setattr(watch, "wait", interrupt, raising=False)
    stage = Stage(name="a", function=lambda v, s: (delivered.append(v), s))
    line = Line((Arrival(value=k) for k in itertools.count()), [stage], scheduler)
    with pytest.raises(KeyboardInterrupt):
        line.run()
    count = len(delivered)
    assert not threads() and len(delivered) == count


def test_a_stage_that_wants_to_exit_ends_the_run():
    def leave(value, state):
        raise SystemExit(3)

    source = (Arrival(value=k) for k in range(3))
    with pytest.raises(SystemExit):
        Line(source, [Stage(name="a", function=leave)], ThreadScheduler()).run()
    assert not threads()


def test_a_rule_that_allows_nothing_is_refused():
    with pytest.raises(ValueError, match="in_flight"):
        Rules(max_in_flight=0)
    with pytest.raises(ValueError, match="block, latest"):
        Rules(policy="lastest")
