"""Frames by OpenCV: of cameras, and of video files if PyAV is not installed.

OpenCV does not tell colour tags. Times, rotation and the shape of the pixels of a file are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from camerapipe.errors import CaptureError
from camerapipe.ingest import capture_from_array
from camerapipe.ingest.files import check_pixels, opened, refusing
from camerapipe.ingest.quiet import muted
from camerapipe.ingest.video import INSTALL
from camerapipe.ingest.video_extent import missing_bytes
from camerapipe.stream.exposures import Exposure, FrameSource, arrival, numbered
from camerapipe.stream.frames import Arrival
from camerapipe.stream.video_source import (
    DEFAULT_RATE,
    no_frames,
    no_video,
    square_size,
    whole,
)
from stages.findings import Finding, Severity

TAGS_UNREAD = Finding(
    "video_tags_unread",
    Severity.INFO,
    "OpenCV reads this video without its colour tags: HDR and wide gamut look flat, and colours "
    f"can be off by some codes. PyAV reads them: {INSTALL}.",
)


class _Picture(NamedTuple):
    """Codes of a frame as OpenCV gives them (BGR), and its time in the file, s."""

    bgr: npt.NDArray[np.uint8]
    time_s: float


def open_camera(index: int, fps: float | None, max_pixels: int) -> FrameSource:
    """Open a camera by its index; its frames are captured when they come."""
    with muted():
        video = cv2.VideoCapture(index)
    name = str(index)
    if fps:
        video.set(cv2.CAP_PROP_FPS, fps)
    if not video.isOpened():
        raise CaptureError(
            f"camera {index} cannot be opened; expected a folder, a video or the index of a camera"
        )
    width, height = _checked_size(video, f"camera {index}", max_pixels)

    def frames() -> Iterator[Arrival]:
        for k in count():
            there, bgr = video.read()
            if not there:
                raise CaptureError(f"camera {index} gives no more frames")
            yield arrival(_exposure(bgr, (width, height), numbered(name, k)), None, width * height)

    rate, stems = fps or _rate_of(video), (numbered(name, 0),)
    return FrameSource(name, "camera", rate, frames(), video.release, stems=stems)


def open_video_by_opencv(name: str, path: Path, fps: float | None, max_pixels: int) -> FrameSource:
    """Open a video file, as `video_source.open_video` does, without colour tags and sound."""
    with opened(path) as file:
        missing = missing_bytes(file)
    with muted():
        video = cv2.VideoCapture(str(path))
    if not video.isOpened():
        raise no_video(name, "OpenCV cannot open it")
    width, height = _checked_size(video, name, max_pixels)
    first = _read(video)
    if first is None:
        video.release()
        raise no_frames(name)
    rate, stem = fps or _rate_of(video), Path(name).stem

    def frames() -> Iterator[Arrival]:
        at_s = 0.0
        for k, picture in enumerate(chain([first], iter(partial(_read, video), None))):
            elapsed_s = picture.time_s - first.time_s
            timed = fps is None and (elapsed_s > at_s or k == 0)
            at_s = elapsed_s if timed else max(at_s, k / rate)
            label = numbered(stem, k)
            yield arrival(_exposure(picture.bgr, (width, height), label), at_s, width * height)

    return FrameSource(
        name,
        "video",
        rate,
        whole(name, frames(), missing),
        video.release,
        length=int(video.get(cv2.CAP_PROP_FRAME_COUNT)) or None,
        stems=(numbered(stem, 0),),
        findings=(TAGS_UNREAD,),
    )


def _checked_size(video: Any, name: str, max_pixels: int) -> tuple[int, int]:
    """Width and height in square pixels; releases the video if it is too large."""
    width = int(video.get(cv2.CAP_PROP_FRAME_WIDTH))
    height = int(video.get(cv2.CAP_PROP_FRAME_HEIGHT))
    try:
        with refusing(name):
            size = square_size(width, height, _aspect_of(video))
            check_pixels(*size, max_pixels)
    except BaseException:
        video.release()
        raise
    return size


def _aspect_of(video: Any) -> float:
    """Width / height of a pixel of the frames, which OpenCV turns upright."""
    across, down = video.get(cv2.CAP_PROP_SAR_NUM), video.get(cv2.CAP_PROP_SAR_DEN)
    if across <= 0 or down <= 0:
        return 1.0
    turned = round(video.get(cv2.CAP_PROP_ORIENTATION_META)) % 180 == 90
    return float(down / across if turned else across / down)


def _rate_of(video: Any) -> float:
    return float(video.get(cv2.CAP_PROP_FPS)) or DEFAULT_RATE


def _read(video: Any) -> _Picture | None:
    """Next frame; libraries behind OpenCV print about damage."""
    with muted():
        there, bgr = video.read()
    return _Picture(bgr, float(video.get(cv2.CAP_PROP_POS_MSEC)) / 1000) if there else None


def _exposure(bgr: npt.NDArray[np.uint8], size: tuple[int, int], label: str) -> Exposure:
    if (bgr.shape[1], bgr.shape[0]) != size:
        bgr = cv2.resize(bgr, size, interpolation=cv2.INTER_CUBIC)
    rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    return Exposure(label, partial(capture_from_array, rgb, "srgb", label))
