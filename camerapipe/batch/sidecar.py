"""Recipes beside photographs, and the digest of all that decides how a picture comes out.

`IMG_1.recipe.toml` belongs to `IMG_1.DNG` and to any other photograph of that stem. Key by key, it
overrides the recipe that is common to the batch, and the command line overrides it.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

from camerapipe.batch.order import Asked, Work
from camerapipe.recipe import Recipe

ENDING = ".recipe.toml"
DIGEST_BYTES = 16


def sidecar_of(source: str) -> Path | None:
    """The recipe beside a photograph, if there is one."""
    path = os.path.splitext(source)[0] + ENDING
    return Path(path) if os.path.isfile(path) else None


def layered(own: Recipe, common: Recipe | None) -> Recipe:
    """A recipe with what it lacks from the common one.

    Keys count one by one, and each parameter is one. Coordinates of the common recipe are scaled to
    the size that the other one is for.

    Raises
    ------
    RecipeError
        If they are for pictures of different aspect ratios.
    """
    if common is None:
        return own
    if own.size_px is not None:
        common = common.fitted(own.size_px)
    params = {section: dict(values) for section, values in common.params.items()}
    for section, values in own.params.items():
        params.setdefault(section, {}).update(values)
    return replace(
        own,
        preset=own.preset or common.preset,
        look=own.look or common.look,
        params=params,
        size_px=own.size_px or common.size_px,
        focus_point=own.focus_point or common.focus_point,
        scribbles=own.scribbles or common.scribbles,
        foreground=own.foreground or common.foreground,
        from_depth=own.from_depth or common.from_depth,
        guide_depth=own.guide_depth or common.guide_depth,
        protection=own.protection.over(common.protection),
    )


def digest_of(asked: Asked, work: Work) -> bytes:
    """Digest of what is asked of a file, and of size and time of the files that this names."""
    request, recipe = asked.request, asked.recipe
    values: list[object] = [
        request.settings.preset.name,
        sorted(map(repr, request.settings.params.values())),
        (request.budget, request.focus_point, request.distance_m, request.scribbles, request.force),
        (work.writing, work.from_depth, work.guide_depth, work.protection),
    ]
    paths = work.protection.paths()
    if recipe is not None:
        values.append(replace(recipe, params={}, name=""))
        depths = (recipe.from_depth, recipe.guide_depth)
        named = (recipe.foreground, *(Path(depth) for depth in depths if depth))
        paths += (*filter(None, named), *recipe.protection.paths())
    values += [_signature(path) for path in paths]
    text = repr(values).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=DIGEST_BYTES).digest()


def _signature(path: Path) -> tuple[int, int] | None:
    """Size and time of change of a file; None if it does not exist."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
