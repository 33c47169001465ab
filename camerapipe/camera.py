"""The camera: from a capture to a shot. The API and the command line call this module."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from camerapipe.assembly import (
    MEGA,
    Request,
    check_budget,
    check_request,
    check_settings,
    focus_finding,
    is_blocked,
    judged,
    kept_values,
    map_graph,
    megapixels_of,
    picture_graph,
    protected_findings,
    settings_for,
    shape_of,
    shared_within_a_shot,
    sources_of,
)
from camerapipe.budget import Deadline, Stopwatch
from camerapipe.capture import Capture
from camerapipe.costs import Costs, still_guesses
from camerapipe.errors import RequestError
from camerapipe.graph import Graph
from camerapipe.ingest import (
    DEFAULT_MAX_PIXELS,
    capture_from_array,
    open_capture,
    read_saved_map,
)
from camerapipe.ingest.saved_map import Focus, SavedMap, is_alike, likeness_of
from camerapipe.pipelines import CHECK
from camerapipe.report import Report, StageReport
from camerapipe.runner import Kept, Pace, Run, run
from camerapipe.runtime import peak_mb, versions, warm_up
from camerapipe.settings import resolve
from camerapipe.shot import Shot
from camerapipe.spreading import solve
from stages.findings import Finding
from stages.grid import BlurMap, Grid, lift
from stages.tone import encode
from stages.view import ViewParams, working_grid

GIVEN_WEIGHT = 20.0  # of data against smoothness: a given map is not an estimate
OTHER_PICTURE = "The map was made for a picture that looks different; is it of this one?"
COSTS = Costs()  # expected time of stages, learnt from all shots of this process

MapLike = SavedMap | BlurMap | npt.NDArray[np.floating] | str | os.PathLike[str]
Input = str | os.PathLike[str] | npt.NDArray[Any] | Capture


def open_input(
    source: Input,
    *,
    encoding: Literal["srgb", "linear"] = "srgb",
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> tuple[Capture, tuple[StageReport, ...]]:
    """Open a file or an array.

    Parameters
    ----------
    source : path, array or Capture
        A capture is returned as it is.
    encoding : {"srgb", "linear"}
        Encoding of an array.
    max_pixels : int
        Largest size of a file.

    Returns
    -------
    Capture, tuple of StageReport
        The capture, and a report of the time that opening took.

    Raises
    ------
    RequestError
        If the source is something else.
    CaptureError
        If the file cannot be read.
    """
    if isinstance(source, Capture):
        return source, ()
    with Stopwatch() as watch:
        if isinstance(source, np.ndarray):
            capture = capture_from_array(source, encoding)
        elif isinstance(source, str | os.PathLike):
            capture = open_capture(Path(source), max_pixels=max_pixels)
        else:
            raise RequestError(
                "source: expected the path of a file, a NumPy array HxW or HxWx3, or a Capture; "
                f"got {type(source).__name__}"
            )
    return capture, (StageReport(name="develop", used_ms=watch.ms),)


def given_map(values: MapLike, capture: Capture) -> SavedMap:
    """Resample a given blur map to the size of the capture.

    Parameters
    ----------
    values : path, SavedMap, BlurMap or array
        A map, its file, or an array of sigma, HxW, in full-resolution px; NaN: no data. A sparse
        map is spread over the picture (`spreading.solve`).
    capture : Capture
        The capture that it belongs to.

    Returns
    -------
    SavedMap
        Dense map at full resolution.

    Raises
    ------
    RequestError
        If the map has another shape, no data, or negative or non-finite values.
    CaptureError
        If a file cannot be read, or is no map for this picture.
    """
    if isinstance(values, str | os.PathLike):
        values = read_saved_map(values, shape_of(capture))
    saved = values if isinstance(values, SavedMap) else None
    blur = saved.blur if saved else values
    if not isinstance(blur, BlurMap):
        sigma = np.asarray(blur)
        if sigma.ndim != 2 or sigma.dtype.kind not in "iuf":
            raise RequestError(
                "from_map: expected the path of a map, a BlurMap, or an array HxW of sigma in px; "
                f"got {type(values).__name__} of shape {sigma.shape}"
            )
        sigma = sigma.astype(np.float32)
        unknown = np.isnan(sigma)
        confidence = (~unknown).astype(np.float32)
        blur = BlurMap(np.where(unknown, 0, sigma), confidence, Grid(sigma.shape[:2]))
    full = Grid(shape_of(capture))
    wanted = Grid.cells(full.shape, blur.grid.step).shape
    if not blur.sigma.shape == blur.confidence.shape == wanted:
        raise RequestError(f"from_map: expected shape {wanted}; got {blur.sigma.shape}")
    if not np.all(np.isfinite(blur.sigma)) or blur.sigma.min() < 0:
        raise RequestError("from_map: sigma must be finite and not negative")
    lifted = lift(blur, full)
    if not lifted.is_dense:
        lifted = _spread(lifted, capture)
    if saved is None:
        return SavedMap(blur=lifted)
    notes = saved.assumptions
    if saved.likeness is not None and not is_alike(saved.likeness, likeness_of(capture.linear)):
        notes = (*notes, OTHER_PICTURE)
    return replace(saved, blur=lifted, assumptions=notes)


def _spread(sparse: BlurMap, capture: Capture) -> BlurMap:
    """Dense map of a sparse one at full resolution, solved on the grid of a still."""
    if not sparse.confidence.any():
        raise RequestError("from_map: the map has no data; its confidence is 0 everywhere")
    step = max(working_grid(capture.linear, ViewParams()).step, ViewParams().solve_step)
    dense = solve(
        encode(capture.linear), sparse.sigma, sparse.confidence,
        data_weight=GIVEN_WEIGHT, step=step,
    )  # fmt: skip
    return BlurMap(np.maximum(dense, 0), np.ones_like(dense), sparse.grid)


def check_capture(capture: Capture, request: Request) -> tuple[Finding, ...]:
    """Findings of the check of a capture, followed by those of opening it."""
    return (*_check(capture, request, Deadline()).values["findings"], *capture.findings)


def shoot(
    capture: Capture,
    request: Request,
    *,
    before: tuple[StageReport, ...] = (),
) -> Shot:
    """Check request and capture, choose the graph, and run it within the budget.

    Parameters
    ----------
    capture : Capture
        The capture.
    request : Request
        What is asked for.
    before : tuple of StageReport
        Reports of stages that ran before, such as opening the file.

    Returns
    -------
    Shot
        The picture, its map, and the report.

    Raises
    ------
    RequestError
        If the request does not fit the capture.
    """
    check_request(capture, request)
    return shoot_checked(capture, request, shared_within_a_shot(), before=before)


def shoot_checked(
    capture: Capture, request: Request, kept: Kept, *, before: tuple[StageReport, ...] = ()
) -> Shot:
    """Shot as of `shoot` for a request that was checked, with a memo of earlier shots.

    What fits a capture also fits its proxy, even if a mask or stroke is too small to be seen there.
    """
    deadline = _start(request)
    started_s = deadline.clock()
    checked = _check(capture, request, deadline, kept)
    findings = (*judged(checked.values["findings"], request), *capture.findings)
    graph = picture_graph(capture, request, blocked=is_blocked(findings, force=request.force))
    done = _run(graph, capture, request, deadline, kept)
    spent_ms = (deadline.clock() - started_s) * 1000
    values = checked.values | done.values
    saved = _saved(values, capture, request)
    findings = (*findings, *focus_finding(request, saved), *protected_findings(request, values))
    return Shot(
        image=values["picture"],
        hdr=values.get("hdr_picture"),
        saved_map=saved,
        findings=findings,
        report=_report(capture, request, graph, before, (checked, done), findings, spent_ms),
        capture=capture,
        kept={name: values[name] for name in request.keep if name in values},
    )


def estimate_map(
    capture: Capture, request: Request, *, before: tuple[StageReport, ...] = ()
) -> tuple[SavedMap, Report]:
    """Check a capture and estimate its dense blur map, without rendering."""
    check_request(capture, request)
    kept = shared_within_a_shot()
    deadline = _start(request)
    started_s = deadline.clock()
    checked = _check(capture, request, deadline, kept)
    findings = (*checked.values["findings"], *capture.findings)
    graph = map_graph(request)
    done = _run(graph, capture, request, deadline, kept)
    spent_ms = (deadline.clock() - started_s) * 1000
    saved = _saved(done.values, capture, request)
    assert saved is not None  # every map graph makes one
    after = (*focus_finding(request, saved), *protected_findings(request, done.values))
    findings = (*findings, *after)
    report = _report(capture, request, graph, before, (checked, done), findings, spent_ms)
    return saved, report


def with_stage(report: Report, stage: StageReport) -> Report:
    """Report with a stage added that ran after the graph, such as writing."""
    return replace(report, stages=(*report.stages, stage), peak_mb=peak_mb())


def _saved(values: dict[str, Any], capture: Capture, request: Request) -> SavedMap | None:
    """Map of a run, with the data needed to render from it again; None without a map."""
    if "blur" not in values:
        return None
    params = cast(ViewParams, request.settings.params[ViewParams])
    step = working_grid(capture.linear, params).step
    point = None if request.from_depth else request.focus_point  # its depth is in focus, not blur
    focus = Focus.of(values["dead_zone"], point, step)
    given = request.from_depth or request.guide_depth
    depth = given.depth if given else None
    return SavedMap(blur=values["blur"], low=values.get("blur_low"), focus=focus, depth=depth)


def _report(
    capture: Capture,
    request: Request,
    graph: Graph,
    before: tuple[StageReport, ...],
    runs: tuple[Run, ...],
    findings: tuple[Finding, ...],
    spent_ms: float,
) -> Report:
    """Report of the runs of check and graph."""
    rows = tuple(row for done in runs for row in done.stages)
    budget = request.budget
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


def _start(request: Request) -> Deadline:
    """Deadline of a frame; with a budget, kernels and tables are prepared before it starts."""
    check_budget(request.budget, request.settings.preset)
    if request.budget.total_ms is not None or request.budget.stages_ms:
        warm_up()
        _rehearse(request.settings.preset.name)
    return Deadline.after(request.budget.total_ms)


@lru_cache
def _rehearse(preset: str) -> None:
    """Process one tiny picture, so that the tables that stages cache are filled."""
    grey = np.full((64, 64, 3), 0.5, np.float32)
    capture = capture_from_array(grey, "srgb")
    request = Request(settings=resolve(preset, values={"propagate": {"iterations": 1}}))
    pace = Pace(megapixels=grey.size / MEGA, costs=Costs())
    for graph in (CHECK, request.settings.preset.picture_graph):
        run(graph, sources_of(capture, request), request.settings.params, pace)


def _check(capture: Capture, request: Request, deadline: Deadline, kept: Kept | None = None) -> Run:
    """Run of the graph `check`."""
    checking = replace(request, settings=check_settings(request.settings))
    return _run(CHECK, capture, checking, deadline, kept)


def _run(
    graph: Graph,
    capture: Capture,
    request: Request,
    deadline: Deadline,
    kept: Kept | None = None,
) -> Run:
    """Run of a graph on a capture."""
    pace = Pace(
        megapixels=megapixels_of(capture),
        costs=COSTS,
        guesses=still_guesses(graph.name),
        budget=request.budget,
        deadline=deadline,
    )
    params = settings_for(capture, request.settings).params
    sources = sources_of(capture, request, previous=kept.previous if kept else None)
    return run(graph, sources, params, pace, keep=kept_values(request), kept=kept)
