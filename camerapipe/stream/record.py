"""Recordings: what is needed to show every frame of a run again, alone and to the bit.

    DIR/run.json        what ran: settings, budget, profile, versions
    DIR/frames.jsonl    a line for every frame: its fate; where it was shown, how: rung, steps and
                        fallbacks of its stages, advice, and a digest of the picture
    DIR/frames/N.*      the frame as it came: the file itself, or its pixels as PNG
    DIR/memory/N.npz    what the frames before it had left for it

What a frame looked like follows from its pixels, the memory before it and those decisions; time
decided only the decisions. So a replay needs no clock, and gives the same bytes.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np

from camerapipe.capture import CaptureError, OutputError, RequestError
from camerapipe.graph import Graph, Node
from camerapipe.ingest import open_capture, write_text
from camerapipe.ingest.atomic import write_bytes
from camerapipe.report import Caveat
from camerapipe.runner import Costs
from camerapipe.stream.frames import Outcome, Service
from camerapipe.stream.sinks import Sink, codes_of
from camerapipe.stream.viewfinder import Frame, Shown, State, Viewfinder, Way
from camerapipe.stream.worlds import VirtualClock
from stages.steady import Memory
from stages.tone import encode, to_codes

FORMAT = "camerapipe-recording/1"
RUN, FRAMES = "run.json", "frames.jsonl"


class Recorder(ExitStack):
    """A sink that keeps every frame before it hands it on."""

    def __init__(self, folder: Path, sink: Sink, about: Mapping[str, Any]) -> None:
        super().__init__()
        self._folder, self._sink = folder, sink
        if folder.exists() and any(folder.iterdir()):
            raise OutputError(f"{folder}: is not empty; name another folder for the recording")
        for part in ("frames", "memory"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        write_text(folder / RUN, json.dumps({"format": FORMAT, **about}, indent=2, default=str))

    def __enter__(self) -> Self:
        """Enter the sink as well."""
        lines = (self._folder / FRAMES).open("w", encoding="utf-8")
        self._lines = self.enter_context(lines)
        self.enter_context(self._sink)
        return super().__enter__()

    def deliver(self, shown: Shown) -> None:
        """Keep pixels and memory of a frame."""
        self._keep_frame(shown.frame)
        if shown.before.memory is not None:
            path = self._folder / "memory" / f"{shown.frame.seq}.npz"
            arrays: dict[str, Any] = shown.before.memory.to_arrays()
            np.savez(path, **arrays)
        self._sink.deliver(shown)

    def note(self, stream: object, outcome: Service | Outcome) -> None:
        """Keep the fate of a frame, and how it was shown."""
        if not isinstance(outcome, Outcome):
            return
        line = {
            "seq": outcome.seq,
            "fate": outcome.fate,
            "captured_s": outcome.captured_s,
            "ended_s": outcome.ended_s,
            "stage": outcome.stage,
            "reason": outcome.reason,
        }
        if isinstance(outcome.value, Shown):
            line |= _decisions(outcome.value)
        self._lines.write(json.dumps(line) + "\n")
        self._lines.flush()

    def _keep_frame(self, frame: Frame) -> None:
        stem = self._folder / "frames" / str(frame.seq)
        if frame.origin is not None:
            path = stem.with_suffix(frame.origin.suffix)
            write_bytes(path, frame.origin.read_bytes(), overwrite=True)
            return
        codes = to_codes(encode(frame.capture.linear, frame.capture.curve), 8)
        done, data = cv2.imencode(
            ".png", np.ascontiguousarray(codes[..., ::-1]), [cv2.IMWRITE_PNG_COMPRESSION, 1]
        )
        if not done:
            raise OutputError(f"{stem}.png: could not be encoded")
        write_bytes(stem.with_suffix(".png"), data.tobytes(), overwrite=True)


def _decisions(shown: Shown) -> dict[str, Any]:
    return {
        "name": shown.frame.capture.name,
        "rung": shown.rung,
        "stages": [
            {
                "name": row.name,
                "steps": row.steps,
                "fallback": bool(row.caveats & Caveat.FALLBACK),
                "granted_ms": row.granted_ms,
                "used_ms": row.used_ms,
            }
            for row in shown.stages
        ],
        "spent_ms": shown.spent_ms,
        "advice": shown.advice.text,
        "digest": digest(shown),
    }


def digest(shown: Shown) -> str:
    """Fingerprint of a picture's 8-bit codes."""
    return hashlib.sha256(codes_of(shown.image).tobytes()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What a replay found: frames shown again, and those that came out otherwise."""

    frames: int
    differing: tuple[int, ...]
    other_versions: dict[str, tuple[str, str]]  # package: recorded, now


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording that was opened: what ran, and its frames that were shown, by number."""

    folder: Path
    about: dict[str, Any]
    shown: dict[int, dict[str, Any]]

    @classmethod
    def open(cls, folder: Path) -> Recording:
        """Read a recording; `CaptureError` says what is wrong with it."""
        try:
            about = json.loads((folder / RUN).read_text(encoding="utf-8"))
            if about["format"] != FORMAT:
                raise ValueError(f"its format is {about['format']!r}, expected {FORMAT!r}")
            lines = (folder / FRAMES).read_text(encoding="utf-8").splitlines()
            noted = [json.loads(line) for line in lines]
            shown = {int(line["seq"]): line for line in noted if "digest" in line}
        except OSError as error:
            raise CaptureError(f"{folder}: is not a recording ({error.strerror})") from error
        except (ValueError, KeyError, TypeError) as error:
            raise CaptureError(f"{folder}: is a damaged recording ({error})") from error
        return cls(folder, about, shown)

    def replay(
        self,
        ways: Sequence[Way],
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
                again = self._show(self.shown[seq], ways)
                if digest(again) != self.shown[seq]["digest"]:
                    differing.append(seq)
                sink.deliver(again)
        before = self.about.get("versions", {})
        changed = {
            name: (recorded, versions[name])
            for name, recorded in before.items()
            if versions.get(name, recorded) != recorded
        }
        return Replayed(frames=len(wanted), differing=tuple(differing), other_versions=changed)

    def _show(self, line: dict[str, Any], ways: Sequence[Way]) -> Shown:
        seq = int(line["seq"])
        paths = list((self.folder / "frames").glob(f"{seq}.*"))
        if len(paths) != 1:
            raise CaptureError(f"{self.folder}: the pixels of frame {seq} are missing")
        capture = replace(open_capture(paths[0]), name=str(line["name"]))
        kept, memory = self.folder / "memory" / f"{seq}.npz", None
        if kept.exists():
            with np.load(kept) as arrays:
                memory = Memory.from_arrays(arrays)
        way = next((way for way in ways if way.name == line["rung"]), ways[0])
        viewfinder = Viewfinder(
            ways=(_decided(way, line["stages"]),),
            clock=VirtualClock(),
            costs=Costs(),
            force=line["rung"] == way.name,
        )
        return viewfinder.show(Frame(seq, capture), State(memory))[0]


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

    def graph_as_decided(graph: Graph) -> Graph:
        nodes = tuple(map(node_as_decided, graph.nodes))
        return Graph(graph.name, graph.sources, nodes, graph.outputs)

    return replace(way, check=graph_as_decided(way.check), picture=graph_as_decided(way.picture))


def _first_steps(function: Any, steps: int) -> Any:
    @functools.wraps(function)
    def some(*arguments: Any) -> Iterator[Any]:
        return islice(function(*arguments), steps)

    return some
