"""Pixels as a decoder hands them over, and their way to an upright linear picture.

Domain: `Decoded.samples` are HxW or HxWxC codes (uint8, uint16 of full range) or linear float32;
channels are grey, grey + alpha, RGB or RGB + alpha. What leaves is HxWx3 linear light, float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from camerapipe.errors import CaptureError
from camerapipe.ingest.icc import read_coding, to_srgb
from stages.findings import Finding
from stages.params import Array
from stages.tone import ToneCurve, linearise

Samples = npt.NDArray[Any]

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
    """What a decoder found. `orientation` is what remains to be done (1: upright already)."""

    samples: Samples
    bits: int
    orientation: int = 1
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    findings: tuple[Finding, ...] = ()


def upright(samples: Samples, orientation: int) -> Samples:
    """Turn and mirror pixels so that EXIF orientation 1..8 becomes 1."""
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
    """Refuse NaN and infinite values."""
    if samples.dtype.kind == "f" and not np.isfinite(samples).all():
        raise CaptureError("has values that are not finite (NaN or infinite)")


def three(plane: Array) -> Array:
    """Grey as three equal channels; colour as it is; always contiguous."""
    if plane.ndim == 2:
        return np.repeat(plane[..., None], 3, axis=2)
    return np.ascontiguousarray(plane)


@dataclass(frozen=True, slots=True, kw_only=True)
class Developed:
    """An upright picture in linear light, and how it is encoded when it is written."""

    linear: Array
    alpha: Array | None
    grey: bool
    curve: ToneCurve
    profile: bytes | None
    findings: tuple[Finding, ...]


def develop(decoded: Decoded) -> Developed:
    """Turn codes into linear light by the curve of their profile; floats are linear already."""
    colour, alpha = split(upright(decoded.samples, decoded.orientation))
    coding = read_coding(decoded.icc, grey=colour.ndim == 2)
    if coding.convert:
        colour, coding = to_srgb(colour, coding)
    return Developed(
        linear=three(_linear(colour, coding.curve)),
        alpha=None if alpha is None else np.ascontiguousarray(as_unit(alpha)),
        grey=colour.ndim == 2,
        curve=coding.curve,
        profile=coding.profile,
        findings=decoded.findings + coding.findings,
    )


def _linear(colour: Samples, curve: ToneCurve) -> Array:
    if colour.dtype.kind == "f":
        check_finite(colour)
        return np.maximum(colour, 0).astype(np.float32)
    return linearise(np.ascontiguousarray(colour), curve)
