"""The quality policy of a stream: all decisions about how much is done for a frame.

They are taken before the frame starts (`QualityPolicy.plan`), from a ladder of rungs with known
costs. The best rung is first.

**Rung.** A frame gets the best rung whose expected time fits the budget. A lower rung is chosen
immediately. A higher rung is chosen only after it has fitted for `CLIMB_AFTER` frames; otherwise
the quality would oscillate.

**Expected times.** The cost of each rung is measured when the stream starts. After that one number,
the load, follows the ratio of actual to known time (throttling, a busy machine), so that the costs
of rungs that are not in use remain known. The expected time includes a margin for the variation of
the load. The first frame after a climb compares two rungs under nearly the same load, and corrects
the cost of the upper one. A rung that proves too slow is therefore not tried again and again.

**Carried maps.** The last rung estimates no blur: it warps the map of an earlier frame. If there is
no map, or it is too old, the rung named by `instead` estimates a new one. A map is carried for as
many frames as its temporal filter averages, at most `CARRY_FRAMES`, and for up to `LONGEST_CARRY`
frames if an estimate does not fit the budget.

**Check.** The capture check has a share of the budget (`CHECK_SHARE`, or a budget of its own), and
in addition the time that the rung leaves. It runs at the best level that fits. If none fits, the
findings of an earlier frame are carried; after a scene change the lowest level runs in any case.
The time of the map comes first, so the check never lowers the rung by more than its share.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

from camerapipe.budget import Budget
from camerapipe.stream.rungs import ReadyCheck, ReadyRung

CHECK = "check"  # its name in a budget: `check=4ms`
CHECK_SHARE = 0.1  # of the budget of a frame, unless the check has a budget of its own
LOAD_RATE = 0.2  # weight of the newest frame in the load
COMPARE_RATE = 0.7  # share (of its logarithm) of a surprise after a climb in the cost of the rung
MARGIN = 3.0  # mean deviations of the load: at most one frame in a hundred is late
MIN_DEVIATION = 0.03  # of the load, since a few equal frames prove nothing
CLIMB_AFTER = 8  # frames for which a better rung must have fitted
ROOM_TO_CLIMB = 0.92  # of the budget: a rung that only just fits will soon be late
CARRY_FRAMES = 8
LONGEST_CARRY = 100  # so that at most one frame in a hundred is late


@dataclass(slots=True)
class QualityLadder:
    """Costs of rungs and check levels in ms per megapixel, best first, and the load on them."""

    costs: tuple[float, ...]
    check_costs: tuple[float, ...] = ()
    load: float = 1.0
    deviation: float = MIN_DEVIATION
    rung: int | None = None  # of the last frame
    learnt: int | None = None  # rung of the frame that the load was last learnt from
    fitted: int = 0  # consecutive frames for which a better rung would have fitted

    def expected_ms(self, rung: int, megapixels: float) -> float:
        """Time that a frame takes on a rung, with the margin."""
        return self._expected(self.costs[rung], megapixels)

    def check_ms(self, level: int, megapixels: float) -> float:
        """Time that a level of the check takes, with the margin."""
        return self._expected(self.check_costs[level], megapixels)

    def check_within(self, budget_ms: float, megapixels: float) -> int | None:
        """The best level of the check that fits, if there is one."""
        levels = range(len(self.check_costs))
        return next((k for k in levels if self.check_ms(k, megapixels) <= budget_ms), None)

    def choose(self, budget_ms: float, megapixels: float) -> int:
        """Choose the rung of the next frame."""
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
        """Update the load from a frame.

        Parameters
        ----------
        rung : int
            The rung that the frame had.
        used_ms : float
            The time that it took, without its check.
        megapixels : float
            Its size.
        cut : bool
            The frame was cut short, so that `used_ms` is only a lower bound.
        """
        climbed, self.learnt = self.learnt is not None and rung < self.learnt, rung
        if climbed and not cut:
            self._compare(rung, used_ms / megapixels)
        load = used_ms / (self.costs[rung] * megapixels)
        if cut:
            load = max(load, self.load)
        self.deviation += LOAD_RATE * (abs(load - self.load) - self.deviation)
        self.deviation = max(self.deviation, MIN_DEVIATION)
        self.load += LOAD_RATE * (load - self.load)

    def _compare(self, rung: int, cost: float) -> None:
        """Move the cost of a rung towards its cost relative to the rung before."""
        surprise = cost / (self.costs[rung] * self.load)
        moved = self.costs[rung] * surprise**COMPARE_RATE
        self.costs = (*self.costs[:rung], moved, *self.costs[rung + 1 :])

    def _expected(self, cost: float, megapixels: float) -> float:
        return cost * megapixels * (self.load + MARGIN * self.deviation)

    def _best_within(self, budget_ms: float, megapixels: float) -> int:
        """The best rung that fits, or the quickest if none does."""
        last = len(self.costs) - 1
        fits = (k for k in range(last) if self.expected_ms(k, megapixels) <= budget_ms)
        return next(fits, last)


class PolicyState(NamedTuple):
    """What the policy keeps from frame to frame."""

    ladder: QualityLadder | None = None  # None: no costs, and every frame gets the best rung
    carried: int = 0  # consecutive frames with a carried map


class Choice(NamedTuple):
    """What is done for a frame."""

    rung: ReadyRung
    place: int | None  # of the rung in the ladder; None: not in the ladder of this stream
    check: ReadyCheck | None  # None: the findings of an earlier frame are carried
    check_ms: float | None  # time granted to the check; None: no limit


class FramePlan(NamedTuple):
    """The decisions for a frame, taken before it starts.

    Attributes
    ----------
    see : ReadyRung
        The rung whose view and motion are computed first.
    tracked : Choice
        What is done if the motion from the frame before is found.
    lost : Choice
        What is done if there is no frame before, or the scene has changed.
    state : PolicyState
        Of the policy, after the decision.
    """

    see: ReadyRung
    tracked: Choice
    lost: Choice
    state: PolicyState


@dataclass(frozen=True, slots=True, eq=False)
class QualityPolicy:
    """Decides how much is done for each frame of a stream.

    Parameters
    ----------
    rungs : tuple of ReadyRung
        The rungs that a frame may have, best first.
    checks : tuple of ReadyCheck
        The levels of the check, best first. If there are none, findings are carried.
    budget : Budget
        Time of a frame, and of the check.
    """

    rungs: tuple[ReadyRung, ...]
    checks: tuple[ReadyCheck, ...]
    budget: Budget = Budget()

    def plan(
        self, before: PolicyState, megapixels: float, *, map_age: float, has_findings: bool
    ) -> FramePlan:
        """Decide how much is done for a frame.

        Parameters
        ----------
        before : PolicyState
            After the last frame.
        megapixels : float
            Size of the frame.
        map_age : float
            Frames that the temporal filter averages in the map of the last frame.
        has_findings : bool
            Whether an earlier frame was checked.
        """
        ladder = replace(before.ladder) if before.ladder else None
        place = self._rung_within(ladder, megapixels)
        see = self.rungs[place]
        estimate = see.instead or see
        too_old = self._is_too_old(estimate, ladder, before.carried, map_age, megapixels)

        def choice(rung: ReadyRung, *, must_check: bool) -> Choice:
            own = self.rungs.index(rung) if rung in self.rungs else None
            check_ms = self._check_ms(ladder, place if own is None else own, megapixels)
            check = self._check_within(check_ms, ladder, megapixels, must_check=must_check)
            return Choice(rung, own, check, check_ms)

        return FramePlan(
            see=see,
            tracked=choice(estimate if too_old else see, must_check=not has_findings),
            lost=choice(estimate, must_check=True),
            state=PolicyState(ladder, before.carried),
        )

    def after(
        self,
        plan: FramePlan,
        choice: Choice,
        *,
        map_ms: float,
        megapixels: float,
        cut: bool,
        blocked: bool,
    ) -> PolicyState:
        """Learn from a frame.

        Parameters
        ----------
        plan, choice : FramePlan, Choice
            What was decided for the frame, and which case occurred.
        map_ms : float
            Time that the frame took, without its check.
        megapixels : float
            Its size.
        cut : bool
            Less was done than the rung has.
        blocked : bool
            The frame was passed through, so that its time says nothing about the rung.
        """
        ladder, carried = plan.state
        if blocked:
            return PolicyState(ladder, 0)
        if ladder is not None and choice.place is not None:
            ladder.learn(choice.place, map_ms, megapixels, cut=cut)
        return PolicyState(ladder, carried + 1 if choice.rung.instead else 0)

    def frame_ms(self, ladder: QualityLadder, rung: int, megapixels: float) -> float:
        """Time that a frame takes on a rung with its check, with the margin."""
        return self._check_share_ms(ladder, megapixels) + ladder.expected_ms(rung, megapixels)

    def _rung_within(self, ladder: QualityLadder | None, megapixels: float) -> int:
        """The rung of the next frame: the map has the time that the check's share leaves."""
        total_ms = self.budget.total_ms
        if ladder is None or total_ms is None:
            return 0
        return ladder.choose(total_ms - self._check_share_ms(ladder, megapixels), megapixels)

    def _is_too_old(
        self,
        estimate: ReadyRung,
        ladder: QualityLadder | None,
        carried: int,
        map_age: float,
        megapixels: float,
    ) -> bool:
        """Whether a new map is estimated although the last one could be carried."""
        if carried < min(max(map_age, 1.0), CARRY_FRAMES):
            return False
        total_ms = self.budget.total_ms
        if total_ms is None or carried >= LONGEST_CARRY:
            return True
        if ladder is None or estimate not in self.rungs:
            return False
        return self.frame_ms(ladder, self.rungs.index(estimate), megapixels) <= total_ms

    def _check_share_ms(self, ladder: QualityLadder, megapixels: float) -> float:
        """Time reserved for the check: its share, or less if its best level takes less."""
        return min(self._check_budget_ms(), ladder.check_ms(0, megapixels))

    def _check_budget_ms(self) -> float:
        """The check's own budget, or its share of that of the frame; infinite without any."""
        budget = self.budget
        return budget.stages_ms.get(CHECK, CHECK_SHARE * (budget.total_ms or math.inf))

    def _check_ms(self, ladder: QualityLadder | None, rung: int, megapixels: float) -> float | None:
        """Time granted to the check of a frame; None: no limit.

        A budget of its own is a limit. Without one, it has its share or what the map leaves,
        whichever is more.
        """
        budget = self.budget
        if CHECK in budget.stages_ms or ladder is None or budget.total_ms is None:
            return budget.stages_ms.get(CHECK)
        left_ms = budget.total_ms - ladder.expected_ms(rung, megapixels)
        return max(self._check_budget_ms(), left_ms)

    def _check_within(
        self,
        allowed_ms: float | None,
        ladder: QualityLadder | None,
        megapixels: float,
        *,
        must_check: bool,
    ) -> ReadyCheck | None:
        """The best level of the check that fits; None: findings are carried."""
        if not self.checks:
            return None
        if ladder is None or allowed_ms is None:
            return self.checks[0]
        found = ladder.check_within(allowed_ms, megapixels)
        if found is None:
            return self.checks[-1] if must_check else None
        return self.checks[found]
