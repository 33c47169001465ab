"""The data at edges that propagation starts from, against the true blur.

A cell of the solve's grid counts where it has data; its truth is the mean of the true map over the
cell. Fewer cells are easily more exact, so that the number of cells counts as well, beside that of
commit fcc9a0b.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from datasets.lens_pairs import LensPair
from measures.cameras import take
from measures.halves import by_halves

VALUE = "constraints"  # the intermediate value of the graph that holds the data
# Share of the picture in cells with data as of commit fcc9a0b, by scene and condition.
CELLS_BEFORE = {
    ("teddy", "clean"): 0.1233,
    ("teddy", "jpeg 85"): 0.1227,
    ("aloe", "clean"): 0.1372,
    ("aloe", "jpeg 85"): 0.1361,
    ("cones", "clean"): 0.1520,
    ("cones", "jpeg 85"): 0.1499,
    ("motorcycle", "clean"): 0.1344,
    ("motorcycle", "jpeg 85"): 0.1347,
}


class Errors(NamedTuple):
    """Errors of the data in one picture, px; the share of cells with data, over that of before."""

    scene: str
    half: str
    condition: str
    weighted_px: float
    unweighted_px: float
    cells: float
    kept: float


def errors(pair: LensPair, condition: str, picture: npt.NDArray[np.uint8]) -> Errors:
    """Errors of the data in the photograph of a scene of `CELLS_BEFORE`."""
    data = take(picture, 1.0, keep=(VALUE,)).kept[VALUE]
    truth = cv2.resize(pair.sigma, data.grid.shape[::-1], interpolation=cv2.INTER_AREA)
    known = data.confidence > 0
    error, weight = np.abs(data.sigma - truth)[known], data.confidence[known]
    cells = float(known.mean())
    return Errors(
        pair.name, pair.half, condition, float(np.average(error, weights=weight)),
        float(error.mean()), cells, cells / CELLS_BEFORE[pair.name, condition],
    )  # fmt: skip


def results(found: list[Errors]) -> dict[str, float]:
    """Means over pictures, over all and over each half."""
    keys = {
        "sparse_error_px": lambda each: each.weighted_px,
        "sparse_error_unweighted_px": lambda each: each.unweighted_px,
        "sparse_cells_kept": lambda each: each.kept,
    }
    out: dict[str, float] = {}
    for name, value in keys.items():
        out |= by_halves(f"picture.{name}", found, value)
    return out
