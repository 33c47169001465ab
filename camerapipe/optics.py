"""Optics of a capture from its metadata, as far as they are known."""

from __future__ import annotations

import math
from dataclasses import replace

from camerapipe.capture import Capture, CaptureMeta, Sourced
from camerapipe.errors import RequestError
from stages.capture_check import Optics, UnknownOptics
from stages.optics import FULL_FRAME_DIAGONAL_MM, Lens

# Diagonals in mm of the sensor types that people name
SENSORS = {
    "1/3.6": 5.0, "1/3.2": 5.68, "1/3": 6.0, "1/2.7": 6.72, "1/2.5": 7.18, "1/2.3": 7.66,
    "1/2": 8.0, "1/1.8": 8.93, "1/1.7": 9.5, "1/1.33": 12.0, "2/3": 11.0, "1": 15.86,
    "4/3": 21.64, "aps-c": 28.2, "aps-c-canon": 26.82, "full-frame": 43.27, "44x33": 54.78,
}  # fmt: skip
GIVEN = "given"  # source of metadata that a person gives


def sensor_diagonal_mm(sensor: str) -> float:
    """Diagonal of a sensor type (`SENSORS`), or of a number of mm as text.

    Raises
    ------
    RequestError
        If it is neither.
    """
    if (known := SENSORS.get(sensor.lower().rstrip('"'))) is not None:
        return known
    try:
        return float(sensor)
    except ValueError:
        raise RequestError(
            f"sensor {sensor!r}: expected a diagonal in mm or one of {', '.join(SENSORS)}"
        ) from None


def lens_facts(lens: Lens, distance_m: float | None, shape: tuple[int, int]) -> dict[str, float]:
    """What a lens does, by name and unit: hyperfocal distance, depth of field, predicted blur.

    Parameters
    ----------
    lens : Lens
        Lens and sensor.
    distance_m : float, optional
        Distance in focus; without it, depth of field and blur are left out.
    shape : (int, int)
        Rows and columns of the picture, px.

    Raises
    ------
    ValueError
        If the distance is not larger than the focal length.
    """
    facts = {
        "sensor_diagonal_mm": lens.sensor_diagonal_mm,
        "circle_of_confusion_um": lens.circle_of_confusion_mm * 1000,
        "hyperfocal_m": lens.hyperfocal_mm / 1000,
    }
    if distance_m is None:
        return facts
    near, far = lens.depth_of_field_mm(distance_m * 1000)
    blur_px = lens.background_blur_mm(distance_m * 1000) / lens.pixel_mm(shape)
    return facts | {
        "sharp_from_m": near / 1000,
        "sharp_to_m": far / 1000,
        "background_blur_px": blur_px,
        "background_sigma_px": blur_px / 4,  # a disk of diameter d has standard deviation d / 4
        "background_blur_at_1280_px": blur_px * 1280 / max(shape),
    }


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
