import numpy as np
import pytest

from stages.bokeh import BokehParams, render_bokeh
from stages.bokeh.parting import (
    MIN_RATIO,
    SIDE,
    largest_in_squares,
    part_cells,
    parting_limits,
)
from stages.bokeh.reference import render_exact
from stages.tone import encode


def psnr(a, b):
    return -10 * np.log10(np.mean((encode(a).astype(np.float64) - encode(b)) ** 2))


def parted(q, reach):
    """Signed q of cells, by the kernels."""
    shape = tuple(-(-n // SIDE) for n in q.shape)
    plane, largest = q.astype(np.float32).reshape(-1), np.empty(shape, np.float32)
    where = 0, q.shape[1], *q.shape
    largest_in_squares(plane, *where, 0, len(largest), largest)
    part_cells(plane, *where, 0, len(largest), parting_limits(largest, reach))
    return plane.reshape(q.shape)


def test_what_has_something_notably_blurrier_in_reach_is_of_the_nearer_half():
    q = np.full((70, 90), 6.0)
    q[:, 60:] = 12.0
    found = parted(q, reach=13)
    assert np.all(found[:, 60:] == 12)
    assert np.all(found[:, 60 - 13 : 60] == -6)
    assert np.all(found[:, : 60 - 13 - 2 * SIDE] == 6)


def test_a_slight_change_and_empty_cells_part_nothing():
    q = np.full((40, 40), 6.0)
    q[:, 20:] = 6 * (MIN_RATIO - 0.01)
    q[::3] = 0
    np.testing.assert_array_equal(parted(q, reach=10), q.astype(np.float32))


@pytest.mark.parametrize(
    ("width_px", "radii_px", "least_db"),
    [(2, (2.2, 3.3), 100), (9, (2.2, 3.3), 100), (9, (6, 9), 100), (24, (15, 21), 55)],
)
def test_bars_before_a_wall_in_one_layer_cover_it(width_px, radii_px, least_db):
    rng = np.random.default_rng(4)
    image = rng.uniform(0.05, 0.9, (140, 180, 3)).astype(np.float32)
    image[:, ::7] *= 0.2
    near = np.zeros(image.shape[:2], bool)
    for start in (30, 90, 130):
        near[:, start : start + width_px] = True
    image[near] = (0.9, 0.4, 0.1)
    radius = np.where(near, *map(np.float32, radii_px)).astype(np.float32)
    found = render_bokeh(image, radius, BokehParams(highlight_contrast=10.0))
    assert psnr(found, render_exact(image, radius)) > least_db
