"""Recordings: what is needed to compute every frame of a run again, alone and to the bit.

    DIR/run.json        what ran: preset and settings by layer, budget, profile, lens, focus point,
                        scribbles, versions
    DIR/frames.jsonl    one line for every frame: its fate; if it was shown, what is asked of it and
                        was not asked of the frame before (`changes`), the decisions for it (rung,
                        steps and fallbacks of its stages, check), its advice, a digest of the
                        picture, and the advice and findings before it
    DIR/frames/N.*      the frame as it came: the file itself, or else its pixels, as PNG if 8 bits
                        hold them exactly, or as the arrays of its capture
    DIR/memory/N.npz    the memory of the temporal filter before the frame

The picture of a frame follows from its pixels, the memory before it, what is asked, and those
decisions. Time affects only the decisions. A replay (`replay`) therefore needs no clock, and gives
the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TextIO

import cv2
import numpy as np

from camerapipe.assembly import Request
from camerapipe.capture import Capture, CaptureMeta
from camerapipe.errors import OutputError
from camerapipe.ingest import write_text
from camerapipe.report import Caveat
from camerapipe.settings import Layer, Settings
from camerapipe.stream.exposures import FrameSource
from camerapipe.stream.frames import Event, Fate, InFlight, Outcome
from camerapipe.stream.options import StreamOptions
from camerapipe.stream.shown import AgedFindings, Frame, Shown
from camerapipe.stream.sinks import check_folder
from stages.tone import SRGB, encode, linearise, to_codes

FORMAT = "camerapipe-recording/7"
RUN, FRAMES = "run.json", "frames.jsonl"
PIXELS, MEMORY = "frames", "memory"
NO_SUFFIX = ".bin"  # of a file without suffix, whose format is found by its content
KEPT_LAYERS = (Layer.FILE, Layer.RECIPE, Layer.PERSON)  # the others follow from preset and rung


def about_of(
    source: FrameSource, options: StreamOptions, versions: Mapping[str, str]
) -> dict[str, Any]:
    """Plain data about a run: everything that a picture depends on, and the rate for a video."""
    profile = options.profile
    return {
        "source": source.name,
        "fps": source.fps,
        "max_pixels": source.max_pixels,
        "policy": options.policy,
        "profile": profile.name if profile else None,
        "nearest_focus_m": options.nearest_focus_m,
        "place": options.place,
        "seed": options.seed,
        "force": options.force,
        "versions": dict(versions),
        **asked_of(options.request, options.meta),
    }


def asked_of(request: Request, meta: CaptureMeta | None) -> dict[str, Any]:
    """Plain data about what is asked of a frame, which may change while a stream runs."""
    return {
        "budget": asdict(request.budget),
        "meta": meta.to_dict() if meta else None,
        "focus_point": request.focus_point,
        "distance_m": request.distance_m,
        "scribbles": [scribble.to_plain() for scribble in request.scribbles],
        "preset": request.settings.preset.name,
        "settings": _layers_of(request.settings),
    }


def _layers_of(settings: Settings) -> dict[str, dict[str, Any]]:
    """What was set, by layer: the name of the layer, and its changes."""
    return {
        layer.name.lower(): {"name": settings.names.get(layer, ""), "changes": changes}
        for layer in KEPT_LAYERS
        if (changes := settings.changed(layer))
    }


class Kept(NamedTuple):
    """What a recording has so far: frames that were shown, and those at which something changed."""

    frames: int = 0
    changes: int = 0


class Recorder(AbstractContextManager["Recorder"]):
    """Keeps the frames of a stream, and the decisions for them.

    It may begin and end while the stream runs. If the disk is full, the recording ends, the run
    continues, and leaving the context raises `OutputError`. Nothing is written before the context
    is entered.

    Parameters
    ----------
    folder : Path
        Of the recording; empty, or not there yet.
    about : mapping
        As `about_of` gives it.

    Attributes
    ----------
    kept : Kept
        What it has so far.

    Raises
    ------
    OutputError
        If no recording can be written there.
    """

    def __init__(self, folder: Path, about: Mapping[str, Any]) -> None:
        check_folder(folder, empty=True)
        self.folder, self._about, self.kept = folder, about, Kept()
        self._lines: TextIO | None = None
        self._digests: dict[int, str] = {}  # of frames that were kept and whose fate is open
        self._error: OSError | None = None
        self._request: Request | None = None
        self._asked = dict(about)  # of the frame before

    def __enter__(self) -> Self:
        """Begin the recording."""
        try:
            for part in (PIXELS, MEMORY):
                (self.folder / part).mkdir(parents=True, exist_ok=True)
            about = {"format": FORMAT, **self._about}
            write_text(self.folder / RUN, json.dumps(about, indent=2))
            self._lines = (self.folder / FRAMES).open("w", encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{self.folder}: cannot be made ({error.strerror})") from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        """End the recording; report one that is not complete."""
        self._close()
        if self._error is not None and error is None:
            reason = self._error.strerror or self._error
            raise OutputError(
                f"{self.folder}: the recording ended early ({reason}); "
                "the frames before that can be replayed"
            ) from self._error

    def keep(self, shown: Shown) -> None:
        """Keep pixels and memory of a frame before it is delivered."""
        if self._lines is not None and self._error is None:
            try:
                self._keep(shown)
            except OSError as error:
                self._error = error

    def note(self, event: Event, in_flight: InFlight) -> None:
        """Keep the fate of a frame and the decisions for it (an observer of the stream)."""
        if not isinstance(event, Outcome):
            return
        outcome = event
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
            if found is None:  # delivered before the recording began
                return
            line |= self._changed(outcome.value) | _decisions(outcome.value) | {"digest": found}
        try:
            self._lines.write(json.dumps(line) + "\n")
            self._lines.flush()
            if outcome.fate is Fate.DONE:
                frames, changes = self.kept
                self.kept = Kept(frames + 1, changes + ("changes" in line))
        except OSError as error:
            self._error = error

    def _changed(self, shown: Shown) -> dict[str, Any]:
        """What is asked of a frame and was not asked of the one before."""
        if shown.request is self._request:
            return {}
        self._request = shown.request
        asked = asked_of(shown.request, shown.meta)
        changes = {key: value for key, value in asked.items() if self._asked.get(key) != value}
        self._asked = asked
        return {"changes": changes} if changes else {}

    def _keep(self, shown: Shown) -> None:
        seq, capture, origin = shown.frame[:3]
        stem = self.folder / PIXELS / str(seq)
        if origin is not None:
            stem.with_suffix(origin.suffix or NO_SUFFIX).write_bytes(origin.read_bytes())
        elif (png := _exact_png(capture)) is not None:
            stem.with_suffix(".png").write_bytes(png)
        else:
            np.savez(stem.with_suffix(".npz"), **_arrays_of(capture))
        if shown.before.memory is not None:
            arrays: dict[str, Any] = shown.before.memory.to_arrays()
            np.savez(self.folder / MEMORY / f"{seq}.npz", **arrays)
        self._digests[seq] = digest(shown)

    def _close(self) -> None:
        lines, self._lines = self._lines, None
        try:
            if lines is not None:
                lines.close()
        except OSError as error:  # of what could not be written before
            self._error = self._error or error


def _exact_png(capture: Capture) -> bytes | None:
    """The pixels as an 8-bit PNG; None if that does not hold every bit of the capture."""
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
    """The capture's properties beside its pixels; None if a file has them."""
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


def _plain(checked: AgedFindings) -> dict[str, Any]:
    findings = [asdict(finding) for finding in checked.findings]
    return {"findings": findings, "age_frames": checked.age_frames}


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
        "focusing": shown.frame.focusing,
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


def digest(shown: Shown) -> str:
    """SHA-256 of the codes of a picture, as hexadecimal text."""
    return hashlib.sha256(shown.image.tobytes()).hexdigest()
