import json

import numpy as np
import pytest

from stages.grid import BlurMap, Grid
from stages.laplacian import LaplacianParams, matting_laplacian
from stages.propagate import PropagateParams, propagate
from stages.scribble import (
    Scribble,
    ScribbleParams,
    coverage,
    foreground_of,
    scribbled,
    touches,
)

LINE = Scribble(((10.0, 20.0), (50.0, 20.0)), 6.0)


def no_data(shape, step=1):
    grid = Grid.cells(shape, step)
    return BlurMap(np.zeros(grid.shape, np.float32), np.zeros(grid.shape, np.float32), grid)


def brute_force(scribble, grid, reach):
    """Distance to very many points of the line."""
    ends = np.array(scribble.points)
    steps = np.linspace(0, 1, 2001)[:, None]
    line = np.concatenate(
        [a + steps * (b - a) for a, b in zip(ends, ends[1:], strict=False)] or [ends]
    )
    places = np.stack(np.meshgrid(grid.positions(1), grid.positions(0)), axis=2)
    return np.sqrt(((places[:, :, None] - line) ** 2).sum(axis=3)).min(axis=2) <= reach


@pytest.mark.parametrize("step", [1, 2, 4])
@pytest.mark.parametrize(
    "points",
    [((10, 12),), ((4, 4), (40.5, 30.2)), ((5, 30), (30, 5), (31, 28.7)), ((-9, 3), (70, 3))],
)
def test_coverage_is_the_distance_to_the_line(points, step):
    scribble, grid = Scribble(points, 5.3), Grid.cells((40, 60), step)
    expected = brute_force(scribble, grid, 2.65)
    covered = coverage(scribble, grid)
    assert expected.any() and (covered != expected).sum() <= 1  # the brute force steps


def test_a_narrow_scribble_leaves_no_gap_on_a_coarse_grid():
    covered = coverage(Scribble(((1.0, 8.0), (60.0, 41.0)), 0.0), Grid.cells((48, 64), 8))
    assert covered.any(axis=0).all()


def test_outside_the_picture_is_nowhere():
    assert not coverage(Scribble(((-50, -50), (-20, -9)), 8.0), Grid((30, 30))).any()


def test_a_dot_between_the_centres_covers_the_nearest_cell():
    for step, at in ((1, (7.5, 3.4)), (4, (9.4, 7.6))):
        grid = Grid.cells((30, 40), step)
        covered = coverage(Scribble((at,), 0.1), grid)
        rows, cols = np.nonzero(covered)
        apart = np.hypot(grid.positions(0)[:, None] - at[1], grid.positions(1) - at[0])
        assert len(rows) == 1 and apart[rows[0], cols[0]] == pytest.approx(apart.min())


def test_a_stroke_touches_a_picture_at_any_size_or_at_none():
    inside, wide = Scribble(((39.4, 0.0),), 0.5), Scribble(((-3.0, 5.0),), 7.0)
    outside = Scribble(((-50.0, -50.0), (-20.0, -9.0)), 8.0)
    for scale in (1, 0.1, 3):
        shape = round(30 * scale), round(40 * scale)
        answers = [touches(each.scaled((scale, scale)), shape) for each in (inside, wide, outside)]
        assert answers == [True, True, False]


def test_constraints_beneath_are_replaced_and_others_kept():
    constraints = no_data((40, 60))
    constraints.sigma[:], constraints.confidence[:] = 2.0, 1.0
    constraints.sigma[0] = 5.0
    before = constraints.sigma.copy()
    marked = scribbled(constraints, [LINE], ScribbleParams(confidence=7.0, sharp_px=0.4))
    covered = coverage(LINE, constraints.grid)
    assert covered.sum() > 200
    np.testing.assert_array_equal(marked.confidence, np.where(covered, 7.0, 1.0))
    np.testing.assert_array_equal(marked.sigma[covered], np.float32(0.4))
    np.testing.assert_array_equal(marked.sigma[~covered], before[~covered])
    np.testing.assert_array_equal(constraints.sigma, before)


def test_what_kinds_mean_and_that_the_later_one_counts():
    constraints = no_data((40, 60))
    constraints.sigma[0], constraints.confidence[0] = np.linspace(0, 6, 60), 1.0
    drawn = [LINE, Scribble(LINE.points, 2.0, "blurred"), Scribble(((30, 20),), 1.0, "sigma", 2.5)]
    marked = scribbled(constraints, drawn, ScribbleParams(blurred_quantile=0.5))
    assert marked.sigma[22, 12] == np.float32(0.3)
    assert marked.sigma[20, 12] == pytest.approx(3.0, abs=0.1)
    assert marked.sigma[20, 30] == 2.5


def test_blurred_without_any_estimate_is_not_less_than_sharp():
    marked = scribbled(no_data((40, 60)), [Scribble(LINE.points, 4.0, "blurred")], ScribbleParams())
    assert marked.sigma[20, 30] == np.float32(0.3)


def test_strokes_of_the_foreground_are_added_to_its_mask():
    near = Scribble(((30, 20), (40, 20)), 6.0, "foreground")
    shape, mask = (40, 60), np.zeros((40, 60), np.float32)
    mask[0, 0] = 0.7
    assert foreground_of([LINE], shape, None) is None
    assert foreground_of([LINE], shape, mask) is mask
    alone = foreground_of([LINE, near], shape, None)
    np.testing.assert_array_equal(alone, coverage(near, no_data(shape).grid).astype(np.float32))
    both = foreground_of([near], shape, mask)
    np.testing.assert_array_equal(both, np.maximum(alone, mask))
    assert mask.sum() == np.float32(0.7)


def test_replaying_gives_the_same_constraints():
    drawn = [
        LINE,
        Scribble(((3, 4), (9.5, 30)), 2.5, "blurred"),
        Scribble(((8, 8),), 3, "sigma", 1),
    ]
    again = [Scribble.from_plain(p) for p in json.loads(json.dumps([s.to_plain() for s in drawn]))]
    assert again == drawn
    once, twice = (scribbled(no_data((40, 60)), d, ScribbleParams()) for d in (drawn, again))
    np.testing.assert_array_equal(once.sigma, twice.sigma)


def test_the_map_follows_a_scribble_and_stays_elsewhere():
    rng = np.random.default_rng(0)
    right = np.arange(120) >= 60
    guide = 0.2 + 0.5 * right[None, :, None] * [1, 0.5, 0.2] + rng.normal(0, 0.02, (90, 120, 3))
    laplacian = matting_laplacian(guide.astype(np.float32), LaplacianParams())
    constraints = no_data((90, 120))
    data = rng.random((90, 120)) < 0.02
    constraints.confidence[data], constraints.sigma[data] = 1, 3
    params = PropagateParams(tolerance_px=1e-3)

    def solved(held, start=None):
        *_, last = propagate(laplacian, held, start, params)
        return last.value.sigma

    before = solved(constraints)
    stroke = Scribble(((20, 45), (40, 45)), 10.0)
    after = solved(scribbled(constraints, [stroke], ScribbleParams()), before)
    beneath = coverage(stroke, constraints.grid)
    assert before[beneath].min() > 2.5 and after[beneath].mean() < 0.8
    assert np.abs(after - before)[:, 70:].max() < 0.3


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ({"points": [[1, 2]]}, "'width_px' is missing"),
        ({"points": [], "width_px": 1}, "points must be finite pairs"),
        ({"points": [[1, 2, 3]], "width_px": 1}, r"expected points \[\[x, y\]"),
        ({"points": [[1, "x"]], "width_px": 1}, r"expected points \[\[x, y\]"),
        ({"points": [[1, float("nan")]], "width_px": 1}, "points must be finite pairs"),
        ({"points": [[1, 2]], "width_px": -1}, "width_px must be finite and >= 0"),
        ({"points": [[1, 2]], "width_px": 1, "kind": "soft"}, "kind must be one of sharp"),
        ({"points": [[1, 2]], "width_px": 1, "colour": "red"}, "got 'colour'"),
    ],
)
def test_bad_scribbles_are_refused_by_name(plain, message):
    with pytest.raises(ValueError, match=f"scribble: .*{message}"):
        Scribble.from_plain(plain)
