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
    """Grid of the blur estimation: the finest power-of-two step within `working_side_px`."""
    side, step = max(linear.shape[:2]), 1
    while params.working_side_px and side > step * params.working_side_px:
        step *= 2
    return Grid.cells(linear.shape[:2], step)


def solve_grid(linear: LinearLight, params: ViewParams) -> Grid:
    """Grid of the propagation: of step `solve_step`, but not finer than the view."""
    step = max(params.solve_step, working_grid(linear, params).step)
    return Grid.cells(linear.shape[:2], step)


def solve_grid_of_view(linear: LinearLight, grid: Grid, params: ViewParams) -> Grid:
    """Grid of the propagation if `solve_step` counts pixels of the view."""
    return Grid.cells(linear.shape[:2], grid.step * params.solve_step)


def even_grid(grid: Grid) -> Grid:
    """Grid of every second sample, from the first: the paper's half resolution."""
    rows, cols = (-(-n // 2) for n in grid.shape)
    return Grid((rows, cols), 2 * grid.step, grid.phase)


def view_at(linear: LinearLight, grid: Grid) -> Encoded:
    """Display-encoded (sRGB) picture on a grid of cells, HxWx3 in [0, 1].

    Area averaging happens in linear light, as a sensor with larger pixels would do it.
    """
    return encode(reduce_by(linear, grid.step), SRGB)


def guide_from(linear: LinearLight, view: Encoded, grid: Grid, to: Grid) -> Encoded:
    """View on the grid `to`: the given view if the grids are the same."""
    return view if to == grid else view_at(linear, to)


def show_grid(linear: LinearLight, grid: Grid, params: ShowParams) -> Grid:
    """Grid on which a preview is blurred: that of the view, but not finer than `SHOW_STEP`."""
    step = params.coarser * max(grid.step, SHOW_STEP)
    return grid if step == grid.step else Grid.cells(linear.shape[:2], step)


def view_of(linear: LinearLight, light: LinearLight, shown: Grid, grid: Grid) -> Encoded:
    """View on its grid, as `view_at`; made from `light` if that is on the same grid."""
    return encode(light, SRGB) if shown == grid else view_at(linear, grid)


def light_at(linear: LinearLight, grid: Grid) -> LinearLight:
    """Linear light on a grid of cells, HxWx3."""
    return reduce_by(linear, grid.step)


def guide_at(view: Encoded, grid: Grid, to: Grid) -> Encoded:
    """View reduced to a coarser grid of cells; encoded values are averaged."""
    return reduce_by(view, to.step // grid.step)


def gather_cells(sparse: BlurMap, to: Grid) -> Annotated[BlurMap, Like("sparse")]:
    """Resample a sparse map to cells: as `lift`, but by area sums if the grids are nested."""
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
