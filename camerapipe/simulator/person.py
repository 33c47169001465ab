"""A simulated person, who holds the camera and obeys its advice.

The person acts on `advice.code` alone, `REACTION_S` after it appears, and repeats what can be
repeated every `REPEAT_S` as long as it stays:

    move_closer               walks, by a share of the distance in each second, until it changes
    move_back                 steps back, and then taps on the subject
    refocus                   stands, and taps on the subject; if that does not help twice, steps
                              back before each further tap
    hold_still                stands, and holds the camera in both hands
    more_light                stands, and lights a lamp
    find_detail               stands, and turns to the subject
    shoot                     stands, and after another reaction time releases the shutter
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from stages.forward import Pose, Tremor

REACTION_S = 0.5
REPEAT_S = 1.0
PACE_PER_S = 0.35  # share of the distance (as a rate) that a person walks
STEADIED = 0.15  # tremor in both hands over that in one
LAMP = 4.0  # factor of the light level
TURN_S = 0.4
Act = Literal["tap", "shutter"]  # what a person does with the camera
ACTS: dict[str, Act] = {"refocus": "tap", "shoot": "shutter"}
VAIN_TAPS = 2  # after which a person no longer stands where nothing gets sharp
STEP_S = 0.5  # time of a step back


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What the person can do: least and largest distance to the subject, and most light."""

    nearest_m: float = 0.15
    farthest_m: float = 6.0
    most_lux: float = 500.0


class Leg(NamedTuple):
    """A part of the way: since when, from what distance, at which rate (share per s)."""

    since_s: float
    distance_m: float
    rate_per_s: float


class Step(NamedTuple):
    """A value from a time on."""

    since_s: float
    value: float


@dataclass(slots=True)
class Person:
    """Where the person stands, how steady, and in what light, as functions of time.

    What a person does changes the present and the future only: frames of the past stay the same.

    Parameters
    ----------
    subject_m : float
        Distance of the subject from the origin of the scenery.
    distance_m : float
        Distance of the person from the subject at the start.
    lux : float
        Light level at the start.
    tremor : Tremor
        Of one hand.
    yaw_rad : float
        How far the camera looks past the subject at the start.
    reach : Reach
        What the person can do.
    """

    subject_m: float
    distance_m: float
    lux: float
    tremor: Tremor
    yaw_rad: float = 0.0
    reach: Reach = Reach()
    code: str = ""
    _since_s: float = 0.0  # of the code
    _acted_s: float = -math.inf  # last action
    _legs: list[Leg] = field(default_factory=list)
    _lights: list[Step] = field(default_factory=list)
    _still_s: float = math.inf  # from when on the camera is held in both hands
    _taps: int = 0  # since this advice appeared
    _tap_s: float = math.inf  # when the subject is tapped on after a step
    _turned_s: float = math.inf  # from when on the person turns

    def __post_init__(self) -> None:
        self._legs.append(Leg(-math.inf, self.distance_m, 0.0))
        self._lights.append(Step(-math.inf, self.lux))

    def distance_at(self, time_s: float) -> float:
        """Distance from the subject, m."""
        leg = next(each for each in reversed(self._legs) if each.since_s <= time_s)
        if not leg.rate_per_s:
            return leg.distance_m
        walked = leg.distance_m * math.exp(-leg.rate_per_s * (time_s - leg.since_s))
        least = min(leg.distance_m, self.reach.nearest_m)
        most = max(leg.distance_m, self.reach.farthest_m)
        return min(max(walked, least), most)

    def lux_at(self, time_s: float) -> float:
        """Light level."""
        return next(each.value for each in reversed(self._lights) if each.since_s <= time_s)

    def pose(self, time_s: float) -> Pose:
        """Pose of the camera before the scenery."""
        yaw, pitch = self.tremor.angles(time_s)
        steadied = STEADIED if time_s >= self._still_s else 1.0
        left = min(max(1 - (time_s - self._turned_s) / TURN_S, 0.0), 1.0)
        return Pose(
            forward_m=self.subject_m - self.distance_at(time_s),
            yaw_rad=steadied * yaw + left * self.yaw_rad,
            pitch_rad=steadied * pitch,
        )

    def advised(self, code: str, now_s: float) -> Act | None:
        """Read an advice; gives what the person does with the camera now, if anything.

        Parameters
        ----------
        code : str
            Of the advice that is shown.
        now_s : float
            The time.
        """
        if code != self.code:
            self.code, self._since_s, self._acted_s = code, now_s, -math.inf
            self._taps = 0
            self._walk(PACE_PER_S if code == "move_closer" else 0.0, now_s + REACTION_S)
        waits_s = max(self._since_s + REACTION_S, self._acted_s + REPEAT_S)
        if code == "shoot":  # nobody releases the shutter while walking
            waits_s = max(waits_s, self._legs[-1].since_s + REACTION_S)
        if now_s >= self._tap_s:
            self._tap_s = math.inf
            return "tap"
        if now_s < waits_s or code == "move_closer" or now_s < self._legs[-1].since_s:
            return None
        self._acted_s = now_s
        if code == "more_light":
            self._lights.append(Step(now_s, self._brighter(now_s)))
        elif code == "hold_still":
            self._still_s = min(self._still_s, now_s)
        elif code == "move_back" or (code == "refocus" and self._taps >= VAIN_TAPS):
            self._acted_s = self._tap_s = now_s + STEP_S
            self._walk(-PACE_PER_S, now_s)
            self._walk(0.0, self._tap_s)
            return None
        elif code == "find_detail":
            self._turned_s = min(self._turned_s, now_s)
        self._taps += code == "refocus"
        return ACTS.get(code)

    def _walk(self, rate_per_s: float, since_s: float) -> None:
        """Walk from a moment on; rate 0: stand."""
        if rate_per_s != self._legs[-1].rate_per_s:
            self._legs.append(Leg(since_s, self.distance_at(since_s), rate_per_s))

    def _brighter(self, now_s: float) -> float:
        before = self.lux_at(now_s)
        return max(min(LAMP * before, self.reach.most_lux), before)
