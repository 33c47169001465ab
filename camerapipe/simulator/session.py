"""A session with a camera by script: what `camerapipe simulate` runs."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from camerapipe.errors import OutputError
from camerapipe.ingest import make_folder
from camerapipe.simulator.camera import Camera
from camerapipe.simulator.futures import CaptureFuture
from camerapipe.simulator.opening import open_camera
from camerapipe.simulator.requests import (
    CaptureFailedError,
    CaptureRequest,
    Failure,
    Result,
    Target,
)
from camerapipe.simulator.script import Script
from camerapipe.stream.account import StreamReport

DEFAULT_FRAMES = 90
WAIT_S = 30.0  # virtual time for captures that are under way at the end


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionReport:
    """How a session went; times are virtual.

    Attributes
    ----------
    preview : StreamReport
        Of the preview.
    failures : dict
        Number of requests that failed, by reason.
    captures : list of dict
        Of each still: its frame, the virtual time from the request to the result, its files.
    errors : list of str
        Of captures that failed.
    seconds : float
        Virtual time.
    """

    preview: StreamReport
    seconds: float
    failures: dict[str, int] = field(default_factory=dict)
    captures: list[dict[str, Any]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return asdict(self)


class Session:
    """Opens a camera and plays a script.

    Parameters
    ----------
    scene : str
        As for `open_camera`.
    script : Script
        What the app does, and what goes wrong.
    output : path, optional
        A folder for stills (JPEG) and their RAW files (DNG).
    tell : callable
        Is called with lines for people: new advice, captures, failures.
    overwrite : bool
        Replace outputs that exist.
    **options
        Of `open_camera`.
    """

    def __init__(
        self,
        scene: str,
        script: Script,
        *,
        output: str | os.PathLike[str] | None = None,
        tell: Callable[[str], None] = lambda text: None,
        overwrite: bool = False,
        **options: Any,
    ) -> None:
        self._script, self._tell, self._overwrite = script, tell, overwrite
        self._name = Path(scene).stem
        self._output = Path(output) if output is not None else None
        self._advice = ""
        self._failures: Counter[str] = Counter()
        self._errors: list[str] = []
        self._taken: list[tuple[CaptureFuture[Result], float]] = []
        self._camera = open_camera(
            scene=scene, faults=script.faults, overwrite=overwrite, **options
        )

    def run(self, *, frames: int | None = None, seconds: float | None = None) -> SessionReport:
        """Play the script until so many frames were shown, or so much virtual time has passed.

        Raises
        ------
        OutputError
            If an output cannot be written.
        """
        if frames is None and seconds is None:
            frames = DEFAULT_FRAMES
        steps = list(self._script.steps)
        with self._camera as camera:
            camera.listen(Failure, self._note_failure)
            if self._output is not None:
                make_folder(self._output)
            for count, result in enumerate(camera, 1):
                self._note_advice(result)
                while steps and steps[0].at_frame <= result.frame_number:
                    step = steps.pop(0)
                    if step.changes:
                        camera.set(**step.changes)
                    if step.captures:
                        self._capture(camera)
                if count == frames or (seconds is not None and camera.now_s >= seconds):
                    break
            if steps:
                late = ", ".join(str(step.at_frame) for step in steps)
                self._tell(f"script: the session ended before the steps at {late}")
            captures = [self._finish(future, asked_s) for future, asked_s in self._taken]
            report, seconds_passed = camera.report(), camera.now_s
        return SessionReport(
            preview=report,
            seconds=seconds_passed,
            failures=dict(self._failures),
            captures=[each for each in captures if each],
            errors=self._errors,
        )

    def _capture(self, camera: Camera) -> None:
        request = CaptureRequest(controls=camera.controls, target=Target.STILL)
        self._taken.append((camera.submit([request])[0], camera.now_s))

    def _finish(self, future: CaptureFuture[Result], asked_s: float) -> dict[str, Any]:
        """Wait for a still and write it."""
        try:
            result = future.result(WAIT_S)
        except (CaptureFailedError, TimeoutError) as error:
            self._errors.append(str(error))
            self._tell(f"capture: {error}")
            return {}
        assert result.shot is not None
        files = self._write(result)
        took_ms = (result.ended_s - asked_s) * 1000
        where = f" -> {', '.join(files)}" if files else ""
        self._tell(f"capture of frame {result.frame_number}: {took_ms:.0f} ms{where}")
        return {"frame": result.frame_number, "ms": took_ms, "files": files}

    def _write(self, result: Result) -> list[str]:
        if self._output is None or result.shot is None:
            return []
        stem = self._output / f"{self._name}_{result.frame_number:06d}"
        files = [stem.with_suffix(".jpg")]
        try:
            result.shot.save(files[0], overwrite=self._overwrite)
            if result.raw is not None:
                files.append(stem.with_suffix(".dng"))
                result.save_raw(files[1], overwrite=self._overwrite)
        except OutputError as error:
            self._errors.append(str(error))
            self._tell(str(error))
            return []
        return [str(path) for path in files]

    def _note_failure(self, failure: Failure) -> None:
        self._failures[failure.reason.value] += 1

    def _note_advice(self, result: Result) -> None:
        text = result.shown.advice.text if result.shown else ""
        if text and text != self._advice:
            self._advice = text
            self._tell(f"frame {result.frame_number}: {text}")
