"""The picture against the photograph that a lens 2.5 times as wide would have taken.

Truth is that photograph itself, not our renderer fed with the true map. Beside the picture stand
the photograph as it is, the `paper` preset, and our mapping and renderer on the true map.

Half of the scenes chooses defaults (`datasets.lens_pairs.CHOOSING`: teddy, aloe, and all made
scenes named a or c), the other half reports (`REPORTING`: cones, motorcycle, b and d). Whoever
tunes a parameter looks at the first half only. Every number is given for all and for each half.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from measures import sparse
from measures.balls import ball_ratio
from measures.cameras import PORTRAIT, NoLookError, sigma_of, take, take_paper
from measures.coverage import coverage
from measures.scores import changed, left_alone, outline_band, psnr_db, share

from datasets.defocus_scenes import CONDITIONS, Condition, photograph
from datasets.kept import truth_folder
from datasets.lens_pairs import BENCH, PLANES, TIMES, LensPair, load_pair
from stages.params import Array
from stages.tone import linearise

CLEAN, JPEG = CONDITIONS[0], CONDITIONS[3]
SUBJECT_PX = 0.8  # true blur below which a pixel is the subject
FAR_SIGMAS = 2  # from an outline, in sigmas, begins what is surely the far plane
MATTE = ("white a", "black a", "leafy a", "white b", "black b", "leafy b")
NIGHT = ("night a", "night b")
OTHERS = ("slant a", "slant b", "cards a", "cards b", "cards c", "cards d",
          "foreground a", "foreground b")  # fmt: skip
QUICK_PLANES = ("long planes 12", "long planes 20")
# PSNR of the `paper` preset as of commit fcc9a0b, dB, by scene and condition.
PAPER_DB = {
    ("teddy", "clean"): 29.874,
    ("teddy", "jpeg 85"): 29.679,
    ("aloe", "clean"): 31.084,
    ("aloe", "jpeg 85"): 30.804,
    ("cones", "clean"): 29.853,
    ("cones", "jpeg 85"): 29.277,
    ("motorcycle", "clean"): 26.989,
    ("motorcycle", "jpeg 85"): 26.956,
}


class Row(NamedTuple):
    """One scene in one condition; dB are of the whole and within the band of outlines."""

    scene: str
    half: str
    condition: str
    nothing_db: float
    nothing_band: float
    paper_db: float
    paper_band: float
    db: float
    band: float
    true_map_db: float
    true_map_band: float
    touched: float
    portrait_touched: float
    eaten: float
    strands_sad: float
    ball_ratio: float


def measure(context: Any) -> dict[str, float]:
    """Measure all scenes; print a row for each, and the keys over all and over each half."""
    folder = context.truth or truth_folder()
    rows: list[Row] = []
    data_errors: list[sparse.Errors] = []
    for name in (*BENCH, *MATTE, *NIGHT, *(() if context.quick else OTHERS)):
        pair = load_pair(name, context.data, folder)
        if pair is None:
            context.missing.append(f"scene {name}")
            continue
        for condition in (CLEAN, JPEG) if name in BENCH or not context.quick else (CLEAN,):
            picture = photograph(linearise(pair.light), condition)
            rows.append(_row(pair, condition, picture, context))
            if name in BENCH:
                data_errors.append(sparse.errors(pair, condition.name, picture))
    columns = [name for name in Row._fields if any(_known(getattr(row, name)) for row in rows)]
    context.table(
        f"pictures against the lens {TIMES:g} times as wide",
        columns,
        [[getattr(row, name) for name in columns] for row in rows],
    )
    results = _results(rows) | sparse.results(data_errors)
    results |= _large(QUICK_PLANES if context.quick else tuple(PLANES), context, folder)
    _print_halves(results, context)
    return results


def _known(value: Any) -> bool:
    return not (isinstance(value, float) and math.isnan(value))


def _row(pair: LensPair, condition: Condition, picture: Any, context: Any) -> Row:
    """Render one photograph in every way, and judge each."""
    region, truth = pair.region, pair.truth
    assert truth is not None
    band = outline_band(pair.defocus)[region]
    image = take(picture, TIMES).image
    true_map = take(picture, TIMES, from_map=pair.sigma).image
    nothing = picture.astype(np.float32) / 255
    paper = None if context.quick else take_paper(picture, TIMES).image
    ours = image[region]

    def judged(one: Array | None) -> tuple[float, float]:
        if one is None:
            return math.nan, math.nan
        return psnr_db(one[region], truth), psnr_db(one[region], truth, band)

    alone = left_alone(pair.light[region], truth)
    hairs = (math.nan, math.nan)
    if pair.near is not None and pair.far is not None and pair.strands is not None:
        hairs = coverage(ours, truth, pair.near, pair.far, pair.strands)
    balls = math.nan
    if pair.balls is not None:
        balls = ball_ratio(linearise(image), linearise(truth), pair.balls, pair.ball_px)
    return Row(
        pair.name, pair.half, condition.name, *judged(nothing), *judged(paper), *judged(image),
        *judged(true_map), share(changed(ours, picture[region]), alone),
        _portrait_touched(pair, picture, context), *hairs, balls,
    )  # fmt: skip


def _portrait_touched(pair: LensPair, picture: Any, context: Any) -> float:
    """Share of the subject that `--look portrait` changes visibly; NaN without that look."""
    if pair.name not in BENCH:
        return math.nan
    try:
        image = take(picture, TIMES, look=PORTRAIT).image
    except NoLookError as error:
        if str(error) not in context.missing:
            context.missing.append(str(error))
        return math.nan
    return share(changed(image, picture), pair.sigma < SUBJECT_PX)


def _mean(values: Iterable[float]) -> float:
    found = [value for value in values if not math.isnan(value)]
    return statistics.fmean(found) if found else math.nan


def _results(rows: list[Row]) -> dict[str, float]:
    """The keys over all scenes and over each half."""
    results: dict[str, float] = {}
    for half in ("", "choosing", "reporting"):
        chosen = [row for row in rows if half in ("", row.half)]
        bench = [row for row in chosen if row.scene in BENCH]
        over_paper = [
            row.db - PAPER_DB[row.scene, row.condition]
            for row in bench
            if (row.scene, row.condition) in PAPER_DB
        ]
        found = {
            "truth_db": _mean(row.db for row in bench),
            "band_db": _mean(row.band for row in bench),
            "touched": _mean(row.touched for row in bench),
            "portrait_touched": _mean(row.portrait_touched for row in bench),
            "true_map_db": _mean(row.true_map_db for row in bench),
            "over_paper_db": _mean(over_paper),
            "eaten": _mean(row.eaten for row in chosen),
            "coverage_sad": _mean(row.strands_sad for row in chosen),
            "ball_ratio": _mean(row.ball_ratio for row in chosen),
        }
        results |= {_key(name, half): v for name, v in found.items() if not math.isnan(v)}
    return results


def _key(name: str, half: str) -> str:
    return f"picture.{name}" + (f"_{half}" if half else "")


def _large(names: tuple[str, ...], context: Any, folder: Path) -> dict[str, float]:
    """Median of map over truth on far planes, away from the outline: the ratio farthest from 1."""
    from scipy import ndimage

    rows, results = [], {}
    for name in names:
        pair = load_pair(name, context.data, folder)
        assert pair is not None  # planes need no file
        sigma = float(pair.defocus.max())
        distance = ndimage.distance_transform_edt(pair.defocus > 0)
        far = distance > FAR_SIGMAS * sigma
        found = sigma_of(photograph(linearise(pair.light), CLEAN))
        rows.append([name, pair.half, sigma, float(np.median((found / pair.sigma)[far]))])
    context.table("far planes", ["scene", "half", "sigma px", "map / truth"], rows)
    for half in ("", "choosing", "reporting"):
        for sigma in sorted({row[2] for row in rows}):
            ratios = [row[3] for row in rows if row[2] == sigma and half in ("", row[1])]
            if ratios:
                worst = max(ratios, key=lambda ratio: abs(math.log(ratio)))
                results[_key(f"large_ratio_{sigma:g}", half)] = worst
    return results


def _print_halves(results: dict[str, float], context: Any) -> None:
    names = [key for key in results if not key.endswith(("_choosing", "_reporting"))]
    context.table(
        "by halves",
        ["key", "all", "choosing", "reporting"],
        [
            [key, results[key], *(results.get(f"{key}_{h}", "") for h in ("choosing", "reporting"))]
            for key in names
        ],
    )
