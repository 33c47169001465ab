"""Frames that a page sends from its own camera, as pictures that a stream takes one by one."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from camerapipe.web.messages import MessageError

MOST_PX = 1280 * 720
CREDIT = 2  # frames that a page may send before the stream has taken one

Picture = npt.NDArray[np.uint8]


class Feed(Iterator[Picture]):
    """The camera of a page.

    Parameters
    ----------
    taken : callable
        Called, in any thread, when the stream has taken a frame, so that the page may send another.
    """

    def __init__(self, taken: Callable[[], None]) -> None:
        self._taken = taken
        self._frames: queue.SimpleQueue[Picture | None] = queue.SimpleQueue()

    def put(self, fields: Any, data: bytes) -> None:
        """Take a frame of the page: RGBA codes, height x width.

        Raises
        ------
        MessageError
            If it is not of this form, or the page sends more than it may.
        """
        width, height = fields.get("width"), fields.get("height")
        if type(width) is not int or type(height) is not int or min(width, height) < 1:
            raise MessageError("frame: expected width and height in px")
        if width * height > MOST_PX or len(data) != 4 * width * height:
            raise MessageError(f"frame: expected RGBA of {MOST_PX} pixels at most")
        if self._frames.qsize() >= CREDIT:
            raise MessageError("frame: more frames than the stream has asked for")
        rgba = np.frombuffer(data, np.uint8).reshape(height, width, 4)
        self._frames.put(np.asarray(cv2.cvtColor(rgba, cv2.COLOR_RGBA2RGB), np.uint8))

    def close(self) -> None:
        """No more frames come."""
        self._frames.put(None)

    def __next__(self) -> Picture:
        """The next frame; waits for it."""
        frame = self._frames.get()
        if frame is None:
            raise StopIteration
        self._taken()
        return frame
