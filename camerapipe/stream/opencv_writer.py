"""Video files by OpenCV: MPEG-4 part 2 at a fixed rate, without colour tags and sound."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from camerapipe.errors import OutputError
from camerapipe.ingest.quiet import muted
from camerapipe.ingest.video import is_sd

Codes = npt.NDArray[np.uint8]
CODEC = cv2.VideoWriter.fourcc(*"mp4v")
INDEX_LAST = (".mp4", ".mov")
MOST_TICKS = 65_535  # per second of MPEG-4 part 2; OpenCV writes a rate as a decimal fraction
LUMA = {"BT.601": (0.299, 0.587, 0.114), "BT.709": (0.2126, 0.7152, 0.0722)}  # of R, G, B


@contextmanager
def opencv_writer(path: Path, name: str, size: tuple[int, int], fps: float) -> Iterator[Any]:
    """Open a video file; it is complete when the context ends without an error.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        Of the output, for messages.
    size : (width, height)
        Even numbers, px.
    fps : float
        Rate; it is rounded to one that the format can state.

    Raises
    ------
    OutputError
        If the file could not be written.
    """
    writer = OpenCVWriter(path, name, size, fps)
    try:
        yield writer
    finally:
        writer.close()
    writer.check()


class OpenCVWriter:
    """Repeats and leaves out frames, so that each is shown at its time; made by `opencv_writer`."""

    def __init__(self, path: Path, name: str, size: tuple[int, int], fps: float) -> None:
        self._path, self._name, self._fps = path, name, writable_rate(fps)
        self._writer = cv2.VideoWriter(str(path), CODEC, self._fps, size)
        if not self._writer.isOpened():
            raise OutputError(f"{name}: OpenCV cannot write this kind of video here")
        self._matrix = _correction("BT.601" if is_sd(*size) else "BT.709")
        self._last: Codes | None = None
        self._written = 0

    def write(self, codes: Codes, at_s: float) -> None:
        """Append a frame, as `h264.H264Writer.write` does."""
        due = round(at_s * self._fps)
        while self._last is not None and self._written < due:
            self._append(self._last)
        if due >= self._written - 1:  # otherwise it came too soon after the last one to be visible
            right = np.asarray(cv2.transform(codes, self._matrix))
            self._last = np.ascontiguousarray(right[..., ::-1])
            self._append(self._last)

    def close(self) -> None:
        """Finish the file."""
        self._writer.release()

    def check(self) -> None:
        """Count the frames in the file, since OpenCV does not report a full disk."""
        with muted():
            found = _frames_in(self._path)
        if found != self._written:
            raise OutputError(
                f"{self._name}: {found} of {self._written} frames could be written; "
                "is there room on the disk?"
            )

    def _append(self, codes: Codes) -> None:
        self._writer.write(codes)
        self._written += 1


def _frames_in(path: Path) -> int:
    """Number of frames of a file: by its index if that is at its end, or else by reading it."""
    video = cv2.VideoCapture(str(path))
    try:
        if path.suffix.lower() in INDEX_LAST:
            return max(int(video.get(cv2.CAP_PROP_FRAME_COUNT)), 0)  # -1 if it cannot be read
        return sum(1 for _ in iter(video.grab, False))
    finally:
        video.release()


def writable_rate(fps: float) -> float:
    """The nearest rate that MPEG-4 part 2 can state as a decimal fraction, frames per second."""
    rate = min(max(fps, 1e-3), float(MOST_TICKS))
    return round(rate, max(0, min(3, math.floor(math.log10(MOST_TICKS / rate)))))


def _correction(standard: str) -> npt.NDArray[np.float64]:
    """Matrix 3x4 from RGB codes to those that OpenCV encodes to the Y'CbCr of a standard.

    OpenCV encodes by BT.601, and rounds down. It writes no tag, and players decode large videos by
    BT.709.
    """
    wanted = np.hstack([_to_ycc(LUMA[standard]), np.full((3, 1), 0.5)])
    return np.linalg.solve(_to_ycc(LUMA["BT.601"]), wanted)


def _to_ycc(luma: tuple[float, float, float]) -> npt.NDArray[np.float64]:
    """Matrix from RGB codes to Y'CbCr codes of narrow range, without their offsets."""
    red, _, blue = luma
    y = np.array(luma)
    cb = (np.array([0, 0, 1]) - y) / (2 * (1 - blue))
    cr = (np.array([1, 0, 0]) - y) / (2 * (1 - red))
    return np.stack([219 * y, 224 * cb, 224 * cr]) / 255
