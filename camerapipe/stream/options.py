"""How a stream runs: the values that a person or an app may set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from camerapipe.budget import Budget
from camerapipe.settings import Settings
from camerapipe.stream.line import Rules
from camerapipe.stream.profile import Profile
from camerapipe.stream.sources import SYNTHETIC_FPS

STUCK_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamOptions:
    """How a stream runs; everything but the settings has a default."""

    settings: Settings
    budget: Budget = Budget()
    policy: Literal["block", "latest"] = "block"
    in_flight: int | None = None  # None: 4 where nothing may be lost, 2 where the newest wins
    max_bytes: float = 2e9  # of the frames in flight
    frames: int | None = None  # stop after so many
    stuck_s: float = STUCK_S  # a frame that takes a stage longer has failed
    rung: str | None = None  # always this one; None: the best, or what the budget allows
    profile: Profile | None = None  # None: measured on this machine
    place: float = 0.5  # in the range of the profile's scales: 0 the fastest, 1 the slowest
    seed: int = 0
    distance_m: float | None = None
    focus_point: tuple[float, float] | None = None
    force: bool = False

    @property
    def nearest_focus_m(self) -> float:
        """Distance at which the lens of a simulated device can still focus; 0 where unknown."""
        return self.profile.lens.nearest_focus_m if self.profile else 0.0

    @property
    def sensor_fps(self) -> float:
        """Rate of a synthetic scene."""
        return self.profile.sensor.fps if self.profile else SYNTHETIC_FPS

    @property
    def rules(self) -> Rules:
        """What the line allows."""
        wanted = self.in_flight or (2 if self.policy == "latest" else 4)
        memory = self.profile.memory_mb * 1e6 if self.profile else self.max_bytes
        return Rules(
            policy=self.policy,
            max_in_flight=wanted,
            max_bytes=memory,
            source_timeout_s=self.stuck_s,
        )
