import pytest

from camerapipe.budget import Budget, BudgetError, Deadline, parse_duration_ms, run_until
from stages.params import Estimate


class Clock:
    """A clock that moves only when told."""

    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s


def steps(clock, setup_ms, step_ms, count, endless=False):
    clock.now_s += setup_ms / 1000
    for index in range(count):
        yield Estimate(index, 1.0 / (index + 1), not endless and index == count - 1)
        clock.now_s += step_ms / 1000


@pytest.mark.parametrize("text, ms", [("300ms", 300), ("2s", 2000), (" 1.5 min ", 90000)])
def test_durations(text, ms):
    assert parse_duration_ms(text) == ms


@pytest.mark.parametrize("text", ["", "2", "s", "-1s", "0ms", "2 hours", "1e3ms"])
def test_a_duration_needs_a_positive_number_and_a_unit(text):
    with pytest.raises(BudgetError, match="expected a duration such as 300ms"):
        parse_duration_ms(text)


def test_total_and_stage_budgets():
    assert Budget.parse(["2s", "propagate=300ms"]) == Budget(2000, {"propagate": 300})


def test_without_a_limit_it_runs_to_the_end():
    outcome = run_until(steps(Clock(), 5, 10, 7), Deadline())
    assert (outcome.value, outcome.steps, outcome.done) == (6, 7, True)


def test_it_stops_before_the_step_that_would_not_fit():
    clock = Clock()
    deadline = Deadline.after(100, clock)
    outcome = run_until(steps(clock, 30, 20, 50), deadline)
    # 30 ms of set-up, then three steps of 20 ms; a fourth would end at 110 ms.
    assert (outcome.value, outcome.done) == (3, False)
    assert outcome.setup_ms == pytest.approx(30)
    assert deadline.remaining_ms() >= 0


def test_setup_is_not_counted_as_a_step():
    """A long set-up says nothing of the steps: many short ones still fit after it."""
    clock = Clock()
    outcome = run_until(steps(clock, 60, 1, 1000), Deadline.after(100, clock))
    assert outcome.steps > 35


def test_the_first_estimate_is_taken_even_when_late():
    clock = Clock()
    outcome = run_until(steps(clock, 500, 1, 10), Deadline.after(100, clock))
    assert (outcome.value, outcome.steps, outcome.done) == (0, 1, False)


def test_the_end_of_the_iterator_is_done():
    outcome = run_until(steps(Clock(), 1, 1, 3, endless=True), Deadline())
    assert (outcome.value, outcome.done) == (2, True)
