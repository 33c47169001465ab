"""Is there defocus to magnify? What the lens predicts, and what the picture shows.

The picture is looked at with a long side of 1280 px, where a blur of sigma 1 px begins to be seen.
Edges are found against the noise (not against the strongest edge), and the picture is judged by
areas: each area with enough edges counts with the 60 % quantile of its blur. A second look at
320 px sees blur too strong for the first. Metadata can be wrong or absent, so the verdict is the
picture's; the optics explain it and say what to do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from stages.arrays import luma
from stages.blur import BlurParams, edge_blur, gradient, link_edges, noise_sigma, survey
from stages.findings import Finding, Severity
from stages.grid import Grid
from stages.optics import Lens
from stages.params import Array, Params, param
from stages.tone import SRGB, encode

AREAS = 16  # along the long side of the first look
AREA_EDGES = 25  # edge pixels that make an area count
AREA_QUANTILE = 0.6  # above the median: an area is as blurred as most of its edges
LEAST_LOG_SIGMA = 0.35  # px: below, sharp edges differ by noise only
COARSE_AREAS, COARSE_AREA_EDGES = 12, 6  # the same for the second look
BLURRED_PX, VERY_BLURRED_PX = 1.8, 2.2  # sigma from which an area looks soft, and unmistakably so
SHARPEST, BLURRIEST = 0.05, 0.90  # quantiles over areas: extremes that one odd area cannot set
PEAK_PERCENTILE = 99  # of luma: the brightest part, without its highlights
WIDELY = 0.5  # share of very blurred areas from which blur along one direction is no sign of shake
NEGATIVE_CODES = frozenset(
    {"too_dark_or_noisy", "too_few_edges", "no_sharp_subject", "everything_in_focus"}
)
EDGES = BlurParams(edge_scale_px=2.0, edge_threshold=0.0, least_gradient=0.010)
MEGA = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckParams(Params):
    """Thresholds of the capture check; blur is sigma in pixels of the 1280-px view."""

    view_side_px: int = param(1280, 320, 4096, unit="px", help="long side of the first look")
    coarse_side_px: int = param(320, 80, 1024, unit="px", help="long side of the second look")
    least_signal: float = param(
        20.0, 1.0, help="99th percentile of luma over noise; below: too dark or noisy"
    )
    least_edges: int = param(3000, 1, help="edge pixels per megapixel; below: too few edges")
    least_cover: float = param(0.12, 0.0, 1.0, help="share of areas with edges; below: too few")
    sharp_sigma_px: float = param(
        1.9, 0.1, 8.0, unit="px", help="the sharpest areas must be below: else nothing is sharp"
    )
    shake_contrast: float = param(
        0.28, 0.0, 2.0, help="log-blur amplitude over edge direction; above: perhaps shaken"
    )
    present_sigma_px: float = param(
        1.85, 0.1, 8.0, unit="px", help="the most blurred areas above: defocus is present"
    )
    present_share: float = param(
        0.115, 0.0, 1.0, help="share of areas blurred by > 1.8 px: present"
    )
    coarse_share: float = param(
        0.20, 0.0, 1.0, help="share of areas blurred by > 2.2 px in the second look: present"
    )
    weak_sigma_px: float = param(1.30, 0.1, 8.0, unit="px", help="as present_sigma_px, for weak")
    weak_share: float = param(0.03, 0.0, 1.0, help="as present_share, for weak")
    wanted_blur_px: float = param(
        4.0, 0.5, unit="px", help="background blur diameter at 1280 px that magnifies well"
    )


class Evidence(NamedTuple):
    """What the picture shows; blur in pixels of the first look."""

    signal_to_noise: float
    edges_per_megapixel: float
    cover: float  # share of areas with enough edges
    sharpest_sigma: float  # 5 % quantile over areas
    blurriest_sigma: float  # 90 % quantile over areas
    share_blurred: float  # of areas above BLURRED_PX
    share_very_blurred: float  # of areas above VERY_BLURRED_PX
    coarse_share_very_blurred: float  # the same in the second look
    shake_contrast: float
    view_side_px: int  # long side of the first look: a smaller picture is not enlarged


@dataclass(frozen=True, slots=True)
class Optics:
    """What the metadata say: the lens, where it focused (unknown: None), the size of the file."""

    lens: Lens
    distance_mm: float | None
    shape: tuple[int, int]


def gather_evidence(linear: Array, params: CheckParams) -> Evidence:
    """Look at the blur of a picture's edges by areas.

    Parameters
    ----------
    linear : Array
        HxWx3 float32, linear light.
    params : CheckParams
        The sizes of the two looks are used.
    """
    view = _view(linear, params.view_side_px)
    sigma, noise = _edge_sigma(view)
    areas, total = _area_blur(sigma, AREAS, AREA_EDGES)
    coarse_sigma, _ = _edge_sigma(_view(linear, params.coarse_side_px))
    coarse, _ = _area_blur(coarse_sigma, COARSE_AREAS, COARSE_AREA_EDGES)
    peak = float(np.percentile(view[::2, ::2], PEAK_PERCENTILE))
    return Evidence(
        signal_to_noise=peak / noise,
        edges_per_megapixel=float((sigma > 0).sum()) / sigma.size * MEGA,
        cover=areas.size / total,
        sharpest_sigma=_quantile(areas, SHARPEST),
        blurriest_sigma=_quantile(areas, BLURRIEST),
        share_blurred=_share(areas, BLURRED_PX),
        share_very_blurred=_share(areas, VERY_BLURRED_PX),
        coarse_share_very_blurred=_share(coarse, VERY_BLURRED_PX),
        shake_contrast=_shake_contrast(view, sigma),
        view_side_px=max(view.shape[:2]),
    )


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
    if seen.sharpest_sigma > limits.sharp_sigma_px:
        return Finding(
            "no_sharp_subject", blocking,
            "No sharp subject: the whole picture is out of focus "
            f"(sigma {seen.sharpest_sigma:.1f} px at {seen.view_side_px} px). Refocus and take it "
            "again.",
            seen.sharpest_sigma, limits.sharp_sigma_px,
        )  # fmt: skip
    if seen.shake_contrast > limits.shake_contrast and seen.share_very_blurred < WIDELY:
        return Finding(
            "shaken", warning,
            "The picture may be shaken (blur along one direction). Hold still or use a shorter "
            "exposure.",
            seen.shake_contrast, limits.shake_contrast,
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


def _view(linear: Array, side: int) -> Array:
    """Encoded view with a long side of at most `side` pixels."""
    scale = side / max(linear.shape[:2])
    if scale < 1:
        rows, cols = (max(round(n * scale), 1) for n in linear.shape[:2])
        linear = np.asarray(cv2.resize(linear, (cols, rows), interpolation=cv2.INTER_AREA))
    return encode(linear, SRGB)


def _edge_sigma(view: Array) -> tuple[Array, float]:
    """Blur at the edges of a view in its own pixels, 0 elsewhere; and the noise of the view."""
    found = survey(view, EDGES)
    candidates = edge_blur(view, found, EDGES)
    return link_edges(candidates, Grid(view.shape[:2])).sigma, noise_sigma(found)


def _area_blur(sigma: Array, along: int, least_edges: int) -> tuple[npt.NDArray[np.float32], int]:
    """Blur of every area with enough edges, and how many areas there are."""
    side = max(-(-max(sigma.shape) // along), 1)
    rows, cols = (-(-n // side) for n in sigma.shape)
    y, x = np.nonzero(sigma)
    area, blur = (y // side) * cols + x // side, sigma[y, x]
    order = np.lexsort((blur, area))
    counts = np.bincount(area, minlength=rows * cols)
    first = np.cumsum(counts) - counts
    enough = counts >= least_edges
    picked = first[enough] + np.int64(AREA_QUANTILE * (counts[enough] - 1))
    return blur[order][picked], rows * cols


def _shake_contrast(view: Array, sigma: Array) -> float:
    """How much the blur depends on the direction of the edge.

    Amplitude of the least-squares fit log sigma = a + b cos 2t + c sin 2t over the edge pixels, t
    the direction of the gradient: motion blurs the edges across it only.
    """
    edges = sigma > 0
    if edges.sum() < AREA_EDGES:
        return 0.0
    gx, gy = (component[edges] for component in gradient(luma(view), EDGES.edge_scale_px))
    energy = np.maximum(gx * gx + gy * gy, np.finfo(np.float32).tiny)
    basis = np.stack([np.ones_like(gx), (gx * gx - gy * gy) / energy, 2 * gx * gy / energy])
    logs = np.log(np.maximum(sigma[edges], LEAST_LOG_SIGMA))
    fit = np.linalg.lstsq(basis @ basis.T, basis @ logs, rcond=None)[0]  # normal equations
    return math.hypot(float(fit[1]), float(fit[2]))


def _quantile(values: npt.NDArray[np.float32], share: float) -> float:
    return float(np.quantile(values, share)) if values.size else 0.0


def _share(values: npt.NDArray[np.float32], limit: float) -> float:
    return float((values > limit).mean()) if values.size else 0.0
