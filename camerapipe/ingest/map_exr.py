"""Blur maps as OpenEXR: `blur.sigma_px` and `blur.confidence` beside the picture in linear light.

The first part has the map and the picture at full resolution, and further ones have the map before
upsampling (`low`) and the dead zone where it differs by place (`zone`). All numbers of a map are
kept bit for bit. What they mean is JSON in the attribute `camerapipe` of the first part.
"""

from __future__ import annotations

import importlib
import io
import json
from typing import Any, BinaryIO

import numpy as np

from camerapipe.errors import CaptureError
from camerapipe.ingest.colorimetry import Primaries
from camerapipe.ingest.exr import HALF_MAX
from camerapipe.ingest.exr_reading import exr_parts
from stages.params import Array

SIGMA, CONFIDENCE, MEANING = "blur.sigma_px", "blur.confidence", "camerapipe"
PREFIXES = {"picture": "", "low": "low_", "zone": "zone_"}  # names of parts: prefixes of arrays


def map_exr_bytes(
    planes: dict[str, Any], light: Array | None, primaries: Primaries | None
) -> bytes:
    """Encode the arrays of a map.

    Parameters
    ----------
    planes : dict
        Arrays and numbers of a saved map, as the `.npz` has them.
    light : Array or None
        The picture in linear light, HxWx3; stored in half precision.
    primaries : Primaries or None
        Of the light.
    """
    library = importlib.import_module("OpenEXR")
    numbers = {key: value for key, value in planes.items() if np.ndim(value) < 2}
    said = {key: np.asarray(value).tolist() for key, value in numbers.items()}
    height, width = light.shape[:2] if light is not None else planes["sigma"].shape
    common = {
        "compression": library.ZIP_COMPRESSION,
        "type": library.scanlineimage,
        "displayWindow": _window(height, width),
    }
    parts = []
    for name, prefix in PREFIXES.items():
        if f"{prefix}sigma" not in planes:
            continue
        sigma, confidence = planes[f"{prefix}sigma"], planes[f"{prefix}confidence"]
        header = {**common, "dataWindow": _window(*sigma.shape)}
        channels = {SIGMA: sigma, CONFIDENCE: confidence}
        if not prefix:
            header[MEANING] = json.dumps(said)
            if light is not None and light.shape[:2] == sigma.shape:
                half = np.minimum(light, HALF_MAX).astype(np.float16)
                channels |= dict(zip("RGB", np.moveaxis(half, 2, 0), strict=True))
            if primaries is not None:
                pairs = (*primaries[1:], primaries.white)
                header["chromaticities"] = tuple(each for pair in pairs for each in pair)
        stored = {key: np.ascontiguousarray(plane) for key, plane in channels.items()}
        parts.append(library.Part(header, stored, name))
    file = io.BytesIO()
    library.File(parts).write(file)
    return file.getvalue()


def read_map_exr(file: BinaryIO, max_pixels: int) -> dict[str, Any] | None:
    """Arrays and numbers of a saved map, as the `.npz` has them; None for a foreign file."""
    parts = {str(part.name()): part for part in exr_parts(file, max_pixels)}
    first = next(iter(parts.values()))
    if SIGMA not in first.channels:
        return None
    try:
        said = json.loads(first.header.get(MEANING, "{}"))
    except ValueError:
        said = {}
    if not isinstance(said, dict):
        raise CaptureError("the description of its blur map is damaged")
    planes: dict[str, Any] = dict(said)
    for name, part in parts.items():
        prefix = "" if part is first else PREFIXES.get(name)
        if prefix is None or SIGMA not in part.channels:
            continue
        planes[f"{prefix}sigma"] = np.asarray(part.channels[SIGMA].pixels, np.float32)
        if CONFIDENCE in part.channels:
            confidence = np.asarray(part.channels[CONFIDENCE].pixels, np.float32)
            planes[f"{prefix}confidence"] = confidence
    return planes


def _window(height: int, width: int) -> tuple[Any, Any]:
    """First and last pixel (x, y) of a window at the origin."""
    return np.array([0, 0], np.int32), np.array([width - 1, height - 1], np.int32)
