"""What stands in a recipe file: its keys, and how plain TOML values become typed ones."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from camerapipe.errors import RequestError, hint
from camerapipe.ingest.depth import EMBEDDED
from camerapipe.presets import SECTIONS
from camerapipe.protecting import ProtectionRequest, rectangle_of
from camerapipe.segmentation import SegmentationModel, numbers_of
from camerapipe.settings import TEXT_ENCODING
from stages.scribble import Scribble

FORMAT_VERSION = 1
KEYS = (
    "format_version", "preset", "look", "size_px", "focus_point", "foreground", "protect",
    "subject", "protect_model", "from_depth", "guide_depth", "params", "scribbles",
)  # fmt: skip

Point = tuple[float, float]
ScribblesLike = Iterable[Scribble] | str | os.PathLike[str]


class RecipeError(RequestError):
    """A recipe, or a file of scribbles, that cannot be used."""


def read_text(path: Path) -> str:
    """Text of a file, with or without a byte order mark."""
    try:
        return path.read_text(encoding=TEXT_ENCODING)
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: is not UTF-8 text: {error.reason}") from error


def check_version(name: str, table: Mapping[str, Any]) -> None:
    """Refuse a table without a format version, or with a newer one."""
    version = table.get("format_version")
    if type(version) is not int or version < 1:
        raise RecipeError(
            f"{name}: expected format_version = {FORMAT_VERSION}, the version of its format; "
            f"got {version!r}"
        )
    if version > FORMAT_VERSION:
        raise RecipeError(
            f"{name}: has format_version {version}, and this camerapipe reads up to "
            f"{FORMAT_VERSION}; update camerapipe to use it"
        )


def check_keys(name: str, table: Mapping[str, Any]) -> None:
    """Refuse an unknown key, and name what was probably meant."""
    for key in table:
        if key in KEYS:
            continue
        if key in SECTIONS:
            raise RecipeError(f"{name}: {key!r} is a section of parameters: write [params.{key}]")
        raise RecipeError(f"{name}: key {key!r} does not exist{hint(key, KEYS)}")


def typed(name: str, key: str, value: Any, kind: type, expected: str) -> Any:
    """A value whose type is as expected, or None."""
    if value is not None and not isinstance(value, kind):
        raise RecipeError(f"{name}: {key}: expected {expected}; got {value!r}")
    return value


def size_of(name: str, value: Any) -> tuple[int, int] | None:
    """Width and height in px, or None."""
    if value is None:
        return None
    if isinstance(value, list) and len(value) == 2:
        width, height = value
        if type(width) is type(height) is int and min(width, height) > 0:
            return width, height
    raise RecipeError(f"{name}: size_px: expected [width, height] in pixels; got {value!r}")


def point_of(name: str, value: Any) -> Point | None:
    """A point (x, y) in px, or None."""
    if value is None:
        return None
    if isinstance(value, list) and len(value) == 2:
        x, y = value
        if all(type(at) in (int, float) and math.isfinite(at) for at in (x, y)):
            return float(x), float(y)
    raise RecipeError(f"{name}: focus_point: expected [x, y] in pixels; got {value!r}")


def strokes_of(place: str, value: Any) -> tuple[Scribble, ...]:
    """Scribbles from plain tables; the message numbers the strokes from 1."""
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise RecipeError(f"{place}: expected a list of strokes")
    found = []
    for number, plain in enumerate(value, 1):
        try:
            found.append(Scribble.from_plain(plain))
        except ValueError as error:
            raise RecipeError(f"{place}: stroke {number}: {error}") from error
    return tuple(found)


def path_of(name: str, key: str, value: Any, folder: str | os.PathLike[str]) -> Path | None:
    """A path that is relative to the folder of the recipe, or None."""
    text = typed(name, key, value, str, "the path of a picture")
    return None if text is None else Path(os.path.normpath(Path(folder, text)))


def depth_of(name: str, key: str, value: Any, folder: str | os.PathLike[str]) -> str | None:
    """A path as of `path_of`, or the word for depth in the capture itself, or None."""
    return value if value == EMBEDDED else _text(path_of(name, key, value, folder))


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def protection_of(
    name: str, table: Mapping[str, Any], folder: str | os.PathLike[str]
) -> ProtectionRequest:
    """What a recipe asks to be kept sharp; paths are relative to its folder."""
    subject = typed(name, "subject", table.get("subject"), list, "[x, y, width, height]")
    plain = typed(name, "protect_model", table.get("protect_model"), dict, "a table")
    return ProtectionRequest(
        mask=path_of(name, "protect", table.get("protect"), folder),
        subject=None if subject is None else rectangle_of(f"{name}: subject", subject),
        model=None if plain is None else _model_of(f"{name}: protect_model", plain, folder),
    )


def _model_of(
    place: str, plain: Mapping[str, Any], folder: str | os.PathLike[str]
) -> SegmentationModel:
    values = dict(plain)
    known = [each.name for each in fields(SegmentationModel)]
    for key in values:
        if key not in known:
            raise RecipeError(f"{place}: key {key!r} does not exist{hint(key, known)}")
    if "path" not in values:
        raise RecipeError(f"{place}: path is missing")
    values["path"] = path_of(place, "path", values["path"], folder)
    for key in ("mean", "scale"):
        if key in values:
            numbers = values[key] if isinstance(values[key], list) else [values[key]]
            values[key] = numbers_of(f"{place}: {key}", numbers)
    if "input_px" in values:
        values["input_px"] = size_of(place, values["input_px"])
    return SegmentationModel(**values)


def given_scribbles(value: ScribblesLike) -> tuple[Scribble, ...]:
    """Scribbles of an argument: strokes, or the path of a JSON file; `RequestError` if neither."""
    if isinstance(value, str | os.PathLike):
        return read_scribbles(value)
    strokes = tuple(value) if isinstance(value, Iterable) else (value,)
    for stroke in strokes:
        if not isinstance(stroke, Scribble):
            raise RequestError(
                "scribbles: expected Scribble objects, or the path of a .json file; "
                f"got {type(stroke).__name__}"
            )
    return strokes


def read_scribbles(path: str | os.PathLike[str]) -> tuple[Scribble, ...]:
    """Read scribbles from a JSON list; `RecipeError` names the stroke that cannot be used."""
    path = Path(path)
    text = read_text(path)
    try:
        strokes = json.loads(text)
    except ValueError as error:
        raise RecipeError(f"{path}: is not JSON: {error}") from error
    except RecursionError:
        raise RecipeError(f"{path}: is not JSON of strokes: it is nested too deeply") from None
    return strokes_of(str(path), strokes)
