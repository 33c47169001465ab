"""Replays: frames of a recording shown again, all or one alone, and held against what they were.

Each frame starts from its recorded memory and follows its recorded decisions, whatever time it
takes: no clock is read, no ladder is asked, nothing is learned. What a recording lacks is a
`CaptureError` that names the file; only a picture or an advice that came out otherwise counts as
differing.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from camerapipe.capture import Capture, CaptureMeta, Sourced
from camerapipe.costs import Costs
from camerapipe.errors import CaptureError, RequestError
from camerapipe.graph import Node
from camerapipe.ingest import open_capture
from camerapipe.stream.checking import Checked, Look
from camerapipe.stream.frames import Fate
from camerapipe.stream.record import FORMAT, FRAMES, MEMORY, PIXELS, RUN, digest
from camerapipe.stream.sinks import Sink
from camerapipe.stream.viewfinder import Frame, Shown, State, Viewfinder, Way
from camerapipe.stream.worlds import VirtualClock
from stages import advice
from stages.advice import Advice, AdviceState
from stages.findings import Finding, Severity
from stages.params import Array
from stages.steady import Memory
from stages.tone import SRGB, ToneCurve

NEEDED = {  # of a frame shown
    "name", "pixels", "memory", "advised", "checked", "check", "at_s", "started_s", "rung",
    "blocked", "stages", "advice", "digest",
}  # fmt: skip
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What a replay found: frames shown again, and those that came out otherwise."""

    frames: int
    differing: tuple[int, ...]
    other_versions: dict[str, tuple[str, str]]  # package: recorded, now


class Asked(NamedTuple):
    """What was asked for when a run was recorded, as far as pictures depend on it."""

    focus_point: tuple[float, float] | None
    distance_m: float | None
    meta: CaptureMeta | None  # of the profile
    nearest_focus_m: float  # of its lens
    max_pixels: int

    @classmethod
    def from_plain(cls, about: Mapping[str, Any]) -> Asked:
        """Read it from what a recording says of its run."""
        point, far, meta = about["focus_point"], about["distance_m"], about["meta"]
        return cls(
            focus_point=None if point is None else (float(point[0]), float(point[1])),
            distance_m=None if far is None else float(far),
            meta=None if meta is None else _meta(meta),
            nearest_focus_m=float(about["nearest_focus_m"]),
            max_pixels=int(about["max_pixels"]),
        )


def _meta(plain: Mapping[str, Mapping[str, Any]]) -> CaptureMeta:
    return CaptureMeta(**{name: Sourced(**said) for name, said in plain.items()})


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording that was opened: what ran, and its frames that were shown, by number."""

    folder: Path
    about: dict[str, Any]
    asked: Asked
    shown: dict[int, dict[str, Any]]

    @classmethod
    def open(cls, folder: Path) -> Recording:
        """Read a recording; `CaptureError` says what is wrong with it."""
        try:
            about = json.loads((folder / RUN).read_text(encoding="utf-8"))
            if about["format"] != FORMAT:
                raise ValueError(f"its format is {about['format']!r}, expected {FORMAT!r}")
            asked = Asked.from_plain(about)
            if missing := {"fps", "params", "versions"} - about.keys():
                raise ValueError(f"{RUN}: {', '.join(sorted(missing))} not said")
            shown = _shown_lines((folder / FRAMES).read_text(encoding="utf-8"))
        except OSError as error:
            raise CaptureError(f"{folder}: is not a recording ({error.strerror})") from error
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise CaptureError(f"{folder}: is a damaged recording ({error})") from error
        return cls(folder, about, asked, shown)

    def replay(
        self,
        ways: Sequence[Way],
        looks: Sequence[Look],
        sink: Sink,
        *,
        versions: Mapping[str, str],
        only: Iterable[int] | None = None,
    ) -> Replayed:
        """Show frames again, all or some, each from its recorded memory and decisions."""
        wanted = list(self.shown) if only is None else list(only)
        for seq in wanted:
            if seq not in self.shown:
                raise RequestError(f"{self.folder}: frame {seq} was not shown when it was recorded")
        differing = []
        with sink:
            for seq in wanted:
                line = self.shown[seq]
                again = self._show(line, ways, looks)
                if only is not None:  # some frames are no film
                    again = replace(again, frame=again.frame._replace(at_s=None))
                if (digest(again), again.advice.text) != (line["digest"], line["advice"]):
                    differing.append(seq)
                sink.deliver(again)
        before = self.about["versions"]
        changed = {
            name: (recorded, versions[name])
            for name, recorded in before.items()
            if versions.get(name, recorded) != recorded
        }
        return Replayed(frames=len(wanted), differing=tuple(differing), other_versions=changed)

    def _show(self, line: Mapping[str, Any], ways: Sequence[Way], looks: Sequence[Look]) -> Shown:
        seq = int(line["seq"])
        clock = VirtualClock()
        try:
            clock.now_s = float(line["started_s"])
            state = State(
                self._memory(seq, line), _advised(line["advised"]), checked=_checked(line)
            )
        except (ValueError, LookupError, TypeError) as error:
            raise CaptureError(f"{self.folder}: frame {seq} is damaged ({error})") from error
        viewfinder = Viewfinder(
            ways=(_decided(self._way(line, ways), line["stages"]),),
            looks=tuple(look for look in looks if look.name == line["check"]["look"]),
            clock=clock,
            costs=Costs(),
            meta=self.asked.meta,
            nearest_focus_m=self.asked.nearest_focus_m,
            distance_m=self.asked.distance_m,
            focus_point=self.asked.focus_point,
            force=not line["blocked"],
        )
        return viewfinder.show(Frame(seq, self._capture(seq, line), at_s=line["at_s"]), state)[0]

    def _memory(self, seq: int, line: Mapping[str, Any]) -> Memory | None:
        if not line["memory"]:
            return None
        return _loaded(self.folder / MEMORY / f"{seq}.npz", Memory.from_arrays)

    def _way(self, line: Mapping[str, Any], ways: Sequence[Way]) -> Way:
        for way in ways:
            if way.name == line["rung"]:
                return way
        known = ", ".join(way.name for way in ways)
        raise CaptureError(
            f"{self.folder}: frame {line['seq']} was shown by the rung {line['rung']!r}, "
            f"which does not exist; there are: {known}"
        )

    def _capture(self, seq: int, line: Mapping[str, Any]) -> Capture:
        """Develop a frame as it was when it was recorded."""
        paths = list((self.folder / PIXELS).glob(f"{seq}.*"))
        if len(paths) != 1:
            raise CaptureError(f"{self.folder}: the pixels of frame {seq} are missing")
        path, name, told = paths[0], str(line["name"]), line["pixels"]
        if told is not None and path.suffix == ".npz":
            capture = _loaded(path, _capture_from)
        else:
            capture = open_capture(path, max_pixels=self.asked.max_pixels)
        if told is None:
            return replace(capture, name=name)
        return replace(capture, name=name, **{**told, "meta": _meta(told["meta"])})


def _shown_lines(text: str) -> dict[int, dict[str, Any]]:
    """The frames that were shown; a last line that was cut off does not count."""
    shown = {}
    for line in map(json.loads, text.split("\n")[:-1]):
        if line["fate"] == Fate.DONE:
            if missing := NEEDED - line.keys():
                raise ValueError(f"frame {line['seq']}: {', '.join(sorted(missing))} not said")
            shown[int(line["seq"])] = line
    return shown


def _loaded(path: Path, build: Callable[[Mapping[str, Any]], T]) -> T:
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            return build(arrays)
    except Exception as error:  # readers of archives and arrays raise all sorts
        raise CaptureError(f"{path}: is missing or damaged ({error})") from error


def _capture_from(arrays: Mapping[str, Array]) -> Capture:
    """Read what `_arrays_of` gave."""
    curve = SRGB
    if not np.array_equal(arrays["curve"], SRGB.decode):
        curve = ToneCurve("recorded", arrays["curve"])
    alpha = arrays.get("alpha")
    return Capture(name="", linear=arrays["linear"], kind="array", curve=curve, alpha=alpha)


def _advised(plain: Mapping[str, Any]) -> AdviceState:
    """Read what was advised before a frame."""
    shown, votes = plain["shown"], plain["frames"]
    frames = tuple(advice.Frame(float(at_ms), _advice(told)) for at_ms, told in votes)
    return AdviceState(_advice(shown) if shown else None, float(plain["since_ms"]), frames)


def _advice(plain: Sequence[str]) -> Advice:
    code, text, severity = plain
    return Advice(code, text, Severity(severity))


def _checked(line: Mapping[str, Any]) -> Checked | None:
    """Read what was found before a frame."""
    plain = line["checked"]
    if plain is None:
        return None
    findings = (found | {"severity": Severity(found["severity"])} for found in plain["findings"])
    return Checked(tuple(Finding(**found) for found in findings), int(plain["age_frames"]))


def _decided(way: Way, stages: Iterable[Mapping[str, Any]]) -> Way:
    """A way whose stages do what was decided when it was recorded."""
    decisions = {stage["name"]: stage for stage in stages}

    def node_as_decided(node: Node) -> Node:
        stage = decisions.get(node.name)
        if stage is None:
            return node
        if node.anytime:
            return replace(node, function=_first_steps(node.function, int(stage["steps"])))
        if stage["fallback"] and node.fallback is not None:
            return replace(node, function=node.fallback, fallback=None)
        return node

    return replace(
        way,
        see=way.see.with_nodes(node_as_decided),
        picture=way.picture.with_nodes(node_as_decided),
    )


def _first_steps(function: Any, steps: int) -> Any:
    @functools.wraps(function)
    def some(*arguments: Any) -> Iterator[Any]:
        return islice(function(*arguments), steps)

    return some
