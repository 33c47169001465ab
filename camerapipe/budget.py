"""Time: budgets, deadlines, and the loop that pulls an anytime stage. The only reader of clocks."""

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
    """Time since any origin."""
    return time.perf_counter()


def cpu_s() -> float:
    """Time that all threads of this process have computed."""
    return time.process_time()


class BudgetError(RequestError):
    """A budget that cannot be understood."""


def parse_duration_ms(text: str) -> float:
    """Read `300ms`, `2s` or `1.5min`; a duration needs its unit."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(ms|s|min)\s*", text)
    if found is None or float(found[1]) <= 0:
        raise BudgetError(f"budget: expected a duration such as 300ms, 2s or 1min; got {text!r}")
    return float(found[1]) * UNITS_MS[found[2]]


BudgetLike: TypeAlias = "str | float | Sequence[str] | Budget | None"


@dataclass(frozen=True, slots=True)
class Budget:
    """How long a frame may take from developed pixels to the picture, in all and by stage."""

    total_ms: float | None = None
    stages_ms: dict[str, float] = field(default_factory=dict)

    @classmethod
    def parse(cls, texts: Sequence[str]) -> Budget:
        """Read `2s` (the frame) and `propagate=300ms` (a stage); the last of a kind wins."""
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
    """A moment on a clock; `at_s` is None where there is no limit."""

    at_s: float | None = None
    clock: Clock = wall_s

    @classmethod
    def after(cls, budget_ms: float | None, clock: Clock = wall_s) -> Deadline:
        """Count a deadline from now on."""
        return cls(None if budget_ms is None else clock() + budget_ms / 1000, clock)

    def remaining_ms(self) -> float | None:
        """Time left, negative when late, None without a limit."""
        return None if self.at_s is None else (self.at_s - self.clock()) * 1000


class Stopwatch:
    """Times a `with` block: `ms` is what it took."""

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
    """The last estimate of an anytime stage, and what it took."""

    value: T
    residual: float
    done: bool
    steps: int
    setup_ms: float


def run_until(estimates: Iterator[Estimate[T]], deadline: Deadline) -> AnytimeResult[T]:
    """Pull estimates until one is done or the next would not fit; keep the last.

    The first is always taken: its time is set-up, and says nothing of the steps that follow. A
    step cannot be interrupted, so the overrun is at most one step.
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
