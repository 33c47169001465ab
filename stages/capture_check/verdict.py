"""From evidence and optics to findings: the verdict of the picture, and what the lens explains."""

from __future__ import annotations

from dataclasses import dataclass

from stages.capture_check.evidence import Evidence
from stages.capture_check.params import CheckParams
from stages.findings import Finding, Severity
from stages.optics import Lens

NEGATIVE_CODES = frozenset(
    {"too_dark_or_noisy", "too_few_edges", "no_sharp_subject", "everything_in_focus"}
)


@dataclass(frozen=True, slots=True)
class Optics:
    """What the metadata say: the lens, where it focused (unknown: None), the size of the file."""

    lens: Lens
    distance_mm: float | None
    shape: tuple[int, int]


def judge(evidence: Evidence, optics: Optics | None, params: CheckParams) -> tuple[Finding, ...]:
    """Turn evidence and optics into findings: the picture's verdict first.

    Parameters
    ----------
    evidence : Evidence
        Of `gather_evidence`.
    optics : Optics or None
        None where the metadata do not allow it.
    params : CheckParams
        Thresholds.

    Returns
    -------
    tuple of Finding
        Exactly one verdict, then what the optics say.
    """
    verdict = _verdict(evidence, optics, params)
    return (verdict, *(_optics_findings(optics, params) if optics else ()))


def _verdict(seen: Evidence, optics: Optics | None, limits: CheckParams) -> Finding:
    """Judge the picture; the first rule that matches wins."""
    blocking, warning, info = Severity.BLOCKING, Severity.WARNING, Severity.INFO
    if seen.signal_to_noise < limits.least_signal:
        return Finding(
            "too_dark_or_noisy", blocking,
            "Too dark or too noisy to measure blur. Use more light or a lower ISO.",
            seen.signal_to_noise, limits.least_signal,
        )  # fmt: skip
    if seen.edges_per_megapixel < limits.least_edges or seen.cover < limits.least_cover:
        few = seen.edges_per_megapixel < limits.least_edges
        return Finding(
            "too_few_edges", blocking,
            "Not enough detail (edges) to measure blur. Include a structured subject and "
            "background.",
            seen.edges_per_megapixel if few else seen.cover,
            limits.least_edges if few else limits.least_cover,
        )  # fmt: skip
    nothing_sharp = seen.sharpest_sigma > limits.sharp_sigma_px
    if seen.shake_contrast > limits.shake_contrast:
        return Finding(
            "shaken", blocking if nothing_sharp else warning,
            "The picture is shaken: detail is lost along one direction, even where it is sharpest "
            f"(contrast {seen.shake_contrast:.1f}, limit {limits.shake_contrast:.1f}). Hold still "
            "or use a shorter exposure.",
            seen.shake_contrast, limits.shake_contrast,
        )  # fmt: skip
    if nothing_sharp:
        return Finding(
            "no_sharp_subject", blocking,
            "No sharp subject: the whole picture is out of focus "
            f"(sigma {seen.sharpest_sigma:.1f} px at {seen.view_side_px} px). Refocus and take it "
            "again.",
            seen.sharpest_sigma, limits.sharp_sigma_px,
        )  # fmt: skip
    blurred = seen.blurriest_sigma
    if (
        blurred > limits.present_sigma_px
        or seen.share_blurred > limits.present_share
        or seen.coarse_share_very_blurred >= limits.coarse_share
    ):
        return Finding(
            "defocus_present", info,
            f"Background blur found (sigma {blurred:.1f} px at {seen.view_side_px} px); it can be "
            "magnified.",
            blurred, limits.present_sigma_px,
        )  # fmt: skip
    if blurred > limits.weak_sigma_px or seen.share_blurred > limits.weak_share:
        return Finding(
            "defocus_weak", warning,
            f"Only slight background blur (sigma {blurred:.1f} px at {seen.view_side_px} px): the "
            "effect will be subtle. Move closer to the subject, or the background farther away.",
            blurred, limits.present_sigma_px,
        )  # fmt: skip
    nearer = f"nearer than {_nearest_m(optics, limits):.2g} m with this lens" if optics else ""
    advice = f"Move closer ({nearer})" if nearer else "Move closer"
    return Finding(
        "everything_in_focus", warning,
        f"Everything is in focus, there is no blur to magnify. {advice} or focus on something "
        "near.",
        blurred, limits.weak_sigma_px,
    )  # fmt: skip


def _optics_findings(optics: Optics, limits: CheckParams) -> tuple[Finding, ...]:
    lens, nearest_m = optics.lens, _nearest_m(optics, limits)
    reach_m = lens.hyperfocal_mm / 1000
    coc_um = lens.circle_of_confusion_mm * 1000
    hyperfocal = Finding(
        "hyperfocal", Severity.INFO,
        f"Hyperfocal distance {reach_m:.2f} m (f = {lens.focal_length_mm:g} mm, "
        f"f/{lens.f_number:g}, circle of confusion {coc_um:.1f} um). For a clear effect focus "
        f"nearer than {nearest_m:.2f} m.",
        reach_m,
    )  # fmt: skip
    if optics.distance_mm is None:
        return (hyperfocal,)
    blur_px = lens.background_blur_mm(optics.distance_mm) / lens.pixel_mm(optics.shape)
    at_view = blur_px * min(limits.view_side_px / max(optics.shape), 1.0)
    predicted = Finding(
        "background_blur", Severity.INFO,
        f"Focused at {optics.distance_mm / 1000:.2f} m, the far background is blurred to a "
        f"diameter of {blur_px:.1f} px of the file ({at_view:.1f} px at {limits.view_side_px} px)"
        + (": too little to see." if at_view < 1 else "."),
        at_view, limits.wanted_blur_px,
    )  # fmt: skip
    return hyperfocal, predicted


def _nearest_m(optics: Optics, limits: CheckParams) -> float:
    """Distance within which the background is blurred by `wanted_blur_px` at the first look."""
    view_pixel = optics.lens.pixel_mm(optics.shape) * max(
        max(optics.shape) / limits.view_side_px, 1.0
    )
    return optics.lens.distance_for_blur_mm(limits.wanted_blur_px * view_pixel) / 1000
