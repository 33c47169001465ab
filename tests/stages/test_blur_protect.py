import cv2
import numpy as np
import pytest

from stages.blur import (
    CoarseParams,
    coarse_edges,
    crossings,
    protect,
    sharp_edges_bound,
    unclaimed,
    within_bounds,
)
from stages.grid import BlurMap, Grid
from stages.scribble import Scribble


def blur_map(sigma, confidence, grid=None):
    sigma = np.asarray(sigma, np.float32)
    confidence = np.broadcast_to(np.asarray(confidence, np.float32), sigma.shape).copy()
    return BlurMap(sigma, confidence, grid or Grid(sigma.shape))


def test_data_is_held_to_certain_bounds_only():
    sparse = blur_map([[3.0, 3.0, 0.5, 3.0]], [[1, 1, 1, 2]])
    bounds = blur_map([[1.0, 1.0, 1.0, 0.0]], [[1.0, 0.1, 1.0, 0.0]])
    held = within_bounds(sparse, bounds)
    np.testing.assert_array_equal(held.sigma, np.float32([[1, 3, 0.5, 3]]))
    np.testing.assert_array_equal(held.confidence, sparse.confidence)


def test_edges_as_sharp_as_focus_bound_the_map():
    step = 4.0
    low, high = (limit * step for limit in protect.SHARP_PX)
    edges = blur_map([[low - 1, (low + high) / 2, high, 0.0, low - 1]], [[2, 2, 2, 0, 2]])
    detail = blur_map([[0.0, 0.0, 0.0, 1.5, 1.5]], [[0, 0, 0, 0.5, 3.0]])
    joined = sharp_edges_bound(edges, detail, Grid((1, 20), step))
    full = 2 * protect.SHARP_WEIGHT
    np.testing.assert_allclose(joined.confidence, [[full, full / 2, 0, 0.5, full + 3]], rtol=1e-5)
    mean = (full * (low - 1) + 3 * 1.5) / (full + 3)
    expected = [[low - 1, (low + high) / 2, 0, 1.5, mean]]
    np.testing.assert_allclose(joined.sigma, expected, rtol=1e-5)


def half_known(sigma_px):
    """A picture whose right part is too blurred for edges at full size."""
    rng = np.random.default_rng(1)
    plane = cv2.resize(rng.random((10, 16), np.float32), (640, 400), interpolation=0)
    plane = cv2.GaussianBlur(plane, (0, 0), sigma_px)
    view = np.repeat(plane[:, :, None], 3, axis=2)
    grid = Grid(view.shape[:2])
    sigma = np.zeros((200, 320), np.float32)
    sigma[:, :100:4] = 0.5
    sparse = blur_map(sigma, (sigma > 0).astype(np.float32), Grid.cells(view.shape[:2], 2))
    return view, sparse, blur_map(np.zeros(grid.shape), 0.0, grid)


def test_coarse_edges_fill_only_where_nothing_is_known_and_weigh_little():
    view, sparse, evidence = half_known(9.0)
    found = coarse_edges(view, sparse, evidence, CoarseParams())
    old = sparse.confidence > 0
    np.testing.assert_array_equal(found.sigma[old], sparse.sigma[old])
    added = (found.confidence > 0) & ~old
    assert added[:, 110:].sum() > 50 and not added[:, :98].any()
    assert np.median(found.sigma[added]) == pytest.approx(9.0, rel=0.3)  # steps are 40 px apart
    assert found.confidence[added].max() <= CoarseParams().weight * 4 * 4 * 4


@pytest.mark.parametrize("rows, cols", [(400, 640), (391, 637)])
def test_edges_of_smaller_pictures_are_left_out_where_nothing_depends_on_them(
    rows, cols, monkeypatch
):
    view, sparse, _ = half_known(5.0)
    cells, evidence = Grid.cells((rows, cols), 2), blur_map(np.zeros((rows, cols)), 0.0)
    kept = np.ix_(*(range(size) for size in cells.shape))
    sparse = BlurMap(sparse.sigma[kept], sparse.confidence[kept], cells)
    found = coarse_edges(view[:rows, :cols], sparse, evidence, CoarseParams())
    shares, pooled_pixels = [], protect._pooled_pixels

    def everywhere(*of):
        shares.append(pooled_pixels(*of).mean())
        return True

    monkeypatch.setattr(protect, "_pooled_pixels", everywhere)
    every = coarse_edges(view[:rows, :cols], sparse, evidence, CoarseParams())
    assert all(0.1 < share < 0.9 for share in shares) and len(shares) == 2
    assert (every.confidence > 0).sum() > (sparse.confidence > 0).sum()
    np.testing.assert_array_equal(found.sigma, every.sigma)
    np.testing.assert_array_equal(found.confidence, every.confidence)


def test_no_octaves_no_change():
    view, sparse, evidence = half_known(9.0)
    found = coarse_edges(view, sparse, evidence, CoarseParams(octaves=0))
    np.testing.assert_array_equal(found.confidence, sparse.confidence)


@pytest.mark.parametrize("workers", [1, 2])
def test_threads_change_nothing(workers, set_workers):
    view, sparse, evidence = half_known(9.0)
    set_workers(3)
    expected = coarse_edges(view, sparse, evidence, CoarseParams())
    set_workers(workers)
    found = coarse_edges(view, sparse, evidence, CoarseParams())
    np.testing.assert_array_equal(found.sigma, expected.sigma)
    np.testing.assert_array_equal(found.confidence, expected.confidence)


def test_evidence_yields_to_scribbles():
    evidence = blur_map(np.full((20, 30), 0.8), 1.0)
    left = unclaimed(evidence, [Scribble(((5.0, 5.0), (20.0, 5.0)), 4.0, "blurred")])
    assert not left.confidence[4:7, 5:20].any() and left.confidence[12:].all()
    assert unclaimed(evidence, ()).confidence.all()


@pytest.mark.parametrize("step, count", [(2, 2), (4, 2), (8, 2), (1, 1)])
def test_an_edge_counts_by_how_far_it_crosses_cells_of_a_solve(step, count):
    view = Grid((16, 12), max(step // 2, 1))
    length = np.zeros(view.shape, np.float32)
    length[:, 5] = view.step  # px, of every edge pixel
    solve = Grid.cells((16 * view.step, 12 * view.step), step)
    edges = crossings(BlurMap(3 * length, length, view), solve)
    crossed = edges.confidence > 0
    assert crossed.any(axis=1).all() and np.all(edges.confidence[crossed] == count)
    assert np.all(edges.sigma[crossed] == 3 * view.step)
