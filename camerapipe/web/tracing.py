"""The trace of a stream that runs for a page: what it has so far can be taken at any time."""

from __future__ import annotations

import threading
from pathlib import Path

from camerapipe.errors import OutputError
from camerapipe.stream.frames import Event, InFlight, Outcome
from camerapipe.stream.tracing import Tracing
from camerapipe.trace import TraceHeader, Tracer

MOST_FRAMES = 3000  # of a file, about 25 MB; then a new one begins


class RunningTrace:
    """Traces of a stream, one after another. Thread-safe.

    Parameters
    ----------
    header : TraceHeader
        Of the run.
    folder : Path
        For the files.
    """

    def __init__(self, header: TraceHeader, folder: Path) -> None:
        self._header, self._folder = header, folder
        self._lock = threading.Lock()
        self._number, self._frames = 0, 0
        self._taken: Path | None = None  # the last that is whole
        self._tracer: Tracer | None = None
        self._begin()

    def note(self, event: Event, in_flight: InFlight) -> None:
        """Write an event (an observer of the stream)."""
        with self._lock:
            if self._tracer is None:
                return
            self._tracing.note(event, in_flight)
            self._frames += isinstance(event, Outcome)
            if self._frames >= MOST_FRAMES:
                try:
                    self._end()
                    self._begin()
                except OutputError:  # the disk is full: the stream goes on without a trace
                    self._tracer = None

    def take(self) -> Path:
        """A whole trace of the newest frames: those since the last one was taken, if there are any.

        Raises
        ------
        OutputError
            If the disk is full.
        """
        with self._lock:
            if self._tracer is not None and (self._frames or self._taken is None):
                self._end()
                self._begin()
            if self._taken is None:
                raise OutputError("There is no trace: the disk is full.")
            return self._taken

    def close(self) -> None:
        """End the last trace."""
        with self._lock:
            if self._tracer is not None and (self._frames or self._taken is None):
                self._end()
            self._tracer = None

    def _begin(self) -> None:
        self._number += 1
        self._frames = 0
        self._path = self._folder / f"trace-{self._number}.json"
        self._tracer = Tracer(self._path, self._header, tracks=())
        self._tracing = Tracing(self._tracer)

    def _end(self) -> None:
        assert self._tracer is not None
        self._tracer.close(ended="stopped")
        if self._taken is not None:
            self._taken.unlink(missing_ok=True)
        self._taken = self._path
