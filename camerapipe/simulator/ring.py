"""The ring buffer of the newest frames, from which a capture without shutter lag is taken."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from camerapipe.simulator.module import Exposure
from camerapipe.simulator.requests import FrameMetadata

RING_FRAMES = 8
MAX_AGE_S = 0.5  # an older frame is not what the person saw when the shutter was released
EXPOSED = ("converged", "locked", "inactive")
FOCUSED = ("focused", "locked", "inactive")


class Buffered(NamedTuple):
    """A frame of the ring; its pixels are computed if it is used."""

    number: int
    exposure: Exposure
    metadata: FrameMetadata


class Ring:
    """The newest frames."""

    def __init__(self) -> None:
        self._frames: deque[Buffered] = deque(maxlen=RING_FRAMES)

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, number: int, exposure: Exposure, metadata: FrameMetadata) -> None:
        """Add a frame; the oldest is forgotten."""
        self._frames.append(Buffered(number, exposure, metadata))

    def best(self, now_s: float) -> Buffered | None:
        """The sharpest of the newest frames that are well exposed and in focus, if there is one."""
        usable = [
            each for each in self._frames
            if now_s - each.exposure.start_s <= MAX_AGE_S and _is_usable(each.metadata)
        ]  # fmt: skip
        return max(usable, key=lambda each: (each.metadata.sharpness, each.number), default=None)


def _is_usable(meta: FrameMetadata) -> bool:
    steady = meta.lens_state == "stationary"
    return steady and meta.ae_state in EXPOSED and meta.af_state in FOCUSED
