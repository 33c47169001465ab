"""Replays: frames of a recording computed again, all or one alone, and compared.

Each frame starts from its recorded memory and follows its recorded decisions, whatever time it
takes. No clock is read, no policy decides, and nothing is learnt. If a part of a recording is
missing, a `CaptureError` names the file. A frame differs if its picture or its advice does.
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

from camerapipe.assembly import Request
from camerapipe.capture import Capture, CaptureMeta, Sourced
from camerapipe.costs import Costs
from camerapipe.errors import CaptureError, RequestError
from camerapipe.graph import Node
from camerapipe.ingest import open_capture
from camerapipe.settings import Settings, resolve
from camerapipe.stream.frames import Fate
from camerapipe.stream.policy import QualityPolicy
from camerapipe.stream.record import FORMAT, FRAMES, KEPT_LAYERS, MEMORY, PIXELS, RUN, digest
from camerapipe.stream.rungs import ReadyCheck, ReadyRung, ready_checks, ready_rungs
from camerapipe.stream.shown import AgedFindings, Frame, Shown, StreamState
from camerapipe.stream.sinks import Sink
from camerapipe.stream.viewfinder import Viewfinder
from camerapipe.stream.virtual import VirtualClock
from stages.advice import Advice, AdviceState, Vote
from stages.findings import Finding, Severity
from stages.params import Array
from stages.scribble import Scribble
from stages.steady import Memory
from stages.tone import SRGB, ToneCurve

NEEDED = {  # keys of the line of a frame that was shown
    "name", "pixels", "memory", "advised", "checked", "check", "at_s", "started_s", "rung",
    "blocked", "stages", "advice", "digest",
}  # fmt: skip
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """Result of a replay: number of frames, those that differ, and versions that changed."""

    frames: int
    differing: tuple[int, ...]
    other_versions: dict[str, tuple[str, str]]  # package: recorded, now


class Recorded(NamedTuple):
    """What a run was recorded with, as far as pictures depend on it."""

    request: Request  # without `force`, which differs from frame to frame
    meta: CaptureMeta | None  # of the profile
    nearest_focus_m: float  # of its lens
    max_pixels: int

    @classmethod
    def from_plain(cls, about: Mapping[str, Any]) -> Recorded:
        """Read it from the data of `record.about_of`."""
        point, distance_m, meta = about["focus_point"], about["distance_m"], about["meta"]
        return cls(
            request=Request(
                settings=_settings_from(about),
                focus_point=None if point is None else (float(point[0]), float(point[1])),
                scribbles=tuple(map(Scribble.from_plain, about["scribbles"])),
                distance_m=None if distance_m is None else float(distance_m),
            ),
            meta=None if meta is None else _meta(meta),
            nearest_focus_m=float(about["nearest_focus_m"]),
            max_pixels=int(about["max_pixels"]),
        )


def _settings_from(about: Mapping[str, Any]) -> Settings:
    settings = resolve(about["preset"])
    kept = {layer.name.lower(): layer for layer in KEPT_LAYERS}
    for name, layer in about["settings"].items():
        settings = settings.with_layer(kept[name], layer["changes"], str(layer["name"]))
    return settings


def _meta(plain: Mapping[str, Mapping[str, Any]]) -> CaptureMeta:
    return CaptureMeta(**{name: Sourced(**said) for name, said in plain.items()})


@dataclass(frozen=True, slots=True)
class Recording:
    """An open recording: what ran, and the lines of the frames that were shown, by number.

    `changed` has what was asked from a frame on, until the next one that it names.
    """

    folder: Path
    about: dict[str, Any]
    recorded: Recorded  # until the first change
    shown: dict[int, dict[str, Any]]
    changed: dict[int, Recorded]

    @classmethod
    def open(cls, folder: Path) -> Recording:
        """Read a recording.

        Raises
        ------
        CaptureError
            If it is none, it is damaged, or it has another format.
        """
        try:
            about = json.loads((folder / RUN).read_text(encoding="utf-8"))
            if about["format"] != FORMAT:
                raise ValueError(f"its format is {about['format']!r}, expected {FORMAT!r}")
            recorded = Recorded.from_plain(about)
            if missing := {"fps", "versions"} - about.keys():
                raise ValueError(f"{RUN}: {', '.join(sorted(missing))} not said")
            shown = _shown_lines((folder / FRAMES).read_text(encoding="utf-8"))
            changed = _changed(about, shown)
        except OSError as error:
            raise CaptureError(f"{folder}: is not a recording ({error.strerror})") from error
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise CaptureError(f"{folder}: is a damaged recording ({error})") from error
        return cls(folder, about, recorded, shown, changed)

    def replay(
        self,
        sink: Sink,
        *,
        versions: Mapping[str, str],
        only: Iterable[int] | None = None,
    ) -> Replayed:
        """Compute frames again, each from its recorded memory and decisions.

        Parameters
        ----------
        sink : Sink
            Gets the frames.
        versions : mapping
            Of the packages now.
        only : iterable of int, optional
            Numbers of the frames wanted.

        Raises
        ------
        CaptureError
            If a part of the recording is missing or damaged.
        RequestError
            If a frame that is wanted was not shown.
        """
        wanted = list(self.shown) if only is None else list(only)
        for seq in wanted:
            if seq not in self.shown:
                raise RequestError(f"{self.folder}: frame {seq} was not shown when it was recorded")
        differing: list[int] = []
        last: Recorded | None = None
        with sink:
            for seq in wanted:
                line, recorded = self.shown[seq], self.recorded_at(seq)
                if recorded is not last:
                    settings = recorded.request.settings
                    rungs, checks, last = ready_rungs(settings), ready_checks(settings), recorded
                again = self._show(line, recorded, rungs, checks)
                if only is not None:  # some frames make no film
                    again = replace(again, frame=again.frame._replace(at_s=None))
                if (digest(again), again.advice.text) != (line["digest"], line["advice"]):
                    differing.append(seq)
                sink.deliver(again)
        before = self.about["versions"]
        changed = {
            name: (old, versions[name])
            for name, old in before.items()
            if versions.get(name, old) != old
        }
        return Replayed(frames=len(wanted), differing=tuple(differing), other_versions=changed)

    def recorded_at(self, seq: int) -> Recorded:
        """What was asked of a frame."""
        last = max((number for number in self.changed if number <= seq), default=None)
        return self.recorded if last is None else self.changed[last]

    def _show(
        self,
        line: Mapping[str, Any],
        recorded: Recorded,
        rungs: Sequence[ReadyRung],
        checks: Sequence[ReadyCheck],
    ) -> Shown:
        seq = int(line["seq"])
        clock = VirtualClock()
        try:
            clock.now_s = float(line["started_s"])
            state = StreamState(
                self._memory(seq, line), _advised(line["advised"]), checked=_checked(line)
            )
        except (ValueError, LookupError, TypeError) as error:
            raise CaptureError(f"{self.folder}: frame {seq} is damaged ({error})") from error
        viewfinder = Viewfinder(
            request=replace(recorded.request, force=not line["blocked"]),
            policy=QualityPolicy(
                (_decided(self._rung(line, rungs), line["stages"]),),
                tuple(check for check in checks if check.name == line["check"]["level"]),
            ),
            clock=clock,
            costs=Costs(),
            meta=recorded.meta,
            nearest_focus_m=recorded.nearest_focus_m,
        )
        frame = Frame(
            seq, self.capture(seq), at_s=line["at_s"], focusing=line.get("focusing", False)
        )
        return viewfinder.show(frame, state)[0]

    def _memory(self, seq: int, line: Mapping[str, Any]) -> Memory | None:
        if not line["memory"]:
            return None
        return _loaded(self.folder / MEMORY / f"{seq}.npz", Memory.from_arrays)

    def _rung(self, line: Mapping[str, Any], rungs: Sequence[ReadyRung]) -> ReadyRung:
        for rung in rungs:
            if rung.name == line["rung"]:
                return rung
        known = ", ".join(rung.name for rung in rungs)
        raise CaptureError(
            f"{self.folder}: frame {line['seq']} has the rung {line['rung']!r}, "
            f"which does not exist; there are: {known}"
        )

    def capture(self, seq: int) -> Capture:
        """Develop a frame that was shown as when it was recorded."""
        line = self.shown[seq]
        paths = list((self.folder / PIXELS).glob(f"{seq}.*"))
        if len(paths) != 1:
            raise CaptureError(f"{self.folder}: the pixels of frame {seq} are missing")
        path, name, facts = paths[0], str(line["name"]), line["pixels"]
        if facts is not None and path.suffix == ".npz":
            capture = _loaded(path, _capture_from)
        else:
            capture = open_capture(path, max_pixels=self.recorded.max_pixels)
        if facts is None:
            return replace(capture, name=name)
        return replace(capture, name=name, **{**facts, "meta": _meta(facts["meta"])})


def _shown_lines(text: str) -> dict[int, dict[str, Any]]:
    """Lines of the frames that were shown, without a last line that was cut off."""
    shown = {}
    for line in map(json.loads, text.split("\n")[:-1]):
        if line["fate"] == Fate.DONE:
            if missing := NEEDED - line.keys():
                raise ValueError(f"frame {line['seq']}: {', '.join(sorted(missing))} not said")
            shown[int(line["seq"])] = line
    return shown


def _changed(
    about: Mapping[str, Any], shown: Mapping[int, Mapping[str, Any]]
) -> dict[int, Recorded]:
    """What was asked from a frame on, for each frame at which it changed."""
    found, asked = {}, dict(about)
    for seq, line in shown.items():
        if changes := line.get("changes"):
            asked |= changes
            found[seq] = Recorded.from_plain(asked)
    return found


def _loaded(path: Path, build: Callable[[Mapping[str, Any]], T]) -> T:
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            return build(arrays)
    except Exception as error:  # readers of archives and arrays raise errors of many types
        raise CaptureError(f"{path}: is missing or damaged ({error})") from error


def _capture_from(arrays: Mapping[str, Array]) -> Capture:
    """Capture from the arrays that `record` keeps."""
    curve = SRGB
    if not np.array_equal(arrays["curve"], SRGB.decode):
        curve = ToneCurve("recorded", arrays["curve"])
    alpha = arrays.get("alpha")
    return Capture(name="", linear=arrays["linear"], kind="array", curve=curve, alpha=alpha)


def _advised(plain: Mapping[str, Any]) -> AdviceState:
    """Advice before a frame."""
    shown = plain["shown"]
    votes = tuple(Vote(float(at_ms), _advice(given)) for at_ms, given in plain["votes"])
    return AdviceState(
        _advice(shown) if shown else None,
        float(plain["since_ms"]),
        votes,
        bool(plain["blocked"]),
    )


def _advice(plain: Sequence[str]) -> Advice:
    code, text, severity = plain
    return Advice(code, text, Severity(severity))


def _checked(line: Mapping[str, Any]) -> AgedFindings | None:
    """Findings before a frame."""
    plain = line["checked"]
    if plain is None:
        return None
    findings = (found | {"severity": Severity(found["severity"])} for found in plain["findings"])
    return AgedFindings(tuple(Finding(**found) for found in findings), int(plain["age_frames"]))


def _decided(rung: ReadyRung, stages: Iterable[Mapping[str, Any]]) -> ReadyRung:
    """A rung whose stages follow the recorded decisions."""
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
        rung,
        see=rung.see.with_nodes(node_as_decided),
        picture=rung.picture.with_nodes(node_as_decided),
    )


def _first_steps(function: Any, steps: int) -> Any:
    @functools.wraps(function)
    def some(*arguments: Any) -> Iterator[Any]:
        return islice(function(*arguments), steps)

    return some
