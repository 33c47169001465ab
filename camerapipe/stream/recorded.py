"""Frames of a recording as a source: they come again, and everything is decided anew."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from camerapipe.ingest import count_pixels
from camerapipe.stream.exposures import Exposure, FrameSource, arrival
from camerapipe.stream.frames import Arrival
from camerapipe.stream.record import PIXELS
from camerapipe.stream.replay import Recording

RECORDING = "recording:"  # before the folder, as the name of a source


def open_recorded(folder: str | os.PathLike[str], fps: float | None, *, paced: bool) -> FrameSource:
    """Frames that were shown when they were recorded, at the times at which they were filmed.

    Parameters
    ----------
    folder : path
        Of the recording.
    fps : float, optional
        Frames per second, instead of those times.
    paced : bool
        Frames come at their times; otherwise as soon as there is room.

    Raises
    ------
    CaptureError
        If it is no recording, or damaged.
    """
    recording = Recording.open(Path(folder))
    rate = fps or recording.about["fps"]
    filmed = [line["at_s"] for line in recording.shown.values()]
    first_s = filmed[0] if filmed else None

    def time_s(k: int) -> float | None:
        if not paced:
            return None
        if fps is None and first_s is not None and filmed[k] is not None:
            return float(filmed[k] - first_s)
        return k / rate if rate else None

    def frames() -> Iterator[Arrival]:
        for k, (seq, line) in enumerate(recording.shown.items()):
            exposure = Exposure(line["name"], partial(recording.capture, seq))
            files = list((recording.folder / PIXELS).glob(f"{seq}.*"))
            pixels = (count_pixels(files[0]) if files else None) or 0
            yield arrival(exposure, time_s(k), pixels)

    return FrameSource(f"{RECORDING}{folder}", "video", rate, frames(), length=len(recording.shown))
