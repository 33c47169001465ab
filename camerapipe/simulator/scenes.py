"""Scenes for a simulated camera: scenery, and how the camera is held before it.

A scene is a name (`stages.forward.SCENERIES`), or a TOML file:

    scenery = "portrait"     # made from nothing
    subject_m = 0.8
    background_m = 5.0
    lux = 300                # or [[0, 300], [2.5, 20]]: steps in time (s)
    shake_mrad = 0.5         # standard deviation of the angle

or, for a picture with measured disparity beside it (NPY, EXR, TIFF or 16-bit PNG):

    picture = "left.png"
    disparity = "disparity.npy"
    disparity_unit = 1.0     # px per value
    focal_px = 995
    baseline_m = 0.193
    offset_px = 0            # added to disparities
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from camerapipe.errors import CaptureError, RequestError, hint
from camerapipe.ingest import open_capture
from camerapipe.settings import toml_of
from stages.forward import SCENERIES, Scenery, Stereo, Tremor, make_scenery, rgbd_scenery
from stages.forward import still as held_still
from stages.forward.motion import PoseAt, steps
from stages.params import Array

MADE = {"scenery", "subject_m", "background_m", "lux", "shake_mrad", "seed"}
MEASURED = {
    "picture", "disparity", "disparity_unit", "focal_px", "baseline_m", "offset_px", "lux",
    "shake_mrad",
}  # fmt: skip
USUAL_LUX = 300.0  # of a measured scene
NEEDED = ("picture", "disparity", "focal_px", "baseline_m")


@dataclass(frozen=True, slots=True)
class Scene:
    """What a camera sees.

    Attributes
    ----------
    scenery : Scenery
        Surfaces at known distances, and their light.
    pose : callable
        Pose of the camera by the time in s.
    """

    scenery: Scenery
    pose: PoseAt = held_still()


def make_scene(
    name: str,
    *,
    subject_m: float = 1.0,
    background_m: float = 6.0,
    lux: float | Callable[[float], float] | None = None,
    shake_mrad: float = 0.0,
    seed: int = 0,
) -> Scene:
    """A scene that is made from nothing.

    Parameters
    ----------
    name : str
        Of the scenery.
    subject_m, background_m : float
        Distances from the camera.
    lux : float or callable, optional
        Light level, or that by the time in s.
    shake_mrad : float
        Shake of the hand: standard deviation of the angle, mrad.
    seed : int
        Of scenery and shake.

    Raises
    ------
    RequestError
        If there is no such scenery, or a value is out of range.
    """
    if name not in SCENERIES:
        raise RequestError(f"scene {name!r} does not exist{hint(name, SCENERIES)}")
    try:
        scenery = make_scenery(
            name, subject_m=subject_m, background_m=background_m, lux=lux, seed=seed
        )
    except ValueError as error:
        raise RequestError(f"scene: {error}") from error
    return Scene(scenery, _held(shake_mrad, seed))


def is_scene(text: str) -> bool:
    """Whether a text names a scene, and not a recording."""
    return text in SCENERIES or text.endswith(".toml")


def read_scene(text: str, seed: int = 0) -> Scene:
    """A scene by its name or file; `seed` is that of scenery and shake.

    Raises
    ------
    CaptureError
        If a file cannot be read.
    RequestError
        If there is no such scene, or a key or value does not fit.
    """
    if not text.endswith(".toml"):
        return make_scene(text, seed=seed)
    path = Path(text)
    try:
        table = toml_of(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CaptureError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CaptureError(f"{path}: is not TOML: {error}") from error
    try:
        return _measured(table, path.parent, seed) if "picture" in table else _made(table, seed)
    except (RequestError, ValueError, TypeError) as error:
        raise RequestError(f"{path}: {error}") from error


def _made(table: dict[str, Any], seed: int) -> Scene:
    _check_keys(table, MADE)
    if "scenery" not in table:
        raise RequestError("scenery or picture is missing")
    given = {"seed": seed} | table
    name = given.pop("scenery")
    return make_scene(name, **given | {"lux": _level(table.get("lux"))})


def _measured(table: Mapping[str, Any], folder: Path, seed: int) -> Scene:
    _check_keys(table, MEASURED)
    for key in NEEDED:
        if key not in table:
            raise RequestError(f"{key} is missing")
    capture = open_capture(folder / table["picture"])
    disparity = _plane(folder / table["disparity"]) * float(table.get("disparity_unit", 1.0))
    stereo = Stereo(
        float(table["focal_px"]), float(table["baseline_m"]), float(table.get("offset_px", 0.0))
    )
    level = _level(table.get("lux", USUAL_LUX))
    assert level is not None
    scenery = rgbd_scenery(
        np.ascontiguousarray(np.clip(capture.linear, 0, 1)), disparity.astype(np.float32), stereo,
        name=capture.name, lux=level,
    )  # fmt: skip
    return Scene(scenery, _held(float(table.get("shake_mrad", 0.0)), seed))


def _plane(path: Path) -> Array:
    """Values of a file with one channel, HxW float32."""
    try:
        if path.suffix.lower() == ".npy":
            values = np.load(path, allow_pickle=False)
        else:
            data = np.frombuffer(path.read_bytes(), np.uint8)
            values = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    except (OSError, ValueError) as error:
        raise CaptureError(f"{path}: cannot be read: {error}") from error
    if values is None or np.ndim(values) != 2:
        raise CaptureError(f"{path}: expected disparities with one channel, HxW")
    return np.asarray(values, np.float32)


def _level(lux: Any) -> float | Callable[[float], float] | None:
    """Light level: a number, or steps in time."""
    if lux is None or isinstance(lux, int | float):
        return lux
    try:
        return steps(*((float(since_s), float(value)) for since_s, value in lux))
    except (TypeError, ValueError) as error:
        raise RequestError(f"lux: expected a number, or pairs of s and lux; got {lux!r}") from error


def _held(shake_mrad: float, seed: int) -> PoseAt:
    if not 0 <= shake_mrad < 1000:
        raise RequestError(f"shake_mrad: expected an angle from 0; got {shake_mrad}")
    held = held_still()
    return Tremor(shake_mrad / 1000, seed).shaken(held) if shake_mrad else held


def _check_keys(table: Mapping[str, Any], known: set[str]) -> None:
    for key in table:
        if key not in known:
            raise RequestError(f"{key}: there is no such key{hint(key, known)}")


SceneLike = str | os.PathLike[str] | Scene
