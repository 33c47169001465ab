"""Traces: what happened to every frame of a run, as a Chrome trace, which Perfetto shows.

A `Tracer` writes events as they come, from any thread, and keeps none. The file gets its name when
the tracer is closed, and is valid even after an error. The tracer reads no clock: all times are
given in seconds on a wall or virtual clock, and count from `origin_s`. In the file times are in
microseconds, as Chrome expects.

Vocabulary: a track is a thread of the viewer (`decode`, `graph`, `write`). What the budget covers
is on the track `GRAPH`. A span is a stage of one frame, or with `outer` a group of stages, which
must be added before them. Every submitted frame ends once, with a `Fate`.
"""

from __future__ import annotations

import json
import math
import os
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO, Literal, TypedDict, Unpack, get_args

import numpy as np

from camerapipe.errors import OutputError, RequestError
from camerapipe.ingest.atomic import whole_file

FORMAT = "camerapipe-trace/1"
TRACES = (".json",)  # suffixes of the files
GRAPH = "graph"  # the track whose stages the budget covers
ENDS = "ends"  # the track of frames that are not done
PLAIN = {str, int, bool, type(None)}
ENCODER = json.JSONEncoder(separators=(",", ":"), check_circular=False, default=str)
PROCESS = 1  # the one process of the viewer
Fate = Literal["done", "failed", "dropped", "cancelled"]
Mode = Literal["measured", "simulated"]
Kind = Literal["frame", "capture"]
HEAD = b'{"traceEvents":[\n{"ph":"M","pid":1,"name":"process_name","args":{"name":"camerapipe"}}'
TAIL = b'\n],"displayTimeUnit":"ms","otherData":%s}\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceHeader:
    """What produced a trace. If `mode` is simulated, its times are those of a model."""

    mode: Mode
    source: str = ""
    graph: str = ""
    policy: str = ""  # `latest` or `block`
    profile: str | None = None
    calibrated: bool = False  # the numbers of the profile were measured on the device
    scale_range: tuple[float, float] | None = None  # times on the device over reference times
    budget_ms: float | None = None
    stages_ms: dict[str, float] = field(default_factory=dict)  # budgets of stages
    interval_ms: float | None = None  # between frames of the source
    seed: int | None = None
    versions: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise RequestError(f"trace: mode: expected measured or simulated; got {self.mode!r}")


class StageArgs(TypedDict, total=False):
    """Optional facts about a stage; None is left out."""

    granted_ms: float | None
    setup_ms: float  # part of the span: before the first estimate of an anytime stage
    steps: int
    residual: float | None
    caveats: Sequence[str]  # names of `report.Caveat`
    rung: str | None  # of the quality ladder


class FrameArgs(TypedDict, total=False):
    """Optional facts about the end of a frame; None is left out."""

    capture: str  # its name
    spent_ms: float | None  # from developed pixels to the picture, which the budget limits
    budget_ms: float | None
    step_ms: float | None  # longest step of its anytime stages, by which a budget may be missed
    late: bool  # the budget, or that of a stage, was missed
    contended: bool  # other processes had the machine for a part of the time
    rung: str | None  # of the quality ladder
    caveats: Sequence[str]
    stage: str | None  # where it failed or was dropped
    reason: str | None
    lateness_ms: float | None  # of a dropped frame
    findings: Sequence[str]  # codes
    advice: str | None  # delivered with the frame
    check: str | None  # level of the check, or `carried`
    check_age_frames: int | None  # of carried findings


class Tracer:
    """Writes one trace. Thread-safe.

    Events after `close` are ignored, since an abandoned thread may still send some. If the disk is
    full, writing stops, the run continues, and `close` raises `OutputError`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        header: TraceHeader,
        *,
        tracks: Sequence[str] = ("decode", GRAPH, "write"),
        origin_s: float = 0.0,
        overwrite: bool = False,
    ) -> None:
        self._header, self._origin_s = header, origin_s
        self._lock = threading.Lock()
        self._tracks: dict[str, int] = {}
        self._error: OSError | None = None
        self._output = ExitStack()
        self._file: BinaryIO | None = self._output.enter_context(
            whole_file(path, overwrite=overwrite)
        )
        with self._lock:
            self._put(HEAD)
            for track in tracks:
                self._track(track)

    def __enter__(self) -> Tracer:
        """Begin a `with` block."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close, and note the error that ended the run; no other error replaces it."""
        try:
            self.close(ended="complete" if kind is None else kind.__name__)
        except OutputError:
            if kind is None:
                raise

    def span(
        self,
        track: str,
        name: str,
        start_s: float,
        end_s: float,
        *,
        frame: int | None = None,
        outer: bool = False,
        **args: Unpack[StageArgs],
    ) -> None:
        """Add a stage of a frame, or a group of stages (`outer`)."""
        start, end = self._us(start_s), self._us(end_s)
        self._add(
            track,
            ph="X",
            cat="outer" if outer else "stage",
            name=name,
            ts=start,
            dur=max(0, _short(end - start)),  # of the rounded ends: neighbours stay neighbours
            args={"frame": frame, **args},
        )

    def frame(
        self,
        seq: int,
        captured_s: float,
        ended_s: float,
        phases: Sequence[tuple[str, float, float]] = (),
        *,
        kind: Kind = "frame",
        fate: Fate,
        **args: Unpack[FrameArgs],
    ) -> None:
        """Add the end of a frame, with its time from capture to delivery or loss.

        `phases` are name, begin and end (s) of what it went through, drawn inside of it. A frame of
        the kind `capture` was taken beside the stream, and may have the number of one in it.
        """
        if fate not in get_args(Fate):
            raise RequestError(f"trace: fate: expected {', '.join(get_args(Fate))}; got {fate!r}")
        latency_ms = (ended_s - captured_s) * 1000
        facts = {"fate": fate, "latency_ms": latency_ms, **args}
        begun, ended = self._us(captured_s), self._us(ended_s)
        common = {"cat": kind, "name": kind, "id": int(seq), "pid": PROCESS, "tid": 0}
        self._write(
            {"ph": "b", **common, "ts": begun, "args": facts},
            *(
                {"ph": ph, **common, "name": name, "ts": self._us(at_s)}
                for name, start_s, end_s in phases
                if end_s > start_s
                for ph, at_s in (("b", start_s), ("e", end_s))
            ),
            {"ph": "e", **common, "ts": max(begun, ended)},
        )
        if fate != "done":
            name = ": ".join(str(part) for part in (fate, args.get("reason")) if part)
            self._instant(ENDS, name, ended_s, "end", {"frame": seq, **args})

    def instant(self, track: str, name: str, at_s: float, **args: Any) -> None:
        """Add a moment, such as a new advice or a change of the rung."""
        self._instant(track, name, at_s, "event", args)

    def counter(self, name: str, at_s: float, value: float) -> None:
        """Add a value at a time, such as the bytes in flight."""
        at_us = self._us(at_s)
        self._write(
            {"ph": "C", "pid": PROCESS, "name": name, "ts": at_us, "args": {"value": value}}
        )

    def flow(self, seq: int, hops: Sequence[tuple[str, float]]) -> None:
        """Link the spans of one frame by arrows; `hops` are tracks and a moment in each span."""
        steps = ["s", *["t"] * (len(hops) - 2), "f"] if len(hops) > 1 else []
        for step, (track, at_s) in zip(steps, hops[: len(steps)], strict=True):
            bound = {"bp": "e"} if step == "f" else {}
            self._add(
                track, ph=step, cat="flow", name="flow", id=int(seq), ts=self._us(at_s), **bound
            )

    def close(self, *, ended: str = "complete", **facts: Any) -> None:
        """Finish the file and give it its name; `facts` are added to its `otherData`."""
        with self._lock:
            if self._file is None:
                return
            about = {"format": FORMAT, "run": asdict(self._header), "end": {"ended": ended} | facts}
            self._put(TAIL % _encode(_plain(about)))
            self._file = None
        error = self._error
        self._output.__exit__(type(error) if error else None, error, None)

    def _instant(self, track: str, name: str, at_s: float, cat: str, args: dict[str, Any]) -> None:
        self._add(track, ph="i", s="t", cat=cat, name=name, ts=self._us(at_s), args=args)

    def _add(self, track: str, **event: Any) -> None:
        with self._lock:
            number = self._track(track)
        self._write({**event, "pid": PROCESS, "tid": number})

    def _track(self, name: str) -> int:
        """Number of a track; new tracks are numbered in order of appearance."""
        if name not in self._tracks:
            number = self._tracks[name] = len(self._tracks) + 1
            common = {"ph": "M", "pid": PROCESS, "tid": number}
            self._put(_line({**common, "name": "thread_name", "args": {"name": name}}))
            order = {"sort_index": number}
            self._put(_line({**common, "name": "thread_sort_index", "args": order}))
        return self._tracks[name]

    def _write(self, *events: dict[str, Any]) -> None:
        """Add events that belong together. They are encoded without the lock."""
        lines = b"".join(map(_line, events))
        with self._lock:
            self._put(lines)

    def _put(self, data: bytes) -> None:
        if self._file is None or self._error:
            return
        try:
            self._file.write(data)
        except OSError as error:
            self._error = error

    def _us(self, at_s: float) -> float:
        return _short((at_s - self._origin_s) * 1e6)


def _short(value: float) -> float:
    """Rounded to 3 places (nanoseconds); whole numbers as integers."""
    rounded = round(float(value), 3)
    return int(rounded) if rounded.is_integer() else rounded


def _plain(value: Any) -> Any:
    """The value as JSON with few digits; None if it is empty or not finite."""
    if type(value) in PLAIN:
        return value
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return round(value, 3) if abs(value) >= 1 else float(f"{value:.4g}")
    if isinstance(value, dict):
        kept: dict[str, Any] = {}
        for key, item in value.items():
            if (plain := _plain(item)) is not None:
                kept[str(key)] = plain
        return kept or None
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value] or None
    return value


def _line(event: dict[str, Any]) -> bytes:
    """An event as a line of the list, after the first."""
    args = _plain(event.pop("args", None))
    return b",\n" + _encode(event | {"args": args} if args else event)


def _encode(value: Any) -> bytes:
    return ENCODER.encode(value).encode()
