"""Sources of frames: a folder, a photograph, a video, a camera, a synthetic scene, an app.

A source is opened before anything else starts, so that an error in it is reported first. It yields
`Exposure`s. Developing an exposure to a capture takes time, and is the first stage of the stream.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from camerapipe.capture import Capture
from camerapipe.errors import CaptureError, RequestError
from camerapipe.ingest import DEFAULT_MAX_PIXELS, capture_from_array, count_pixels, open_capture
from camerapipe.ingest.folders import Pairs, is_photograph, passed_over, pictures_in
from camerapipe.ingest.taken import taken_s
from camerapipe.ingest.video import has_video
from camerapipe.stream.exposures import Exposure, FrameSource, arrival, numbered
from camerapipe.stream.frames import Arrival
from camerapipe.stream.opencv_source import open_camera, open_video_by_opencv
from camerapipe.stream.video_source import open_video
from camerapipe.synthetic import SCENES, synthetic_frame
from stages.findings import Finding, Severity

DEFAULT_SIZE = (1280, 720)  # width, height
SYNTHETIC = "synthetic:"
MIN_SIDE_PX = 16
RAW_VIDEO = ".dng"
SYNTHETIC_FPS = 30.0


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
            label = numbered("frame", k)
            exposure = Exposure(label, partial(_capture_of, picture, label))
            pixels = math.prod(getattr(picture, "shape", ())[:2])
            yield arrival(exposure, k / fps if fps else None, pixels)

    return FrameSource("app", "camera", fps, frames(), stems=(numbered("frame", 0),))


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
        return open_camera(int(text), fps, max_pixels)
    path = Path(text)
    if os.path.isdir(path):  # False for a name that is too long
        return _folder(path, fps, max_pixels)
    if not os.path.exists(path):
        raise CaptureError(
            f"{text}: does not exist; expected a folder, a video, the index of a camera, or "
            f"{SYNTHETIC}SCENE"
        )
    if is_photograph(path):
        return _photographs(text, [path], fps, max_pixels)
    opening = open_video if has_video() else open_video_by_opencv
    return opening(text, path, fps, max_pixels)


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
            exposure = Exposure(numbered(scene, k), partial(_staged, scene, k, size, seed))
            yield arrival(exposure, k / fps, size[0] * size[1])

    stems = (numbered(scene, 0),)
    return FrameSource(f"{SYNTHETIC}{scene}", "synthetic", fps, frames(), stems=stems)


def _staged(scene: str, index: int, size: tuple[int, int], seed: int) -> Capture:
    picture = synthetic_frame(scene, index, size[::-1], seed).picture
    return capture_from_array(picture, "srgb", numbered(scene, index))


def _folder(folder: Path, fps: float | None, max_pixels: int) -> FrameSource:
    """Photographs of a folder; of a RAW+JPEG pair, the RAW is the frame."""
    paths = pictures_in(folder)
    others = passed_over(paths, Pairs.RAW)
    source = _photographs(
        str(folder), [path for path in paths if path not in others], fps, max_pixels
    )
    if not others:
        return source
    message = (
        f"{len(others)} of {len(paths)} files are passed over: the RAW of each RAW+JPEG pair is "
        "the frame."
    )
    return replace(source, findings=(Finding("pairs_passed_over", Severity.INFO, message),))


def _photographs(name: str, paths: list[Path], fps: float | None, max_pixels: int) -> FrameSource:
    stems = tuple(dict.fromkeys(path.stem for path in paths))
    times = _raw_times(paths) if fps is None else [k / fps for k in range(len(paths))]
    if fps is None and times:
        fps = (len(times) - 1) / times[-1]

    def frames() -> Iterator[Arrival]:
        for k, path in enumerate(paths):
            exposure = Exposure(path.name, partial(open_capture, path, max_pixels=max_pixels), path)
            yield arrival(exposure, times[k] if times else None, count_pixels(path) or 0)

    return FrameSource(name, "folder", fps, frames(), length=len(paths), stems=stems)


def _raw_times(paths: list[Path]) -> list[float]:
    """Times in s after the first of the frames of RAW video; empty if these are none.

    RAW video is a folder of DNG files whose times differ and ascend.
    """
    if len(paths) < 2 or any(path.suffix.lower() != RAW_VIDEO for path in paths):
        return []
    times: list[float] = []
    for path in paths:
        at_s = taken_s(path)
        if at_s is None or (times and at_s <= times[-1]):
            return []
        times.append(at_s)
    return [at_s - times[0] for at_s in times]
