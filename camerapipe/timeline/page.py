"""HTML page of a trace, from the template, style and scripts of this folder.

Facts and tables are HTML text, so that they are readable without JavaScript; the scripts draw the
charts. The page loads nothing else, which its content security policy enforces. The same trace
gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from camerapipe.timeline.drawing import drawing
from camerapipe.timeline.reading import Trace
from camerapipe.timeline.summary import LossRow, Quantiles, StageRow, Summary, summarise

SCRIPTS = ("common.js", "lanes.js", "charts.js")
NOTHING = "–"


def page(trace: Trace) -> str:
    """HTML of a trace; its times begin with 0."""
    trace = trace.from_zero()
    summary = summarise(trace)
    drawn = drawing(trace, summary)
    mode, meaning = _mode(summary)
    return Template(_asset("page.html")).substitute(
        title=escape(f"{summary.header.source or 'run'}: trace"),
        source=escape(summary.header.source or "A run"),
        mode=mode,
        meaning=escape(meaning),
        ended=escape(_ending(summary)),
        facts=_facts(summary),
        cards=_cards(summary),
        stages=_stage_table(
            summary.stages,
            {
                trace.kinds[kind]: colour
                for kind, colour in zip(drawn["order"], drawn["colours"], strict=True)
            },
        ),
        losses=_loss_table(summary.losses),
        quantiles=_quantile_table(summary),
        thinned=escape(_thinned(drawn)),
        **_grouped(drawn["stacks"]["size"]),
        style=_asset("page.css"),
        script="\n".join(map(_asset, SCRIPTS)),
        data=embedded(drawn),
    )


def embedded(data: Any) -> str:
    """JSON in which `<`, `>` and `&` are escaped, so that it cannot end its script element."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


def _mode(summary: Summary) -> tuple[str, str]:
    """Mode of the run (measured or simulated), and a sentence that explains it."""
    header = summary.header
    if header.mode == "measured":
        return "measured", "Wall clock of the host that ran it; scaled to no device."
    profile = f"profile {header.profile}" if header.profile else "a profile without a name"
    scale = f", CPU scale {_range(header.scale_range)}" if header.scale_range else ""
    known = "calibrated on the device" if header.calibrated else "not calibrated on a device"
    return "simulated", f"Virtual clock, costs from {profile}{scale}, {known}. No time is measured."


def _range(ends: Sequence[float]) -> str:
    low, high = ends
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _ending(summary: Summary) -> str:
    ended = str(summary.end.get("ended", "complete"))
    if ended == "complete":
        return ""
    how = "stopped" if ended == "stopped" else f"ended by {ended}"
    return f"The run was {how}; the numbers cover the frames until then."


def _facts(summary: Summary) -> str:
    header = summary.header
    stages = ", ".join(f"{name} {ms:g} ms" for name, ms in header.stages_ms.items())
    facts = {
        "Graph": header.graph,
        "Policy": header.policy,
        "Budget of a frame": _number(header.budget_ms, "ms"),
        "Budgets of stages": stages,
        "Frame interval": _number(header.interval_ms, "ms"),
        "Seed": "" if header.seed is None else str(header.seed),
        "Duration": _number(summary.duration_s, "s"),
        "Quality": _counts(summary.rungs),
        "Events": _counts(summary.moments),
        "Peaks": ", ".join(f"{name} {_big(peak)}" for name, peak in summary.peaks.items()),
        "Settings": ", ".join(f"{key} {value}" for key, value in header.settings.items()),
        "Versions": ", ".join(f"{name} {number}" for name, number in header.versions.items()),
    }
    return "\n".join(
        f"<div><dt>{name}</dt><dd>{escape(text)}</dd></div>"
        for name, text in facts.items()
        if text and text != NOTHING
    )


def _counts(counted: dict[str, int]) -> str:
    return ", ".join(f"{name} {_big(count)}" for name, count in counted.items())


def _cards(summary: Summary) -> str:
    """Cards with the main numbers: label, number, explanation."""
    fates, latency, frames = summary.fates, summary.latency_ms, summary.frames
    spent, ceiling = summary.spent_ms, summary.ceiling
    lost = ", ".join(f"{_big(fates[f])} {f}" for f in ("failed", "dropped", "cancelled"))
    reasons = ", ".join(f"{_big(r.count)} × {r.reason or r.fate}" for r in summary.losses[:2])
    contended = f", {_big(summary.contended)} contended, not counted" if summary.contended else ""
    intervals = summary.latency_intervals
    in_intervals = f" = {intervals:.1f} frame intervals" if intervals else ""
    with_step, budget_ms = summary.within_step, summary.header.budget_ms
    judged = "none was given" if budget_ms is None else "none could be judged"
    if with_step is not None:
        judged = f"{_share(with_step)} with one step more"
    budget = "" if budget_ms is None else f", budget {_number(budget_ms, 'ms')}"
    cards = [
        ("Frames done", _big(fates["done"]), f"of {_big(frames)}: {lost}"),
        ("Within budget", _share(summary.within_budget),
         f"of done frames; {judged}; {_big(summary.late)} late{contended}"),
        ("Frames per second", _number(summary.fps), f"{_number(summary.offered_fps)} offered"),
        ("Ceiling", _number(ceiling.fps, "fps") if ceiling else NOTHING,
         f"set by {ceiling.track}; median {_part(ceiling.ms, 'median', 'ms')}, "
         f"p95 {_part(ceiling.ms, 'p95', 'ms')}, p99 {_part(ceiling.ms, 'p99', 'ms')}"
         if ceiling else "no stage took any time"),
        ("Latency, median", _part(latency, "median", "ms"),
         f"p95 {_part(latency, 'p95', 'ms')}{in_intervals}, "
         f"p99 {_part(latency, 'p99', 'ms')}"),
        ("Spent of the budget", _part(spent, "median", "ms"),
         f"median; p95 {_part(spent, 'p95', 'ms')}{budget}"),
        ("Lost", _share((frames - fates["done"]) / frames if frames else None),
         reasons or "nothing was lost"),
    ]  # fmt: skip
    return "\n".join(
        f'<div class="card"><h3>{label}</h3><p class="number">{_unit(number)}</p>'
        f"<p>{escape(more)}</p></div>"
        for label, number, more in cards
    )


def _unit(number: str) -> str:
    """HTML of a number whose unit is set in small type."""
    value, space, unit = number.partition(" ")
    return f"{escape(value)}<small>{escape(unit)}</small>" if space else escape(value)


def _stage_table(rows: Iterable[StageRow], colours: Mapping[tuple[str, str], str]) -> str:
    heads = ("Stage", "Track", "Count", "Median ms", "p95 ms", "Max ms", "Share", "Granted ms",
             "Steps", "Overruns", "Fallbacks", "Unfinished")  # fmt: skip
    rows = list(rows)
    return _table(heads, [
        (row.name, row.track, _big(row.count), _number(row.ms.median), _number(row.ms.p95),
         _number(row.ms.largest), _share(row.share), _number(row.granted_ms),
         NOTHING if row.steps is None else f"{row.steps:g}",
         *map(_count, (row.overruns, row.fallbacks, row.unfinished)))
        for row in rows
    ], texts=2, colours=[colours[row.track, row.name] for row in rows])  # fmt: skip


def _loss_table(rows: Iterable[LossRow]) -> str:
    heads = ("Fate", "Stage", "Reason", "Frames", "Lateness: median ms", "Max ms")
    return _table(heads, [
        (row.fate, row.stage or NOTHING, row.reason or NOTHING, _big(row.count),
         _part(row.lateness_ms, "median"),
         _part(row.lateness_ms, "largest"))
        for row in rows
    ], texts=3)  # fmt: skip


def _quantile_table(summary: Summary) -> str:
    rows: list[tuple[str, Quantiles | None]] = [
        ("Latency", summary.latency_ms),
        ("Spent of the budget", summary.spent_ms),
    ]
    return _table(("", "Median ms", "p95 ms", "p99 ms", "Max ms"), [
        (name, *map(_number, (q.median, q.p95, q.p99, q.largest))) for name, q in rows if q
    ], texts=1)  # fmt: skip


def _table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    texts: int,
    colours: Sequence[str] = (),
) -> str:
    """HTML table: `texts` columns of text, then numbers; a patch of colour before each row."""
    if not rows:
        return ""
    kinds = ["text"] * texts + ["num"] * (len(heads) - texts)
    head = "".join(f'<th scope="col" class="{kind}">{name}</th>'
                   for kind, name in zip(kinds, heads, strict=True))  # fmt: skip
    patches = [f'<i style="background: {colour}"></i>' for colour in colours]
    lines = []
    for patch, row in zip(patches or [""] * len(rows), rows, strict=True):
        cells = [f'<td class="{kind}">{escape(cell)}</td>'
                 for kind, cell in zip(kinds, row, strict=True)]  # fmt: skip
        cells[0] = cells[0].replace(">", f">{patch}", 1)
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<div class="wide" tabindex="0"><table><thead><tr>{head}</tr></thead>\n<tbody>\n'
        + "\n".join(lines)
        + "\n</tbody></table></div>"
    )


def _thinned(drawn: dict[str, Any]) -> str:
    """Sentence about what the timeline leaves out."""
    shown, total = len(drawn["frames"]), drawn["totals"]["frames"]
    moments, all_moments = len(drawn["moments"]), drawn["totals"]["moments"]
    text = f"All {_big(total)} frames are shown."
    if shown < total:
        text = (
            f"{_big(shown)} of {_big(total)} frames are shown: blocks of neighbours, evenly spaced "
            "and where latency was worst; hatched stretches are left out. All numbers and the "
            "other charts come from all frames."
        )
    if moments < all_moments:
        text += f" {_big(moments)} of {_big(all_moments)} events are shown."
    return text


def _grouped(size: int) -> dict[str, str]:
    """Captions: what a bar and a point of the charts over the run are."""
    if size == 1:
        return {"bars": "A bar is a frame.", "points": "A point is a done frame."}
    return {
        "bars": f"A bar is the mean of {size} successive frames, the grey line their maximum.",
        "points": f"Median, and in grey the maximum, of {size} successive done frames.",
    }


def _number(value: float | None, unit: str = "") -> str:
    """Number with at least two significant digits, and its unit."""
    if value is None:
        return NOTHING
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 0.1 else 4
    text = f"{value:,.{digits}f}" if value else "0"
    return f"{text} {unit}".rstrip()


def _part(quantiles: Quantiles | None, name: str, unit: str = "") -> str:
    """One quantile as text."""
    return _number(getattr(quantiles, name) if quantiles else None, unit)


def _share(value: float | None) -> str:
    """Share as percent, not rounded up to 100 or down to 0."""
    if value is None:
        return NOTHING
    percent = 100 * value
    if 0 < percent < 0.1 or 99.9 < percent < 100:
        return f"{'<' if percent < 1 else '>'}{0.1 if percent < 1 else 99.9} %"
    return f"{percent:.1f} %" if 0 < percent < 100 else f"{percent:.0f} %"


def _big(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def _count(value: int) -> str:
    return _big(value) if value else NOTHING
