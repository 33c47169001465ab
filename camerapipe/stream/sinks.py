"""Sinks of frames: a folder of pictures, a video file, an app, or none (to measure).

A sink is a context. Its outputs appear whole when the context ends without an error, also after a
stop. `View` selects what is written of a frame: the picture, the coloured blur map, or both side by
side.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any, Literal, Protocol, Self, get_args

import cv2
import numpy as np
import numpy.typing as npt

from camerapipe.errors import OutputError, RequestError
from camerapipe.ingest import PICTURES, check_output, colour_map, write_picture
from camerapipe.ingest.atomic import whole_path
from camerapipe.ingest.quiet import muted
from camerapipe.stream.shown import Shown, codes_of
from stages.grid import Grid, lift

View = Literal["picture", "map", "both"]
VIDEOS = (".mp4", ".mov", ".avi", ".mkv")
CODEC = cv2.VideoWriter.fourcc(*"mp4v")
BRIGHTEST_SIGMA = 6 / 1280  # of the long side, so that all maps have one scale


class Sink(AbstractContextManager["Sink"], Protocol):
    """Takes frames in order, one at a time. An error fails the frame, not the stream."""

    @property
    def encodes(self) -> bool:
        """Whether frames are encoded, which takes time on a device."""

    def deliver(self, shown: Shown) -> None:
        """Take one frame."""


class Nowhere(nullcontext[Any]):
    """Discards frames."""

    encodes = False

    def deliver(self, shown: Shown) -> None:
        """Discard a frame."""


class App(nullcontext[Any]):
    """Calls a function with every frame, one at a time, from any thread of the stream."""

    encodes = False

    def __init__(self, callback: Callable[[Shown], None]) -> None:
        super().__init__(self)
        self._callback = callback

    def deliver(self, shown: Shown) -> None:
        """Call the function with a frame."""
        self._callback(shown)


class Both(ExitStack):
    """Two sinks: the second takes a frame after the first."""

    def __init__(self, first: Sink, second: Sink) -> None:
        super().__init__()
        self._sinks = (first, second)

    def __enter__(self) -> Self:
        """Enter both."""
        with ExitStack() as opening:
            for sink in self._sinks:
                opening.enter_context(sink)
            self.push(opening.pop_all())
        return super().__enter__()

    @property
    def encodes(self) -> bool:
        """Whether one of them encodes frames."""
        return any(sink.encodes for sink in self._sinks)

    def deliver(self, shown: Shown) -> None:
        """Deliver a frame to both."""
        for sink in self._sinks:
            sink.deliver(shown)


class Pictures(AbstractContextManager["Pictures"]):
    """Writes each frame to a folder as a picture, which has the name of the frame.

    If two frames have the same name except for the suffix, the later ones are numbered. The folder
    is made when the context is entered.

    Parameters
    ----------
    folder : Path
        Where the pictures go.
    view : View
        What is written.
    overwrite : bool
        Replace pictures that exist.
    suffix : str
        Format of the pictures.
    stems : iterable of str
        Names of frames that are known beforehand: if their pictures exist already, that is an
        error here, not of the frame.

    Raises
    ------
    OutputError
        If pictures cannot be written there.
    """

    encodes = True

    def __init__(
        self,
        folder: Path,
        view: View,
        *,
        overwrite: bool,
        suffix: str = ".jpg",
        stems: Iterable[str] = (),
    ) -> None:
        _check_view(view)
        if suffix not in PICTURES:
            raise RequestError(f"pictures: expected one of {', '.join(PICTURES)}; got {suffix!r}")
        check_folder(folder)
        if folder.is_dir():
            for stem in stems:
                check_output(folder / f"{stem}{suffix}", overwrite=overwrite, suffixes=PICTURES)
        self._folder, self._view = folder, view
        self._overwrite, self._suffix = overwrite, suffix
        self._names: Counter[str] = Counter()

    def __enter__(self) -> Self:
        """Make the folder."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self._folder}: cannot be made ({error.strerror})") from error
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the pictures that were written."""

    def deliver(self, shown: Shown) -> None:
        """Write a frame."""
        capture = shown.frame.capture
        stem = Path(capture.name).stem
        self._names[stem] += 1
        number = f"-{self._names[stem]}" if self._names[stem] > 1 else ""
        path = self._folder / f"{stem}{number}{self._suffix}"
        inputs = [shown.frame.origin] if shown.frame.origin else []
        check_output(path, inputs, overwrite=self._overwrite, suffixes=PICTURES)
        write_picture(path, view_of(shown, self._view), capture, overwrite=self._overwrite)


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
        Frames per second of the video.
    overwrite : bool
        Replace a video that exists.

    Raises
    ------
    OutputError
        If the video cannot be written there.
    """

    encodes = True

    def __init__(self, path: Path, view: View, fps: float, *, overwrite: bool) -> None:
        super().__init__()
        _check_view(view)
        check_output(path, overwrite=overwrite, suffixes=VIDEOS)
        self._path, self._view, self._fps, self._overwrite = path, view, fps, overwrite
        self._writer: cv2.VideoWriter | None = None  # opened for the size of the first frame
        self._size = (0, 0)
        self._first_s: float | None = None  # the first time that is known
        self._last: npt.NDArray[np.uint8] | None = None
        self._written = 0

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
        due = self._due(shown.frame.at_s)
        while self._last is not None and self._written < due:
            self._write(self._last)
        if due >= self._written - 1:  # otherwise it came too soon after the last one to be visible
            self._last = np.ascontiguousarray(codes[..., ::-1])
            self._write(self._last)

    def _due(self, at_s: float | None) -> int:
        """Number of the frame of the video at which a frame is shown."""
        if at_s is None:
            return self._written
        self._first_s = at_s if self._first_s is None else self._first_s
        return round((at_s - self._first_s) * self._fps)

    def _write(self, codes: npt.NDArray[np.uint8]) -> None:
        assert self._writer is not None
        self._writer.write(codes)
        self._written += 1

    def _opened(self, size: tuple[int, int]) -> cv2.VideoWriter:
        """Open the file. It is verified after it is closed, before it gets its name."""
        with ExitStack() as opening:
            path = opening.enter_context(whole_path(self._path, overwrite=self._overwrite))
            writer = cv2.VideoWriter(str(path), CODEC, self._fps, size)
            if not writer.isOpened():
                raise OutputError(f"{self._path}: OpenCV cannot write this kind of video here")
            opening.callback(self._check_written, path)
            opening.callback(writer.release)
            self.push(opening.pop_all())
        return writer

    def _check_written(self, path: Path) -> None:
        """Count the frames in the file, since OpenCV does not report a full disk."""
        with muted():
            video = cv2.VideoCapture(str(path))
            found = max(int(video.get(cv2.CAP_PROP_FRAME_COUNT)), 0)  # -1 if it cannot be read
            video.release()
        if found != self._written:
            raise OutputError(
                f"{self._path}: {found} of {self._written} frames could be written; "
                "is there room on the disk?"
            )


def view_of(shown: Shown, view: View) -> npt.NDArray[np.uint8]:
    """What a sink writes of a frame.

    Parameters
    ----------
    shown : Shown
        The frame.
    view : View
        `picture`, `map` (black if there is none) or `both`, side by side.

    Returns
    -------
    Array
        Display-encoded RGB codes, HxWx3 uint8, or Hx2Wx3 for `both`.
    """
    picture = shown.image
    if view == "picture":
        return picture
    coloured = np.zeros_like(picture)
    if shown.blur_map is not None:
        full = lift(shown.blur_map, Grid(picture.shape[:2]))
        brightest_px = BRIGHTEST_SIGMA * max(picture.shape)
        coloured = codes_of(colour_map(full.sigma, brightest_px))
    return coloured if view == "map" else np.hstack([picture, coloured])


def check_folder(folder: Path, *, empty: bool = False) -> None:
    """Refuse a folder that cannot be made or written to, or, if wanted, one that is not empty.

    Raises
    ------
    OutputError
        Naming the folder, and what is wrong with it.
    """
    try:
        there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        if not there.is_dir():
            raise OutputError(f"{folder}: {there} is a file; name a folder")
        if empty and there == folder and any(folder.iterdir()):
            raise OutputError(f"{folder}: is not empty; name another folder")
    except OSError as error:
        raise OutputError(f"{folder}: cannot be read ({error.strerror})") from error
    if not os.access(there, os.W_OK | os.X_OK):
        raise OutputError(f"{folder}: the folder {there} may not be written to")


def _check_view(view: str) -> None:
    if view not in get_args(View):
        raise RequestError(f"view: expected one of {', '.join(get_args(View))}; got {view!r}")
