"""Photographs whose blur was measured: published sets, from a folder in the layout below.

`rtf_images/image_NN.png` with `sigma_NN.png` (D'Andres et al. 2016; sigma x 10000, 16 bits),
`dual_pixel/NNN_input.png` with `NNN_defocus.png` (Xin et al. 2021; linear green, 16 bits; defocus
up to an affine scale, 0 where it is unknown), `masks/NAME.*` with `NAME_mask.png` (CUHK: white is
blurred; DUT and Xu: white is in focus). CUHK may also lie as it is published, in `image` and `gt`.
A folder may hold any number of pictures of each set.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from datasets.sources import DataError
from stages.params import Array

RTF_UNITS = 10_000  # stored values per px
WHITE_PERCENTILE = 99.5  # of a dual-pixel capture, that becomes display white
MASK_THRESHOLD = 128
BLURRED_IS_WHITE = ("cuhk", "out_of_focus", "motion")  # beginnings of names
PICTURES = (".jpg", ".jpeg", ".png")


class Measured(NamedTuple):
    """A photograph, what was measured in it HxW, and how an array of it is coded.

    `truth` is sigma in px, relative defocus in [0, 1] with NaN where it is unknown, or a mask of
    what is blurred. `encoding` is "srgb" (uint8) or "linear" (float32).
    """

    name: str
    picture: npt.NDArray[np.generic]
    truth: npt.NDArray[np.generic]
    encoding: str = "srgb"


def rtf(folder: Path) -> Iterator[Measured]:
    """Pictures with their sigma, HxW float32 px."""
    for path in sorted((folder / "rtf_images").glob("image_*.png")):
        truth = path.with_name(path.name.replace("image_", "sigma_"))
        if truth.is_file():
            sigma = _read(truth, cv2.IMREAD_UNCHANGED).astype(np.float32) / RTF_UNITS
            yield Measured(path.stem, _rgb(path), _fitting(path, sigma))


def dual_pixel(folder: Path) -> Iterator[Measured]:
    """Linear grey captures, white at their 99.5th percentile, with relative defocus."""
    for path in sorted((folder / "dual_pixel").glob("*_input.png")):
        truth = path.with_name(path.name.replace("_input", "_defocus"))
        if truth.is_file():
            light = _read(path, cv2.IMREAD_UNCHANGED).astype(np.float32)
            light = np.minimum(light / np.percentile(light, WHITE_PERCENTILE), 1)
            stored = _read(truth, cv2.IMREAD_UNCHANGED).astype(np.float32)
            defocus = np.where(stored > 0, stored / 255, np.nan).astype(np.float32)
            picture = np.repeat(light[..., None], 3, axis=2).astype(np.float32)
            yield Measured(path.stem, picture, _fitting(path, defocus), "linear")


def masks(folder: Path) -> Iterator[Measured]:
    """Pictures with the mask of what is blurred, HxW bool."""
    pairs = [
        (path, path.with_name(f"{path.stem}_mask.png"))
        for path in sorted((folder / "masks").glob("*"))
        if path.suffix.lower() in PICTURES and not path.stem.endswith("_mask")
    ]
    pairs += [
        (path, folder / "gt" / f"{path.stem}.png")
        for path in sorted((folder / "image").glob("*"))
        if path.suffix.lower() in PICTURES
    ]
    for path, truth in pairs:
        if truth.is_file():
            white = _read(truth, cv2.IMREAD_GRAYSCALE) >= MASK_THRESHOLD
            blurred = white if path.name.startswith(BLURRED_IS_WHITE) else ~white
            yield Measured(path.stem, _rgb(path), _fitting(path, blurred))


def _read(path: Path, flags: int) -> npt.NDArray[np.generic]:
    found = cv2.imread(str(path), flags)
    if found is None:
        raise DataError(f"{path}: not a picture")
    return np.asarray(found)


def _rgb(path: Path) -> npt.NDArray[np.generic]:
    return np.ascontiguousarray(_read(path, cv2.IMREAD_COLOR)[..., ::-1])


def _fitting(path: Path, truth: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """Measured values, if they have the size of their picture."""
    height, width = _read(path, cv2.IMREAD_UNCHANGED).shape[:2]
    if truth.shape != (height, width):
        raise DataError(f"{path}: has {(height, width)} pixels, its truth {truth.shape}")
    return truth


def as_float(values: npt.NDArray[np.generic]) -> Array:
    """Measured values as float32."""
    return np.asarray(values, np.float32)
