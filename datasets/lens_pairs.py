"""Scenes photographed through a lens and through one 2.5 times as wide, by name.

Half of them chooses defaults (`CHOOSING`), the other half reports (`REPORTING`); every kind of
scene is in both, so that no parameter need be chosen on a scene that reports it. The scenes of
Middlebury and the photographs need files (`datasets.defocus_scenes`); where these are absent the
scene is None. The others are made from nothing (`datasets.made_scenes`). Both photographs are kept
on disk once made (`datasets.kept`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from datasets import defocus_scenes, layered, made_scenes, scenes, strands
from datasets.defocus_scenes import SOURCE_SIGMA_PX, Scene, load_scene
from datasets.kept import Arrays, digest, kept
from datasets.layered import Layered, Region, codes_of, encoded_of, photographs
from datasets.made_scenes import (
    black_ground,
    cards,
    cells,
    foreground,
    large_matte,
    leafy_ground,
    matte,
    night,
    planes,
    slant,
    white_ground,
)
from stages import scene as forward_model
from stages.bokeh import disk
from stages.params import Array
from stages.scene import lens_blur

TIMES = 2.5  # how many times as wide the other lens is
MADE_BY = tuple(
    Path(str(room.__file__))
    for room in (forward_model, disk, defocus_scenes, layered, made_scenes, scenes, strands)
)
SHAPE = (600, 800)
LARGE, LARGEST = (3000, 4000), (4000, 6000)  # 12 and 24 MP
LONG = (1000, 4000)  # as long as the large ones, and quicker
NIGHT_PX = {"night a": 5.0, "night b": 6.5}  # blur of the lamps

BENCH = ("teddy", "aloe", "cones", "motorcycle")
# A scene of `datasets.defocus_scenes`, and the defocus (px) of the depth that is in focus.
TRACED = dict.fromkeys(BENCH, 0.0) | {
    "teddy middle": 2.5,
    "cones middle": 2.5,
    "china": 0.0,
    "astronaut": 0.0,
    "ball": 0.0,
    "leaves": 0.0,
}
MADE: dict[str, Callable[[], Layered]] = {
    "white a": partial(matte, SHAPE, 1, 8.0, white_ground, 0.72),
    "white b": partial(matte, SHAPE, 21, 6.0, white_ground, 0.76),
    "black a": partial(matte, SHAPE, 2, 8.0, black_ground, 0.3),
    "black b": partial(matte, SHAPE, 22, 5.0, black_ground, 0.26),
    "leafy a": partial(matte, SHAPE, 3, 6.0, leafy_ground, 0.6),
    "leafy b": partial(matte, SHAPE, 23, 8.0, leafy_ground, 0.66),
    "night a": partial(night, SHAPE, 4, NIGHT_PX["night a"], TIMES),
    "night b": partial(night, SHAPE, 24, NIGHT_PX["night b"], TIMES),
    "slant a": partial(slant, SHAPE, 5, 0.8, across=False),
    "slant b": partial(slant, SHAPE, 25, 0.5, across=True),
    "cards a": partial(cards, SHAPE, 6, 0.0, 6.0),
    "cards b": partial(cards, SHAPE, 26, 0.25, 7.0),
    "cards c": partial(cards, SHAPE, 7, 0.5, 8.0),
    "cards d": partial(cards, SHAPE, 27, 0.5, 6.0),
    "foreground a": partial(foreground, SHAPE, 8, 6.0, 4.0),
    "foreground b": partial(foreground, SHAPE, 28, 4.0, 6.0),
    "large white a": partial(large_matte, LARGE, 11, 40.0, white_ground, 0.72),
    "large white b": partial(large_matte, LARGE, 31, 32.0, white_ground, 0.76),
    "large leafy a": partial(large_matte, LARGE, 12, 25.0, leafy_ground, 0.6),
    "large black b": partial(large_matte, LARGEST, 32, 40.0, black_ground, 0.3),
}
# Without a wider lens: two planes of cells or leaves, for maps of large blur.
COLOURED_CELLS = partial(cells, side_px=10, coloured_cells=True)
GREY_CELLS = partial(cells, side_px=8, coloured_cells=False)
PLANES: dict[str, Callable[[], Layered]] = {
    "planes 12 a": partial(planes, LARGE, 9, 12.0, COLOURED_CELLS),
    "planes 20 a": partial(planes, LARGE, 9, 20.0, COLOURED_CELLS),
    "long planes 12 a": partial(planes, LONG, 10, 12.0, COLOURED_CELLS),
    "long planes 20 a": partial(planes, LONG, 10, 20.0, COLOURED_CELLS),
    "long planes 12 b": partial(planes, LONG, 29, 12.0, GREY_CELLS),
    "long planes 20 b": partial(planes, LONG, 29, 20.0, GREY_CELLS),
    "leafy planes 12 b": partial(planes, LONG, 30, 12.0, leafy_ground),
    "leafy planes 20 b": partial(planes, LONG, 30, 20.0, leafy_ground),
}
CHOOSING = (
    "teddy", "aloe", "teddy middle", "china", "ball", "white a", "black a", "leafy a", "night a",
    "slant a", "cards a", "cards c", "foreground a", "large white a", "large leafy a",
    "planes 12 a", "planes 20 a", "long planes 12 a", "long planes 20 a",
)  # fmt: skip
REPORTING = (
    "cones", "motorcycle", "cones middle", "astronaut", "leaves", "white b", "black b", "leafy b",
    "night b", "slant b", "cards b", "cards d", "foreground b", "large white b", "large black b",
    "long planes 12 b", "long planes 20 b", "leafy planes 12 b", "leafy planes 20 b",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LensPair:
    """A scene through both lenses; pictures are display-encoded HxWx3 float32 in [0, 1].

    `defocus` is the true blur of each pixel of `light`, px. `truth` shows the region alone (None
    for `PLANES`), and so do the colour of the subject (`near`), what the wider lens shows behind
    it (`far`) and the mask of its hairs (`strands`). `balls` are centres (y, x) of isolated lamps,
    whose radius in the truth is `ball_px`.
    """

    name: str
    light: Array
    defocus: Array
    truth: Array | None = None
    region: Region = layered.WHOLE
    near: Array | None = None
    far: Array | None = None
    strands: npt.NDArray[np.bool_] | None = None
    balls: npt.NDArray[np.float64] | None = None
    ball_px: float = 0.0

    @property
    def sigma(self) -> Array:
        """True blur: the defocus and the source's own blur, in variance."""
        return np.sqrt(self.defocus**2 + np.float32(SOURCE_SIGMA_PX**2))

    @property
    def half(self) -> str:
        """`choosing` or `reporting`."""
        return "choosing" if self.name in CHOOSING else "reporting"


def load_pair(name: str, data: Path, truth: Path) -> LensPair | None:
    """Photograph a named scene through both lenses, or read what was made before.

    Parameters
    ----------
    name : str
        One of `CHOOSING` or `REPORTING`.
    data : Path
        Folder of the pictures that some scenes need.
    truth : Path
        Folder where photographs are kept.

    Returns
    -------
    LensPair or None
        None where the files of the scene are absent.
    """
    if name in MADE or name in PLANES:
        make, times = (MADE[name], TIMES) if name in MADE else (PLANES[name], 1)
        key = digest(name, times, *MADE_BY)
        arrays = kept(truth, key, lambda: photographs(make(), times))
    else:
        scene = load_scene(name.removesuffix(" middle"), data)
        if scene is None:
            return None
        scene = replace(scene, defocus=scene.defocus - np.float32(TRACED[name]))
        key = digest(scene.linear, scene.defocus, TIMES, Path(str(forward_model.__file__)))
        arrays = kept(truth, key, lambda: _traced(scene))
    return _pair(name, arrays)


def _traced(scene: Scene) -> Mapping[str, npt.NDArray[np.generic]]:
    """Photographs of a scene of which one picture and its depth are known; slow."""
    return {
        "light": codes_of(lens_blur(scene.linear, scene.defocus)),
        "truth": codes_of(lens_blur(scene.linear, scene.defocus * np.float32(TIMES))),
        "defocus": np.abs(scene.defocus),
    }


def _pair(name: str, arrays: Arrays) -> LensPair:
    known = {
        key: encoded_of(arrays[key]) for key in ("light", "truth", "near", "far") if key in arrays
    }
    rows, columns = arrays.get("region", [(None, None)] * 2)
    return LensPair(
        name=name,
        region=(slice(*rows), slice(*columns)),
        defocus=arrays["defocus"],
        strands=arrays.get("strands"),
        balls=arrays.get("balls"),
        ball_px=2 * NIGHT_PX.get(name, 0.0) * TIMES,
        **known,
    )
