"""Blur maps on photographs whose blur others measured, by the protocols of the published tables.

RTF (D'Andres et al. 2016): both maps clipped at 3.275 px and divided by that, the last 20 columns
left out, mean absolute error. Dual pixel (Xin et al. 2021, Pixel 4), where defocus is known: AI(1),
AI(2) after the best affine fit, and 1 - |Spearman's rho|. Masks (CUHK, DUT, Xu): F of what is
blurred with beta^2 = 0.3, mean over pictures, one threshold for all of them.

Beside ours stand the `paper` preset (the method of Zhuo and Sim 2011), an untouched picture (a map
of zeros), a constant map, and figures as others published them: these are over the whole sets, ours
over what is at hand, and masks were scored by one F of the whole set there. `--copies DIR` measures
a person's own copies of the sets (`datasets.measured_blur` says how they are laid out).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from measures.cameras import sigma_of
from measures.maps import affine_errors, best_threshold, clipped_error, rank_error

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
Ways = dict[str, Callable[[Measured], Array]]


def _ours(given: Measured) -> Array:
    return sigma_of(given.picture, encoding=given.encoding)


def _paper(given: Measured) -> Array:
    return sigma_of(given.picture, encoding=given.encoding, preset="paper")


def _nothing(given: Measured) -> Array:
    return np.zeros(given.truth.shape, np.float32)


WAYS: Ways = {"ours": _ours, "paper": _paper, "nothing": _nothing}


def measure(context: Any) -> dict[str, float]:
    """Measure every set that is at hand."""
    folder = context.copies or context.data / "blur_gt"
    results: dict[str, float] = {}
    for name, load, judge in (
        ("RTF", rtf, _rtf), ("dual pixel", dual_pixel, _dual_pixel), ("masks", masks, _masks),
    ):  # fmt: skip
        given = _some(load, folder, context.quick)
        if given:
            results |= judge(given, context)
        else:
            context.missing.append(f"{name} in {folder}")
    return results


def _some(load: Callable[[Path], Any], folder: Path, quick: bool) -> list[Measured]:
    return [each for number, each in enumerate(load(folder)) if not quick or number < QUICK]


def _rtf(given: list[Measured], context: Any) -> dict[str, float]:
    inner = np.s_[:, :-RTF_MARGIN_PX]
    truths = [as_float(each.truth)[inner] for each in given]

    def errors(maps: list[Array]) -> list[float]:
        pairs = zip(maps, truths, strict=True)
        return [clipped_error(found, truth, RTF_MOST_PX) for found, truth in pairs]

    rows = {way: errors([make(each)[inner] for each in given]) for way, make in WAYS.items()}
    rows["constant (median)"] = errors([np.full_like(t, np.median(t)) for t in truths])
    table = [[way, *row, float(np.mean(row))] for way, row in rows.items()]
    for way, figures in PUBLISHED_RTF.items():
        row = [figures.get(each.name, float("nan")) for each in given]
        table.append([way, *row, float(np.mean(row))])
    context.table("RTF: mean absolute error", ["map", *(e.name for e in given), "mean"], table)
    return {"public.rtf_mae": float(np.mean(rows["ours"]))}


def _dual_pixel(given: list[Measured], context: Any) -> dict[str, float]:
    def errors(found: Array, each: Measured) -> tuple[float, float, float]:
        truth = as_float(each.truth)
        known = np.isfinite(truth)
        pair = found[known], truth[known]
        return (*affine_errors(*pair), rank_error(*pair))

    rows = {
        way: np.mean([errors(make(each), each) for each in given], axis=0)
        for way, make in WAYS.items()
        if way != "nothing"  # as good as any constant
    }
    rows["constant"] = np.mean([errors(_nothing(each), each) for each in given], axis=0)
    table = [[way, *map(float, row)] for way, row in (rows | PUBLISHED_DUAL_PIXEL).items()]
    context.table(f"dual pixel, {len(given)} scenes", ["map", "AI(1)", "AI(2)", "1-|rho|"], table)
    return {"public.dp_ai1": float(rows["ours"][0]), "public.dp_rho": float(rows["ours"][2])}


def _masks(given: list[Measured], context: Any) -> dict[str, float]:
    blurred = [np.asarray(each.truth, bool) for each in given]
    scores = {
        way: best_threshold([(make(e), mask) for e, mask in zip(given, blurred, strict=True)])
        for way, make in WAYS.items()
    }
    table = [[way, *score] for way, score in scores.items()]
    table[-1][0] = "constant (all blurred)"  # a map of zeros, cut at 0
    table += [[way, score, ""] for way, score in PUBLISHED_MASKS.items()]
    context.table(f"masks, {len(given)} pictures", ["map", "F", "threshold px"], table)
    return {"public.masks_f": scores["ours"][0]}
