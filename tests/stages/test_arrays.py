import numpy as np
import pytest

from stages.arrays import check_image, lazy_zeros, reduce_by


@pytest.mark.parametrize("shape", [(300, 40, 3), (301, 43, 3), (7, 201), (1, 1, 3)])
@pytest.mark.parametrize("step", [2, 3, 8])
def test_reducing_is_the_mean_of_cells(shape, step, set_workers):
    image = np.random.default_rng(0).random(shape).astype(np.float32)
    cut = [(0, -n % step) for n in shape[:2]] + [(0, 0)] * (len(shape) - 2)
    full = np.pad(image.astype(np.float64), cut, mode="edge")
    rows, cols = (n // step for n in full.shape[:2])
    expected = full.reshape(rows, step, cols, step, *shape[2:]).mean(axis=(1, 3))
    results = []
    for workers in (1, 3):
        set_workers(workers)
        results.append(reduce_by(image, step))
    np.testing.assert_array_equal(*results)
    assert results[0].dtype == np.float32
    np.testing.assert_allclose(results[0], expected, atol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 150, 299])
def test_a_value_that_is_not_finite_is_found_anywhere(bad, row):
    image = np.zeros((300, 20, 3), np.float32)
    check_image("stage", "image", image)
    image[row, 7, 1] = bad
    with pytest.raises(ValueError, match="stage: image has values that are not finite"):
        check_image("stage", "image", image)


def test_lazy_zeros_are_zeros_that_can_be_written():
    zeros = lazy_zeros((5, 7, 3))
    assert zeros.shape == (5, 7, 3) and zeros.dtype == np.float32 and zeros.flags.c_contiguous
    assert not zeros.any()
    zeros[2, 3] = 1
    assert zeros.sum() == 3 and not lazy_zeros((5, 7, 3)).any()
