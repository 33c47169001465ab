"""A still or a clip as a camera: it begins again when it ends, and its times go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from camerapipe.errors import CaptureError
from camerapipe.stream.exposures import FrameSource
from camerapipe.stream.frames import Arrival


def looped(reopen: Callable[[], FrameSource]) -> FrameSource:
    """A source without end.

    Parameters
    ----------
    reopen : callable
        Opens the source at its beginning.

    Returns
    -------
    FrameSource
        As the first one; frames have the times of one recording that goes on. The next round begins
        one frame interval after the last frame of the one before.
    """
    first = reopen()
    opened = [first]

    def frames() -> Iterator[Arrival]:
        offset_s = 0.0
        while True:
            times: list[float] = []
            for arrival in opened[-1].frames:
                if arrival.captured_s is None:
                    yield arrival
                    times.append(0.0)
                    continue
                times = [*times[-1:], arrival.captured_s]
                at_s = arrival.captured_s + offset_s
                filmed_s = None if arrival.filmed_s is None else arrival.filmed_s + offset_s
                yield replace(arrival, captured_s=at_s, filmed_s=filmed_s)
            if not times:
                raise CaptureError(f"{first.name}: has no frames to repeat")
            interval_s = times[-1] - times[0] if len(times) > 1 else 1 / (first.fps or 1)
            offset_s += times[-1] + interval_s
            opened[-1].close()
            opened.append(reopen())
            del opened[:-1]

    return replace(first, frames=frames(), close=lambda: opened[-1].close(), length=None)
