"""Findings about the optics: hyperfocal distance, blur of the background, contradictions.

They follow from the metadata by thin-lens optics (`stages.optics`). Blur is given in pixels of the
file and in pixels of the view of the check.
"""

from __future__ import annotations

from dataclasses import dataclass

from stages.capture_check.params import CheckParams
from stages.capture_check.statistics import BlurStatistics
from stages.findings import Finding, Severity
from stages.optics import Lens, distance_text, limit_text

VISIBLE_BLUR_PX = 1.0  # diameter in px of the view of the check; smaller blur is not visible
MACRO_M = 0.2  # nearer subjects are rare
CONFIRMING = 1.35  # times the wanted blur: areas of a picture that is sharp differ as well
DIAMETER_PER_SIGMA = 4.0  # a disk of diameter d has standard deviation d / 4


@dataclass(frozen=True, slots=True)
class Optics:
    """Lens and focus of a capture.

    Attributes
    ----------
    lens : Lens
        Thin lens and sensor.
    distance_mm : float or None
        Focus distance, mm; None if it is unknown.
    shape : (int, int)
        Rows and columns of the file, px.
    told : bool
        Whether the focus distance was given by a person, and not by the file.
    """

    lens: Lens
    distance_mm: float | None
    shape: tuple[int, int]  # of the file, px
    told: bool = False


@dataclass(frozen=True, slots=True)
class UnknownOptics:
    """Optics that are unknown, because these metadata are missing (names in plain words)."""

    missing: tuple[str, ...]


def explain(
    verdict: Finding,
    blur: BlurStatistics,
    optics: Optics | UnknownOptics | None,
    limits: CheckParams,
) -> tuple[Finding, ...]:
    """Findings about the optics, given the verdict on the picture.

    Parameters
    ----------
    verdict : Finding
        On the picture.
    blur : BlurStatistics
        Of `blur_statistics`.
    optics : Optics or UnknownOptics or None
        As for `judge`.
    limits : CheckParams
        Thresholds.

    Returns
    -------
    tuple of Finding
        Empty if `optics` is None.
    """
    if optics is None:
        return ()
    if isinstance(optics, UnknownOptics):
        return (_unknown(optics.missing),)
    if optics.distance_mm is None:
        return (_hyperfocal(optics, limits, " The file does not say where it was focused."),)
    findings = (_hyperfocal(optics, limits), _background(optics, optics.distance_mm, limits))
    contradiction = _contradiction(verdict, blur, optics, optics.distance_mm, limits)
    return (*findings, contradiction) if contradiction else findings


def nearest_m(optics: Optics, limits: CheckParams) -> float:
    """Largest focus distance at which the far background is blurred by `wanted_blur_px`, m."""
    pixel_mm, _ = _view_pixel(optics, limits)
    return optics.lens.distance_for_blur_mm(limits.wanted_blur_px * pixel_mm) / 1000


def rules_out_defocus(optics: Optics | None, limits: CheckParams) -> bool:
    """Whether the optics say that nothing behind the subject can be visibly defocused.

    If the focus distance is unknown, this holds for a lens that would have to be focused nearer
    than almost any subject, such as that of an action camera.
    """
    if optics is None:
        return False
    if optics.distance_mm is None:
        return nearest_m(optics, limits) < MACRO_M
    pixel_mm, _ = _view_pixel(optics, limits)
    return optics.lens.background_blur_mm(optics.distance_mm) / pixel_mm < VISIBLE_BLUR_PX


def confirms_prediction(blur: BlurStatistics, optics: Optics | None, limits: CheckParams) -> bool:
    """Whether optics and picture agree on blur that magnifies well.

    The optics predict it for a far background, and the most blurred areas of the picture have it
    in comparison with the sharpest ones.
    """
    if optics is None or optics.distance_mm is None:
        return False
    pixel_mm, side = _view_pixel(optics, limits)
    predicted_px = optics.lens.background_blur_mm(optics.distance_mm) / pixel_mm
    excess = max(blur.blurriest_sigma**2 - blur.sharpest_sigma**2, 0.0) ** 0.5
    wanted_px = CONFIRMING * limits.wanted_blur_px * side / limits.view_side_px
    return bool(min(predicted_px, DIAMETER_PER_SIGMA * excess) >= wanted_px)


def _view_pixel(optics: Optics, limits: CheckParams) -> tuple[float, int]:
    """Size of a pixel of the view on the sensor, mm, and the long side of the view, px."""
    side = min(limits.view_side_px, max(optics.shape))
    return optics.lens.pixel_mm(optics.shape) * max(optics.shape) / side, side


def _unknown(missing: tuple[str, ...]) -> Finding:
    """Finding that names the missing metadata."""
    return Finding(
        "optics_unknown", Severity.INFO,
        f"The file does not say {_listed(missing)}: hyperfocal distance and background blur cannot "
        "be predicted. The verdict is based on the picture alone.",
    )  # fmt: skip


def _hyperfocal(optics: Optics, limits: CheckParams, note: str = "") -> Finding:
    """Finding about the hyperfocal distance; its limit is the distance of `nearest_m`."""
    lens, reach_m = optics.lens, optics.lens.hyperfocal_mm / 1000
    coc_um, nearer_m = lens.circle_of_confusion_mm * 1000, nearest_m(optics, limits)
    return Finding(
        "hyperfocal", Severity.INFO,
        f"Hyperfocal distance {distance_text(reach_m)} (f = {lens.focal_length_mm:g} mm, "
        f"f/{lens.f_number:g}, circle of confusion {coc_um:.1f} um). For a clear effect focus "
        f"nearer than {limit_text(nearer_m)}.{note}",
        reach_m, nearer_m,
    )  # fmt: skip


def _background(optics: Optics, distance_mm: float, limits: CheckParams) -> Finding:
    """Finding about the blur of the far background, in pixels of the file and of the view."""
    blur_mm = optics.lens.background_blur_mm(distance_mm)
    blur_px, (pixel_mm, side) = (
        blur_mm / optics.lens.pixel_mm(optics.shape),
        _view_pixel(optics, limits),
    )
    at_view = blur_mm / pixel_mm
    return Finding(
        "background_blur", Severity.INFO,
        f"Focused at {distance_text(distance_mm / 1000)}, the far background is blurred to a "
        f"diameter of {blur_px:.1f} px of the file ({at_view:.1f} px at {side} px)"
        + (": too little to see." if at_view < VISIBLE_BLUR_PX else "."),
        at_view, limits.wanted_blur_px,
    )  # fmt: skip


def _contradiction(
    verdict: Finding,
    blur: BlurStatistics,
    optics: Optics,
    distance_mm: float,
    limits: CheckParams,
) -> Finding | None:
    """Warning if the focus distance predicts clear blur and the picture has none, or the reverse.

    If the predicted blur is visible but weak, there is no warning, since both are uncertain.
    """
    pixel_mm, side = _view_pixel(optics, limits)
    blur_px = optics.lens.background_blur_mm(distance_mm) / pixel_mm
    if blur_px >= limits.wanted_blur_px and verdict.code == "everything_in_focus":
        why = "nothing lies far behind what is in focus"
    elif blur_px < VISIBLE_BLUR_PX and verdict.code == "defocus_present":
        near_m = optics.lens.depth_of_field_mm(distance_mm)[0] / 1000
        why = f"what is blurred lies nearer than {limit_text(near_m)}"
    else:
        return None
    source, sigma = "You say" if optics.told else "The file says", blur_px / DIAMETER_PER_SIGMA
    return Finding(
        "distance_contradicted", Severity.WARNING,
        f"{source} it was focused at {distance_text(distance_mm / 1000)}: a far background would "
        f"be blurred by sigma {sigma:.1f} px at {side} px, but the most blurred parts of the "
        f"picture show {blur.blurriest_sigma:.1f} px. Either the distance is wrong, or {why}. "
        "The verdict is the picture's; give the true distance if you know it.",
        blur.blurriest_sigma, sigma,
    )  # fmt: skip


def _listed(names: tuple[str, ...]) -> str:
    """Names, joined by commas and "and"."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
