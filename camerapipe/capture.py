"""A capture and its metadata: plain data."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Generic, Literal, TypeVar

from stages.findings import Finding
from stages.gain_map import GainMap
from stages.params import Array
from stages.tone import SRGB, ToneCurve

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sourced(Generic[T]):
    """A value and its source; None from `unknown` if there is none."""

    value: T | None = None
    source: str = "unknown"

    def __bool__(self) -> bool:
        return self.value is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureMeta:
    """Metadata of camera and exposure. Each field has its source, and may be unknown."""

    make: Sourced[str] = Sourced()
    model: Sourced[str] = Sourced()
    lens: Sourced[str] = Sourced()
    focal_length_mm: Sourced[float] = Sourced()
    focal_length_35mm: Sourced[float] = Sourced()  # full-frame equivalent, mm
    f_number: Sourced[float] = Sourced()
    sensor_width_mm: Sourced[float] = Sourced()
    crop_factor: Sourced[float] = Sourced()  # of the model, where EXIF does not give the sensor
    subject_distance_m: Sourced[float] = Sourced()
    exposure_s: Sourced[float] = Sourced()
    iso: Sourced[float] = Sourced()
    orientation: Sourced[int] = Sourced()  # of the file, EXIF 1..8; the pixels are upright already

    def to_dict(self) -> dict[str, Any]:
        """Known fields only, each with value and source."""
        pairs = ((f.name, getattr(self, f.name)) for f in fields(self))
        return {name: {"value": s.value, "source": s.source} for name, s in pairs if s}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Capture:
    """One photograph, upright, in linear light.

    `linear` is HxWx3 float32 with 1.0 at display white; a RAW may exceed it (highlight headroom).
    `curve` and `profile` say how the picture is encoded when it is written: those of the file, or
    sRGB. `alpha` is HxW float32 in [0, 1] or None. `gain_map` leads from `linear` to HDR light.
    """

    name: str
    linear: Array
    kind: Literal["raw", "display", "array"]
    bit_depth: int = 8
    grey: bool = False
    curve: ToneCurve = SRGB
    alpha: Array | None = None
    exposure_gain: float = 1.0  # factor already applied to a RAW's linear values
    meta: CaptureMeta = CaptureMeta()
    profile: bytes | None = None  # ICC
    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None  # Photoshop's image resources, with IPTC
    dpi: tuple[float, float] | None = None  # of the container, where it states a resolution
    comment: bytes | None = None  # of a JPEG
    gain_map: GainMap | None = None
    findings: tuple[Finding, ...] = ()
