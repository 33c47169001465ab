"""From the events of a camera to a trace: its lanes, its sensor, its 3A."""

from __future__ import annotations

from typing import Literal

from camerapipe.simulator.requests import CameraEvent, Failure, FailureReason, Partial, Started
from camerapipe.stream.frames import Event, InFlight
from camerapipe.stream.tracing import LOST, Tracing
from camerapipe.trace import Tracer

CAPTURE: Literal["capture"] = "capture"
READING = "frames in the sensor"
CONTROL = "3A"  # track of the states of auto-exposure, autofocus and white balance
STATES = ("ae_state", "af_state", "awb_state")


class CameraTracing:
    """Writes the events of a camera to a trace."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._preview, self._captures = Tracing(tracer), Tracing(tracer, CAPTURE)
        self._reading: set[int] = set()  # requests whose frames are in the sensor
        self._lost = 0
        self._states: dict[str, str] = {}

    def note(self, lane: str, event: Event, in_flight: InFlight) -> None:
        """Write an event of a lane."""
        (self._captures if lane == CAPTURE else self._preview).note(event, in_flight)

    def note_event(self, event: CameraEvent, now_s: float) -> None:
        """Write an event of the camera."""
        before = len(self._reading)
        if isinstance(event, Started):
            self._reading.add(event.request_id)
        else:
            self._reading.discard(event.request_id)
        if len(self._reading) != before:
            self._tracer.counter(READING, now_s, len(self._reading))
        if isinstance(event, Partial):
            self._note_states(event, now_s)
        elif isinstance(event, Failure) and event.reason is FailureReason.LOST:
            self._lost += 1
            self._tracer.counter(LOST, now_s, self._lost)

    def _note_states(self, event: Partial, now_s: float) -> None:
        for name in STATES:
            state = getattr(event.metadata, name)
            if self._states.get(name) != state:
                self._states[name] = state
                self._tracer.instant(CONTROL, f"{name}: {state}", now_s, frame=event.frame_number)
