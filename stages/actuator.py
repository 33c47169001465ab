"""The motor that focuses a lens, as functions of time.

Focus is in dioptres, as in Camera2's LENS_FOCUS_DISTANCE: 1 / distance in m, 0 at infinity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

TIME_CONSTANTS = 4.0  # until an exponential approach is within 2 % of its goal (settling time)
FOCUS_STEPS_PER_DPT = 1024  # rounding of the position, as of a driver with a DAC


class FocusMotion(NamedTuple):
    """Movement of the lens: from where and since when to a goal; dioptres and s."""

    start_dpt: float = 0.0
    goal_dpt: float = 0.0
    since_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Actuator:
    """A focus motor: rate-limited, with a first-order approach to its goal.

    The lens moves at a constant speed until the rest is as short as the time constant at that
    speed, then exponentially. The time constant is a quarter of the settling time (to 2 %).

    Attributes
    ----------
    speed_dpt_per_s : float
        Largest speed.
    settling_ms : float
        From the end of the constant speed until the rest is 2 % of what it was then.
    tolerance_dpt : float
        The lens counts as stationary from this rest on.
    """

    speed_dpt_per_s: float = 100.0
    settling_ms: float = 15.0
    tolerance_dpt: float = 0.02

    def __post_init__(self) -> None:
        for name in ("speed_dpt_per_s", "settling_ms", "tolerance_dpt"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"actuator: {name} must be greater than 0; got {value}")

    def position_dpt(self, motion: FocusMotion, time_s: float) -> float:
        """Focus at a time, rounded to the steps of the driver."""
        rest = self._rest_dpt(motion, time_s)
        return round((motion.goal_dpt - rest) * FOCUS_STEPS_PER_DPT) / FOCUS_STEPS_PER_DPT

    def is_moving(self, motion: FocusMotion, time_s: float) -> bool:
        """Whether the lens is away from its goal: LENS_STATE_MOVING."""
        return abs(self._rest_dpt(motion, time_s)) > self.tolerance_dpt

    def command(self, motion: FocusMotion, goal_dpt: float, time_s: float) -> FocusMotion:
        """Movement after a command at a time; the same movement if the goal is the same."""
        goal = round(goal_dpt * FOCUS_STEPS_PER_DPT) / FOCUS_STEPS_PER_DPT
        if goal == motion.goal_dpt:
            return motion
        return FocusMotion(self.position_dpt(motion, time_s), goal, time_s)

    def _rest_dpt(self, motion: FocusMotion, time_s: float) -> float:
        """Signed distance to the goal."""
        span = motion.goal_dpt - motion.start_dpt
        constant_s = self.settling_ms / 1000 / TIME_CONSTANTS
        knee = min(abs(span), self.speed_dpt_per_s * constant_s)
        slewing_s = (abs(span) - knee) / self.speed_dpt_per_s
        passed_s = max(time_s - motion.since_s, 0.0)
        if passed_s < slewing_s:
            rest = abs(span) - self.speed_dpt_per_s * passed_s
        else:
            rest = knee * math.exp(-(passed_s - slewing_s) / constant_s)
        return math.copysign(rest, span)
