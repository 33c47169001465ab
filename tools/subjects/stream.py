"""Streams: overhead and memory of the line, budgets and the quality they buy, a real preview.

Wall times are compared with a yardstick in the same run. If the wall time of a frame exceeds its
CPU time by more than a fifth, other processes had the machine. Such frames are not judged, and
their share is reported.
"""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from camerapipe.budget import Budget, cpu_s
from camerapipe.ingest import capture_from_array
from camerapipe.levels import LADDER
from camerapipe.runtime import available_cores, configure, warm_up
from camerapipe.settings import resolve
from camerapipe.stream.exposures import Exposure, FrameSource
from camerapipe.stream.frames import Arrival, Outcome
from camerapipe.stream.line import Line, Rules, Stage
from camerapipe.stream.options import StreamOptions
from camerapipe.stream.scheduler import ThreadScheduler
from camerapipe.stream.shown import Shown
from camerapipe.stream.sinks import App, Nowhere, Pictures
from camerapipe.stream.sources import open_source
from camerapipe.stream.stream import Stream
from camerapipe.synthetic import synthetic_frame
from subjects import steadiness

Picture = npt.NDArray[np.uint8]
T = TypeVar("T")

VIDEO = "sequence/ducks_1280x720.mp4"
PHOTOGRAPH = "photos/dandelion_16mp.jpg"
STAGES = 3
SIZE_1MP = (800, 1280)
BUDGETS = (1.15, 1.5, 2, 3, 5)  # times what the least rung that any frame can take costs
OVERLAP_ROUNDS, OVERLAP_FRAMES = 3, 30
MEMORY_FRAMES, MEMORY_EVERY = 100_000, 10_000
MEGA = 1e6


def measure(context: Any) -> dict[str, float]:
    """Measure everything of a stream."""
    configure(long_running=True)
    warm_up()
    quick = context.quick
    results = {
        "stream.overhead_us": overhead_us(5_000 if quick else 30_000),
        "stream.mb_per_10k_frames": memory_slope_mb(30_000 if quick else MEMORY_FRAMES),
        "stream.flicker_ratio": steadiness.flicker_ratio(),
        "stream.focus_lag_frames": steadiness.focus_lag_frames(),
    }
    results |= budgets(context, frames=30 if quick else 240)
    video = context.picture(VIDEO)
    if video is not None:
        results |= preview(context, video, pairs=9 if quick else 31)
    photograph = context.picture(PHOTOGRAPH)
    if photograph is not None and not quick:
        results |= overlap(context, photograph)
    return results


def overhead_us(frames: int) -> float:
    """Time of the engine for each frame and stage, with stages that do nothing; best of five."""

    def once() -> float:
        stages = [Stage(name=f"s{k}", function=lambda v, s: (v, s)) for k in range(STAGES)]
        source = (Arrival(value=k) for k in range(frames))
        line = Line(source, stages, ThreadScheduler(), Rules(max_in_flight=STAGES + 1))
        started = time.perf_counter()
        line.run()
        return (time.perf_counter() - started) / (frames * STAGES) * 1e6

    return min(once() for _ in range(5))


MEMORY_JOB = """
import sys
sys.path[:0] = {paths!r}
from subjects.stream import no_op_stream, rss_mb
no_op_stream({frames}, {every})
"""


def memory_slope_mb(frames: int) -> float:
    """Growth of a process of its own over synthetic frames, least squares after the first fifth."""
    paths = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]
    job = MEMORY_JOB.format(paths=paths, frames=frames, every=frames // 20)
    done = subprocess.run([sys.executable, "-c", job], check=True, capture_output=True, text=True)
    seen = np.array([[float(x) for x in line.split()] for line in done.stdout.splitlines()])
    late = seen[len(seen) // 5 :]
    return float(np.polyfit(late[:, 0], late[:, 1], 1)[0] * 10_000)


def no_op_stream(frames: int, every: int) -> None:
    """Run frames with pixels through the account and stages that do nothing; print memory."""
    from camerapipe.stream.account import Account

    account = Account()

    def note(event: Any) -> None:
        account.add(event)
        if isinstance(event, Outcome) and event.seq % every == 0:
            print(event.seq, rss_mb(), flush=True)

    def touch(value: Picture, state: None) -> tuple[Picture, None]:
        return value ^ 1, state

    source = (Arrival(value=np.full((120, 160, 3), k % 256, np.uint8)) for k in range(frames))
    stages = [Stage(name=f"s{k}", function=touch) for k in range(STAGES)]
    Line(source, stages, ThreadScheduler(), Rules(), note).run()


def rss_mb() -> float:
    """Resident memory of this process."""
    import psutil

    return float(psutil.Process().memory_info().rss / MEGA)


def in_memory(pictures: list[Picture], frames: int) -> FrameSource:
    """A source of decoded pictures, over and over."""
    exposures = [
        Exposure(f"{k}", partial(capture_from_array, picture, "srgb", f"{k}"))
        for k, picture in enumerate(pictures)
    ]
    return FrameSource(
        "memory", "video", None, (Arrival(value=e) for e in islice(cycle(exposures), frames))
    )


class Seen(NamedTuple):
    """What is kept of a frame: frames that are kept whole would make the next wait for memory."""

    rung: str
    spent_ms: float
    in_time: bool
    contended: bool
    square: float  # mean squared error in codes


def each_of(source: FrameSource, options: StreamOptions, take: Callable[[Shown], T]) -> list[T]:
    """What `take` keeps of every frame, one frame at a time: its CPU time is its own."""
    kept: list[T] = []
    sink = App(lambda shown: kept.append(take(shown)))
    Stream(source, sink, replace(options, in_flight=1)).run()
    return kept


def budgets(context: Any, frames: int) -> dict[str, float]:
    """Frames within budget and one step, and the quality that each budget buys, at 1 MP."""
    pictures = [synthetic_frame("pan", k, SIZE_1MP).picture for k in range(min(frames, 40))]
    plain = StreamOptions(settings=resolve(), force=True)
    reference = each_of(in_memory(pictures, len(pictures)), plain, lambda shown: shown.image)

    def look_at(shown: Shown) -> Seen:
        error = shown.image - reference[shown.frame.seq % len(pictures)].astype(float)
        square = float(np.mean(error**2))
        return Seen(shown.rung, shown.spent_ms, shown.in_time, shown.contended, square)

    rungs = steadiness.rung_table(pictures[:8], reference[:8])
    context.table("rungs at 1 MP", ["rung", "ms", "PSNR dB"], [list(row) for row in rungs])
    measures = {rung.name for rung in LADDER if rung.instead is None}
    least_ms = min(row.ms for row in rungs if row.name in measures)
    rows, within, apart, quality = [], [], [], []
    for factor in BUDGETS:
        budget_ms = factor * least_ms
        options = replace(plain, budget=Budget(total_ms=budget_ms))
        seen = each_of(in_memory(pictures, frames), options, look_at)[frames // 10 :]
        judged = [frame.in_time for frame in seen if not frame.contended]
        share = sum(judged) / len(judged) if judged else math.nan
        psnr = float(10 * np.log10(255**2 / max(np.mean([f.square for f in seen]), 1e-9)))
        spent = statistics.median(frame.spent_ms for frame in seen)
        used = statistics.mode(frame.rung for frame in seen)
        rows.append([budget_ms, spent, share, 1 - len(judged) / len(seen), psnr, used])
        within.append(share)
        apart.append(1 - len(judged) / len(seen))
        quality.append(psnr)
    head = ["budget ms", "median ms", "within", "judged apart", "PSNR dB", "mostly"]
    context.table("what a budget buys at 1 MP", head, rows)
    return {
        "stream.within_budget": min(within),
        "stream.contended_share": max(apart),
        "stream.psnr_gain_db": quality[-1] - quality[0],
        "stream.psnr_fall_db": max(-min(np.diff(quality)), 0.0),
    }


def preview(context: Any, video: Path, pairs: int) -> dict[str, float]:
    """The default preview on a real sequence: against the yardstick, and sustained."""
    capture = cv2.VideoCapture(str(video))
    pictures = [cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB) for _ in range(12)]
    ratio = steadiness.preview_over_bilateral(pictures, pairs=pairs)
    settings = resolve()
    rung = steadiness.DEFAULT_RUNG.name
    options = StreamOptions(settings=settings, force=True, frames=100, rung=rung)
    source = open_source(str(video), paced=False)
    report = Stream(source, Nowhere(), options).run()
    row = [report.frames_per_second, *report.latency_ms.values(), *report.spent_ms.values()]
    names = [f"{what} {p}" for what in ("latency", "spent") for p in ("p50", "p95", "p99")]
    context.table(f"{video.name}, rung {rung}", ["frames a second", *names], [row])
    fps = report.frames_per_second or 0.0
    return {
        "stream.preview_over_bilateral": ratio,
        "stream.fps_720p": fps,
        "stream.latency_ms_p50": report.latency_ms["p50"] or float("nan"),
        "stream.latency_ms_p95": report.latency_ms["p95"] or float("nan"),
        "stream.graph_share": (report.spent_ms["p50"] or 0.0) * fps / 1000,
    }


def overlap(context: Any, photograph: Path) -> dict[str, float]:
    """12 MP JPEG in and out: share of all cores that the stream keeps busy, and its throughput."""
    picture = cv2.imread(str(photograph))
    scale = (12e6 / (picture.shape[0] * picture.shape[1])) ** 0.5
    picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    megapixels, busy, rates = picture.shape[0] * picture.shape[1] / 1e6, [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "in"
        folder.mkdir()
        for k in range(OVERLAP_FRAMES):
            cv2.imwrite(str(folder / f"{k}.jpg"), picture)
        for round_ in range(OVERLAP_ROUNDS + 1):
            options = StreamOptions(settings=resolve(), force=True, rung="preview", in_flight=4)
            sink = Pictures(Path(name) / f"out{round_}", "picture", overwrite=False)
            stream = Stream(open_source(str(folder), paced=False), sink, options)
            stream.prepare()
            before_s, started_s = cpu_s(), time.perf_counter()
            report = stream.run()
            wall_s, used_s = time.perf_counter() - started_s, cpu_s() - before_s
            if round_ == 0:  # its first frames wait for memory that later ones find there
                continue
            busy.append(used_s / (wall_s * available_cores()))
            rates.append(report.done * megapixels / wall_s)
            row = [report.done / wall_s, used_s * 1000 / report.done, busy[-1]]
            head = ["frames a second", "CPU ms a frame", "share of the cores"]
            context.table("12 MP JPEG in and out", head, [row])
    return {
        "stream.cores_busy": statistics.median(busy),
        "stream.mp_per_s": statistics.median(rates),
    }
