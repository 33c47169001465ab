"""The ways in which a benchmark asks the camera for a picture: one place that knows its API.

Grain is off everywhere, because truth has none.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy.typing as npt

import camerapipe
from stages.params import Array

FAITHFUL, PORTRAIT = "lens", "portrait"  # the two looks
PARAMS = {"finish": {"grain": 0.0}}


class NoLookError(Exception):
    """The camera does not have the look that was asked for."""


def knows_looks() -> bool:
    """Whether this camera has looks; one without renders faithfully or not at all."""
    return "look" in inspect.signature(camerapipe.render).parameters


def take(picture: npt.NDArray[Any], strength: float, look: str = FAITHFUL, **more: Any) -> Any:
    """Render a picture with a look, whatever the capture check says of it.

    Parameters
    ----------
    picture : array
        As `camerapipe.render` takes it.
    strength : float
        Magnification of the defocus.
    look : str
        "lens" or "portrait".
    **more
        Further arguments of `camerapipe.render`.

    Raises
    ------
    NoLookError
        If this camera does not have the look.
    """
    if knows_looks():
        more["look"] = look
    elif look != FAITHFUL:
        raise NoLookError(f"this camera has no --look {look}")
    return camerapipe.render(picture, strength=strength, force=True, params=PARAMS, **more)


def take_paper(picture: npt.NDArray[Any], strength: float) -> Any:
    """Render with the paper's preset, which has a mapping of its own and no look."""
    return camerapipe.render(picture, strength=strength, force=True, params=PARAMS, preset="paper")


def sigma_of(picture: npt.NDArray[Any], **more: Any) -> Array:
    """Blur map at full resolution, px; nothing is rendered at strength 1."""
    return take(picture, 1.0, **more).blur_map.sigma
