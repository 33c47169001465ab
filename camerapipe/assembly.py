"""How a shot is put together: what is asked, the sources of the graphs, which graph runs.

Stills, streams, editing sessions and batches all come here, so that a source, a parameter that
depends on the file, or a rule of the check is written once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, cast

import cv2
import numpy as np

from camerapipe.budget import Budget, BudgetError
from camerapipe.capture import Capture
from camerapipe.errors import RequestError
from camerapipe.graph import Graph
from camerapipe.ingest.saved_map import SavedMap, sigma_at
from camerapipe.memo import Memo
from camerapipe.optics import optics_of
from camerapipe.pipelines import (
    CHECK,
    FROM_FOCUSED_MAP,
    FROM_MAP,
    FROM_SAVED_MAP,
    PASS_THROUGH,
    SOURCES,
)
from camerapipe.presets import Preset, graphs
from camerapipe.runner import Kept
from camerapipe.settings import Layer, Settings
from stages.bokeh import RadiusParams, focus_sigma
from stages.findings import Finding, Severity
from stages.grid import Grid
from stages.params import Array
from stages.scribble import Scribble, coverage

MEGA = 1e6
FOCUS_POINT_BLURRED = "focus_point_blurred"  # code of a finding
SHARED = frozenset({"grid", "view", "edge_survey"})  # of the check, read by the estimate as well
SHARED_BYTES = 1 << 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked of a capture; everything but the settings has a default."""

    settings: Settings
    budget: Budget = Budget()
    focus_point: tuple[float, float] | None = None  # x, y in pixels of the upright picture
    distance_m: float | None = None  # of the subject, where the person knows it
    scribbles: tuple[Scribble, ...] = ()
    foreground: Array | None = None  # mask of what is nearer than the focus, HxW in [0, 1]
    blur_map: SavedMap | None = None  # in place of an estimate
    force: bool = False  # go on after a blocking finding
    keep: tuple[str, ...] = ()  # intermediate values wanted


def shape_of(capture: Capture) -> tuple[int, int]:
    """Rows and columns of a capture."""
    return capture.linear.shape[0], capture.linear.shape[1]


def megapixels_of(capture: Capture) -> float:
    """Size of a capture."""
    return math.prod(shape_of(capture)) / MEGA


def settings_for(capture: Capture, settings: Settings) -> Settings:
    """Settings with the layer that depends on the capture: dither only for 8 bits."""
    dithered = capture.kind == "raw" or (capture.kind == "display" and capture.bit_depth == 8)
    return settings.with_layer(
        Layer.CAPTURE, {"finish": {"dither": dithered}}, f"{capture.bit_depth}-bit {capture.kind}"
    )


def check_settings(settings: Settings) -> Settings:
    """Settings of the check, which is the same for every preset."""
    return settings.with_layer(Layer.PRESET, {})


def sources_of(capture: Capture, request: Request, **values: Any) -> dict[str, Any]:
    """Every source that a graph may read; `values` are added, such as the memory of a stream."""
    saved = request.blur_map
    return {
        "linear": capture.linear,
        "curve": capture.curve,
        "headroom": capture.kind == "raw",
        "optics": optics_of(capture, request.distance_m),
        "focus_point": request.focus_point,
        "foreground": request.foreground,
        "scribbles": request.scribbles,
        "previous": None,
        "blur": saved.blur if saved else None,
        "blur_low": saved.low if saved else None,
        "dead_zone": saved.focus.dead_zone_px if saved and saved.focus else None,
        **values,
    }


def shared_within_a_shot() -> Kept:
    """What the graphs of one shot compute once: view and survey of check and estimate."""
    return Kept(memo=Memo(SHARED_BYTES), versions=dict.fromkeys(SOURCES, 0), only=SHARED)


def scaled(request: Request, shape: tuple[int, int], to: tuple[int, int]) -> Request:
    """A request for a picture of one shape (rows, columns), for the same picture in another.

    The edges of both fall together, and pixel centres have integer coordinates. Parameters are not
    changed.
    """
    if shape == to:
        return request
    scales = to[1] / shape[1], to[0] / shape[0]
    focus, mask = request.focus_point, request.foreground
    if mask is not None:
        mask = np.asarray(cv2.resize(mask, to[::-1], interpolation=cv2.INTER_AREA))
    return replace(
        request,
        focus_point=None if focus is None else scaled_point(focus, scales, to),
        scribbles=tuple(stroke.scaled(scales) for stroke in request.scribbles),
        foreground=mask,
    )


def scaled_point(
    point: tuple[float, float], scales: tuple[float, float], to: tuple[int, int]
) -> tuple[float, float]:
    """A point (x, y) of a picture scaled to the shape `to`, within its pixels."""
    inside = zip(point, scales, to[::-1], strict=True)
    x, y = (min(max((at + 0.5) * k - 0.5, 0.0), math.nextafter(n, 0)) for at, k, n in inside)
    return x, y


def is_blocked(findings: Iterable[Finding], *, force: bool) -> bool:
    """Whether the picture is left untouched."""
    return not force and any(f.severity is Severity.BLOCKING for f in findings)


def picture_graph(request: Request, *, blocked: bool) -> Graph:
    """The graph from a checked capture to its picture."""
    if blocked:
        return PASS_THROUGH
    saved = request.blur_map
    if saved is None:
        return request.settings.preset.picture_graph
    if saved.focus is None or request.focus_point not in (None, saved.focus.point):
        return FROM_MAP
    return FROM_FOCUSED_MAP if saved.low is None else FROM_SAVED_MAP


def check_request(capture: Capture, request: Request) -> None:
    """Refuse what does not fit the capture.

    Raises
    ------
    RequestError
        Naming what was asked, what was expected and what came.
    """
    height, width = shape_of(capture)
    if request.focus_point is not None:
        x, y = request.focus_point
        if not (0 <= x < width and 0 <= y < height):
            raise RequestError(
                f"focus: expected a point within {width}x{height} pixels; got {x:g},{y:g}"
            )
    if request.foreground is not None and request.foreground.shape != (height, width):
        raise RequestError(
            f"foreground: expected a mask of shape {(height, width)}; "
            f"got {request.foreground.shape}"
        )
    for number, scribble in enumerate(request.scribbles, 1):
        if not coverage(scribble, Grid((height, width))).any():
            raise RequestError(
                f"scribbles: stroke {number} lies outside of the picture of {width}x{height} pixels"
            )
    known = {name for graph in graphs().values() for name in graph.values()}
    for name in request.keep:
        if name not in known:
            raise RequestError(f"keep: no graph has a value {name!r}; see `camerapipe graph`")


def focus_finding(request: Request, saved: SavedMap | None) -> tuple[Finding, ...]:
    """A warning if the point that a person named as in focus is itself blurred.

    It is if its sigma exceeds what would be left alone around the sharpest part of the map.
    """
    point = request.focus_point
    if point is None or saved is None:
        return ()
    params = cast(RadiusParams, request.settings.params[RadiusParams])
    step = saved.focus.step if saved.focus else 1
    there, sharpest = sigma_at(saved.blur, point), focus_sigma(saved.blur, params)
    limit = max(params.focus_margin * sharpest, params.focus_floor_px * step)
    if there <= limit:
        return ()
    message = (
        f"The focus point {point[0]:g},{point[1]:g} is itself blurred (sigma {there:.1f} px, and "
        f"{sharpest:.1f} px where the picture is sharp): everything as blurred as it is left alone."
    )
    return (Finding(FOCUS_POINT_BLURRED, Severity.WARNING, message, there, limit),)


def check_budget(budget: Budget, preset: Preset) -> None:
    """Refuse a budget of a stage that the preset does not have."""
    used = (CHECK, PASS_THROUGH, FROM_MAP, preset.picture_graph)
    known = {node.name for graph in used for node in graph.nodes}
    for name in budget.stages_ms:
        if name not in known:
            raise BudgetError(
                f"budget: preset {preset.name!r} has no stage {name!r}; "
                f"there are: {', '.join(sorted(known))}"
            )
