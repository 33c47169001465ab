"""A photograph that is being edited: what a page may ask of it, and what it shows.

All of it is work for a thread, one call at a time; `editing` calls it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from camerapipe.assembly import Request, is_blocked, shape_of
from camerapipe.budget import Stopwatch
from camerapipe.capture import Capture
from camerapipe.errors import RequestError, hint
from camerapipe.ingest.depth import EMBEDDED
from camerapipe.recipe import Recipe, with_recipe
from camerapipe.recipe_keys import strokes_of
from camerapipe.runner import watched
from camerapipe.session import Session, Size
from camerapipe.settings import Layer, Settings, resolve
from camerapipe.shot import Shot
from camerapipe.web.controls import values_of
from camerapipe.web.screen import Codes, Screen
from stages.grid import BlurMap
from stages.params import Array

PROXY_MEGAPIXELS = 1.0
MEMORY_BYTES = 400 << 20  # of the values of a session
RADIUS = "signed_radius"  # value of the graphs: radius of the disk at each pixel
EDITS = ("params", "look", "focus_point", "scribbles", "stroke", "force")

Stop = Callable[[], bool]


class SupersededError(Exception):
    """What was being computed is no longer wanted."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A picture as pages show it.

    `scale` is pixels of the full picture per pixel of this one; `ms` what the session took;
    `settled` whether the map is that of a new session.
    """

    size: Size
    codes: Codes
    blur: BlurMap | None
    radius: Array | None
    scale: float
    ms: float
    settled: bool
    findings: tuple[dict[str, Any], ...]
    blocked: bool

    def probe(self, x: float, y: float) -> dict[str, float] | None:
        """Sigma and disk radius at a point of the full picture, px of the full picture."""
        if self.blur is None:
            return None
        rows, cols = self.codes.shape[:2]
        col, row = (math.floor((at + 0.5) / self.scale) for at in (x, y))
        if not (0 <= row < rows and 0 <= col < cols):
            return None
        found = {"sigma_px": float(self.blur.sigma[row, col]) * self.scale}
        if self.radius is not None:
            found["radius_px"] = abs(float(self.radius[row, col])) * self.scale
        return found


@dataclass(slots=True)
class Desk:
    """A photograph and its edits.

    Parameters
    ----------
    session : Session
        Of the photograph, opened as `session_for` does.
    path : Path
        Its file, from which exports are made.
    recipe : Recipe or None
        With which it was opened.
    """

    session: Session
    path: Path
    recipe: Recipe | None = None
    screen: Screen = field(init=False)
    _first: Request = field(init=False)
    _gesture: object = None  # of the last edit

    def __post_init__(self) -> None:
        self.screen = Screen.of(self.session.capture)
        self._first = self.session.request

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the photograph, px."""
        return shape_of(self.session.capture)

    @property
    def sizes(self) -> tuple[Size, ...]:
        """Sizes in which edits are shown one after another."""
        return ("proxy",) if self.session.quick is self.session.proxy else ("quick", "proxy")

    @property
    def bytes(self) -> int:
        """Memory of the photograph, its proxies and their values."""
        captures = (self.session.capture, self.session.proxy)
        return sum(each.linear.nbytes for each in captures) + self.session.kept_bytes

    def do(self, op: str, wish: Mapping[str, Any]) -> None:
        """Do what a page asks for: `edit`, `recipe`, `undo`, `redo` or `reset`.

        Raises
        ------
        ValueError
            If something does not exist or does not fit; nothing has changed then.
        """
        match op:
            case "edit":
                self.edit(wish)
            case "recipe":
                name = str(wish.get("name", "recipe"))
                self.use(Recipe.from_toml(str(wish.get("text")), name=name))
            case "undo":
                self.undo()
            case "redo":
                self.redo()
            case "reset":
                self.reset()

    def edit(self, wish: Mapping[str, Any]) -> None:
        """Change what a wish names, of `EDITS`.

        Edits of one `gesture`, such as dragging a slider, are one step for `undo`. A parameter that
        is None gets the value again that it had before the person changed it.

        Raises
        ------
        ValueError
            If something does not exist or does not fit; nothing has changed then.
        """
        gesture = wish.get("gesture")
        again = gesture is not None and gesture == self._gesture and self.session.undo()
        try:
            self._edit({name: value for name, value in wish.items() if name != "gesture"})
        except Exception:
            if again:
                self.session.redo()
            raise
        self._gesture = gesture

    def _edit(self, wish: Mapping[str, Any]) -> None:
        for name in wish:
            if name not in EDITS:
                raise RequestError(f"edit: {name!r} does not exist{hint(name, EDITS)}")
        changes: dict[str, Any] = {}
        changes |= {name: wish[name] for name in ("focus_point", "force") if name in wish}
        if "look" in wish:
            changes["look"] = str(wish["look"])
        if "scribbles" in wish:
            changes["scribbles"] = strokes_of("scribbles", wish["scribbles"])
        if "stroke" in wish:
            present = changes.get("scribbles", self.session.request.scribbles)
            changes["scribbles"] = (*present, *strokes_of("stroke", [wish["stroke"]]))
        if "params" in wish:
            changes["settings"] = self._settings(wish["params"])
        self.session.change(**changes)

    def _settings(self, params: object) -> Settings:
        """Settings with parameters changed, by `section.name`; None: as without the person."""
        if not isinstance(params, Mapping):
            raise RequestError(f"edit: params: expected values by section.name; got {params!r}")
        settings = self.session.request.settings
        person = settings.changed(Layer.PERSON)
        for key, value in params.items():
            section, _, name = str(key).partition(".")
            person.setdefault(section, {})[name] = value
            if value is None:
                del person[section][name]
        return settings.with_layer(Layer.PERSON, person)

    def use(self, recipe: Recipe) -> None:
        """Make the edits those of a recipe; this can be undone.

        Its parameters count as changed by the person. Files of the recipe that the photograph was
        opened with stay in use.

        Raises
        ------
        RequestError
            If it names files, which a page cannot, or was made for a picture of another shape.
        """
        depths = (recipe.from_depth, recipe.guide_depth)
        named = any(each not in (None, EMBEDDED) for each in depths)
        if named or recipe.foreground is not None or recipe.protection.paths():
            raise RequestError(
                f"{recipe.name}: names other files, which a page cannot open; start with "
                "`camerapipe serve --recipe`"
            )
        self._gesture = None
        now, first = self.session.request.settings, self._first
        preset = recipe.preset or now.preset.name
        look = recipe.look or (now.look if preset == now.preset.name else None)
        settings = resolve(preset, values=recipe.params, look=look)
        plain = replace(first, settings=settings, focus_point=None, scribbles=())
        self.session.apply(with_recipe(plain, recipe, self.session.capture))

    def undo(self) -> bool:
        """Undo one step."""
        self._gesture = None
        return self.session.undo()

    def redo(self) -> bool:
        """Redo one step."""
        self._gesture = None
        return self.session.redo()

    def reset(self) -> None:
        """Make everything as it was when the photograph was opened; this can be undone."""
        self._gesture = None
        self.session.apply(self._first)

    def state(self) -> dict[str, Any]:
        """What a page shows of the edits, as plain data."""
        request = self.session.request
        return {
            "undo": self.session.can_undo,
            "redo": self.session.can_redo,
            "values": values_of(request.settings),
            "look": request.settings.look if request.settings.preset.looks else None,
            "focus_point": request.focus_point,
            "force": request.force,
            "scribbles": [each.to_plain() for each in request.scribbles],
        }

    def render(self, size: Size, stop: Stop) -> Shown:
        """Render a size; `SupersededError` as soon as `stop` says so."""
        with _until(stop), Stopwatch() as watch:
            shot = self.session.render(size)
        return self._shown(size, shot, watch.ms)

    def settle(self, size: Size, stop: Stop) -> Shown:
        """Solve the map of a size from the beginning, and render it."""
        with _until(stop), Stopwatch() as watch:
            shot = self.session.settle(size)
        return self._shown(size, shot, watch.ms)

    def full(self, stop: Stop) -> Codes:
        """The full-size result, computed from the capture alone, as codes of a screen."""
        with _until(stop):
            return self.screen.codes(self.session.export().image)

    def recipe_now(self) -> Recipe:
        """Recipe of the edits, with the files of the recipe that they started from."""
        if self.recipe is None:
            return self.session.recipe()
        made = self.session.recipe(self.recipe.foreground)
        return replace(made, protection=self.recipe.protection)

    def _shown(self, size: Size, shot: Shot, ms: float) -> Shown:
        scale = self.shape[1] / shot.image.shape[1]
        return Shown(
            size=size,
            codes=self.screen.codes(shot.image),
            blur=shot.blur_map,
            radius=shot.kept.get(RADIUS),
            scale=scale,
            ms=ms,
            settled=self.session.is_settled(size),
            findings=tuple(map(asdict, shot.findings)),
            blocked=is_blocked(shot.findings, force=self.session.request.force),
        )


def session_for(capture: Capture, **options: Any) -> Session:
    """Session of a photograph for the studio; options as of `Session`."""
    return Session(
        capture,
        proxy_megapixels=PROXY_MEGAPIXELS,
        memory_bytes=MEMORY_BYTES,
        keep=(RADIUS,),
        **options,
    )


@contextmanager
def _until(stop: Stop) -> Iterator[None]:
    """End the runs of the block when `stop` says so."""

    def watcher(*_: object) -> None:
        if stop():
            raise SupersededError

    with watched(watcher):
        yield
