import numpy as np
import pytest
from scipy.special import ndtr

from stages.blur import ShadingParams, doubt_shading, shading
from stages.grid import BlurMap, Grid

DARK, LIGHT, OTHER = (0.3, 0.2, 0.1), (0.75, 0.5, 0.25), (0.2, 0.4, 0.7)


def soft_edge(one, other, width_px=5.0):
    part = ndtr((np.arange(96) - 47.5) / width_px)[None, :, None]
    view = (1 - part) * np.array(one) + part * np.array(other)
    return np.repeat(view, 64, axis=0).astype(np.float32)


def doubted(view, sigma, step=1, **params):
    grid = Grid.cells((view.shape[0] * step, view.shape[1] * step), 2 * step)
    full = np.full(grid.shape, sigma, np.float32)
    sparse = BlurMap(full, np.full_like(full, 2.0), grid)
    found = doubt_shading(sparse, view, ShadingParams(**params))
    np.testing.assert_array_equal(found.sigma, sparse.sigma)
    return found.confidence[16, 24] / 2


@pytest.mark.parametrize("step", [1, 4])
def test_a_wide_edge_of_one_colour_may_be_shading(step):
    assert doubted(soft_edge(DARK, LIGHT), 8.0 * step, step, doubt=0.7) == pytest.approx(0.3)


def test_a_wide_edge_between_colours_is_blurred():
    assert doubted(soft_edge(DARK, OTHER), 8.0) == 1


def test_a_narrow_edge_is_trusted_whatever_its_colours():
    assert doubted(soft_edge(DARK, LIGHT), 2.0) == 1


def test_without_doubt_nothing_changes():
    assert doubted(soft_edge(DARK, LIGHT), 8.0, doubt=0.0) == 1


@pytest.mark.parametrize("strip_px, workers", [(1, 1), (3000, 2), (10**9, 1)])
def test_strips_and_threads_change_nothing(strip_px, workers, set_workers, monkeypatch):
    rng = np.random.default_rng(0)
    view = rng.random((19, 13, 3), np.float32).repeat(8, axis=0).repeat(8, axis=1)[:151, :97]
    grid = Grid.cells(view.shape[:2], 2)
    sigma = rng.uniform(2, 16, grid.shape).astype(np.float32)
    sparse = BlurMap(sigma, np.ones(grid.shape, np.float32), grid)
    expected = doubt_shading(sparse, view, ShadingParams()).confidence
    assert 0.01 < np.mean(expected < 1) < 0.9
    monkeypatch.setattr(shading, "STRIP_PX", strip_px)
    set_workers(workers)
    np.testing.assert_array_equal(doubt_shading(sparse, view, ShadingParams()).confidence, expected)
