"""Requests, the sources of the graphs, and the choice of the graph.

Stills, streams, editing sessions and batches all use this module, so that each source, each
parameter that depends on the file, and each rule of the check is written once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from camerapipe.arguments import flag_of, names_of, number_of, point_of
from camerapipe.budget import Budget, BudgetError
from camerapipe.capture import Capture
from camerapipe.depth import DepthLike, given_depth, wished_lens
from camerapipe.depth_graphs import FROM_DEPTH, FROM_EXACT_DEPTH, WITH_DEPTH, WITH_DEPTH_MAP
from camerapipe.errors import RequestError, hint
from camerapipe.graph import Graph
from camerapipe.hdr_graph import with_hdr
from camerapipe.ingest.depth_values import GivenDepth
from camerapipe.ingest.saved_map import SavedMap, sigma_at
from camerapipe.masks import unit_mask
from camerapipe.memo import Memo
from camerapipe.optics import optics_of
from camerapipe.pipelines import (
    CHECK,
    PASS_THROUGH,
    SOURCES,
)
from camerapipe.presets import Preset, graphs
from camerapipe.protecting import check_protection, protection_findings
from camerapipe.recipe_keys import given_scribbles
from camerapipe.runner import Kept
from camerapipe.settings import Layer, Settings
from stages.bokeh import DeadZoneParams, focus_sigma
from stages.depth import DepthParams
from stages.findings import Finding, Severity
from stages.params import Array
from stages.protection import Protection, ProtectionParams
from stages.scribble import FOREGROUND, Scribble, foreground_of, touches

MEGA = 1e6
PROTECTED = "protected"  # value of the graphs that findings are made of
FOCUS_POINT_BLURRED = "focus_point_blurred"  # code of a finding
# Sources that follow from the capture alone; the others follow from the request.
OF_CAPTURE = frozenset({"linear", "gain_map", "curve", "headroom"})
# Values that check and estimate both read.
SHARED = frozenset({"grid", "view", "edge_survey", "round_disks"})
SHARED_BYTES = 1 << 28  # limit of the memory for them


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to do with a capture; all fields but the settings have a default.

    Points and masks may be sequences and arrays of other types: they are converted.

    Raises
    ------
    RequestError
        If a value is not of the kind that its field has. `check_request` checks it for a capture.
    """

    settings: Settings
    budget: Budget = Budget()
    focus_point: tuple[float, float] | None = None  # x, y in pixels of the upright picture
    distance_m: float | None = None  # focus distance, if it is known
    scribbles: tuple[Scribble, ...] = ()
    foreground: Array | None = None  # mask of objects in front of the focus, HxW in [0, 1]
    protection: Protection = Protection()  # what is to stay sharp
    blur_map: SavedMap | None = None  # used instead of an estimate
    from_depth: GivenDepth | None = None  # from which the blur of a wished lens follows
    guide_depth: GivenDepth | None = None  # order and sign for the measured blur
    force: bool = False  # continue after a blocking finding
    hdr: bool = True  # also render the HDR light of a capture with a gain map
    keep: tuple[str, ...] = ()  # names of intermediate values to return

    def __post_init__(self) -> None:
        kinds: dict[str, Any] = {
            "settings": Settings, "protection": Protection, "blur_map": SavedMap | None,
            "from_depth": GivenDepth | None, "guide_depth": GivenDepth | None,
        }  # fmt: skip
        for name, kind in kinds.items():
            if not isinstance(value := getattr(self, name), kind):
                wanted = getattr(kind, "__name__", kind)
                raise RequestError(f"{name}: expected a {wanted}; got {type(value).__name__}")
        given, focus = self.protection, self.focus_point
        plain: dict[str, Any] = {
            "budget": Budget.of(self.budget),
            "focus_point": None if focus is None else point_of("focus", focus),
            "scribbles": given_scribbles(self.scribbles),
            "foreground": unit_mask("foreground", self.foreground),
            "protection": given._replace(
                mask=unit_mask("protect", given.mask), model=unit_mask("protect", given.model)
            ),
            "force": flag_of("force", self.force),
            "hdr": flag_of("hdr", self.hdr),
            "keep": names_of("keep", self.keep),
        }
        if self.distance_m is not None:
            plain["distance_m"] = number_of("distance", self.distance_m, unit=" of metres")
        for name, value in plain.items():
            object.__setattr__(self, name, value)


def shape_of(capture: Capture) -> tuple[int, int]:
    """Rows and columns of a capture, px."""
    return capture.linear.shape[0], capture.linear.shape[1]


def megapixels_of(capture: Capture) -> float:
    """Size of a capture, megapixels."""
    return math.prod(shape_of(capture)) / MEGA


def settings_for(capture: Capture, settings: Settings) -> Settings:
    """Settings with the layer that depends on the capture: dither for RAW and 8-bit files only."""
    dithered = capture.kind == "raw" or (capture.kind == "display" and capture.bit_depth == 8)
    return settings.with_layer(
        Layer.CAPTURE, {"finish": {"dither": dithered}}, f"{capture.bit_depth}-bit {capture.kind}"
    )


def check_settings(settings: Settings) -> Settings:
    """Settings without the layer of the preset, because the check is the same for all presets."""
    return settings.with_layer(Layer.PRESET, {})


def sources_of(capture: Capture, request: Request, **values: Any) -> dict[str, Any]:
    """All sources that a graph may read, by name.

    Parameters
    ----------
    capture : Capture
        The capture.
    request : Request
        What is asked for.
    **values
        Further sources, or other values of these, such as the state of a stream.
    """
    saved, strokes = request.blur_map, request.scribbles
    return {
        "linear": capture.linear,
        "gain_map": capture.gain_map,
        "curve": capture.curve,
        "headroom": capture.kind == "raw",
        "optics": optics_of(capture, request.distance_m),
        "focus_point": request.focus_point,
        "foreground": foreground_of(strokes, shape_of(capture), request.foreground),
        "protection": request.protection,
        "scribbles": tuple(each for each in strokes if each.kind != FOREGROUND),
        "start": None,
        "previous": None,
        "blur": saved.blur if saved else None,
        "blur_low": saved.low if saved else None,
        **depth_sources(capture, request),
        "dead_zone": saved.focus.dead_zone if saved and saved.focus else None,
        **values,
    }


def depth_sources(capture: Capture, request: Request) -> dict[str, Any]:
    """Sources that follow from depth: both are None without it."""
    given = request.from_depth or request.guide_depth
    depth, lens = given.depth if given else None, None
    if request.from_depth is not None:
        lens = wished_lens(capture, request.from_depth.depth, request.settings)
    return {"depth": depth, "wished_lens": lens}


def shared_within_a_shot() -> Kept:
    """Memo for the graphs of one shot: check and estimate share view and survey."""
    return Kept(memo=Memo(SHARED_BYTES), versions=dict.fromkeys(SOURCES, 0), only=SHARED)


def with_depth(
    request: Request,
    capture: Capture,
    from_depth: DepthLike | None = None,
    guide_depth: DepthLike | None = None,
) -> Request:
    """Request with depth for a capture, where it is given; as of `depth.given_depth`."""
    fields = {"from_depth": from_depth, "guide_depth": guide_depth}
    read: dict[str, Any] = {
        name: given_depth(source, capture, request.settings)
        for name, source in fields.items()
        if source is not None
    }
    return replace(request, **read)


def is_blocked(findings: Iterable[Finding], *, force: bool) -> bool:
    """Whether findings block the effect, so that the picture passes through unchanged."""
    return not force and any(f.severity is Severity.BLOCKING for f in findings)


def picture_graph(capture: Capture, request: Request, *, blocked: bool) -> Graph:
    """Graph from a checked capture to its picture, and to its HDR light if it has a gain map."""
    graph = PASS_THROUGH if blocked else _effect_graph(request)
    return with_hdr(graph) if request.hdr and capture.gain_map is not None else graph


def _effect_graph(request: Request) -> Graph:
    if request.from_depth is not None:
        params = cast(DepthParams, request.settings.params[DepthParams])
        return FROM_DEPTH if params.fit_outlines else FROM_EXACT_DEPTH
    if request.guide_depth is not None:
        return WITH_DEPTH
    saved = request.blur_map
    if saved is None:
        return request.settings.preset.picture_graph
    preset = request.settings.preset
    if saved.focus is None or request.focus_point not in (None, saved.focus.point):
        return preset.from_map_graph
    return preset.from_focused_map_graph


def map_graph(request: Request) -> Graph:
    """Graph from a checked capture to its blur map."""
    return WITH_DEPTH_MAP if request.guide_depth else request.settings.preset.map_graph


def judged(findings: Iterable[Finding], request: Request) -> tuple[Finding, ...]:
    """Findings for a request: the check of the defocus blocks nothing that is done from depth."""
    if request.from_depth is None:
        return tuple(findings)
    return tuple(
        replace(each, severity=Severity.INFO) if each.severity is Severity.BLOCKING else each
        for each in findings
    )


def check_request(capture: Capture, request: Request) -> None:
    """Check that a request fits the capture.

    Raises
    ------
    RequestError
        If it does not; the message names the option, what was expected, and what was given.
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
    given = {
        "from_map": request.blur_map, "from_depth": request.from_depth,
        "guide_depth": request.guide_depth,
    }  # fmt: skip
    marked = any(each.kind == FOREGROUND for each in request.scribbles)
    if request.from_depth is not None and (request.foreground is not None or marked):
        raise RequestError("from_depth and foreground exclude each other: depth tells what is near")
    several = [name for name, value in given.items() if value is not None]
    if len(several) > 1:
        raise RequestError(f"{several[0]} and {several[1]} exclude each other; give one of them")
    if request.from_depth is None:
        asked = request.settings.layers.get(Layer.PERSON, {}).get("depth", {})
        for key, what in (("aperture", "aperture"), ("focus_m", "focus, a distance")):
            if asked.get(key):
                raise RequestError(
                    f"{what} (depth.{key}): needs the depth of the picture; give it by "
                    "--from-depth (from_depth)"
                )
    depth_sources(capture, request)  # refuses a lens that is not known
    check_protection(request.protection, (height, width))
    if not request.protection.is_empty and request.blur_map is None:
        preset = request.settings.preset
        if PROTECTED not in preset.map_graph.values():
            raise RequestError(
                f"protect: the preset {preset.name!r} has no upper bounds; use `default` or `lens`"
            )
    for number, scribble in enumerate(request.scribbles, 1):
        if not touches(scribble, (height, width)):
            raise RequestError(
                f"scribbles: stroke {number} lies outside of the picture of {width}x{height} pixels"
            )
    known = {name for graph in graphs().values() for name in graph.values()}
    for name in request.keep:
        if name not in known:
            raise RequestError(f"keep: no graph has a value {name!r}; see `camerapipe graph`")


def protected_findings(request: Request, values: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Warnings about a protection that the measured blur contradicts, from the values of a run."""
    params = cast(ProtectionParams, request.settings.params[ProtectionParams])
    return protection_findings(values.get(PROTECTED), params)


def kept_values(request: Request) -> tuple[str, ...]:
    """Names of intermediate values that a run returns: those asked for, and those of findings."""
    return request.keep if request.protection.is_empty else (*request.keep, PROTECTED)


def focus_finding(request: Request, saved: SavedMap | None) -> tuple[Finding, ...]:
    """Warning if the focus point that a person gave is itself blurred, else no finding.

    It is blurred if its sigma is outside of the dead zone of the sharpest part of the map.
    """
    point = request.focus_point
    if point is None or saved is None:
        return ()
    params = cast(DeadZoneParams, request.settings.params[DeadZoneParams])
    step = saved.focus.step if saved.focus else 1
    there, sharpest = sigma_at(saved.blur, point), focus_sigma(saved.blur, params)
    limit = max(params.margin * sharpest, params.floor_px * step)
    if there <= limit:
        return ()
    result = "everything as blurred as it is left alone"
    if request.from_depth is not None:
        result = "it does not become sharper"
    message = (
        f"The focus point {point[0]:g},{point[1]:g} is itself blurred (sigma {there:.1f} px, and "
        f"{sharpest:.1f} px where the picture is sharp): {result}."
    )
    return (Finding(FOCUS_POINT_BLURRED, Severity.WARNING, message, there, limit),)


def check_budget(budget: Budget, preset: Preset) -> None:
    """Check that all stages with a budget exist in the preset; `BudgetError` if not."""
    used = (CHECK, PASS_THROUGH, *preset.graphs)
    known = {node.name for graph in used for node in graph.nodes}
    for name in budget.stages_ms:
        if name not in known:
            raise BudgetError(
                f"budget: preset {preset.name!r} has no stage {name!r}{hint(name, sorted(known))}"
            )
