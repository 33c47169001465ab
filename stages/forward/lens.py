"""A lens that focuses: thin-lens blur, magnification with focus breathing, and its actuator.

Focus is in dioptres, as in Camera2's LENS_FOCUS_DISTANCE: 1 / distance in m, 0 at infinity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from stages.optics import Lens

TIME_CONSTANTS = 4.0  # until an exponential approach is within 2 % of its goal (settling time)
FOCUS_STEPS_PER_DPT = 1024  # rounding of the position, as of a driver with a DAC


@dataclass(frozen=True, slots=True, kw_only=True)
class Optics:
    """A lens for the forward model.

    Attributes
    ----------
    lens : Lens
        Focal length and f-number; its sensor is that of all pixels.
    nearest_focus_m : float
        Nearest distance that it can focus at.
    breathing : float
        Share of the thin lens's change of magnification with the focus: 1 for a lens that moves as
        a whole, 0 for a lens that is corrected for it.
    spot_um : float
        Standard deviation of the image of a point in focus: aberrations and diffraction.
    transmittance : float
        Share of the light that passes.
    """

    lens: Lens
    nearest_focus_m: float = 0.1
    breathing: float = 1.0
    spot_um: float = 1.6
    transmittance: float = 0.9

    def __post_init__(self) -> None:
        focal_m = self.lens.focal_length_mm / 1000
        if not focal_m < self.nearest_focus_m < math.inf:
            raise ValueError(
                f"optics: nearest_focus_m must exceed the focal length {focal_m:g} m; "
                f"got {self.nearest_focus_m}"
            )

    @property
    def nearest_dpt(self) -> float:
        """Focus at the nearest distance, in dioptres."""
        return 1 / self.nearest_focus_m

    def blur_mm(self, focus_dpt: float, distance_m: float) -> float:
        """Diameter on the sensor of the blur of a point; negative for points before the focus."""
        return self.lens.defocus_mm2(focus_dpt / 1000) * (focus_dpt - 1 / distance_m) / 1000

    def image_distance_mm(self, focus_dpt: float) -> float:
        """Scale of the picture: mm on the sensor per unit of size / distance.

        A thin lens that is focused at s has its sensor at f / (1 - f / s).
        """
        f = self.lens.focal_length_mm
        grown = 1 / (1 - f * focus_dpt / 1000)
        return f * (1 + self.breathing * (grown - 1))

    def relative_light(self, focus_dpt: float) -> float:
        """Illuminance on the sensor per luminous exitance of the scenery.

        E = exitance * T / (4 N^2 (1 + m)^2), where (1 + m) = v / f is the bellows factor.
        """
        extension = 1 / (1 - self.lens.focal_length_mm * focus_dpt / 1000)
        return self.transmittance / (4 * self.lens.f_number**2 * extension**2)


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
