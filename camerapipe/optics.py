"""Optics of a capture from its metadata, as far as they are known."""

from __future__ import annotations

import math
from dataclasses import replace

from camerapipe.capture import Capture, CaptureMeta, Sourced
from camerapipe.errors import RequestError
from stages.capture_check import Optics, UnknownOptics
from stages.optics import FULL_FRAME_DIAGONAL_MM, Lens

GIVEN = "given"  # source of metadata that a person gives


def meta_of(lens: Lens) -> CaptureMeta:
    """Metadata of a lens and sensor that a person gives; they override those of a frame."""
    return CaptureMeta(
        focal_length_mm=Sourced(lens.focal_length_mm, GIVEN),
        f_number=Sourced(lens.f_number, GIVEN),
        crop_factor=Sourced(FULL_FRAME_DIAGONAL_MM / lens.sensor_diagonal_mm, GIVEN),
    )


def with_meta(capture: Capture, meta: CaptureMeta | None) -> Capture:
    """The capture with other metadata if it has none, or if a person gave them."""
    if meta is None or (capture.meta.focal_length_mm and meta.focal_length_mm.source != GIVEN):
        return capture
    return replace(capture, meta=meta)


def lens_from(meta: CaptureMeta, shape: tuple[int, int]) -> Lens | UnknownOptics:
    """Lens and sensor of a capture, or the names of the metadata that are missing.

    Parameters
    ----------
    meta : CaptureMeta
        Metadata of the capture.
    shape : (int, int)
        Rows and columns of the capture, px.
    """
    focal, fnumber = meta.focal_length_mm.value, meta.f_number.value
    diagonal = _sensor_diagonal_mm(meta, shape)
    if focal and fnumber and diagonal:
        return Lens(focal_length_mm=focal, f_number=fnumber, sensor_diagonal_mm=diagonal)
    needed = {
        "the focal length": focal,
        "the f-number": fnumber,
        "the size of the sensor": diagonal or meta.focal_length_35mm.value,
    }
    return UnknownOptics(tuple(name for name, value in needed.items() if not value))


def _sensor_diagonal_mm(meta: CaptureMeta, shape: tuple[int, int]) -> float | None:
    """Diagonal by the best source that there is: EXIF's equivalent, its sensor, then the model."""
    focal, equivalent = meta.focal_length_mm.value, meta.focal_length_35mm.value
    if focal and equivalent:
        return FULL_FRAME_DIAGONAL_MM * focal / equivalent
    if meta.sensor_width_mm.value:
        return meta.sensor_width_mm.value * math.hypot(*shape) / max(shape)
    if meta.crop_factor.value:
        return FULL_FRAME_DIAGONAL_MM / meta.crop_factor.value
    return None


def optics_of(capture: Capture, distance_m: float | None = None) -> Optics | UnknownOptics | None:
    """Optics of a capture.

    Parameters
    ----------
    capture : Capture
        The capture, with its metadata.
    distance_m : float, optional
        Focus distance that a person gives; overrides that of the metadata.

    Returns
    -------
    Optics or UnknownOptics or None
        None for an array without metadata, about which there is nothing to report.

    Raises
    ------
    RequestError
        If `distance_m` is not finite, or not larger than the focal length.
    """
    if capture.kind == "array" and capture.meta == CaptureMeta():
        return None
    shape = (capture.linear.shape[0], capture.linear.shape[1])
    lens = lens_from(capture.meta, shape)
    least_m = lens.focal_length_mm / 1000 if isinstance(lens, Lens) else 0.0
    if distance_m is not None and not (math.isfinite(distance_m) and distance_m > least_m):
        beyond = f"the focal length of {least_m * 1000:g} mm" if least_m else "0"
        raise RequestError(f"distance: expected metres beyond {beyond}; got {distance_m:g}")
    if isinstance(lens, UnknownOptics):
        return lens
    if distance_m is not None:
        return Optics(lens, distance_m * 1000, shape, told=True)
    said_m = capture.meta.subject_distance_m.value
    if said_m is not None and said_m <= least_m:
        said_m = None  # a wrong distance in a file is ignored, that of a person is an error
    return Optics(lens, None if said_m is None else said_m * 1000, shape)
