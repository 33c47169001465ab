import numpy as np
import pytest

from stages.grid import BlurMap, Grid, lift
from stages.view import (
    ShowParams,
    ViewParams,
    gather_cells,
    guide_at,
    guide_from,
    light_at,
    show_grid,
    solve_grid_of_view,
    view_at,
    view_of,
)


def sparse(grid, share=0.1):
    rng = np.random.default_rng(1)
    confidence = np.where(rng.random(grid.shape) < share, rng.random(grid.shape), 0)
    sigma = np.where(confidence > 0, 5 * rng.random(grid.shape), 0)
    return BlurMap(sigma.astype(np.float32), confidence.astype(np.float32), grid)


@pytest.mark.parametrize("full, fine, coarse", [
    ((90, 160), 2, 4), ((91, 163), 2, 8), ((45, 77), 1, 2), ((45, 77), 2, 2), ((45, 77), 4, 2),
])  # fmt: skip
def test_cells_gather_what_lift_does(full, fine, coarse):
    blur, to = sparse(Grid.cells(full, fine)), Grid.cells(full, coarse)
    wanted, got = lift(blur, to), gather_cells(blur, to)
    assert got.grid == to
    assert got.sigma == pytest.approx(wanted.sigma, abs=1e-5)
    assert got.confidence == pytest.approx(wanted.confidence, abs=1e-5)


def test_grids_that_are_not_nested_are_lifted():
    grid = Grid((20, 30), 2, 0.0)
    blur, to = sparse(grid), Grid.cells((40, 60), 4)
    assert np.array_equal(gather_cells(blur, to).sigma, lift(blur, to).sigma)


def test_solve_counts_pixels_of_the_view():
    linear = np.zeros((91, 163, 3), np.float32)
    grid = Grid.cells((91, 163), 2)
    to = solve_grid_of_view(linear, grid, ViewParams(solve_step=4))
    assert to == Grid.cells((91, 163), 8)
    assert guide_at(light_at(linear, grid), grid, to).shape[:2] == to.shape


@pytest.mark.parametrize(
    ("step", "coarser", "shown_step"), [(1, 1, 2), (2, 1, 2), (4, 1, 4), (1, 2, 4), (2, 2, 4)]
)
def test_a_preview_is_shown_no_finer_than_every_second_pixel(step, coarser, shown_step):
    linear = np.random.default_rng(0).random((91, 163, 3), np.float32)
    grid = Grid.cells((91, 163), step)
    shown = show_grid(linear, grid, ShowParams(coarser=coarser))
    assert shown == Grid.cells((91, 163), shown_step)
    view = view_of(linear, light_at(linear, shown), shown, grid)
    assert np.array_equal(view, view_at(linear, grid))


@pytest.mark.parametrize("solve_step", [4, 8])
def test_a_guide_on_the_grid_of_the_view_is_the_view(solve_step):
    linear = np.random.default_rng(0).random((45, 77, 3)).astype(np.float32)
    grid, to = Grid.cells((45, 77), 4), Grid.cells((45, 77), solve_step)
    view = view_at(linear, grid)
    guide = guide_from(linear, view, grid, to)
    assert (guide is view) == (to == grid)
    np.testing.assert_array_equal(guide, view_at(linear, to))
