"""Aperture series: one scene through a narrow and a wide aperture, as cameras took it.

The narrow shot is magnified by the ratio of the f-numbers and compared with the wide one, aligned
and matched in tone. An oracle that may pick a disk for every window of the picture, knowing the
wide shot, shows how much there is to win. Pairs that are in focus everywhere, where the right
answer is the check's, are told apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

import camerapipe
from datasets.kept import digest, kept
from datasets.layered import codes_of, encoded_of
from measures import alignment
from measures.alignment import align
from measures.cameras import take, take_paper
from measures.halves import by_halves
from measures.scores import psnr_db
from stages.bokeh.disk import disk_kernel
from stages.params import Array
from stages.tone import SRGB, encode, linearise

BORDER_PX = 24  # that alignment leaves without truth
MOST_STRENGTH = 8.0
DEFOCUSED = ("defocus_present", "defocus_weak")
ORACLE_WINDOW_PX = 16
ORACLE_RADII_PX = (0, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 11, 16, 23, 32)
VABD = (("f8", "f2.8", 8 / 2.8), ("f2.8", "f1.8", 2.8 / 1.8))
EBB = (("narrow", "wide", 16 / 1.8),)
SHOTS = {
    "vabd_0001": ("choosing", VABD),
    "ebb_2977": ("choosing", EBB),
    "vabd_0003": ("reporting", VABD),
    "vabd_0099": ("reporting", VABD),
    "ebb_4545": ("reporting", EBB),
}


class Gain(NamedTuple):
    """PSNR to the wide shot, dB, and what the check says of the narrow one."""

    pair: str
    half: str
    verdict: str
    strength: float
    correlation: float
    nothing_db: float
    paper_db: float
    db: float
    oracle_db: float

    @property
    def defocused(self) -> bool:
        """Whether there is defocus to magnify."""
        return self.verdict in DEFOCUSED


def gains(context: Any, folder: Path) -> Iterator[Gain]:
    """Measure every pair that is present; in a quick run only those with defocus, and ours only."""
    for scene, (half, steps) in SHOTS.items():
        if not context.wants(scene):
            continue
        for narrow, wide, ratio in steps:
            paths = [
                context.picture(f"aperture_series/{scene}_{name}.jpg") for name in (narrow, wide)
            ]
            if None in paths:
                continue
            verdict = camerapipe.check(paths[0])[0].code
            if context.quick and verdict not in DEFOCUSED:
                continue
            truth, correlation = _truth(*paths, folder)
            codes, strength = _codes(paths[0]), min(ratio, MOST_STRENGTH)
            linear = linearise(codes.astype(np.float32) / 255)
            yield Gain(
                f"{scene} {narrow} to {wide}", half, verdict, strength, correlation,
                _db(codes.astype(np.float32) / 255, truth),
                math.nan if context.quick else _db(take_paper(codes, strength).image, truth),
                _db(take(codes, strength).image, truth),
                math.nan if context.quick else _db(oracle(linear, truth), truth),
            )  # fmt: skip


def results(pairs: list[Gain]) -> dict[str, float]:
    """Mean gain over doing nothing, of pairs with defocus and of those in focus everywhere."""
    out = {}
    for key, part in (
        ("series_db", [pair for pair in pairs if pair.defocused]),
        ("series_in_focus_db", [pair for pair in pairs if not pair.defocused]),
    ):
        out |= by_halves(f"picture.{key}", part, lambda pair: pair.db - pair.nothing_db)
    defocused = [pair for pair in pairs if pair.defocused]
    return out | by_halves(
        "picture.series_oracle_db", defocused, lambda pair: pair.oracle_db - pair.nothing_db
    )


def _codes(path: Path) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(cv2.imread(str(path), cv2.IMREAD_COLOR)[..., ::-1])


def _truth(narrow: Path, wide: Path, folder: Path) -> tuple[Array, float]:
    """Wide shot in the place and tone of the narrow one, and their correlation."""

    def make() -> dict[str, npt.NDArray[np.generic]]:
        onto, shot = (_codes(path).astype(np.float32) / 255 for path in (narrow, wide))
        aligned = align(shot, onto)
        codes = codes_of(linearise(aligned.image))
        return {"truth": codes, "correlation": np.array(aligned.correlation)}

    found = kept(folder, digest(narrow, wide, Path(alignment.__file__)), make)
    return encoded_of(found["truth"]), float(found["correlation"])


def _db(image: Array, truth: Array) -> float:
    inner = slice(BORDER_PX, -BORDER_PX), slice(BORDER_PX, -BORDER_PX)
    return psnr_db(image[inner], truth[inner])


def oracle(linear: Array, truth: Array) -> Array:
    """The picture that a disk for every window makes, each the best of a ladder; encoded.

    Parameters
    ----------
    linear : Array
        Linear light HxWx3.
    truth : Array
        Encoded picture that it is to become.
    """
    best, least = np.empty_like(truth), np.full(truth.shape[:2], np.inf, np.float32)
    window = (ORACLE_WINDOW_PX,) * 2
    cells = tuple(-(-n // ORACLE_WINDOW_PX) for n in truth.shape[:2])
    for radius in ORACLE_RADII_PX:
        blurred = cv2.filter2D(linear, -1, disk_kernel(radius), borderType=cv2.BORDER_REFLECT)
        image = encode(np.ascontiguousarray(np.maximum(blurred, 0)), SRGB)
        error = np.square(image - truth).mean(axis=2)
        pad = [(0, c * ORACLE_WINDOW_PX - n) for c, n in zip(cells, error.shape, strict=True)]
        blocks = np.pad(error, pad).reshape(cells[0], window[0], cells[1], window[1])
        total = blocks.sum(axis=(1, 3)).repeat(window[0], 0).repeat(window[1], 1)
        total = total[: error.shape[0], : error.shape[1]]
        better = total < least
        best[better], least[better] = image[better], total[better]
    return best
