"""The quality ladder: how much is done for a frame is decided before it starts.

Rungs go from the best picture to the quickest. What each costs is measured when a stream warms up;
from then on one number, the load, follows how much slower or quicker things go now (throttling, a
busy machine), so that the costs of rungs that were not used for long stay known as well. Rungs are
climbed when the load has been steady, so what the first frame there takes says how rungs compare:
one that proves dearer than it was at the start is not climbed to in vain time and again.

A frame takes the best rung whose expected time, with a margin for how much the load varies, is
within the budget. Down is at once; up is only after a while, or the picture would pump. The capture
check has a small ladder of its own (`looks`) under the same load.
"""

from __future__ import annotations

from dataclasses import dataclass

LOAD_RATE = 0.2  # share of the newest frame in the load
COMPARED = 0.7  # share (of its logarithm) of a surprise after a climb in the rung's cost
MARGIN = 3.0  # mean deviations of the load on top of it: one frame in a hundred or fewer is late
LEAST_DEVIATION = 0.03  # of the load; a few equal frames prove nothing
CLIMB_AFTER = 8  # frames for which a better rung must have fitted
ROOM_TO_CLIMB = 0.92  # of the budget: just fitting today is late tomorrow


@dataclass(slots=True)
class Ladder:
    """Costs of the rungs in ms per megapixel, best rung first, and the load on them."""

    costs: tuple[float, ...]
    looks: tuple[float, ...] = ()  # costs of the ways to check, best first
    load: float = 1.0
    deviation: float = LEAST_DEVIATION
    rung: int | None = None  # of the last frame
    learnt: int | None = None  # the rung that was learnt from last
    fitted: int = 0  # frames in a row for which a better rung would have fitted

    def expected_ms(self, rung: int, megapixels: float) -> float:
        """Time that a frame on a rung takes, all but rarely."""
        return self._expected(self.costs[rung], megapixels)

    def look_ms(self, look: int, megapixels: float) -> float:
        """Time that a check takes, all but rarely."""
        return self._expected(self.looks[look], megapixels)

    def look_within(self, budget_ms: float, megapixels: float) -> int | None:
        """The best way to check that fits, if one does."""
        looks = range(len(self.looks))
        return next((k for k in looks if self.look_ms(k, megapixels) <= budget_ms), None)

    def choose(self, budget_ms: float, megapixels: float) -> int:
        """The rung of the next frame."""
        best = self._best_within(budget_ms, megapixels)
        if self.rung is None or best >= self.rung:
            self.rung, self.fitted = best, 0
            return best
        better = self._best_within(ROOM_TO_CLIMB * budget_ms, megapixels)
        self.fitted = self.fitted + 1 if better < self.rung else 0
        if self.fitted >= CLIMB_AFTER:
            self.rung, self.fitted = better, 0
        return self.rung

    def learn(self, rung: int, used_ms: float, megapixels: float, *, cut: bool = False) -> None:
        """Follow the load by what a frame took; one that was cut short took at least that."""
        climbed, self.learnt = self.learnt is not None and rung < self.learnt, rung
        if climbed and not cut:
            self._compare(rung, used_ms / megapixels)
        load = used_ms / (self.costs[rung] * megapixels)
        if cut:
            load = max(load, self.load)
        self.deviation += LOAD_RATE * (abs(load - self.load) - self.deviation)
        self.deviation = max(self.deviation, LEAST_DEVIATION)
        self.load += LOAD_RATE * (load - self.load)

    def _compare(self, rung: int, cost: float) -> None:
        """Move the cost of a rung to where it stands beside that of the rung before."""
        surprise = cost / (self.costs[rung] * self.load)
        moved = self.costs[rung] * surprise**COMPARED
        self.costs = (*self.costs[:rung], moved, *self.costs[rung + 1 :])

    def _expected(self, cost: float, megapixels: float) -> float:
        return cost * megapixels * (self.load + MARGIN * self.deviation)

    def _best_within(self, budget_ms: float, megapixels: float) -> int:
        """The best rung that fits, or the quickest where none does."""
        last = len(self.costs) - 1
        fits = (k for k in range(last) if self.expected_ms(k, megapixels) <= budget_ms)
        return next(fits, last)
