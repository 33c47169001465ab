"""The camera: a capture in, a shot out. What the API, the command line and the web all call."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from camerapipe.budget import Budget, BudgetError, Deadline, Stopwatch
from camerapipe.capture import Capture, RequestError, Shot
from camerapipe.graph import Graph
from camerapipe.ingest import DEFAULT_MAX_PIXELS, capture_from_array, open_capture
from camerapipe.optics import optics_of
from camerapipe.pipelines import CHECK, FROM_MAP, GRAPHS, PASS_THROUGH
from camerapipe.report import Report, StageReport
from camerapipe.runner import Costs, Run, run
from camerapipe.runtime import peak_mb, versions, warm_up
from camerapipe.settings import Settings, resolve
from stages.findings import Finding, Severity
from stages.finish import FinishParams
from stages.grid import BlurMap, Grid, lift
from stages.params import Array, Params
from stages.scribble import Scribble

MEGA = 1e6
COSTS = Costs()  # what stages took in this process, shared by all shots

Source = str | os.PathLike[str] | npt.NDArray[Any] | Capture


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a shot is taken; everything has a default."""

    settings: Settings
    budget: Budget = Budget()
    focus_point: tuple[float, float] | None = None  # x, y in pixels of the upright picture
    distance_m: float | None = None  # of the subject, where the person knows it
    scribbles: tuple[Scribble, ...] = ()
    foreground: Array | None = None  # mask of what is nearer than the focus, HxW in [0, 1]
    force: bool = False
    keep: tuple[str, ...] = ()


def check_capture(capture: Capture, options: Options) -> tuple[Finding, ...]:
    """Check a developed capture; what ingest had to say of it comes last."""
    return (*_check(capture, options, Deadline()).values["findings"], *capture.findings)


def develop(
    source: Source,
    *,
    encoding: Literal["srgb", "linear"] = "srgb",
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> tuple[Capture, tuple[StageReport, ...]]:
    """Open a file or take an array; tell how long it took."""
    if isinstance(source, Capture):
        return source, ()
    with Stopwatch() as watch:
        if isinstance(source, np.ndarray):
            capture = capture_from_array(source, encoding)
        else:
            capture = open_capture(Path(source), max_pixels=max_pixels)
    return capture, (StageReport(name="develop", used_ms=watch.ms),)


def given_map(values: BlurMap | npt.NDArray[np.floating], capture: Capture) -> BlurMap:
    """Turn a map from outside into a dense blur map of the size of the capture."""
    full = Grid(_shape(capture))
    if not isinstance(values, BlurMap):
        sigma = np.asarray(values, np.float32)
        values = BlurMap(sigma, np.ones_like(sigma), Grid(sigma.shape[:2]))
    wanted = Grid.cells(full.shape, values.grid.step).shape
    if not values.sigma.shape == values.confidence.shape == wanted:
        raise RequestError(f"from_map: expected shape {wanted}; got {values.sigma.shape}")
    if not np.all(np.isfinite(values.sigma)) or values.sigma.min() < 0:
        raise RequestError("from_map: sigma must be finite and not negative")
    if not values.is_dense:
        raise RequestError("from_map: expected a dense map; this one has places without data")
    return lift(values, full)


def shoot(
    capture: Capture,
    options: Options,
    *,
    blur: BlurMap | None = None,
    before: tuple[StageReport, ...] = (),
) -> Shot:
    """Check a capture, choose its graph, run it within the budget."""
    _check_request(capture, options)
    deadline = _start(options)
    started_s = deadline.clock()
    checked = _check(capture, options, deadline)
    findings = (*checked.values["findings"], *capture.findings)
    blocked = any(f.severity is Severity.BLOCKING for f in findings)
    if blocked and not options.force:
        graph = PASS_THROUGH
    else:
        graph = FROM_MAP if blur is not None else options.settings.preset.picture_graph
    sources = {
        "linear": capture.linear,
        "curve": capture.curve,
        "focus_point": options.focus_point,
        "foreground": options.foreground,
        "headroom": capture.kind == "raw",
        "scribbles": options.scribbles,
        "previous": None,
        "blur": blur,
    }
    done = _run(graph, sources, capture, options, deadline)
    spent_ms = (deadline.clock() - started_s) * 1000
    values = checked.values | done.values
    return Shot(
        image=values["picture"],
        blur_map=values.get("blur"),
        findings=findings,
        report=_report(capture, options, graph, before, (checked, done), findings, spent_ms),
        capture=capture,
        kept={name: values[name] for name in options.keep if name in values},
    )


def estimate_map(
    capture: Capture, options: Options, *, before: tuple[StageReport, ...] = ()
) -> tuple[BlurMap, Report]:
    """Check a capture and estimate its dense blur map, without rendering."""
    deadline = _start(options)
    started_s = deadline.clock()
    checked = _check(capture, options, deadline)
    findings = (*checked.values["findings"], *capture.findings)
    graph = options.settings.preset.map_graph
    sources = {"linear": capture.linear, "scribbles": options.scribbles, "previous": None}
    done = _run(graph, sources, capture, options, deadline)
    spent_ms = (deadline.clock() - started_s) * 1000
    report = _report(capture, options, graph, before, (checked, done), findings, spent_ms)
    return done.values["blur"], report


def check_budget(options: Options) -> None:
    """Refuse a budget of a stage that the preset does not have."""
    preset = options.settings.preset
    graphs = (CHECK, PASS_THROUGH, FROM_MAP, preset.picture_graph)
    known = {node.name for graph in graphs for node in graph.nodes}
    for name in options.budget.stages_ms:
        if name not in known:
            raise BudgetError(
                f"budget: preset {preset.name!r} has no stage {name!r}; "
                f"there are: {', '.join(sorted(known))}"
            )


def with_stage(report: Report, stage: StageReport) -> Report:
    """Add a stage that ran after the graph, such as writing."""
    return replace(report, stages=(*report.stages, stage), peak_mb=peak_mb())


def _check_request(capture: Capture, options: Options) -> None:
    height, width = _shape(capture)
    if options.focus_point is not None:
        x, y = options.focus_point
        if not (0 <= x < width and 0 <= y < height):
            raise RequestError(
                f"focus: expected a point within {width}x{height} pixels; got {x:g},{y:g}"
            )
    if options.foreground is not None and options.foreground.shape != (height, width):
        raise RequestError(
            f"foreground: expected a mask of shape {(height, width)}; "
            f"got {options.foreground.shape}"
        )
    known = {name for graph in GRAPHS.values() for name in graph.values()}
    for name in options.keep:
        if name not in known:
            raise RequestError(f"keep: no graph has a value {name!r}; see `camerapipe graph`")


def _shape(capture: Capture) -> tuple[int, int]:
    return capture.linear.shape[0], capture.linear.shape[1]


def _report(
    capture: Capture,
    options: Options,
    graph: Graph,
    before: tuple[StageReport, ...],
    runs: tuple[Run, ...],
    findings: tuple[Finding, ...],
    spent_ms: float,
) -> Report:
    rows = tuple(row for done in runs for row in done.stages)
    budget = options.budget
    over = budget.total_ms is not None and spent_ms > budget.total_ms
    return Report(
        capture=capture.name,
        graph=graph.name,
        stages=(*before, *rows),
        budget_ms=budget.total_ms,
        spent_ms=spent_ms,
        late=over or any(r.used_ms > budget.stages_ms.get(r.name, math.inf) for r in rows),
        findings=findings,
        metadata=capture.meta.to_dict() | {"exposure_gain": capture.exposure_gain},
        versions=versions(),
        peak_mb=peak_mb(),
    )


def _start(options: Options) -> Deadline:
    """Start the clock of a frame; kernels and tables are made before it starts."""
    check_budget(options)
    if options.budget.total_ms is not None or options.budget.stages_ms:
        warm_up()
        _rehearse(options.settings.preset.name)
    return Deadline.after(options.budget.total_ms)


@lru_cache
def _rehearse(preset: str) -> None:
    """Take one tiny picture, so that every table that a stage keeps is filled."""
    grey = np.full((64, 64, 3), 0.5, np.float32)
    values = {"propagate": {"iterations": 1}}
    capture = capture_from_array(grey, "srgb")
    options = Options(settings=resolve(preset, values=values), force=True)
    graph = options.settings.preset.picture_graph
    absent: dict[str, Any] = dict.fromkeys({*CHECK.sources, *graph.sources})
    sources = absent | {"linear": capture.linear, "curve": capture.curve, "scribbles": ()}
    for each in (CHECK, graph):
        run(each, sources, options.settings.params, megapixels=grey.size / MEGA, costs=Costs())


def _check(capture: Capture, options: Options, deadline: Deadline) -> Run:
    sources = {"linear": capture.linear, "optics": optics_of(capture, options.distance_m)}
    return _run(CHECK, sources, capture, options, deadline)


def _params(capture: Capture, options: Options) -> Mapping[type[Params], Params]:
    """Parameters of the stages; dither only for what may be written with 8 bits."""
    params = options.settings.params
    if capture.kind == "raw" or (capture.kind == "display" and capture.bit_depth == 8):
        return params
    return {**params, FinishParams: params[FinishParams].replace(dither=False)}


def _run(
    graph: Graph,
    sources: Mapping[str, Any],
    capture: Capture,
    options: Options,
    deadline: Deadline,
) -> Run:
    return run(
        graph,
        sources,
        _params(capture, options),
        megapixels=math.prod(_shape(capture)) / MEGA,
        costs=COSTS,
        budget=options.budget,
        deadline=deadline,
        keep=options.keep,
    )
