"""Recordings: what is needed to show every frame of a run again, alone and to the bit.

    DIR/run.json        what ran: settings, budget, profile, lens, focus, versions
    DIR/frames.jsonl    a line for every frame: its fate; where it was shown, how: rung, steps and
                        fallbacks of its stages, check, advice, and a digest of the picture; and
                        what was advised and found before it
    DIR/frames/N.*      the frame as it came: the file itself; else its pixels, as PNG where 8 bits
                        hold them exactly, or as the arrays of its capture
    DIR/memory/N.npz    what the frames before it had left for it

What a frame looked like follows from its pixels, the memory before it and those decisions; time
decided only the decisions. So a replay (`replay`) needs no clock, and gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

import cv2
import numpy as np

from camerapipe.capture import Capture
from camerapipe.errors import OutputError
from camerapipe.ingest import DEFAULT_MAX_PIXELS, write_text
from camerapipe.report import Caveat
from camerapipe.stream.checking import Checked
from camerapipe.stream.frames import Fate, Outcome, Service
from camerapipe.stream.options import StreamOptions
from camerapipe.stream.sinks import Sink, codes_of
from camerapipe.stream.sources import Source
from camerapipe.stream.viewfinder import Frame, Shown
from stages.tone import SRGB, encode, linearise, to_codes

FORMAT = "camerapipe-recording/4"
RUN, FRAMES = "run.json", "frames.jsonl"
PIXELS, MEMORY = "frames", "memory"
NAMELESS = ".bin"  # suffix of a file that has none: it is opened by its content


def about_of(
    source: Source,
    options: StreamOptions,
    versions: Mapping[str, str],
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> dict[str, Any]:
    """What a recording says of its run: whatever a picture depends on, and the rate for a video."""
    profile = options.profile
    return {
        "source": source.name,
        "fps": source.fps,
        "max_pixels": max_pixels,
        "policy": options.policy,
        "budget": asdict(options.budget),
        "profile": profile.name if profile else None,
        "meta": profile.meta().to_dict() if profile else None,
        "nearest_focus_m": options.nearest_focus_m,
        "place": options.place,
        "seed": options.seed,
        "focus_point": options.focus_point,
        "distance_m": options.distance_m,
        "force": options.force,
        "params": {kind.stage(): asdict(kept) for kind, kept in options.settings.params.items()},
        "versions": dict(versions),
    }


class Recorder(ExitStack):
    """A sink that keeps every frame before it hands it on.

    A disk that fills up does not harm the run: recording ends there, and leaving the sink raises
    `OutputError`. Nothing is made before the sink is entered.
    """

    def __init__(self, folder: Path, sink: Sink, about: Mapping[str, Any]) -> None:
        super().__init__()
        _check_folder(folder)
        self._folder, self._sink, self._about = folder, sink, about
        self._lines: TextIO | None = None
        self._digests: dict[int, str] = {}  # of frames that were kept and have no fate yet
        self._error: OSError | None = None

    def __enter__(self) -> Self:
        """Enter the sink, and begin the recording."""
        with ExitStack() as opened:
            opened.enter_context(self._sink)
            try:
                for part in (PIXELS, MEMORY):
                    (self._folder / part).mkdir(parents=True, exist_ok=True)
                about = {"format": FORMAT, **self._about}
                write_text(self._folder / RUN, json.dumps(about, indent=2))
                self._lines = (self._folder / FRAMES).open("w", encoding="utf-8")
            except OSError as error:
                raise OutputError(f"{self._folder}: cannot be made ({error.strerror})") from error
            self.push(opened.pop_all())
        self.callback(self._close)
        return super().__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> bool:
        """Leave the sink; say where the recording is not whole."""
        swallowed = bool(super().__exit__(kind, error, trace))
        if self._error is not None and error is None:
            reason = self._error.strerror or self._error
            raise OutputError(
                f"{self._folder}: the recording ended early ({reason}); "
                "the frames before that can be replayed"
            ) from self._error
        return swallowed

    @property
    def encodes(self) -> bool:
        """Whether the sink behind it writes pictures."""
        return self._sink.encodes

    def deliver(self, shown: Shown) -> None:
        """Keep pixels and memory of a frame."""
        if self._lines is not None and self._error is None:
            try:
                self._keep(shown)
            except OSError as error:
                self._error = error
        self._sink.deliver(shown)

    def note(self, stream: object, outcome: Service | Outcome) -> None:
        """Keep the fate of a frame, and how it was shown."""
        if not isinstance(outcome, Outcome):
            return
        found = self._digests.pop(outcome.seq, None)
        if self._lines is None or self._error is not None:
            return
        line = {
            "seq": outcome.seq,
            "fate": outcome.fate,
            "captured_s": outcome.captured_s,
            "ended_s": outcome.ended_s,
            "stage": outcome.stage,
            "reason": outcome.reason,
        }
        if outcome.fate is Fate.DONE:
            line |= _decisions(outcome.value) | {"digest": found}
        try:
            self._lines.write(json.dumps(line) + "\n")
            self._lines.flush()
        except OSError as error:
            self._error = error

    def _keep(self, shown: Shown) -> None:
        seq, capture, origin, _ = shown.frame
        stem = self._folder / PIXELS / str(seq)
        if origin is not None:
            stem.with_suffix(origin.suffix or NAMELESS).write_bytes(origin.read_bytes())
        elif (png := _exact_png(capture)) is not None:
            stem.with_suffix(".png").write_bytes(png)
        else:
            np.savez(stem.with_suffix(".npz"), **_arrays_of(capture))
        if shown.before.memory is not None:
            arrays: dict[str, Any] = shown.before.memory.to_arrays()
            np.savez(self._folder / MEMORY / f"{seq}.npz", **arrays)
        self._digests[seq] = digest(shown)

    def _close(self) -> None:
        lines, self._lines = self._lines, None
        try:
            if lines is not None:
                lines.close()
        except OSError as error:  # again: of what could not be written before
            self._error = self._error or error


def _check_folder(folder: Path) -> None:
    """Refuse a place where no recording can be made, before anything has run."""
    try:
        there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        if not there.is_dir():
            raise OutputError(f"{folder}: {there} is a file; name a folder for the recording")
        if there == folder and any(folder.iterdir()):
            raise OutputError(f"{folder}: is not empty; name another folder for the recording")
    except OSError as error:
        raise OutputError(f"{folder}: cannot be looked at ({error.strerror})") from error
    if not os.access(there, os.W_OK | os.X_OK):
        raise OutputError(f"{folder}: {there} may not be written to")


def _exact_png(capture: Capture) -> bytes | None:
    """The pixels as an 8-bit PNG; None where that would not give back every bit of the capture."""
    if capture.bit_depth != 8 or capture.curve is not SRGB or capture.alpha is not None:
        return None
    codes = to_codes(encode(capture.linear), 8)
    if not np.array_equal(linearise(codes), capture.linear):
        return None
    bgr = np.ascontiguousarray(codes[..., ::-1])
    done, data = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return data.tobytes() if done else None


def _arrays_of(capture: Capture) -> dict[str, Any]:
    arrays = {"linear": capture.linear, "curve": capture.curve.decode}
    return arrays if capture.alpha is None else arrays | {"alpha": capture.alpha}


def _pixels_of(frame: Frame) -> dict[str, Any] | None:
    """What pixels do not say of their capture; None where a file says it."""
    if frame.origin is not None:
        return None
    capture = frame.capture
    return {
        "kind": capture.kind,
        "bit_depth": capture.bit_depth,
        "grey": capture.grey,
        "exposure_gain": capture.exposure_gain,
        "meta": capture.meta.to_dict(),
    }


def _decisions(shown: Shown) -> dict[str, Any]:
    checked = shown.before.checked
    return {
        "name": shown.frame.capture.name,
        "pixels": _pixels_of(shown.frame),
        "memory": shown.before.memory is not None,
        "advised": asdict(shown.before.advice),
        "checked": None if checked is None else _plain(checked),
        "check": shown.check._asdict(),
        "at_s": shown.frame.at_s,
        "started_s": shown.started_s,
        "rung": shown.rung,
        "blocked": shown.blocked,
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
    }


def _plain(checked: Checked) -> dict[str, Any]:
    findings = [asdict(finding) for finding in checked.findings]
    return {"findings": findings, "age_frames": checked.age_frames}


def digest(shown: Shown) -> str:
    """Fingerprint of a picture's 8-bit codes."""
    return hashlib.sha256(codes_of(shown.image).tobytes()).hexdigest()
