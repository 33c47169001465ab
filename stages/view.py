"""Views of a picture: the working scale of the estimation, the grid of the solve.

A blur estimator saturates at 4 to 5 px of its grid, so a large photograph is estimated on a reduced
one. Propagation is solved at half resolution (Kriener, Binder and Wille 2013, section 2.3) or
coarser. Both use the picture reduced in linear light, and then encoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np

from stages.arrays import reduce_by
from stages.grid import BlurMap, Grid, lift
from stages.kinds import Encoded, Like, LinearLight
from stages.params import Params, param
from stages.tone import SRGB, encode

SHOW_STEP = 2  # blur of a preview is rendered at every second pixel; more is not visible


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewParams(Params):
    """Sizes of the grids that estimation and propagation work on."""

    working_side_px: int = param(
        1600, 0, help="estimate where the long side is at most this, in working pixels; 0: at full"
    )
    solve_step: int = param(
        2,
        1,
        64,
        help="step of the propagation grid, at least that of the view: 1 direct, 2 half",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowParams(Params):
    """Grid on which the blur of a preview is rendered."""

    coarser: int = param(1, 1, 16, help="on a grid so many times coarser than the view")


def working_grid(linear: LinearLight, params: ViewParams) -> Grid:
    """Make the grid of the blur estimation: the finest power-of-two step within the limit.

    Parameters
    ----------
    linear : Array
        HxWx3 float32, linear light. Only its shape is used.
    params : ViewParams
        `working_side_px` is the limit of the long side.

    Returns
    -------
    Grid
        Cells over the picture.
    """
    side, step = max(linear.shape[:2]), 1
    while params.working_side_px and side > step * params.working_side_px:
        step *= 2
    return Grid.cells(linear.shape[:2], step)


def solve_grid(linear: LinearLight, params: ViewParams) -> Grid:
    """Make the grid of the propagation: of step `solve_step`, but not finer than the view.

    Parameters
    ----------
    linear : Array
        HxWx3 float32, linear light. Only its shape is used.
    params : ViewParams
        Step of the solve, and limit of the view.

    Returns
    -------
    Grid
        Cells over the picture.
    """
    step = max(params.solve_step, working_grid(linear, params).step)
    return Grid.cells(linear.shape[:2], step)


def solve_grid_of_view(linear: LinearLight, grid: Grid, params: ViewParams) -> Grid:
    """Make the grid of the propagation if `solve_step` counts pixels of the view.

    Parameters
    ----------
    linear : Array
        HxWx3 float32, linear light. Only its shape is used.
    grid : Grid
        Grid of the view.
    params : ViewParams
        Step of the solve, px of the view.

    Returns
    -------
    Grid
        Cells over the picture.
    """
    return Grid.cells(linear.shape[:2], grid.step * params.solve_step)


def even_grid(grid: Grid) -> Grid:
    """Grid of every second sample, from the first: the paper's half resolution."""
    rows, cols = (-(-n // 2) for n in grid.shape)
    return Grid((rows, cols), 2 * grid.step, grid.phase)


def view_at(linear: LinearLight, grid: Grid) -> Encoded:
    """Make the view of a picture on a grid of cells.

    Area averaging happens in linear light, as in a sensor with larger pixels.

    Parameters
    ----------
    linear : Array
        HxWx3 float32, linear light.
    grid : Grid
        Cells over the picture.

    Returns
    -------
    Array
        HxWx3 float32 of the grid, display-encoded (sRGB) in [0, 1].
    """
    return encode(reduce_by(linear, grid.step), SRGB)


def guide_from(linear: LinearLight, view: Encoded, grid: Grid, to: Grid) -> Encoded:
    """Make the view on the grid `to`, or return the given view if the grids are the same.

    Parameters
    ----------
    linear : Array
        HxWx3 float32, linear light.
    view : Array
        The view on `grid`, HxWx3 float32, display-encoded in [0, 1].
    grid, to : Grid
        Grid of the view, and grid of the result.

    Returns
    -------
    Array
        HxWx3 float32 of the grid `to`, display-encoded in [0, 1].
    """
    return view if to == grid else view_at(linear, to)


def show_grid(linear: LinearLight, grid: Grid, params: ShowParams) -> Grid:
    """Make the grid on which a preview is blurred: that of the view, not finer than `SHOW_STEP`.

    Parameters
    ----------
    linear : Array
        HxWx3 float32, linear light. Only its shape is used.
    grid : Grid
        Grid of the view.
    params : ShowParams
        `coarser` multiplies the step.

    Returns
    -------
    Grid
        Cells over the picture.
    """
    step = params.coarser * max(grid.step, SHOW_STEP)
    return grid if step == grid.step else Grid.cells(linear.shape[:2], step)


def view_of(linear: LinearLight, light: LinearLight, shown: Grid, grid: Grid) -> Encoded:
    """Make the view on its grid, as `view_at`, from `light` if that is on the same grid.

    Parameters
    ----------
    linear : Array
        HxWx3 float32, linear light.
    light : Array
        The same on the grid `shown`, HxWx3 float32.
    shown, grid : Grid
        Grid of `light`, and grid of the view.

    Returns
    -------
    Array
        HxWx3 float32 of the grid, display-encoded (sRGB) in [0, 1].
    """
    return encode(light, SRGB) if shown == grid else view_at(linear, grid)


def light_at(linear: LinearLight, grid: Grid) -> LinearLight:
    """Average linear light over a grid of cells.

    Parameters
    ----------
    linear : Array
        HxWx3 float32, linear light.
    grid : Grid
        Cells over the picture.

    Returns
    -------
    Array
        HxWx3 float32 of the grid, linear light.
    """
    return reduce_by(linear, grid.step)


def guide_at(view: Encoded, grid: Grid, to: Grid) -> Encoded:
    """Reduce a view to a coarser grid of cells; encoded values are averaged.

    Parameters
    ----------
    view : Array
        HxWx3 float32, display-encoded in [0, 1].
    grid, to : Grid
        Grid of the view, and grid of the result, of a multiple of its step.

    Returns
    -------
    Array
        HxWx3 float32 of the grid `to`, display-encoded in [0, 1].
    """
    return reduce_by(view, to.step // grid.step)


def gather_cells(sparse: BlurMap, to: Grid) -> Annotated[BlurMap, Like("sparse")]:
    """Resample a sparse map to cells: as `lift`, but by area sums if the grids are nested.

    Parameters
    ----------
    sparse : BlurMap
        Sparse, on any grid.
    to : Grid
        Cells of the result.

    Returns
    -------
    BlurMap
        Sparse. Confidences of samples in a cell are added, sigma is their weighted mean.
    """
    factor = to.step // sparse.grid.step
    nested = (
        to.step == factor * sparse.grid.step and sparse.grid.phase == (sparse.grid.step - 1) / 2
    )
    if factor == 1 or not nested or to != Grid.cells(_covered(sparse.grid), to.step):
        return lift(sparse, to)
    rows, cols = to.shape
    height, width = sparse.grid.shape
    pad = 0, rows * factor - height, 0, cols * factor - width
    weight, moment = (
        cv2.resize(
            cv2.copyMakeBorder(plane, *pad, cv2.BORDER_CONSTANT), (cols, rows),
            interpolation=cv2.INTER_AREA,
        )
        for plane in (sparse.confidence, sparse.confidence * sparse.sigma)
    )  # fmt: skip
    sigma = np.divide(moment, weight, out=np.zeros_like(weight), where=weight > 0)
    return BlurMap(sigma, weight * np.float32(factor**2), to)


def _covered(grid: Grid) -> tuple[int, int]:
    """Size of a picture that a grid of cells covers in full."""
    return grid.shape[0] * grid.step, grid.shape[1] * grid.step
