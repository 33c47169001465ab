"""Settings in layers: of the values of a parameter, that of the highest layer counts.

    default < preset < capture < rung < file < recipe < person

A preset, the kind of a capture and a rung of the quality ladder change defaults. They never replace
a value of a settings file, a recipe or a person, even if this value equals the default.
"""

from __future__ import annotations

import functools
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

from camerapipe.errors import RequestError, hint
from camerapipe.presets import DEFAULT, LENS, LOOKS, PRESETS, SECTIONS, Preset, graphs
from stages.params import Params, expectation

TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
PRESET, LOOK = "preset", "look"  # keys of a settings file
OPTIONS = {  # that set one parameter
    "radius.strength": "strength",
    "radius.focus_ramp": "falloff",
    "depth.aperture": "aperture",
}
TEXT_ENCODING = "utf-8-sig"  # editors may put a byte order mark first

Changes = Mapping[str, Mapping[str, Any]]  # parameters by section


class SettingsError(RequestError):
    """A setting that does not exist or does not fit."""


class Layer(IntEnum):
    """Origin of a value; a higher layer overrides a lower one."""

    DEFAULT = 0
    PRESET = 1
    CAPTURE = 2  # depends on the kind of file
    RUNG = 3  # of the quality ladder, or of the ladder of the check
    FILE = 4
    RECIPE = 5
    PERSON = 6


class Origin(NamedTuple):
    """A value, its layer, and the name of the preset, file or rung that set it."""

    value: Any
    layer: Layer
    name: str = ""


@dataclass(frozen=True, eq=False)
class Settings:
    """A preset, its look, and the changes of each layer; immutable."""

    preset: Preset
    look: str = LENS
    layers: Mapping[Layer, Changes] = field(default_factory=dict)
    names: Mapping[Layer, str] = field(default_factory=dict)  # of layers that have one

    def with_layer(self, layer: Layer, changes: Changes, name: str = "") -> Settings:
        """Settings with a layer added or replaced.

        Raises
        ------
        SettingsError
            If a parameter does not exist or a value does not fit.
        """
        layers = {**self.layers, layer: _checked("", changes)}
        found = replace(self, layers=layers, names={**self.names, layer: name})
        found.params  # noqa: B018 - checked when built
        return found

    def changed_by_person(
        self, changes: Changes | None, *, strength: float | None = None
    ) -> Settings:
        """Settings with further changes of a person; `strength` as for `resolve`."""
        merged = self.changed(Layer.PERSON)
        for section, values in _checked("", _with_strength(changes, strength)).items():
            merged.setdefault(section, {}).update(values)
        return self.with_layer(Layer.PERSON, merged)

    def with_look(self, look: str) -> Settings:
        """Settings with another look of the preset; `SettingsError` if it does not exist."""
        _check_look(self.preset, look)
        name = self.preset.name if look == LENS else f"{self.preset.name}, look {look}"
        changed = self.with_layer(Layer.PRESET, _overlaid(self.preset.params, LOOKS[look]), name)
        return replace(changed, look=look)

    @functools.cached_property
    def params(self) -> Mapping[type[Params], Params]:
        """Resulting parameters, by their type."""
        merged = self._merged()
        try:
            return {
                kind: kind(**{key: origin.value for key, origin in merged[section].items()})
                for section, kind in SECTIONS.items()
            }
        except ValueError as error:
            raise SettingsError(_with_option(str(error))) from error

    def origins(self) -> Mapping[str, Mapping[str, Origin]]:
        """Value and origin of every parameter, by section."""
        merged = self._merged()
        return {
            section: {
                spec.name: merged[section].get(spec.name, Origin(spec.default, Layer.DEFAULT))
                for spec in fields(kind)
            }
            for section, kind in SECTIONS.items()
        }

    def changed(self, *layers: Layer) -> dict[str, dict[str, Any]]:
        """Changes of several layers together; higher layers override lower ones."""
        found: dict[str, dict[str, Any]] = {}
        for layer in sorted(layers):
            for section, changes in self.layers.get(layer, {}).items():
                found.setdefault(section, {}).update(changes)
        return found

    def _merged(self) -> dict[str, dict[str, Origin]]:
        """Values and origins of the parameters that any layer sets, by section."""
        merged: dict[str, dict[str, Origin]] = {section: {} for section in SECTIONS}
        for layer in sorted(self.layers):
            name = self.names.get(layer, "")
            for section, changes in self.layers[layer].items():
                for key, value in changes.items():
                    merged[section][key] = Origin(value, layer, name)
        return merged


def resolve(
    preset: str | None = None,
    config: str | os.PathLike[str] | None = None,
    overrides: Sequence[str] = (),
    values: Changes | None = None,
    *,
    recipe: tuple[str, Changes] | None = None,
    strength: float | None = None,
    look: str | None = None,
) -> Settings:
    """Combine preset, settings file, recipe, and the values of a person.

    Parameters
    ----------
    preset : str, optional
        Name of a preset; overrides the one that a settings file names.
    config : path, optional
        A TOML settings file: `preset = "..."`, `look = "..."` and a table for each section.
    overrides : sequence of str
        Texts `section.param=value`.
    values : mapping, optional
        Parameters by section; they override `overrides`.
    recipe : (name, mapping), optional
        Name and parameters of a recipe.
    strength : float, optional
        Short for `values={"radius": {"strength": strength}}`.
    look : str, optional
        "lens" (faithful) or "portrait" (the subject is held sharp); overrides the one of a settings
        file.

    Returns
    -------
    Settings
        The layers combined.

    Raises
    ------
    SettingsError
        If a name does not exist or a value does not fit; the message suggests a similar name.
    """
    table = read_config(Path(config)) if config else {}
    named, looked = table.pop(PRESET, DEFAULT), table.pop(LOOK, LENS)
    name = str(preset or named)
    if name not in PRESETS:
        raise SettingsError(f"preset {name!r} does not exist{hint(name, PRESETS)}")
    person: dict[str, dict[str, Any]] = {}
    for source in (_parse(overrides), _with_strength(values, strength)):
        for section, changes in _checked("", source).items():
            person.setdefault(section, {}).update(changes)
    chosen, file = PRESETS[name], str(config or "")
    layers: dict[Layer, Changes] = {Layer.PRESET: _checked("", chosen.params)}
    if config:
        layers[Layer.FILE] = _checked(f"{file}: ", table)
    if recipe:
        layers[Layer.RECIPE] = _checked(f"{recipe[0]}: ", recipe[1])
    names = {Layer.PRESET: name, Layer.FILE: file, Layer.RECIPE: recipe[0] if recipe else ""}
    settings = Settings(chosen, LENS, layers, names).with_layer(Layer.PERSON, person)
    return settings.with_look(str(look or looked))


def toml_of(text: str) -> dict[str, Any]:
    """Table of a TOML text; `tomllib.TOMLDecodeError` also if it is nested too deeply."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise tomllib.TOMLDecodeError("it is nested too deeply") from None


def read_config(path: Path) -> dict[str, Any]:
    """Read a settings file: `preset`, `look`, and a table for each section."""
    try:
        return toml_of(path.read_text(encoding=TEXT_ENCODING))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: is not TOML: {error}") from error


def _check_look(preset: Preset, look: str) -> None:
    """Check that a preset has a look; `SettingsError` if not."""
    if look not in LOOKS:
        raise SettingsError(f"look {look!r} does not exist{hint(look, LOOKS)}")
    if look != LENS and not preset.looks:
        raise SettingsError(f"preset {preset.name!r} has no looks; leave out look {look!r}")


def _overlaid(below: Changes, above: Changes) -> Changes:
    """Changes of two layers in one; those of `above` override those of `below`."""
    return {key: {**below.get(key, {}), **above.get(key, {})} for key in {**below, **above}}


def with_values(changes: Changes | None, section: str, values: Mapping[str, Any]) -> Changes:
    """Changes with values of a section added; the values override those of the changes."""
    if not isinstance(changes, Mapping | None):
        raise SettingsError(
            "params: expected parameters by section, such as {'radius': {'strength': 3.0}}; "
            f"got {changes!r}"
        )
    changes = changes or {}
    if not values:
        return changes
    _check_section("", section, present := changes.get(section, {}))
    return {**changes, section: {**present, **values}}


def _with_strength(changes: Changes | None, strength: float | None) -> Changes:
    """Changes with the strength added, if it is given."""
    return with_values(changes, "radius", {} if strength is None else {"strength": strength})


def _parse(overrides: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Changes from texts `section.param=value`; values are still texts."""
    parsed: dict[str, dict[str, Any]] = {}
    for text in overrides:
        name, sign, value = text.partition("=")
        section, dot, key = name.strip().partition(".")
        if not (sign and dot and key):
            raise SettingsError(f"--set {text!r}: expected section.param=value")
        parsed.setdefault(section, {})[key] = value.strip()
    return parsed


def _with_option(message: str) -> str:
    """The message about a parameter, with the name of the option that also sets it."""
    name = message.partition(":")[0]
    return f"{OPTIONS[name]} ({name}){message[len(name) :]}" if name in OPTIONS else message


def _checked(place: str, changes: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Changes with texts converted to values; an error if a section or parameter does not exist."""
    found: dict[str, dict[str, Any]] = {}
    for section, values in changes.items():
        _check_section(place, section, values)
        kind = SECTIONS[section]
        found[section] = {key: _fit(kind, key, value) for key, value in values.items()}
    return found


def _check_section(place: str, section: str, changes: Any) -> None:
    """Check that a section and its parameters exist; `SettingsError` if not."""
    if section not in SECTIONS:
        raise SettingsError(f"{place}section {section!r} does not exist{_section_hint(section)}")
    if not isinstance(changes, Mapping):
        raise SettingsError(f"{place}{section} is a section: expected a table [{section}]")
    known = [spec.name for spec in fields(SECTIONS[section])]
    for key in changes:
        if key not in known:
            raise SettingsError(f"{place}{section}.{key} does not exist{hint(key, known)}")


def _section_hint(name: str) -> str:
    """Text for an unknown section; if it is the name of a stage, it names the section of that."""
    nodes = (node for graph in graphs().values() for node in graph.nodes)
    node = next((node for node in nodes if node.name == name), None)
    if node is None:
        return hint(name, SECTIONS)
    if node.params is None:
        return f": {name!r} is a stage without parameters"
    return f": {name!r} is a stage, and its parameters are in section {node.params.stage()!r}"


def _fit(kind: type[Params], key: str, value: Any) -> Any:
    """Value for a parameter: text is converted to its type; `Params` checks the range later."""
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
