"""Reading of traces. Events are stored in columns while they are parsed, to save memory.

Times are in seconds from the origin of the trace, durations in milliseconds; NaN: unknown. Frames
are ordered by capture time, spans by start time.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from camerapipe.errors import CaptureError
from camerapipe.trace import FORMAT, Fate, TraceHeader

UNKNOWN = float("nan")
FRAME_NUMBERS = ("spent_ms", "budget_ms", "step_ms", "lateness_ms")
FRAME_WORDS = ("stage", "reason", "rung", "advice", "capture")
SPAN_NUMBERS = ("granted_ms", "setup_ms", "steps", "residual")
FATES = get_args(Fate)
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, OverflowError)

Column = NDArray[np.float64]
Whole = NDArray[np.int64]


class TracedFrame(NamedTuple):
    """A frame and how it ended. Unknown numbers are NaN, unknown texts None."""

    seq: int
    captured_s: float
    fate: Fate
    late: bool
    contended: bool
    caveats: tuple[str, ...]
    latency_ms: float
    spent_ms: float
    budget_ms: float
    step_ms: float
    lateness_ms: float
    stage: str | None
    reason: str | None
    rung: str | None
    advice: str | None
    capture: str | None

    @property
    def missed(self) -> bool:
        """Whether a done frame missed its budget, or that of a stage."""
        return self.fate == "done" and (self.late or self.spent_ms > self.budget_ms)


class Moment(NamedTuple):
    """An instant on a track, with its arguments."""

    track: str
    name: str
    at_s: float
    args: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Spans:
    """Spans as columns; `kind` and `caveats` are indices of `Trace.kinds` and `Trace.caveats`."""

    kind: Whole
    frame: Whole  # -1: no frame
    outer: NDArray[np.bool_]
    caveats: Whole
    start_s: Column
    ms: Column
    granted_ms: Column
    setup_ms: Column
    steps: Column
    residual: Column

    def where(self, chosen: NDArray[Any]) -> Spans:
        """Spans selected by a mask or by indices."""
        return Spans(*(getattr(self, column.name)[chosen] for column in fields(self)))


@dataclass(frozen=True, slots=True)
class Trace:
    """Contents of a trace file."""

    header: TraceHeader
    end: dict[str, Any]  # how the run ended, and totals
    tracks: tuple[str, ...]
    kinds: tuple[tuple[str, str], ...]  # (track, stage); outer spans have no name
    caveats: tuple[tuple[str, ...], ...]  # distinct sets of caveats
    frames: tuple[TracedFrame, ...]
    spans: Spans
    moments: tuple[Moment, ...]
    counters: dict[str, tuple[Column, Column]]  # (at_s, value)

    def from_zero(self) -> Trace:
        """The same trace, with times since the first event."""
        starts = [
            *(frame.captured_s for frame in self.frames[:1]),
            *self.spans.start_s[:1],
            *(moment.at_s for moment in self.moments[:1]),
            *(at_s[0] for at_s, _ in self.counters.values() if at_s.size),
        ]
        first_s = float(min(starts, default=0.0))
        return replace(
            self,
            frames=tuple(f._replace(captured_s=f.captured_s - first_s) for f in self.frames),
            spans=replace(self.spans, start_s=self.spans.start_s - first_s),
            moments=tuple(m._replace(at_s=m.at_s - first_s) for m in self.moments),
            counters={name: (at_s - first_s, v) for name, (at_s, v) in self.counters.items()},
        )


def read_trace(path: Path) -> Trace:
    """Read a file of `Tracer`; `CaptureError` names the file and what is wrong with it."""
    events = _Events()
    try:
        data = json.loads(path.read_bytes(), object_hook=events.take, parse_constant=_no_constant)
    except OSError as error:
        raise CaptureError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:  # ValueError: JSON, or not UTF-8
        raise CaptureError(f"{path}: is not JSON, or was cut off ({error})") from error
    if not isinstance(data, dict) or not isinstance(data.get("traceEvents"), list):
        raise CaptureError(f"{path}: is not a Chrome trace: it has no list 'traceEvents'")
    other = data.get("otherData")
    if not isinstance(other, dict) or other.get("format") != FORMAT:
        raise CaptureError(f"{path}: is a Chrome trace, but not of camerapipe ({FORMAT})")
    if events.problem:
        raise CaptureError(f"{path}: {events.problem}")
    try:
        return events.trace(_header(other["run"]), other.get("end") or {})
    except UNREADABLE as error:
        raise CaptureError(f"{path}: does not say what was run ({error})") from error


def _real(value: Any) -> float:
    """The value as a float; `ValueError` if it is infinite."""
    number = float(value)
    if abs(number) == float("inf"):
        raise ValueError("a number is infinite")
    return number


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _header(run: dict[str, Any]) -> TraceHeader:
    known = {column.name for column in fields(TraceHeader)}
    given = {key: value for key, value in run.items() if key in known}
    if "scale_range" in given:
        low, high = given["scale_range"]
        given["scale_range"] = (low, high)
    header = TraceHeader(**given)
    numbers = [
        header.budget_ms, header.interval_ms, *header.stages_ms.values(),
        *(header.scale_range or ()),
    ]  # fmt: skip
    if not all(number is None or isinstance(number, int | float) for number in numbers):
        raise TypeError("budgets, interval and scale are numbers")
    return header


class _Numbering:
    """Indices of values, in the order of first appearance."""

    def __init__(self) -> None:
        self.known: dict[Any, int] = {}

    def __call__(self, value: Any) -> int:
        return self.known.setdefault(value, len(self.known))


class _Events:
    """Columns that are filled while JSON is parsed; `take` is its object hook."""

    def __init__(self) -> None:
        self.problem = ""
        self.count = 0
        self.names: dict[int, str] = {}
        self.kinds, self.sets = _Numbering(), _Numbering()
        self._words: dict[Any, Any] = {}
        self.whole = array("q")  # kind, frame, outer, caveats of every span
        self.numbers = array("d")  # start, duration and SPAN_NUMBERS of every span
        self.frames: dict[int, TracedFrame] = {}
        self.moments: list[tuple[int, str, float, dict[str, Any]]] = []
        self.counters: dict[str, array[float]] = {}
        self.takers: dict[str, Callable[[dict[str, Any], dict[str, Any]], None]] = {
            "M": self._name, "X": self._span, "b": self._frame, "i": self._moment,
            "C": self._counter,
        }  # fmt: skip

    def take(self, data: dict[str, Any]) -> dict[str, Any] | None:
        """Store an event and return None; return other objects unchanged."""
        if "ph" not in data:
            return data
        self.count += 1
        taker = self.takers.get(data["ph"]) if isinstance(data["ph"], str) else None
        if taker and not self.problem:
            try:
                taker(data, data.get("args") or {})
            except UNREADABLE as error:
                self.problem = f"event {self.count} cannot be understood ({error!r})"
        return None

    def trace(self, header: TraceHeader, end: dict[str, Any]) -> Trace:
        """Trace of all stored events, in order."""
        counters = {name: np.array(pairs).reshape(-1, 2) for name, pairs in self.counters.items()}
        return Trace(
            header=header,
            end=end,
            tracks=tuple(self.names.values()),
            kinds=tuple((self.names.get(tid, str(tid)), name) for tid, name in self.kinds.known),
            caveats=tuple(self.sets.known),
            frames=tuple(sorted(self.frames.values(), key=lambda f: (f.captured_s, f.seq))),
            spans=self._spans(),
            moments=tuple(
                Moment(self.names.get(tid, str(tid)), name, at_s, args)
                for tid, name, at_s, args in sorted(self.moments, key=lambda m: m[2])
            ),
            counters={
                name: (pairs[order, 0], pairs[order, 1])
                for name, pairs in counters.items()
                for order in [np.argsort(pairs[:, 0], kind="stable")]
            },
        )

    def _spans(self) -> Spans:
        whole = np.array(self.whole, np.int64).reshape(-1, 4).T
        numbers = np.array(self.numbers, np.float64).reshape(-1, 2 + len(SPAN_NUMBERS)).T
        kind, frame, outer, caveats = whole
        spans = Spans(kind, frame, outer.astype(bool), caveats, *numbers)
        return spans.where(np.argsort(spans.start_s, kind="stable"))

    def _name(self, event: dict[str, Any], args: dict[str, Any]) -> None:
        if event["name"] == "thread_name":
            self.names[int(event["tid"])] = str(args["name"])

    def _span(self, event: dict[str, Any], args: dict[str, Any]) -> None:
        numbers = [_real(event["ts"]) / 1e6, _real(event["dur"]) / 1e3]
        numbers += [args.get(key, UNKNOWN) for key in SPAN_NUMBERS]
        outer = event["cat"] == "outer"
        kind = self.kinds((int(event["tid"]), "" if outer else str(event["name"])))
        caveats = self.sets(tuple(map(str, args.get("caveats", ()))))
        self.numbers.extend(map(_real, numbers))
        self.whole.extend((kind, int(args.get("frame", -1)), outer, caveats))

    def _frame(self, event: dict[str, Any], args: dict[str, Any]) -> None:
        if event.get("name", "frame") != "frame":  # a phase of one, which the spans have as well
            return
        seq = int(event["id"])
        if seq in self.frames:
            raise ValueError(f"frame {seq} ends twice")
        if args["fate"] not in FATES:
            raise ValueError(f"fate {args['fate']!r} of frame {seq}")
        numbers: list[Any] = [_real(args.get(key, UNKNOWN)) for key in FRAME_NUMBERS]
        words: list[Any] = [self._shared(args.get(key)) for key in FRAME_WORDS]
        self.frames[seq] = TracedFrame(
            seq,
            _real(event["ts"]) / 1e6,
            args["fate"],
            bool(args.get("late")),
            bool(args.get("contended")),
            self._shared(tuple(map(str, args.get("caveats", ())))),
            _real(args["latency_ms"]),
            *numbers,
            *words,
        )

    def _shared(self, value: Any) -> Any:
        """The first of equal texts, so that repeated ones share memory."""
        return self._words.setdefault(value, value)

    def _moment(self, event: dict[str, Any], args: dict[str, Any]) -> None:
        if event["cat"] == "event":  # the instants at the ends of frames are redundant
            at_s = _real(event["ts"]) / 1e6
            self.moments.append((int(event["tid"]), str(event["name"]), at_s, args))

    def _counter(self, event: dict[str, Any], args: dict[str, Any]) -> None:
        pair = (_real(event["ts"]) / 1e6, _real(args["value"]))
        self.counters.setdefault(str(event["name"]), array("d")).extend(pair)
