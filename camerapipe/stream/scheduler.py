"""Schedulers: the same processes on threads under the wall clock, or as events in virtual time.

A process is a generator. It yields what it waits for, and is resumed when that has come:

    yield When(lambda: inbox)                     until a condition holds, or until a moment
    value = yield Call(function, (frame,), 1.0)   work that takes time, with a timeout

One lock guards all processes: between two yields a process runs alone, so that processes share
plain lists. Native code cannot be interrupted. If a call exceeds its timeout, it is abandoned, and
its process continues with a `CallTimeoutError`. Which thread resumes a process or runs its call is
not specified.

`virtual` has the scheduler of virtual time.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from camerapipe.budget import Clock, wall_s

WATCH_S = 0.05  # interval at which running calls are checked: the precision of timeouts
CRASH_GRACE_S = 1.0  # for running calls after a process has failed; then they are abandoned


class When(NamedTuple):
    """Wait until `ready()` is true, or until a moment. `ready` is quick and changes nothing."""

    ready: Callable[[], Any]
    until_s: float = math.inf


class Call(NamedTuple):
    """Run a function while other processes run; the process gets its result or its error."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    timeout_s: float = math.inf


class CallTimeoutError(Exception):
    """A call exceeded its timeout and was abandoned."""


Process = Generator[When | Call, Any, None]


class Scheduler(Protocol):
    """Runs processes."""

    @property
    def clock(self) -> Clock:
        """Time in seconds, from any origin."""

    def run(self, processes: Iterable[Process]) -> None:
        """Run processes until all have ended."""

    def hold(self) -> AbstractContextManager[Any]:
        """Lock that keeps all processes from continuing; for use from outside of them."""

    def abandon(self) -> None:
        """Abandon all running calls. Called by a process, or while holding the lock."""

    @property
    def abandoned(self) -> int:
        """Number of abandoned calls that are still running."""


@dataclass(slots=True, eq=False)
class Suspended:
    """A process that waits, what it waits for, and the answer that it resumes with."""

    process: Process
    effect: When | Call
    resume_s: float  # at the latest
    answer: Any = None
    error: BaseException | None = None


@dataclass(slots=True, eq=False)
class _Running:
    """A call that runs in a thread; `abandoned` once no process waits for it."""

    process: Process
    effect: Call
    deadline_s: float
    thread: threading.Thread = field(default_factory=threading.current_thread)
    abandoned: bool = False


class ThreadScheduler:
    """Threads that drive all processes together; the thread that called `run` supervises them.

    When a thread has finished a call, it resumes every process that can continue, and runs one of
    the calls that result. For the other calls it wakes another thread. A value therefore passes
    from process to process without waiting for a thread to wake up, which is the largest cost here.
    """

    clock: Clock = staticmethod(wall_s)

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._watch, self._bell = threading.Condition(self._lock), threading.Condition(self._lock)
        self._suspended: list[Suspended] = []
        self._calls: deque[Suspended] = deque()  # not yet taken by a thread
        self._running: set[_Running] = set()
        self._threads: list[threading.Thread] = []
        self._alive = 0  # processes
        self._resting = 0  # threads without work
        self._waking = False  # a thread was started or notified and has not run yet
        self._alarm_s = -math.inf  # when the supervising thread wakes up by itself
        self._crash: BaseException | None = None
        self.abandoned = 0

    def run(self, processes: Iterable[Process]) -> None:
        """Run processes until all have ended; an error in a process itself is raised here.

        If this thread is interrupted meanwhile, the processes are ended and the interruption is
        raised.
        """
        with self._lock:
            self._suspended = [Suspended(process, When(bool), 0.0) for process in processes]
            self._alive = len(self._suspended)
            try:
                self._supervise()
            except BaseException as interrupt:  # Ctrl-C, or the end of the program
                self._crash = interrupt
                self._waking = False  # it may have come before the thread was notified
                self._supervise()
            self._bell.notify_all()
            threads = list(self._threads)
        for thread in threads:
            thread.join()
        if self._crash is not None:
            raise self._crash

    def _supervise(self) -> None:
        """Wait until all processes have ended, wake those that are due, abandon late calls."""
        grace_until_s = math.inf
        while self._alive:
            now_s = self.clock()
            if self._crash is not None:
                grace_until_s = min(grace_until_s, now_s + CRASH_GRACE_S)
            self._abandon(
                call for call in self._running if now_s > min(call.deadline_s, grace_until_s)
            )
            if self._calls or self._due() is not None:  # also after a change from outside
                self._wake_thread()
            self._alarm_s = now_s + WATCH_S
            if not self._waking:
                self._alarm_s = min(self._alarm_s, self._next_s())
            self._watch.wait(max(self._alarm_s - self.clock(), 0.0))

    def hold(self) -> AbstractContextManager[Any]:
        """Lock under which no process continues; running calls do."""
        return self._lock

    def abandon(self) -> None:
        """Abandon all running calls."""
        self._abandon(self._running)

    def _work(self) -> None:
        """Drive processes and run their calls, until all have ended or this call is abandoned."""
        with self._lock:
            self._waking = False
            while self._alive:
                self._resume_due()
                if self._next_s() < self._alarm_s:
                    self._watch.notify()
                if not self._calls:
                    self._rest()
                    continue
                call = self._calls.popleft()
                if self._calls:
                    self._wake_thread()
                if not self._run_call(call):
                    return

    def _resume_due(self) -> None:
        """Resume processes until each of them waits or calls."""
        while (due := self._due()) is not None:
            self._suspended.remove(due)
            error = due.error
            if self._crash is not None and isinstance(due.effect, When):
                error = self._crash
            try:
                effect = resume(due.process, due.answer, error)
            except BaseException as crash:
                if not isinstance(crash, StopIteration):
                    self._crash = crash  # ends the other processes too; `run` raises it again
                self._alive -= 1
                if not self._alive:
                    self._watch.notify()
                continue
            if isinstance(effect, When):
                self._suspended.append(Suspended(due.process, effect, effect.until_s))
            else:
                self._calls.append(Suspended(due.process, effect, -math.inf))

    def _due(self) -> Suspended | None:
        """A process that can continue, if there is one."""
        now_s, crashed = self.clock(), self._crash is not None
        for waiting in self._suspended:
            if waiting.resume_s <= now_s:
                return waiting
            if isinstance(waiting.effect, When) and (crashed or waiting.effect.ready()):
                return waiting
        return None

    def _next_s(self) -> float:
        """Earliest moment that a process waits for."""
        return min((waiting.resume_s for waiting in self._suspended), default=math.inf)

    def _run_call(self, call: Suspended) -> bool:
        """Run a call without the lock; give whether its process still waited for it."""
        effect = call.effect
        assert isinstance(effect, Call)
        running = _Running(call.process, effect, self.clock() + effect.timeout_s)
        self._running.add(running)
        self._lock.release()
        try:
            call.answer = effect.function(*effect.arguments)
        except BaseException as error:
            call.error = error
        finally:
            self._lock.acquire()
        if running.abandoned:
            self.abandoned -= 1
            return False
        self._running.discard(running)
        self._suspended.insert(0, call)  # in front: this call can continue at once
        return True

    def _rest(self) -> None:
        self._resting += 1
        self._bell.wait()
        self._resting -= 1
        self._waking = False

    def _wake_thread(self) -> None:
        """Wake or start a thread, unless one is about to run; at most one a process exists."""
        if self._waking:
            return
        self._waking = True
        if self._resting:
            self._bell.notify()
            return
        thread = threading.Thread(
            target=copy_context().run, args=(self._work,), name="camerapipe-stream", daemon=True
        )
        self._threads.append(thread)
        thread.start()

    def _abandon(self, calls: Iterable[_Running]) -> None:
        for call in list(calls):
            call.abandoned = True
            self._running.discard(call)
            self._threads.remove(call.thread)
            self.abandoned += 1
            timeout = Suspended(call.process, call.effect, -math.inf, error=CallTimeoutError())
            self._suspended.append(timeout)


def resume(process: Process, answer: Any, error: BaseException | None) -> When | Call:
    """Resume a process with an answer or an error; return what it waits for next."""
    return process.throw(error) if error is not None else process.send(answer)
