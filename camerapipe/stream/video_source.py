"""Frames of a video file by PyAV: at their times, upright, with square pixels and right colours."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from camerapipe.capture import Capture
from camerapipe.errors import CaptureError
from camerapipe.ingest.files import check_pixels, one_line, opened, refusing
from camerapipe.ingest.video import capture_from_frame, frame_coding, library
from camerapipe.ingest.video_extent import missing_bytes
from camerapipe.stream.exposures import Exposure, Footage, FrameSource, arrival, numbered
from camerapipe.stream.frames import Arrival
from stages.strips import workers

ONLY_FILES = {"protocol_whitelist": "file"}  # a playlist must not open anything on the network
DEFAULT_RATE = 30.0  # frames per second where none is stated
MOST_FPS = 10_000.0  # more is the clock of a file and no rate
CODED = 2  # pixels that a decoder may use for one that is shown, as it pads frames
ASPECTS = (1 / 8, 8.0)  # of pixels; others are damage
DAMAGED_AT_MOST = 30  # frames before the first good one
COPY_AGAIN = "copy it again from the camera"


class Shot(NamedTuple):
    """A frame as it was decoded, or None if it is damaged, and its time in the file."""

    frame: Any
    time_s: float | None

    @classmethod
    def of(cls, frame: Any, timed: Any) -> Shot:
        """A frame at the time of a packet or of itself."""
        return cls(frame, None if timed.pts is None else float(timed.pts * timed.time_base))


def open_video(name: str, path: Path, fps: float | None, max_pixels: int) -> FrameSource:
    """Open a video file.

    Parameters
    ----------
    name : str
        What a person called it.
    path : Path
        The file.
    fps : float or None
        Frames per second, instead of the times in the file.
    max_pixels : int
        Refuse larger frames.

    Raises
    ------
    CaptureError
        If it is no video, or no frame of it can be decoded.
    LimitError
        If its frames are larger than `max_pixels`.
    """
    with opened(path) as file:
        missing = missing_bytes(file)
    clip = _Clip(name, path, max_pixels)
    try:
        with refusing(name):
            check_pixels(*clip.size, max_pixels)
        first, shots = _peek(name, clip.shots())
    except BaseException:
        clip.close()
        raise
    start_s, stem = first.time_s or 0.0, Path(name).stem
    return FrameSource(
        name,
        "video",
        fps or clip.rate,
        whole(name, _arrivals(clip, shots, start_s, fps), missing),
        clip.close,
        length=clip.length,
        stems=(numbered(stem, 0),),
        footage=Footage(path, start_s, clip.sound),
        findings=frame_coding(first.frame).findings,
    )


def _peek(name: str, shots: Iterator[Shot]) -> tuple[Shot, Iterator[Shot]]:
    """First frame that can be decoded, and all frames."""
    seen = []
    for shot in itertools.islice(shots, DAMAGED_AT_MOST):
        seen.append(shot)
        if shot.frame is not None:
            return shot, itertools.chain(seen, shots)
    raise no_frames(name)


def _arrivals(
    clip: _Clip, shots: Iterator[Shot], start_s: float, fps: float | None
) -> Iterator[Arrival]:
    at_s, stem = 0.0, Path(clip.name).stem
    for k, shot in enumerate(shots):
        if fps is not None or shot.time_s is None:
            at_s = max(at_s, k / (fps or clip.rate))
        else:
            at_s = max(at_s, shot.time_s - start_s)
        label = numbered(stem, k)
        exposure = Exposure(label, partial(_developed, shot, clip.size, label))
        yield arrival(exposure, at_s, math.prod(clip.size))


class _Clip:
    """An open video file.

    Attributes
    ----------
    rate : float
        Frames per second on average.
    length : int or None
        Number of frames, if the file states it.
    size : (int, int)
        Width and height in square pixels, before a frame is turned.
    sound : str or None
        Codec of the first sound.
    """

    def __init__(self, name: str, path: Path, max_pixels: int) -> None:
        self.name, self._av = name, library()
        self._lock = threading.Lock()  # nothing of a closed file may be touched
        try:
            self._container: Any = self._av.open(f"file:{path}", options=ONLY_FILES)
        except self._av.FFmpegError as error:
            raise no_video(name, error.strerror or one_line(error)) from error
        cover = self._av.stream.Disposition.attached_pic
        pictures = [s for s in self._container.streams.video if not s.disposition & cover]
        if not pictures:
            self.close()
            raise no_video(name, "it has no pictures")
        stream = self._stream = pictures[0]
        stream.thread_type, stream.codec_context.thread_count = "AUTO", workers()
        stream.codec_context.options = {"max_pixels": str(CODED * max_pixels)}
        self.rate = _rate_of(stream)
        self.length: int | None = stream.frames or None
        sounds = self._container.streams.audio
        self.sound: str | None = sounds[0].codec_context.name if sounds else None
        self.size = square_size(stream.width, stream.height, float(stream.sample_aspect_ratio or 1))

    def shots(self) -> Iterator[Shot]:
        """All frames, in the order in which they are shown."""
        with self._lock:
            packets = self._container.demux(self._stream) if self._container else iter(())
        while (shots := self._next(packets)) is not None:
            yield from shots

    def _next(self, packets: Iterator[Any]) -> list[Shot] | None:
        """Frames of the next packet; None if there are no more packets."""
        with self._lock:
            try:
                packet = next(packets, None) if self._container else None
            except self._av.FFmpegError:  # the file ends within a packet
                packet = None
            if packet is None:
                return None
            try:
                frames = packet.decode()
            except self._av.FFmpegError:
                return [Shot.of(None, packet)]
        return [Shot.of(frame, frame) for frame in frames]

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            container, self._container = self._container, None
            if container is not None:
                container.close()


def _rate_of(stream: Any) -> float:
    """Frames per second: the average, or what FFmpeg guesses if that is none."""
    average = float(stream.average_rate or 0)
    return average if 0 < average <= MOST_FPS else float(stream.guessed_rate or DEFAULT_RATE)


def _developed(shot: Shot, size: tuple[int, int], label: str) -> Capture:
    """Capture of a frame."""
    if shot.frame is None:
        raise CaptureError(f"{label}: is damaged in the video")
    return capture_from_frame(shot.frame, size, label)


def no_video(name: str, reason: str) -> CaptureError:
    """Error for a file that cannot be opened as a video."""
    return CaptureError(
        f"{name}: is not a video, or it is damaged ({reason}); "
        "expected a folder, a video or the index of a camera"
    )


def no_frames(name: str) -> CaptureError:
    """Error for a video without a single frame that can be decoded."""
    return CaptureError(f"{name}: is cut off or damaged: no frame can be decoded; {COPY_AGAIN}")


def whole(name: str, frames: Iterator[Arrival], missing: int) -> Iterator[Arrival]:
    """Frames of a video, followed by a `CaptureError` if bytes of the file are missing."""
    yield from frames
    if missing:
        raise CaptureError(
            f"{name}: is cut off: {missing} bytes are missing, and its last frames with them; "
            + COPY_AGAIN
        )


def square_size(width: int, height: int, aspect: float) -> tuple[int, int]:
    """Width and height in square pixels; the side that is too short is enlarged.

    Parameters
    ----------
    width, height : int
        As coded, px.
    aspect : float
        Width / height of a pixel.
    """
    if not ASPECTS[0] <= aspect <= ASPECTS[1]:
        return width, height
    return (round(width * aspect), height) if aspect >= 1 else (width, round(height / aspect))
