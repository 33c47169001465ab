"""The sink of a video file: H.264 by PyAV, or else what OpenCV can write."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from camerapipe.errors import RequestError
from camerapipe.ingest import check_output
from camerapipe.ingest.atomic import whole_path
from camerapipe.ingest.video import INSTALL, has_video
from camerapipe.stream.exposures import Footage, FrameSource
from camerapipe.stream.h264 import FORMATS, can_copy, h264_writer
from camerapipe.stream.opencv_writer import opencv_writer
from camerapipe.stream.shown import Shown
from camerapipe.stream.sinks import View, check_view, view_of
from stages.findings import Finding, Severity

VIDEOS = (".mp4", ".mov", ".avi", ".mkv")


class Writer(Protocol):
    """Writes frames to an open file."""

    def write(self, codes: npt.NDArray[np.uint8], at_s: float) -> None:
        """Append a frame, HxWx3 RGB, at its time in s after the first frame."""


class Video(ExitStack):
    """Writes all frames to one video, which appears when the stream ends.

    A frame whose time is known is shown from that time on, so that the video lasts as long as what
    was filmed, even if frames were dropped. Other frames follow one another. The size is made even
    by repeating an odd row or column.

    Parameters
    ----------
    path : Path
        The video.
    view : View
        What is written.
    fps : float
        Frames per second, of frames without a time.
    overwrite : bool
        Replace a video that exists.
    footage : Footage, optional
        The file of the source, whose metadata are copied, and its sound if the video can have it.

    Raises
    ------
    OutputError
        If the video cannot be written there.
    """

    encodes = True

    def __init__(
        self,
        path: Path,
        view: View,
        fps: float,
        *,
        overwrite: bool,
        footage: Footage | None = None,
    ) -> None:
        super().__init__()
        check_view(view)
        check_output(path, overwrite=overwrite, suffixes=VIDEOS)
        self._path, self._view, self._fps, self._overwrite = path, view, fps, overwrite
        if footage is not None and not keeps_sound(path, footage):
            footage = replace(footage, sound=None)
        self._footage = footage
        self._writer: Writer | None = None  # opened for the size of the first frame
        self._size = (0, 0)
        self._first_s: float | None = None  # the first time that is known
        self._delivered = 0

    def deliver(self, shown: Shown) -> None:
        """Append a frame."""
        codes = view_of(shown, self._view)
        odd = [n % 2 for n in codes.shape[:2]]
        codes = cv2.copyMakeBorder(codes, 0, odd[0], 0, odd[1], cv2.BORDER_REPLICATE)
        size = (codes.shape[1], codes.shape[0])
        if self._writer is None:
            self._writer, self._size = self._opened(size), size
        if size != self._size:
            raise RequestError(f"a video has one size: expected {self._size}; got {size}")
        self._writer.write(codes, self._time_of(shown.frame.at_s))
        self._delivered += 1

    def _time_of(self, at_s: float | None) -> float:
        """Time at which a frame is shown, s after the first one."""
        if at_s is None:
            return self._delivered / self._fps
        self._first_s = at_s if self._first_s is None else self._first_s
        return at_s - self._first_s

    def _opened(self, size: tuple[int, int]) -> Writer:
        """Open the file, which gets its name when it is complete."""
        with ExitStack() as opening:
            path = opening.enter_context(whole_path(self._path, overwrite=self._overwrite))
            writer = opening.enter_context(self._writer_of(path, size))
            self.push(opening.pop_all())
        return writer

    def _writer_of(self, path: Path, size: tuple[int, int]) -> AbstractContextManager[Writer]:
        name = str(self._path)
        if writes_h264(path):
            return h264_writer(path, name, size, self._fps, self._footage)
        return opencv_writer(path, name, size, self._fps)


def is_video(path: Path) -> bool:
    """Whether an output is a video, by its suffix."""
    return path.suffix.lower() in VIDEOS


def writes_h264(path: Path) -> bool:
    """Whether a video is written by PyAV; AVI has neither the times nor the tags."""
    return has_video() and path.suffix.lower() in FORMATS


def keeps_sound(path: Path, footage: Footage) -> bool:
    """Whether the sound of a source can be copied to a video."""
    if footage.sound is None or not writes_h264(path):
        return False
    return can_copy(footage.sound, path.suffix.lower())


def video_findings(path: Path, source: FrameSource | None, *, retimed: bool) -> tuple[Finding, ...]:
    """What a person should know of a video before it is written.

    Parameters
    ----------
    path : Path
        The video.
    source : FrameSource or None
        Where its frames come from; None: a recording.
    retimed : bool
        Whether the frames are at other times than in the source.
    """
    if not writes_h264(path):
        advice = "choose .mp4" if has_video() else f"install PyAV: {INSTALL}"
        message = (
            f"{path.name} will be MPEG-4 part 2 at a fixed rate, without colour tags and sound; "
            f"browsers may not play it. For H.264, {advice}."
        )
        return (Finding("video_basic", Severity.WARNING, message),)
    footage = None if source is None else source.footage
    if source is None or footage is None or footage.sound is None:
        return ()
    if retimed:
        why = "the frames are at other times (--fps)"
    elif not keeps_sound(path, footage):
        others = [suffix for suffix in FORMATS if can_copy(footage.sound, suffix)]
        advice = f"; choose {' or '.join(others)}" if others else ""
        why = f"a {path.suffix} video cannot have {footage.sound}{advice}"
    else:
        return ()
    message = f"The sound of {source.name} is left out: {why}."
    return (Finding("sound_dropped", Severity.WARNING, message),)
