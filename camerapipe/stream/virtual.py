"""The scheduler of virtual time: processes as events, on a clock that moves only by their work.

Nothing waits and nothing runs at the same time. A call takes the time that its code spends on the
`VirtualClock`, and the scheduler goes from event to event. The same processes therefore give the
same result on any host.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any

from camerapipe.stream.scheduler import Call, CallTimeoutError, Process, Suspended, When, resume


class VirtualClock:
    """A clock that moves only when time is spent on it."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        """Time in seconds."""
        return self.now_s

    def spend(self, ms: float) -> None:
        """Advance the clock by `ms`."""
        self.now_s += ms / 1000


class VirtualScheduler:
    """Runs events in the order of their time; of one moment, first suspended first."""

    abandoned = 0

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self._suspended: list[Suspended] = []
        self._lock = threading.RLock()

    def run(self, processes: Iterable[Process]) -> None:
        """Run processes until all have ended, from event to event."""
        self.begin(processes)
        while self.step():
            pass
        if self._suspended:
            raise RuntimeError("deadlock: every process waits for another")

    def begin(self, processes: Iterable[Process]) -> None:
        """Take processes, to be run by `step`."""
        self._suspended = [Suspended(process, When(bool), 0.0) for process in processes]

    def step(self, until_s: float = math.inf) -> bool:
        """Resume one process, at the earliest moment that one can continue.

        Parameters
        ----------
        until_s : float
            The clock is not advanced beyond this.

        Returns
        -------
        bool
            Whether a process was resumed. If not, none can continue until then.
        """
        due = next(filter(self._is_due, self._suspended), None)
        if due is None:
            next_s = min((waiting.resume_s for waiting in self._suspended), default=math.inf)
            if math.isinf(next_s) or next_s > until_s:
                return False
            self.clock.now_s = next_s
            due = next(filter(self._is_due, self._suspended))
        self._suspended.remove(due)
        self._resume(due)
        return True

    def hold(self) -> AbstractContextManager[Any]:
        """A lock; no process runs in another thread anyway."""
        return self._lock

    def abandon(self) -> None:
        """End all running calls now."""
        for waiting in self._suspended:
            if isinstance(waiting.effect, Call):
                waiting.resume_s, waiting.error = self.clock.now_s, CallTimeoutError()

    def _is_due(self, waiting: Suspended) -> bool:
        ready = isinstance(waiting.effect, When) and waiting.effect.ready()
        return bool(ready) or waiting.resume_s <= self.clock.now_s

    def _resume(self, waiting: Suspended) -> None:
        try:
            effect = resume(waiting.process, waiting.answer, waiting.error)
        except StopIteration:
            return
        if isinstance(effect, When):
            self._suspended.append(Suspended(waiting.process, effect, effect.until_s))
            return
        started_s = self.clock.now_s
        following = Suspended(waiting.process, effect, started_s)
        try:
            following.answer = effect.function(*effect.arguments)
        except Exception as error:
            following.error = error
        following.resume_s = self.clock.now_s
        if self.clock.now_s - started_s > effect.timeout_s:
            following.resume_s, following.error = started_s + effect.timeout_s, CallTimeoutError()
        self.clock.now_s = started_s  # other processes run in the meantime
        self._suspended.append(following)
