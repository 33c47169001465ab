"""From metadata to optics: what a file says of its lens, as far as it says it."""

from __future__ import annotations

import math

from camerapipe.capture import Capture, CaptureMeta, RequestError
from stages.capture_check import Optics
from stages.optics import FULL_FRAME_DIAGONAL_MM, Lens


def lens_from(meta: CaptureMeta, shape: tuple[int, int]) -> Lens | None:
    """Lens and sensor of a capture of that shape; None where the metadata do not say enough."""
    focal, fnumber = meta.focal_length_mm.value, meta.f_number.value
    if not focal or not fnumber:
        return None
    diagonal = None
    if equivalent := meta.focal_length_35mm.value:
        diagonal = FULL_FRAME_DIAGONAL_MM * focal / equivalent
    elif width := meta.sensor_width_mm.value:
        diagonal = width * math.hypot(*shape) / max(shape)
    if diagonal is None:
        return None
    return Lens(focal_length_mm=focal, f_number=fnumber, sensor_diagonal_mm=diagonal)


def optics_of(capture: Capture, distance_m: float | None = None) -> Optics | None:
    """Optics of a capture; `distance_m` overrides what the metadata say of the focus distance."""
    shape = (capture.linear.shape[0], capture.linear.shape[1])
    lens = lens_from(capture.meta, shape)
    if lens is None:
        return None
    if distance_m is None:
        distance_m = capture.meta.subject_distance_m.value
        if distance_m is not None and distance_m * 1000 <= lens.focal_length_mm:
            distance_m = None  # a file may be wrong; a person is told
    elif not (math.isfinite(distance_m) and distance_m * 1000 > lens.focal_length_mm):
        raise RequestError(
            f"distance: expected metres beyond the focal length of "
            f"{lens.focal_length_mm:g} mm; got {distance_m:g}"
        )
    return Optics(lens, None if distance_m is None else distance_m * 1000, shape)
