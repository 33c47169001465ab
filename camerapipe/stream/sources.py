"""Sources of frames: a folder, a video file, a camera, a synthetic scene, an app.

A source is opened before anything else starts, so that an error in it is reported first. It yields
`Exposure`s. Developing an exposure to a capture takes time, and is the first stage of the stream.
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
import numpy as np
import numpy.typing as npt

from camerapipe.capture import Capture
from camerapipe.errors import CaptureError, LimitError, RequestError
from camerapipe.ingest import DEFAULT_MAX_PIXELS, capture_from_array, count_pixels, open_capture
from camerapipe.ingest.quiet import muted
from camerapipe.stream.frames import Arrival
from camerapipe.synthetic import SCENES, synthetic_frame

BYTES_PER_PX = 80  # of a frame in flight: a job of 12 megapixels peaks at 930 MB
DEFAULT_SIZE = (1280, 720)  # width, height
SYNTHETIC = "synthetic:"
MIN_SIDE_PX = 16
SYNTHETIC_FPS = 30.0


@dataclass(frozen=True, slots=True)
class Exposure:
    """One frame before it is developed; `origin` is its file, if it has a file of its own."""

    name: str
    develop: Callable[[], Capture]
    origin: Path | None = None


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
    """

    name: str
    kind: Literal["folder", "video", "camera", "synthetic"]
    fps: float | None
    frames: Iterator[Arrival]
    close: Callable[[], None] = lambda: None
    length: int | None = None
    stems: tuple[str, ...] = ()
    max_pixels: int = DEFAULT_MAX_PIXELS


def open_source(
    text: str,
    *,
    fps: float | None = None,
    paced: bool = True,
    size: tuple[int, int] = DEFAULT_SIZE,
    sensor_fps: float = SYNTHETIC_FPS,
    seed: int = 0,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> FrameSource:
    """Open a source by its name.

    Parameters
    ----------
    text : str
        A path, the index of a camera, or `synthetic:SCENE`.
    fps : float, optional
        Frames per second; by default the rate of the source.
    paced : bool
        Frames come at that rate; otherwise as soon as there is room.
    size : (width, height)
        Of a synthetic scene, in px.
    sensor_fps : float
        Rate of a synthetic scene.
    seed : int
        Of the noise of a synthetic scene.
    max_pixels : int
        Refuse larger frames.

    Raises
    ------
    CaptureError
        If there is no such file, folder or camera, or it cannot be read.
    RequestError
        If a value is out of range, or a folder is to be paced without a rate.
    """
    _check_rate(fps)
    source = replace(_open(text, fps, size, sensor_fps, seed, max_pixels), max_pixels=max_pixels)
    if paced and source.fps is None:
        raise RequestError(f"fps: {text}: a folder has no rate; give one (--fps)")
    if paced:
        return source
    return replace(source, frames=(replace(each, captured_s=None) for each in source.frames))


def _check_rate(fps: float | None) -> None:
    if fps is not None and not 0 < fps < float("inf"):
        raise RequestError(f"fps: expected frames per second above 0; got {fps:g}")


def app_source(pictures: Iterable[npt.NDArray[Any]], fps: float | None) -> FrameSource:
    """Frames of an app.

    Parameters
    ----------
    pictures : iterable of Array
        sRGB pictures: HxW (grey) or HxWx3, uint8 or uint16 codes, or floats in [0, 1]. Each is
        copied when it is taken, so that the app may reuse its buffer. Anything else fails as a
        frame, and the stream continues.
    fps : float, optional
        Rate at which frames are taken; by default as they come.

    Raises
    ------
    RequestError
        If `pictures` is a single picture, or the rate is not positive.
    """
    _check_rate(fps)
    if isinstance(pictures, np.ndarray) and pictures.ndim < 4:
        raise RequestError(
            f"source: expected several pictures, got one array of shape {pictures.shape}; "
            "for a single picture, give a list with it"
        )

    def frames() -> Iterator[Arrival]:
        for k, given in enumerate(pictures):
            picture = given.copy() if isinstance(given, np.ndarray) else given
            label = _numbered("frame", k)
            exposure = Exposure(label, partial(_capture_of, picture, label))
            pixels = math.prod(getattr(picture, "shape", ())[:2])
            yield _arrival(exposure, k / fps if fps else None, pixels)

    return FrameSource("app", "camera", fps, frames(), stems=(_numbered("frame", 0),))


def _capture_of(picture: Any, label: str) -> Capture:
    if not isinstance(picture, np.ndarray):
        raise CaptureError(
            f"{label}: expected a picture as an array HxW or HxWx3; got {_kind_of(picture)}"
        )
    return capture_from_array(picture, "srgb", label)


def _kind_of(value: Any) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"


def _open(
    text: str,
    fps: float | None,
    size: tuple[int, int],
    sensor_fps: float,
    seed: int,
    max_pixels: int,
) -> FrameSource:
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


def _synthetic(
    scene: str, fps: float, size: tuple[int, int], seed: int, max_pixels: int
) -> FrameSource:
    if scene not in SCENES:
        raise RequestError(f"scene {scene!r} does not exist; there are: {', '.join(SCENES)}")
    if min(size) < MIN_SIDE_PX or size[0] * size[1] > max_pixels:
        raise RequestError(
            f"size: expected sides from {MIN_SIDE_PX} px, {max_pixels} pixels at most; "
            f"got {size[0]}x{size[1]}"
        )

    def frames() -> Iterator[Arrival]:
        for k in count():
            exposure = Exposure(_numbered(scene, k), partial(_staged, scene, k, size, seed))
            yield _arrival(exposure, k / fps, size[0] * size[1])

    stems = (_numbered(scene, 0),)
    return FrameSource(f"{SYNTHETIC}{scene}", "synthetic", fps, frames(), stems=stems)


def _staged(scene: str, index: int, size: tuple[int, int], seed: int) -> Capture:
    picture = synthetic_frame(scene, index, size[::-1], seed).picture
    return capture_from_array(picture, "srgb", _numbered(scene, index))


def _folder(folder: Path, fps: float | None, max_pixels: int) -> FrameSource:
    paths = sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    if not paths:
        raise CaptureError(f"{folder}: has no files in it")

    stems = tuple(dict.fromkeys(path.stem for path in paths))

    def frames() -> Iterator[Arrival]:
        for k, path in enumerate(paths):
            exposure = Exposure(path.name, partial(open_capture, path, max_pixels=max_pixels), path)
            yield _arrival(exposure, k / fps if fps else None, count_pixels(path) or 0)

    return FrameSource(str(folder), "folder", fps, frames(), length=len(paths), stems=stems)


def _video(name: str, address: str | int, fps: float | None, max_pixels: int) -> FrameSource:
    """A video file or a camera, read by OpenCV."""
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
            label = _numbered(Path(name).stem, k)
            exposure = Exposure(label, partial(capture_from_array, rgb, "srgb", label))
            yield _arrival(exposure, None if live else k / rate, size[0] * size[1])

    kind: Literal["camera", "video"] = "camera" if live else "video"
    stems = (_numbered(Path(name).stem, 0),)
    return FrameSource(name, kind, rate, frames(), video.release, stems=stems)


def _numbered(name: str, index: int) -> str:
    """Name of a frame that is no file."""
    return f"{name}_{index:06d}"


def _arrival(exposure: Exposure, at_s: float | None, pixels: int) -> Arrival:
    size_bytes = BYTES_PER_PX * pixels
    return Arrival(value=exposure, captured_s=at_s, filmed_s=at_s, size_bytes=size_bytes)
