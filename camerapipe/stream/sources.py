"""Where frames come from: a folder, a video file, a camera, a synthetic scene.

A source is opened before anything else starts, so that what is wrong with it is said at once. It
hands over `Exposure`s: developing one to a capture is work, and done by the stream's first stage.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy.typing as npt

from camerapipe.capture import Capture
from camerapipe.errors import CaptureError, LimitError, RequestError
from camerapipe.ingest import DEFAULT_MAX_PIXELS, capture_from_array, count_pixels, open_capture
from camerapipe.ingest.quiet import muted
from camerapipe.stream.frames import Arrival
from camerapipe.synthetic import SCENES, synthetic_frame

BYTES_PER_PX = 80  # of a frame in flight: a whole job peaks at 930 MB for 12 megapixels
DEFAULT_SIZE = (1280, 720)  # width, height
SYNTHETIC = "synthetic:"
LEAST_SIDE_PX = 16
SYNTHETIC_FPS = 30.0


@dataclass(frozen=True, slots=True)
class Exposure:
    """One frame before it is developed."""

    name: str
    develop: Callable[[], Capture]
    origin: Path | None = None  # the file, where it is one of its own


@dataclass(frozen=True, slots=True)
class Source:
    """A sequence of exposures; `fps` is None where it has no time of its own.

    `close` frees what is open, such as a camera; frames cannot be taken after it.
    """

    name: str
    kind: Literal["folder", "video", "camera", "synthetic"]
    fps: float | None
    frames: Iterator[Arrival]
    close: Callable[[], None] = lambda: None


def open_source(
    text: str,
    *,
    fps: float | None = None,
    paced: bool = True,
    size: tuple[int, int] = DEFAULT_SIZE,
    sensor_fps: float = SYNTHETIC_FPS,
    seed: int = 0,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Source:
    """Open what a person named: a path, the index of a camera, or `synthetic:SCENE`.

    Frames come at `fps`, or at the rate of the source (of a synthetic scene: `sensor_fps`); where
    not `paced`, as soon as there is room.
    """
    _check_rate(fps)
    source = _open(text, fps, size, sensor_fps, seed, max_pixels)
    if paced and source.fps is None:
        raise RequestError(f"{text}: a folder has no rate of its own; give one with --fps")
    if paced:
        return source
    return replace(source, frames=(replace(each, captured_s=None) for each in source.frames))


def _check_rate(fps: float | None) -> None:
    if fps is not None and not 0 < fps < float("inf"):
        raise RequestError(f"fps: expected frames per second above 0; got {fps:g}")


def app_source(pictures: Iterable[npt.NDArray[Any]], fps: float | None) -> Source:
    """Frames that an app hands over, at a rate or as they come.

    HxWx3 sRGB arrays as `capture_from_array` takes them, which are not to change afterwards; what
    is none fails as a frame.
    """
    _check_rate(fps)

    def frames() -> Iterator[Arrival]:
        for k, picture in enumerate(pictures):
            label = f"frame_{k:06d}"
            exposure = Exposure(label, partial(capture_from_array, picture, "srgb", label))
            pixels = math.prod(getattr(picture, "shape", ())[:2])
            yield _arrival(exposure, k / fps if fps else None, pixels)

    return Source("app", "camera", fps, frames())


def _open(
    text: str,
    fps: float | None,
    size: tuple[int, int],
    sensor_fps: float,
    seed: int,
    max_pixels: int,
) -> Source:
    if text.startswith(SYNTHETIC):
        return _synthetic(text.removeprefix(SYNTHETIC), fps or sensor_fps, size, seed, max_pixels)
    if text.isdecimal():
        return _video(text, int(text), fps, max_pixels)
    path = Path(text)
    if path.is_dir():
        return _folder(path, fps, max_pixels)
    if not path.exists():
        raise CaptureError(
            f"{text}: does not exist; expected a folder, a video, the index of a camera, or "
            f"{SYNTHETIC}SCENE"
        )
    return _video(text, str(path), fps, max_pixels)


def _synthetic(scene: str, fps: float, size: tuple[int, int], seed: int, max_pixels: int) -> Source:
    if scene not in SCENES:
        raise RequestError(f"scene {scene!r} does not exist; there are: {', '.join(SCENES)}")
    if min(size) < LEAST_SIDE_PX or size[0] * size[1] > max_pixels:
        raise RequestError(
            f"size: expected sides from {LEAST_SIDE_PX} px, {max_pixels} pixels at most; "
            f"got {size[0]}x{size[1]}"
        )

    def frames() -> Iterator[Arrival]:
        for k in count():
            exposure = Exposure(f"{scene}_{k:06d}", partial(_staged, scene, k, size, seed))
            yield _arrival(exposure, k / fps, size[0] * size[1])

    return Source(f"{SYNTHETIC}{scene}", "synthetic", fps, frames())


def _staged(scene: str, index: int, size: tuple[int, int], seed: int) -> Capture:
    picture = synthetic_frame(scene, index, size[::-1], seed).picture
    return capture_from_array(picture, "srgb", f"{scene}_{index:06d}")


def _folder(folder: Path, fps: float | None, max_pixels: int) -> Source:
    paths = sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    if not paths:
        raise CaptureError(f"{folder}: has no files in it")

    def frames() -> Iterator[Arrival]:
        for k, path in enumerate(paths):
            exposure = Exposure(path.name, partial(open_capture, path, max_pixels=max_pixels), path)
            yield _arrival(exposure, k / fps if fps else None, count_pixels(path) or 0)

    return Source(str(folder), "folder", fps, frames())


def _video(name: str, address: str | int, fps: float | None, max_pixels: int) -> Source:
    """A video file or a camera; OpenCV reads both."""
    with muted():
        video = cv2.VideoCapture(address)
    live = isinstance(address, int)
    if live and fps:
        video.set(cv2.CAP_PROP_FPS, fps)
    if not video.isOpened():
        what = f"camera {address} cannot be opened" if live else f"{name}: is not a video"
        raise CaptureError(f"{what}; expected a folder, a video or the index of a camera")
    size = (int(video.get(cv2.CAP_PROP_FRAME_WIDTH)), int(video.get(cv2.CAP_PROP_FRAME_HEIGHT)))
    if size[0] * size[1] > max_pixels:
        video.release()
        raise LimitError(f"{name}: {size[0]} x {size[1]} pixels are more than {max_pixels}")
    rate = fps or (float(video.get(cv2.CAP_PROP_FPS)) or 30.0)

    def frames() -> Iterator[Arrival]:
        for k in count():
            there, picture = video.read()
            if not there and live:
                raise CaptureError(f"camera {address} gives no more frames")
            if not there:
                return
            rgb = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
            label = f"{Path(name).stem}_{k:06d}"
            exposure = Exposure(label, partial(capture_from_array, rgb, "srgb", label))
            yield _arrival(exposure, None if live else k / rate, size[0] * size[1])

    return Source(name, "camera" if live else "video", rate, frames(), video.release)


def _arrival(exposure: Exposure, at_s: float | None, pixels: int) -> Arrival:
    size_bytes = BYTES_PER_PX * pixels
    return Arrival(value=exposure, captured_s=at_s, filmed_s=at_s, size_bytes=size_bytes)
