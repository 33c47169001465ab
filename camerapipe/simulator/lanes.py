"""Lanes: rows of stages that frames of the sensor pass on a simulated device."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from camerapipe.capture import Capture
from camerapipe.shot import Shot
from camerapipe.simulator.module import Exposure
from camerapipe.simulator.requests import CaptureRequest, FrameMetadata
from camerapipe.stream.frames import Arrival, Event, Fate, InFlight, Outcome
from camerapipe.stream.line import Line, Rules, Stage
from camerapipe.stream.shown import Shown
from camerapipe.stream.virtual import VirtualScheduler
from stages.forward import RawFrame


@dataclass(slots=True, eq=False)
class Ticket:
    """A request on its way through the camera, and what has been made of it."""

    request_id: int
    request: CaptureRequest
    repeating: bool
    number: int | None = None  # of its frame, from its exposure on
    exposure: Exposure | None = None
    arrives_s: float = 0.0  # when its last row has come from the sensor
    lost: bool = False
    metadata: FrameMetadata | None = None
    raw: RawFrame | None = None
    picture: Capture | None = None
    shown: Shown | None = None
    shot: Shot | None = None


class Lane:
    """A line whose frames are put into it.

    Parameters
    ----------
    stages : sequence of Stage
        They take and return a `Ticket`.
    scheduler : VirtualScheduler
        Runs them.
    rules : Rules
        Limits.
    end : callable
        Is called with each ticket and its outcome.
    observe : callable
        Is called with every event, by the number of the frame, and what is in flight.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        scheduler: VirtualScheduler,
        rules: Rules,
        end: Callable[[Ticket, Outcome], None],
        observe: Callable[[Event, InFlight], None],
    ) -> None:
        self._clock, self._end, self._observe = scheduler.clock, end, observe
        self._waiting: deque[tuple[Ticket, int]] = deque()
        self._inside: dict[int, Ticket] = {}  # by the numbers of the line
        self._closed = False
        self.line = Line(self._frames(), stages, scheduler, rules, self._note, self._is_ready)
        self.processes = self.line.processes()

    @property
    def length(self) -> int:
        """Number of frames in the lane."""
        return len(self._waiting) + len(self._inside)

    def put(self, ticket: Ticket, size_bytes: int) -> None:
        """Add a frame that has just been read from the sensor."""
        self._waiting.append((ticket, size_bytes))

    def skip(self, ticket: Ticket) -> None:
        """Count a frame that is done without the stages."""
        assert ticket.number is not None and ticket.exposure is not None
        self.line.tally.submitted += 1
        self.line.tally.fates[Fate.DONE] += 1
        start_s, now_s = ticket.exposure.start_s, self._clock()
        done = Outcome(seq=ticket.number, fate=Fate.DONE, captured_s=start_s, ended_s=now_s)
        self._observe(done, self.line.in_flight)

    def close(self) -> None:
        """No more frames come."""
        self._closed = True

    def _is_ready(self) -> Any:
        return self._waiting or self._closed

    def _frames(self) -> Iterator[Arrival]:
        """Frames as the line takes them, whose times count from the first."""
        seq, begin_s = 0, 0.0
        while self._waiting:
            ticket, size_bytes = self._waiting.popleft()
            assert ticket.exposure is not None
            begin_s = self._clock() if seq == 0 else begin_s
            self._inside[seq] = ticket
            seq += 1
            at_s = ticket.exposure.start_s - begin_s
            yield Arrival(value=ticket, captured_s=at_s, filmed_s=at_s, size_bytes=size_bytes)

    def _note(self, event: Event) -> None:
        ticket = self._inside[event.seq]
        assert ticket.number is not None
        told: Event = replace(event, seq=ticket.number)
        if isinstance(told, Outcome):
            told = replace(told, value=ticket.shown if told.fate is Fate.DONE else None)
        self._observe(told, self.line.in_flight)
        if isinstance(event, Outcome):
            self._end(self._inside.pop(event.seq), event)
