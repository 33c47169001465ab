"""Findings from blur statistics and optics: the verdict on the picture, then notes on the lens."""

from __future__ import annotations

from stages.capture_check.explain import Optics, UnknownOptics, explain, nearest_m
from stages.capture_check.params import CheckParams
from stages.capture_check.statistics import BlurStatistics
from stages.findings import Finding, Severity
from stages.optics import limit_text

NEGATIVE_CODES = frozenset(
    {"too_dark_or_noisy", "too_few_edges", "no_sharp_subject", "everything_in_focus"}
)


def judge(
    statistics: BlurStatistics, optics: Optics | UnknownOptics | None, params: CheckParams
) -> tuple[Finding, ...]:
    """Turn blur statistics and optics into findings.

    Parameters
    ----------
    statistics : BlurStatistics
        Of `blur_statistics`.
    optics : Optics or UnknownOptics or None
        None if the capture has no metadata, as for an array.
    params : CheckParams
        Thresholds.

    Returns
    -------
    tuple of Finding
        Exactly one verdict on the picture, then findings about the optics, and a warning if picture
        and optics contradict each other.
    """
    verdict = _verdict(statistics, optics if isinstance(optics, Optics) else None, params)
    return (verdict, *explain(verdict, statistics, optics, params))


def _verdict(blur: BlurStatistics, optics: Optics | None, limits: CheckParams) -> Finding:
    """Verdict on the picture, by the first rule that applies."""
    return _unusable(blur, limits) or _unsharp(blur, limits) or _defocus(blur, optics, limits)


def _unusable(blur: BlurStatistics, limits: CheckParams) -> Finding | None:
    """Finding if the picture is too dark, too noisy or too empty to measure blur."""
    if blur.signal_to_noise < limits.least_signal:
        return Finding(
            "too_dark_or_noisy", Severity.BLOCKING,
            f"Too dark or too noisy to measure blur: bright parts are {blur.signal_to_noise:.0f} "
            f"times the noise, {limits.least_signal:.0f} are needed. Use more light or a lower "
            "ISO.",
            blur.signal_to_noise, limits.least_signal,
        )  # fmt: skip
    if blur.edges_per_megapixel < limits.least_edges or blur.cover < limits.least_cover:
        few = blur.edges_per_megapixel < limits.least_edges
        measured = (
            f"{blur.edges_per_megapixel:.0f} edge pixels per megapixel, {limits.least_edges} are"
            if few
            else f"on {100 * blur.cover:.0f} % of the picture, {100 * limits.least_cover:.0f} % are"
        )
        return Finding(
            "too_few_edges", Severity.BLOCKING,
            f"Not enough detail (edges) to measure blur: {measured} needed. Include a structured "
            "subject and background.",
            blur.edges_per_megapixel if few else blur.cover,
            limits.least_edges if few else limits.least_cover,
        )  # fmt: skip
    return None


def _unsharp(blur: BlurStatistics, limits: CheckParams) -> Finding | None:
    """Finding if the picture is shaken or nothing is in focus; blocking if nothing is sharp."""
    nothing_sharp = blur.sharpest_sigma > limits.sharp_sigma_px
    if blur.shake_contrast > limits.shake_contrast:
        return Finding(
            "shaken", Severity.BLOCKING if nothing_sharp else Severity.WARNING,
            "The picture is shaken: detail is lost along one direction, even where it is sharpest "
            f"(contrast {blur.shake_contrast:.1f}, limit {limits.shake_contrast:.1f}). Hold still "
            "or use a shorter exposure.",
            blur.shake_contrast, limits.shake_contrast,
        )  # fmt: skip
    if nothing_sharp:
        return Finding(
            "no_sharp_subject", Severity.BLOCKING,
            "No sharp subject: the whole picture is out of focus "
            f"(sigma {blur.sharpest_sigma:.1f} px at {blur.view_side_px} px). Refocus and take it "
            "again.",
            blur.sharpest_sigma, limits.sharp_sigma_px,
        )  # fmt: skip
    return None


def _defocus(blur: BlurStatistics, optics: Optics | None, limits: CheckParams) -> Finding:
    """Finding about the amount of blur that can be magnified."""
    blurred = blur.blurriest_sigma
    if (
        blurred > limits.present_sigma_px
        or blur.share_blurred > limits.present_share
        or blur.coarse_share_very_blurred >= limits.coarse_share
    ):
        return Finding(
            "defocus_present", Severity.INFO,
            f"Background blur found (sigma {blurred:.1f} px at {blur.view_side_px} px); it can be "
            "magnified.",
            blurred, limits.present_sigma_px,
        )  # fmt: skip
    if blurred > limits.weak_sigma_px or blur.share_blurred > limits.weak_share:
        return Finding(
            "defocus_weak", Severity.WARNING,
            f"Only slight background blur (sigma {blurred:.1f} px at {blur.view_side_px} px): the "
            "effect will be subtle. Move closer to the subject, or the background farther away.",
            blurred, limits.present_sigma_px,
        )  # fmt: skip
    nearer = (
        f" (nearer than {limit_text(nearest_m(optics, limits))} with this lens)" if optics else ""
    )
    return Finding(
        "everything_in_focus", Severity.WARNING,
        f"Everything is in focus, there is no blur to magnify. Move closer{nearer} or focus on "
        "something near.",
        blurred, limits.weak_sigma_px,
    )  # fmt: skip
