"""Data of the charts: compact lists, whose size is bounded for runs of any length.

The charts cover all frames; if there are many, neighbouring frames are grouped. The timeline shows
every frame of a short run. Of a long run it shows blocks of neighbouring frames, evenly spaced and
where latency was highest, and marks the gaps between them. Times are in milliseconds, rounded to
microseconds.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from camerapipe.timeline.colours import stage_colours
from camerapipe.timeline.reading import Column, Moment, Trace, TracedFrame
from camerapipe.timeline.summary import Summary
from camerapipe.trace import GRAPH, Fate

MAX_FRAMES, MAX_SPANS = 6_000, 40_000  # of the timeline: about 2 MB
MAX_MOMENTS, MAX_POINTS = 2_000, 1_200  # of the timeline, of one counter
MAX_GROUPS, LOSS_BINS, LATENCY_BINS = 600, 100, 60
BLOCK = 50  # neighbouring frames of a long run that are shown or left out together
WORST_SHARE = 0.25  # share of the blocks that are chosen by their latency


def drawing(trace: Trace, summary: Summary) -> dict[str, Any]:
    """Data of all charts, ready for JSON."""
    words = _Words()
    kept, order = _kept(trace), coloured(trace)
    frames = [frame for frame, keep in zip(trace.frames, kept, strict=True) if keep]
    return {
        "tracks": _drawn_tracks(trace),
        "kinds": trace.kinds,
        "order": order,
        "colours": stage_colours([trace.kinds[kind] for kind in order]),
        "graph": GRAPH,
        "fates": get_args(Fate),
        "frames": [_frame_row(frame, words) for frame in frames],
        "spans": _span_rows(trace, frames, words),
        "moments": [_moment_row(moment) for moment in _even(trace.moments, MAX_MOMENTS)],
        "gaps": _gaps(trace.frames, kept),
        "counters": {
            name: _counter_rows(*points) for name, points in sorted(trace.counters.items())
        },
        "stacks": _stacks(trace),
        "latency": _latency([f.latency_ms for f in trace.frames if f.fate == "done"]),
        "losses": _losses(trace.frames, summary),
        "budget_ms": trace.header.budget_ms,
        "interval_ms": trace.header.interval_ms,
        "words": words.listed,
        "totals": {
            "frames": len(trace.frames),
            "moments": len(trace.moments),
        },
    }


def coloured(trace: Trace) -> list[int]:
    """Indices of kinds in the order of their colours; those that the budget covers come first."""
    stages = set(trace.spans.kind[~trace.spans.outer].tolist())
    return sorted(stages, key=lambda kind: (trace.kinds[kind][0] != GRAPH, kind))


class _Words:
    """Texts in the order of first appearance; rows contain their indices."""

    def __init__(self) -> None:
        self.listed: list[Any] = []
        self._known: dict[Hashable, int] = {}

    def __call__(self, word: Hashable) -> int | None:
        if word is None or word == ():
            return None
        if word not in self._known:
            self._known[word] = len(self.listed)
            self.listed.append(word)
        return self._known[word]


def _ms(value: float) -> float | None:
    """Milliseconds rounded to microseconds, as an int if possible; None for NaN."""
    if math.isnan(value):
        return None
    rounded = round(float(value), 3)
    return int(rounded) if rounded.is_integer() else rounded


def _drawn_tracks(trace: Trace) -> list[str]:
    """Names of the tracks that have spans or moments, in the order of the viewer."""
    used = {track for track, _ in trace.kinds} | {moment.track for moment in trace.moments}
    return [track for track in dict.fromkeys((*trace.tracks, *sorted(used))) if track in used]


def _kept(trace: Trace) -> NDArray[np.bool_]:
    """Mask of the frames that the timeline shows."""
    count = len(trace.frames)
    spans_a_frame = max(1.0, len(trace.spans.ms) / max(count, 1))
    most = min(MAX_FRAMES, int(MAX_SPANS / spans_a_frame))
    if count <= most:
        return np.ones(count, bool)
    blocks = np.arange(count) // BLOCK
    latency = np.array([f.latency_ms if f.fate == "done" else 0.0 for f in trace.frames])
    worst = np.maximum.reduceat(latency, np.arange(0, count, BLOCK))
    bad = round(WORST_SHARE * most / BLOCK)
    chosen = set(np.argsort(-worst, kind="stable")[:bad].tolist())
    chosen |= set(np.linspace(0, blocks[-1], most // BLOCK - bad).round().astype(int).tolist())
    kept: NDArray[np.bool_] = np.isin(blocks, sorted(chosen))
    return kept


def _gaps(frames: Sequence[TracedFrame], kept: NDArray[np.bool_]) -> list[list[float | None]]:
    """Start and end of the gaps in the timeline, ms."""
    edges = np.flatnonzero(np.diff(np.concatenate(([True], kept, [True])).astype(int)))
    times = [frame.captured_s * 1000 for frame in frames]
    times.append(times[-1] if times else 0.0)
    return [[_ms(times[a]), _ms(times[b])] for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _even(items: Sequence[Moment], most: int) -> list[Moment]:
    """At most `most` of the items, evenly spaced."""
    if len(items) <= most:
        return list(items)
    return [items[i] for i in np.linspace(0, len(items) - 1, most).round().astype(int)]


def _frame_row(frame: TracedFrame, words: _Words) -> list[Any]:
    numbers = (frame.captured_s * 1000, frame.latency_ms)
    more = (frame.spent_ms, frame.budget_ms, frame.lateness_ms)
    texts = (frame.stage, frame.reason, frame.rung, frame.advice, frame.capture, frame.caveats)
    row = [
        frame.seq,
        *map(_ms, numbers),
        get_args(Fate).index(frame.fate),
        frame.missed + 2 * frame.contended,
        *map(_ms, more),
        *map(words, texts),
    ]
    return _trimmed(row)


def _span_rows(trace: Trace, frames: Iterable[TracedFrame], words: _Words) -> list[list[Any]]:
    """Rows of the spans of these frames, and of spans without a frame."""
    spans = trace.spans
    loose = np.flatnonzero(spans.frame < 0)[:MAX_SPANS]
    mine = np.isin(spans.frame, [frame.seq for frame in frames])
    mine[loose] = True
    chosen = spans.where(mine)
    numbers = (chosen.granted_ms, chosen.steps, chosen.setup_ms)
    return [
        _trimmed([
            int(chosen.kind[i]), int(chosen.outer[i]), int(chosen.frame[i]),
            _ms(chosen.start_s[i] * 1000), _ms(chosen.ms[i]), *(_ms(n[i]) for n in numbers),
            None if math.isnan(chosen.residual[i]) else float(f"{chosen.residual[i]:.3g}"),
            words(trace.caveats[chosen.caveats[i]]),
        ])
        for i in range(len(chosen.ms))
    ]  # fmt: skip


def _trimmed(row: list[Any]) -> list[Any]:
    while row and row[-1] is None:
        row.pop()
    return row


def _moment_row(moment: Moment) -> list[Any]:
    return [moment.track, moment.name, _ms(moment.at_s * 1000), moment.args]


def _counter_rows(at_s: Column, values: Column) -> list[list[float | None]]:
    """Points of a counter; if there are many, the minimum and maximum of each bin."""
    chosen = np.arange(len(values))
    if len(values) > MAX_POINTS:
        bins = np.array_split(chosen, MAX_POINTS // 2)
        ends = {int(pick) for b in bins for pick in (b[values[b].argmin()], b[values[b].argmax()])}
        chosen = np.array(sorted(ends))
    return [[_ms(at_s[i] * 1000), _ms(values[i])] for i in chosen]


def _stacks(trace: Trace) -> dict[str, Any]:
    """Mean stage times of groups of neighbouring frames that were done, on the track GRAPH."""
    done = [frame for frame in trace.frames if frame.fate == "done"]
    shown = [kind for kind in coloured(trace) if trace.kinds[kind][0] == GRAPH]
    place = {frame.seq: i for i, frame in enumerate(done)}
    stages = trace.spans.where(~trace.spans.outer & np.isin(trace.spans.kind, shown))
    rows = np.array([place.get(seq, -1) for seq in stages.frame.tolist()], np.int64)
    table = np.zeros((len(done), len(shown)))
    columns = np.searchsorted(shown, stages.kind)
    np.add.at(table, (rows[rows >= 0], columns[rows >= 0]), stages.ms[rows >= 0])
    size = max(1, math.ceil(len(done) / MAX_GROUPS))
    spent = np.where([math.isnan(f.spent_ms) for f in done], table.sum(1),
                     [f.spent_ms for f in done]) if done else np.zeros(0)  # fmt: skip
    latency = np.array([frame.latency_ms for frame in done])
    groups = []
    for start in range(0, len(done), size):
        part = slice(start, start + size)
        groups.append([
            done[start].seq, done[part][-1].seq, _ms(done[start].captured_s * 1000),
            [_ms(ms) for ms in table[part].mean(0)],
            _ms(spent[part].max()), _ms(float(np.median(latency[part]))), _ms(latency[part].max()),
            sum(frame.missed for frame in done[part]),
        ])  # fmt: skip
    return {"kinds": shown, "size": size, "groups": groups}


def _latency(values: list[float]) -> dict[str, Any] | None:
    """Histogram and quantiles of latency; values far above the 99th percentile share a bin."""
    if not values:
        return None
    known = np.array(values)
    low, p99, high = float(known.min()), float(np.quantile(known, 0.99)), float(known.max())
    end = high if high <= 1.5 * p99 else 1.2 * p99
    if end - low < 1e-3:  # equal values: bins need a width
        low, end = max(0.0, low - 0.5), low + 0.5
    counts, edges = np.histogram(np.minimum(known, end), LATENCY_BINS, (low, end))
    return {
        "edges": [_ms(edge) for edge in edges],
        "counts": counts.tolist(),
        "clipped": end < high,
        "cdf": [_ms(value) for value in np.quantile(known, np.linspace(0, 1, 101))],
    }


def _losses(frames: Sequence[TracedFrame], summary: Summary) -> dict[str, Any]:
    """Lost frames by time: their number for each row of the summary, and their lateness."""
    rows = {(row.fate, row.stage, row.reason): i for i, row in enumerate(summary.losses)}
    start_ms = frames[0].captured_s * 1000 if frames else 0.0
    width_ms = max(summary.duration_s * 1000 / LOSS_BINS, 1e-3)
    bins: dict[int, tuple[list[int], list[float]]] = {}
    for frame in frames:
        if frame.fate != "done":
            number = min(LOSS_BINS - 1, int((frame.captured_s * 1000 - start_ms) / width_ms))
            counts, lateness = bins.setdefault(number, ([0] * len(rows), []))
            counts[rows[frame.fate, frame.stage or "", frame.reason or ""]] += 1
            lateness.append(frame.lateness_ms)
    known = {b: [ms for ms in lateness if not math.isnan(ms)] for b, (_, lateness) in bins.items()}
    return {
        "names": [[row.fate, row.stage, row.reason] for row in summary.losses],
        "start": _ms(start_ms),
        "width": _ms(width_ms),
        "count": LOSS_BINS,
        "bins": [
            [b, counts, _ms(float(np.median(known[b]))) if known[b] else None,
             _ms(max(known[b])) if known[b] else None]
            for b, (counts, _) in sorted(bins.items())
        ],
    }  # fmt: skip
