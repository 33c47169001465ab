"""Gain maps: the formula of the standard, and a measured map that gives the HDR light again."""

import numpy as np
import pytest

from stages.gain_map import GainCurve, GainMap, hdr_light, measured_gain

RNG = np.random.default_rng(8)


def light_of(*shape):
    return RNG.uniform(0, 1, shape).astype(np.float32)


CURVES = (
    GainCurve(-0.5, 2.0, 1.0, 0.02, 0.01),
    GainCurve(0.0, 3.0, 0.5, 0.0, 0.0),
    GainCurve(0.25, 1.0, 2.2, 0.0, 0.03),
)


@pytest.mark.parametrize("curves", [CURVES, CURVES[:1] * 3], ids=["three", "one"])
@pytest.mark.parametrize("channels", [(), (3,)], ids=["grey", "rgb"])
def test_the_gain_is_that_of_the_formula(curves, channels):
    sdr, values = light_of(150, 20, 3), light_of(150, 20, *channels)
    got = hdr_light(sdr, GainMap(values=values, curves=curves, headroom_stops=3))
    for k, (low, high, gamma, before, after) in enumerate(curves):
        code = np.float64(values if values.ndim == 2 else values[..., k])
        stops = low + (high - low) * code ** (1 / gamma)
        wanted = np.maximum((sdr[..., k] + before) * 2**stops - after, 0)
        np.testing.assert_allclose(got[..., k], wanted, rtol=2e-6, atol=1e-6)


def test_a_smaller_map_covers_the_whole_picture():
    """A ramp of stops across the map is a ramp across the picture, between the pixel centres."""
    cols = 12
    ramp = np.tile(np.linspace(0, 1, cols, dtype=np.float32), (5, 1))
    flat = GainCurve(0, 2, 1, 0, 0)
    gain_map = GainMap(values=ramp, curves=(flat,) * 3, headroom_stops=2)
    got = hdr_light(np.ones((20, 4 * cols, 3), np.float32), gain_map)
    place = (np.arange(4 * cols) + 0.5) / 4 - 0.5
    stops = 2 * np.clip(place, 0, cols - 1) / (cols - 1)
    np.testing.assert_allclose(got, np.broadcast_to(2 ** stops[:, None], got.shape), rtol=1e-5)


def test_a_measured_map_gives_the_light_again():
    sdr, hdr = light_of(31, 44, 3), 8 * light_of(31, 44, 3)
    found = measured_gain(sdr, hdr, 3.0)
    assert found.values.shape == (31, 44, 3) and found.headroom_stops == 3
    assert found.values.min() == 0 and found.values.max() == 1
    np.testing.assert_allclose(hdr_light(sdr, found), hdr, rtol=1e-4, atol=1e-5)


def test_equal_gains_are_stored_once():
    sdr = light_of(31, 44, 1).repeat(3, axis=2)
    assert measured_gain(sdr, 4 * sdr, 2.0).values.ndim == 2
    same = measured_gain(sdr, sdr, 2.0)
    np.testing.assert_allclose(hdr_light(sdr, same), sdr, atol=1e-6)


@pytest.mark.parametrize("shape", [(40, 60), (41, 61)])
def test_a_smaller_measured_map_keeps_the_mean_light(shape):
    """Where the gain is constant over the cells of the map, the light comes back."""
    sdr = light_of(*shape, 3)
    found = measured_gain(sdr, 3 * sdr + np.float32(2 / 64), 2.0, step=2)  # a gain of 3
    assert found.values.shape[:2] == (-(-shape[0] // 2), -(-shape[1] // 2))
    np.testing.assert_allclose(hdr_light(sdr, found), 3 * sdr + 2 / 64, rtol=2e-3)


def test_the_gain_is_applied_in_its_own_primaries():
    sdr, values = light_of(70, 9, 3), light_of(70, 9, 3)
    space = np.float32([[0.8, 0.2, 0], [0.1, 0.9, 0], [0, 0.1, 0.9]])
    got = hdr_light(sdr, GainMap(values=values, curves=CURVES, headroom_stops=3, space=space))
    plain = GainMap(values=values, curves=CURVES, headroom_stops=3)
    wanted = hdr_light(sdr @ space.T, plain) @ np.linalg.inv(space).T
    np.testing.assert_allclose(got, np.maximum(wanted, 0), rtol=1e-3, atol=1e-4)
