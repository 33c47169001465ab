"""Recordings that begin and end while a stream runs, one at a time."""

from __future__ import annotations

import threading
from pathlib import Path

from camerapipe.errors import OutputError
from camerapipe.stream.frames import Event, InFlight
from camerapipe.stream.record import Kept, Recorder
from camerapipe.stream.shown import Shown


class Recordings:
    """The recording of a stream that runs now, if there is one. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: Recorder | None = None

    def begin(self, recorder: Recorder) -> None:
        """Begin a recording; `OutputError` if one runs, or it cannot be made."""
        with self._lock:
            if self._running is not None:
                raise OutputError(f"{self._running.folder}: is being recorded; end that first")
            self._running = recorder.__enter__()

    def end(self) -> Path | None:
        """End the recording and give its folder; `OutputError` if it is not complete."""
        with self._lock:
            recorder, self._running = self._running, None
            if recorder is None:
                return None
            recorder.__exit__(None, None, None)
            return recorder.folder

    @property
    def kept(self) -> Kept | None:
        """What the recording that runs has so far; does not wait for a frame that is being kept."""
        running = self._running
        return None if running is None else running.kept

    def keep(self, shown: Shown) -> None:
        """Keep a frame before it is delivered."""
        with self._lock:
            if self._running is not None:
                self._running.keep(shown)

    def note(self, event: Event, in_flight: InFlight) -> None:
        """Keep the fate of a frame (an observer of the stream)."""
        with self._lock:
            if self._running is not None:
                self._running.note(event, in_flight)
