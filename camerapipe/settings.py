"""From preset, settings file and `stage.param=value` to the parameters of every stage."""

from __future__ import annotations

import difflib
import json
import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from camerapipe.capture import RequestError
from camerapipe.pipelines import PRESETS, SECTIONS, Preset
from stages.params import Params, expectation
from stages.scribble import Scribble

TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


class SettingsError(RequestError):
    """A setting that does not exist or does not fit."""


@dataclass(frozen=True, slots=True)
class Settings:
    """A preset with its parameters resolved: later sources override earlier ones."""

    preset: Preset
    params: Mapping[type[Params], Params]


def resolve(
    preset: str | None = None,
    config: str | os.PathLike[str] | None = None,
    overrides: Sequence[str] = (),
    values: Mapping[str, Mapping[str, Any]] | None = None,
) -> Settings:
    """Combine preset, settings file, `stage.param=value` texts and typed values, in this order."""
    table = read_config(Path(config)) if config else {}
    named = table.pop("preset", "default")
    name = str(preset or named)
    if name not in PRESETS:
        raise SettingsError(f"preset {name!r} does not exist{_hint(name, PRESETS)}")
    chosen = PRESETS[name]
    merged: dict[str, dict[str, Any]] = {s: dict(v) for s, v in chosen.params.items()}
    for source, place in ((table, f"{config}: "), (_parse(overrides), ""), (values or {}, "")):
        for section, changes in source.items():
            _check_section(place, section, changes)
            merged.setdefault(section, {}).update(changes)
    try:
        built = {
            kind: kind(**{k: _fit(kind, k, v) for k, v in merged.get(kind.stage(), {}).items()})
            for kind in SECTIONS.values()
        }
    except ValueError as error:
        raise SettingsError(str(error)) from error
    return Settings(chosen, built)


def read_config(path: Path) -> dict[str, Any]:
    """Read a settings file: `preset = "..."` and one table for every stage."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: is not TOML: {error}") from error


def read_scribbles(path: str | os.PathLike[str]) -> tuple[Scribble, ...]:
    """Read a JSON list of `{"points": [[x, y], ...], "width_px": 6, "kind": "sharp"}`."""
    try:
        plain = json.loads(Path(path).read_text(encoding="utf-8"))
        if not (isinstance(plain, list) and all(isinstance(stroke, dict) for stroke in plain)):
            raise ValueError("expected a list of scribbles")
        return tuple(Scribble.from_plain(stroke) for stroke in plain)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(f"{path}: {error}") from error


def _parse(overrides: Sequence[str]) -> dict[str, dict[str, Any]]:
    parsed: dict[str, dict[str, Any]] = {}
    for text in overrides:
        name, sign, value = text.partition("=")
        section, dot, key = name.strip().partition(".")
        if not (sign and dot and key):
            raise SettingsError(f"--set {text!r}: expected stage.param=value")
        parsed.setdefault(section, {})[key] = value.strip()
    return parsed


def _check_section(place: str, section: str, changes: Any) -> None:
    if section not in SECTIONS:
        raise SettingsError(f"{place}stage {section!r} does not exist{_hint(section, SECTIONS)}")
    if not isinstance(changes, Mapping):
        raise SettingsError(f"{place}{section} is a stage: expected a table [{section}]")
    known = [spec.name for spec in fields(SECTIONS[section])]
    for key in changes:
        if key not in known:
            raise SettingsError(f"{place}{section}.{key} does not exist{_hint(key, known)}")


def _fit(kind: type[Params], key: str, value: Any) -> Any:
    """Turn text into the type of its parameter; everything else is for `Params` to judge."""
    spec = next(s for s in fields(kind) if s.name == key)
    wanted: type = type(spec.default)
    if not isinstance(value, str) or wanted is str:
        return value
    lowered = value.lower()
    if wanted is bool and lowered in TRUE + FALSE:
        return lowered in TRUE
    try:
        return wanted(value) if wanted is not bool else value
    except ValueError:
        raise SettingsError(
            f"{kind.stage()}.{key}: expected {expectation(spec)}; got {value!r}"
        ) from None


def _hint(name: str, known: Iterable[str]) -> str:
    names = list(known)
    close = difflib.get_close_matches(name, names, 1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are: {', '.join(names)}"
