"""Where shown frames go: a folder of pictures, a video file, an app, or nowhere (to measure).

A sink is a context: what it makes appears whole when it is left well, also after a stop. `view`
says what is written of a frame: the picture, the blur map in colours, or both side by side.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any, Literal, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from camerapipe.errors import OutputError, RequestError
from camerapipe.ingest import PICTURES, check_output, colour_map, write_picture
from camerapipe.ingest.atomic import whole_path
from camerapipe.ingest.quiet import muted
from camerapipe.stream.viewfinder import Shown
from stages.grid import Grid, lift
from stages.params import Array
from stages.tone import to_codes

View = Literal["picture", "map", "both"]
VIDEOS = (".mp4", ".mov", ".avi", ".mkv")
CODEC = cv2.VideoWriter.fourcc(*"mp4v")
BRIGHTEST_SIGMA = 6 / 1280  # of the long side: one scale for the maps of all frames


class Sink(AbstractContextManager["Sink"], Protocol):
    """Takes frames in order, one at a time; an exception fails the frame, not the stream."""

    @property
    def encodes(self) -> bool:
        """Whether frames are written as pictures, which takes time on a device."""

    def deliver(self, shown: Shown) -> None:
        """Take one frame."""


class Nowhere(nullcontext[Any]):
    """Takes frames and forgets them."""

    encodes = False

    def deliver(self, shown: Shown) -> None:
        """Forget one frame."""


class App(nullcontext[Any]):
    """Hands every frame to a function, one at a time, in any thread of the stream."""

    encodes = False

    def __init__(self, callback: Callable[[Shown], None]) -> None:
        super().__init__(self)
        self._callback = callback

    def deliver(self, shown: Shown) -> None:
        """Hand over one frame."""
        self._callback(shown)


class Pictures(nullcontext[Any]):
    """Writes each frame to a folder as a picture of its own, named after it.

    Where two frames have one name but for the suffix, the later ones are numbered.
    """

    encodes = True

    def __init__(self, folder: Path, view: View, *, overwrite: bool, suffix: str = ".jpg") -> None:
        super().__init__(self)
        if suffix not in PICTURES:
            raise RequestError(f"pictures: expected one of {', '.join(PICTURES)}; got {suffix!r}")
        self._folder, self._view = folder, view
        self._overwrite, self._suffix = overwrite, suffix
        self._names: Counter[str] = Counter()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: cannot be made ({error.strerror})") from error

    def deliver(self, shown: Shown) -> None:
        """Write one frame."""
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

    Frames that know when they were captured are seen at that time, the one before until then: it
    lasts as long as what was filmed, whatever was dropped. Others follow one another. Sizes are
    even: an odd row or column is repeated.
    """

    encodes = True

    def __init__(self, path: Path, view: View, fps: float, *, overwrite: bool) -> None:
        super().__init__()
        check_output(path, overwrite=overwrite, suffixes=VIDEOS)
        self._path, self._view, self._fps, self._overwrite = path, view, fps, overwrite
        self._writer: cv2.VideoWriter | None = None  # opened by the first frame, of its size
        self._size = (0, 0)
        self._first_s: float | None = None  # time of the first frame that knows it
        self._last: npt.NDArray[np.uint8] | None = None
        self._written = 0

    def deliver(self, shown: Shown) -> None:
        """Append one frame."""
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
        if due >= self._written - 1:  # else it came too soon after the last to be seen
            self._last = np.ascontiguousarray(codes[..., ::-1])
            self._write(self._last)

    def _due(self, at_s: float | None) -> int:
        """Place of a frame in the video."""
        if at_s is None:
            return self._written
        self._first_s = at_s if self._first_s is None else self._first_s
        return round((at_s - self._first_s) * self._fps)

    def _write(self, codes: npt.NDArray[np.uint8]) -> None:
        assert self._writer is not None
        self._writer.write(codes)
        self._written += 1

    def _opened(self, size: tuple[int, int]) -> cv2.VideoWriter:
        """Open the file; when it is closed and before it gets its name, it is looked at."""
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
        """OpenCV says nothing of a disk that is full: count the frames that are there."""
        with muted():
            video = cv2.VideoCapture(str(path))
            found = max(int(video.get(cv2.CAP_PROP_FRAME_COUNT)), 0)  # -1: it cannot be read
            video.release()
        if found != self._written:
            raise OutputError(
                f"{self._path}: {found} of {self._written} frames could be written; "
                "is there room on the disk?"
            )


def view_of(shown: Shown, view: View) -> npt.NDArray[np.uint8]:
    """What a person sees of a frame, HxWx3 uint8 RGB, display-encoded."""
    picture = codes_of(shown.image)
    if view == "picture":
        return picture
    coloured = np.zeros_like(picture)
    if shown.blur_map is not None:
        full = lift(shown.blur_map, Grid(picture.shape[:2]))
        brightest_px = BRIGHTEST_SIGMA * max(picture.shape)
        coloured = codes_of(colour_map(full.sigma, brightest_px))
    return coloured if view == "map" else np.hstack([picture, coloured])


def codes_of(image: Array | npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """A display-encoded picture as 8-bit codes."""
    codes = image if image.dtype == np.uint8 else to_codes(np.asarray(image, np.float32), 8)
    return np.asarray(codes, np.uint8)
