"""A stream from its source to its sink, and the account of it.

    source -> door -> decode -> graph -> write

The stages overlap. One frame at a time is in the graph, whose kernels use all cores. With a device
profile the same line runs in virtual time.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Unpack

import numpy as np

from camerapipe.budget import Clock
from camerapipe.capture import Capture
from camerapipe.errors import OutputError
from camerapipe.ingest import capture_from_array, check_output
from camerapipe.recipe_keys import RecipeError
from camerapipe.runtime import versions, warm_up
from camerapipe.stream.account import Account, StreamReport
from camerapipe.stream.controls import Changes, Controls, needs_costs
from camerapipe.stream.device import Device
from camerapipe.stream.exposures import Exposure, FrameSource
from camerapipe.stream.frames import Arrival, Event, InFlight, Observer
from camerapipe.stream.line import ABORT_GRACE_S, DRAIN_S, Line, Stage
from camerapipe.stream.options import StreamOptions
from camerapipe.stream.record import Kept, Recorder, about_of
from camerapipe.stream.recordings import Recordings
from camerapipe.stream.rehearsal import LadderCosts
from camerapipe.stream.scheduler import Scheduler, ThreadScheduler
from camerapipe.stream.shown import Frame, Shown, StreamState
from camerapipe.stream.sinks import Sink, check_folder
from camerapipe.stream.sources import DEFAULT_SIZE
from camerapipe.stream.tracing import Tracing, header_of
from camerapipe.stream.virtual import VirtualClock, VirtualScheduler
from camerapipe.trace import GRAPH, TRACES, Tracer
from stages.findings import Finding
from stages.strips import limited_workers

DEVELOP, SHOW, DELIVER = "decode", GRAPH, "write"
IO, DECODE, ENCODE = "io", "decode", "encode_file"  # costs of a device that belong to no rung


class Stream:
    """A stream, to be run once.

    Making one is quick: options and outputs are checked, and nothing is read, computed or written.

    Parameters
    ----------
    source : FrameSource
        Where frames come from; `run` and `close` close it.
    sink : Sink
        Where frames go.
    options : StreamOptions
        How the stream runs.
    observers : sequence of callable
        Each is called with every event and with what is in flight, one event at a time, in any
        thread of the stream.
    trace : path, optional
        Write a trace (`camerapipe.trace`) to this file.
    record : path, optional
        Keep a recording (`stream.record`) in this folder.
    overwrite : bool
        Replace a trace that exists.
    findings : tuple of Finding
        About source and output.

    Attributes
    ----------
    findings : tuple of Finding
        What a person should know before the first frame; `prepare` adds what is found there.

    Raises
    ------
    OutputError
        If trace or recording cannot be written.
    RequestError
        If an option is out of range.
    """

    def __init__(
        self,
        source: FrameSource,
        sink: Sink,
        options: StreamOptions,
        observers: Sequence[Observer] = (),
        *,
        trace: str | os.PathLike[str] | None = None,
        record: str | os.PathLike[str] | None = None,
        overwrite: bool = False,
        findings: tuple[Finding, ...] = (),
    ) -> None:
        self.source = source
        self.account = Account()
        self.findings = findings
        self._sink, self._recordings = sink, Recordings()
        self._observers = [lambda event, _: self.account.add(event), *observers]
        self._observers.append(self._recordings.note)
        self._trace, self._overwrite = Path(trace) if trace else None, overwrite
        if self._trace is not None:
            check_output(self._trace, overwrite=overwrite, suffixes=TRACES)
        self._record = Path(record) if record else None
        if self._record is not None:
            check_folder(self._record, empty=True)
        scheduler: Scheduler = VirtualScheduler() if options.profile else ThreadScheduler()
        self.clock: Clock = scheduler.clock
        self._device = _device_of(options, scheduler.clock)
        self._controls = Controls(options, scheduler.clock, self._device)
        self._arrivals: Iterator[Arrival] = itertools.islice(source.frames, options.frames)
        self._first: Capture | None = None  # that was developed before the stream starts
        self._prepared = self._ran = False
        self._delivering = threading.Lock()
        self._line = self._line_on(scheduler)

    def prepare(self) -> None:
        """Do what takes time before the first frame; `run` does it if it was not done.

        The kernels are compiled or loaded. If the options name places in the picture, they are
        fitted to the first frame, or compared with it. If there is a budget, the costs of the rungs
        are measured on it.

        Raises
        ------
        RequestError
            If a focus point or a scribble is outside of the first frame, or if a recipe does not
            fit it.
        """
        if self._prepared:
            return
        self._prepared = True
        warm_up()
        if self.options.names_places:
            self._fit_places()
        if needs_costs(self.options):
            self.findings += self.measure_costs().findings(self.options.budget)

    def measure_costs(self) -> LadderCosts:
        """Costs of the rungs and check levels, measured on the first frame.

        If that cannot be read, a grey frame of the default size takes its place.
        """
        warm_up()
        with limited_workers(self.options.workers):
            return self._controls.measure(self._first_capture() or _grey())

    def run(self) -> StreamReport:
        """Run until the source has ended or the stream is stopped.

        Raises
        ------
        RuntimeError
            If the stream has run before.
        OutputError
            If an output could not be finished.
        """
        if self._ran:
            raise RuntimeError("a stream runs once; open another one")
        self._ran = True
        with ExitStack() as opened:
            opened.callback(self.source.close)
            opened.enter_context(limited_workers(self.options.workers))
            self.prepare()
            tracer = opened.enter_context(self._tracer())
            if tracer is not None:
                self._observers.append(Tracing(tracer).note)
            with ExitStack() as outputs:
                outputs.callback(self._recordings.end)  # after the sink, whose output is whole then
                if self._record is not None:
                    self.record(self._record)
                outputs.enter_context(self._sink)
                tally = self._line.run()
                if not self._delivering.acquire(timeout=ABORT_GRACE_S):
                    outputs.pop_all()  # closing a sink during a delivery could damage its output
                    raise OutputError("a delivery is stuck; its output is left unfinished")
            if tracer is not None:
                tracer.close(ended=self._line.ended)
        source, options, ended = self.source, self.options, self._line.ended
        return self.account.report(source, options, tally, ended, self.findings)

    def stop(self, *, drain: bool = True, within_s: float = DRAIN_S) -> None:
        """End the stream, from any thread.

        Parameters
        ----------
        drain : bool
            Finish the frames that were already taken.
        within_s : float
            Cancel those that are not done by then.
        """
        self._line.stop(drain=drain, within_s=within_s)

    def close(self) -> None:
        """Release the source of a stream that was not run."""
        self.source.close()

    @property
    def options(self) -> StreamOptions:
        """How the next frame is shown."""
        return self._controls.options

    def change(self, **changes: Unpack[Changes]) -> None:
        """Change what is asked from the next frame on, in any thread.

        Parameters
        ----------
        **changes
            `strength`, `params` (added to those that were set before), `budget`, `rung`, `focus`,
            `scribbles`, `distance_m`, `lens`, `force`: as for `open_stream`. If a budget is set for
            the first time, the costs of the rungs are measured on the next frame, which takes a
            moment.

        Raises
        ------
        RequestError
            If one does not exist, or a value is out of range; then nothing changes.
        """
        self._controls.change(changes)

    def record(self, folder: str | os.PathLike[str]) -> None:
        """Record what is delivered from now on, until `end_recording` or the end of the stream.

        Raises
        ------
        OutputError
            If a recording runs already, or none can be written there.
        """
        about = about_of(self.source, self.options, versions())
        self._recordings.begin(Recorder(Path(folder), about))

    def end_recording(self) -> Path | None:
        """End the recording that runs, and give its folder; None if none runs.

        Raises
        ------
        OutputError
            If it is not complete, because the disk was full.
        """
        return self._recordings.end()

    @property
    def recorded(self) -> Kept | None:
        """What the recording that runs has so far; None if none runs."""
        return self._recordings.kept

    def _line_on(self, scheduler: Scheduler) -> Line:
        rules, timeout_s = self.options.rules, self.options.stuck_s
        if self.source.kind == "folder":  # unreadable files say nothing about the others
            rules = replace(rules, give_up_after=sys.maxsize)
        stages = (
            Stage(name=DEVELOP, function=self._develop, timeout_s=timeout_s),
            Stage(name=SHOW, function=self._show, timeout_s=timeout_s),
            Stage(name=DELIVER, function=self._deliver, timeout_s=timeout_s),
        )
        return Line(self._numbered(), stages, scheduler, rules, self._observe)

    def _tracer(self) -> Tracer | nullcontext[None]:
        if self._trace is None:
            return nullcontext()
        header = header_of(self.source, self.options, versions())
        return Tracer(self._trace, header, overwrite=self._overwrite)

    def _observe(self, event: Event) -> None:
        in_flight: InFlight = self._line.in_flight
        for observe in self._observers:
            observe(event, in_flight)

    def _fit_places(self) -> None:
        """Fit focus point and scribbles to the first frame; `RequestError` if they do not fit."""
        first = self._first_capture()
        if first is not None:
            self._controls.fit(first)
        elif self.options.recipe is not None:
            raise RecipeError(
                f"{self.options.recipe.name}: focus point and scribbles cannot be fitted, because "
                f"the first frame of {self.source.name} cannot be read"
            )

    def _first_capture(self) -> Capture | None:
        """The first frame, which remains the first of the stream; None if it cannot be read."""
        if self._first is None and (arrival := next(self._arrivals, None)) is not None:
            self._arrivals = itertools.chain([arrival], self._arrivals)
            try:
                self._first = arrival.value.develop()
            except Exception:  # the stream reports it as the failure of that frame
                return None
        return self._first

    def _numbered(self) -> Iterator[Arrival]:
        """Arrivals whose values have numbers; frames of a camera are captured when they come."""
        profile, first_s = self.options.profile, None
        readout_s = profile.sensor.readout_ms / 1000 if profile else 0.0
        self._first = None  # frees its memory
        for seq, arrival in enumerate(self._arrivals):
            numbered = replace(arrival, value=(seq, arrival), readout_s=readout_s)
            if self.source.kind == "camera" and arrival.captured_s is None:
                now_s = self.clock()
                first_s = now_s if first_s is None else first_s
                stamped = replace(arrival, captured_s=now_s - first_s, filmed_s=now_s - first_s)
                numbered = replace(stamped, value=(seq, stamped), readout_s=readout_s)
            yield numbered

    def _develop(self, numbered: tuple[int, Arrival], state: None) -> tuple[Frame, None]:
        seq, arrival = numbered
        exposure: Exposure = arrival.value
        frame = Frame(seq, exposure.develop(), exposure.origin, arrival.filmed_s)
        self._spend(frame, DECODE)
        return frame, state

    def _show(self, frame: Frame, state: StreamState | None) -> tuple[Shown, StreamState]:
        return self._controls.show(frame, state or StreamState())

    def _deliver(self, shown: Shown, state: None) -> tuple[Shown, None]:
        if not self._delivering.acquire(blocking=False):
            raise OutputError("the delivery of an earlier frame, which was given up, still runs")
        try:
            self._recordings.keep(shown)
            self._sink.deliver(shown)
        finally:
            self._delivering.release()
        if self._sink.encodes:
            self._spend(shown.frame, ENCODE)
        return shown, state

    def _spend(self, frame: Frame, stage: str) -> None:
        if self._device is not None:
            self._device.begin(frame.seq, frame.megapixels)
            self._device.spend(IO, stage)


def _device_of(options: StreamOptions, clock: Clock) -> Device | None:
    if options.profile is None:
        return None
    assert isinstance(clock, VirtualClock)
    return Device(options.profile, clock, seed=options.seed, place=options.place)


def _grey() -> Capture:
    width, height = DEFAULT_SIZE
    return capture_from_array(np.full((height, width, 3), 128, np.uint8), "srgb")
