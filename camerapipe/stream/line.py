"""The line: frames pass from a source through a row of stages, each stage in its own process.

It guarantees the following, whatever fails, stops or is delayed:

- every submitted frame ends in exactly one of done, failed, dropped, cancelled;
- frames leave in the order in which they came;
- frames and bytes in flight are bounded, at one place: the door before the first stage;
- with `block` no frame is lost, and a frame is taken from the source only if there is room for it;
- with `latest` the newest frame wins: if one waits at the door, a newer one replaces it. Frames are
  dropped at the door only, because further in work would already have been spent on them;
- if a frame fails or exceeds the timeout of a stage, no other frame is affected;
- `stop` ends the line in bounded time.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from camerapipe.errors import CaptureError, OutputError, RequestError
from camerapipe.stream.frames import Arrival, Event, Fate, InFlight, Outcome, Service, Tally
from camerapipe.stream.scheduler import Call, CallTimeoutError, Process, Scheduler, When

DropPolicy = Literal["block", "latest"]

DOOR = "door"
DRAIN_S = 10.0  # after a stop, for the frames that were already taken
ABORT_GRACE_S = 1.0  # for running calls when the line is aborted; then they are abandoned


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage: `function(value, state)` returns the next value and the next state.

    If a call fails or is abandoned, the state remains as it was before.
    """

    name: str
    function: Callable[[Any, Any], tuple[Any, Any]]
    state: Any = None
    timeout_s: float = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the line allows."""

    policy: DropPolicy = "block"
    max_in_flight: int = 3  # frames; with `latest`, one more may wait at the door
    max_bytes: float = math.inf  # of the frames beyond the door
    source_timeout_s: float = math.inf  # a source without a frame for longer has ended
    give_up_after: int = 30  # failures in a row

    def __post_init__(self) -> None:
        if self.policy not in get_args(DropPolicy):
            names = ", ".join(get_args(DropPolicy))
            raise RequestError(f"policy: expected one of {names}; got {self.policy!r}")
        if self.max_in_flight < 1:
            raise RequestError(f"in_flight: expected at least 1; got {self.max_in_flight}")


@dataclass(slots=True)
class _Job:
    """A frame in the line."""

    seq: int
    value: Any
    captured_s: float
    queued_s: float
    size_bytes: int
    inside: bool = False  # beyond the door


class Line:
    """A source and a row of stages. A line runs once.

    Parameters
    ----------
    source : iterator of Arrival
        Frames, in order.
    stages : sequence of Stage
        In the order in which a frame passes them.
    scheduler : Scheduler
        Runs the stages, and has the clock.
    rules : Rules
        Limits.
    observe : callable
        Is called with every `Service` and every `Outcome`, one at a time.
    ready : callable
        Whether the source can be asked for a frame. A source that blocks until it has one is
        always ready.
    """

    def __init__(
        self,
        source: Iterator[Arrival],
        stages: Sequence[Stage],
        scheduler: Scheduler,
        rules: Rules = Rules(),
        observe: Callable[[Event], None] = lambda event: None,
        ready: Callable[[], Any] = lambda: True,
    ) -> None:
        self.tally = Tally()
        self.failure: str | None = None  # why the line ended early, if it did
        self._source, self._stages, self._scheduler = source, stages, scheduler
        self._rules, self._observe, self._ready = rules, observe, ready
        self._queues: list[deque[_Job]] = [deque() for _ in stages]
        self._ended = 0  # processes that have ended, in order: the feed, then stage by stage
        self._inside, self._bytes, self._failed_in_a_row = 0, 0, 0
        self._stop_by_s: float | None = None
        self._aborting = False

    def run(self) -> Tally:
        """Run until the source has ended and every frame has its fate, or the line is stopped."""
        self._scheduler.run(self.processes())
        return self.tally

    def processes(self) -> list[Process]:
        """The processes of the line, for a scheduler that runs others beside them."""
        serving = [self._serve(place) for place in range(len(self._stages))]
        return [self._feed(), *serving, self._reap()]

    def stop(self, *, drain: bool = True, within_s: float = DRAIN_S) -> None:
        """Take no more frames, and end.

        If `drain`, the frames that were already taken are finished first, but those that are not
        done within `within_s` are cancelled. A second call can only shorten the time of the first.
        """
        with self._scheduler.hold():
            by_s = self._scheduler.clock() + within_s
            self._stop_by_s = by_s if self._stop_by_s is None else min(self._stop_by_s, by_s)
            self._aborting |= not drain

    @property
    def in_flight(self) -> InFlight:
        """What is in the line, and what was lost so far."""
        waiting, tally = sum(map(len, self._queues)), self.tally
        return InFlight(self._inside, self._bytes, waiting, tally.fates[Fate.DROPPED], tally.lost)

    @property
    def ended(self) -> str:
        """How the line ended: `complete`, `stopped`, or what failed."""
        return self.failure or ("stopped" if self.stopped else "complete")

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stop_by_s is not None

    def _feed(self) -> Process:
        """Submit the frames of the source, each at its time."""
        begin_s, seq = None, 0
        while not self.stopped:
            yield When(lambda: self.stopped or (self._has_place() and self._ready()))
            if self.stopped:
                break
            try:
                arrival = yield Call(next, (self._source, None), self._rules.source_timeout_s)
            except CallTimeoutError:
                self._give_up(f"the source was silent for {self._rules.source_timeout_s:g} s")
                break
            except Exception as error:
                self._give_up(f"the source failed: {_message_of(error)}")
                break
            if arrival is None:
                break
            now_s = self._scheduler.clock()
            begin_s = now_s if begin_s is None else begin_s
            captured_s = now_s if arrival.captured_s is None else begin_s + arrival.captured_s
            yield When(lambda: self.stopped, captured_s + arrival.readout_s + arrival.late_s)
            if self.stopped:
                break
            job = _Job(seq, arrival.value, captured_s, self._scheduler.clock(), arrival.size_bytes)
            seq += 1
            self.tally.submitted += 1
            self.tally.lost += arrival.lost_before
            yield from self._submit(job)
        self._ended += 1

    def _has_place(self) -> bool:
        """Whether a frame may be taken; with `latest` it can replace another."""
        rules = self._rules
        return rules.policy == "latest" or self.tally.in_flight < rules.max_in_flight

    def _submit(self, job: _Job) -> Process:
        """Put a frame at the door, which has one place."""
        door, rules = self._queues[0], self._rules
        if job.size_bytes > rules.max_bytes:
            size, limit = (n / 1e6 for n in (job.size_bytes, rules.max_bytes))
            self._close(job, Fate.FAILED, DOOR, f"needs {size:.0f} MB; the limit is {limit:.0f} MB")
            return
        if door and rules.policy == "latest":
            self._close(door.popleft(), Fate.DROPPED, DOOR, "a newer frame came")
        yield When(lambda: not door or self._aborting)
        door.append(job)
        self.tally.most_in_flight = max(self.tally.most_in_flight, self.tally.in_flight)

    def _serve(self, place: int) -> Process:
        """Run one stage, frame by frame, until no frame can come any more."""
        stage, inbox, state = self._stages[place], self._queues[place], self._stages[place].state
        while True:
            yield When(lambda: self._may_take(place))
            if not inbox:
                break
            job = inbox.popleft()
            if self._aborting:
                self._close(job, Fate.CANCELLED, stage.name, "the stream was stopped")
                continue
            if place == 0:
                self._admit(job)
            started_s = self._scheduler.clock()
            try:
                value, kept = yield Call(stage.function, (job.value, state), stage.timeout_s)
            except CallTimeoutError:
                self._close_unanswered(job, stage)
                continue
            except Exception as error:
                self._close(job, Fate.FAILED, stage.name, _message_of(error))
                continue
            state, now_s = kept, self._scheduler.clock()
            self._observe(
                Service(
                    seq=job.seq, stage=stage.name, queued_s=job.queued_s,
                    started_s=started_s, ended_s=now_s,
                )
            )  # fmt: skip
            job.value, job.queued_s = value, now_s
            if self._aborting:
                self._close(job, Fate.CANCELLED, stage.name, "the stream was stopped")
            elif place + 1 < len(self._stages):
                self._queues[place + 1].append(job)
            else:
                self._close(job, Fate.DONE)
            del job, value, kept  # free the frame before waiting for the next
        self._ended += 1

    def _reap(self) -> Process:
        """Make `stop` bounded: a line that does not end in time is aborted, then abandoned."""
        yield When(lambda: self.stopped or self._is_over())
        while not self._has_drained():
            yield self._stop_time()
        if not self._is_over():
            self._aborting = True
            yield When(self._is_over, self._scheduler.clock() + ABORT_GRACE_S)
        if not self._is_over():
            self._scheduler.abandon()

    def _has_drained(self) -> bool:
        late = self._stop_by_s is not None and self._scheduler.clock() >= self._stop_by_s
        return late or self._aborting or self._is_over()

    def _stop_time(self) -> When:
        """Wait until the time of the stop, or until that time changes."""
        by_s = self._stop_by_s
        assert by_s is not None
        return When(lambda: self._has_drained() or self._stop_by_s != by_s, by_s)

    def _is_over(self) -> bool:
        return self._ended > len(self._stages)

    def _may_take(self, place: int) -> bool:
        inbox = self._queues[place]
        if not inbox:
            return self._ended > place  # all before it have ended
        if place > 0 or self._aborting:
            return True
        fits = self._bytes + inbox[0].size_bytes <= self._rules.max_bytes
        return self._inside < self._rules.max_in_flight and fits

    def _admit(self, job: _Job) -> None:
        job.inside = True
        self._inside += 1
        self._bytes += job.size_bytes
        self.tally.most_bytes = max(self.tally.most_bytes, self._bytes)

    def _close_unanswered(self, job: _Job, stage: Stage) -> None:
        if self._aborting:
            self._close(job, Fate.CANCELLED, stage.name, "the stream was stopped in this stage")
        else:
            self._close(job, Fate.FAILED, stage.name, f"no answer within {stage.timeout_s:g} s")

    def _close(self, job: _Job, fate: Fate, stage: str = "", reason: str = "") -> None:
        """Give a frame its fate."""
        if job.inside:
            self._inside -= 1
            self._bytes -= job.size_bytes
        self.tally.fates[fate] += 1
        if fate is Fate.DROPPED:
            self.tally.drops[reason] += 1
        self._observe(
            Outcome(
                seq=job.seq, fate=fate, captured_s=job.captured_s, ended_s=self._scheduler.clock(),
                stage=stage, reason=reason, value=job.value if fate is Fate.DONE else None,
            )
        )  # fmt: skip
        if fate is Fate.FAILED:
            self._failed_in_a_row += 1
        elif fate is Fate.DONE:
            self._failed_in_a_row = 0
        if self._failed_in_a_row >= self._rules.give_up_after:
            self._give_up(f"{self._failed_in_a_row} frames failed in a row; the last: {reason}")

    def _give_up(self, why: str) -> None:
        self.failure = self.failure or why
        self.stop()


def _message_of(error: Exception) -> str:
    if isinstance(error, CaptureError | OutputError | RequestError):
        return str(error)  # a sentence for people
    place = f" ({error.__notes__[-1]})" if getattr(error, "__notes__", None) else ""
    return type(error).__name__ + (f": {error}" if str(error) else "") + place
