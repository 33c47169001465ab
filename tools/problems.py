"""The propagation problems that benchmarks and figures share, so that numbers compare.

Constraints are fixed: Canny edges of the picture, sigma after eq. (1) of the paper (re-blurred with
3 px) at full resolution, averaged over the edge pixels of a 9x9 window, clipped to 5 px; lambda is
0.1 and D is summed on coarser grids. "Converged" is our solver run far beyond its tolerance; tests
hold it to a direct solution.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from datasets.scenes import day
from datasets.sources import DataError, locate
from stages.arrays import luma, reduce_by
from stages.grid import BlurMap, Grid, lift
from stages.laplacian import LaplacianParams, MattingLaplacian, matting_laplacian
from stages.params import Array
from stages.propagate import PropagateParams, propagate
from stages.sensor import develop

PHOTOGRAPHS = {
    "dandelion": "photos/dandelion_16mp.jpg",
    "tomatoes": "photos/canon_eos5d_tomatoes.jpg",
    "koi": "photos/kodak_pixpro_s1_koi.jpg",
    "picos": "all_in_focus/picosdeeuropa.jpg",
}
PUBLIC_PHOTOGRAPHS = {  # scikit-image carries them
    "cat": "photos/chelsea_cat.png",
    "coffee": "photos/coffee.png",
}
MADE = "flower"  # a scene made from nothing
MADE_RADIUS = 0.012  # of the largest disk, as a share of the long side
PAPER = PropagateParams(data_weight=0.1, start="zero", tolerance_px=0.0)
CONVERGED = PAPER.replace(iterations=40, steps_per_estimate=1000)
REBLUR_PX, CLEAN_PX, MOST_PX = 3.0, 9, 5.0
CANNY = (40, 110)  # of the gradient of 8-bit luma


class Problem(NamedTuple):
    """A picture, its constraints, and both on a grid of some step."""

    picture: Array
    sparse: BlurMap
    guide: Array
    constraints: BlurMap

    def laplacian(self, params: LaplacianParams) -> MattingLaplacian:
        """Operator of the guide, epsilon as given."""
        return matting_laplacian(self.guide, params)


def load(path: Path, megapixels: float, *, enlarge: bool = True) -> Array:
    """Photograph at a size, encoded RGB; sides are multiples of 8, so that grids fit exactly."""
    picture = cv2.imread(str(path))[..., ::-1]
    scale = (megapixels * 1e6 / (picture.shape[0] * picture.shape[1])) ** 0.5
    scale = scale if enlarge else min(scale, 1)
    rows, cols = (8 * round(n * scale / 8) for n in picture.shape[:2])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (cols, rows), interpolation=how), np.float32) / 255


def photograph_paths(data: Path | None) -> dict[str, Path]:
    """Names and paths of the photographs that can be found, `data` first."""
    found: dict[str, Path] = {}
    for name, file in (PHOTOGRAPHS | PUBLIC_PHOTOGRAPHS).items():
        with contextlib.suppress(DataError):
            found[name] = locate(file, data)
    return found


def pictures(data: Path | None, megapixels: float, count: int) -> dict[str, Array]:
    """The first photographs that can be found, and where they are too few the one that is made.

    Parameters
    ----------
    data : Path or None
        Folder that is looked in first; None: the usual one.
    megapixels : float
        Size of each; smaller photographs are not enlarged.
    count : int
        How many, at least 1.

    Returns
    -------
    dict
        Names and encoded pictures, HxWx3 float32 in [0, 1].
    """
    paths = list(photograph_paths(data).items())[:count]
    found = {name: load(path, megapixels, enlarge=False) for name, path in paths}
    if len(found) < count:
        found[MADE] = made_picture(megapixels)
    return found


def made_picture(megapixels: float) -> Array:
    """A flower before a defocused background, of a given size."""
    rows, cols = (8 * round((megapixels * 1e6 * ratio) ** 0.5 / 8) for ratio in (2 / 3, 3 / 2))
    return develop(day(MADE_RADIUS * cols, (rows, cols)).truth).astype(np.float32) / 255


def problem(picture: Array, step: int) -> Problem:
    """Problem of a picture on a grid of a step."""
    sparse = paper_constraints(picture)
    grid = Grid.cells((picture.shape[0], picture.shape[1]), step)
    return Problem(picture, sparse, reduce_by(picture, step), lift(sparse, grid))


def paper_constraints(picture: Array) -> BlurMap:
    """Blur at the edges of a picture after eq. (1), at full resolution."""
    plane = luma(picture)
    codes = np.clip(np.rint(plane * 255), 0, 255).astype(np.uint8)
    edges = cv2.Canny(cv2.GaussianBlur(codes, (0, 0), 1.0), *CANNY) > 0
    fine, coarse = (_energy(p) for p in (plane, cv2.GaussianBlur(plane, (0, 0), REBLUR_PX)))
    known = (edges & (fine > 1.02 * coarse)).astype(np.float32)
    ratio = coarse / np.maximum(fine - coarse, 1e-12)
    sigma = known * np.minimum(REBLUR_PX * np.sqrt(ratio), MOST_PX).astype(np.float32)
    window = (CLEAN_PX, CLEAN_PX)
    total, count = (cv2.boxFilter(p, -1, window, normalize=False) for p in (sigma, known))
    mean = known * total / np.maximum(count, 1)
    return BlurMap(np.asarray(mean, np.float32), known, Grid(plane.shape))


def _energy(plane: Array) -> Array:
    return np.asarray(cv2.Scharr(plane, -1, 1, 0) ** 2 + cv2.Scharr(plane, -1, 0, 1) ** 2)


def converged(laplacian: MattingLaplacian, constraints: BlurMap) -> BlurMap:
    """Solution, as exact as float32 vectors allow."""
    *_, last = propagate(laplacian, constraints, None, CONVERGED)
    return last.value


def mse(one: Array, other: Array) -> float:
    """Mean squared difference, px^2."""
    return float(np.mean((one - other) ** 2, dtype=np.float64))
