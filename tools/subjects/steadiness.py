"""Flicker of a live preview, its lag after a change of focus, and the cost of a frame.

Frames come from `camerapipe.synthetic`, whose blur is known. All numbers except the times are the
same on every machine.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from camerapipe.assembly import Request
from camerapipe.budget import wall_s
from camerapipe.costs import Costs
from camerapipe.ingest import capture_from_array
from camerapipe.levels import DEFAULT_RUNG, LADDER
from camerapipe.settings import resolve
from camerapipe.stream.policy import QualityPolicy
from camerapipe.stream.rungs import ready_checks, ready_rungs
from camerapipe.stream.shown import Frame, StreamState
from camerapipe.stream.viewfinder import Viewfinder
from camerapipe.synthetic import EPISODE, SIZE, synthetic_frame
from stages.grid import Grid, lift
from stages.steady import SteadyParams

Picture = npt.NDArray[np.uint8]
WARM_UP = 10  # frames until memory is full
FLICKER_FRAMES = 10
PERCENTILE = 95
FOLLOW_FRAMES = 16  # after a step of the focus
SETTLED_FRAMES = 5  # the last of these
SETTLED = 1.2  # times the settled error counts as settled
BILATERAL = (9, 50, 50)  # diameter and both sigmas of the yardstick
PAIRS = 9


class LiveFrame(NamedTuple):
    """A picture, its dense map at full resolution (px), and the time from decoded to shown."""

    picture: Picture
    sigma: npt.NDArray[np.float32]
    ms: float
    rung: str  # that of the frame: where there is no map to carry, another takes its place


def live_frames(
    pictures: Iterable[Picture],
    rung: str = DEFAULT_RUNG.name,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
) -> Iterator[LiveFrame]:
    """Show decoded pictures by one rung, each with the memory of the one before."""
    resolved, state = resolve(values=settings), StreamState()
    viewfinder = Viewfinder(
        request=Request(settings=resolved, force=True),
        policy=QualityPolicy(ready_rungs(resolved, only=rung), ready_checks(resolved)),
        clock=wall_s,
        costs=Costs(),
    )
    for seq, picture in enumerate(pictures):
        started = time.perf_counter()
        frame = Frame(seq, capture_from_array(picture, "srgb"))
        shown, state = viewfinder.show(frame, state)
        ms = (time.perf_counter() - started) * 1000
        assert shown.blur_map is not None
        full = Grid((picture.shape[0], picture.shape[1]))
        yield LiveFrame(shown.image, lift(shown.blur_map, full).sigma, ms, shown.rung)


def flicker_px(
    size: tuple[int, int], history_frames: float, rung: str = DEFAULT_RUNG.name
) -> float:
    """95th percentile of the change of sigma from frame to frame where nothing moves but noise."""
    count = WARM_UP + FLICKER_FRAMES
    pictures = (synthetic_frame("static", k, size).picture for k in range(count))
    settings = {SteadyParams.stage(): {"history_frames": history_frames}}
    maps = [frame.sigma for frame in live_frames(pictures, rung, settings)]
    return float(np.percentile(np.abs(np.diff(maps[WARM_UP - 1 :], axis=0)), PERCENTILE))


def flicker_ratio(size: tuple[int, int] = SIZE, rung: str = DEFAULT_RUNG.name) -> float:
    """Flicker with memory over flicker without."""
    return flicker_px(size, SteadyParams().history_frames, rung) / flicker_px(size, 0.0, rung)


def focus_errors(size: tuple[int, int] = SIZE, rung: str = DEFAULT_RUNG.name) -> list[float]:
    """Mean absolute error of sigma (px) of the frames from a step of the focus on."""
    known = [
        synthetic_frame("step", k, size) for k in range(EPISODE - WARM_UP, EPISODE + FOLLOW_FRAMES)
    ]
    frames = live_frames((frame.picture for frame in known), rung)
    pairs = zip(frames, known, strict=True)
    errors = [float(np.abs(frame.sigma - truth.sigma).mean()) for frame, truth in pairs]
    return errors[WARM_UP:]


def focus_lag_frames(size: tuple[int, int] = SIZE, rung: str = DEFAULT_RUNG.name) -> int:
    """Frames after a step of the focus until the error stays within 1.2 of its settled value.

    0: the first frame after the step is right already. The settled value is the median of the last
    five of 16 frames.
    """
    errors = focus_errors(size, rung)
    settled = statistics.median(errors[-SETTLED_FRAMES:])
    late = [k for k, error in enumerate(errors) if error > SETTLED * settled]
    return late[-1] + 1 if late else 0


def preview_over_bilateral(
    pictures: Iterable[Picture], rung: str = DEFAULT_RUNG.name, pairs: int = PAIRS
) -> float:
    """One preview frame over one `cv2.bilateralFilter` of it: median of pairs, one by one."""
    ratios = []
    pictures = list(pictures)
    frames = live_frames(pictures * -(-(pairs + 2) // len(pictures)), rung)
    for picture, _ in zip(pictures, range(2), strict=False):  # memory, and every kernel
        next(frames)
        cv2.bilateralFilter(picture, *BILATERAL)
    for k in range(pairs):
        started = time.perf_counter()
        cv2.bilateralFilter(pictures[k % len(pictures)], *BILATERAL)
        yardstick = (time.perf_counter() - started) * 1000
        ratios.append(next(frames).ms / yardstick)
    return statistics.median(ratios)


class RungFigures(NamedTuple):
    """Median ms a frame, and PSNR (dB) of the pictures against those of the reference."""

    name: str
    ms: float
    psnr_db: float


def rung_table(pictures: list[Picture], reference: list[Picture]) -> list[RungFigures]:
    """Cost and quality of every rung over the same pictures."""
    rows = []
    for rung in LADDER:
        frames = list(live_frames(pictures, rung.name))
        ms = statistics.median(frame.ms for frame in frames[1:])
        rows.append(RungFigures(rung.name, ms, psnr_db([f.picture for f in frames], reference)))
    return rows


def psnr_db(pictures: list[Picture], reference: list[Picture]) -> float:
    """Of 8-bit pictures, over all of them together."""
    squares = [
        float(np.mean((a.astype(np.float64) - b) ** 2))
        for a, b in zip(pictures, reference, strict=True)
    ]
    return float(10 * np.log10(255**2 / max(np.mean(squares), 1e-9)))
