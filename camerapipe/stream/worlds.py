"""Two worlds for the same processes: threads under the wall clock, events under a virtual one.

A process is a generator. It yields what it waits for, and is resumed when that has come:

    yield When(lambda: inbox)                     until something is true, or until a moment
    value = yield Call(function, (frame,), 1.0)   work that takes time, and may take too long

Between two yields it has the world for itself (one lock), so processes share plain lists. Native
code cannot be interrupted: a call beyond its timeout is left to itself, and its process goes on
with a `CallTimeoutError` in another thread.

In the `VirtualWorld` nothing waits and nothing runs at the same time. A call takes what its code
spends on the `VirtualClock`, and the world goes from event to event, so the same processes give the
same story on any host.
"""

from __future__ import annotations

import math
import threading
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
    deadline_s: float
    thread: threading.Thread = field(default_factory=threading.current_thread)
    left: bool = False


@dataclass(slots=True, eq=False)
class _Waiting:
    """A process asleep in its thread until its effect is ready."""

    ready: Callable[[], Any]
    condition: threading.Condition = field(repr=False)


class ThreadWorld:
    """A thread for each process; the one that called `run` watches over the calls."""

    clock: Clock = staticmethod(wall_s)

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._watch = threading.Condition(self._lock)
        self._running: set[_Running] = set()
        self._waiting: list[_Waiting] = []
        self._threads: list[threading.Thread] = []
        self._alive = 0
        self._crash: BaseException | None = None
        self.left_alone = 0

    def run(self, processes: Iterable[Process]) -> None:
        """Run processes until all have ended; an error of a process itself is raised here.

        So is what interrupts this thread meanwhile, after the processes have been ended.
        """
        with self._lock:
            try:
                for process in processes:
                    self._alive += 1
                    self._drive_in_thread(process, None)
                self._watch_over()
            except BaseException as interrupt:  # Ctrl-C, or the end of the program
                self._crash = interrupt
                self._watch_over()
            threads = list(self._threads)
        for thread in threads:
            thread.join()
        if self._crash is not None:
            raise self._crash

    def _watch_over(self) -> None:
        """Wait until all processes have ended, and leave calls alone that take too long."""
        patience_s = math.inf
        while self._alive:
            self._watch.wait(WATCH_S)
            now_s = self.clock()
            if self._crash is not None:
                patience_s = min(patience_s, now_s + CRASH_GRACE_S)
            self._leave(call for call in self._running if now_s > min(call.deadline_s, patience_s))
            self._wake()  # what changed while somebody held the world

    def hold(self) -> AbstractContextManager[Any]:
        """No process goes on meanwhile; calls under way do."""
        return self._lock

    def abandon(self) -> None:
        """Leave all calls under way to themselves."""
        self._leave(self._running)

    def _drive_in_thread(self, process: Process, error: BaseException | None) -> None:
        thread = threading.Thread(
            target=self._drive, args=(process, error), name="camerapipe-stream", daemon=True
        )
        self._threads.append(thread)
        thread.start()

    def _drive(self, process: Process, error: BaseException | None) -> None:
        """Take a process from effect to effect, until it ends or its call is left alone."""
        answer: Any = None
        with self._lock:
            try:
                while True:
                    effect = _step(process, answer, error)
                    answer = error = None
                    self._wake()
                    if isinstance(effect, When):
                        self._sleep(effect)
                        error = self._crash
                        continue
                    running = _Running(process, self.clock() + effect.timeout_s)
                    answer, error = self._call(effect, running)
                    if running.left:
                        self.left_alone -= 1
                        return
            except StopIteration:
                pass
            except BaseException as crash:
                self._crash = crash  # ends the others too, and is raised again by run
            self._alive -= 1
            self._wake()
            self._watch.notify()

    def _call(self, effect: Call, running: _Running) -> tuple[Any, BaseException | None]:
        self._running.add(running)
        self._lock.release()
        try:
            return effect.function(*effect.arguments), None
        except BaseException as error:
            return None, error
        finally:
            self._lock.acquire()
            self._running.discard(running)

    def _sleep(self, effect: When) -> None:
        waiting = _Waiting(effect.ready, threading.Condition(self._lock))
        self._waiting.append(waiting)
        while not effect.ready() and self._crash is None:
            left_s = effect.until_s - self.clock()
            if left_s <= 0:
                break
            waiting.condition.wait(min(left_s, threading.TIMEOUT_MAX))
        self._waiting.remove(waiting)

    def _wake(self) -> None:
        """Wake those, and only those, who have what they wait for."""
        for waiting in self._waiting:
            if self._crash is not None or waiting.ready():
                waiting.condition.notify()

    def _leave(self, calls: Iterable[_Running]) -> None:
        for call in list(calls):
            call.left = True
            self._running.discard(call)
            self._threads.remove(call.thread)
            self.left_alone += 1
            self._drive_in_thread(call.process, CallTimeoutError())


def _step(process: Process, answer: Any, error: BaseException | None) -> When | Call:
    """Resume a process with an answer or an error; give what it waits for next."""
    return process.throw(error) if error is not None else process.send(answer)
