"""The solver by itself: against an exact solve, any dtype, any sign, and clear errors."""

import doctest

import numpy as np
import pytest

from camerapipe import spreading
from camerapipe.spreading import solve
from stages.laplacian import LaplacianParams, apply_laplacian, matting_laplacian

SHAPE = (14, 18)


@pytest.fixture(scope="module")
def problem():
    """Noise as a guide, and values of both signs at a fifth of the pixels."""
    rng = np.random.default_rng(4)
    guide = rng.random((*SHAPE, 3))
    confidence = rng.integers(1, 4, SHAPE) * (rng.random(SHAPE) < 0.2)
    return guide, np.where(confidence > 0, rng.normal(-2, 30, SHAPE), 0), confidence


def exact(guide, values, confidence, data_weight):
    """The same system, assembled column by column and solved by NumPy."""
    laplacian = matting_laplacian(guide.astype(np.float32), LaplacianParams(), np.float64)
    units = np.eye(guide.shape[0] * guide.shape[1]).reshape(-1, *guide.shape[:2])
    matrix = np.stack([apply_laplacian(laplacian, unit).ravel() for unit in units], axis=1)
    weight = data_weight * confidence.ravel().astype(np.float64)
    return np.linalg.solve(matrix + np.diag(weight), weight * values.ravel()).reshape(SHAPE)


def test_it_solves_the_system(problem):
    guide, values, confidence = problem
    found = solve(guide, values, confidence, data_weight=0.5)
    expected = exact(guide, values, confidence, 0.5)
    assert np.abs(found - expected).max() < 1e-3 * np.ptp(values[confidence > 0])


def test_a_tolerance_is_in_the_unit_of_the_values():
    rng = np.random.default_rng(1)
    guide, confidence = rng.random((60, 80, 3)), rng.random((60, 80)) < 0.01
    values = rng.normal(-2, 30, confidence.shape)

    def error(tolerance, scale=1.0):
        found = solve(guide, scale * values, confidence, iterations=500, tolerance=tolerance)
        return np.abs(found / scale - exact_map).max() / np.ptp(values[confidence])

    exact_map = solve(guide, values, confidence, iterations=500, tolerance=0)
    errors = [error(tolerance) for tolerance in (30.0, 1.0, 0.01)]
    assert errors[0] > errors[1] > errors[2] and errors[2] < 1e-3
    assert error(1e-3 * 30.0, 1e-3) == pytest.approx(errors[0], rel=1e-3)
    for wrong in (-1, float("nan"), float("inf"), "1"):
        with pytest.raises(ValueError, match="solve: tolerance must be a number >= 0; got"):
            solve(guide, values, confidence, tolerance=wrong)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, np.float64])
def test_any_dtype_of_the_guide(problem, dtype):
    guide, values, confidence = problem
    top = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1
    given = (guide * top).astype(dtype)
    again = given.astype(np.float64) / top
    np.testing.assert_allclose(
        solve(given, values, confidence),
        solve(again, values, confidence),
        atol=2e-3 * np.ptp(values),
    )


@pytest.mark.parametrize("dtype", [np.int16, np.float16, np.float32, np.float64])
def test_any_dtype_of_the_values(problem, dtype):
    guide, values, confidence = problem
    given = values.astype(dtype)
    np.testing.assert_allclose(
        solve(guide, given, confidence), solve(guide, given.astype(np.float64), confidence)
    )


def test_units_and_signs_do_not_matter(problem):
    guide, values, confidence = problem
    found = solve(guide, values, confidence)
    np.testing.assert_allclose(
        solve(guide, -1e6 * values + 5, confidence), -1e6 * found + 5, atol=1e3 * np.ptp(values)
    )


def test_not_a_number_is_no_data(problem):
    guide, values, confidence = problem
    marked = np.where(confidence > 0, values, np.nan)
    np.testing.assert_array_equal(
        solve(guide, marked), solve(guide, values, (confidence > 0).astype(float))
    )


def test_cells_and_guided_upsampling_give_nearly_the_same():
    rows, cols = np.mgrid[:120, :160]
    guide = np.where(cols < 80, 0.2, 0.8) + 0.02 * np.random.default_rng(0).random((120, 160))
    values = np.where((rows % 10 == 5) & (cols % 10 == 5), np.where(cols < 80, 1.0, 4.0), np.nan)
    full, half = solve(guide, values), solve(guide, values, step=2)
    assert np.abs(full - half).mean() < 0.05


@pytest.mark.parametrize(
    "change, message",
    [
        ({"guide": np.zeros((5, 5, 2))}, r"guide must be HxW or HxWx3.*got \(5, 5, 2\) float64"),
        ({"guide": np.zeros(SHAPE, np.int64)}, "guide must be .* got .* int64"),
        ({"guide": np.full(SHAPE, 2.0)}, r"guide must be finite and lie in \[0, 1\]; got 2 to 2"),
        ({"values": np.zeros((3, 3))}, r"values must be \(14, 18\), as the guide is"),
        ({"values": np.zeros(SHAPE, complex)}, "values must be .* of real numbers; got .* complex"),
        ({"confidence": -np.ones(SHAPE)}, "confidence must be finite and >= 0"),
        ({"confidence": np.zeros(SHAPE)}, "there is no data"),
        ({"values": np.full(SHAPE, np.nan)}, "values must be finite where confidence is above 0"),
        ({"step": 0}, "step must be an int >= 1; got 0"),
        ({"data_weight": -1.0}, r"propagate\.data_weight: expected float in"),
    ],
)
def test_mistakes_are_named(problem, change, message):
    guide, values, confidence = problem
    with pytest.raises(ValueError, match=message):
        solve(**{"guide": guide, "values": values, "confidence": confidence} | change)


def test_the_example_is_true():
    assert doctest.testmod(spreading).attempted > 4
    assert doctest.testmod(spreading).failed == 0


def test_values_beyond_the_range_of_the_result_are_refused():
    values = np.full((6, 8), np.nan)
    values[2, 3] = 1e300
    with pytest.raises(ValueError, match="values must lie within"):
        solve(np.zeros((6, 8)), values)


def test_a_step_may_be_an_integer_of_numpy_but_no_truth_value():
    values = np.ones((8, 8))
    assert solve(np.zeros((8, 8)), values, step=np.int64(2)).shape == (8, 8)
    with pytest.raises(ValueError, match="step must be an int"):
        solve(np.zeros((8, 8)), values, step=True)
