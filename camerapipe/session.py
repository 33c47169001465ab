"""Editing one capture: what a person changes, and only what depends on it computed again.

A session holds a developed capture, a smaller copy of it (the proxy) to answer quickly, and the
values of their graphs (`memo`) within a limit of memory. Aperture, strength, focus point, scribbles
and foreground can be changed at will. Propagation starts from what it knows of the solve before
(`stages.propagate`), so that after a scribble it takes a few steps; the map agrees with a fresh one
to a few hundredths of a pixel. What is exported is computed anew from the capture, bit-identical to
`render` with the same edits.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

import cv2
import numpy as np

from camerapipe.assembly import Request, check_request, megapixels_of, shape_of
from camerapipe.camera import Input, open_input, shoot
from camerapipe.capture import Capture
from camerapipe.ingest import DEFAULT_MAX_PIXELS
from camerapipe.memo import Memo
from camerapipe.pipelines import SOURCES
from camerapipe.runner import Kept
from camerapipe.settings import Changes, Layer, Settings, resolve
from camerapipe.shot import Shot
from stages.areas import reduce_to
from stages.bokeh import RadiusParams
from stages.params import Array
from stages.scribble import Scribble
from stages.view import ViewParams, working_grid

PROXY_MEGAPIXELS = 1.5
MEMORY_BYTES = 1 << 30  # of the values kept, of proxy and full size together


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Edits:
    """What a person decided of a picture; coordinates are pixels of the full, upright picture."""

    params: Changes = field(default_factory=dict)
    focus_point: tuple[float, float] | None = None
    scribbles: tuple[Scribble, ...] = ()
    foreground: Array | None = None  # mask HxW in [0, 1]
    force: bool = False

    def with_params(self, changes: Changes) -> Edits:
        """The same edits with some parameters changed."""
        merged = {section: dict(values) for section, values in self.params.items()}
        for section, values in changes.items():
            merged.setdefault(section, {}).update(values)
        return replace(self, params=merged)

    def at_scale(self, shape: tuple[int, int], full: tuple[int, int]) -> Edits:
        """The same edits for a picture reduced from `full` to `shape`."""
        if shape == full:
            return self
        across, down = shape[1] / full[1], shape[0] / full[0]

        def place(point: tuple[float, float]) -> tuple[float, float]:
            """Pixel centres are at integers, so that edges of the picture are at -0.5."""
            return (point[0] + 0.5) * across - 0.5, (point[1] + 0.5) * down - 0.5

        point = self.focus_point
        return replace(
            self,
            focus_point=None if point is None else _inside(place(point), shape),
            scribbles=tuple(
                replace(
                    stroke,
                    points=tuple(map(place, stroke.points)),
                    width_px=stroke.width_px * across,
                    sigma_px=stroke.sigma_px * across,
                )
                for stroke in self.scribbles
            ),
            foreground=None
            if self.foreground is None
            else cv2.resize(self.foreground, shape[::-1], interpolation=cv2.INTER_AREA),
        )


class Session:
    """One capture being edited; every edit can be undone. For one thread at a time (it locks).

    Parameters
    ----------
    source : path, array or Capture
        As for `camerapipe.render`.
    preset, config
        As for `camerapipe.render`.
    proxy_megapixels : float
        Largest size of the proxy, on which edits are shown.
    memory_bytes : float
        Limit of the values that are kept between edits. The developed capture and its proxy are
        not counted.
    encoding, max_pixels
        As for `camerapipe.render`.
    """

    def __init__(
        self,
        source: Input,
        *,
        preset: str | None = None,
        config: str | None = None,
        proxy_megapixels: float = PROXY_MEGAPIXELS,
        memory_bytes: float = MEMORY_BYTES,
        encoding: Literal["srgb", "linear"] = "srgb",
        max_pixels: int = DEFAULT_MAX_PIXELS,
    ) -> None:
        self.capture, self._opening = open_input(source, encoding=encoding, max_pixels=max_pixels)
        self.proxy = reduced(self.capture, proxy_megapixels)
        self._base = resolve(preset, config)
        self._memo = Memo(memory_bytes)
        self._edits = [Edits()]  # of all states, and the one that counts
        self._place = 0
        self._lock = threading.RLock()

    @property
    def kept_bytes(self) -> int:
        """Memory of the values that are kept between edits."""
        return self._memo.size_bytes

    @property
    def edits(self) -> Edits:
        """What counts now."""
        return self._edits[self._place]

    def apply(self, edits: Edits) -> Self:
        """Make other edits count; the ones before can be had again by `undo`.

        Raises
        ------
        RequestError
            If something asked for does not exist or does not fit the capture; nothing is changed.
        """
        with self._lock:
            check_request(self.capture, self.request(edits))
            self._edits[self._place + 1 :] = [edits]
            self._place += 1
        return self

    def change(
        self,
        params: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        strength: float | None = None,
        **edits: Any,
    ) -> Self:
        """Change parameters (`params`, `strength`), or fields of `Edits` by name."""
        changed = replace(self.edits, **edits).with_params(params or {})
        if strength is not None:
            changed = changed.with_params({"radius": {"strength": strength}})
        return self.apply(changed)

    def scribble(self, *strokes: Scribble) -> Self:
        """Add strokes after those that are there."""
        return self.change(scribbles=(*self.edits.scribbles, *strokes))

    def undo(self) -> bool:
        """Go back by one change; tell whether there was one."""
        with self._lock:
            self._place -= (found := self._place > 0)
        return found

    def redo(self) -> bool:
        """Go forward again by one change; tell whether there was one."""
        with self._lock:
            self._place += (found := self._place + 1 < len(self._edits))
        return found

    def settings(self, edits: Edits | None = None) -> Settings:
        """Settings with the changes of a person."""
        return self._base.with_layer(Layer.PERSON, (edits or self.edits).params)

    def request(self, edits: Edits | None = None) -> Request:
        """What is asked of the full capture."""
        return _request(edits or self.edits, self.settings(edits))

    def render(self, size: Literal["proxy", "full"] = "proxy") -> Shot:
        """Render what counts now; only stages run that depend on what was changed.

        The stages that ran are the rows of `Shot.report`.
        """
        with self._lock:
            if size == "full":
                return self._shoot(self.capture, self.request(), size)
            full, shape = shape_of(self.capture), shape_of(self.proxy)
            edits = self.edits.at_scale(shape, full)
            settings = self.settings(edits.with_params(self._of_proxy(self.settings())))
            return self._shoot(self.proxy, _request(edits, settings), size)

    def export(self) -> Shot:
        """Render at full size from the capture alone: bit-identical to `camerapipe.render`."""
        return shoot(self.capture, self.request(), before=self._opening)

    def _of_proxy(self, settings: Settings) -> Changes:
        """Parameters in px of the picture, or per step of its view, for the same look."""
        radius, view = settings.params[RadiusParams], settings.params[ViewParams]
        assert isinstance(radius, RadiusParams) and isinstance(view, ViewParams)
        size = shape_of(self.proxy)[1] / shape_of(self.capture)[1]
        steps = [working_grid(each.linear, view).step for each in (self.capture, self.proxy)]
        per_step = size * steps[0] / steps[1]
        return {
            "radius": {
                "max_radius_px": max(radius.max_radius_px * size, 1.0),
                "focus_floor_px": radius.focus_floor_px * per_step,
                "focus_ceiling_px": radius.focus_ceiling_px * per_step,
            }
        }

    def _shoot(self, capture: Capture, request: Request, size: str) -> Shot:
        versions: dict[str, Hashable] = dict.fromkeys(SOURCES, size) | {
            "focus_point": request.focus_point,
            "foreground": _digest(request.foreground),
            "scribbles": request.scribbles,
        }
        return shoot(capture, request, kept=Kept(memo=self._memo, versions=versions))


def reduced(capture: Capture, megapixels: float) -> Capture:
    """A capture of at most so many megapixels: area averages of its light."""
    share = math.sqrt(megapixels / megapixels_of(capture))
    if share >= 1:
        return capture
    rows, cols = (max(round(n * share), 1) for n in shape_of(capture))
    alpha = capture.alpha
    return replace(
        capture,
        linear=reduce_to(capture.linear, (rows, cols)),
        alpha=None
        if alpha is None
        else np.asarray(cv2.resize(alpha, (cols, rows), interpolation=cv2.INTER_AREA)),
    )


def _digest(mask: Array | None) -> str | None:
    """A name for the values of a mask: equal where they are."""
    if mask is None:
        return None
    return hashlib.blake2b(np.ascontiguousarray(mask).data, digest_size=16).hexdigest()


def _inside(point: tuple[float, float], shape: tuple[int, int]) -> tuple[float, float]:
    """The nearest point of a picture."""
    return min(max(point[0], 0.0), shape[1] - 1.0), min(max(point[1], 0.0), shape[0] - 1.0)


def _request(edits: Edits, settings: Settings) -> Request:
    return Request(
        settings=settings,
        focus_point=edits.focus_point,
        scribbles=edits.scribbles,
        foreground=edits.foreground,
        force=edits.force,
    )
