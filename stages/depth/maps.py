"""Depth maps: inverse depth of any size, resampled to cells over a picture.

Signed blur is linear in inverse depth, so that depth is inverse depth everywhere here: in 1/m, or
in any unit if the depth map has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
import numpy.typing as npt

from stages.grid import BlurMap, Grid
from stages.kinds import Kind, LinearLight
from stages.params import Array, Params, param

FOCUS_WINDOW = 2  # samples around a named point whose median is in focus

InverseDepth = Annotated[BlurMap, Kind("inverse depth")]  # as sigma; dense
SignedBlur = Annotated[BlurMap, Kind("signed blur map")]  # sigma < 0 in front of the focus; dense
Index = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthParams(Params):
    """Parameters of rendering from depth."""

    aperture: float = param(
        0.0, 0.0, 128.0,
        help="F-number of the wished lens, for a depth in metres; 0: that of the file / strength.",
    )  # fmt: skip
    focus_m: float = param(
        0.0, 0.0, 1e5, unit="m",
        help="Distance in focus, for a depth in metres; 0: the named point, else what is sharp.",
    )  # fmt: skip
    relative_percent: float = param(
        0.75, 0.01, 10.0, unit="%",
        help="For a depth without unit: disk radius over its whole range, relative to the "
        "picture's diagonal, per unit of strength above 1.",
    )  # fmt: skip
    fit_outlines: bool = param(
        True, help="Fit the outlines of the depth to those of the picture; off for exact depth."
    )
    outline_samples: int = param(
        2, 1, 16, unit="samples",
        help="Distance to a jump of the depth within which it is a step.",
    )  # fmt: skip
    values: str = param(
        "auto",
        choices=("auto", "metres", "millimetres", "nearness", "distance"),
        help="What the values of a depth picture without description are; auto: metres for "
        "floating point, else nearness (brighter is nearer).",
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DepthMap:
    """Depth of a picture.

    Attributes
    ----------
    inverse : Array
        Inverse depth, hxw float32, finite, any size with the aspect ratio of the picture; larger is
        nearer, 0 is infinity.
    is_metric : bool
        Whether the unit is 1/m, and not any other one up to an offset.
    focus : float or None
        Inverse depth in focus, if the source of the depth states it.
    """

    inverse: Array
    is_metric: bool
    focus: float | None = None


def depth_grid(depth: DepthMap, linear: LinearLight) -> Grid:
    """Cells of a whole number of pixels over a picture, about as fine as its depth map.

    Parameters
    ----------
    depth : DepthMap
        Depth of the picture.
    linear : Array
        The picture, HxWx3 float32. Only its shape is used.

    Returns
    -------
    Grid
        The cells.
    """
    sizes = zip(shape_of(linear), depth.inverse.shape, strict=True)
    return Grid.cells(shape_of(linear), max(min(pixels // samples for pixels, samples in sizes), 1))


def depth_cells(depth: DepthMap, grid: Grid, linear: LinearLight) -> InverseDepth:
    """Resample a depth map to cells over the picture, bilinearly.

    Parameters
    ----------
    depth : DepthMap
        Depth map of any size; its borders are those of the picture.
    grid : Grid
        Cells over the picture.
    linear : Array
        The picture, HxWx3; only its size is used.

    Returns
    -------
    BlurMap
        Inverse depth on the cells, in the unit of the depth map.
    """
    full, plane = shape_of(linear), depth.inverse
    if plane.shape[0] > full[0] or plane.shape[1] > full[1]:
        plane = np.asarray(cv2.resize(plane, full[::-1], interpolation=cv2.INTER_AREA), np.float32)
    for axis in (0, 1):
        size = plane.shape[axis]
        place = np.clip((grid.positions(axis) + 0.5) * size / full[axis] - 0.5, 0, size - 1)
        lower = np.minimum(place.astype(np.int64), max(size - 2, 0))
        part = (place - lower).astype(np.float32)
        part = part[:, None] if axis == 0 else part
        first = np.take(plane, lower, axis)
        plane = first + part * (np.take(plane, np.minimum(lower + 1, size - 1), axis) - first)
    return BlurMap(np.ascontiguousarray(plane, np.float32), np.ones(grid.shape, np.float32), grid)


def depth_at(cells: InverseDepth, point: tuple[float, float]) -> float:
    """Inverse depth at a pixel (x, y): the median of a few samples around it."""
    grid = cells.grid
    y, x = (round((at - grid.phase) / grid.step) for at in (point[1], point[0]))
    window = tuple(
        slice(max(min(at, size - 1) - FOCUS_WINDOW, 0), max(at, 0) + FOCUS_WINDOW + 1)
        for at, size in zip((y, x), grid.shape, strict=True)
    )
    return float(np.median(cells.sigma[window]))


def sampled(cells: BlurMap, grid: Grid, index: Index) -> Array:
    """Values of the cells nearest to samples of another grid.

    Parameters
    ----------
    cells : BlurMap
        Map of the values.
    grid : Grid
        The other grid.
    index : pair of arrays of int
        Rows and columns of the samples on it, each of shape (n,).

    Returns
    -------
    Array
        n float32.
    """
    places = []
    for axis in (0, 1):
        nearest = (grid.positions(axis)[index[axis]] - cells.grid.phase) / cells.grid.step
        places.append(np.clip(np.rint(nearest).astype(np.int64), 0, cells.grid.shape[axis] - 1))
    return np.asarray(cells.sigma[places[0], places[1]], np.float32)


def shape_of(linear: Array) -> tuple[int, int]:
    """Rows and columns of a picture, px.

    Parameters
    ----------
    linear : Array
        HxWx3 or HxW.
    """
    return linear.shape[0], linear.shape[1]
