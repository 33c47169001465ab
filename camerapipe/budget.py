"""Budgets, deadlines, and the loop that runs an anytime stage. No other module reads clocks."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar

from camerapipe.errors import RequestError
from stages.params import Estimate

T = TypeVar("T")
Clock = Callable[[], float]  # seconds, from any origin
UNITS_MS = {"ms": 1.0, "s": 1000.0, "min": 60_000.0}


def wall_s() -> float:
    """Wall-clock time since an arbitrary origin, s."""
    return time.perf_counter()


def cpu_s() -> float:
    """Processor time of all threads of this process, s."""
    return time.process_time()


class BudgetError(RequestError):
    """A budget that cannot be understood."""


def parse_duration_ms(text: str) -> float:
    """Parse a duration with its unit, such as `300ms`, `2s` or `1.5min`.

    Parameters
    ----------
    text : str
        The duration; positive.

    Returns
    -------
    float
        The duration in ms.

    Raises
    ------
    BudgetError
        If the text is not a duration.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(ms|s|min)\s*", text)
    if found is None or float(found[1]) <= 0:
        raise BudgetError(f"budget: expected a duration such as 300ms, 2s or 1min; got {text!r}")
    return float(found[1]) * UNITS_MS[found[2]]


BudgetLike: TypeAlias = "str | float | Sequence[str] | Budget | None"


@dataclass(frozen=True, slots=True)
class Budget:
    """Time that a frame may take from developed pixels to the picture, in total and by stage."""

    total_ms: float | None = None
    stages_ms: dict[str, float] = field(default_factory=dict)

    @classmethod
    def parse(cls, texts: Sequence[str]) -> Budget:
        """Parse texts such as `2s` (the frame) and `propagate=300ms` (a stage).

        If several texts set the same budget, the last one counts.
        """
        total, stages = None, {}
        for text in texts:
            stage, sign, duration = text.rpartition("=")
            if sign:
                stages[stage.strip()] = parse_duration_ms(duration)
            else:
                total = parse_duration_ms(duration)
        return cls(total, stages)

    @classmethod
    def of(cls, given: BudgetLike) -> Budget:
        """Read a budget as the functions of the package take it.

        Parameters
        ----------
        given : None, float, str, sequence of str or Budget
            None is no limit. A number is the time of a frame in seconds. Texts are those of
            `parse`: `"66ms"`, or `["2s", "propagate=300ms"]`.

        Raises
        ------
        BudgetError
            If a number is not positive and finite, or a text is no duration.
        """
        if given is None:
            return cls()
        if isinstance(given, Budget):
            return given
        if isinstance(given, int | float):
            if isinstance(given, bool) or not 0 < given < math.inf:
                raise BudgetError(f"budget: expected seconds above 0, or '66ms'; got {given!r}")
            return cls(given * 1000)
        return cls.parse([given] if isinstance(given, str) else given)


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point in time on a clock; `at_s` is None if there is no limit."""

    at_s: float | None = None
    clock: Clock = wall_s

    @classmethod
    def after(cls, budget_ms: float | None, clock: Clock = wall_s) -> Deadline:
        """Deadline `budget_ms` from now; None: no limit."""
        return cls(None if budget_ms is None else clock() + budget_ms / 1000, clock)

    def remaining_ms(self) -> float | None:
        """Time left, ms; negative after the deadline, None without a limit."""
        return None if self.at_s is None else (self.at_s - self.clock()) * 1000


class Stopwatch:
    """Stopwatch for a `with` block; `ms` is the time that the block took."""

    ms = 0.0

    def __enter__(self) -> Stopwatch:
        """Start."""
        self._started = time.perf_counter()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop, also after an error."""
        self.ms = (time.perf_counter() - self._started) * 1000


@dataclass(frozen=True, slots=True)
class AnytimeResult(Generic[T]):
    """Last estimate of an anytime stage, its number of steps, and the time of the first step."""

    value: T
    residual: float
    done: bool
    steps: int
    setup_ms: float


def run_until(estimates: Iterator[Estimate[T]], deadline: Deadline) -> AnytimeResult[T]:
    """Run an anytime stage until it is done or the next step would not fit.

    Parameters
    ----------
    estimates : iterator of Estimate
        The anytime stage.
    deadline : Deadline
        When it has to stop.

    Returns
    -------
    AnytimeResult
        The last estimate.

    Notes
    -----
    The first step is always run. Its time is set-up time, which does not predict that of later
    steps. A step cannot be interrupted, so the overrun is at most one step.
    """
    started = deadline.clock()
    latest = next(estimates)
    setup_ms = (deadline.clock() - started) * 1000
    steps, step_ms = 1, 0.0
    before = deadline.clock()
    while not latest.done:
        left = deadline.remaining_ms()
        if left is not None and left < step_ms:
            break
        following = next(estimates, None)
        if following is None:
            latest = latest._replace(done=True)
            break
        latest, steps = following, steps + 1
        now = deadline.clock()
        step_ms, before = (now - before) * 1000, now
    return AnytimeResult(latest.value, latest.residual, latest.done, steps, setup_ms)
