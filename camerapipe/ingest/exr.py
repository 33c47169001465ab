"""Writing of OpenEXR: linear light with headroom, by the package OpenEXR.

Colour is told by chromaticities. Metadata are the standard attributes of the format for camera,
lens and exposure; it has no place for EXIF, XMP or IPTC.
"""

from __future__ import annotations

import importlib
import io
from typing import Any

import numpy as np

from camerapipe.capture import CaptureMeta
from camerapipe.ingest.colorimetry import Primaries
from stages.params import Array

HALF_MAX = 65_504.0  # largest half-precision number
SOFTWARE = "software"
FIELDS = {  # standard attributes (OpenEXR, "Standard Attributes")
    "cameraMake": "make",
    "cameraModel": "model",
    "lensModel": "lens",
    "expTime": "exposure_s",
    "aperture": "f_number",
    "isoSpeed": "iso",
    "nominalFocalLength": "focal_length_mm",
    "focus": "subject_distance_m",
}


def exr_bytes(
    light: Array,
    alpha: Array | None,
    *,
    bits: int,
    primaries: Primaries,
    meta: CaptureMeta,
    software: str,
    dpi: tuple[float, float] | None = None,
) -> bytes:
    """Encode linear light.

    Parameters
    ----------
    light : Array
        HxW or HxWx3, 1 at display white.
    alpha : Array or None
        HxW in [0, 1]; colour is stored multiplied by it, as the format has it.
    bits : int
        16 (half precision) or 32.
    primaries : Primaries
        Of the light.
    meta : CaptureMeta
        Known fields become attributes.
    software : str
        The program.
    dpi : (x, y) or None
        Resolution.
    """
    library = importlib.import_module("OpenEXR")
    planes = light if alpha is None else light * (alpha if light.ndim == 2 else alpha[..., None])
    kind = np.float16 if bits == 16 else np.float32
    stored = np.ascontiguousarray(np.minimum(planes, HALF_MAX) if bits == 16 else planes, kind)
    named = {"Y": stored} if light.ndim == 2 else dict(zip("RGB", np.moveaxis(stored, 2, 0),
                                                           strict=True))  # fmt: skip
    if alpha is not None:
        named["A"] = alpha.astype(kind)
    x, y, *rest = (each for pair in (*primaries[1:], primaries.white) for each in pair)
    header: dict[str, Any] = {
        "compression": library.ZIP_COMPRESSION,
        "type": library.scanlineimage,
        "chromaticities": (x, y, *rest),
        SOFTWARE: software,
    }
    for attribute, field in FIELDS.items():
        value = getattr(meta, field).value
        if value is not None:
            header[attribute] = value if isinstance(value, str) else float(value)
    if dpi:
        header["xDensity"] = float(dpi[0])
    file = io.BytesIO()
    channels = {name: np.ascontiguousarray(plane) for name, plane in named.items()}
    library.File(header, channels).write(file)
    return file.getvalue()
