"""Two worlds for the same processes: threads under the wall clock, events under a virtual one.

A process is a generator. It yields what it waits for, and is resumed when that has come:

    yield When(lambda: inbox)                     until something is true, or until a moment
    value = yield Call(function, (frame,), 1.0)   work that takes time, and may take too long

Between two yields it has the world for itself (one lock), so processes share plain lists. Native
code cannot be interrupted: a call beyond its timeout is left to itself, and its process goes on
with a `CallTimeoutError`. Which thread resumes a process or runs its call is not said.

In the `VirtualWorld` nothing waits and nothing runs at the same time. A call takes what its code
spends on the `VirtualClock`, and the world goes from event to event, so the same processes give the
same story on any host.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from camerapipe.budget import Clock, wall_s

WATCH_S = 0.05  # how often calls are looked at: timeouts are about that exact
CRASH_GRACE_S = 1.0  # for calls under way when a process has failed; then they are left alone


class When(NamedTuple):
    """Wait until `ready()` is true, or until a moment. `ready` only looks, and is quick."""

    ready: Callable[[], Any]
    until_s: float = math.inf


class Call(NamedTuple):
    """Run a function while others run; the answer is what it returns or raises."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    timeout_s: float = math.inf


class CallTimeoutError(Exception):
    """A call took too long: nobody waits for it any longer."""


Process = Generator[When | Call, Any, None]


class World(Protocol):
    """Where processes run."""

    @property
    def clock(self) -> Clock:
        """Its time, in seconds."""

    def run(self, processes: Iterable[Process]) -> None:
        """Run processes until all have ended."""

    def hold(self) -> AbstractContextManager[Any]:
        """Have the world for oneself, from outside of all processes."""

    def abandon(self) -> None:
        """Leave all calls under way to themselves; called by a process or while holding."""

    @property
    def left_alone(self) -> int:
        """Calls that were given up and are still running."""


class VirtualClock:
    """Seconds that pass only when somebody spends them."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now_s

    def spend(self, ms: float) -> None:
        """Let time pass."""
        self.now_s += ms / 1000


@dataclass(slots=True, eq=False)
class _Suspended:
    """A process of the virtual world, and what it waits for."""

    process: Process
    effect: When | Call
    resume_s: float  # at the latest
    answer: Any = None
    error: BaseException | None = None


class VirtualWorld:
    """Events in order of their time; among those of one moment, first suspended first."""

    left_alone = 0

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self._suspended: list[_Suspended] = []
        self._lock = threading.RLock()

    def run(self, processes: Iterable[Process]) -> None:
        """Run processes until all have ended, from event to event."""
        self._suspended = [_Suspended(process, When(bool), 0.0) for process in processes]
        while self._suspended:
            due = next(filter(self._is_due, self._suspended), None)
            if due is not None:
                self._suspended.remove(due)
                self._resume(due)
                continue
            following_s = min(waiting.resume_s for waiting in self._suspended)
            if math.isinf(following_s):
                raise RuntimeError("all processes wait, and nothing will happen")
            self.clock.now_s = following_s

    def hold(self) -> AbstractContextManager[Any]:
        """Nothing else runs in this world."""
        return self._lock

    def abandon(self) -> None:
        """End all calls now."""
        for waiting in self._suspended:
            if isinstance(waiting.effect, Call):
                waiting.resume_s, waiting.error = self.clock.now_s, CallTimeoutError()

    def _is_due(self, waiting: _Suspended) -> bool:
        ready = isinstance(waiting.effect, When) and waiting.effect.ready()
        return bool(ready) or waiting.resume_s <= self.clock.now_s

    def _resume(self, waiting: _Suspended) -> None:
        try:
            effect = _step(waiting.process, waiting.answer, waiting.error)
        except StopIteration:
            return
        if isinstance(effect, When):
            self._suspended.append(_Suspended(waiting.process, effect, effect.until_s))
            return
        started_s = self.clock.now_s
        following = _Suspended(waiting.process, effect, started_s)
        try:
            following.answer = effect.function(*effect.arguments)
        except Exception as error:
            following.error = error
        following.resume_s = self.clock.now_s
        if self.clock.now_s - started_s > effect.timeout_s:
            following.resume_s, following.error = started_s + effect.timeout_s, CallTimeoutError()
        self.clock.now_s = started_s  # others run meanwhile
        self._suspended.append(following)


@dataclass(slots=True, eq=False)
class _Running:
    """A call under way in a thread; `left` once nobody waits for it."""

    process: Process
    effect: Call
    deadline_s: float
    thread: threading.Thread = field(default_factory=threading.current_thread)
    left: bool = False


class ThreadWorld:
    """Threads that drive all processes together; the one that called `run` watches over them.

    A thread that comes back from a call resumes every process that can go on, whoever had it
    before, and takes one of the calls that follow; for the others it wakes the next thread. So a
    value goes from process to process without waiting for a thread to wake up, the dearest thing
    here.
    """

    clock: Clock = staticmethod(wall_s)

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._watch, self._bell = threading.Condition(self._lock), threading.Condition(self._lock)
        self._suspended: list[_Suspended] = []
        self._calls: deque[_Suspended] = deque()  # that nobody runs yet
        self._running: set[_Running] = set()
        self._threads: list[threading.Thread] = []
        self._alive = 0  # processes
        self._resting = 0  # threads
        self._coming = False  # a thread is on its way, and will wake the next
        self._alarm_s = -math.inf  # when the watching thread wakes up by itself
        self._crash: BaseException | None = None
        self.left_alone = 0

    def run(self, processes: Iterable[Process]) -> None:
        """Run processes until all have ended; an error of a process itself is raised here.

        So is what interrupts this thread meanwhile, after the processes have been ended.
        """
        with self._lock:
            self._suspended = [_Suspended(process, When(bool), 0.0) for process in processes]
            self._alive = len(self._suspended)
            try:
                self._watch_over()
            except BaseException as interrupt:  # Ctrl-C, or the end of the program
                self._crash = interrupt
                self._coming = False  # perhaps it came before whom it wanted to wake
                self._watch_over()
            self._bell.notify_all()
            threads = list(self._threads)
        for thread in threads:
            thread.join()
        if self._crash is not None:
            raise self._crash

    def _watch_over(self) -> None:
        """Wait until all processes have ended; wake those whose time has come.

        Calls that take too long are left alone.
        """
        patience_s = math.inf
        while self._alive:
            now_s = self.clock()
            if self._crash is not None:
                patience_s = min(patience_s, now_s + CRASH_GRACE_S)
            self._leave(call for call in self._running if now_s > min(call.deadline_s, patience_s))
            if self._calls or self._due() is not None:  # also what changed from outside
                self._call_for_help()
            self._alarm_s = now_s + WATCH_S
            if not self._coming:
                self._alarm_s = min(self._alarm_s, self._next_s())
            self._watch.wait(max(self._alarm_s - self.clock(), 0.0))

    def hold(self) -> AbstractContextManager[Any]:
        """No process goes on meanwhile; calls under way do."""
        return self._lock

    def abandon(self) -> None:
        """Leave all calls under way to themselves."""
        self._leave(self._running)

    def _work(self) -> None:
        """Drive processes and run their calls, until all have ended or a call is left alone."""
        with self._lock:
            self._coming = False
            while self._alive:
                self._go_on()
                if self._next_s() < self._alarm_s:
                    self._watch.notify()
                if not self._calls:
                    self._rest()
                    continue
                call = self._calls.popleft()
                if self._calls:
                    self._call_for_help()
                if not self._run_call(call):
                    return

    def _go_on(self) -> None:
        """Resume processes until all wait or call."""
        while (due := self._due()) is not None:
            self._suspended.remove(due)
            error = due.error
            if self._crash is not None and isinstance(due.effect, When):
                error = self._crash
            try:
                effect = _step(due.process, due.answer, error)
            except BaseException as crash:
                if not isinstance(crash, StopIteration):
                    self._crash = crash  # ends the others too, and is raised again by run
                self._alive -= 1
                if not self._alive:
                    self._watch.notify()
                continue
            if isinstance(effect, When):
                self._suspended.append(_Suspended(due.process, effect, effect.until_s))
            else:
                self._calls.append(_Suspended(due.process, effect, -math.inf))

    def _due(self) -> _Suspended | None:
        """A process that can go on."""
        now_s, crashed = self.clock(), self._crash is not None
        for waiting in self._suspended:
            if waiting.resume_s <= now_s:
                return waiting
            if isinstance(waiting.effect, When) and (crashed or waiting.effect.ready()):
                return waiting
        return None

    def _next_s(self) -> float:
        """When the next process goes on that waits for a moment."""
        return min((waiting.resume_s for waiting in self._suspended), default=math.inf)

    def _run_call(self, call: _Suspended) -> bool:
        """Run a call while others drive; tell whether somebody still waited for it."""
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
        if running.left:
            self.left_alone -= 1
            return False
        self._running.discard(running)
        self._suspended.insert(0, call)  # it can go on: nobody else need be asked
        return True

    def _rest(self) -> None:
        self._resting += 1
        self._bell.wait()
        self._resting -= 1
        self._coming = False

    def _call_for_help(self) -> None:
        """Wake one more thread, unless one is on its way: there are no more than processes."""
        if self._coming:
            return
        self._coming = True
        if self._resting:
            self._bell.notify()
            return
        thread = threading.Thread(target=self._work, name="camerapipe-stream", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _leave(self, calls: Iterable[_Running]) -> None:
        for call in list(calls):
            call.left = True
            self._running.discard(call)
            self._threads.remove(call.thread)
            self.left_alone += 1
            timeout = _Suspended(call.process, call.effect, -math.inf, error=CallTimeoutError())
            self._suspended.append(timeout)


def _step(process: Process, answer: Any, error: BaseException | None) -> When | Call:
    """Resume a process with an answer or an error; give what it waits for next."""
    return process.throw(error) if error is not None else process.send(answer)
