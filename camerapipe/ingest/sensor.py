"""Size of the sensor: from EXIF if the picture still has its pixels, or from the camera's model.

FocalPlaneXResolution is the density of the sensor's pixels. Programs that resize a picture often
keep it and write the new size, which then describes a sensor that is too small. The width is
therefore used only if EXIF states the size of this picture, and if a sensor of that width and shape
exists. Such a sensor also has pixels of a certain size. A picture with larger ones must have a
maker note: cameras adapt the density if they save a small picture, and editors drop the note.

The second source is the crop factor of the model in lensfun's database (extra `lens`).
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import math
from typing import Any, NamedTuple

from camerapipe.capture import Sourced


class FocalPlane(NamedTuple):
    """What EXIF states of the sensor: pixels per mm, size of the picture in px, a maker note."""

    density_per_mm: float
    size: tuple[float, float]  # in any order
    maker_note: bool = False


class Format(NamedTuple):
    """Sensors that were built: range of their width, long / short side, largest pixel."""

    least_mm: float
    most_mm: float
    aspect: float
    pixel_um: float


FORMATS = (
    Format(43.0, 54.0, 4 / 3, 9.5),  # medium format
    Format(44.0, 46.0, 3 / 2, 9.5),  # Leica S
    Format(35.5, 36.3, 3 / 2, 9.5),  # full frame
    Format(27.5, 28.9, 3 / 2, 9.0),  # APS-H
    Format(22.0, 24.1, 3 / 2, 8.2),  # APS-C
    Format(20.5, 20.8, 3 / 2, 9.5),  # Foveon X3
    Format(18.5, 18.9, 4 / 3, 5.0),  # 1.5 inch
    Format(17.2, 18.1, 4 / 3, 7.0),  # Four Thirds
    Format(12.8, 13.3, 3 / 2, 3.7),  # 1 inch
    Format(8.7, 8.9, 4 / 3, 4.0),  # 2/3 inch
    Format(7.0, 7.7, 4 / 3, 3.6),  # 1/1.8 and 1/1.7 inch
    Format(5.9, 6.5, 4 / 3, 3.3),  # 1/2.3 and 1/2 inch
    Format(5.7, 5.8, 4 / 3, 3.0),  # 1/2.5 inch
    Format(5.2, 5.4, 4 / 3, 3.4),  # 1/2.7 inch
)
ASPECT_SLACK = 0.02  # relative; pictures have some columns less than their sensor
SIZE_SLACK_PX = 16  # a RAW converter may crop the edges


def sensor_width_mm(plane: FocalPlane, shape: tuple[int, int] | None) -> float | None:
    """Width of the sensor, mm; None if the picture may have been resized or cropped.

    Parameters
    ----------
    plane : FocalPlane
        What EXIF states.
    shape : (int, int) or None
        Size of the picture in px, in any order. None for a RAW, which has the sensor's pixels.
    """
    long_px = max(plane.size)
    width = long_px / plane.density_per_mm
    if shape is None:
        return width
    pairs = zip(sorted(plane.size), sorted(shape), strict=True)
    if any(abs(stated - real) > SIZE_SLACK_PX for stated, real in pairs):
        return None
    pixel_um, aspect = 1000 / plane.density_per_mm, max(shape) / min(shape)
    exists = any(
        form.least_mm <= width <= form.most_mm
        and abs(aspect / form.aspect - 1) <= ASPECT_SLACK
        and (plane.maker_note or pixel_um <= form.pixel_um)
        for form in FORMATS
    )
    return width if exists else None


def crop_factor(make: str | None, model: str | None) -> Sourced[float]:
    """Crop factor of a camera in lensfun's database; unknown if the model is not in it."""
    known = _crop_factors().get(_key(make, model)) if model else None
    if known is None or len(known) > 1:
        return Sourced()
    return Sourced(min(known), f"lensfun ({model})")


def has_lensfun() -> bool:
    """Whether the database of cameras is installed."""
    return importlib.util.find_spec("lensfunpy") is not None


@functools.cache
def _crop_factors() -> dict[tuple[str, str], set[float]]:
    """Crop factors by maker and model; several where a model has several modes or cameras."""
    found: dict[tuple[str, str], set[float]] = {}
    for camera in _cameras():
        base = camera.model.partition(" (")[0]  # such as `(tele)`, of the same name in EXIF
        for model in {base, camera.model}:
            factor = round(float(camera.crop_factor), 3)
            found.setdefault(_key(camera.maker, model), set()).add(factor)
    return found


def _cameras() -> list[Any]:
    if not has_lensfun():
        return []
    cameras = importlib.import_module("lensfunpy").Database().cameras
    return [c for c in cameras if math.isfinite(c.crop_factor) and c.crop_factor > 0]


def _key(make: str | None, model: str | None) -> tuple[str, str]:
    """First word of the maker (`NIKON CORPORATION` is `Nikon`), and the model."""
    return ((make or "").casefold().split() or [""])[0], " ".join((model or "").casefold().split())
