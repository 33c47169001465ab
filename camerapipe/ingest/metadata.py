"""Metadata of a capture: camera and exposure, checked for plausibility.

ExifRead reads the tags, because it tolerates more broken files than other readers. LibRaw adds
fields of a RAW. Every field has the name of its tag. If a value is outside of the possible range
(f = 0, f/0, a distance of 0 or "infinity"), the field is unknown; values are never guessed.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, BinaryIO

import exifread

from camerapipe.capture import CaptureMeta, Sourced
from camerapipe.ingest.sensor import FocalPlane, crop_factor, sensor_width_mm

Tags = Mapping[str, Any]
Range = tuple[float, float]

FOCAL_MM: Range = (0.1, 10_000)  # endoscope to telescope
F_NUMBER: Range = (0.3, 300)  # faster than any lens, down to pinholes
CROP: Range = (0.3, 20)  # large-format backs to the smallest phone sensors
DISTANCE_M: Range = (1e-3, 60_000)  # larger values (65535, 2^32 - 1) mean infinity
EXPOSURE_S: Range = (1e-7, 1e6)
ISO: Range = (0.1, 1e8)
APEX: Range = (1e-3, 16)  # aperture value: f-number = 2^(value / 2)
DENSITY: Range = (1e-6, 1e9)  # sensor pixels per unit
SIDE_PX: Range = (1, 1e6)
FULL_FRAME_MM = 36.0  # width that 35 mm equivalents refer to
INCHES = 2
UNIT_MM = {1: 25.4, 2: 25.4, 3: 10.0, 4: 1.0, 5: 1e-3}  # EXIF FocalPlaneResolutionUnit
LIBRAW = "LibRaw"
FIELDS = {
    "FocalLength": "focal_length_mm",
    "FNumber": "f_number",
    "ExposureTime": "exposure_s",
    "ISOSpeedRatings": "iso",
    "LensModel": "lens",
}
MAX_TEXT = 120  # characters of a name; the rest is padding or damage
MAX_READS = 200_000  # file accesses of one file's metadata; real files need a few thousand
MAX_EXIF_BYTES = 16 << 20  # the EXIF block alone; in a JPEG it has at most 64 kB


class _Metered(io.RawIOBase):
    """File that raises an error after `MAX_READS` accesses, since tags can form endless chains."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = MAX_READS

    def read(self, size: int = -1) -> bytes:
        """Read from the underlying file, if there are accesses left."""
        self._left -= 1
        if self._left < 0:
            raise ValueError("too many metadata entries")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Set the position of the underlying file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Position of the underlying file."""
        return self._file.tell()


def read_tags(file: BinaryIO) -> Tags:
    """All EXIF tags that can be read; none if the block is broken."""
    try:
        file.seek(0)
        tags: Tags = exifread.process_file(_Metered(file), details=False, extract_thumbnail=False)
        return tags
    except Exception:  # ExifRead raises exceptions of many types on broken tags
        return {}


def read_exif_block(exif: bytes | None) -> Tags:
    """Tags of an EXIF block, with or without the signature that it has in a JPEG segment."""
    if not exif or len(exif) > MAX_EXIF_BYTES:
        return {}
    return read_tags(io.BytesIO(exif.removeprefix(b"Exif\0\0")))


def meta_from(tags: Tags, shape: tuple[int, int] | None = None) -> CaptureMeta:
    """Fields that the camera needs, each with its source, and checked for plausibility.

    Parameters
    ----------
    tags : mapping
        As ExifRead names them.
    shape : (int, int), optional
        Size of the picture in px, in any order; None for a RAW, which has the sensor's pixels.
    """
    make, model = _text(tags, "Make"), _text(tags, "Model")
    focal = _number(tags, "FocalLength", FOCAL_MM)
    equivalent, width = _equivalent(tags, focal), _sensor_width(tags, shape)
    return CaptureMeta(
        make=make,
        model=model,
        lens=_text(tags, "LensModel"),
        focal_length_mm=focal,
        focal_length_35mm=equivalent,
        f_number=_f_number(tags),
        sensor_width_mm=width,
        crop_factor=Sourced() if equivalent or width else crop_factor(make.value, model.value),
        subject_distance_m=_number(tags, "SubjectDistance", DISTANCE_M),
        exposure_s=_number(tags, "ExposureTime", EXPOSURE_S),
        iso=_number(tags, "ISOSpeedRatings", ISO),
        orientation=_orientation(tags),
    )


def with_libraw(tags: Tags, other: Any, lens: Any) -> CaptureMeta:
    """Fields of a RAW: its tags first, then what LibRaw found (`rawpy.RawPy.other`, `.lens`).

    A tag that is there and says 0 is an answer ("unknown"), which LibRaw would turn into a number.
    """
    meta = meta_from(tags)
    found: dict[str, Sourced[Any]] = {
        "FocalLength": _sane(other.focal_length, FOCAL_MM, LIBRAW),
        "FNumber": _sane(other.aperture, F_NUMBER, LIBRAW),
        "ExposureTime": _sane(other.shutter_speed, EXPOSURE_S, LIBRAW),
        "ISOSpeedRatings": _sane(other.iso_speed, ISO, LIBRAW),
        "LensModel": _named(lens.model, LIBRAW),
    }
    missing = {FIELDS[tag]: found[tag] for tag in found if not any(_places(tags, tag))}
    return replace(meta, **missing)


def _places(tags: Tags, name: str) -> Iterator[tuple[str, Any]]:
    """Directories of a tag, with its values: EXIF, or the first one (TIFF/EP, many RAW files)."""
    for full in (f"EXIF {name}", f"Image {name}"):
        if full in tags:
            yield full, tags[full].values


def _sane(value: Any, limits: Range, source: str) -> Sourced[float]:
    try:
        number = float(value)
    except (TypeError, ValueError, ArithmeticError):  # n/0 among them
        return Sourced()
    inside = math.isfinite(number) and limits[0] <= number <= limits[1]
    return Sourced(number, source) if inside else Sourced()


def _number(tags: Tags, name: str, limits: Range) -> Sourced[float]:
    for source, values in _places(tags, name):
        found = _sane(values[0] if len(values) else None, limits, source)
        if found:
            return found
    return Sourced()


def _named(value: Any, source: str) -> Sourced[str]:
    text = str(value or "").split("\0")[0]
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())[:MAX_TEXT]
    return Sourced(text, source) if text else Sourced()


def _text(tags: Tags, name: str) -> Sourced[str]:
    for source, values in _places(tags, name):
        found = _named(values, source)
        if found:
            return found
    return Sourced()


def _orientation(tags: Tags) -> Sourced[int]:
    found = _number(tags, "Orientation", (1, 8))
    return Sourced(int(found.value), found.source) if found.value else Sourced()


def _equivalent(tags: Tags, focal: Sourced[float]) -> Sourced[float]:
    """35 mm equivalent; unknown if its ratio to the focal length is no possible crop factor."""
    found = _number(tags, "FocalLengthIn35mmFilm", FOCAL_MM)
    if found.value and focal.value and not CROP[0] <= found.value / focal.value <= CROP[1]:
        return Sourced()
    return found


def _f_number(tags: Tags) -> Sourced[float]:
    found = _number(tags, "FNumber", F_NUMBER)
    apex = _number(tags, "ApertureValue", APEX)
    if found or not apex.value:
        return found
    return Sourced(2 ** (apex.value / 2), apex.source)


def _sensor_width(tags: Tags, shape: tuple[int, int] | None) -> Sourced[float]:
    """Long side of the sensor, from its pixels and their density, if the picture still has them."""
    density = _number(tags, "FocalPlaneXResolution", DENSITY)
    sides = [_number(tags, f"ExifImage{side}", SIDE_PX).value for side in ("Width", "Length")]
    unit = _number(tags, "FocalPlaneResolutionUnit", (1, 5)).value or INCHES
    if not density.value or not sides[0] or not sides[1]:
        return Sourced()
    note = any(_places(tags, "MakerNote"))
    plane = FocalPlane(density.value / UNIT_MM[int(unit)], (sides[0], sides[1]), note)
    width = sensor_width_mm(plane, shape)
    return _sane(width, (FULL_FRAME_MM / CROP[1], FULL_FRAME_MM / CROP[0]), density.source)
