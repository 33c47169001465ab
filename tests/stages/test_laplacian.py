import numpy as np
import pymatting
import pytest

from stages.grid import Grid
from stages.laplacian import (
    LaplacianParams,
    apply_laplacian,
    apply_system,
    grid_laplacian,
    matting_laplacian,
)


def picture(shape, kind="colour", seed=0):
    rng = np.random.default_rng(seed)
    if kind == "colour":
        steps = np.cumsum(rng.normal(0, 0.05, (*shape, 3)), axis=1)
        return (0.5 + 0.4 * np.sin(steps + rng.normal(0, 0.05, (*shape, 3)))).astype(np.float32)
    grey = (rng.random((*shape, 1)) > 0.5).astype(np.float32)
    return np.ascontiguousarray(grey * np.float32([1, 1, 1] if kind == "grey" else [1, 0, 0]))


def dense(guide, radius, epsilon):
    """Eq. (5), written out."""
    height, width, _ = guide.shape
    count = (2 * radius + 1) ** 2
    index = np.arange(height * width).reshape(height, width)
    matrix = np.zeros((height * width, height * width))
    for y in range(radius, height - radius):
        for x in range(radius, width - radius):
            window = np.s_[y - radius : y + radius + 1, x - radius : x + radius + 1]
            colours = guide[window].reshape(-1, 3).astype(np.float64)
            offset = colours - colours.mean(axis=0)
            covariance = offset.T @ offset / count + epsilon / count * np.eye(3)
            affinity = (1 + offset @ np.linalg.inv(covariance) @ offset.T) / count
            members = index[window].ravel()
            matrix[np.ix_(members, members)] += np.eye(count) - affinity
    return matrix


def relative(a, b):
    return np.abs(a - b).max() / np.abs(b).max()


@pytest.mark.parametrize("kind", ["colour", "grey", "red"])
@pytest.mark.parametrize(("radius", "epsilon"), [(1, 1e-2), (3, 1e-3), (3, 1e-5), (6, 1e-3)])
def test_box_filters_equal_equation_5(kind, radius, epsilon):
    guide = picture((13, 17), kind)
    laplacian = matting_laplacian(
        guide, LaplacianParams(window_radius=radius, epsilon=epsilon), np.float64
    )
    p = np.random.default_rng(1).uniform(0, 5, (13, 17))
    expected = (dense(guide, radius, epsilon) @ p.ravel()).reshape(p.shape)
    assert relative(apply_laplacian(laplacian, p), expected) < 1e-8


def test_strips_equal_pymatting():
    guide = picture((170, 43))  # three strips
    laplacian = matting_laplacian(guide, LaplacianParams(), np.float64)
    p = np.random.default_rng(1).uniform(0, 5, guide.shape[:2])
    reference = pymatting.cf_laplacian(guide.astype(np.float64), epsilon=1e-3, radius=3)
    expected = (reference @ p.ravel()).reshape(p.shape)
    assert relative(apply_laplacian(laplacian, p), expected) < 1e-8


def products(guide, p, weight, radius=3):
    """(L + W) p in float64 by box filters, and fused in float32 with p . (L + W) p."""
    params = LaplacianParams(window_radius=radius)
    double, single = (matting_laplacian(guide, params, t) for t in (np.float64, np.float32))
    fused = np.full_like(p, np.nan)
    energy = apply_system(single, weight, p, fused)
    wide = p.astype(np.float64)
    return apply_laplacian(double, wide) + weight * wide, fused, energy


@pytest.mark.parametrize("kind", ["colour", "grey", "red"])
@pytest.mark.parametrize(
    ("shape", "radius"), [((150, 61), 3), ((150, 61), 1), ((90, 61), 6), ((7, 7), 3), ((7, 90), 3)]
)
def test_the_fused_product_is_good_to_1e_5(kind, shape, radius):
    rng = np.random.default_rng(1)
    guide, p = picture(shape, kind), rng.uniform(2, 5, shape).astype(np.float32)
    weight = (rng.uniform(0, 0.5, shape) * (rng.random(shape) < 0.1)).astype(np.float32)
    if min(shape) < 2 * radius + 1:
        pytest.skip("no windows")
    expected, fused, energy = products(guide, p, weight, radius)
    assert relative(fused, expected) < 1e-5
    assert energy == pytest.approx(np.sum(p * expected), rel=1e-5)


def test_float32_box_filters_are_good_to_1e_5():
    guide = picture((150, 61))
    p = np.random.default_rng(1).uniform(2, 5, guide.shape[:2])
    double, single = (
        apply_laplacian(matting_laplacian(guide, LaplacianParams(), dtype), p.astype(dtype))
        for dtype in (np.float64, np.float32)
    )
    assert single.dtype == np.float32
    assert relative(single, double) < 1e-5


def test_nearly_constant_maps_leak_nothing():
    """Without the shift, rounding of 1/49 leaves 1e-6 p, which competes with data where rare."""
    shape = (200, 300)
    guide, zeros = np.full((*shape, 3), 0.4, np.float32), np.zeros(shape, np.float32)
    p = np.full(shape, 4.7, np.float32)
    assert np.abs(products(guide, p, zeros)[1]).max() < 1e-6
    p[90, 100] += 0.01
    expected, fused, _ = products(guide, p, zeros)
    assert np.abs(fused - expected).max() < 1e-5


def test_epsilon_grows_with_the_step_of_the_grid():
    guide = picture((20, 30))
    params = LaplacianParams(epsilon=1e-3)
    grown = grid_laplacian(guide, Grid((20, 30), 4), params)
    plain = matting_laplacian(guide, LaplacianParams(epsilon=4e-3))
    np.testing.assert_array_equal(grown.factors, plain.factors)
    paper = grid_laplacian(guide, Grid((20, 30), 4), params.replace(epsilon_growth=0.0))
    np.testing.assert_array_equal(paper.factors, matting_laplacian(guide, params).factors)


def test_the_operator_is_symmetric_semidefinite_and_blind_to_constants():
    shape = (11, 14)
    laplacian = matting_laplacian(picture(shape), LaplacianParams(), np.float64)
    units = np.eye(11 * 14).reshape(-1, *shape)
    matrix = np.stack([apply_laplacian(laplacian, unit).ravel() for unit in units])
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-11)
    assert np.linalg.eigvalsh(matrix).min() > -1e-10
    np.testing.assert_allclose(matrix.sum(axis=0), 0, atol=1e-11)
    single = matting_laplacian(picture((150, 90)), LaplacianParams())
    assert np.abs(apply_laplacian(single, np.full((150, 90), 4.7, np.float32))).max() < 1e-4


def test_rotating_the_colours_changes_nothing():
    guide = picture((20, 30))
    p = np.random.default_rng(1).uniform(0, 5, (20, 30))
    turned = np.ascontiguousarray(guide[..., [2, 0, 1]])
    a, b = (
        apply_laplacian(matting_laplacian(g, LaplacianParams(), np.float64), p)
        for g in (guide, turned)
    )
    assert relative(a, b) < 1e-10


@pytest.mark.parametrize("shape", [(1, 1), (6, 40), (40, 6), (3, 500)])
def test_a_picture_smaller_than_a_window_has_no_windows(shape):
    laplacian = matting_laplacian(picture(shape), LaplacianParams())
    assert not laplacian.has_windows
    assert not apply_laplacian(laplacian, np.ones(shape, np.float32)).any()


def test_the_number_of_threads_changes_nothing(set_workers):
    guide = picture((300, 40))
    p = np.random.default_rng(1).uniform(0, 5, (300, 40)).astype(np.float32)
    results = []
    for count in (1, 2):
        set_workers(count)
        laplacian, out = matting_laplacian(guide, LaplacianParams()), np.empty_like(p)
        energy = apply_system(laplacian, p, p, out)
        results.append((apply_laplacian(laplacian, p), out, laplacian.cells[0], energy))
    for one, two in zip(*results, strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_guide_that_is_not_a_picture_is_named():
    guide = picture((20, 30))
    guide[3, 4, 1] = np.nan
    with pytest.raises(ValueError, match=r"matting_laplacian: guide .* not finite"):
        matting_laplacian(guide, LaplacianParams())
    with pytest.raises(ValueError, match=r"guide must be HxWx3 float32; got \(20, 30\)"):
        matting_laplacian(guide[..., 0], LaplacianParams())
