"""Decoded pixels, and their conversion to an upright picture in linear light.

`Decoded.samples` are HxW or HxWxC codes (uint8, uint16 of full range) or linear float32. Channels
are grey, grey + alpha, RGB or RGB + alpha. The result is HxWx3 linear light, float32.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from camerapipe.errors import CaptureError
from camerapipe.ingest.coding import Coding, coding_of
from camerapipe.ingest.hdr import tone_mapped
from camerapipe.ingest.hidden import fill_hidden
from camerapipe.ingest.icc import to_srgb
from camerapipe.ingest.tags import FileTags
from stages.findings import Finding
from stages.gain_map import GainMap
from stages.params import Array
from stages.tone import LINEAR, SRGB, ToneCurve, linearise

Samples = npt.NDArray[Any]
MAX_LIGHT = 1e6  # of display white, 20 stops above it; squares of much more exceed float32
CODES_MEDIAN = 4.0  # median of floats, above: codes. A photograph with white at 1 has about 0.2

# EXIF orientation -> (transpose, flip rows, flip columns), in this order
TURNS = {
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """Result of a decoder. `orientation` is still to be applied (EXIF; 1: upright).

    `gain_map` is turned as the samples are.
    """

    samples: Samples
    bits: int
    orientation: int = 1
    tags: FileTags = FileTags()
    gain_map: GainMap | None = None
    findings: tuple[Finding, ...] = ()


def upright(samples: Samples, orientation: int) -> Samples:
    """Rotate and mirror pixels of an EXIF orientation, 1..8, so that they are upright (a view)."""
    transpose, rows, cols = TURNS[orientation]
    if transpose:
        samples = np.swapaxes(samples, 0, 1)
    return samples[:: -1 if rows else 1, :: -1 if cols else 1]


def split(samples: Samples) -> tuple[Samples, Samples | None]:
    """Colour (HxW or HxWx3) and alpha (HxW or None)."""
    if samples.ndim == 2:
        return samples, None
    channels = samples.shape[2]
    if channels not in (1, 2, 3, 4):
        raise ValueError(f"expected 1 to 4 channels; got {channels}")
    alpha = samples[..., -1] if channels in (2, 4) else None
    return (samples[..., 0] if channels < 3 else samples[..., :3]), alpha


def as_unit(samples: Samples) -> Array:
    """Codes of full range, or floats, as float32 in [0, 1]."""
    if samples.dtype.kind == "f":
        return np.clip(samples, 0, 1).astype(np.float32)
    return samples.astype(np.float32) / np.float32(np.iinfo(samples.dtype).max)


def check_finite(samples: Samples) -> None:
    """Check that there are no NaN and infinite values; `CaptureError` if there are."""
    if samples.dtype.kind == "f" and not np.isfinite(samples).all():
        raise CaptureError("has values that are not finite (NaN or infinite)")


def three(plane: Array) -> Array:
    """Contiguous HxWx3 array; a grey plane (HxW) becomes three equal channels."""
    if plane.ndim == 2:
        return np.repeat(plane[..., None], 3, axis=2)
    return np.ascontiguousarray(plane)


@dataclass(frozen=True, slots=True, kw_only=True)
class Developed:
    """An upright picture in linear light, with the encoding in which it will be written."""

    linear: Array
    alpha: Array | None
    grey: bool
    curve: ToneCurve
    profile: bytes | None
    gain_map: GainMap | None
    findings: tuple[Finding, ...]


def develop(decoded: Decoded) -> Developed:
    """Convert decoded codes to an upright picture in linear light, according to their coding."""
    colour, alpha = split(upright(decoded.samples, decoded.orientation))
    tags = replace(decoded.tags.colour, floats=colour.dtype.kind == "f")
    coding = coding_of(tags, grey=colour.ndim == 2)
    if coding.convert:
        assert coding.profile is not None
        floats = colour.dtype.kind == "f"
        colour, profile, finding = to_srgb(colour, coding.profile)
        coding = Coding(curve=LINEAR if floats else SRGB, profile=profile, findings=(finding,))
    gain_map = _turned(decoded.gain_map, decoded.orientation)
    if coding.hdr is not None and colour.dtype.kind != "f":
        light, gain_map = tone_mapped(as_unit(_full(colour, coding)), coding.hdr, coding.primaries)
        linear = three(light)
    else:
        linear = three(_linear(colour, coding))
    opacity = None if alpha is None else np.ascontiguousarray(as_unit(alpha))
    return Developed(
        linear=linear if opacity is None else fill_hidden(linear, opacity),
        alpha=opacity,
        grey=colour.ndim == 2,
        curve=coding.written,
        profile=coding.profile,
        gain_map=gain_map,
        findings=decoded.findings + coding.findings,
    )


def _linear(colour: Samples, coding: Coding) -> Array:
    if colour.dtype.kind == "f":
        check_finite(colour)
        _check_scale(colour)
        light = _float_light(np.maximum(colour, 0).astype(np.float32), coding.curve)
        if light.max() > MAX_LIGHT:
            raise CaptureError(
                f"its light reaches {light.max():g}, and 1 is display white; it is damaged, or its "
                "values need scaling"
            )
        return light
    return linearise(np.ascontiguousarray(_full(colour, coding)), coding.curve)


def _full(codes: Samples, coding: Coding) -> Samples:
    """Codes of full range."""
    return codes if coding.full_range else _expanded(codes)


def _turned(gain_map: GainMap | None, orientation: int) -> GainMap | None:
    if gain_map is None:
        return None
    return replace(gain_map, values=np.ascontiguousarray(upright(gain_map.values, orientation)))


def _float_light(values: Array, curve: ToneCurve) -> Array:
    """Light of floating-point values; above 1, the curve is continued by a power law."""
    if curve is LINEAR:
        return values
    light = linearise(values, curve)
    beyond = values > 1
    if beyond.any():
        exponent = (curve.decode[-1] - curve.decode[-2]) * (curve.decode.size - 1)
        light[beyond] = curve.decode[-1] * values[beyond] ** np.float32(exponent)
    return light


def _check_scale(values: Samples) -> None:
    """Check that floats are not codes: `CaptureError` if the median above 0 is far above white."""
    lit = values[values > 0]
    if lit.size and float(np.median(lit)) > CODES_MEDIAN:
        raise CaptureError(
            f"its floating-point values reach {float(lit.max()):g}, and 1 is display white; "
            "divide them by their full range, or export 16 bits"
        )


def _expanded(codes: Samples) -> Samples:
    """Codes of full range, from those of narrow range (16 to 235 of 8 bits, ITU-T H.273)."""
    top = np.iinfo(codes.dtype).max
    unit = (codes.astype(np.float32) * (255 / top) - 16) / 219
    return np.rint(np.clip(unit, 0, 1) * top).astype(codes.dtype)
