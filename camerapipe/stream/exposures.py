"""Exposures, and the sequences of them that a stream takes: plain data of all sources."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from camerapipe.capture import Capture
from camerapipe.ingest import DEFAULT_MAX_PIXELS
from camerapipe.stream.frames import Arrival
from stages.findings import Finding

BYTES_PER_PX = 80  # of a frame in flight: a job of 12 megapixels peaks at 930 MB


@dataclass(frozen=True, slots=True)
class Exposure:
    """One frame before it is developed; `origin` is its file, if it has a file of its own."""

    name: str
    develop: Callable[[], Capture]
    origin: Path | None = None


@dataclass(frozen=True, slots=True)
class Footage:
    """The file of a video, from which sound and metadata can be copied.

    Attributes
    ----------
    path : Path
        The file.
    start_s : float
        Time of the first frame in the file.
    sound : str or None
        Codec of its sound; None: there is none, or it is left out.
    """

    path: Path
    start_s: float
    sound: str | None


@dataclass(frozen=True, slots=True)
class FrameSource:
    """A sequence of exposures.

    Attributes
    ----------
    name : str
        What a person called it.
    kind : str
        `folder`, `video`, `camera` (also of an app) or `synthetic`.
    fps : float or None
        Frames per second; None if it has no time of its own.
    frames : iterator of Arrival
        Values are `Exposure`s.
    close : callable
        Releases what is open, such as a camera. No frames can be taken after it.
    length : int or None
        Number of frames, if it is known.
    stems : tuple of str
        Names of its frames without suffix, as far as they are known: of all frames of a folder, of
        the first frame otherwise.
    max_pixels : int
        Larger frames are refused.
    footage : Footage or None
        Where sound and metadata are.
    findings : tuple of Finding
        What a person should know of the source as a whole.
    """

    name: str
    kind: Literal["folder", "video", "camera", "synthetic"]
    fps: float | None
    frames: Iterator[Arrival]
    close: Callable[[], None] = lambda: None
    length: int | None = None
    stems: tuple[str, ...] = ()
    max_pixels: int = DEFAULT_MAX_PIXELS
    footage: Footage | None = None
    findings: tuple[Finding, ...] = ()


def numbered(name: str, index: int) -> str:
    """Name of a frame that is no file."""
    return f"{name}_{index:06d}"


def arrival(exposure: Exposure, at_s: float | None, pixels: int) -> Arrival:
    """An exposure as it comes in: its time in seconds, if it has one, and its pixels."""
    size_bytes = BYTES_PER_PX * pixels
    return Arrival(value=exposure, captured_s=at_s, filmed_s=at_s, size_bytes=size_bytes)
