"""Controls of a page, made from the parameters of the stages: range, unit and help stand there."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from camerapipe.presets import SECTIONS
from camerapipe.settings import Layer, Settings

# What a person sees first, by group; the names are the only words that are not of the parameters.
GROUPS: dict[str, dict[str, str]] = {
    "Blur": {
        "radius.strength": "Strength",
        "radius.max_radius_px": "Largest radius",
        "radius.focus_ramp": "Falloff",
    },
    "Aperture": {
        "bokeh.blades": "Blades",
        "bokeh.rotation_deg": "Rotation",
        "bokeh.curvature": "Curvature",
        "bokeh.cats_eye": "Cat's eye",
    },
    "Finish": {
        "highlights.boost": "Highlights",
        "finish.grain": "Grain",
    },
}


def controls() -> list[dict[str, Any]]:
    """Groups of controls, as plain data."""
    return [
        {"name": group, "controls": [_control(key, label) for key, label in named.items()]}
        for group, named in GROUPS.items()
    ]


def values_of(settings: Settings) -> dict[str, dict[str, Any]]:
    """Value of every control, and whether a person changed it here."""
    origins = settings.origins()
    found = {}
    for named in GROUPS.values():
        for key in named:
            section, _, name = key.partition(".")
            origin = origins[section][name]
            found[key] = {"value": origin.value, "changed": origin.layer is Layer.PERSON}
    return found


def _control(key: str, label: str) -> dict[str, Any]:
    section, _, name = key.partition(".")
    spec = next(each for each in fields(SECTIONS[section]) if each.name == name)
    known = ("low", "high", "unit", "help")
    return {
        "key": key,
        "label": label,
        "whole": isinstance(spec.default, int),
        **{each: spec.metadata[each] for each in known},
    }
