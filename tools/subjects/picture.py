"""The picture against the photograph that a lens 2.5 times as wide would have taken.

Truth is that photograph itself, not our renderer fed with the true map. Beside the picture stand
the photograph as it is, the `paper` preset, and our mapping and renderer on the true map. With them
come the data at edges, maps of far planes, and aperture series of real cameras.

Half of the scenes chooses defaults (`datasets.lens_pairs.CHOOSING` names them, such as teddy, aloe,
and what ends in a or c), the other half reports (`REPORTING`: cones, motorcycle, b and d). Whoever
tunes a parameter looks at the first half only. Every key is given over all and over each half.
The first keys are means over the four scenes of `BENCH` in both conditions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from measures import series, sparse
from measures.balls import ball_ratio
from measures.cameras import PORTRAIT, NoLookError, sigma_of, take, take_paper
from measures.coverage import coverage
from measures.halves import by_halves, largest, print_halves
from measures.scores import changed, left_alone, outline_band, psnr_db, share
from scipy import ndimage

from datasets.defocus_scenes import CONDITIONS, Condition, photograph
from datasets.kept import truth_folder
from datasets.lens_pairs import BENCH, PLANES, TIMES, TRACED, LensPair, load_pair
from stages.params import Array
from stages.tone import linearise

CLEAN, JPEG = CONDITIONS[0], CONDITIONS[3]
SUBJECT_PX = 0.8  # true blur below which a pixel is the subject
FAR_SIGMAS = 2  # from an outline, in sigmas, begins what is surely the far plane
MATTE = ("white a", "black a", "leafy a", "white b", "black b", "leafy b")
NIGHT = ("night a", "night b")
OTHERS = (
    *(name for name in TRACED if name not in BENCH), "slant a", "slant b", "cards a", "cards b",
    "cards c", "cards d", "foreground a", "foreground b",
)  # fmt: skip
LARGE = ("large white a", "large white b", "large leafy a", "large black b")
QUICK = (*BENCH, *MATTE, *NIGHT)
ALL = (*QUICK, *OTHERS, *LARGE)
QUICK_PLANES = ("long planes 12 a", "long planes 20 a")
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
    """One scene in one condition; dB are of the whole, `band` those within the band of outlines.

    Not a number is what was not measured.
    """

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


class Plane(NamedTuple):
    """A far plane: its true sigma in px, and the median of the map over it."""

    scene: str
    half: str
    sigma_px: float
    ratio: float


def measure(context: Any) -> dict[str, float]:
    """Measure all scenes; print a row for each, and the keys over all and over each half."""
    folder = context.truth or truth_folder()
    rows: list[Row] = []
    data: list[sparse.Errors] = []
    for name in filter(context.wants, QUICK if context.quick else ALL):
        pair = load_pair(name, context.data, folder)
        if pair is None:
            context.missing.append(f"scene {name}")
            continue
        both = name in BENCH or not (context.quick or name in LARGE)
        for condition in (CLEAN, JPEG) if both else (CLEAN,):
            picture = photograph(linearise(pair.light), condition)
            rows.append(_row(pair, condition, picture, context))
            if name in BENCH:
                data.append(sparse.errors(pair, condition.name, picture))
    _print_rows(f"pictures against the lens {TIMES:g} times as wide", rows, context)
    names = filter(context.wants, QUICK_PLANES if context.quick else PLANES)
    planes = [_plane(name, context, folder) for name in names]
    _print_rows("far planes", planes, context)
    pairs = list(series.gains(context, folder))
    _print_rows("aperture series", pairs, context)
    results = _results(rows) | sparse.results(data) | _plane_results(planes)
    results |= series.results(pairs)
    print_halves(context, results)
    return results


def _print_rows(title: str, rows: list[Any], context: Any) -> None:
    """Print rows without the columns that were measured in none of them."""
    if rows:
        head = [name for name in rows[0]._fields if any(_known(getattr(r, name)) for r in rows)]
        context.table(title, head, [[getattr(row, name) for name in head] for row in rows])


def _known(value: Any) -> bool:
    return not (isinstance(value, float) and math.isnan(value))


def _row(pair: LensPair, condition: Condition, picture: npt.NDArray[np.uint8], context: Any) -> Row:
    """Render one photograph in every way, and judge each."""
    region, truth = pair.region, pair.truth
    assert truth is not None
    band = outline_band(pair.defocus)[region]

    def judged(image: Array | None) -> tuple[float, float]:
        if image is None:
            return math.nan, math.nan
        return psnr_db(image[region], truth), psnr_db(image[region], truth, band)

    with_paper = not (context.quick or pair.name in LARGE)
    image = take(picture, TIMES).image
    touched = share(changed(image, picture)[region], left_alone(pair.light[region], truth))
    return Row(
        pair.name, pair.half, condition.name,
        *judged(picture.astype(np.float32) / 255),
        *judged(take_paper(picture, TIMES).image if with_paper else None),
        *judged(image),
        *judged(take(picture, TIMES, from_map=pair.sigma).image),
        touched, _portrait_touched(pair, picture, context), *_subject(pair, image[region]),
        _balls(pair, image),
    )  # fmt: skip


def _portrait_touched(pair: LensPair, picture: npt.NDArray[np.uint8], context: Any) -> float:
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


def _subject(pair: LensPair, image: Array) -> tuple[float, float]:
    """What is lost of the subject and of its hairs; NaN where they are not known."""
    if pair.near is None or pair.far is None or pair.strands is None or pair.truth is None:
        return math.nan, math.nan
    return coverage(image, pair.truth, pair.near, pair.far, pair.strands)


def _balls(pair: LensPair, image: Array) -> float:
    if pair.balls is None or pair.truth is None:
        return math.nan
    return ball_ratio(linearise(image), linearise(pair.truth), pair.balls, pair.ball_px)


def _plane(name: str, context: Any, folder: Path) -> Plane:
    """Map over truth on a far plane, away from its outline."""
    pair = load_pair(name, context.data, folder)
    assert pair is not None  # planes need no file
    sigma = float(pair.defocus.max())
    far = ndimage.distance_transform_edt(pair.defocus > 0) > FAR_SIGMAS * sigma
    found = sigma_of(photograph(linearise(pair.light), CLEAN))
    return Plane(name, pair.half, sigma, float(np.median((found / pair.sigma)[far])))


def _results(rows: list[Row]) -> dict[str, float]:
    """The keys of pictures."""
    bench = [row for row in rows if row.scene in BENCH]
    keys = {
        "truth_db": lambda row: row.db,
        "band_db": lambda row: row.band,
        "touched": lambda row: row.touched,
        "portrait_touched": lambda row: row.portrait_touched,
        "true_map_db": lambda row: row.true_map_db,
        "over_paper_db": lambda row: row.db - PAPER_DB[row.scene, row.condition],
    }
    results: dict[str, float] = {}
    for name, value in keys.items():
        results |= by_halves(f"picture.{name}", bench, value)
    made = [row for row in rows if row.scene not in BENCH and row.scene not in NIGHT]
    results |= by_halves("picture.other_over_nothing_db", made, lambda row: row.db - row.nothing_db)
    results |= by_halves("picture.other_touched", made, lambda row: row.touched)
    matte = [row for row in rows if row.scene not in NIGHT]  # lamps behind hairs tell of lamps
    results |= by_halves("picture.eaten", matte, lambda row: row.eaten)
    results |= by_halves("picture.eaten_worst", matte, lambda row: row.eaten, largest)
    results |= by_halves("picture.coverage_sad", matte, lambda row: row.strands_sad)
    return results | by_halves("picture.ball_ratio", rows, lambda row: row.ball_ratio)


def _plane_results(planes: list[Plane]) -> dict[str, float]:
    """For each sigma the ratio of map to truth that is farthest from 1."""

    def worst(ratios: Iterable[float]) -> float:
        return max(ratios, key=lambda ratio: abs(math.log(ratio)))

    results: dict[str, float] = {}
    for sigma in sorted({plane.sigma_px for plane in planes}):
        same = [plane for plane in planes if plane.sigma_px == sigma]
        results |= by_halves(f"picture.large_ratio_{sigma:g}", same, lambda p: p.ratio, worst)
    return results
