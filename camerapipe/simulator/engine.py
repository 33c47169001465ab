"""The engine of a camera: requests in, exposures in time, results out.

    requests -> sensor -> readout -+-> preview lane: isp, graph, deliver   (the newest wins)
                                   +-> capture lane: isp, still, deliver   (none is lost)
                                   +-> ring buffer of the newest frames

It guarantees the following, whatever fails, stops or is late:

- every request ends in exactly one `Result` or one `Failure` with its reason;
- frames are exposed in the order of their numbers, and single requests before the repeating one;
- results of a lane come in the order of their frame numbers;
- requests, frames and pixels in flight are bounded;
- the same requests, profile and seed give the same events, since time is virtual.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from camerapipe.errors import RequestError
from camerapipe.simulator.lanes import Lane, Ticket
from camerapipe.simulator.module import CameraModule, Exposure, sensor_error
from camerapipe.simulator.processing import Processor
from camerapipe.simulator.requests import (
    NS,
    CameraEvent,
    CaptureRequest,
    Failure,
    FailureReason,
    Partial,
    Result,
    Started,
    Target,
)
from camerapipe.simulator.ring import Ring
from camerapipe.stream.account import Account, StreamReport
from camerapipe.stream.exposures import BYTES_PER_PX, FrameSource
from camerapipe.stream.faults import NO_FAULTS, Faults
from camerapipe.stream.frames import Event, Fate, InFlight, Outcome
from camerapipe.stream.line import Rules, Stage
from camerapipe.stream.options import StreamOptions
from camerapipe.stream.scheduler import Process, When
from camerapipe.stream.virtual import VirtualScheduler

MAX_PENDING = 256  # single requests that wait for their exposure
MAX_CAPTURES = 8  # single requests between exposure and result; more wait, and the preview repeats
MAX_READING = 4  # frames between the start of their exposure and the end of their readout
NEVER = sys.maxsize
NO_MORE = "the source has no more frames"
FAILED = {
    Fate.DROPPED: FailureReason.DROPPED,
    Fate.FAILED: FailureReason.ERROR,
    Fate.CANCELLED: FailureReason.CLOSED,
}


class Engine:
    """Runs one camera.

    Parameters
    ----------
    module : CameraModule
        Scene, lens, sensor and 3A.
    options : StreamOptions
        Of preview and stills, with a profile.
    emit : callable
        Is called with every event of the camera, in the order of virtual time.
    faults : Faults
        Of the sensor.
    observe : callable
        Is called with every event of a lane, by its name, and with what is in flight.
    """

    def __init__(
        self,
        module: CameraModule,
        options: StreamOptions,
        emit: Callable[[CameraEvent], None],
        faults: Faults = NO_FAULTS,
        observe: Callable[[str, Event, InFlight], None] = lambda lane, event, in_flight: None,
    ) -> None:
        self.repeating: CaptureRequest | None = None
        self.frames = 0  # that the sensor has exposed
        self._module, self._emit, self._faults = module, emit, faults
        self._scheduler = VirtualScheduler()
        self.clock = self._scheduler.clock
        self._open: dict[int, Ticket] = {}  # requests that have not ended
        self._pending: deque[Ticket] = deque()  # single requests that were not exposed yet
        self._reading: deque[Ticket] = deque()
        self._issued, self._next_s = 0, faults.start_s
        self._lost = 0  # frames that the sensor lost
        self._before: Ticket | None = None  # the frame before, which a fault may repeat
        self._ring = Ring()
        self._closing = self.ended = False
        self._frame_bytes = BYTES_PER_PX * module.size[0] * module.size[1]
        self.processor = Processor(options, self.clock, lambda: self._makes_work())
        self._account, self._options = Account(), options
        self._observe = observe
        self._lanes = self._lanes_on(options)
        self._preview, self._captures = self._lanes
        lines = [process for lane in self._lanes for process in lane.processes]
        self._scheduler.begin([self._sense(), self._read(), *lines])

    def submit(self, requests: Sequence[CaptureRequest]) -> list[int]:
        """Add single requests, to be exposed one after the other; gives their numbers.

        Raises
        ------
        RequestError
            If too many requests wait.
        """
        if len(self._pending) + len(requests) > MAX_PENDING:
            raise RequestError(
                f"capture: {len(self._pending)} requests wait already, of {MAX_PENDING} at most; "
                "wait for results before asking for more"
            )
        tickets = [self._ticket(request, repeating=False) for request in requests]
        for ticket in tickets:
            if self.ended:
                self._fail(ticket, FailureReason.CLOSED, NO_MORE)
                continue
            buffered = self._ring.best(self.clock()) if ticket.request.zero_shutter_lag else None
            if buffered is None or self._captures.length >= MAX_CAPTURES:
                self._pending.append(ticket)
                continue
            ticket.number, ticket.exposure, ticket.metadata = buffered
            self._route(ticket)
        return [ticket.request_id for ticket in tickets]

    def flush(self) -> None:
        """End all single requests that were not exposed yet."""
        while self._pending:
            self._fail(self._pending.popleft(), FailureReason.FLUSHED, "flushed before exposure")

    def advance(self, until_s: float = float("inf")) -> bool:
        """Let something happen, at most until a moment; False if nothing can."""
        if self._scheduler.step(until_s):
            return True
        if until_s < float("inf"):
            self.clock.now_s = max(self.clock.now_s, until_s)
        return False

    def close(self) -> None:
        """End all requests and processes."""
        self._closing = True
        self.repeating = None
        for lane in self._lanes:
            lane.close()
            lane.line.stop(drain=False)
        while self._scheduler.step():
            pass
        for ticket in list(self._open.values()):
            self._fail(ticket, FailureReason.CLOSED, "the camera was closed")

    def report(self) -> StreamReport:
        """Report of the preview so far."""
        module, tally = self._module, replace(self._preview.line.tally, lost=self._lost)
        fps = self._options.sensor_fps
        source = FrameSource(module.name, "camera", fps, iter(()))
        ended = "complete" if self.ended else "stopped"
        return self._account.report(source, self._options, tally, ended)

    @property
    def open_requests(self) -> int:
        """Number of requests that have not ended."""
        return len(self._open)

    @property
    def ring(self) -> Ring:
        """The newest frames, for zero shutter lag."""
        return self._ring

    def _ticket(self, request: CaptureRequest, *, repeating: bool) -> Ticket:
        ticket = Ticket(self._issued, request, repeating)
        self._issued += 1
        self._open[ticket.request_id] = ticket
        return ticket

    def _sense(self) -> Process:
        """Expose frames, each at its time, as long as something is asked for."""
        while True:
            yield When(lambda: self._closing or self._has_work())
            yield When(lambda: self._closing, max(self._next_s, self.clock()))
            if self._closing:
                break
            ticket = self._take()
            if ticket is None:  # what was asked for has been taken back
                continue
            try:
                settled_s = self._module.settle_s(ticket.request.controls, self.clock())
                if not ticket.repeating and settled_s > self.clock():
                    yield When(lambda: self._closing, settled_s)
                    if self._closing:
                        break
                exposure = self._module.begin(ticket.request.controls, self.frames, self.clock())
            except Exception as error:
                self._next_s = self.clock() + 1 / self._options.sensor_fps
                self._fail(ticket, FailureReason.ERROR, sensor_error(error))
                continue
            if exposure is None:
                self._end_source(ticket)
                break
            self._expose(ticket, exposure)

    def _has_work(self) -> bool:
        if len(self._reading) >= MAX_READING:
            return False
        return self._has_capture() or self.repeating is not None

    def _has_capture(self) -> bool:
        exposed = sum(not ticket.repeating for ticket in self._reading)
        return bool(self._pending) and self._captures.length + exposed < MAX_CAPTURES

    def _take(self) -> Ticket | None:
        """The request of the next frame."""
        if self._has_capture():
            return self._pending.popleft()
        return None if self.repeating is None else self._ticket(self.repeating, repeating=True)

    def _end_source(self, ticket: Ticket) -> None:
        """End what was asked for when the module has no more frames."""
        self.ended = True
        for each in (ticket, *self._pending):
            self._fail(each, FailureReason.CLOSED, NO_MORE)
        self._pending.clear()
        self.repeating = None

    def _expose(self, ticket: Ticket, exposure: Exposure) -> None:
        """Take an exposure that begins now."""
        now_s, number, faults = self.clock(), self.frames, self._faults
        self.frames += 1
        self._next_s = now_s + exposure.duration_s
        ticket.number, ticket.exposure = number, exposure
        ticket.lost = faults.loses(number)
        if self._before is not None and faults.repeats(number):
            ticket.exposure = self._before.exposure
        self._before = ticket
        latest_s = self._reading[-1].arrives_s if self._reading else 0.0
        ticket.arrives_s = max(exposure.end_s + faults.stall_s(number), latest_s)
        self._reading.append(ticket)
        stamp = round(exposure.start_s * NS)
        self._emit(Started(
            request_id=ticket.request_id, frame_number=number, sensor_timestamp_ns=stamp,
            repeating=ticket.repeating,
        ))  # fmt: skip

    def _read(self) -> Process:
        """Take frames whose last row has been read, in order."""
        while True:
            yield When(lambda: self._closing or self._reading)
            if self._closing:
                break
            ticket = self._reading[0]
            yield When(lambda: self._closing, ticket.arrives_s)
            if self._closing:
                break
            self._reading.popleft()
            if ticket.lost:
                self._lost += 1
                self._fail(ticket, FailureReason.LOST, "the sensor lost the frame")
                continue
            assert ticket.exposure is not None and ticket.number is not None
            try:
                ticket.metadata = self._module.finish(ticket.exposure)
            except Exception as error:
                self._fail(ticket, FailureReason.ERROR, sensor_error(error))
                continue
            self._ring.add(ticket.number, ticket.exposure, ticket.metadata)
            self._route(ticket)

    def _route(self, ticket: Ticket) -> None:
        """Tell the metadata of a frame that was read, and process it as far as its target says."""
        assert ticket.metadata is not None and ticket.number is not None
        self._emit(Partial(
            request_id=ticket.request_id, request=ticket.request, frame_number=ticket.number,
            metadata=ticket.metadata, repeating=ticket.repeating,
        ))  # fmt: skip
        lane = self._preview if ticket.repeating else self._captures
        if ticket.request.target is Target.METADATA:
            lane.skip(ticket)
            self._complete(ticket)
        else:
            lane.put(ticket, self._frame_bytes)

    def _makes_work(self) -> bool:
        return self.repeating is not None and self.repeating.target is not Target.METADATA

    def _lanes_on(self, options: StreamOptions) -> tuple[Lane, Lane]:
        work, stuck_s = self.processor, options.stuck_s
        max_bytes = max(options.rules.max_bytes, self._frame_bytes)  # one frame always fits
        preview = (
            Stage(name="isp", function=work.develop_preview, timeout_s=stuck_s),
            Stage(name="graph", function=work.show, timeout_s=stuck_s),
        )
        captures = (
            Stage(name="still isp", function=work.develop_still),
            Stage(name="still", function=work.shoot),
        )
        newest = Rules(
            policy="latest", max_in_flight=options.rules.max_in_flight, max_bytes=max_bytes,
            give_up_after=NEVER,
        )  # fmt: skip
        every = Rules(max_in_flight=2, max_bytes=max_bytes, give_up_after=NEVER)
        return (
            Lane(preview, self._scheduler, newest, self._end,
                 partial(self._note, "preview")),
            Lane(captures, self._scheduler, every, self._end,
                 partial(self._note, "capture")),
        )  # fmt: skip

    def _note(self, lane: str, event: Event, in_flight: InFlight) -> None:
        if lane == "preview":
            self._account.add(event)
        self._observe(lane, event, in_flight)

    def _end(self, ticket: Ticket, outcome: Outcome) -> None:
        """End a request that has passed a lane."""
        if outcome.fate is Fate.DONE:
            self._complete(ticket)
        else:
            where = f"{outcome.stage}: " if outcome.stage else ""
            self._fail(ticket, FAILED[outcome.fate], f"{where}{outcome.reason}")

    def _complete(self, ticket: Ticket) -> None:
        del self._open[ticket.request_id]
        assert ticket.metadata is not None and ticket.number is not None
        result = Result(
            request_id=ticket.request_id, request=ticket.request, repeating=ticket.repeating,
            frame_number=ticket.number, metadata=ticket.metadata, ended_s=self.clock(),
            raw=ticket.raw, picture=ticket.picture, shown=ticket.shown, shot=ticket.shot,
            device=ticket.exposure.device if ticket.exposure else None,
        )  # fmt: skip
        self._emit(result)

    def _fail(self, ticket: Ticket, reason: FailureReason, message: str) -> None:
        del self._open[ticket.request_id]
        failure = Failure(
            request_id=ticket.request_id, request=ticket.request, repeating=ticket.repeating,
            frame_number=ticket.number, reason=reason, message=message, ended_s=self.clock(),
        )  # fmt: skip
        self._emit(failure)
