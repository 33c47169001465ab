import numpy as np
import pytest

from stages.arrays import reduce_bicubic
from stages.grid import BlurMap, Grid, lift, lift_bicubic

FULL = (61, 94)
GRIDS = [
    Grid(FULL),
    Grid.cells(FULL, 2),
    Grid.cells(FULL, 3),
    Grid.cells(FULL, 8),
    Grid((31, 47), 2, 0.0),
    Grid((16, 24), 4, 1.0),
]


def sparse(grid, density=0.1, seed=0):
    rng = np.random.default_rng(seed)
    confidence = rng.integers(1, 5, grid.shape) * (rng.random(grid.shape) < density)
    sigma = rng.uniform(0.3, 5, grid.shape) * (confidence > 0)
    return BlurMap(sigma.astype(np.float32), confidence.astype(np.float32), grid)


def ramp(grid, down=0.02, across=0.03):
    sigma = 0.5 + down * grid.positions(0)[:, None] + across * grid.positions(1)
    return BlurMap(sigma.astype(np.float32), np.full(grid.shape, 0.5, np.float32), grid)


@pytest.mark.parametrize("source", GRIDS)
@pytest.mark.parametrize("to", GRIDS)
def test_sparse_samples_are_counted_never_lost(source, to):
    blur = sparse(source)
    out = lift(blur, to)
    assert out.sigma.shape == to.shape and out.sigma.dtype == out.confidence.dtype == np.float32
    assert out.confidence.sum() == blur.confidence.sum()
    moments = [(b.confidence.astype(np.float64) * b.sigma).sum() for b in (out, blur)]
    assert moments[0] == pytest.approx(moments[1], rel=1e-6)
    assert not out.sigma[out.confidence == 0].any()


def test_sparse_samples_go_to_the_nearest_cell_weighted():
    full = BlurMap(np.zeros((6, 8), np.float32), np.zeros((6, 8), np.float32), Grid((6, 8)))
    full.sigma[2, 4], full.confidence[2, 4] = 1.0, 3.0
    full.sigma[3, 5], full.confidence[3, 5] = 3.0, 1.0
    full.sigma[3, 6], full.confidence[3, 6] = 4.0, 2.0
    half = lift(full, Grid.cells((6, 8), 2))
    assert np.argwhere(half.confidence).tolist() == [[1, 2], [1, 3]]
    assert half.sigma[1, 2] == 1.5 and half.confidence[1, 2] == 4
    assert half.sigma[1, 3] == 4.0 and half.confidence[1, 3] == 2
    even = lift(full, Grid((3, 4), 2, 0.0))
    assert np.argwhere(even.confidence).tolist() == [[1, 2], [2, 3]]
    back = lift(half, Grid((6, 8)))
    assert np.argwhere(back.confidence).tolist() == [[3, 5], [3, 7]]  # 2.5, 4.5: ties go up


@pytest.mark.parametrize("source", GRIDS)
@pytest.mark.parametrize("to", GRIDS)
def test_a_dense_ramp_stays_on_the_ramp(source, to):
    out, expected = lift(ramp(source), to), ramp(to)
    known = [
        (to.positions(axis) - to.step / 2 >= source.positions(axis)[0] - source.step / 2)
        & (to.positions(axis) + to.step / 2 <= source.positions(axis)[-1] + source.step / 2)
        & (to.positions(axis) >= source.positions(axis)[0])
        & (to.positions(axis) <= source.positions(axis)[-1])
        for axis in (0, 1)
    ]
    inner = np.ix_(*known)
    assert out.sigma[inner].size > 20
    aligned = to.step <= source.step or source.step == 1 or to.step % source.step == 0
    # a cell that cuts a sample in two takes it as flat: off by less than half a sample's slope
    slack = 1e-5 if aligned else 0.05 * source.step / 2
    np.testing.assert_allclose(out.sigma[inner], expected.sigma[inner], atol=slack)
    np.testing.assert_allclose(out.confidence, 0.5, atol=1e-6)
    assert ramp(source).sigma.min() - 1e-5 <= out.sigma.min()
    assert out.sigma.max() <= ramp(source).sigma.max() + 1e-5


def test_the_same_grid_is_the_same_map():
    for blur in (sparse(GRIDS[1]), ramp(GRIDS[1])):
        assert lift(blur, GRIDS[1]) is blur


def test_a_dense_map_is_averaged_by_confidence_and_interpolated_at_the_right_phase():
    confidence = np.array([[3, 1, 1], [0.5, 0.5, 1]], np.float32)
    sigma = np.array([[1, 5, 7], [2, 2, 9]], np.float32)
    half = lift(BlurMap(sigma, confidence, Grid((2, 3))), Grid.cells((2, 3), 2))
    np.testing.assert_allclose(half.sigma, [[2, 8]])
    np.testing.assert_allclose(half.confidence, [[1.25, 1]])
    up = lift(half, Grid((2, 3)))
    np.testing.assert_allclose(up.sigma, [[2, 3.5, 6.5]] * 2)


def test_bicubic_halving_is_normalised():
    rng = np.random.default_rng(3)
    data = rng.random(FULL) < 0.1
    to = Grid((31, 47), 2, 0.0)
    constant = BlurMap(3.0 * data.astype(np.float32), data.astype(np.float32), Grid(FULL))
    out = lift_bicubic(constant, to)
    assert set(np.unique(out.confidence)) == {0, 1}
    np.testing.assert_allclose(out.sigma[out.confidence > 0], 3, atol=1e-5)
    assert not out.sigma[out.confidence == 0].any()
    sigma = (rng.uniform(1, 4, FULL) * data).astype(np.float32)
    varied = lift_bicubic(BlurMap(sigma, constant.confidence, Grid(FULL)), to)
    assert varied.sigma[varied.confidence > 0].min() >= 1
    assert varied.sigma.max() <= 4


def test_bicubic_halving_of_one_sample_lands_around_it():
    blur = BlurMap(np.zeros(FULL, np.float32), np.zeros(FULL, np.float32), Grid(FULL))
    blur.sigma[20, 31] = blur.confidence[20, 31] = 2
    out = lift_bicubic(blur, Grid((31, 47), 2, 0.0))
    assert np.argwhere(out.confidence).tolist() == [[10, 15], [10, 16]]
    np.testing.assert_allclose(out.sigma[10, 15:17], 2)


def test_bicubic_halving_without_data_and_to_another_grid():
    empty = BlurMap(np.zeros(FULL, np.float32), np.zeros(FULL, np.float32), Grid(FULL))
    assert not lift_bicubic(empty, Grid((31, 47), 2, 0.0)).confidence.any()
    with pytest.raises(ValueError, match="lift_bicubic: to must be every second sample"):
        lift_bicubic(empty, Grid.cells(FULL, 2))


def keys(t):
    t = np.abs(t)
    near, far = 1.5 * t**3 - 2.5 * t**2 + 1, -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    return np.select([t <= 1, t <= 2], [near, far])


@pytest.mark.parametrize("at", [20, 21])
def test_bicubic_reduction_is_keys_kernel_stretched_by_two(at):
    impulse = np.zeros((41, 41), np.float32)
    impulse[at, at] = 1
    weights = keys((np.arange(0, 41, 2) - at) / 2) / 2
    np.testing.assert_allclose(reduce_bicubic(impulse), np.outer(weights, weights), atol=1e-7)


def test_bicubic_reduction_keeps_a_ramp_in_place():
    row = np.linspace(0, 1, 39, dtype=np.float32)
    picture = np.tile(row[None, :, None], (11, 1, 3))
    small = reduce_bicubic(picture)
    assert small.shape == (6, 20, 3)
    np.testing.assert_allclose(small[:, 2:-2], picture[::2, ::2][:, 2:-2], atol=1e-6)
