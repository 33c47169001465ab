"""Loaders of pictures with known depth or a reference blur map, whole and as they were published.

Stereo scenes of Middlebury (motorcycle: Scharstein et al. 2014; aloe: Hirschmueller and Scharstein
2007; teddy, cones: Scharstein and Szeliski 2003), and the inputs of Zhuo and Sim (2011) with the
maps that their own program made of one of them (a reference, not the truth). Pictures are
display-encoded RGB, uint8. Files are found by `datasets.sources`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from datasets.sources import DataError, locate

Picture = npt.NDArray[np.uint8]
Plane = npt.NDArray[np.float32]

ZHUO_SIM = ("bird", "building", "flower", "pumpkin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Depth in mm is focal_px * baseline_mm / (disparity + offset_px)."""

    focal_px: float
    baseline_mm: float
    offset_px: float


class Stereo(NamedTuple):
    """A rectified pair; disparity of the left picture HxW in px, NaN where it is unknown."""

    left: Picture
    right: Picture
    disparity: Plane
    calibration: Calibration | None  # None: disparity is known up to scale or offset only

    def depth_mm(self) -> Plane:
        """Depth of the left picture, NaN where it is unknown.

        Raises
        ------
        DataError
            For a scene without calibration.
        """
        if self.calibration is None:
            raise DataError("depth: this scene has no calibration; use its disparity")
        known = self.calibration
        depth = known.focal_px * known.baseline_mm / (self.disparity + known.offset_px)
        return np.asarray(depth, np.float32)


class Pair(NamedTuple):
    """Files of a stereo scene, and how disparity is stored."""

    left: str
    right: str
    disparity: str
    per_px: float = 1.0  # stored values per px of disparity
    calibration: Calibration | None = None


STEREO = {
    "motorcycle": Pair(
        "motorcycle_left.png", "motorcycle_right.png", "motorcycle_disp.npz",
        calibration=Calibration(focal_px=994.978, baseline_mm=193.001, offset_px=31.086),
    ),
    "aloe": Pair("aloeL.jpg", "aloeR.jpg", "aloeGT.png"),
    "teddy": Pair("im2.png", "im6.png", "disp2.png", per_px=4),
    "cones": Pair("im2.png", "im6.png", "disp2.png", per_px=4),
}  # fmt: skip


class Reference(NamedTuple):
    """An input of Zhuo and Sim, and their program's maps where they were published, HxW in [0, 1].

    The maps are scaled by an unknown factor; 0 in the sparse one means no edge.
    """

    picture: Picture
    sparse: Plane | None
    full: Plane | None


def load_stereo(name: str, folder: Path | None = None) -> Stereo:
    """Load a stereo scene by its name.

    Raises
    ------
    DataError
        Where the scene does not exist, or a file of it is absent or broken.
    """
    if name not in STEREO:
        raise DataError(f"stereo scene {name!r} does not exist; there are: {', '.join(STEREO)}")
    pair = STEREO[name]
    places = [locate(f"depth_gt/{name}/{file}", folder) for file in pair[:3]]
    left, right = _picture(places[0]), _picture(places[1])
    stored = _stored(places[2])
    disparity = np.where(np.isfinite(stored) & (stored > 0), stored / pair.per_px, np.nan)
    if not left.shape[:2] == right.shape[:2] == disparity.shape:
        raise DataError(f"{name}: sizes differ: {left.shape}, {right.shape}, {disparity.shape}")
    return Stereo(left, right, disparity.astype(np.float32), pair.calibration)


def load_zhuo_sim(name: str, folder: Path | None = None) -> Reference:
    """Load an input of Zhuo and Sim by its name.

    Raises
    ------
    DataError
        Where the input does not exist, or its file is absent or broken.
    """
    if name not in ZHUO_SIM:
        raise DataError(f"Zhuo and Sim's {name!r} does not exist; there are: {', '.join(ZHUO_SIM)}")
    picture = _picture(locate(f"photos/zhuo_sim/{name}_input.png", folder))
    maps: list[Plane | None] = []
    for kind in ("sparse", "full"):
        try:
            path = locate(f"blur_gt/zhuo_sim/{name}_{kind}BMap.png", folder)
        except DataError:
            maps.append(None)
        else:
            maps.append(np.asarray(_picture(path)[..., 0] / 255, np.float32))
    return Reference(picture, *maps)


def _picture(path: Path) -> Picture:
    read = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if read is None:
        raise DataError(f"{path}: not a picture")
    return np.ascontiguousarray(read[:, :, ::-1], np.uint8)


def _stored(path: Path) -> npt.NDArray[Any]:
    """Disparity values as they are stored."""
    if path.suffix == ".npz":
        with np.load(path) as archive:
            return np.asarray(archive["arr_0"])
    read = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if read is None or read.ndim != 2:
        raise DataError(f"{path}: not a map of disparities")
    return np.asarray(read)
