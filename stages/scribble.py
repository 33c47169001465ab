"""Scribbles: strokes that a person draws to correct a blur map, as data and as constraints.

A scribble is a polyline with a width, in full-resolution pixels (x to the right, y down, pixel
centres at integers). Its kind states the blur under it: `sharp`, `blurred` (as much as anything in
the picture), or a `sigma`. It replaces the estimates under it. Other cells do not change, so that
scribbles can be applied in the order in which they were drawn. Where two cross, the later one
counts. The kind `foreground` does not state blur: it marks what is nearer than the focus
(`foreground_of`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.grid import BlurMap, Grid, SparseBlur
from stages.params import Array, Params, param

FOREGROUND = "foreground"
KINDS = ("sharp", "blurred", "sigma", FOREGROUND)
KEYS = {"points", "width_px", "kind", "sigma_px"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScribbleParams(Params):
    """Parameters of scribbles."""

    confidence: float = param(
        4.0,
        1e-3,
        1e4,
        help="Confidence of every cell under a scribble; that of an edge pixel is 1.",
    )
    sharp_px: float = param(0.3, 0.0, 4.0, unit="px", help="Sigma that `sharp` stands for.")
    blurred_quantile: float = param(
        0.95, 0.5, 1.0, help="Quantile of the estimates that `blurred` stands for."
    )


@dataclass(frozen=True, slots=True)
class Scribble:
    """A stroke: its points (x, y), width and kind; `sigma_px` belongs to the kind `sigma`.

    Raises
    ------
    ValueError
        If there is no point, a number is not finite or negative, or the kind is unknown.
    """

    points: tuple[tuple[float, float], ...]
    width_px: float
    kind: str = "sharp"
    sigma_px: float = 0.0

    def __post_init__(self) -> None:
        numbers = [value for point in self.points for value in (*point,)]
        paired = all(len(point) == 2 for point in self.points)
        if not self.points or not paired or not np.all(np.isfinite(numbers)):
            raise ValueError(f"scribble: points must be finite pairs (x, y); got {self.points}")
        if self.kind not in KINDS:
            raise ValueError(f"scribble: kind must be one of {', '.join(KINDS)}; got {self.kind!r}")
        for name in ("width_px", "sigma_px"):
            value = getattr(self, name)
            if not 0 <= value < np.inf:
                raise ValueError(f"scribble: {name} must be finite and >= 0; got {value!r}")

    def scaled(self, scales: tuple[float, float]) -> Scribble:
        """The stroke on the same picture in another size; `scales` is (along x, along y).

        The edges of both pictures fall together. Width and sigma are scaled by the geometric mean.
        """
        length = float(np.sqrt(scales[0] * scales[1]))
        points = tuple(
            ((x + 0.5) * scales[0] - 0.5, (y + 0.5) * scales[1] - 0.5) for x, y in self.points
        )
        return Scribble(points, self.width_px * length, self.kind, self.sigma_px * length)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Scribble:
        """Read what `to_plain` wrote.

        Raises
        ------
        ValueError
            Naming what is missing, unknown or not a number.
        """
        if unknown := set(plain) - KEYS:
            raise ValueError(f"scribble: expected keys {sorted(KEYS)}; got {sorted(unknown)[0]!r}")
        try:
            points = tuple((float(x), float(y)) for x, y in plain["points"])
            width_px, sigma_px = float(plain["width_px"]), float(plain.get("sigma_px", 0))
        except KeyError as missing:
            raise ValueError(f"scribble: {missing} is missing") from None
        except (TypeError, ValueError):
            raise ValueError(
                f"scribble: expected points [[x, y], ...] and numbers; got {plain}"
            ) from None
        return cls(points, width_px, str(plain.get("kind", "sharp")), sigma_px)

    def to_plain(self) -> dict[str, Any]:
        """Lists, numbers and text, as JSON has them."""
        plain: dict[str, Any] = {
            "points": [list(point) for point in self.points],
            "width_px": self.width_px,
            "kind": self.kind,
        }
        return plain | {"sigma_px": self.sigma_px} if self.kind == "sigma" else plain


def scribbled(
    constraints: SparseBlur, scribbles: Iterable[Scribble], params: ScribbleParams
) -> SparseBlur:
    """Add scribbles to the constraints of a propagation.

    Parameters
    ----------
    constraints : BlurMap
        Sparse map, on any grid.
    scribbles : iterable of Scribble
        In the order in which they were drawn.
    params : ScribbleParams
        Confidence and sigma of the kinds.

    Returns
    -------
    BlurMap
        New constraints on the same grid. Cells whose centre a scribble covers have its sigma. A
        scribble narrower than a cell covers the cells on its line.
    """
    sigma, confidence = constraints.sigma.copy(), constraints.confidence.copy()
    known = constraints.sigma[constraints.confidence > 0]
    blurred_px = float(np.quantile(known, params.blurred_quantile)) if known.size else 0.0
    means = {"sharp": params.sharp_px, "blurred": max(blurred_px, params.sharp_px)}
    for scribble in scribbles:
        covered = coverage(scribble, constraints.grid)
        sigma[covered] = means.get(scribble.kind, scribble.sigma_px)
        confidence[covered] = params.confidence
    return BlurMap(sigma, confidence, constraints.grid)


def foreground_of(
    scribbles: Iterable[Scribble], shape: tuple[int, int], mask: Array | None
) -> Array | None:
    """Mask of what is nearer than the focus, with the strokes that mark it.

    Parameters
    ----------
    scribbles : iterable of Scribble
        Strokes; those of other kinds are ignored.
    shape : (int, int)
        Rows and columns of the picture.
    mask : Array or None
        HxW float32 in [0, 1], to which the strokes are added.

    Returns
    -------
    Array or None
        HxW float32 in [0, 1]; `mask` itself if there are no such strokes.
    """
    strokes = [scribble for scribble in scribbles if scribble.kind == FOREGROUND]
    if not strokes:
        return mask
    marked = np.zeros(shape, np.float32) if mask is None else mask.copy()
    for stroke in strokes:
        marked[coverage(stroke, Grid(shape))] = 1
    return marked


def coverage(scribble: Scribble, grid: Grid) -> npt.NDArray[np.bool_]:
    """Find the cells of a grid whose centre is within half the width (or cell) of the line.

    Parameters
    ----------
    scribble : Scribble
        In full-resolution px.
    grid : Grid
        The grid of the cells.

    Returns
    -------
    array of bool
        HxW of the grid. A short stroke between the centres covers the cell nearest to it.
    """
    reach = max(scribble.width_px, grid.step) / 2
    covered = np.zeros(grid.shape, bool)
    ends = [scribble.points[0], *scribble.points]  # a single point is a line of no length
    for first, second in pairwise(ends):
        corner = np.minimum(first, second) - reach, np.maximum(first, second) + reach
        cols, rows = (
            slice(*np.searchsorted(grid.positions(axis), (corner[0][k], corner[1][k] + 1e-9)))
            for axis, k in ((1, 0), (0, 1))
        )
        x, y = grid.positions(1)[cols], grid.positions(0)[rows, None]
        covered[rows, cols] |= _distance_squared(x, y, first, second) <= reach**2
    if not covered.any():
        for point in scribble.points:
            col, row = (round((at - grid.phase) / grid.step) for at in point)
            if 0 <= row < grid.shape[0] and 0 <= col < grid.shape[1]:
                covered[row, col] = True
    return covered


def touches(scribble: Scribble, shape: tuple[int, int]) -> bool:
    """Whether a stroke touches a picture, judged by the box around it, its width included.

    The answer is the same for the picture in any size.

    Parameters
    ----------
    scribble : Scribble
        In full-resolution px.
    shape : (int, int)
        Rows and columns of the picture.
    """
    reach, points = scribble.width_px / 2, np.array(scribble.points)
    low, high = points.min(axis=0) - reach, points.max(axis=0) + reach
    return bool(np.all(high >= -0.5) and np.all(low <= np.subtract(shape[::-1], 0.5)))


def _distance_squared(
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    first: tuple[float, float],
    second: tuple[float, float],
) -> npt.NDArray[np.float64]:
    """Squared distance of points to a line segment."""
    along = np.subtract(second, first)
    length = float(along @ along)
    place = np.zeros(1)
    if length > 0:
        place = np.clip(((x - first[0]) * along[0] + (y - first[1]) * along[1]) / length, 0, 1)
    across = x - first[0] - place * along[0], y - first[1] - place * along[1]
    return np.asarray(across[0] ** 2 + across[1] ** 2)
