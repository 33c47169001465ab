from itertools import product

import cv2
import numpy as np
import pytest

from stages.arrays import reduce_by
from stages.grid import BlurMap, Grid, interpolate, lift
from stages.laplacian import LaplacianParams, matting_laplacian
from stages.propagate import PropagateParams, propagate
from stages.strips import STRIP_ROWS
from stages.upsample import (
    UpsampleParams,
    bilinear_upsample,
    guided_upsample,
    upsample_to_light,
)
from stages.upsample.samples import sample_pixels

LOCAL = ["fast", "masked", "bilinear", "joint_bilateral"]
METHODS = [*LOCAL, "optimization"]


def picture(shape, seed=0, smooth=2):
    noise = np.random.default_rng(seed).random((*shape, 3)).astype(np.float32)
    return np.clip(cv2.GaussianBlur(noise, (0, 0), smooth) * 2 * smooth + 0.5 - smooth, 0, 1)


def grid_of(shape, step, phase):
    return Grid(Grid.cells(shape, step).shape, step, phase)


def dense(grid, sigma=None, seed=1):
    if sigma is None:
        noise = np.random.default_rng(seed).random(grid.shape).astype(np.float32)
        sigma = cv2.GaussianBlur(noise, (0, 0), 3) * 20 - 7
    confidence = np.linspace(0.1, 1, sigma.size).reshape(grid.shape)
    return BlurMap(np.clip(sigma, 0, None).astype(np.float32), confidence.astype(np.float32), grid)


def least_squares(low, guide, radius, epsilon):
    """Eq. (7) and (8), pixel by pixel."""
    shape = guide.shape[:2]
    offset = int(low.grid.phase)
    model = np.zeros((*shape, 4))

    def window(k, n, r):
        return range(max(k - r, 0), min(k + r + 1, n))

    for y, x in np.ndindex(shape):
        samples = [
            (guide[j, i], low.sigma[j // low.grid.step, i // low.grid.step])
            for j in window(y, shape[0], radius)
            for i in window(x, shape[1], radius)
            if (j - offset) % low.grid.step == 0 == (i - offset) % low.grid.step
        ]
        rows = np.array([[*colour, 1] for colour, _ in samples], np.float64)
        ridge = np.diag([len(samples) * epsilon] * 3 + [0])
        values = np.array([value for _, value in samples], np.float64)
        model[y, x] = np.linalg.solve(rows.T @ rows + ridge, rows.T @ values)
    out = np.zeros(shape)
    for y, x in np.ndindex(shape):
        around = np.ix_(window(y, shape[0], radius), window(x, shape[1], radius))
        out[y, x] = model[around].mean(axis=(0, 1)) @ [*guide[y, x], 1]
    return np.maximum(out, 0)


@pytest.mark.parametrize(
    ("step", "phase", "radius_px"), [(2, 0.0, 4), (2, 0.5, 4), (4, 1.5, 2), (3, 1.0, 2)]
)
def test_masked_is_equations_7_and_8(step, phase, radius_px):
    guide = picture((20, 24))
    low = dense(grid_of((20, 24), step, phase))
    params = UpsampleParams(method="masked", window_radius_px=radius_px)
    expected = least_squares(low, guide, radius_px * step // 2, params.epsilon)
    np.testing.assert_allclose(guided_upsample(low, guide, params).sigma, expected, atol=1e-6)


@pytest.mark.parametrize(("phase", "limit"), [(0.0, 5e-3), (0.5, 1.5e-2)])
def test_fast_is_close_to_masked(phase, limit):
    guide = picture((140, 171), smooth=3)
    small = guide[::2, ::2] if phase == 0 else reduce_by(guide, 2)
    smooth = cv2.GaussianBlur(dense(Grid(small.shape[:2])).sigma, (0, 0), 8)
    low = dense(grid_of((140, 171), 2, phase), smooth + small @ [0.5, 0.3, -0.4])
    fast, masked, bilinear = (
        guided_upsample(
            low, guide, UpsampleParams(method=m, window_radius_px=10, epsilon=1e-2)
        ).sigma
        for m in METHODS[:3]
    )
    rms = np.sqrt(np.mean((fast - masked) ** 2))
    assert rms < limit
    assert rms < 0.3 * np.sqrt(np.mean((bilinear - masked) ** 2))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("step", [1, 2, 3, 4, 7])
def test_a_constant_map_stays_constant(method, step):
    guide = picture((47, 70))
    low = dense(Grid.cells((47, 70), step), np.full(Grid.cells((47, 70), step).shape, 3.25))
    full = guided_upsample(low, guide, UpsampleParams(method=method))
    assert full.grid == Grid((47, 70)) and full.is_dense
    np.testing.assert_allclose(full.sigma, 3.25, rtol=1e-6)


@pytest.mark.parametrize(("step", "phase"), [(2, 0.5), (2, 0.0), (3, 1.0), (4, 1.5), (8, 3.5)])
def test_fast_puts_a_map_in_its_place(step, phase):
    """Blur that is affine in a guide of two ramps comes back without a shift."""
    shape = (96, 128)
    y, x = np.mgrid[: shape[0], : shape[1]]
    guide = np.stack([x / 128, y / 96, 0 * x], axis=2).astype(np.float32)
    grid = grid_of(shape, step, phase)
    truth = 1 + 0.02 * x + 0.01 * y
    sigma = 1 + 0.02 * grid.positions(1) + 0.01 * grid.positions(0)[:, None]
    out = guided_upsample(dense(grid, sigma), guide, UpsampleParams(epsilon=1e-6)).sigma
    inner = np.s_[step:-step, step:-step]
    np.testing.assert_allclose(out[inner], truth[inner], atol=4e-3)


def test_edges_are_sharper_with_a_guide():
    shape = (60, 81)
    right = (np.arange(81) >= 41)[None, :] & np.ones((60, 1), bool)
    guide = np.where(right[..., None], [0.8, 0.7, 0.2], [0.2, 0.3, 0.5]).astype(np.float32)
    truth = np.where(right, 4.0, 1.0)
    cells = Grid.cells(shape, 4)
    low = lift(BlurMap(truth.astype(np.float32), np.ones(shape, np.float32), Grid(shape)), cells)
    errors = {
        m: np.abs(guided_upsample(low, guide, UpsampleParams(method=m, epsilon=1e-4)).sigma - truth)
        for m in METHODS
    }
    assert errors["fast"].max() < 0.25 < errors["bilinear"].max()
    assert errors["masked"].mean() < errors["bilinear"].mean()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (3, 300), (7, 7), (33, 20)])
def test_small_pictures(method, shape):
    guide = picture(shape)
    low = dense(Grid.cells(shape, 2))
    full = guided_upsample(low, guide, UpsampleParams(method=method))
    assert full.sigma.shape == full.confidence.shape == shape
    assert np.all(np.isfinite(full.sigma)) and full.sigma.min() >= 0


@pytest.mark.parametrize("method", METHODS)
def test_strips_and_threads_leave_no_trace(method, set_workers):
    guide, low = picture((300, 40)), dense(Grid.cells((300, 40), 2))
    params, results = UpsampleParams(method=method), []
    for count in (1, 2):
        set_workers(count)
        results.append(guided_upsample(low, guide, params).sigma)
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("method", LOCAL)
def test_tiled_equals_untiled(method):
    """A tile between strips of the small map, with a strip on each side as its halo."""
    guide, low = picture((640, 40)), dense(Grid.cells((640, 40), 2))
    whole = guided_upsample(low, guide, UpsampleParams(method=method)).sigma
    rows = slice(STRIP_ROWS, 4 * STRIP_ROWS)
    tile = dense(Grid.cells((6 * STRIP_ROWS, 40), 2), low.sigma[rows])
    part = np.ascontiguousarray(guide[2 * rows.start : 2 * rows.stop])
    alone = guided_upsample(tile, part, UpsampleParams(method=method)).sigma
    inner = slice(2 * STRIP_ROWS, 4 * STRIP_ROWS)
    np.testing.assert_array_equal(alone[inner], whole[2 * rows.start :][inner])


@pytest.mark.parametrize(("step", "phase"), [(2, 0.5), (2, 0.0), (4, 1.5)])
def test_joint_bilateral_is_the_formula_of_kopf(step, phase):
    guide = picture((13, 18))
    low = dense(grid_of((13, 18), step, phase))
    small = guide[::step, ::step] if phase == 0 else reduce_by(guide, step)
    expected = np.zeros((13, 18))
    for y, x in np.ndindex(13, 18):
        row, column = (y - phase) / step, (x - phase) / step
        j, i = np.mgrid[: low.sigma.shape[0], : low.sigma.shape[1]]
        near = (abs(j - np.round(row)) <= 2) & (abs(i - np.round(column)) <= 2)
        spatial = np.exp(-((row - j) ** 2 + (column - i) ** 2) / (2 * 0.5**2))
        colour = np.exp(-((guide[y, x] - small) ** 2).sum(axis=2) / (2 * 0.1**2))
        weight = near * spatial * (colour + 1e-6)
        expected[y, x] = (weight * low.sigma).sum() / weight.sum()
    params = UpsampleParams(method="joint_bilateral")
    np.testing.assert_allclose(guided_upsample(low, guide, params).sigma, expected, atol=1e-5)


@pytest.mark.parametrize(("step", "phase"), [(2, 0.0), (4, 1.5)])
def test_optimization_minimises_the_energy_of_park(step, phase):
    """The minimum, from the matrix of the energy written out pixel by pixel."""
    shape = (12, 17)
    guide, low = picture(shape), dense(grid_of(shape, step, phase))
    first = interpolate(low.sigma, low.grid, Grid(shape)).astype(np.float64)
    yuv = cv2.cvtColor(guide, cv2.COLOR_RGB2YUV).astype(np.float64)
    pixels = list(np.ndindex(shape))
    weight = np.zeros((len(pixels), len(pixels)))
    for p, q in product(range(len(pixels)), repeat=2):
        apart = np.abs(np.subtract(pixels[p], pixels[q]))
        if p != q and apart.max() == 1:
            colour = np.sum((yuv[pixels[p]] - yuv[pixels[q]]) ** 2) / (2 * 0.1**2)
            weight[p, q] = np.exp(-colour - (first[pixels[p]] - first[pixels[q]]) ** 2 / 2)
    share = weight / weight.sum(axis=1, keepdims=True)
    both = 10 * (share + share.T)
    matrix, right = np.diag(both.sum(axis=1)) - both, np.zeros(shape)
    known = np.zeros(shape)
    places = np.ix_(*sample_pixels(low.grid, shape))
    known[places], right[places] = 1, low.sigma
    expected = np.linalg.solve(matrix + np.diag(known.ravel()), right.ravel()).reshape(shape)
    found = guided_upsample(low, guide, UpsampleParams(method="optimization")).sigma
    assert np.sqrt(np.mean((found - np.maximum(expected, 0)) ** 2)) < 0.01


def test_fast_is_within_the_goal_of_masked_on_a_photograph(shared_data):
    """Where the grids agree in phase, the mean squared difference is below 2e-5 px^2."""
    bgr = cv2.imread(str(shared_data / "photos" / "dandelion_16mp.jpg"))
    picture_ = cv2.resize(bgr, (800, 450), interpolation=cv2.INTER_AREA)[..., ::-1]
    guide = np.ascontiguousarray(picture_, np.float32) / np.float32(255)
    grid = grid_of((450, 800), 2, 0.0)
    known = (np.random.default_rng(0).random(grid.shape) < 0.05).astype(np.float32)
    sparse = BlurMap(known * dense(grid).sigma, known, grid)
    laplacian = matting_laplacian(np.ascontiguousarray(guide[::2, ::2]), LaplacianParams())
    *_, solved = propagate(laplacian, sparse, None, PropagateParams())
    low = solved.value
    fast, masked = (
        guided_upsample(low, guide, UpsampleParams(method=m)).sigma for m in ("fast", "masked")
    )
    assert np.mean((fast - masked) ** 2) < 2e-5


def test_confidence_is_interpolated_and_bilinear_is_the_lift():
    guide, low = picture((31, 44)), dense(Grid.cells((31, 44), 2))
    full = lift(low, Grid((31, 44)))
    for method in METHODS:
        out = guided_upsample(low, guide, UpsampleParams(method=method))
        np.testing.assert_array_equal(out.confidence, full.confidence)
    np.testing.assert_array_equal(bilinear_upsample(low, guide, UpsampleParams()).sigma, full.sigma)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("step", "phase"), [(1, 0.0), (2, 0.5), (2, 0.0), (4, 1.5), (8, 3.5)])
def test_the_root_of_light_is_taken_on_the_way(method, step, phase):
    light = picture((291, 43)) ** 2
    low, params = dense(grid_of((291, 43), step, phase)), UpsampleParams(method=method)
    ours, whole = (
        upsample_to_light(low, light, params),
        guided_upsample(low, np.sqrt(light), params),
    )
    np.testing.assert_allclose(ours.sigma, whole.sigma, atol=1e-5)
    np.testing.assert_array_equal(ours.confidence, whole.confidence)


def test_wrong_input_is_named():
    guide, low = picture((30, 40)), dense(Grid.cells((30, 40), 2))
    with pytest.raises(ValueError, match="upsample: guide must be HxWx3 float32"):
        guided_upsample(low, guide[..., 0], UpsampleParams())
    with pytest.raises(ValueError, match=r"low must be \(15, 21\) for a guide \(30, 42\)"):
        guided_upsample(low, picture((30, 42)), UpsampleParams())
    holes = BlurMap(low.sigma, np.zeros_like(low.confidence), low.grid)
    with pytest.raises(ValueError, match="low must be a dense map"):
        bilinear_upsample(holes, guide, UpsampleParams())


@pytest.mark.parametrize("phase", [0.0, 1.5])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("place", [(0, 0, 0), (34, 49, 2), (17, 20, 1)])
def test_one_value_that_is_not_finite_is_refused(phase, value, place):
    linear = np.full((35, 50, 3), 0.5, np.float32)
    linear[place] = value
    grid = Grid((9, 13), 4, phase)
    low = BlurMap(np.ones(grid.shape, np.float32), np.ones(grid.shape, np.float32), grid)
    with pytest.raises(ValueError, match="not finite"):
        upsample_to_light(low, linear, UpsampleParams())
