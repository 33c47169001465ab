"""Findings of the optics: hyperfocal distance, blur of the background, contradictions.

Thin-lens optics (`stages.optics`) from the metadata, in pixels of the file and of the check.
"""

from __future__ import annotations

from dataclasses import dataclass

from stages.capture_check.params import CheckParams
from stages.capture_check.statistics import BlurStatistics
from stages.findings import Finding, Severity
from stages.optics import Lens

VISIBLE_BLUR_PX = 1.0  # diameter, px of the check; less is not visible in any picture
DIAMETER_PER_SIGMA = 4.0  # a disk of diameter d has standard deviation d / 4


@dataclass(frozen=True, slots=True)
class Optics:
    """Lens and focus of a capture.

    `distance_mm` is the focus distance, None if it is unknown. `told` says that a person gave it,
    and not the file.
    """

    lens: Lens
    distance_mm: float | None
    shape: tuple[int, int]  # of the file, px
    told: bool = False


@dataclass(frozen=True, slots=True)
class UnknownOptics:
    """The names of the metadata that are missing for the optics."""

    missing: tuple[str, ...]


def explain(
    verdict: Finding,
    seen: BlurStatistics,
    optics: Optics | UnknownOptics | None,
    limits: CheckParams,
) -> tuple[Finding, ...]:
    """Make the findings of the optics for a verdict; arguments as of `judge`."""
    if optics is None:
        return ()
    if isinstance(optics, UnknownOptics):
        return (_unknown(optics.missing),)
    if optics.distance_mm is None:
        return (_hyperfocal(optics, limits, " The file does not say where it was focused."),)
    said = (_hyperfocal(optics, limits), _background(optics, optics.distance_mm, limits))
    doubt = _contradiction(verdict, seen, optics, optics.distance_mm, limits)
    return (*said, doubt) if doubt else said


def nearest_m(optics: Optics, limits: CheckParams) -> float:
    """Distance within which the background is blurred by `wanted_blur_px`, m."""
    pixel_mm, _ = _view_pixel(optics, limits)
    return optics.lens.distance_for_blur_mm(limits.wanted_blur_px * pixel_mm) / 1000


def _view_pixel(optics: Optics, limits: CheckParams) -> tuple[float, int]:
    """Size on the sensor of a pixel of the view, and the view's long side."""
    side = min(limits.view_side_px, max(optics.shape))
    return optics.lens.pixel_mm(optics.shape) * max(optics.shape) / side, side


def _unknown(missing: tuple[str, ...]) -> Finding:
    return Finding(
        "optics_unknown", Severity.INFO,
        f"The file does not say {_listed(missing)}: hyperfocal distance and background blur cannot "
        "be predicted. The verdict is based on the picture alone.",
    )  # fmt: skip


def _hyperfocal(optics: Optics, limits: CheckParams, note: str = "") -> Finding:
    """Hyperfocal distance; its limit is the distance to step nearer than."""
    lens, reach_m = optics.lens, optics.lens.hyperfocal_mm / 1000
    coc_um, nearer_m = lens.circle_of_confusion_mm * 1000, nearest_m(optics, limits)
    return Finding(
        "hyperfocal", Severity.INFO,
        f"Hyperfocal distance {reach_m:.2f} m (f = {lens.focal_length_mm:g} mm, "
        f"f/{lens.f_number:g}, circle of confusion {coc_um:.1f} um). For a clear effect focus "
        f"nearer than {nearer_m:.2f} m.{note}",
        reach_m, nearer_m,
    )  # fmt: skip


def _background(optics: Optics, distance_mm: float, limits: CheckParams) -> Finding:
    """Blur of the far background in pixels of the file and of the view."""
    blur_mm = optics.lens.background_blur_mm(distance_mm)
    blur_px, (pixel_mm, side) = (
        blur_mm / optics.lens.pixel_mm(optics.shape),
        _view_pixel(optics, limits),
    )
    at_view = blur_mm / pixel_mm
    return Finding(
        "background_blur", Severity.INFO,
        f"Focused at {distance_mm / 1000:.2f} m, the far background is blurred to a diameter of "
        f"{blur_px:.1f} px of the file ({at_view:.1f} px at {side} px)"
        + (": too little to see." if at_view < VISIBLE_BLUR_PX else "."),
        at_view, limits.wanted_blur_px,
    )  # fmt: skip


def _contradiction(
    verdict: Finding, seen: BlurStatistics, optics: Optics, distance_mm: float, limits: CheckParams
) -> Finding | None:
    """A warning if the distance predicts clear blur and there is none, or the reverse.

    A blur that would be visible but weak contradicts nothing, since both are uncertain.
    """
    pixel_mm, side = _view_pixel(optics, limits)
    blur_px = optics.lens.background_blur_mm(distance_mm) / pixel_mm
    if blur_px >= limits.wanted_blur_px and verdict.code == "everything_in_focus":
        why = "nothing lies far behind what is in focus"
    elif blur_px < VISIBLE_BLUR_PX and verdict.code == "defocus_present":
        near_m = optics.lens.depth_of_field_mm(distance_mm)[0] / 1000
        why = f"what is blurred lies nearer than {near_m:.2g} m"
    else:
        return None
    said, sigma = "You say" if optics.told else "The file says", blur_px / DIAMETER_PER_SIGMA
    return Finding(
        "distance_contradicted", Severity.WARNING,
        f"{said} it was focused at {distance_mm / 1000:.2f} m: a far background would be blurred "
        f"by sigma {sigma:.1f} px at {side} px, but the most blurred parts of the picture show "
        f"{seen.blurriest_sigma:.1f} px. Either the distance is wrong, or {why}. The verdict is "
        "the picture's; give the true distance if you know it.",
        seen.blurriest_sigma, sigma,
    )  # fmt: skip


def _listed(names: tuple[str, ...]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
