"""Grids and blur maps: one rule to resample maps between grids.

Maps exist on several grids: full, working, half, coarse. Every map has a `Grid`, and `lift`
resamples a map from one grid to another (`lift_bicubic` is the paper's own reduction by two).
`sigma` is always in full-resolution pixels, so that resampling never rescales values.

The samples of a sparse map are counts: they move to the nearest cell, and their confidences are
added. A dense map is interpolated on a finer grid and averaged on a coarser one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from scipy import sparse

from stages.arrays import reduce_bicubic, reduce_by
from stages.kernels import f32, i64, inline, kernel, reads, record, writes
from stages.kinds import Kind, Like
from stages.params import Array
from stages.strips import run_strips

MIN_BICUBIC_WEIGHT = 0.05  # share of the kernel on data; with less, lobes dominate the quotient


@dataclass(frozen=True, slots=True)
class Grid:
    """A regular grid over a full-resolution picture.

    Sample (i, j) lies at full-resolution coordinates (phase + step * i, phase + step * j), where
    pixel centres have integer coordinates. Area-averaged cells have phase (step - 1) / 2; samples
    taken at every step-th pixel have phase 0.
    """

    shape: tuple[int, int]
    step: int = 1
    phase: float = 0.0

    @classmethod
    def cells(cls, full: tuple[int, int], step: int) -> Grid:
        """Grid of step x step cells that cover a picture of shape `full`."""
        rows, cols = (-(-n // step) for n in full)
        return cls((rows, cols), step, (step - 1) / 2)

    def positions(self, axis: int) -> npt.NDArray[np.float64]:
        """Full-resolution coordinates of the samples along an axis, px."""
        return self.phase + self.step * np.arange(self.shape[axis], dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class BlurMap:
    """Blur on a grid, sparse (at edges) or dense.

    Attributes
    ----------
    sigma : Array
        Standard deviation of the blur in full-resolution pixels, HxW float32, finite; 0 without
        data.
    confidence : Array
        HxW float32 >= 0; 0 means "no data". In a sparse map it counts the full-resolution edge
        pixels that a sample represents. In a dense map it is positive everywhere.
    grid : Grid
        Grid of both.
    """

    sigma: Array
    confidence: Array
    grid: Grid

    @property
    def is_dense(self) -> bool:
        """Whether there is data everywhere."""
        return bool(self.confidence.all())


SparseBlur = Annotated[BlurMap, Kind("sparse blur data")]  # at edges; confidence counts pixels
BlurBounds = Annotated[BlurMap, Kind("upper bounds on blur")]  # where detail proves sharpness
DenseBlur = Annotated[BlurMap, Kind("dense blur map")]  # data everywhere


def lift(blur: BlurMap, to: Grid) -> Annotated[BlurMap, Like("blur")]:
    """Resample a blur map to another grid over the same picture.

    Parameters
    ----------
    blur : BlurMap
        Sparse or dense.
    to : Grid
        Grid of the result.

    Returns
    -------
    BlurMap
        Sparse: each sample goes to the nearest cell. Confidence is the sum, and sigma the mean
        weighted by confidence, over the samples of a cell. Dense, to a finer or equal step:
        bilinear, constant beyond the outermost samples. Dense, to a coarser step: the mean over the
        area of each cell, sigma weighted by confidence. Sigma stays in full-resolution pixels.
    """
    if blur.grid == to:
        return blur
    if not blur.is_dense:
        return _gather(blur, to)
    if to.step <= blur.grid.step:
        sigma, confidence = (
            interpolate(plane, blur.grid, to) for plane in (blur.sigma, blur.confidence)
        )
        return BlurMap(sigma, confidence, to)
    return _average(blur, to)


def _gather(blur: BlurMap, to: Grid) -> BlurMap:
    """Sparse map on another grid, as of `lift`."""
    samples = np.nonzero(blur.confidence)
    cell_of = [_nearest(blur.grid, to, axis)[samples[axis]] for axis in (0, 1)]
    flat = cell_of[0] * to.shape[1] + cell_of[1]
    weight = blur.confidence[samples].astype(np.float64)
    cells = to.shape[0] * to.shape[1]
    total = np.bincount(flat, weight, cells)
    moment = np.bincount(flat, weight * blur.sigma[samples], cells)
    mean = np.divide(moment, total, out=np.zeros(cells), where=total > 0)
    sigma, confidence = (plane.astype(np.float32).reshape(to.shape) for plane in (mean, total))
    return BlurMap(sigma, confidence, to)


def _nearest(source: Grid, to: Grid, axis: int) -> npt.NDArray[np.int64]:
    """Index of the cell of `to` nearest to each sample of `source`; ties are rounded up."""
    cell = np.floor((source.positions(axis) - to.phase) / to.step + 0.5).astype(np.int64)
    return np.clip(cell, 0, to.shape[axis] - 1)


def _average(blur: BlurMap, to: Grid) -> BlurMap:
    """Dense map on a coarser grid, as of `lift`."""
    factor = to.step // blur.grid.step
    if to == _whole_cells(blur.grid, factor):
        weight = reduce_by(blur.confidence, factor)
        return BlurMap(reduce_by(blur.confidence * blur.sigma, factor) / weight, weight, to)
    rows, cols = (_overlaps(blur.grid, to, axis) for axis in (0, 1))
    weight = rows @ blur.confidence @ cols.T
    moment = rows @ (blur.confidence * blur.sigma) @ cols.T
    return BlurMap((moment / weight).astype(np.float32), weight.astype(np.float32), to)


def _whole_cells(source: Grid, factor: int) -> Grid:
    """Grid of cells of `factor` x `factor` samples."""
    rows, cols = (-(-n // factor) for n in source.shape)
    return Grid((rows, cols), factor * source.step, source.phase + (factor - 1) * source.step / 2)


def _overlaps(source: Grid, to: Grid, axis: int) -> sparse.csr_array:
    """Share of each cell of `to` (a row) that each sample of `source` (a column) covers.

    The outermost samples extend to infinity, so that every row sums to 1.
    """
    edges = source.positions(axis)[1:] - source.step / 2
    cells = to.positions(axis)[:, None] + to.step * np.array([-0.5, 0.5])
    first, last = np.searchsorted(edges, cells, side="right").T
    row = np.repeat(np.arange(to.shape[axis]), last - first + 1)
    column = np.concatenate([np.arange(a, b + 1) for a, b in zip(first, last, strict=True)])
    bounds = np.concatenate([[-np.inf], edges, [np.inf]])
    begin = np.maximum(bounds[column], cells[row, 0])
    end = np.minimum(bounds[column + 1], cells[row, 1])
    shape = (to.shape[axis], source.shape[axis])
    return sparse.csr_array(((end - begin) / to.step, (row, column)), shape)


def lift_bicubic(blur: SparseBlur, to: Grid) -> SparseBlur:
    """Reduce a sparse map by two as the paper does (section 2.3), normalised.

    Sigma is bicubic(D beta) / bicubic(D) where bicubic(D) > 0.05, with D = 1 at data; confidence
    is 1 there. A plain bicubic reduction of the zero-filled map would mistake "no data" for
    "sharp". The negative lobes of the kernel can move a quotient out of the range of the data; it
    is clipped to that range.

    Parameters
    ----------
    blur : BlurMap
        Sparse map.
    to : Grid
        Every second sample of the map's grid: twice its step, the same phase.

    Returns
    -------
    BlurMap
        Sparse; confidence is 0 or 1.

    Raises
    ------
    ValueError
        If `to` is another grid.
    """
    rows, cols = blur.grid.shape
    wanted = Grid(((rows + 1) // 2, (cols + 1) // 2), 2 * blur.grid.step, blur.grid.phase)
    if to != wanted:
        raise ValueError(f"lift_bicubic: to must be every second sample, {wanted}; got {to}")
    data = blur.confidence > 0
    if not data.any():
        return BlurMap(np.zeros(to.shape, np.float32), np.zeros(to.shape, np.float32), to)
    weight = reduce_bicubic(data.astype(np.float32), cv2.BORDER_CONSTANT)
    moment = reduce_bicubic(blur.sigma * data, cv2.BORDER_CONSTANT)
    kept = weight > MIN_BICUBIC_WEIGHT
    quotient = np.divide(moment, weight, out=np.zeros_like(moment), where=kept)
    known = blur.sigma[data]
    sigma = np.where(kept, np.clip(quotient, known.min(), known.max()), np.float32(0))
    return BlurMap(sigma, kept.astype(np.float32), to)


class Taps(NamedTuple):
    """Linear interpolation along one axis: out[k] = in[lower[k]] (1 - part) + in[upper[k]] part."""

    lower: npt.NDArray[np.int64]
    upper: npt.NDArray[np.int64]
    part: Array


def linear_taps(source: Grid, to: Grid, axis: int) -> Taps:
    """Interpolation weights from `source` to `to` along an axis; clamped beyond the ends."""
    last = source.shape[axis] - 1
    place = np.clip((to.positions(axis) - source.phase) / source.step, 0, last)
    lower = place.astype(np.int64)
    return Taps(lower, np.minimum(lower + 1, last), (place - lower).astype(np.float32))


def interpolate(plane: Array, source: Grid, to: Grid) -> Array:
    """Interpolate a dense plane bilinearly, from one grid to another.

    Parameters
    ----------
    plane : Array
        Values on `source`, HxW.
    source, to : Grid
        Grids over the same picture.

    Returns
    -------
    Array
        Values on `to`, float32; constant beyond the outermost samples.
    """
    out = np.empty(to.shape, np.float32)
    rows_of = interpolator(plane, source, to)
    run_strips(lambda start, stop: rows_of(start, stop, out[start:stop]), to.shape[0])
    return out


def interpolator(plane: Array, source: Grid, to: Grid) -> Callable[[int, int, Array], None]:
    """Function that interpolates rows of a dense plane bilinearly, as `interpolate` does.

    Parameters
    ----------
    plane : Array
        Values on `source`, HxW.
    source, to : Grid
        Grids over the same picture.

    Returns
    -------
    callable
        `rows_of(start, stop, out)` writes the rows [start, stop) on `to` to `out`, float32.
    """
    plane = np.ascontiguousarray(plane, np.float32)
    rows, cols = (linear_taps(source, to, axis) for axis in (0, 1))

    def rows_of(start: int, stop: int, out: Array) -> None:
        own = Taps(rows.lower[start:stop], rows.upper[start:stop], rows.part[start:stop])
        _interpolate_rows(plane, own, cols, 0, stop - start, out)

    return rows_of


@inline
def mix(a, b, part):  # type: ignore[no-untyped-def]
    """Linear interpolation from a to b; exactly `a` if they are equal."""
    return a + part * (b - a)


TAPS = record(Taps, writes(i64, 1), writes(i64, 1), writes(f32, 1))


@inline
def mix_along(row, taps, out):  # type: ignore[no-untyped-def]
    """Write a row, interpolated to the positions of `linear_taps`."""
    left, right, across = taps
    for x in range(np.uint64(out.size)):
        out[x] = mix(row[np.uint64(left[x])], row[np.uint64(right[x])], across[x])


@kernel(reads(f32, 2), TAPS, TAPS, i64, i64, writes(f32, 2))
def _interpolate_rows(plane, vertical, horizontal, start, stop, out):  # type: ignore[no-untyped-def]
    """Write rows [start, stop) of a bilinear interpolation.

    Each row of `plane` is interpolated along x once. Two neighbouring rows are in memory, the even
    one at index 0 and the odd one at index 1.
    """
    above, below, down = vertical
    rows, kept = np.empty((2, out.shape[1]), np.float32), np.full(2, -1)
    for y in range(start, stop):
        for source in (above[y], below[y]):
            if kept[source % 2] != source:
                kept[source % 2] = source
                mix_along(plane[source], horizontal, rows[source % 2])
        upper, lower, part, row = rows[above[y] % 2], rows[below[y] % 2], down[y], out[y]
        for x in range(row.size):
            row[x] = mix(upper[x], lower[x], part)
