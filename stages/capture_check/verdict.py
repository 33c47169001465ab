"""Findings from blur statistics and optics: the verdict on the picture, then notes on the lens."""

from __future__ import annotations

from stages.capture_check.explain import (
    Optics,
    UnknownOptics,
    confirms_prediction,
    explain,
    nearest_m,
    rules_out_defocus,
)
from stages.capture_check.params import CheckParams
from stages.capture_check.statistics import BlurStatistics, limit_at
from stages.findings import Finding, Severity
from stages.optics import limit_text

NEGATIVE_CODES = frozenset(
    {"too_dark_or_noisy", "too_few_edges", "no_sharp_subject", "everything_in_focus"}
)

DOUBT = 1.5  # times the limits of defocus that the optics rule out
LINES_DOUBT = 2.0  # times the limit of sigma if a picture has straight lines only
# In a file below this share of the view, blur that is visible in the frame is less than a pixel at
# edges. Blocks tell it: the share of soft ones, and a loss in the sharpest ones that is far less.
SMALL_FILE, SMALL_SOFT_SHARE, SMALL_SHARP_DB = 0.5, 0.3, 20.0


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
    """Finding if the picture is shaken or nothing is in focus; blocking if nothing is sharp.

    Fine detail that only the view has, and the second pass lacks, is not of the subject: blocks of
    JPEG, for instance.
    """
    sharp_px = limit_at(limits.sharp_sigma_px, blur.view_side_px, limits.view_side_px)
    soft = blur.sharpest_sigma > sharp_px and (
        blur.detail.soft_share >= limits.soft_share or limits.lacks_detail(blur.coarse_detail)
    )
    lost = limits.lacks_detail(blur.detail)
    loss = limits.shaken_loss(blur.detail, blur.coarse_detail)
    if loss is not None:
        return Finding(
            "shaken", Severity.BLOCKING if soft else Severity.WARNING,
            "The picture is shaken: fine detail is lost along one direction, even where it is "
            f"sharpest ({loss.most:.0f} dB against coarse structure, limit "
            f"{limits.shaken_loss_db:.0f} dB). Hold still or use a shorter exposure.",
            loss.most, limits.shaken_loss_db,
        )  # fmt: skip
    if soft:
        return Finding(
            "no_sharp_subject", Severity.BLOCKING,
            "No sharp subject: the whole picture is out of focus "
            f"(sigma {blur.sharpest_sigma:.1f} px at {blur.view_side_px} px). Refocus and take it "
            "again.",
            blur.sharpest_sigma, sharp_px,
        )  # fmt: skip
    if lost:
        return Finding(
            "no_sharp_subject", Severity.BLOCKING,
            "No sharp subject: the whole picture is slightly out of focus (fine detail is "
            f"{blur.detail.overall:.0f} dB below coarse structure even where it is sharpest, limit "
            f"{limits.unsharp_loss_db:.0f} dB). Refocus and take it again.",
            blur.detail.overall, limits.unsharp_loss_db,
        )  # fmt: skip
    return None


def _defocus(blur: BlurStatistics, optics: Optics | None, limits: CheckParams) -> Finding:
    """Finding about the amount of blur that can be magnified.

    If the optics rule out defocus, metadata or picture deceive: the limits are higher. If there is
    nothing but straight lines, the shading of round poles looks like slight blur: only strong blur
    counts. If the optics predict clear blur, the picture only has to confirm it.
    """
    blurred = blur.blurriest_sigma
    lines = 0 < blur.detail.directions < limits.least_directions
    doubt = DOUBT if rules_out_defocus(optics, limits) else LINES_DOUBT if lines else 1.0
    present_px, weak_px = (
        doubt * limit_at(limit, blur.view_side_px, limits.view_side_px)
        for limit in (limits.present_sigma_px, limits.weak_sigma_px)
    )
    soft = blur.detail.soft_share >= doubt * limits.soft_share
    present = (
        blurred > present_px
        or not lines
        and (
            blur.share_blurred > doubt * limits.present_share
            or blur.coarse_share_very_blurred >= doubt * limits.coarse_share
        )
    )
    weak = not lines and (
        blurred > weak_px
        or blur.share_blurred > doubt * limits.weak_share
        or _blurred_within_pixels(blur, limits)
    )
    if (soft and present) or confirms_prediction(blur, optics, limits):
        return Finding(
            "defocus_present", Severity.INFO,
            f"Background blur found (sigma {blurred:.1f} px at {blur.view_side_px} px); it can be "
            "magnified.",
            blurred, present_px,
        )  # fmt: skip
    if soft and weak:
        return Finding(
            "defocus_weak", Severity.WARNING,
            f"Only slight background blur (sigma {blurred:.1f} px at {blur.view_side_px} px): the "
            "effect will be subtle. Move closer to the subject, or the background farther away.",
            blurred, present_px,
        )  # fmt: skip
    nearer = (
        f" (nearer than {limit_text(nearest_m(optics, limits))} with this lens)" if optics else ""
    )
    return Finding(
        "everything_in_focus", Severity.WARNING,
        "Everything is nearly in focus: there is hardly any blur to magnify. Move closer"
        f"{nearer} or focus on something near.",
        blurred, weak_px,
    )  # fmt: skip


def _blurred_within_pixels(blur: BlurStatistics, limits: CheckParams) -> bool:
    """Whether a small file is soft in part of its blocks, and far sharper in others."""
    return (
        blur.view_side_px < SMALL_FILE * limits.view_side_px
        and blur.detail.soft_share > SMALL_SOFT_SHARE
        and blur.detail.overall < SMALL_SHARP_DB
    )
