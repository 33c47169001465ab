"""`camerapipe settings`: every parameter, its value, and who set it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from camerapipe.cli.common import (
    json_option,
    recipe_option,
    request_errors,
    settings_options,
)

if TYPE_CHECKING:
    from camerapipe.settings import Origin, Settings


@click.command("settings")
@settings_options
@recipe_option
@click.option("--rung", metavar="NAME", help="as on this rung of the quality ladder of streams")
@click.option("--changed", is_flag=True, help="only what differs from the default or was set")
@json_option
@request_errors
def settings_command(
    preset: str | None,
    look: str | None,
    config: Path | None,
    overrides: tuple[str, ...],
    recipe_from: Path | None,
    rung: str | None,
    changed: bool,
    as_json: bool,
) -> None:
    """Show every parameter, its value, and who set it.

    A value is set by the first of these that names it: the person (--set), the recipe, the settings
    file, the rung, the preset, the default.
    """
    from camerapipe.recipe import Recipe, resolve_with
    from camerapipe.settings import Layer

    recipe = Recipe.read(recipe_from) if recipe_from else None
    settings = resolve_with(recipe, preset, config, overrides, look=look)
    if rung is not None:
        settings = _on_rung(settings, rung)
    shown = {
        section: {
            key: origin
            for key, origin in origins.items()
            if not changed or origin.layer is not Layer.DEFAULT
        }
        for section, origins in settings.origins().items()
    }
    if as_json:
        click.echo(json.dumps({name: _plain(origins) for name, origins in shown.items()}))
        return
    rows = [
        (f"{section}.{key}", str(origin.value), _by(origin))
        for section, origins in shown.items()
        for key, origin in origins.items()
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    for name, value, origin in rows:
        click.echo(f"{name:<{widths[0]}}  {value:<{widths[1]}}  {origin}")


def _on_rung(settings: Settings, name: str) -> Settings:
    """Settings as a stream has them on a rung."""
    from camerapipe.errors import RequestError, hint
    from camerapipe.levels import LADDER
    from camerapipe.settings import Layer

    rungs = {rung.name: rung for rung in LADDER}
    if name not in rungs:
        raise RequestError(f"rung {name!r} does not exist{hint(name, rungs)}")
    if not settings.preset.live:
        raise RequestError(f"preset {settings.preset.name!r} has no rungs: it is for stills only")
    return settings.with_layer(Layer.RUNG, rungs[name].params, name)


def _plain(origins: dict[str, Origin]) -> dict[str, dict[str, object]]:
    return {
        key: {"value": origin.value, "layer": origin.layer.name.lower(), "name": origin.name}
        for key, origin in origins.items()
    }


def _by(origin: Origin) -> str:
    return f"{origin.layer.name.lower()} {origin.name}".strip()
