"""Events of a stream: plain data about its frames.

Every submitted frame ends in exactly one fate. Times are seconds on the clock of the scheduler.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple


class Fate(StrEnum):
    """How a frame ended."""

    DONE = "done"
    FAILED = "failed"  # a stage raised an error or exceeded its timeout
    DROPPED = "dropped"  # at the door, because a newer frame came
    CANCELLED = "cancelled"  # the stream was stopped before the frame was done


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A frame as a source hands it over.

    Attributes
    ----------
    value : Any
        The frame.
    captured_s : float or None
        When it is captured, in seconds after the first frame; None: as soon as there is room.
    filmed_s : float or None
        Its time within what was filmed, whenever it is delivered; None if that is unknown.
    readout_s : float
        Time that the sensor needs until the frame is available.
    size_bytes : int
        Memory that the frame takes while it is in flight.
    late_s : float
        By how much later than after the readout it arrives, if the source stalls.
    lost_before : int
        Frames that the source itself lost between the frame before and this one.
    """

    value: Any
    captured_s: float | None = None
    filmed_s: float | None = None
    readout_s: float = 0.0
    size_bytes: int = 0
    late_s: float = 0.0
    lost_before: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of one frame. If it is not done, `stage` and `reason` say where and why."""

    seq: int
    fate: Fate
    captured_s: float
    ended_s: float
    stage: str = ""
    reason: str = ""
    value: Any = field(default=None, repr=False)  # of the last stage, if the frame is done

    @property
    def age_ms(self) -> float:
        """Time from capture to the end: latency of a frame done, lateness of one dropped."""
        return (self.ended_s - self.captured_s) * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One frame in one stage: when it was queued, and when the stage began and ended."""

    seq: int
    stage: str
    queued_s: float
    started_s: float
    ended_s: float


class InFlight(NamedTuple):
    """Frames and bytes beyond the door, frames that wait for a stage, and frames lost so far.

    Attributes
    ----------
    frames, size_bytes : int
        Beyond the door.
    waiting : int
        For a stage, those at the door among them.
    dropped : int
        At the door, so far.
    lost : int
        By the source itself, so far.
    """

    frames: int
    size_bytes: int
    waiting: int = 0
    dropped: int = 0
    lost: int = 0


Event = Service | Outcome
Observer = Callable[[Event, InFlight], None]  # is called for every event, one at a time


@dataclass(slots=True)
class Tally:
    """Sums over a stream: submitted = in flight + done + failed + dropped + cancelled."""

    submitted: int = 0
    fates: Counter[Fate] = field(default_factory=Counter)
    drops: Counter[str] = field(default_factory=Counter)  # by reason
    most_in_flight: int = 0
    most_bytes: int = 0
    lost: int = 0  # by the source itself, before they were submitted

    @property
    def in_flight(self) -> int:
        """Frames whose fate is open."""
        return self.submitted - self.fates.total()
