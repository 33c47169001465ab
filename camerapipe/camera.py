"""The camera: a capture in, a shot out. What the command line, the web and scripts all call."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from camerapipe.budget import Budget, BudgetError, Deadline
from camerapipe.capture import Capture, Shot
from camerapipe.graph import Graph
from camerapipe.ingest import DEFAULT_MAX_PIXELS, capture_from_array, open_capture
from camerapipe.optics import optics_of
from camerapipe.pipelines import CHECK, FROM_MAP, GRAPHS, PASS_THROUGH, STAGE_NAMES
from camerapipe.report import Report, StageReport
from camerapipe.runner import Costs, Run, run
from camerapipe.runtime import ensure_kernel_cache, peak_mb, versions, warm_up
from camerapipe.settings import Settings, resolve
from stages.findings import Finding, Severity
from stages.grid import BlurMap, Grid, lift

MEGA = 1e6
COSTS = Costs()  # what stages took in this process, shared by all shots

ensure_kernel_cache()

Source = str | os.PathLike[str] | npt.NDArray[Any] | Capture


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a shot is taken; everything has a default."""

    settings: Settings
    budget: Budget = Budget()
    focus_point: tuple[float, float] | None = None  # x, y in pixels of the upright picture
    distance_m: float | None = None  # of the subject, where the person knows it
    force: bool = False
    keep: tuple[str, ...] = ()


def render(
    source: Source,
    *,
    strength: float | None = None,
    budget: str | Sequence[str] | Budget | None = None,
    preset: str | None = None,
    config: Path | None = None,
    params: Mapping[str, Mapping[str, Any]] | None = None,
    focus: tuple[float, float] | None = None,
    from_map: BlurMap | npt.NDArray[np.floating] | None = None,
    distance_m: float | None = None,
    force: bool = False,
    encoding: Literal["srgb", "linear"] = "srgb",
    keep: Iterable[str] = (),
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Shot:
    """Turn one capture into a shallow depth-of-field picture.

    Parameters
    ----------
    source : path, array or Capture
        A file, or an array of sRGB (`encoding="srgb"`) or linear (`"linear"`) values.
    strength : float, optional
        Magnification of the defocus, 1 (none) to 8; short for `params={"radius": {"strength": m}}`.
    budget : str, sequence of str or Budget, optional
        `"2s"`, or `["2s", "propagate=300ms"]`: from developed pixels to the finished picture.
    preset : str, optional
        `default`, `paper` or `direct`.
    config : Path, optional
        A TOML settings file.
    params : mapping, optional
        Parameters by stage: `{"blur": {"edge_scale_px": 2.0}}`.
    focus : (x, y), optional
        A point that is to count as in focus, in pixels of the upright picture.
    from_map : BlurMap or array, optional
        Render with this map (sigma in full-resolution pixels) instead of an estimate.
    distance_m : float, optional
        Distance of the subject, for the check of the optics.
    force : bool
        Go on after a blocking finding.
    encoding : str
        Of an array: `srgb` or `linear`.
    keep : iterable of str
        Names of intermediate values to keep in `Shot.kept` (see `camerapipe graph`).
    max_pixels : int
        Refuse a larger file before decoding it.

    Returns
    -------
    Shot
        Picture, blur map, findings, report. After a blocking finding the picture is untouched and
        the blur map None.

    Raises
    ------
    CaptureError
        The file cannot be read.
    ValueError
        A parameter is wrong; the message names it.
    """
    radius = {"radius": {"strength": strength}} if strength is not None else {}
    values = {section: dict(changes) for section, changes in (params or {}).items()}
    for section, changes in radius.items():
        values.setdefault(section, {}).update(changes)
    options = Options(
        settings=resolve(preset, config, values=values),
        budget=_budget(budget),
        focus_point=focus,
        distance_m=distance_m,
        force=force,
        keep=tuple(keep),
    )
    capture, opening = develop(source, encoding=encoding, max_pixels=max_pixels)
    blur = None if from_map is None else given_map(from_map, capture)
    return shoot(capture, options, blur=blur, before=opening)


def check(
    source: Source,
    *,
    distance_m: float | None = None,
    params: Mapping[str, Mapping[str, Any]] | None = None,
    encoding: Literal["srgb", "linear"] = "srgb",
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> tuple[Finding, ...]:
    """Say in findings whether a capture has defocus to magnify; the first is the verdict."""
    capture, _ = develop(source, encoding=encoding, max_pixels=max_pixels)
    return check_capture(capture, Options(settings=resolve(values=params), distance_m=distance_m))


def check_capture(capture: Capture, options: Options) -> tuple[Finding, ...]:
    """Check a developed capture; what ingest had to say of it comes last."""
    return (*_check(capture, options, Deadline()).values["findings"], *capture.findings)


def estimate_map(capture: Capture, options: Options) -> tuple[BlurMap, Run]:
    """Estimate the dense blur map of a capture, without rendering."""
    graph = options.settings.preset.map_graph
    done = _run(
        graph, {"linear": capture.linear, "previous": None}, capture, options, _start(options)
    )
    return done.values["blur"], done


def develop(
    source: Source,
    *,
    encoding: Literal["srgb", "linear"] = "srgb",
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> tuple[Capture, tuple[StageReport, ...]]:
    """Open a file or take an array; tell how long it took."""
    if isinstance(source, Capture):
        return source, ()
    started = time.perf_counter()
    if isinstance(source, np.ndarray):
        capture = capture_from_array(source, encoding)
    else:
        capture = open_capture(Path(source), max_pixels=max_pixels)
    used_ms = (time.perf_counter() - started) * 1000
    return capture, (StageReport(name="develop", used_ms=used_ms),)


def given_map(values: BlurMap | npt.NDArray[np.floating], capture: Capture) -> BlurMap:
    """Turn a map from outside into a dense blur map of the size of the capture."""
    full = Grid(capture.linear.shape[:2])
    if not isinstance(values, BlurMap):
        sigma = np.asarray(values, np.float32)
        if sigma.shape != full.shape:
            raise ValueError(f"from_map: expected shape {full.shape}; got {sigma.shape}")
        if not np.all(np.isfinite(sigma)) or sigma.min() < 0:
            raise ValueError("from_map: sigma must be finite and not negative")
        values = BlurMap(sigma, np.ones_like(sigma), full)
    return lift(values, full)


def shoot(
    capture: Capture,
    options: Options,
    *,
    blur: BlurMap | None = None,
    before: tuple[StageReport, ...] = (),
) -> Shot:
    """Check a capture, choose its graph, run it within the budget."""
    height, width = capture.linear.shape[:2]
    _check_point(options.focus_point, width, height)
    _check_keep(options.keep)
    deadline = _start(options)
    started = deadline.clock()
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
        "previous": None,
        "blur": blur,
    }
    done = _run(graph, sources, capture, options, deadline)
    spent_ms = (deadline.clock() - started) * 1000
    rows = (*checked.stages, *done.stages)
    report = Report(
        capture=capture.name,
        graph=graph.name,
        stages=(*before, *rows),
        budget_ms=options.budget.total_ms,
        spent_ms=spent_ms,
        late=_late(options.budget, spent_ms, rows),
        findings=findings,
        metadata=capture.meta.to_dict() | {"exposure_gain": capture.exposure_gain},
        versions=versions(),
        peak_mb=peak_mb(),
    )
    return Shot(
        image=done.values["picture"],
        blur_map=done.values.get("blur"),
        findings=findings,
        report=report,
        capture=capture,
        kept={name: done.values[name] for name in options.keep if name in done.values},
    )


def with_stage(report: Report, stage: StageReport) -> Report:
    """Add a stage that ran after the graph, such as writing."""
    return replace(report, stages=(*report.stages, stage), peak_mb=peak_mb())


def _check_point(point: tuple[float, float] | None, width: int, height: int) -> None:
    if point is not None and not (0 <= point[0] < width and 0 <= point[1] < height):
        x, y = point
        raise ValueError(f"focus: expected a point within {width}x{height} pixels; got {x:g},{y:g}")


def _check_keep(names: Iterable[str]) -> None:
    known = {name for graph in GRAPHS.values() for name in graph.values()}
    for name in names:
        if name not in known:
            raise ValueError(f"keep: no graph has a value {name!r}; see `camerapipe graph`")


def _late(budget: Budget, spent_ms: float, rows: Iterable[StageReport]) -> bool:
    over = budget.total_ms is not None and spent_ms > budget.total_ms
    return over or any(row.used_ms > budget.stages_ms.get(row.name, math.inf) for row in rows)


def _budget(given: str | Sequence[str] | Budget | None) -> Budget:
    if given is None:
        return Budget()
    if isinstance(given, Budget):
        return given
    return Budget.parse([given] if isinstance(given, str) else given)


def _start(options: Options) -> Deadline:
    """Start the clock of a frame; kernels are compiled before it starts."""
    unknown = set(options.budget.stages_ms) - STAGE_NAMES
    if unknown:
        raise BudgetError(
            f"budget: stage {sorted(unknown)[0]!r} does not exist; "
            f"there are: {', '.join(sorted(STAGE_NAMES))}"
        )
    if options.budget.total_ms is not None or options.budget.stages_ms:
        warm_up()
    return Deadline.after(options.budget.total_ms)


def _check(capture: Capture, options: Options, deadline: Deadline) -> Run:
    sources = {"linear": capture.linear, "optics": optics_of(capture, options.distance_m)}
    return _run(CHECK, sources, capture, options, deadline)


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
        options.settings.params,
        megapixels=capture.linear.shape[0] * capture.linear.shape[1] / MEGA,
        costs=COSTS,
        budget=options.budget,
        deadline=deadline,
        keep=options.keep,
    )
