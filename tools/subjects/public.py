"""Blur maps on photographs whose blur others measured, by the protocols of the published tables.

RTF (D'Andres et al. 2016): both maps clipped at 3.275 px and divided by that, the last 20 columns
left out, mean absolute error. Dual pixel (Xin et al. 2021, Pixel 4), where defocus is known: AI(1),
AI(2) after the best affine fit, and 1 - |Spearman's rho|. Masks (CUHK, DUT, Xu): F of what is
blurred with beta^2 = 0.3, mean over pictures, one threshold for all of them.

Beside ours stand the `paper` preset (the method of Zhuo and Sim 2011), an untouched picture (a map
of zeros), a constant map, and figures as others published them: these are over the whole sets, ours
over what is at hand, and masks were scored by one F of the whole set there. `--copies DIR` measures
a person's own copies of the sets (`datasets.measured_blur` says how they are laid out).

Of each set, in the order of names, every second picture from the first on chooses defaults, the
others report (RTF 01 / 05; dual pixel 001, 005, 009 / 003, 007, 011): keys come for both halves.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from measures.cameras import sigma_of
from measures.halves import HALVES, by_halves, print_halves
from measures.maps import (
    affine_errors,
    best_threshold,
    clipped_error,
    f_measures,
    rank_error,
)

from datasets.measured_blur import Measured, as_float, dual_pixel, masks, rtf
from stages.params import Array

RTF_MOST_PX, RTF_MARGIN_PX = 3.275, 20
PUBLISHED_RTF = {"DMENet, published": {"image_01": 0.0643, "image_05": 0.0335}}
PUBLISHED_DUAL_PIXEL = {  # AI(1), AI(2), 1 - |rho| over all 17 scenes
    "DMENet, published": (0.144, 0.183, 0.586),
    "Punnappurath, two views, published": (0.124, 0.161, 0.444),
    "Garg, two views, published": (0.079, 0.102, 0.208),
}
PUBLISHED_MASKS = {"Zhuo and Sim, published": 0.773, "HiFST, published": 0.821}  # all of CUHK
QUICK = 2  # pictures of each set


class Case(NamedTuple):
    """A picture of a set, its half, and our map of it."""

    given: Measured
    half: str
    sigma: Array


def measure(context: Any) -> dict[str, float]:
    """Measure every set that is at hand."""
    folder = context.copies or context.data / "blur_gt"
    results: dict[str, float] = {}
    for name, load, judge in (
        ("RTF", rtf, _rtf), ("dual pixel", dual_pixel, _dual_pixel), ("masks", masks, _masks),
    ):  # fmt: skip
        given = [each for k, each in enumerate(load(folder)) if not context.quick or k < QUICK]
        cases = [
            Case(each, HALVES[k % 2], sigma_of(each.picture, encoding=each.encoding))
            for k, each in enumerate(given)
        ]
        if cases:
            results |= judge(cases, context)
        else:
            context.missing.append(f"{name} in {folder}")
    print_halves(context, results)
    return results


def _paper(given: Measured) -> Array:
    return sigma_of(given.picture, encoding=given.encoding, preset="paper")


def _rtf(cases: list[Case], context: Any) -> dict[str, float]:
    def error(given: Measured, sigma: Array | float) -> float:
        truth = as_float(given.truth)
        found = np.broadcast_to(np.float32(sigma), truth.shape)
        inner = np.s_[:, :-RTF_MARGIN_PX]
        return clipped_error(found[inner], truth[inner], RTF_MOST_PX)

    names = [case.given.name for case in cases]
    rows = {
        "ours": [error(case.given, case.sigma) for case in cases],
        "paper": [error(case.given, _paper(case.given)) for case in cases],
        "untouched picture": [error(case.given, 0.0) for case in cases],
        "constant (median)": [
            error(case.given, float(np.median(as_float(case.given.truth)))) for case in cases
        ],
    }
    for way, figures in PUBLISHED_RTF.items():
        rows[way] = [figures.get(name, math.nan) for name in names]
    table = [[way, *row, float(np.mean(row))] for way, row in rows.items()]
    context.table("RTF: mean absolute error", ["map", *names, "mean"], table)
    return by_halves("public.rtf_mae", cases, lambda case: error(case.given, case.sigma))


def _dual_pixel(cases: list[Case], context: Any) -> dict[str, float]:
    def errors(given: Measured, sigma: Array) -> tuple[float, float, float]:
        truth = as_float(given.truth)
        known = np.isfinite(truth)
        return (*affine_errors(sigma[known], truth[known]), rank_error(sigma[known], truth[known]))

    ours = {case.given.name: errors(case.given, case.sigma) for case in cases}
    rows = {
        "ours": np.mean([*ours.values()], axis=0),
        "paper": np.mean([errors(case.given, _paper(case.given)) for case in cases], axis=0),
        "constant": np.mean([errors(c.given, np.zeros_like(c.sigma)) for c in cases], axis=0),
        **PUBLISHED_DUAL_PIXEL,
    }
    table = [[way, *map(float, row)] for way, row in rows.items()]
    context.table(f"dual pixel, {len(cases)} scenes", ["map", "AI(1)", "AI(2)", "1-|rho|"], table)
    return by_halves("public.dp_ai1", cases, lambda case: ours[case.given.name][0]) | by_halves(
        "public.dp_rho", cases, lambda case: ours[case.given.name][2]
    )


def _masks(cases: list[Case], context: Any) -> dict[str, float]:
    blurred = [np.asarray(case.given.truth, bool) for case in cases]
    ways = {
        "ours": [case.sigma for case in cases],
        "paper": [_paper(case.given) for case in cases],
        "all blurred": [np.ones_like(case.sigma) for case in cases],
    }
    scores = {way: best_threshold([*zip(maps, blurred, strict=True)]) for way, maps in ways.items()}
    table = [[way, *score] for way, score in scores.items()]
    table += [[way, score, ""] for way, score in PUBLISHED_MASKS.items()]
    context.table(f"masks, {len(cases)} pictures", ["map", "F", "threshold px"], table)
    threshold = np.array([scores["ours"][1]])
    rows = [*zip(cases, blurred, strict=True)]
    found = {c.given.name: float(f_measures(c.sigma, mask, threshold)[0]) for c, mask in rows}
    return by_halves("public.masks_f", cases, lambda case: found[case.given.name])
