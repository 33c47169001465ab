"""What a stream tells of its frames: plain data.

Every frame that was submitted ends in exactly one fate. Times are seconds on the clock of the
world the stream ran in.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Fate(StrEnum):
    """How a frame ended."""

    DONE = "done"
    FAILED = "failed"  # a stage raised, or took too long
    DROPPED = "dropped"  # at the door, because a newer frame came
    CANCELLED = "cancelled"  # the stream was stopped before its turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A frame as a source hands it over.

    `captured_s` is when it comes, in seconds after the first frame; None: as soon as there is room.
    A sensor takes `readout_s` until the frame is there. `filmed_s` is its time in what was filmed,
    whenever it comes; None where nobody knows. `size_bytes` is what it will take while it is in
    flight.
    """

    value: Any
    captured_s: float | None = None
    filmed_s: float | None = None
    readout_s: float = 0.0
    size_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of one frame. `stage` and `reason` say where and why it is not done."""

    seq: int
    fate: Fate
    captured_s: float
    ended_s: float
    stage: str = ""
    reason: str = ""
    value: Any = field(default=None, repr=False)  # of the last stage, where the frame is done

    @property
    def age_ms(self) -> float:
        """From capture to the end: the latency of a frame done, the lateness of one dropped."""
        return (self.ended_s - self.captured_s) * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One frame in one stage: how long it waited for it, and how long it took."""

    seq: int
    stage: str
    queued_s: float
    started_s: float
    ended_s: float


@dataclass(slots=True)
class Tally:
    """Sums that always hold: submitted = in flight + done + failed + dropped + cancelled."""

    submitted: int = 0
    fates: Counter[Fate] = field(default_factory=Counter)
    drops: Counter[str] = field(default_factory=Counter)  # by reason
    most_in_flight: int = 0
    most_bytes: int = 0

    @property
    def in_flight(self) -> int:
        """Frames whose fate is open."""
        return self.submitted - self.fates.total()
