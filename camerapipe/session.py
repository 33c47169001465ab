"""Interactive editing of one capture: after an edit, only dependent stages run again.

A session has a developed capture, smaller copies of it for previews (the proxy, and a quick one
while something is being drawn or dragged), and the values of their graphs (`memo`) within a limit
of memory. Aperture, strength, focus point,
scribbles, foreground and protection can be changed in any order. Propagation starts from the
previous solution (`stages.propagate`), so that it takes only a few steps after a scribble. The map
then agrees with one solved from the beginning to a few hundredths of a pixel, on flat clipped areas
to a tenth. `settle` solves it from the beginning. An export is computed from the capture alone, and
is bit-identical to `render` with the same edits.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import fields as dataclass_fields
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

import cv2
import numpy as np

from camerapipe.arguments import number_of
from camerapipe.assembly import (
    OF_CAPTURE,
    Request,
    check_request,
    megapixels_of,
    shape_of,
    sources_of,
)
from camerapipe.camera import Input, given_map, open_input, shoot, shoot_checked
from camerapipe.capture import Capture
from camerapipe.depth import given_depth
from camerapipe.errors import RequestError, hint
from camerapipe.ingest import DEFAULT_MAX_PIXELS
from camerapipe.masks import read_foreground
from camerapipe.memo import Memo, key_of, own, read_only, with_arrays
from camerapipe.recipe import Recipe, as_recipe, recipe_of, resolve_with, with_recipe
from camerapipe.runner import Kept
from camerapipe.scaling import scaled
from camerapipe.settings import Changes, Settings
from camerapipe.shot import Shot
from stages.areas import reduce_to
from stages.bokeh import DeadZoneParams, FocusParams, OutlineParams, RadiusParams
from stages.params import Params
from stages.propagate import SolvedMap, SolveHistory
from stages.scribble import Scribble
from stages.view import ViewParams, working_grid

PROXY_MEGAPIXELS = 1.5  # about the size of a preview on a screen
QUICK_MEGAPIXELS = 0.4  # as large as can be shown while a person draws
CHANGED = ("strength", "look")  # by `Session.change`, besides fields of a request
MEMORY_BYTES = 1 << 30  # limit of stored values, of all sizes together
WITH_ARRAYS = ("foreground", "protection", "blur_map", "from_depth", "guide_depth")  # of a request
Size = Literal["quick", "proxy", "full"]


class Session:
    """A capture and its edits, which can be undone. A lock lets one operation run at a time.

    Arrays of its shots are read-only, because later ones share them. Arrays of a request are
    copied; those of a `Capture` are not, and must not be changed.

    A user interface calls `render` after every edit. When no edit has come for a moment, and
    `is_settled` is false, it calls `settle`; `export` gives what is saved.

    Parameters
    ----------
    source : path, array or Capture
        As for `camerapipe.render`.
    preset, config, recipe
        As for `camerapipe.render`.
    proxy_megapixels, quick_megapixels : float
        Maximum sizes of the proxy, on which edits are previewed, and of the quick preview.
    memory_bytes : float
        Limit of the values that are stored between edits, without the developed capture and its
        proxy.
    keep : sequence of str
        Names of intermediate values that every shot has in `kept`.
    encoding, max_pixels
        As for `camerapipe.render`.
    """

    def __init__(
        self,
        source: Input,
        *,
        preset: str | None = None,
        config: str | os.PathLike[str] | None = None,
        recipe: Recipe | str | os.PathLike[str] | None = None,
        proxy_megapixels: float = PROXY_MEGAPIXELS,
        quick_megapixels: float = QUICK_MEGAPIXELS,
        memory_bytes: float = MEMORY_BYTES,
        keep: Sequence[str] = (),
        encoding: Literal["srgb", "linear"] = "srgb",
        max_pixels: int = DEFAULT_MAX_PIXELS,
    ) -> None:
        number_of("proxy_megapixels", proxy_megapixels, above=0)
        number_of("quick_megapixels", quick_megapixels, above=0)
        if memory_bytes != math.inf:
            number_of("memory_bytes", memory_bytes, above=0)
        capture, self._opening = open_input(source, encoding=encoding, max_pixels=max_pixels)
        self.capture = with_arrays(capture, read_only)
        self.proxy = reduced(self.capture, proxy_megapixels)
        self.quick = reduced(self.proxy, quick_megapixels)
        self._captures: dict[Size, Capture] = {
            "quick": self.quick, "proxy": self.proxy, "full": self.capture,
        }  # fmt: skip
        recipe = as_recipe(recipe)
        settings = resolve_with(recipe, preset, config)
        request = Request(settings=settings, keep=tuple(keep))
        if recipe is not None:
            request = with_recipe(request, recipe, self.capture)
        check_request(self.capture, request)
        self._requests = [_owned(request)]  # requests of all states, for undo and redo
        self._place = 0  # index of the current one
        self._memo = Memo(memory_bytes)
        self._histories = {size: SolveHistory() for size in self._captures}
        self._emptied = dict.fromkeys(self._captures, 0)  # how often `settle` emptied each history
        self._lock = threading.RLock()

    @property
    def kept_bytes(self) -> int:
        """Memory of the values stored between edits, bytes."""
        return self._memo.size_bytes

    @property
    def request(self) -> Request:
        """Current request, for the full capture."""
        return self._requests[self._place]

    def apply(self, request: Request) -> Self:
        """Set a new request; `undo` restores the previous one.

        Raises
        ------
        RequestError
            If the request does not fit the capture. The session does not change in this case.
        """
        with self._lock:
            check_request(self.capture, request)
            self._requests[self._place + 1 :] = [_owned(request)]
            self._place += 1
        return self

    def change(
        self,
        params: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        strength: float | None = None,
        look: str | None = None,
        **fields: Any,
    ) -> Self:
        """Change parameters (`params`, `strength`), the look, or fields of `Request` by name.

        `foreground`, `scribbles` and `blur_map` can be files, too.

        Raises
        ------
        RequestError
            If there is no such field, or a value does not fit.
        CaptureError
            If a file cannot be used.
        """
        known = [each.name for each in dataclass_fields(Request)]
        for name in fields:
            if name not in known:
                raise RequestError(
                    f"change: {name!r} does not exist{hint(name, ('params', *CHANGED, *known))}"
                )
        with self._lock:
            base = replace(self.request, settings=fields.pop("settings", self.request.settings))
            settings = base.settings.changed_by_person(params, strength=strength)
            if look is not None:
                settings = settings.with_look(look)
            given: dict[str, Any] = {
                name: value if value is None else self._given(name, value, settings)
                for name, value in fields.items()
            }
            return self.apply(replace(base, settings=settings, **given))

    def _given(self, name: str, value: Any, settings: Settings) -> Any:
        """Value of a field; masks, maps and depth are given as to `camerapipe.render`."""
        if name == "foreground" and isinstance(value, str | os.PathLike):
            return read_foreground(Path(value), shape_of(self.capture))
        if name == "blur_map":
            return given_map(value, self.capture)
        if name in ("from_depth", "guide_depth"):
            return given_depth(value, self.capture, settings)
        return value

    def scribble(self, *strokes: Scribble) -> Self:
        """Add strokes to the present ones."""
        with self._lock:
            return self.change(scribbles=(*self.request.scribbles, *strokes))

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to undo."""
        return self._place > 0

    @property
    def can_redo(self) -> bool:
        """Whether there is a change to redo."""
        return self._place + 1 < len(self._requests)

    def undo(self) -> bool:
        """Undo one change; return whether there was one."""
        with self._lock:
            self._place -= (found := self.can_undo)
        return found

    def redo(self) -> bool:
        """Redo one change; return whether there was one."""
        with self._lock:
            self._place += (found := self.can_redo)
        return found

    def render(self, size: Size = "proxy") -> Shot:
        """Render the current request; only stages that depend on changes run.

        `Shot.report` lists the stages that ran. A size that is as large as the next one is that
        one, so that nothing is computed for both.
        """
        size = self._same(size)
        with self._lock:
            capture = self._captures[size]
            if capture is self.capture:
                return self._shoot(capture, self.request, size)
            request = scaled(self.request, shape_of(self.capture), shape_of(capture))
            changes = self._of_smaller(capture, request.settings)
            settings = request.settings.changed_by_person(changes)
            return self._shoot(capture, replace(request, settings=settings), size)

    def is_settled(self, size: Size = "proxy") -> bool:
        """Whether the last rendered map is that of a new session with the same request, to the bit.

        It is not after an edit of the map, which corrects the previous solution.
        """
        return self._histories[self._same(size)].corrections == 0

    def settle(self, size: Size = "proxy") -> Shot:
        """Solve the current request from the beginning, unless it is, and render it.

        To be called when editing pauses. Map and picture are then bit-identical to those of a new
        session with the same request.
        """
        size = self._same(size)
        with self._lock:
            shot = self.render(size)
            if self.is_settled(size):
                return shot
            self._histories[size] = SolveHistory()
            self._emptied[size] += 1
            return self.render(size)

    def _same(self, size: Size) -> Size:
        """The largest size that has the same capture."""
        if size not in self._captures:
            raise RequestError(f"size: expected quick, proxy or full; got {size!r}")
        capture = self._captures[size]
        return next(each for each in reversed(self._captures) if self._captures[each] is capture)

    def export(self) -> Shot:
        """Render at full size from the capture alone, bit-identical to `camerapipe.render`."""
        return shoot(self.capture, self.request, before=self._opening)

    def recipe(self, foreground: Path | None = None) -> Recipe:
        """Recipe of the current request; `foreground` is the file of its mask."""
        return recipe_of(self.request, self.capture, foreground)

    def _of_smaller(self, capture: Capture, settings: Settings) -> Changes:
        """Changes of parameters with which a smaller capture has the look of the full picture.

        They are those in px of the picture, and those that are relative to the step of its view.
        """
        params = settings.params
        view = params[ViewParams]
        assert isinstance(view, ViewParams)
        size = shape_of(capture)[1] / shape_of(self.capture)[1]
        steps = [working_grid(each.linear, view).step for each in (self.capture, capture)]
        # A view of a smaller one may be the finer one: sharp detail is no softer in its px.
        per_step = min(size * steps[0] / steps[1], 1.0)
        return {
            kind.stage(): _scaled_px(params[kind], factor)
            for kind, factor in (
                (RadiusParams, size), (OutlineParams, size),
                (FocusParams, per_step), (DeadZoneParams, per_step),
            )
        }  # fmt: skip

    def _shoot(self, capture: Capture, request: Request, size: Size) -> Shot:
        """Shot of one of the sizes, with the memo of the session."""
        versions: dict[str, Hashable] = {
            name: size if name in OF_CAPTURE else (size, key_of(value))
            for name, value in sources_of(capture, request).items()
        }
        versions["previous"] = size, self._emptied[size]
        kept = Kept(memo=self._memo, versions=versions, previous=self._histories[size])
        shot = shoot_checked(capture, request, kept)
        low = shot.saved_map.low if shot.saved_map else None
        self._histories[size] = low.history if isinstance(low, SolvedMap) else SolveHistory()
        shown = ("image", "hdr", "saved_map")  # the memo has the same arrays
        views = {name: with_arrays(getattr(shot, name), read_only) for name in shown}
        values = {name: with_arrays(value, read_only) for name, value in shot.kept.items()}
        return replace(shot, **views, kept=values)


def _owned(request: Request) -> Request:
    """Request with its own copies of the arrays in it."""
    given = {name: getattr(request, name) for name in WITH_ARRAYS}
    copies = {name: with_arrays(value, own) for name, value in given.items()}
    same = all(copies[name] is given[name] for name in given)
    return request if same else replace(request, **copies)


def reduced(capture: Capture, megapixels: float) -> Capture:
    """Capture of at most `megapixels`, reduced by area averaging; the same one if it is smaller.

    Arrays of a new one are read-only.
    """
    share = math.sqrt(megapixels / megapixels_of(capture))
    if share >= 1:
        return capture
    rows, cols = (max(round(n * share), 1) for n in shape_of(capture))
    alpha = capture.alpha
    small = replace(
        capture,
        linear=reduce_to(capture.linear, (rows, cols)),
        gain_map=None,  # previews are SDR
        alpha=None
        if alpha is None
        else np.asarray(cv2.resize(alpha, (cols, rows), interpolation=cv2.INTER_AREA)),
    )
    return with_arrays(small, read_only)


def _scaled_px(params: Params, factor: float) -> dict[str, float]:
    """Parameters in px, scaled within their ranges."""
    return {
        spec.name: max(getattr(params, spec.name) * factor, spec.metadata["low"])
        for spec in dataclass_fields(params)
        if spec.metadata["unit"] == "px"
    }
