import numpy as np
import pytest

from stages.forward import Sensor
from stages.forward.raw import expose
from stages.isp import develop_raw

SENSOR = Sensor(rows=64, cols=64, bits=14, black_level=512)
BALANCE = (1 / SENSOR.neutral[0], 1 / SENSOR.neutral[2])


def exposed(linear, sensor):
    """Mosaic of linear light (HxWx3), 1 where green clips."""
    places = sensor.colour_of_places()
    electrons = np.empty(linear.shape[:2], np.float32)
    for place, colour in enumerate(places):
        row, col = divmod(place, 2)
        plane = linear[row::2, col::2, colour] * sensor.neutral[colour]
        electrons[row::2, col::2] = plane * sensor.full_well_e
    return expose(electrons, sensor, 1.0, 0)


@pytest.mark.parametrize("pattern", ["RGGB", "BGGR", "GRBG", "GBRG"])
def test_a_colour_comes_back_for_every_pattern(pattern):
    colour = np.array([0.6, 0.3, 0.45], np.float32)
    sensor = Sensor(rows=64, cols=64, bits=14, black_level=512, pattern=pattern)
    linear = develop_raw(exposed(np.full((64, 64, 3), colour), sensor), sensor, BALANCE)
    assert linear.shape == (64, 64, 3) and linear.dtype == np.float32
    np.testing.assert_allclose(linear[4:-4, 4:-4].mean((0, 1)), colour, rtol=5e-3)


def test_clipped_light_is_white():
    linear = develop_raw(exposed(np.full((64, 64, 3), 9.0, np.float32), SENSOR), SENSOR, BALANCE)
    np.testing.assert_array_equal(linear, 1)


def test_an_edge_stays_where_it_is():
    scene = np.full((64, 64, 3), 0.1, np.float32)
    scene[:, 32:] = 0.7
    linear = develop_raw(exposed(scene, SENSOR), SENSOR, BALANCE)
    assert linear[8:-8, :30].max() < 0.13 and linear[8:-8, 34:].min() > 0.66


def test_the_colour_matrix_is_applied_after_white_balance():
    mosaic = exposed(np.full((64, 64, 3), 0.5, np.float32), SENSOR)
    matrix = ((0.5, 0.5, 0), (0, 1, 0), (-0.5, 0, 1.5))
    plain, mixed = (develop_raw(mosaic, SENSOR, BALANCE, *m) for m in ((), (matrix,)))
    np.testing.assert_allclose(mixed, plain @ np.array(matrix).T, atol=1e-6)
