import cv2
import numpy as np
import pytest
from scipy.special import ndtr

from stages.blur import (
    BlurParams,
    edge_blur,
    link_edges,
    linked_edges,
    octave_blur,
    octaves,
    pool,
    survey,
    thin_edges,
)
from stages.grid import Grid

PARAMS = BlurParams()


def step_edge(sigma_px, noise=0.0, angle=0.35):
    y, x = np.mgrid[:128, :128].astype(np.float64) - 63.3
    plane = 0.25 + 0.5 * ndtr((x * np.cos(angle) + y * np.sin(angle)) / sigma_px)
    plane += np.random.default_rng(0).normal(0, noise, plane.shape)
    return grey(plane)


def grey(plane):
    return np.repeat(np.clip(plane, 0, 1).astype(np.float32)[:, :, None], 3, axis=2)


def leaves(sigma_px, noise=0.0, shape=(400, 400)):
    """Overlapping discs of many sizes, blurred: edges that are never alone."""
    rng = np.random.default_rng(4)
    plane = np.full(shape, 0.5, np.float32)
    for size in np.sort(2 / rng.power(1.5, 4000))[::-1]:
        centre = tuple(int(v) for v in rng.integers(0, shape[0], 2))
        cv2.circle(plane, centre, int(min(size, 60)), float(rng.uniform(0.2, 0.8)), -1)
    plane = cv2.GaussianBlur(plane, (0, 0), sigma_px)
    return grey(plane + rng.normal(0, noise, shape))


def estimate(view, params=PARAMS, step=1):
    grid = Grid.cells((view.shape[0] * step, view.shape[1] * step), step)
    found = survey(view, params)
    return octave_blur(view, linked_edges(thin_edges(found, params)), found, grid, params)


def median_sigma(view):
    sparse = estimate(view)
    inside = sparse.confidence[10:-10, 10:-10] > 0
    assert inside.sum() > 20
    return float(np.median(sparse.sigma[10:-10, 10:-10][inside]))


@pytest.mark.parametrize("sigma", [0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0])
def test_clean_gaussian_steps_are_read_within_a_twentieth_of_a_pixel_or_one_in_seventy(sigma):
    assert median_sigma(step_edge(sigma)) == pytest.approx(sigma, abs=max(0.05, sigma / 70))


@pytest.mark.parametrize("sigma", [1.0, 2.0, 3.0, 4.0, 5.0])
def test_noise_of_five_codes_costs_less_than_a_third_of_a_pixel(sigma):
    assert median_sigma(step_edge(sigma, noise=5 / 255)) == pytest.approx(sigma, abs=0.3)


def test_among_other_edges_strong_blur_is_read_better_than_edge_by_edge():
    view = leaves(4.5, noise=4 / 255)
    found = survey(view, PARAMS)
    alone = link_edges(edge_blur(view, found, PARAMS), Grid(view.shape[:2]))
    shared = estimate(view)
    error = [float(np.mean(np.abs(m.sigma[m.confidence > 0] - 4.5))) for m in (shared, alone)]
    assert error[0] < 0.75 * error[1]


def test_pooling_is_a_gaussian_of_the_planes_of_energies():
    view = leaves(1.5)[:90, :117]
    found = survey(view, PARAMS)
    linked = linked_edges(thin_edges(found, PARAMS))
    reduced = octaves._reduced_views(view)
    edges = octaves._edge_cells(view, reduced, linked, slice(0, 90), 0.0, PARAMS)
    rows = np.repeat(np.arange(45), np.diff(edges.begin))
    column, energy = edges.column[: rows.size], edges.energy[: rows.size]
    assert edges.pixels[: rows.size].sum() == linked.sum()
    planes = np.zeros((45, 59, pool.ENERGIES), np.float32)
    planes[rows, column] = energy
    windows = pool.windows_of(PARAMS)
    pooled = pool.pooled_energies(edges, windows, slice(0, 45), 59)
    assert rows.size > 200
    for window, widening, part in (
        (windows[0], 1, slice(0, pool.POOLED)),
        (windows[1], pool.WIDE_POOL, slice(pool.POOLED, None)),
    ):
        size, sigma = (2 * window.size - 1,) * 2, widening * PARAMS.pool_px / 2
        expected = cv2.GaussianBlur(planes[..., part], size, sigma, borderType=cv2.BORDER_CONSTANT)
        np.testing.assert_allclose(pooled[:, part], expected[rows, column], rtol=1e-4, atol=1e-7)


def test_samples_count_the_edge_pixels_of_their_cell():
    view, step = step_edge(1.0), 4
    found = survey(view, PARAMS)
    linked = linked_edges(thin_edges(found, PARAMS))
    sparse = estimate(view, step=step)
    assert sparse.grid == Grid.cells((512, 512), 8)
    weight = (1.0 / 1.5) ** PARAMS.balance  # of an edge of sigma 1
    assert sparse.confidence.sum() == pytest.approx(step * weight * linked.sum(), rel=0.05)
    plain = estimate(view, PARAMS.replace(balance=0.0), step=step)
    assert plain.confidence.sum() == pytest.approx(step * linked.sum(), rel=0.05)
    np.testing.assert_array_equal(plain.sigma, sparse.sigma)
    assert np.all(sparse.sigma[sparse.confidence == 0] == 0)
    inside = sparse.confidence > 0
    inside[:10], inside[-10:], inside[:, :10], inside[:, -10:] = False, False, False, False
    assert np.median(sparse.sigma[inside]) == pytest.approx(np.sqrt(16 - 15 / 12), rel=0.1)


def believed(view):
    """Weight of every sample over its weight without doubt; NaN where there is none."""
    plain = estimate(view, PARAMS.replace(doubt=0.0)).confidence
    plain[plain == 0] = np.nan
    return estimate(view).confidence / plain


def test_a_wide_edge_beside_which_light_goes_on_changing_is_doubted():
    x = np.arange(256) - 127.3
    fold, turn = 0.06 * ndtr(x / 4), 0.5 * ndtr((x - 24) / 10)
    share = believed(grey(np.repeat((0.2 + fold + turn)[None], 192, axis=0)))[10:-10]
    assert np.nanmax(share[:, 60:68]) < 0.1  # the fold
    assert np.nanmin(share[:, 72:80]) == 1  # and the edge that it is part of


@pytest.mark.parametrize("noise", [0.0, 5 / 255])
def test_blurred_edges_are_believed_alone_and_among_others(noise):
    assert np.nanmin(believed(step_edge(5.0, noise))) > 0.99
    assert np.nanmean(believed(leaves(4.5, noise))) > 0.95


def test_no_edges_no_data():
    sparse = estimate(np.full((33, 47, 3), 0.5, np.float32))
    assert sparse.sigma.shape == (17, 24) and not sparse.confidence.any()


@pytest.mark.parametrize("strip_rows, workers", [(1, 1), (7, 2), (30, 1), (64, 2)])
def test_strips_and_threads_change_nothing(strip_rows, workers, set_workers):
    view = leaves(1.5, noise=2 / 255)[:211, :173]
    whole = estimate(view, PARAMS.replace(strip_rows=1000))
    set_workers(workers)
    cut = estimate(view, PARAMS.replace(strip_rows=strip_rows))
    assert (whole.confidence > 0).sum() > 300
    np.testing.assert_array_equal(cut.sigma, whole.sigma)
    np.testing.assert_array_equal(cut.confidence, whole.confidence)
