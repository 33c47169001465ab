"""Recipes: what a person decided for a photograph, in one TOML file.

    format_version = 1
    preset = "default"
    look = "portrait"
    size_px = [4000, 3000]
    focus_point = [812.0, 604.0]
    foreground = "mask.png"
    from_depth = "embedded"
    subject = [700.0, 300.0, 900.0, 1400.0]

    [params.radius]
    strength = 3.0

    [[scribbles]]
    points = [[120.0, 80.0], [180.0, 95.0]]
    width_px = 12.0
    kind = "sharp"

Every key but the first may be left out. Coordinates are pixels (x, y) of the upright picture, whose
width and height are `size_px`. If a recipe is used for a picture of another size, its coordinates
are scaled; parameters are not. Paths are relative to the recipe.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import tomli_w

from camerapipe.assembly import Request, shape_of, with_depth
from camerapipe.capture import Capture
from camerapipe.ingest import write_bytes
from camerapipe.ingest.depth import EMBEDDED
from camerapipe.ingest.depth_values import GivenDepth
from camerapipe.ingest.saved_map import ASPECT_SLACK
from camerapipe.masks import read_foreground
from camerapipe.presets import SECTIONS
from camerapipe.protecting import ProtectionRequest, relative_path
from camerapipe.recipe_keys import (
    FORMAT_VERSION,
    Point,
    RecipeError,
    check_keys,
    check_version,
    depth_of,
    path_of,
    point_of,
    protection_of,
    read_text,
    size_of,
    strokes_of,
    typed,
)
from camerapipe.scaling import scaled_point
from camerapipe.settings import Changes, Layer, Settings, resolve, toml_of
from stages.scribble import Scribble

DEPTHS = ("from_depth", "guide_depth")  # keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a person decided for a photograph.

    Parameters
    ----------
    preset : str or None
        Name of a preset; None leaves the choice to the settings file or the default.
    look : str or None
        Name of a look of the preset; None as for `preset`.
    params : mapping
        Changed parameters by section.
    size_px : (int, int) or None
        Width and height of the upright picture; needed if there are coordinates.
    focus_point : (x, y) or None
        A point that counts as in focus, px.
    scribbles : tuple of Scribble
        Corrections of the blur map, px, in the order in which they were drawn.
    foreground : Path or None
        A grey picture: white where something is nearer than the focus.
    from_depth, guide_depth : str or None
        Depth map of the photograph: a path, or `embedded` for that in its own file.
    protection : ProtectionRequest
        What is to stay sharp: keys `protect`, `subject` and `protect_model`.
    name : str
        What messages call the recipe, such as its path. It is not part of the comparison.

    Raises
    ------
    RecipeError
        If coordinates have no size, or the point in focus lies outside of the picture.
    SettingsError
        If a preset or parameter does not exist, or a value does not fit.
    """

    preset: str | None = None
    look: str | None = None
    params: Changes = field(default_factory=dict)
    size_px: tuple[int, int] | None = None
    focus_point: Point | None = None
    scribbles: tuple[Scribble, ...] = ()
    foreground: Path | None = None
    from_depth: str | None = None
    guide_depth: str | None = None
    protection: ProtectionRequest = ProtectionRequest()
    name: str = field(default="recipe", compare=False)

    def __post_init__(self) -> None:
        checked = resolve(self.preset, recipe=(self.name, self.params), look=self.look).params
        values = {
            section: {key: getattr(checked[SECTIONS[section]], key) for key in changes}
            for section, changes in self.params.items()
        }
        object.__setattr__(self, "params", {name: each for name, each in values.items() if each})
        if self.size_px is None:
            if self.focus_point is not None or self.scribbles or self.protection.subject:
                raise RecipeError(
                    f"{self.name}: size_px is missing; focus_point, subject and scribbles are "
                    "pixels of a picture of that width and height"
                )
        elif self.focus_point is not None:
            inside = (0 <= at < n for at, n in zip(self.focus_point, self.size_px, strict=True))
            if not all(inside):
                x, y = self.focus_point
                width, height = self.size_px
                raise RecipeError(
                    f"{self.name}: focus_point: expected a point within {width}x{height} pixels; "
                    f"got {x:g},{y:g}"
                )

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Recipe:
        """Read a recipe from a file; `RecipeError` or `SettingsError` if it cannot be used."""
        path = Path(path)
        return cls.from_toml(read_text(path), name=str(path), folder=path.parent)

    @classmethod
    def from_toml(
        cls, text: str, *, name: str = "recipe", folder: str | os.PathLike[str] = "."
    ) -> Recipe:
        """Read a recipe from text.

        Parameters
        ----------
        text : str
            TOML.
        name : str
            What messages call it.
        folder : path
            What paths in it are relative to.

        Raises
        ------
        RecipeError, SettingsError
            Naming what is wrong, and what was probably meant.
        """
        try:
            table = toml_of(text)
        except tomllib.TOMLDecodeError as error:
            raise RecipeError(f"{name}: is not TOML: {error}") from error
        check_version(name, table)
        check_keys(name, table)
        return cls(
            preset=typed(name, "preset", table.get("preset"), str, "a name"),
            look=typed(name, "look", table.get("look"), str, "a name"),
            params=typed(name, "params", table.get("params", {}), dict, "tables [params.SECTION]"),
            size_px=size_of(name, table.get("size_px")),
            focus_point=point_of(name, table.get("focus_point")),
            scribbles=strokes_of(f"{name}: scribbles", table.get("scribbles", [])),
            foreground=path_of(name, "foreground", table.get("foreground"), folder),
            **{key: depth_of(name, key, table.get(key), folder) for key in DEPTHS},
            protection=protection_of(name, table, folder),
            name=name,
        )

    def to_toml(self, *, folder: str | os.PathLike[str] = ".") -> str:
        """The recipe as text; paths are written relative to `folder`."""
        table: dict[str, Any] = {"format_version": FORMAT_VERSION}
        if self.preset is not None:
            table["preset"] = self.preset
        if self.look is not None:
            table["look"] = self.look
        if self.size_px is not None:
            table["size_px"] = list(self.size_px)
        if self.focus_point is not None:
            table["focus_point"] = [float(at) for at in self.focus_point]
        if self.foreground is not None:
            table["foreground"] = relative_path(self.foreground, folder)
        for key in DEPTHS:
            if (depth := getattr(self, key)) is not None:
                table[key] = depth if depth == EMBEDDED else relative_path(Path(depth), folder)
        table |= self.protection.to_table(folder)
        if self.params:
            table["params"] = self.params
        if self.scribbles:
            table["scribbles"] = [scribble.to_plain() for scribble in self.scribbles]
        return tomli_w.dumps(table)

    def write(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the recipe to a file, whole or not at all; `OutputError` if that fails."""
        text = self.to_toml(folder=Path(path).parent)
        write_bytes(path, text.encode(), overwrite=overwrite)

    def fitted(self, size_px: tuple[int, int]) -> Recipe:
        """The recipe for a picture of another size (width, height), its coordinates scaled.

        Pixel centres have integer coordinates. Widths and sigmas of scribbles are scaled as well;
        parameters are not.

        Raises
        ------
        RecipeError
            If the aspect ratios differ by more than rounding of sizes explains.
        """
        if self.size_px is None or self.size_px == size_px:
            return self
        (old_width, old_height), (width, height) = self.size_px, size_px
        if abs(width * old_height / (height * old_width) - 1) > ASPECT_SLACK:
            raise RecipeError(
                f"{self.name}: was made for a picture of {old_width}x{old_height} pixels, and this "
                f"one has {width}x{height}: the aspect ratios differ, so that its coordinates do "
                "not fit"
            )
        scales, focus = (width / old_width, height / old_height), self.focus_point
        return replace(
            self,
            size_px=size_px,
            focus_point=None if focus is None else scaled_point(focus, scales, (height, width)),
            scribbles=tuple(each.scaled(scales) for each in self.scribbles),
            protection=self.protection.scaled(scales),
        )


def as_recipe(recipe: Recipe | str | os.PathLike[str] | None) -> Recipe | None:
    """The recipe itself, or that of a file; None stays None."""
    return Recipe.read(recipe) if isinstance(recipe, str | os.PathLike) else recipe


def resolve_with(
    recipe: Recipe | None,
    preset: str | None = None,
    config: str | os.PathLike[str] | None = None,
    overrides: Sequence[str] = (),
    values: Changes | None = None,
    *,
    strength: float | None = None,
    look: str | None = None,
) -> Settings:
    """Settings as `settings.resolve` gives them, with what a recipe says.

    A preset or look given by name overrides that of the recipe, which overrides that of a settings
    file.
    """
    if recipe is None:
        return resolve(preset, config, overrides, values, strength=strength, look=look)
    return resolve(
        preset or recipe.preset, config, overrides, values, recipe=(recipe.name, recipe.params),
        strength=strength, look=look or recipe.look,
    )  # fmt: skip


def with_recipe(request: Request, recipe: Recipe, capture: Capture) -> Request:
    """A request with the corrections of a recipe, fitted to a capture.

    The focus point, the foreground, each part of the protection, and depth or a map of the request
    override those of the recipe. Scribbles of the request are drawn after those of the recipe.
    Settings are not changed (see `resolve_with`).

    Raises
    ------
    RecipeError
        If the recipe was made for a picture of another shape.
    CaptureError
        If the foreground or a mask is none, or a model cannot be used.
    """
    height, width = shape_of(capture)
    fitted = recipe.fitted((width, height))
    foreground = request.foreground
    if foreground is None and fitted.foreground is not None:
        foreground = read_foreground(fitted.foreground, (height, width))
    focus = request.focus_point if request.focus_point is not None else fitted.focus_point
    request = replace(
        request,
        focus_point=focus,
        scribbles=(*fitted.scribbles, *request.scribbles),
        foreground=foreground,
        protection=fitted.protection.complete(request.protection, capture.linear),
    )
    if request.blur_map or request.from_depth or request.guide_depth:
        return request
    return with_depth(request, capture, recipe.from_depth, recipe.guide_depth)


def recipe_of(
    request: Request,
    capture: Capture,
    foreground: Path | None = None,
    protection: ProtectionRequest | None = None,
) -> Recipe:
    """The recipe of a request for a capture, to be written.

    Its parameters are what the settings file, an earlier recipe and the person changed.
    `foreground` is the file that the mask of the request was read from, and `protection` what its
    protection was read from.
    """
    height, width = shape_of(capture)
    settings = request.settings
    return Recipe(
        preset=settings.preset.name,
        look=settings.look if settings.preset.looks else None,
        params=settings.changed(Layer.FILE, Layer.RECIPE, Layer.PERSON),
        size_px=(width, height),
        focus_point=request.focus_point,
        scribbles=request.scribbles,
        foreground=foreground,
        from_depth=_source(request.from_depth),
        guide_depth=_source(request.guide_depth),
        protection=protection or ProtectionRequest(subject=request.protection.rectangle),
    )


def _source(given: GivenDepth | None) -> str | None:
    return given.source or None if given else None
