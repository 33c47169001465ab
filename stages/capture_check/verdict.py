"""From blur statistics and optics to findings: the verdict, and what the lens explains."""

from __future__ import annotations

from stages.capture_check.explain import Optics, UnknownOptics, explain, nearest_m
from stages.capture_check.params import CheckParams
from stages.capture_check.statistics import BlurStatistics
from stages.findings import Finding, Severity

NEGATIVE_CODES = frozenset(
    {"too_dark_or_noisy", "too_few_edges", "no_sharp_subject", "everything_in_focus"}
)


def judge(
    statistics: BlurStatistics, optics: Optics | UnknownOptics | None, params: CheckParams
) -> tuple[Finding, ...]:
    """Turn blur statistics and optics into findings: the picture's verdict first.

    Parameters
    ----------
    statistics : BlurStatistics
        Of `blur_statistics`.
    optics : Optics or UnknownOptics or None
        None where there are no metadata to speak of, as for an array.
    params : CheckParams
        Thresholds.

    Returns
    -------
    tuple of Finding
        Exactly one verdict, then what the optics say, and whether the picture contradicts them.
    """
    verdict = _verdict(statistics, optics if isinstance(optics, Optics) else None, params)
    return (verdict, *explain(verdict, statistics, optics, params))


def _verdict(seen: BlurStatistics, optics: Optics | None, limits: CheckParams) -> Finding:
    """Judge the picture; the first rule that matches wins."""
    return _unusable(seen, limits) or _unsharp(seen, limits) or _defocus(seen, optics, limits)


def _unusable(seen: BlurStatistics, limits: CheckParams) -> Finding | None:
    """Too dark, too noisy or too empty to see blur at all."""
    if seen.signal_to_noise < limits.least_signal:
        return Finding(
            "too_dark_or_noisy", Severity.BLOCKING,
            f"Too dark or too noisy to measure blur: bright parts are {seen.signal_to_noise:.0f} "
            f"times the noise, {limits.least_signal:.0f} are needed. Use more light or a lower "
            "ISO.",
            seen.signal_to_noise, limits.least_signal,
        )  # fmt: skip
    if seen.edges_per_megapixel < limits.least_edges or seen.cover < limits.least_cover:
        few = seen.edges_per_megapixel < limits.least_edges
        found = (
            f"{seen.edges_per_megapixel:.0f} edge pixels per megapixel, {limits.least_edges} are"
            if few
            else f"on {100 * seen.cover:.0f} % of the picture, {100 * limits.least_cover:.0f} % are"
        )
        return Finding(
            "too_few_edges", Severity.BLOCKING,
            f"Not enough detail (edges) to measure blur: {found} needed. Include a structured "
            "subject and background.",
            seen.edges_per_megapixel if few else seen.cover,
            limits.least_edges if few else limits.least_cover,
        )  # fmt: skip
    return None


def _unsharp(seen: BlurStatistics, limits: CheckParams) -> Finding | None:
    """Shaken, or nothing in focus. A shaken picture in which nothing is sharp is no better."""
    nothing_sharp = seen.sharpest_sigma > limits.sharp_sigma_px
    if seen.shake_contrast > limits.shake_contrast:
        return Finding(
            "shaken", Severity.BLOCKING if nothing_sharp else Severity.WARNING,
            "The picture is shaken: detail is lost along one direction, even where it is sharpest "
            f"(contrast {seen.shake_contrast:.1f}, limit {limits.shake_contrast:.1f}). Hold still "
            "or use a shorter exposure.",
            seen.shake_contrast, limits.shake_contrast,
        )  # fmt: skip
    if nothing_sharp:
        return Finding(
            "no_sharp_subject", Severity.BLOCKING,
            "No sharp subject: the whole picture is out of focus "
            f"(sigma {seen.sharpest_sigma:.1f} px at {seen.view_side_px} px). Refocus and take it "
            "again.",
            seen.sharpest_sigma, limits.sharp_sigma_px,
        )  # fmt: skip
    return None


def _defocus(seen: BlurStatistics, optics: Optics | None, limits: CheckParams) -> Finding:
    """How much blur there is to magnify."""
    blurred = seen.blurriest_sigma
    if (
        blurred > limits.present_sigma_px
        or seen.share_blurred > limits.present_share
        or seen.coarse_share_very_blurred >= limits.coarse_share
    ):
        return Finding(
            "defocus_present", Severity.INFO,
            f"Background blur found (sigma {blurred:.1f} px at {seen.view_side_px} px); it can be "
            "magnified.",
            blurred, limits.present_sigma_px,
        )  # fmt: skip
    if blurred > limits.weak_sigma_px or seen.share_blurred > limits.weak_share:
        return Finding(
            "defocus_weak", Severity.WARNING,
            f"Only slight background blur (sigma {blurred:.1f} px at {seen.view_side_px} px): the "
            "effect will be subtle. Move closer to the subject, or the background farther away.",
            blurred, limits.present_sigma_px,
        )  # fmt: skip
    nearer = f" (nearer than {nearest_m(optics, limits):.2g} m with this lens)" if optics else ""
    return Finding(
        "everything_in_focus", Severity.WARNING,
        f"Everything is in focus, there is no blur to magnify. Move closer{nearer} or focus on "
        "something near.",
        blurred, limits.weak_sigma_px,
    )  # fmt: skip
