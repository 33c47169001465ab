"""Futures of a camera whose time passes only while somebody waits for it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack
from typing import Any, Generic, TypeVar

T = TypeVar("T")
NEVER = "no result can come any more: the preview was stopped, or its source has ended"


class Turn:
    """Awaited by a coroutine, it lets others run."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class CaptureFuture(Generic[T]):
    """Something that a camera will give.

    `result` lets virtual time pass until it is there. In a coroutine, `await` does the same, and
    other coroutines run meanwhile.

    Parameters
    ----------
    drive : callable
        Lets time pass until something has happened, at most until a moment; False if nothing can.
    clock : callable
        Virtual time in s.
    """

    def __init__(self, drive: Callable[[float], bool], clock: Callable[[], float]) -> None:
        self._drive, self._clock = drive, clock
        self._value: T | None = None
        self._error: Exception | None = None
        self._done = False
        self._callbacks: list[Callable[[CaptureFuture[T]], object]] = []

    def done(self) -> bool:
        """Whether it has ended."""
        return self._done

    def result(self, timeout_s: float = float("inf")) -> T:
        """The value, after the time that it takes.

        Parameters
        ----------
        timeout_s : float
            Virtual time to wait at most.

        Raises
        ------
        CaptureFailedError
            If the request failed.
        TimeoutError
            If it takes longer.
        """
        until_s = self._clock() + timeout_s
        while not self._done:
            if not self._drive(until_s):
                limited = timeout_s < float("inf")
                within = f"no result within {timeout_s:g} s of virtual time"
                raise TimeoutError(within if limited else NEVER)
        return self._get()

    def exception(self, timeout_s: float = float("inf")) -> Exception | None:
        """The error that it ended in, or None; waits as `result` does."""
        try:
            self.result(timeout_s)
        except TimeoutError:
            raise
        except Exception as error:
            return error
        return None

    def add_done_callback(self, callback: Callable[[CaptureFuture[T]], object]) -> None:
        """Call a function with this future when it has ended; immediately if it has."""
        if self._done:
            callback(self)
        else:
            self._callbacks.append(callback)

    def set(self, value: T | None, error: Exception | None = None) -> None:
        """End it with a value or an error; the camera does this once."""
        assert not self._done
        self._value, self._error, self._done = value, error, True
        with ExitStack() as told:  # an error of one does not keep the others from it
            while self._callbacks:
                told.callback(self._callbacks.pop(), self)

    def __await__(self) -> Generator[Any, None, T]:
        while not self._done:
            if not self._drive(float("inf")):
                raise TimeoutError(NEVER)
            yield
        return self._get()

    def _get(self) -> T:
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]
